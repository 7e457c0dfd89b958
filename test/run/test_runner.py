"""How programs are started and ended, and that nothing stays: test_runner.py BUILD/tool/berth [TEST...]."""
import os
import shutil
import signal
import subprocess
import tempfile

from harness import check, until
from runner import CALLER, LIMIT, PROBE, PYTHON, Running, expect, probe, run_tests

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
    expect("calls of a shell's children are answered", probe("sh", "-c", '"$CALLER" hello | cat; ("$CALLER" thread)')[1], "hello\n" * 2)
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
    trap = "import os, signal\ndef on(s, f): os.write(1, signal.Signals(s).name.encode() + b'\\n')\n" \
           "for s in (1, 2, 3, 10, 12, 15): signal.signal(s, on)\nos.write(1, b'ready\\n')\n" \
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
DAEMONISE = "(setsid sh -c 'read x < \"$1\"; \"$CALLER\" hello > \"$0\"' \"$1\" \"$2\" >/dev/null 2>&1 </dev/null &)"


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


run_tests(globals())
