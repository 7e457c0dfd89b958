"""Plays the figures, then plays them again, several side by side, and kills one process of each: nothing may stay behind."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 4  # a play mostly waits: for its throttled transfers
LONGEST = 150  # seconds; one whose process was killed ends far sooner
BERTH = os.path.abspath(sys.argv[1])
PLAY = ["/usr/bin/python3", "-B", "examples/figures/figures.py", BERTH]
results = []


def result(what, holds, detail=""):
    results.append(bool(holds))
    print(f"{'ok   ' if holds else 'WRONG'} {what} {'' if holds else detail}", flush=True)


def stat(pid):
    with open(f"/proc/{pid}/stat") as file:
        text = file.read()
    return text[text.rindex(")") + 2:].split()


def family(root):
    """All processes below `root`, and those that carry its network's mark, as {pid: (start time, command)}."""
    parents, found, mark = {}, {}, f"figures-{root}".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = stat(pid)
            parents[int(pid)] = (int(fields[1]), fields[19])
            with open(f"/proc/{pid}/environ", "rb") as file:
                marked = b"BERTH_NET=" + mark in file.read()
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if fields[0] != "Z" and (marked or mark.decode() in command):
            found[int(pid)] = (fields[19], command)
    for pid in parents:
        at, seen = pid, 0
        while at in parents and at != root and seen < 64:
            at, seen = parents[at][0], seen + 1
        if at == root and pid not in found:
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    found[pid] = (parents[pid][1], file.read().replace(b"\0", b" ").decode(errors="replace").strip())
            except OSError:
                pass
    return found


def alive(pid, start):
    try:
        fields = stat(pid)
        return fields[19] == start and fields[0] != "Z"
    except OSError:
        return False


def files_left(root):
    found = []
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    for folder in [f"/tmp/berth-{os.getuid()}"] + ([f"{runtime}/berth"] if runtime else []):
        if os.path.isdir(folder):
            found += [name for name in os.listdir(folder) if f"figures-{root}" in name]
    return found


def ended(seen, root, seconds=20):
    """Waits until every process seen has ended; returns what is left."""
    end = time.monotonic() + seconds
    while True:
        left = [f"{pid} {command}" for pid, (start, command) in seen.items() if alive(pid, start)]
        left += [f"{pid} {command}" for pid, (_, command) in family(root).items()] + files_left(root)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def kind(command):
    """What a process is, however it is called this time."""
    words = command.split()
    return re.sub(r"[0-9]+", "N", " ".join(words[:1] + [word for word in words[1:] if "/tmp/" not in word]))


def targets(kinds):
    """One process of each kind. Of a `berth exec` there are several, its job and its guards: each time it is another one's turn;
    of the play itself both have theirs."""
    chosen = [(what, turn % count) for turn, (what, count) in enumerate(kinds)]
    return sorted(set(chosen + [(what, turn) for what, count in kinds if "figures.py" in what for turn in range(count)]))


def play_and_kill(target):
    """Starts a play, waits until it is in full swing, kills the process that `target` chooses. Returns the kinds seen with the
    number of each, whether one was killed, and what is wrong."""
    play = subprocess.Popen(PLAY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""
    for line in play.stdout:
        said += line
        if "two FTP clients fetch" in line:
            break
    seen = family(play.pid)
    kinds = {}
    for pid, (_, command) in sorted(seen.items()):
        kinds.setdefault(kind(command), []).append(pid)
    what, turn = target or (None, 0)
    killed = what in kinds
    if killed:
        try:
            os.kill(kinds[what][turn % len(kinds[what])], signal.SIGKILL)
        except ProcessLookupError:
            killed = False
    wrong = [] if "two FTP clients fetch" in said else [f"the play did not get that far: {said[-1500:]}"]
    try:
        play.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        wrong.append("the play did not end")
        play.kill()
        play.communicate()
    wrong += [f"left: {what}" for what in ended(seen, play.pid)]
    for pid, (start, _) in seen.items():
        if alive(pid, start):
            os.kill(pid, signal.SIGKILL)
    return sorted((what, len(pids)) for what, pids in kinds.items()), killed, wrong


def kill_one(target):
    """Some processes live for a moment only (berth ss): when there is none of that kind, plays again."""
    for _ in range(3):
        _, killed, wrong = play_and_kill(target)
        if killed or wrong:
            break
    return target, killed, wrong


def ftp_sessions():
    """The ordinary user's FTP server, which has two clients at once in each play. Returns what is wrong."""
    net = f"ftp-sessions-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/small", "w") as file:
            file.write("small")
        server = subprocess.Popen([BERTH, "run", "--net", net, "--host", "server", "--ip", "10.0.0.1", "--", "/usr/bin/python3", "-B",
                                   "examples/figures/ftpd.py", folder], start_new_session=True)
        try:
            end = time.monotonic() + 20
            while "0.0.0.0:21" not in subprocess.run([BERTH, "ss", "--net", net, "-ltn"], capture_output=True, text=True).stdout:
                if server.poll() is not None or time.monotonic() > end:
                    return f"the server does not listen: {server.returncode}"
                time.sleep(0.05)
            client = subprocess.run([BERTH, "run", "--net", net, "--host", "client", "--ip", "10.0.0.2", "--", "/usr/bin/python3", "-B",
                                     "test/figures/ftp_sessions.py", "10.0.0.1", "10.0.0.2"], capture_output=True, text=True)
            if client.returncode != 0:
                return client.stderr[-500:]
            with open(f"{folder}/stored") as file:
                return "" if file.read() == "the first half, and the second" else "other octets were stored"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def main():
    wrong = ftp_sessions()
    result("two sessions of the ordinary user's FTP server leave each other alone", not wrong, wrong)
    plays = [subprocess.Popen(PLAY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    for play in plays:
        said = play.communicate()[0]
        told = [line.strip() for line in said.splitlines() if line.lstrip().startswith(("NO", "figures:"))] or said.splitlines()[-3:]
        result("two plays side by side: the figures hold", play.returncode == 0, "; ".join(told))
    kinds, _, wrong = play_and_kill(None)
    result("while it plays, more than twenty kinds of process live", len(kinds) > 20, kinds)
    result("a play without a kill leaves nothing", not wrong, "; ".join(wrong))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (what, turn), killed, wrong in pool.map(kill_one, targets(kinds)):
            if killed or wrong:
                result(f"kill -9 of: {what} [{turn}]", not wrong, "; ".join(wrong))
            else:
                print(f"  -   kill -9 of: {what}: it was there only once", flush=True)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
