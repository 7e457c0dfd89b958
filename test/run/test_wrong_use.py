"""Wrong words to each command, standard streams that are closed or full: an error with its status, never silence, never a crash."""
import os
import signal
import subprocess

from harness import BERTH, Net, check, finish

FULL = "No space left on device"


def said(what, status, words, *argv, **more):
    done = subprocess.run([BERTH, *argv], capture_output=True, timeout=60, stdin=subprocess.DEVNULL, **more)
    text = (done.stdout + done.stderr).decode(errors="replace")
    check(f"{what}: {text.strip().splitlines()[0] if text.strip() else 'silence'}",
          done.returncode == status and all(word in text for word in words), f"status {done.returncode}: {text}")


def shell(what, net, line, status, *words):
    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                          env={**os.environ, "BERTH": BERTH, "NET": net.name, "F": net.folder})
    text = done.stdout + done.stderr
    check(what, done.returncode == status and all(word in text for word in words), f"status {done.returncode}: {text}")


def words_play(net):
    started = subprocess.run([BERTH, "up", "-d", "--net", net.name, "-f", f"{net.folder}/berth.yaml"], capture_output=True, text=True)
    check("a network is up", started.returncode == 0, started)
    on = ("--net", net.name)
    for command, *operands in (["logs", b"\xff"], ["port", b"\xff"], ["kill", b"\xff"], ["partition", b"\xff"], ["pause", b"pc1", b"\xff"],
                               ["link", b"\xff", b"lan", b"up"], ["tap", b"\xff"], ["netem", b"\xff"], ["dump", "-w", "-", "-i", b"\xff"]):
        said(f"{command} with octets that are no text", 2, ["berth: "], command, *on, *operands)
    for groups in ([""], [","], ["pc1", ""]):
        said(f"a partition without names {groups}", 2, ["groups of hosts"], "partition", *on, *groups)
    said("a dump of no frame", 2, ["-c"], "dump", *on, "-w", "-", "-c", "0")
    said("a dump with no memory", 2, ["-B"], "dump", *on, "-w", "-", "-B", "0")
    for option, value in (("--stop-signal", "TERM"), ("--stop-signal", "0"), ("--stop-signal", "65"), ("--stop-signal", ""),
                          ("--stop-grace-ms", "-1"), ("--stop-grace-ms", "5s"), ("--stop-grace-ms", "9" * 30)):
        said(f"run {option} {value}", 125, [f'"{value}"', "berth run --help"], "run", *on, option, value, "--", "true")
    said("and sensible ones", 7, [], "run", *on, "--stop-signal", "2", "--stop-grace-ms", "0", "--", "sh", "-c", "exit 7")
    said("an option of run that is nearly one", 125, ["--hots", "did you mean --host?", "berth run --help"], "run", "--hots", "x", "true")
    said("an option of exec that is nearly one", 125, ["did you mean --detach?"], "exec", "--detahc", "pc1", "true")
    said("an option without its value", 125, ["--net needs a value"], "run", "--net")
    said("up with two files, of which it would take one", 2, ["-f"], "up", *on, "-f", "a.yaml", "-f", "b.yaml")
    said("up with a time to wait, but without --wait", 2, ["--wait"], "up", *on, "--timeout", "5s")
    said("version takes no words", 2, ["too many words"], "version", "now")
    said("version has its help", 0, ["Usage: berth version"], "version", "--help")
    for command in ("run", "ss", "up"):
        said(f"help {command} is {command} --help", 0, [f"Usage: berth {command}"], "help", command)
    said("help for what is no command", 2, ['did you mean "berth run"?'], "help", "rnu")


def streams_play(net):
    """As the shell's <&- and >&- leave them: numbers that the next descriptor would take."""
    run = '"$BERTH" run --net $NET -- '
    shell("a program whose standard input is closed runs", net, run + "curl -sS http://server/page <&-", 0, "hello")
    shell("one whose standard output is closed", net, run + 'curl -sS -o "$F/page" http://server/page >&- && cat "$F/page"', 0, "hello")
    shell("one whose three are", net, run + 'curl -sS -o "$F/two" http://server/page <&- >&- 2>&- && cat "$F/two"', 0, "hello")
    for closed in ("<&-", "2>&-", "<&- 2>&-"):
        seen = "/usr/bin/python3 -c 'import os; os.write(1, repr([os.path.exists(f\"/proc/self/fd/{n}\") for n in range(3)]).encode())'"
        native = subprocess.run(["/bin/bash", "-c", f"{seen} {closed}"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        shell(f"a program sees the same streams as without Berth ({closed})", net, f"{run} {seen} {closed}", 0, native.stdout)
    shell("a network that starts and ends with none of them", net, '"$BERTH" run --net $NET-new -- true <&- >&- 2>&-', 0)
    shell("what is said to a closed standard output is lost, and that is an error", net, '"$BERTH" ps --net $NET >&-', 1, "standard output: ")
    for command in ("--help", "run --help", "ps --net $NET", "ss -a --json --net $NET", "hosts --net $NET", "netem --net $NET server", "doctor"):
        shell(f"{command} into a full device", net, f'"$BERTH" {command} >/dev/full', 1, FULL)
    for what, kept, status in (("with its signal ignored is an error", False, 1), ("is a quiet end", True, -signal.SIGPIPE)):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([BERTH, "ps", "--net", net.name], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60,
                              restore_signals=kept)  # Python itself ignores SIGPIPE
        os.close(writing)
        check(f"a reader that has gone {what}", done.returncode == status and ("Broken pipe" in done.stderr) != kept, done)


with Net("wrong") as net:
    with open(f"{net.folder}/page", "w") as file:
        file.write("hello\n")
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("networks: {lan: {subnet: 10.0.0.0/24}}\nhosts:\n  server: {ipv4_address: 10.0.0.1, "
                   f"command: [/usr/bin/python3, -m, http.server, -d, {net.folder}, '80']}}\n  pc: {{count: 2}}\n")
    words_play(net)
    check("the server listens", net.listening(80, seconds=60))
    streams_play(net)
    check("down", net.berth("down").returncode == 0)
finish()
