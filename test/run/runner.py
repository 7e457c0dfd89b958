"""What the tests of starting, stopping and ending share. The programs are run by runner_probe, which has a daemon of its own and
none of Berth's network behind it. Every process of a run carries a mark in its environment; what is left is found by it. Waiting
is for events, each with a limit."""
import os
import select
import signal
import subprocess
import sys
import time

import harness
from harness import check, finish

LIMIT = 20
BUILD = os.path.dirname(os.path.dirname(os.path.abspath(harness.BERTH)))
BIN = os.environ.get("RUNNER_BIN", f"{BUILD}/test/unit/tool/runner")
PROBE, CALLER = f"{BIN}/runner_probe", f"{BIN}/runner_caller"
PYTHON = "/usr/bin/python3"
os.environ.update(PROBE=PROBE, CALLER=CALLER)  # for shells: the paths may hold spaces


def expect(what, got, wanted):
    return check(what, got == wanted, f"{got!r} instead of {wanted!r}")


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


def run_tests(tests):
    """The test_ functions among `tests` (all, or those that the command line names), to the end of the whole program."""
    wanted = sys.argv[2:]
    for name, test in list(tests.items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        try:
            test()
        except (AssertionError, OSError, IndexError, subprocess.TimeoutExpired) as error:
            check(f"{name} comes to its end", False, repr(error))
    finish()
