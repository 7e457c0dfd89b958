"""What the tests of unmodified programs share: a network of their own, programs started and ended, checks counted."""
import os
import subprocess
import sys
import tempfile
import time

BERTH = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build/tool/berth"
results = []


def check(what, holds, detail=""):
    """Counts and prints one check."""
    results.append(bool(holds))
    print(f"{'ok   ' if holds else 'WRONG'} {what}{'' if holds else '  ' + str(detail)[-1500:].replace(chr(10), ' | ')}", flush=True)
    return holds


def finish():
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed", flush=True)
    sys.exit(0 if all(results) else 1)


def runtime_folder():
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return f"{runtime}/berth" if runtime and os.path.isdir(runtime) else f"/tmp/berth-{os.getuid()}"


def marked(net):
    """Processes that carry the network's mark."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if f"BERTH_NET={net}".encode() in file.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def until(condition, seconds=20):
    """Waits for the condition; its last value."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


class Net:
    """A network of the test's own; `with` it, and it is gone afterwards, and that is checked."""
    count = 0

    def __init__(self, label="t"):
        Net.count += 1
        self.name = f"{label}-{os.getpid()}-{Net.count}"
        self.programs = []

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="berth-test-")
        os.chmod(self.folder, 0o755)
        return self

    def __exit__(self, kind, value, trace):
        for program in self.programs:
            if program.poll() is None:
                program.terminate()
        for program in self.programs:
            try:
                program.communicate(timeout=10)
            except (subprocess.TimeoutExpired, ValueError):
                program.kill()
                program.wait()
        self.berth("down")  # programs that outlive their run: daemonised ones
        subprocess.run(["rm", "-rf", self.folder], check=False)
        self.check_gone()

    def check_gone(self):
        gone = until(lambda: not marked(self.name) and not os.path.exists(f"{runtime_folder()}/{self.name}.sock"))
        check(f"{self.name}: nothing is left of the network", gone, (marked(self.name), os.listdir(runtime_folder())
                                                                     if os.path.isdir(runtime_folder()) else ""))

    def words(self, host, argv, extra=()):
        return [BERTH, "run", "--net", self.name, *(["--host", host] if host else []), *extra, "--", *argv]

    def start(self, host, *argv, extra=(), **more):
        """Starts a program on `host`, its output kept."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "stdin": subprocess.DEVNULL, **more}
        program = subprocess.Popen(self.words(host, argv, extra), **options)
        self.programs.append(program)
        return program

    def run(self, host, *argv, extra=(), timeout=60, **more):
        """Runs a program on `host` to its end."""
        return subprocess.run(self.words(host, argv, extra), capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, **more)

    def berth(self, *words, **more):
        return subprocess.run([BERTH, words[0], "--net", self.name, *words[1:]], capture_output=True, text=True, timeout=60, **more)

    def listening(self, port, protocol="tcp", seconds=20):
        """Waits until something listens at that port."""
        import json

        def there():
            said = self.berth("ss", "-a", "-n", "--json").stdout
            return any(row["netid"] == protocol and row["local"]["port"] == port and row["state"] in ("LISTEN", "UNCONN")
                       for row in (json.loads(said) if said.strip() else []))

        return until(there, seconds)

    def web(self, host="server", ip=None):
        """A web server at port 80 of `host` with a file `page`."""
        os.makedirs(f"{self.folder}/{host}", exist_ok=True)
        with open(f"{self.folder}/{host}/page", "w") as file:
            file.write(f"hello from {host}\n")
        program = self.start(host, "/usr/bin/python3", "-u", "-m", "http.server", "-d", f"{self.folder}/{host}", "80",
                             extra=["--ip", ip] if ip else ())
        if not self.listening(80):
            raise SystemExit(f"no web server: {program.stdout.read() if program.poll() is not None else 'silent'}")
        return program
