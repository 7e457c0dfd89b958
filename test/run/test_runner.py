"""How programs are started, stopped, continued and ended, and that nothing stays: test_runner.py BUILD/tool/berth.

The programs are run by runner_probe, which has a daemon of its own and none of Berth's network behind it. Every process of a run
carries a mark in its environment; what is left is found by it. Waiting is for events, each with a limit."""
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

LIMIT = 20
BUILD = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/tool/berth")))
BIN = os.environ.get("RUNNER_BIN", f"{BUILD}/test/unit/tool/runner")
PROBE, CALLER = f"{BIN}/runner_probe", f"{BIN}/runner_caller"
PYTHON = "/usr/bin/python3"
results = []


def check(what, holds, detail=""):
    results.append(bool(holds))
    print(f"{'ok   ' if holds else 'WRONG'} {what}{'' if holds else '  ' + repr(detail)[-1500:]}", flush=True)
    return holds


def expect(what, got, wanted):
    return check(what, got == wanted, f"{got!r} instead of {wanted!r}")


# --- processes ---------------------------------------------------------------------------------------------------------------

class Mark:
    """A value in the environment of all that a test starts."""
    count = 0

    def __init__(self):
        Mark.count += 1
        self.text = f"RUNNER_TEST={os.getpid()}.{Mark.count}"
        name, value = self.text.split("=")
        self.environment = {**os.environ, name: value}
        for name in ("BERTH_NET", "BERTH_HOST"):
            self.environment.pop(name, None)

    def processes(self):
        """{pid: name} of what lives."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if self.text.encode() not in file.read().split(b"\0"):
                        continue
                with open(f"/proc/{pid}/stat") as file:
                    stat = file.read()
                if stat.rpartition(")")[2].split()[0] not in "ZX":
                    found[int(pid)] = stat.partition("(")[2].rpartition(")")[0]
            except OSError:
                pass
        return found

    def named(self, name):
        return [pid for pid, its in self.processes().items() if its == name]

    def one(self, name):
        found = self.named(name)
        assert len(found) == 1, f"{name}: {self.processes()}"
        return found[0]

    def gone(self, limit=LIMIT):
        """Waits until no process has the mark; what is left at the limit (and is then killed)."""
        end = time.monotonic() + limit
        while True:
            left = self.processes()
            if not left or time.monotonic() > end:
                break
            for pid in left:
                wait_exit(pid, end - time.monotonic())
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return left


def wait_exit(pid, limit=LIMIT):
    """Waits for the end of a process that need not be a child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ready = select.select([descriptor], [], [], max(limit, 0))[0]
    os.close(descriptor)
    return bool(ready)


def state_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def until(condition, limit=LIMIT):
    """For what the kernel has no event for."""
    end = time.monotonic() + limit
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def probe(*argv, mark=None, options=(), before=(), **more):
    """Runs to the end, with all that it starts; status, output, errors."""
    mark = mark or Mark()
    done = subprocess.run([*before, PROBE, *options, "--", *argv], capture_output=True, text=True, timeout=LIMIT,
                          env=mark.environment, stdin=more.pop("stdin", subprocess.DEVNULL), **more)
    left = mark.gone()
    if left:
        check(f"nothing is left of {argv}", False, left)
    return done.returncode, done.stdout, done.stderr


class Running:
    """A run whose output is read line by line."""

    def __init__(self, *argv, options=(), before=(), **more):
        self.mark = Mark()
        self.job = subprocess.Popen([*before, PROBE, *options, "--", *argv], env=self.mark.environment, stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def line(self):
        ready = select.select([self.job.stdout], [], [], LIMIT)[0]
        return self.job.stdout.readline().strip() if ready else "(nothing)"

    def end(self):
        """Status and errors, when job and all are gone."""
        try:
            errors = self.job.communicate(timeout=LIMIT)[1]
        except subprocess.TimeoutExpired:
            self.mark.gone(0)
            errors = "(did not end) " + (self.job.communicate()[1] or "")
        return self.job.returncode, errors


# --- ends -------------------------------------------------------------------------------------------------------------------

def test_statuses():
    for status in (0, 1, 7, 125, 255):
        expect(f"exit {status} is passed on", probe("sh", "-c", f"exit {status}")[0], status)
    for name in ("TERM", "KILL", "SEGV", "INT", "HUP", "PIPE", "ABRT"):
        status, _, errors = probe("sh", "-c", f"kill -{name} $$")
        expect(f"death by SIG{name} is passed on", (status, errors), (-getattr(signal, "SIG" + name), ""))
    expect("no such program: 127", probe("no-such-program"), (127, "", "berth: no-such-program: No such file or directory\n"))
    expect("no such path: 127", probe("/no/such"), (127, "", "berth: /no/such: No such file or directory\n"))
    expect("not executable: 126", probe("/etc/passwd"), (126, "", "berth: /etc/passwd: Permission denied\n"))
    expect("a directory: 126", probe("/tmp"), (126, "", "berth: /tmp: Permission denied\n"))
    with tempfile.NamedTemporaryFile(mode="wb") as file:
        file.write(b"\x7fELF\x01" + bytes(100))
        file.flush()
        os.chmod(file.name, 0o755)
        status, _, errors = probe(file.name)
        check("a 32-bit program: 126, and why", status == 126 and "32-bit" in errors, (status, errors))


def test_surroundings():
    status, output, _ = probe("sh", "-c", "echo $BERTH_NET $BERTH_HOST; pwd; cat; echo \"$1\" >&2", "sh", "an argument",
                              cwd="/usr", stdin=open("/etc/hostname"))
    expect("environment, directory and input are the job's", (status, output),
           (0, f"testnet testhost\n/usr\n{open('/etc/hostname').read()}"))
    show = [PYTHON, "-c", "import os\nfor n in sorted(map(int, os.listdir('/proc/self/fd'))):\n"
            " try: print(n, os.readlink(f'/proc/self/fd/{n}').partition(':')[0])\n except OSError: pass"]
    spare = os.open("/dev/zero", os.O_RDONLY)
    os.set_inheritable(spare, True)
    native = subprocess.run(show, capture_output=True, text=True, stdin=subprocess.DEVNULL, pass_fds=[spare]).stdout
    expect("the program has the descriptors it would have", probe(*show, pass_fds=[spare])[1], native)
    os.close(spare)
    show = ["grep", "-E", "^(Sig(Blk|Ign)|ShdPnd|Cpus_allowed_list|CoreDumping)", "/proc/self/status"]

    def unusual():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTSTP])

    for name, prepare in (("usual", None), ("unusual", unusual)):
        native = subprocess.run(show, capture_output=True, text=True, preexec_fn=prepare, check=False).stdout
        expect(f"signals are as they would be ({name})", probe(*show, preexec_fn=prepare)[1], native)
    expect("the resource limits too", probe("sh", "-c", "ulimit -a")[1],
           subprocess.run(["sh", "-c", "ulimit -a"], capture_output=True, text=True, check=False).stdout)


def test_streams():
    run = Running("sh", "-c", "exec 1>&- 2>&- 0<&-; exec sleep 1000")
    expect("output that the program closes is closed", run.job.stdout.read(), "")
    try:
        run.job.stdin.write("x" * 100000)
        run.job.stdin.flush()
        check("input that the program closes is closed", False)
    except BrokenPipeError:
        check("input that the program closes is closed", True)
    os.kill(run.job.pid, signal.SIGTERM)
    expect("and its end is reported", run.job.wait(LIMIT), -signal.SIGTERM)
    expect("nothing is left", run.mark.gone(), {})
    run.job.stderr.close()
    many = [os.dup(0) for _ in range(600)]
    status, _, errors = probe("true", pass_fds=many)
    for descriptor in many:
        os.close(descriptor)
    check("too many descriptors are refused in words", status == 125 and "too many descriptors" in errors, (status, errors))


def test_answers():
    for how in ("hello", "thread", "grandchild"):
        expect(f"calls are answered: {how}", probe(CALLER, how), (0, "hello\n", ""))
    expect("calls of a shell's children are answered", probe("sh", "-c", f"{CALLER} hello | cat; ({CALLER} thread)")[1], "hello\n" * 2)
    memory = "get 0 4242\nset -1 77\nlisten 0 taken\n"
    expect("the guard reads and writes memory and takes descriptors", probe(CALLER, "memory"), (0, memory, ""))
    expect("also where the kernel knows no pidfd of a thread",
           probe(CALLER, "memory", before=[CALLER, "masked", "thread"]), (0, memory, ""))
    expect("a signal interrupts a call that waits", probe(CALLER, "interrupt")[1], "connect -1 EINTR\n")
    expect("the filter answers by itself", probe(CALLER, "refused")[1], "io_uring -1 ENOSYS\ni386 ENOSYS\ndumpable 0 1\n")


def test_errors():
    status, _, errors = probe(PROBE, "-r", "--", "true")
    check("a run inside a run is refused, by name", status == 125 and "already on a virtual computer (testhost of network testnet)"
          in errors, (status, errors))
    status, _, errors = probe(PROBE, "--", "true")
    check("also when nobody asked before", status == 125 and "already on a virtual computer" in errors, (status, errors))
    status, _, errors = probe("env", "-u", "BERTH_HOST", PROBE, "-r", "--", "true")
    check("another listener is named as such", status == 125 and "container" in errors, (status, errors))
    for options in ((), ("-r",)):
        status, _, errors = probe("true", before=[CALLER, "masked", "listener"], options=options)
        check("a kernel without user notification", status == 125 and "no seccomp user notification" in errors, (status, errors))
    status, _, errors = probe("true", before=[CALLER, "masked", "getfd"])
    check("a container that forbids pidfd_getfd", status == 125 and "pidfd_getfd" in errors, (status, errors))
    expect("a daemon that refuses", probe("true", options=["-a", "no such thing"]), (125, "", "berth: no such thing\n"))


def test_rights():
    folder = tempfile.mkdtemp(prefix="runner-test-")
    os.chmod(folder, 0o755)
    program = f"{folder}/raise"
    shutil.copy("/bin/true", program)
    if os.getuid() == 0:
        os.chown(program, 65534, 65534)
        os.chmod(program, 0o4755)
        status, _, errors = probe(program)
        check("set-uid is warned of", status == 0 and "is set-uid, but cannot gain rights" in errors, (status, errors))
        os.chown(program, 0, 65534)
        os.chmod(program, 0o2755)
        check("set-gid is warned of", "is set-gid, but" in probe(program)[2])
    else:
        errors = probe("su", "--version")[2]
        check("set-uid root is warned of", "su is set-uid root, but cannot gain rights" in errors, errors)
    os.chmod(program, 0o755)
    expect("other programs are not", probe(program)[2], "")
    shutil.rmtree(folder)


def test_daemon_says():
    socket = "import socket; socket.socket(socket.AF_INET, 1, {}); {}"
    status, output, errors = probe(PYTHON, "-c", socket.format(201, "print(1)"))
    expect("a note is printed", (status, output, sorted(errors.split("\n"))[1:]),
           (0, "1\n", ["berth: a note", "berth: another"]))
    run = Running(PYTHON, "-c", socket.format(202, "import signal; signal.pause()"))
    status, errors = run.end()
    expect("asked to end, programs get SIGTERM", (status, errors), (-signal.SIGTERM, "berth: going down\n"))
    expect("and nothing is left", run.mark.gone(), {})
    run = Running("sh", "-c", f"trap '' TERM; sleep 1000 & {PYTHON} -c '{socket.format(202, '1')}'; wait")
    status, errors = run.end()
    expect("who does not, gets SIGKILL after a while", (status, run.mark.gone()), (-signal.SIGKILL, {}))
    run = Running("sh", "-c", f"sleep 1000 & (setsid sleep 1000 &); {PYTHON} -c '{socket.format(203, '1')}'; sleep 1000")
    status, errors = run.end()
    check("a daemon that dies ends all, and it is said",
          status == 125 and "network testnet is gone" in errors and not run.mark.gone(), (status, errors))


def test_signals():
    trap = "import signal\ndef on(s, f): print(signal.Signals(s).name, flush=True)\n" \
           "for s in (1, 2, 3, 10, 12, 15): signal.signal(s, on)\nprint('ready', flush=True)\n" \
           "signal.pthread_sigmask(signal.SIG_BLOCK, [9])\nwhile True: signal.pause()"
    run = Running(PYTHON, "-c", trap)
    run.line()
    for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"):
        os.kill(run.job.pid, getattr(signal, name))
        expect(f"{name} sent to the job reaches the program", run.line(), name)
    os.kill(run.mark.one("python3"), signal.SIGKILL)
    expect("kill -9 of the program is its end", (run.end(), run.mark.gone()), ((-signal.SIGKILL, ""), {}))
    run = Running("sh", "-c", "echo ready; exec sleep 1000")
    run.line()
    os.kill(run.job.pid, signal.SIGTERM)
    expect("SIGTERM ends job and program", (run.end(), run.mark.gone()), ((-signal.SIGTERM, ""), {}))


# --- what stays and what does not ------------------------------------------------------------------------------------------

# A daemonised grandchild that makes a call when told so, by way of two pipes with names.
DAEMONISE = f"(setsid sh -c 'read x < \"$1\"; {CALLER} hello > \"$0\"' \"$1\" \"$2\" >/dev/null 2>&1 </dev/null &)"


def test_descendants():
    folder = tempfile.mkdtemp(prefix="runner-test-")
    os.mkfifo(f"{folder}/in")
    os.mkfifo(f"{folder}/out")
    run = Running("sh", "-c", DAEMONISE, "sh", f"{folder}/out", f"{folder}/in")
    status, errors = run.end()
    expect("the job ends with its program, though a daemonised grandchild lives", (status, errors), (0, ""))
    until(lambda: run.mark.named("sh"))
    check("its guards stay with the grandchild", {"berth-guard", "berth-outer", "sh"} <= set(run.mark.processes().values()),
          run.mark.processes())
    with open(f"{folder}/in", "w") as file:
        file.write("go\n")
    with open(f"{folder}/out") as file:
        expect("and its calls are still answered", file.read(), "hello\n")
    expect("when it ends, all leave", run.mark.gone(), {})
    shutil.rmtree(folder)

    run = Running("sleep", "1000", options=["-d"])
    expect("a detached job ends when its program runs", run.end(), (0, ""))
    program = run.mark.one("sleep")
    expect("a detached program has a session of its own", os.getsid(program), program)
    expect("and no streams", {os.readlink(f"/proc/{program}/fd/{n}") for n in range(3)}, {"/dev/null"})
    os.kill(program, signal.SIGTERM)
    expect("nothing is left of it", run.mark.gone(), {})
    expect("a detached program that does not exist", probe("no-such", options=["-d"]),
           (127, "", "berth: no-such: No such file or directory\n"))


# A tree with all that is hard to end: a stopped process, a daemonised one, one that ignores signals, one that keeps forking.
TREE = "sleep 1000 & kill -STOP $!; (setsid sleep 1000 &); (trap '' TERM HUP INT; sleep 1000) & " \
       "(while :; do (/bin/true &); done) & echo ready; wait"


def test_kill_matrix():
    for victim, status, words in (("runner_probe", -signal.SIGKILL, ""), ("berth-outer", 125, "a guard process was killed"),
                                  ("berth-guard", 125, "the guard of sh was killed"), ("probe-daemon", 125, "is gone")):
        for turn in range(3):
            run = Running("sh", "-c", TREE)
            run.line()
            pid = run.job.pid if victim == "runner_probe" else run.mark.one(victim)
            os.kill(pid, signal.SIGKILL)
            got, errors = run.end()
            check(f"kill -9 of {victim}: status and words ({turn})", got == status and words in errors, (got, errors))
            expect(f"kill -9 of {victim} leaves nothing ({turn})", run.mark.gone(), {})
        # All the same when the program is over and a descendant lives.
        if victim != "runner_probe":
            run = Running("sh", "-c", "(setsid sleep 1000 >/dev/null 2>&1 &) ")
            run.end()
            os.kill(run.mark.one(victim), signal.SIGKILL)
            expect(f"kill -9 of {victim} after the job's end leaves nothing", run.mark.gone(), {})
    run = Running("sh", "-c", "echo ready; exec sleep 1000")
    run.line()
    os.kill(run.mark.one("berth-guard"), signal.SIGTERM)
    got, errors = run.end()
    check("SIGTERM for the guard ends all", got == 125 and not run.mark.gone(), (got, errors))


# --- terminals -------------------------------------------------------------------------------------------------------------

class Terminal:
    """A shell in a terminal of its own, typed into and read from."""

    def __init__(self):
        self.mark = Mark()
        self.seen = ""
        self.shell, self.master = pty.fork()
        if self.shell == 0:
            environment = {**self.mark.environment, "PS1": "outer> ", "TERM": "dumb", "HISTFILE": "", "P": f"{PROBE} --",
                           "INPUTRC": "/dev/null"}
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], environment)
        self.until("outer> ")

    def until(self, words):
        """Reads up to `words`; what came before them."""
        end = time.monotonic() + LIMIT
        while words not in self.seen:
            ready = select.select([self.master], [], [], max(0, end - time.monotonic()))[0]
            if not ready:
                raise AssertionError(f"no {words!r} in {self.seen!r}")
            try:
                self.seen += os.read(self.master, 4096).decode(errors="replace")
            except OSError:
                raise AssertionError(f"terminal closed before {words!r}: {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(words)
        return before

    def type(self, text):
        os.write(self.master, text.encode())

    def line(self, text, prompt="outer> "):
        """Types a command; its output."""
        self.type(text + "\n")
        self.until(text + "\r\n")
        return self.until(prompt)

    def close(self):
        self.type("exit\n")
        ended = wait_exit(self.shell, LIMIT)
        if not ended:
            os.kill(self.shell, signal.SIGKILL)
        os.waitpid(self.shell, 0)
        os.close(self.master)
        return ended


def foreground(terminal):
    return os.tcgetpgrp(terminal.master)


def test_terminal_stop():
    t = Terminal()
    t.type("$P sh -c 'echo up; exec cat'\n")
    t.until("up\r\n")
    t.type("word\n")
    t.until("word\r\nword\r\n")
    check("the program can read the terminal", True)
    t.type("\x1a")
    said = t.until("outer> ")
    check("Ctrl-Z stops the job", "Stopped" in said, said)
    cat, job = t.mark.one("cat"), t.mark.one("runner_probe")
    expect("program and job are stopped, the guard is not", (state_of(cat), state_of(job), state_of(t.mark.one("berth-guard"))),
           ("T", "T", "S"))
    check("jobs shows it", "Stopped" in t.line("jobs"))
    t.type("fg\n")
    t.until("exec cat'\r\n")
    t.type("again\n")
    t.until("again\r\nagain\r\n")
    check("fg continues it", True)
    for _ in range(20):
        until(lambda: state_of(cat) == "S")  # before that, not even the native program would hear it
        t.type("\x1a")
        t.until("Stopped")
        t.until("outer> ")
        t.type("fg\n")
        t.until("exec cat'\r\n")
    t.type("more\n")
    t.until("more\r\nmore\r\n")
    check("any number of times", True)
    t.type("\x1a")
    t.until("outer> ")
    t.line("bg")
    check("in the background, reading the terminal stops it (SIGTTIN)", until(lambda: state_of(job) == "T" and state_of(cat) == "T"))
    t.type("fg\n")
    t.until("exec cat'\r\n")
    t.type("\x04")
    t.until("outer> ")
    expect("its end is its end", t.line("echo =$?"), "=0\r\n")
    expect("nothing is left", until(lambda: list(t.mark.processes().values()) == ["bash"]), True)
    t.close()


def test_terminal_signals():
    t = Terminal()
    t.type("$P sh -c 'echo up; exec sleep 1000'\n")
    t.until("up\r\n")
    t.type("\x03")
    t.until("outer> ")
    expect("Ctrl-C ends the program: 130", t.line("echo =$?"), "=130\r\n")
    t.type("$P sh -c 'echo up; exec sleep 1000'\n")
    t.until("up\r\n")
    t.type("\x1c")
    t.until("outer> ")
    expect("Ctrl-\\ too: 131", t.line("echo =$?"), "=131\r\n")
    t.type(f"$P {PYTHON} -c 'import signal; signal.signal(2, lambda *a: print(\"caught\", flush=True)); print(\"up\", flush=True)\n"
           "while 1: signal.pause()'\n")
    t.until("up\r\n")
    t.type("\x03")
    t.until("caught\r\n")
    t.type("\x03")
    t.until("caught\r\n")
    expect("a program that survives Ctrl-C goes on, and gets it once", t.mark.named("runner_probe") != [] and
           "caught" not in t.seen, True)
    t.type("\x1a")
    t.until("outer> ")
    stopped = t.mark.one("runner_probe")
    os.kill(t.mark.one("python3"), signal.SIGKILL)
    check("kill -9 of a stopped program ends its stopped job", wait_exit(stopped))
    t.line("")
    t.line("$P sleep 1000 &")
    program = until(lambda: t.mark.named("sleep"))[0]
    os.kill(program, signal.SIGSTOP)
    job = t.mark.one("runner_probe")
    check("kill -STOP of the program stops the job", until(lambda: state_of(job) == "T"))
    os.kill(program, signal.SIGCONT)
    check("kill -CONT of the program continues the job", until(lambda: state_of(job) == "S"))
    os.kill(program, signal.SIGSTOP)
    until(lambda: state_of(job) == "T")
    os.kill(job, signal.SIGCONT)
    check("kill -CONT of the job continues the program", until(lambda: state_of(program) == "S"))
    t.line("kill %1")
    check("kill %1 ends both", wait_exit(job) and wait_exit(program))
    t.close()


def test_terminal_shell():
    t = Terminal()
    t.type("PS1='inner''> ' $P bash --norc --noprofile --noediting -i\n")
    t.until("inner> ")
    inner = lambda text: t.line(text, "inner> ")
    check("a shell has the terminal, and no complaint", "job control" not in t.seen and "echo" in inner("echo echo"))
    t.type("sleep 1000\n")
    until(lambda: t.mark.named("sleep"))
    until(lambda: foreground(t) == t.mark.one("sleep"))
    t.type("\x1a")
    check("Ctrl-Z inside stops the inner job only", "Stopped" in t.until("inner> "))
    t.type("fg\n")
    t.until("sleep 1000\r\n")
    until(lambda: foreground(t) == t.mark.one("sleep"))
    t.type("\x03")
    t.until("inner> ")
    expect("fg and Ctrl-C inside", inner("echo =$?"), "=130\r\n")
    inner("sleep 1000 &")
    check("background jobs inside", "Running" in inner("jobs"))
    inner("kill %1; wait")

    folder = tempfile.mkdtemp(prefix="runner-test-")
    os.mkfifo(f"{folder}/in")
    os.mkfifo(f"{folder}/out")
    inner(f"(read x < {folder}/in; {CALLER} memory > {folder}/out) &")
    t.type("suspend -f\n")
    said = t.until("outer> ")
    check("suspend inside stops the job outside", "Stopped" in said, said)
    with open(f"{folder}/in", "w") as file:
        file.write("go\n")
    with open(f"{folder}/out") as file:
        expect("while the job is stopped, its background program is answered", file.read(), "get 0 4242\nset -1 77\nlisten 0 taken\n")
    shutil.rmtree(folder)
    t.type("fg\n")
    t.until("inner> ")
    check("fg continues the shell inside", "alive" in inner("echo alive"))
    t.type("exit 9\n")
    t.until("outer> ")
    expect("the shell's status", t.line("echo =$?"), "=9\r\n")
    settings = termios.tcgetattr(t.master)
    check("the terminal is as before", settings[3] & termios.ECHO and foreground(t) == t.shell)
    t.close()
    expect("nothing is left", t.mark.gone(), {})


def test_terminal_hangup():
    t = Terminal()
    t.type("$P sh -c 'echo up; exec sleep 1000'\n")
    t.until("up\r\n")
    os.close(t.master)
    os.waitpid(t.shell, 0)
    expect("a terminal that goes away ends its programs", t.mark.gone(), {})


def main():
    wanted = sys.argv[2:]
    for name, test in list(globals().items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        try:
            test()
        except (AssertionError, OSError, IndexError, subprocess.TimeoutExpired) as error:
            check(f"{name} comes to its end", False, repr(error))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


main()
