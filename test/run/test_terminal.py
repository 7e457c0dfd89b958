"""Programs in a terminal: stopped, continued and signalled by its keys and its shell: test_terminal.py BUILD/tool/berth [TEST...]."""
import os
import pty
import select
import shutil
import signal
import tempfile
import termios
import time

from harness import check, until
from runner import LIMIT, PYTHON, Mark, expect, run_tests, state_of, wait_exit


class Terminal:
    """A shell in a terminal of its own, typed into and read from."""

    def __init__(self):
        self.mark = Mark()
        self.seen = ""
        self.shell, self.master = pty.fork()
        if self.shell == 0:
            environment = {**self.mark.environment, "PS1": "outer> ", "TERM": "dumb", "HISTFILE": "",
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
    t.type("\"$PROBE\" -- sh -c 'echo up; exec cat'\n")
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
    t.type("\"$PROBE\" -- sh -c 'echo up; exec sleep 1000'\n")
    t.until("up\r\n")
    t.type("\x03")
    t.until("outer> ")
    expect("Ctrl-C ends the program: 130", t.line("echo =$?"), "=130\r\n")
    t.type("\"$PROBE\" -- sh -c 'echo up; exec sleep 1000'\n")
    t.until("up\r\n")
    t.type("\x1c")
    t.until("outer> ")
    expect("Ctrl-\\ too: 131", t.line("echo =$?"), "=131\r\n")
    t.type(f"\"$PROBE\" -- {PYTHON} -c 'import os, signal; signal.signal(2, lambda *a: os.write(1, b\"caught\\n\")); os.write(1, b\"up\\n\")\n"
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
    t.line("\"$PROBE\" -- sleep 1000 &")
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
    t.type("PS1='inner''> ' \"$PROBE\" -- bash --norc --noprofile --noediting -i\n")
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
    inner(f"(read x < {folder}/in; \"$CALLER\" memory > {folder}/out) &")
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
    t.type("\"$PROBE\" -- sh -c 'echo up; exec sleep 1000'\n")
    t.until("up\r\n")
    os.close(t.master)
    os.waitpid(t.shell, 0)
    expect("a terminal that goes away ends its programs", t.mark.gone(), {})


run_tests(globals())
