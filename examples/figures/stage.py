"""Programs on virtual computers: started, typed into, listened to and ended; and a watch that cleans up whoever is killed."""
import ctypes
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time


class Failure(Exception):
    pass


def die_with_parent(parent):
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


class Program:
    """A program with a terminal (terminal=True) or pipes. What it says is kept in `said`."""

    def __init__(self, name, argv, terminal=False, cwd=None):
        self.name, self.said, self.status = name, b"", None
        me = os.getpid()
        if terminal:
            self.pid, self.fd = pty.fork()
            if self.pid == 0:
                die_with_parent(me)
                os.chdir(cwd or ".")
                os.execvp(argv[0], argv)
            self.input = self.fd
        else:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                            cwd=cwd, preexec_fn=lambda: die_with_parent(me))
            self.pid, self.fd, self.input = self.process.pid, self.process.stdout.fileno(), self.process.stdin.fileno()

    def type(self, line):
        os.write(self.input, line.encode() + (b"\r" if self.input == self.fd else b"\n"))

    def listen(self, seconds):
        """Reads what is there; False at the program's end."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.said += data
        return bool(data)

    def expect(self, words, seconds=20, count=1):
        """Waits until the program has said `words` `count` times."""
        end = time.monotonic() + seconds
        while self.said.count(words.encode()) < count:
            left = end - time.monotonic()
            if left <= 0 or not self.listen(left):
                while self.listen(0) and select.select([self.fd], [], [], 0)[0]:
                    pass
                if self.said.count(words.encode()) >= count:
                    return
                raise Failure(f"{self.name} did not say {words!r}; it said: {self.said.decode(errors='replace')[-600:]}")

    def finish(self, seconds=20):
        """Reads to the end and returns the exit status."""
        end = time.monotonic() + seconds
        while self.listen(max(0, end - time.monotonic())):
            if time.monotonic() > end:
                raise Failure(f"{self.name} did not end; it said: {self.said.decode(errors='replace')[-600:]}")
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def close_input(self):
        self.process.stdin.close()

    def stop(self):
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGTERM)
                end, said = os.pidfd_open(self.pid), [self.fd]
                while end not in select.select([end, *said], [], [])[0]:  # it may have more to say than a pipe holds
                    said = said if self.listen(0) else []
                os.close(end)
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            except (ProcessLookupError, ChildProcessError):
                self.status = 0


class Network:
    """A network of Berth's, through its command."""

    def __init__(self, berth, name):
        self.berth, self.name, self.programs = berth, name, []

    def command(self, *words, check=True):
        done = subprocess.run([self.berth, words[0], "--net", self.name, *words[1:]], capture_output=True, text=True)
        if check and done.returncode != 0:
            raise Failure(f"berth {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start(self, host, *argv, terminal=False, cwd=None):
        program = Program(f"{os.path.basename(argv[0])} on {host}",
                          [self.berth, "exec", "--net", self.name, host, "--", *argv], terminal, cwd)
        self.programs.append(program)
        return program

    def sockets(self):
        return json.loads(self.command("ss", "-a", "-t", "-u", "-n", "-p", "--json"))

    def wait(self, what, condition, seconds=20):
        """Looks at the table of sockets until the condition holds; returns that table."""
        end = time.monotonic() + seconds
        while True:
            table = self.sockets()
            if condition(table):
                return table
            for program in self.programs:
                program.listen(0)
            if time.monotonic() > end:
                told = "\n".join(f"{p.name}: {p.said.decode(errors='replace')[-300:]}" for p in self.programs if p.said)
                raise Failure(f"waited in vain for {what}\n{told}")
            time.sleep(0.02)

    def left(self):
        """Processes that still carry this network's mark."""
        mark, found = f"BERTH_NET={self.name}".encode(), []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(pid))
            except OSError:
                pass
        return found


def watched(play, clean):
    """Runs play() in a child; whichever of the two is killed, the other cleans up. Returns the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    me = os.getpid()
    child = os.fork()
    if child == 0:
        die_with_parent(me)
        status = 1
        try:
            status = play()
        finally:
            clean()
            sys.stdout.flush()
            os._exit(status)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except BaseException:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        raise
    finally:
        clean()
