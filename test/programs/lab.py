"""What the programs of the matrix are played with. A program, or a family of them, is a file play_NAME.py beside this one:

    from lab import program

    @program("memcached", "what was stored is fetched, and its own statistics count it")
    def memcached(lab):
        lab.start("server", "memcached", "-l", "0.0.0.0,[::]")     # on the computer `server`; until it listens:
        lab.ready(11211)
        for way in lab.ways():
            done = way.run("memccat", f"--servers={way.literal}", "key")
            way.check("memccat fetches what was stored", done.stdout == "value\\n", done)

There are four ways from a client to its server: `v4` and `v6` from the computer `pc`, `127.0.0.1` and `::1` from the computer
`server` itself. Each check goes into its way's cell of the matrix, or by lab.check() into those of all ways; a check must be the
program's own proof (a hash, what a query returned, its own check), not its exit status alone. The function is called in a process and
a network of its own; whatever it started is ended afterwards, and an exception or 300 s make it fail. More about a program:

    @program(NAME, PROOF, ways=("v4", "v6"), differs="what is not as on a real computer, or why a way is left out")

Its Debian packages go into the section `programs` of scripts/setup.sh. `make test SUITE=programs NAME=memcached REPEAT=10` plays it
alone, ten times."""
import os
import pwd
import signal
import subprocess
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../run")
import harness

WAYS = ("v4", "v6", "127.0.0.1", "::1")
catalogue = {}  # name: Program


class Unplayable(Exception):
    """This machine, or this user, has not what the program needs anywhere; why."""


class Program:
    def __init__(self, name, proof, ways, differs, play):
        assert name not in catalogue, f"two programs are called {name}"
        assert set(ways) <= set(WAYS) and (differs or len(ways) == len(WAYS)), f"{name}: say why a way is left out"
        self.name, self.proof, self.ways, self.differs, self.play = name, proof, ways, differs, play


def program(name, proof, ways=WAYS, differs=""):
    """Puts a function into the matrix."""
    def enter(play):
        catalogue[name] = Program(name, proof, tuple(ways), differs, play)
        return play
    return enter


class Way:
    """From a client to the server: `address`, as `literal` where a port may follow, its `host` (a name or the address), and the
    computers at both ends, `client` and `server`."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.between = name in ("v4", "v6")
        self.ipv6 = name in ("v6", "::1")
        self.family = 6 if self.ipv6 else 4
        self.server, self.client = "server", "pc" if self.between else "server"
        self.address = lab.address(self.server, self.family) if self.between else name
        self.literal = f"[{self.address}]" if self.ipv6 else self.address
        self.wildcard = "::" if self.ipv6 else "0.0.0.0"
        self.checked = 0

    def __str__(self):
        return self.name

    def run(self, *argv, **more):
        """Runs a client to its end: an object with stdout, stderr and returncode."""
        return self.lab.run(self.client, *argv, **more)

    def start(self, *argv, **more):
        return self.lab.start(self.client, *argv, **more)

    def check(self, what, holds, detail=""):
        self.checked += 1
        return self.lab.count(self.name, what, holds, detail)


class Lab(harness.Net):
    """A network with the computers `server` at 10.0.0.1, `pc` at 10.0.0.2 and others as they are named."""

    def __init__(self, entry):
        super().__init__("p-" + entry.name.split()[0])
        self.entry = entry
        self.hosts = {"server": 1, "pc": 2}
        self.cells = {way: [0, 0] for way in entry.ways}  # passed, tried

    # ---- computers and programs ----

    def address(self, host, family=4):
        number = self.hosts.setdefault(host, len(self.hosts) + 1)
        return f"fd00:10::{number:x}" if family == 6 else f"10.0.0.{number}"

    def words(self, host, argv, extra=()):
        return super().words(host, argv, ["--ip", self.address(host), *extra])

    def start(self, host, *argv, extra=(), **more):
        """Starts a program on `host`. What it says goes into a file, shown by said() and when a check fails."""
        log = f"{self.folder}/said-{len(self.programs)}"
        with open(log, "w") as file:
            started = super().start(host, *argv, extra=extra, **{"stdout": file, **more})
        started.log, started.called = log, os.path.basename(argv[0])
        return started

    def run(self, host, *argv, extra=(), timeout=60, **more):
        """Runs a program on `host` to its end; `input`: what it reads."""
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(self.words(host, argv, extra), **{"capture_output": True, "text": True, "timeout": timeout, **more})

    def said(self, started):
        with open(started.log, errors="replace") as file:
            return file.read()

    def ready(self, *ports, protocol="tcp", seconds=60):
        """Waits until something listens at all these ports, on whichever computer."""
        for port in ports:
            if not self.listening(port, protocol, seconds):
                raise RuntimeError(f"nothing listens at {port}/{protocol}")

    # ---- files and users ----

    def home(self, name):
        """A folder that an ordinary user may write."""
        path = f"{self.folder}/{name}"
        os.makedirs(path, exist_ok=True)
        if os.getuid() == 0:
            os.chown(path, pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
        return path

    def ordinary(self, *argv):
        """The words that run a program which refuses root as an ordinary user."""
        user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
        return [*user, *argv]

    def file(self, name, content):
        """A file with this text, or these octets, in the lab's folder; its path."""
        path = f"{self.folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    def certificate(self, *names):
        """A certificate for these names, and for the server's addresses; the paths of certificate and key."""
        addresses = [self.address("server", 4), self.address("server", 6), "127.0.0.1", "::1"]
        also = ",".join([f"DNS:{name}" for name in (*names, "server")] + [f"IP:{address}" for address in addresses])
        certificate, key = f"{self.folder}/cert.pem", f"{self.folder}/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=server", "-addext",
                        f"subjectAltName={also}", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        os.chmod(key, 0o644)
        return certificate, key

    # ---- checks ----

    def ways(self, *names):
        """The four ways, or those named; the program's own `ways` are the most."""
        for name in names or self.entry.ways:
            way = Way(self, name)
            yield way
            if not way.checked:
                way.check("something is checked", False)

    def count(self, way, what, holds, detail=""):
        holds = harness.check(f"{self.entry.name} {way}: {what}", holds, detail)
        self.cells[way][0] += bool(holds)
        self.cells[way][1] += 1
        return holds

    def check(self, what, holds, detail=""):
        """What all ways need."""
        holds = harness.check(f"{self.entry.name}: {what}", holds, detail)
        for cell in self.cells.values():
            cell[0] += bool(holds)
            cell[1] += 1
        return holds


def end_by_signal(number, frame):
    raise TimeoutError(f"signal {number}: it took too long")


def play(entry):
    """Plays one program; its cells, checks that passed and checks that did not."""
    signal.signal(signal.SIGTERM, end_by_signal)
    unplayed = ""
    with Lab(entry) as lab:
        try:
            entry.play(lab)
        except Unplayable as why:
            unplayed = str(why)
        except Exception:
            lab.check("it comes to its end", False, traceback.format_exc())
        for way, cell in lab.cells.items():
            if not cell[1] and not unplayed:
                lab.count(way, "it is played", False)
        if not all(harness.results):
            for started in lab.programs:
                print(f"      {started.called} said: {lab.said(started)[-1500:]!r}")
    return {"cells": lab.cells, "unplayed": unplayed, "passed": sum(harness.results), "failed": len(harness.results) - sum(harness.results)}
