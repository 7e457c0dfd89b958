"""Where the surroundings forbid things: all of test_programs.py, and telnet, once more where the daemon may not look into programs
(Yama's ptrace_scope 1), on Linux 6.1, and on both; then what is said where user notification, or taking over descriptors, is not
possible, and how few open files behave."""
import os
import runpy
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/../../examples/figures")
import harness
import stage
from harness import BERTH, Net, check, finish
from servers import inetd

HERE = os.path.dirname(os.path.abspath(__file__))
MASK = tempfile.mkdtemp(prefix="berth-mask-")
YAML = "networks: {lan: {subnet: 10.0.0.0/24}}\nhosts: {bystander: {ipv4_address: 10.0.0.200}}\n"


class Masked(Net):
    """A network whose daemon was started under a mask; its runs are under another."""
    daemon, runs = [], []

    def __enter__(self):
        super().__enter__()
        with open(f"{self.folder}/berth.yaml", "w") as file:
            file.write(YAML)
        words = [BERTH, "up", "--net", self.name, "-d", "-f", f"{self.folder}/berth.yaml"]
        done = subprocess.run([*self.daemon, *words], capture_output=True, text=True, timeout=60)
        check(f"{self.name}: the network comes up", done.returncode == 0, done)
        return self

    def words(self, *words):
        return [*self.runs, *super().words(*words)]


def masked(label, daemon, runs):
    """Networks of that kind, named after it."""

    class Kind(Masked):
        def __init__(self, name="t"):
            super().__init__(f"{label}-{name}")

    Kind.daemon = [word for name in daemon for word in (f"{MASK}/mask", name)]
    Kind.runs = [word for name in runs for word in (f"{MASK}/mask", name)]
    return Kind


def file_play(name, kind):
    """A file of tests with such networks; its checks count here."""
    harness.Net, harness.finish = kind, lambda: None
    try:
        runpy.run_path(f"{HERE}/{name}", run_name="__main__")
    finally:
        harness.Net, harness.finish = Net, finish


def telnet_play(kind):
    with kind("telnet") as net:
        net.start("server", *inetd(net.folder), extra=["--ip", "10.0.0.1"])
        check("telnetd under inetd listens", net.listening(23))
        client = stage.Program("telnet", net.words("pc", ["inetutils-telnet", "server"]), terminal=True)
        try:
            client.expect("say something> ")
            client.type("hello")
            client.expect("you said uryyb> ")
            client.type("bye")
            check("telnet speaks with it", client.finish() in (0, 1), client.said)
        except stage.Failure as failure:
            check("telnet speaks with it", False, failure)
            os.kill(client.pid, signal.SIGKILL)
        done = net.run("pc", "/usr/bin/python3", "-c", """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
for n in range(200):
    s.sendto(b'x' * n, ('10.0.0.1', 7))
    assert s.recvfrom(999) == (b'x' * n, ('10.0.0.1', 7)), n
print('echoed')
""")
        check("inetd's echo answers 200 datagrams", done.stdout == "echoed\n", done)


def calls_play(kind):
    script = ["/usr/bin/python3", f"{HERE}/programs/semantics.py"]
    kernel = subprocess.run(script, capture_output=True, text=True, timeout=120)
    with kind("calls") as net:
        ours = net.run("pc", *script)
        differences = [pair for pair in zip(kernel.stdout.splitlines(), ours.stdout.splitlines()) if pair[0] != pair[1]]
        check("every call says what the kernel's says", ours.stdout == kernel.stdout, differences or ours)


def threads_play(kind):
    """On old kernels descriptors are those of a thread's process; here threads other than the first do all."""
    with kind("threads") as net:
        net.web(ip="10.0.0.1")
        done = net.run("pc", "/usr/bin/python3", "-c", """
import socket, threading, urllib.request
def one(n):
    for i in range(20):
        good.append(urllib.request.urlopen('http://server/page', timeout=20).read() == b'hello from server\\n')
good = []
threads = [threading.Thread(target=one, args=(n,)) for n in range(16)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(good), all(good))
""")
        check("16 threads fetch by name, 20 times each", done.stdout == "320 True\n", done)


def limits_play(kind):
    """Datagram and netlink sockets get a number below the program's limit of files, which the daemon may not ask for."""
    with kind("netlink") as net:
        done = net.run("pc", "ip", "-br", "addr", extra=["--ip", "10.0.0.2"])
        check("ip lists addresses", "10.0.0.2/24" in done.stdout, done)
        done = net.run("pc", "/usr/bin/python3", "-c", "import socket\nprint(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).fileno() >= 512)")
        check("and datagram sockets are numbered from 512 on", done.stdout == "True\n", done)


def said(what, done, status, *words):
    text = done.stdout + done.stderr
    check(f"{what}: {text.strip().splitlines()[-1] if text.strip() else 'silence'}",
          done.returncode == status and all(word in text for word in words), f"status {done.returncode}: {text}")


def refusals():
    """What cannot work says so at once, and doctor names it."""
    for word, mark, finding in (("listener", "user notification", "seccomp user notification"),
                                ("getfd", "pidfd_getfd", "pidfd_getfd"), ("reach", "pidfd_getfd", "memory of programs")):
        with Net(f"no-{word}") as net:
            done = subprocess.run([f"{MASK}/mask", word, *net.words("pc", ["echo", "hello"])], capture_output=True, text=True, timeout=60)
            said(f"without {word}", done, 125, mark, "berth doctor")
            check(f"without {word} the program is not run", "hello" not in done.stdout, done)
            done = subprocess.run([f"{MASK}/mask", word, BERTH, "doctor"], capture_output=True, text=True, timeout=60)
            named = [line for line in done.stdout.splitlines() if line.startswith("missing")]
            check(f"without {word} doctor names it: {named}", done.returncode == 1 and any(finding in line for line in named), done)
    done = subprocess.run(["prlimit", "--nofile=256:256", BERTH, "doctor"], capture_output=True, text=True, timeout=60)
    check("where 256 files may be open doctor says so, and how to have more",
          done.returncode == 0 and any("256" in line and "ulimit -Hn" in line for line in done.stdout.splitlines()), done)
    done = subprocess.run([f"{MASK}/mask", "old", BERTH, "doctor"], capture_output=True, text=True, timeout=60)
    check("on Linux 6.1 doctor misses nothing", "missing  " not in done.stdout.replace("(optional)", "") or done.returncode == 0, done)


MANY = """
import socket
def many(kind):
    lot = []
    try:
        for n in range(1000):
            lot.append(socket.socket(socket.AF_INET, kind))
    except OSError as error:
        return len(lot) > 100 and error.strerror
print(many(socket.SOCK_STREAM), many(socket.SOCK_DGRAM), many(socket.SOCK_STREAM), sep='\\n')
"""


def few_files():
    """At most 256 open files, for the daemon too: who opens more gets an error, and nobody else suffers."""
    limit = ["prlimit", "--nofile=256:256"]
    kind = masked("few", [], [])
    kind.daemon = kind.runs = limit
    with kind() as net:
        net.web(ip="10.0.0.1")
        for number in range(2):
            done = net.run("pc", "/usr/bin/python3", "-c", MANY)
            lines = done.stdout.splitlines()
            check(f"more sockets than there may be files: {lines}",
                  len(lines) == 3 and all(line.startswith("Too many open files") for line in lines), done)
            done = net.run("other", "curl", "-sS", "http://server/page")
            check("and the others go on", done.stdout == "hello from server\n", done)
        holder = net.start("holder", "/usr/bin/python3", "-c", MANY.replace("print(", "keep = many\nprint(").replace(
            "        return", "        import time; print('full', flush=True); time.sleep(60)\n        return"))
        said = ""
        while "full" not in said or "no socket is left" not in said: # the two come in either order, and into one another's lines
            line = holder.stdout.readline()
            if not line:
                break
            said += line
        check("one program takes all, and is told", "full" in said and "no socket is left" in said, said)
        done = net.run("other", "curl", "-sS", "-m", "10", "http://10.0.0.1/page")
        check("then another's curl fails at once, with an error", 0 < done.returncode != 28, done)
        done = net.run("another", "echo", "hello")
        check("a program without sockets runs", done.stdout == "hello\n", done)
        done = net.berth("ss", "-a")
        check("and ss shows who has them", done.stdout.count("holder") > 100, done)
        holder.terminate()
        holder.wait()
        done = net.run("other", "curl", "-sS", "http://server/page")
        check("and works again when that one has ended", done.stdout == "hello from server\n", done)


def small_limits():
    """A shell's ulimit is for its programs; what Berth makes beside them it does not stop."""
    for limit in ("--stack=65536:65536", "--fsize=0:0", "--nofile=128:128", "--memlock=0:0", "--sigpending=0:0", "--msgqueue=0:0"):
        kind = masked("small", [], [])
        kind.daemon = kind.runs = ["prlimit", limit]
        with kind() as net:
            done = net.run("pc", "curl", "-sS", "http://bystander/")
            check(f"{limit}: a name is found, and nobody listens there", done.returncode == 7, done)
            done = net.berth("hosts", "--json")
            check(f"{limit}: and hosts says who is there, or why not", '"bystander"' in done.stdout or
                  ("fsize" in limit and "could not be written" in done.stderr), done)
    with Net("none") as net:
        done = subprocess.run(["prlimit", "--nofile=8:8", *net.words("pc", ["true"])], capture_output=True, text=True, timeout=60)
        said("a network that cannot start", done, 125, net.name, "ends at once")
        check("has left no socket", not os.path.exists(f"{harness.runtime_folder()}/{net.name}.sock"), os.listdir(harness.runtime_folder())
              if os.path.isdir(harness.runtime_folder()) else "")
        with open(f"{net.folder}/berth", "w"):
            done = subprocess.run(net.words("pc", ["true"]), capture_output=True, text=True, timeout=60,
                                  env={**os.environ, "XDG_RUNTIME_DIR": net.folder})
        said("something else where the sockets should be", done, 125, f"{net.folder}/berth", "Not a directory", "XDG_RUNTIME_DIR")


def main():
    built = subprocess.run(["cc", "-O1", "-o", f"{MASK}/mask", f"{HERE}/programs/mask.c", "-lseccomp"], capture_output=True, text=True)
    if not check("the program that masks is built", built.returncode == 0, built.stderr):
        return
    through_guard, old = masked("guard", ["reach"], []), masked("old", ["old"], ["old"])
    for kind in (through_guard, old):
        file_play("test_programs.py", kind)
        telnet_play(kind)
    both = masked("both", ["old", "reach"], ["old"])
    calls_play(both)
    threads_play(both)
    threads_play(old)
    limits_play(masked("limits", ["limits"], []))
    refusals()
    few_files()
    small_limits()


try:
    main()
finally:
    subprocess.run(["rm", "-rf", MASK])
NAMES = """
import os, socket
own = socket.gethostname()
print(own, os.uname().nodename, socket.getaddrinfo(own, 80, socket.AF_INET)[0][4][0])
"""
with Net("names") as net:
    done = net.run("blue-7", "/usr/bin/python3", "-c", NAMES)
    check("gethostname() and uname() tell the computer's name, and it leads to its address",
          done.stdout.split()[:2] == ["blue-7"] * 2 and done.stdout.split()[-1] == "10.0.0.1", done)
    check("so does the command hostname", net.run("blue-8", "hostname").stdout == "blue-8\n")
    kept = [net.run("blue-9", "uname", word).stdout == subprocess.run(["uname", word], capture_output=True, text=True).stdout
            for word in ("-r", "-m", "-s", "-v")]
    check("all else that uname says is the kernel's", all(kept), kept)
with Net("links") as net:
    said = net.run("pc", "ip", "-br", "addr").stdout.split("\n")
    check("ip addr shows the computer's links and addresses",
          said[0].split()[:3] == ["lo", "UP", "127.0.0.1/8"] and said[1].split()[:3] == ["eth0", "UP", "10.0.0.1/24"], said)
    said = net.run("pc", "ip", "route").stdout
    check("ip route shows its routes", said.startswith("10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1"), said)
    done = net.run("pc", "ip", "link", "set", "eth0", "down")
    check("a program may not change its links", "not permitted" in done.stderr, done)
    done = net.run("pc", "ip", "link", "show", "dev", "eth9")
    check("a link that is not there is said to be missing", "does not exist" in done.stderr, done)
    said = net.run("pc", "/usr/bin/python3", "-c", "import socket; print(socket.if_nameindex())").stdout
    check("if_nameindex() names both links", said.strip() == "[(1, 'lo'), (2, 'eth0')]", said)
finish()
