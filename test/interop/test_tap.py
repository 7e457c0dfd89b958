"""The whole of Berth against the kernel of this machine: `berth tap` joins a TAP device in a network namespace to a network, Linux
programs are there, unmodified programs under `berth run` are on a virtual computer: test_tap.py BUILD/tool/berth. Needs root."""
import contextlib
import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../run", f"{HERE}/../../examples/figures"]
import servers
from harness import BERTH, Net, check, finish, until

PEER = f"{os.path.dirname(BERTH)}/../test/interop/linux_peer"
OURS, LINUX, DEVICE = "10.0.0.1", "10.0.0.254", "tap0"
MIB, GIB = 1 << 20, 1 << 30
PYTHON = "/usr/bin/python3"
ECHO = """import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 7))
while True:
    data, source = s.recvfrom(65536)
    s.sendto(data, source)
"""
# The kernel writes a TCP checksum of zero as 0xffff, which sums up just as well, but not for tshark.
WRONG = ('_ws.malformed || ip.checksum.status == "Bad" || udp.checksum.status == "Bad" || icmp.checksum.status == "Bad" || '
         f'(tcp.checksum.status == "Bad" && !(ip.src == {LINUX} && tcp.checksum == 0xffff))')


class Space:
    """A network namespace with a TAP device; `with` it, and it is gone afterwards with all that runs in it."""

    def __init__(self):
        self.name = f"berth-tap-{os.getpid()}"
        self.programs = []

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        try:
            self.device_make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def device_make(self):
        for words in (["ip", "tuntap", "add", "dev", DEVICE, "mode", "tap"], ["ip", "link", "set", "lo", "up"],
                      ["ip", "address", "add", f"{LINUX}/24", "dev", DEVICE], ["ip", "link", "set", DEVICE, "up"]):
            self.run(*words, check=True)
        # What the kernel would leave to the hardware would be missing in its frames.
        self.run("ethtool", "-K", DEVICE, *"tx off rx off sg off tso off gso off gro off".split())
        self.run("sysctl", "-qw", f"net.ipv6.conf.{DEVICE}.disable_ipv6=1", "net.ipv4.tcp_congestion_control=cubic")

    def __exit__(self, *error):
        for program in self.programs:
            program.terminate()
        for program in self.programs:
            program.wait()
        for pid in subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", self.name])

    def words(self, *words):
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words, timeout=100, **more):
        return subprocess.run(self.words(*words), capture_output=True, text=True, timeout=timeout, **more)

    def start(self, *words):
        program = subprocess.Popen(self.words(*words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.programs.append(program)
        return program

    def listening(self, port, protocol="t"):
        return until(lambda: f":{port} " in self.run("ss", f"-Hln{protocol}").stdout)


def timed(what, run):
    """Checks that the command ends well, and says how long it took."""
    start = time.monotonic()
    try:
        done = run()
    except subprocess.TimeoutExpired as error:
        return check(what, False, error)
    return check(f"{what} ({time.monotonic() - start:.1f} s)", done.returncode == 0, done)


def sha(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()


def sides_of(net, space):
    """Who asks, whom, and how a program is run there."""
    return (("Linux", OURS, space.run), ("berth run", LINUX, lambda *words, **more: net.run("pc", *words, **more)))


def pings(net, space):
    for what, words in (("ping", "-c 20 -i 0.01"), ("ping of the largest size, in fragments", "-c 5 -i 0.1 -s 65507"),
                        ("ping of the MTU's size, not to be fragmented", "-c 2 -i 0.1 -M do -s 1472")):
        timed(f"Linux: {what}", lambda: space.run("ping", "-q", "-W", "10", *words.split(), OURS))
    done = space.run("ping", "-c", "1", "-W", "1", "10.0.0.77")
    check("Linux: nobody answers at an address that nobody has", done.returncode == 1, done)


def nginx(folder, root):
    """With room for 1,000 connections."""
    words = servers.nginx(folder, root)
    with open(words[-1]) as file:
        text = file.read()
    servers.write(words[-1], text.replace("worker_connections 256", "worker_connections 4096"))
    return words


def web(net, space):
    data = os.urandom(20 * MIB)
    for name in ("root", "ours", "theirs"):
        os.mkdir(f"{net.folder}/{name}")
    with open(f"{net.folder}/root/big", "wb") as file:
        file.write(data)
    net.start("server", *nginx(f"{net.folder}/ours", f"{net.folder}/root"))
    space.start(*nginx(f"{net.folder}/theirs", f"{net.folder}/root"))
    check("nginx listens on both sides", net.listening(80) and space.listening(80))
    got, wanted = f"{net.folder}/got", hashlib.sha256(data).hexdigest()
    for who, address, run in sides_of(net, space):
        if os.path.exists(got):
            os.remove(got)
        done = run("curl", "-sS", "-m", "60", "-o", got, f"http://{address}/big")
        check(f"{who}: curl fetches 20 MiB from nginx", done.returncode == 0 and sha(got) == wanted, done)


def peers(net, space):
    """The services of linux_peer, under berth run and on Linux, each asked by the other side."""
    net.start("server", PEER, "serve")
    net.start("server", PYTHON, "-c", ECHO)
    space.start(PEER, "serve")
    space.start(PYTHON, "-c", ECHO)
    check("the services listen on both sides", net.listening(19) and net.listening(7, "udp") and space.listening(19) and space.listening(7, "u"))
    for who, address, run in sides_of(net, space):
        timed(f"{who}: a port where nobody is refuses", lambda: run(PEER, "refused", address, "4711"))
        timed(f"{who}: 200 UDP datagrams of up to 60000 octets", lambda: run(PEER, "udp", address, "60000", "200"))
        timed(f"{who}: 1,000 connections at once", lambda: run(PEER, "many", address, "20000", "1000"))


def tshark(path, *words):
    checksums = [word for protocol in ("ip", "tcp", "udp") for word in ("-o", f"{protocol}.check_checksum:TRUE")]
    # Octets of any kind are no protocol: a port drawn at random may be that of one, in which they are malformed.
    checksums += ["-d", "tcp.port==0-65535,data", "-d", "udp.port==0-65535,data"]
    done = subprocess.run(["tshark", "-n", "-r", path, *checksums, *words], capture_output=True, text=True)
    return done.stdout.splitlines() if done.returncode == 0 else [done.stderr]


def capture_read(path):
    """There is traffic of each kind from both sides, and nothing wrong in it."""
    good = {"tcp.checksum.status": set(), "udp.checksum.status": set(), "icmp.checksum.status": set(), "arp.src.proto_ipv4": set()}
    fields = [word for field in ("ip.src", *good) for word in ("-e", field)]
    for line in tshark(path, "-T", "fields", "-E", "occurrence=f", *fields):
        source, *values = line.split("\t")
        for field, value in zip(good, values):
            if value and value not in "02":  # not "Bad" or "Unverified"
                good[field].add(source or value)
    for field, sources in good.items():
        check(f"in the capture, of both sides: {field}", sources >= {OURS, LINUX}, sources)
    wrong = tshark(path, "-Y", WRONG)
    check("nothing wrong in the capture for tshark", not wrong, wrong[:10])


def wrk(net, space):
    for who, address, run in sides_of(net, space):
        done = run("wrk", "-t2", "-c1000", "-d2s", "--timeout", "60s", f"http://{address}/nothing")
        check(f"{who}: wrk with 1,000 connections sees no socket errors",
              "Requests/sec" in done.stdout and "Socket errors" not in done.stdout, done)


def iperf(net, space):
    for port, words in enumerate(([], ["-R"], ["-u", "-b", "50M"], ["-u", "-b", "50M", "-R"]), 5201):
        server = ["iperf3", "-s", "-1", "-p", f"{port}"]  # each a server of its own: between two clients it does not listen
        net.start("server", *server)
        space.start(*server)
        check("iperf3 listens on both sides", net.listening(port) and space.listening(port))
        for who, address, run in sides_of(net, space):
            done = run("iperf3", "-c", address, "-p", f"{port}", "-t", "1", "-f", "m", *words)
            last = [line for line in done.stdout.splitlines() if "receiver" in line]
            rate = last[-1].split("Bytes")[-1].split("/sec")[0].strip() + "/s" if last else "nothing"
            check(f"{who}: iperf3 {' '.join(words) or 'to the other side'}: {rate}",
                  done.returncode == 0 and last and not rate.startswith("0.00"), done)


def link(net, space):
    done = net.berth("netem", DEVICE, "delay", "20ms")
    check("netem on the device's link", done.returncode == 0, done)
    took = []

    def pinged():
        took.extend(map(float, re.findall("time=([0-9.]+) ms", space.run("ping", "-c", "1", "-W", "10", OURS).stdout)))
        return took and min(took) < 60

    # Not a moment less, but for what passes between the daemon's look at the clock and at the device; where others are busy, more.
    check("ping takes 40 ms then", until(pinged, 30) and min(took) > 39, took)
    net.berth("netem", DEVICE, "delay", "0ms")


def main():
    # 1,000 connections in one process.
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with Net("tap") as net, Space() as space:
        net.start("server", "sleep", "1000", extra=["--ip", OURS])
        until(lambda: OURS in net.berth("hosts").stdout)
        done = space.run(BERTH, "tap", "--net", net.name, DEVICE)
        check("berth tap", done.returncode == 0, done)
        again = space.run(BERTH, "tap", "--net", net.name, DEVICE)
        check("a second time it is refused", again.returncode == 1 and DEVICE in again.stderr, again)
        capture = f"{net.folder}/all.pcapng"
        net.berth("dump", "-d", "-B", "1048576", "-w", capture)
        pings(net, space)
        web(net, space)
        peers(net, space)
        net.berth("dump", "--stop")
        capture_read(capture)
        os.remove(capture)
        if shutil.which("wrk"):
            wrk(net, space)
        iperf(net, space)
        link(net, space)
        for who, address, run in sides_of(net, space):
            timed(f"{who}: gets 1 GiB, every octet checked", lambda: run(PEER, "get", address, str(GIB), timeout=100))
            timed(f"{who}: puts 1 GiB, every octet checked", lambda: run(PEER, "put", address, str(GIB), timeout=100))
    finish()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
