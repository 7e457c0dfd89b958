"""IPv6 between Berth and the kernel of this machine, over a TAP device in a network namespace: test_tap6.py BUILD/tool/berth. Needs
root."""
import hashlib
import os
import signal
import sys

from test_tap import DEVICE, MIB, PYTHON, Space, check, finish, sha, timed, tshark
from harness import BERTH, Net, until

OURS, LINUX, LINK_LOCAL = "fd00:10::1", "fd00:10::fe", "fe80::aff:fe00:1"
ECHO = """import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 7))
while True:
    data, source = s.recvfrom(65536)
    s.sendto(data, source)
"""
ASK = """import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(30)
for size in (0, 1, 1452, 1453, 9000, 65000):
    s.sendto(bytes(size), (sys.argv[1], 7))
    assert s.recv(70000) == bytes(size), size
s.connect((sys.argv[1], 4711))
s.send(b"x")
try:
    s.recv(9)
    sys.exit("answered?")
except ConnectionRefusedError:
    pass
"""
# The kernel writes a TCP checksum of zero as 0xffff, which sums up just as well, but not for tshark.
WRONG = ('_ws.malformed || udp.checksum.status == "Bad" || icmpv6.checksum.status == "Bad" || '
         f'(tcp.checksum.status == "Bad" && !(ipv6.src == {LINUX} && tcp.checksum == 0xffff))')


def sides_of(net, space):
    return (("Linux", OURS, space.run), ("berth run", LINUX, lambda *words, **more: net.run("pc", *words, **more)))


def neighbors(space):
    done = space.run("ip", "-6", "neigh", "show", OURS)
    check("Linux has found us by neighbour discovery", "lladdr 02:00:0a:00:00:01" in done.stdout, done)
    # The kernel confirms what it knows by unicast before it uses it again.
    space.run("ip", "-6", "neigh", "change", OURS, "dev", DEVICE, "nud", "probe")
    found = until(lambda: "REACHABLE" in space.run("ip", "-6", "neigh", "show", OURS).stdout)
    check("and finds us reachable when it probes", found, space.run("ip", "-6", "neigh").stdout)


def pings(space):
    for what, words in (("ping", "-c 20 -i 0.01"), ("ping of the largest size, in fragments", "-c 5 -i 0.1 -s 65507"),
                        ("ping of the MTU's size, not to be fragmented", "-c 2 -i 0.1 -M do -s 1452")):
        timed(f"Linux: {what}", lambda: space.run("ping", "-6", "-q", "-W", "10", *words.split(), OURS))
    timed("Linux: ping of the link-local address", lambda: space.run("ping", "-6", "-q", "-c", "3", "-i", "0.1", f"{LINK_LOCAL}%{DEVICE}"))
    done = space.run("ping", "-6", "-c", "2", "-i", "0.2", "-W", "10", f"ff02::1%{DEVICE}")
    check("Linux: all nodes answer", done.returncode == 0 and "icmp_seq=1" in done.stdout, done)
    done = space.run("ping", "-6", "-c", "1", "-W", "1", "fd00:10::77")
    check("Linux: nobody answers at an address that nobody has", done.returncode == 1, done)


def web(net, space):
    data = os.urandom(20 * MIB)
    os.mkdir(f"{net.folder}/root")
    with open(f"{net.folder}/root/big", "wb") as file:
        file.write(data)
    words = [PYTHON, "-m", "http.server", "80", "--bind", "::", "-d", f"{net.folder}/root"]
    net.start("server", *words)
    space.start(*words)
    check("web servers listen on both sides", net.listening(80) and space.listening(80))
    got, wanted = f"{net.folder}/got", hashlib.sha256(data).hexdigest()
    for who, address, run in sides_of(net, space):
        done = run("curl", "-6", "-sS", "-m", "60", "-o", got, f"http://[{address}]/big")
        check(f"{who}: curl -6 fetches 20 MiB", done.returncode == 0 and sha(got) == wanted, done)
        os.remove(got)
        done = run("curl", "-6", "-sS", "-m", "60", f"http://[{address}]:4711/")
        check(f"{who}: a port where nobody is refuses", done.returncode == 7, done)


def datagrams(net, space):
    net.start("server", PYTHON, "-c", ECHO)
    space.start(PYTHON, "-c", ECHO)
    check("echo listens on both sides", net.listening(7, "udp") and until(lambda: ":7 " in space.run("ss", "-Hlun").stdout))
    for who, address, run in sides_of(net, space):
        timed(f"{who}: datagrams of any size, and one that is refused", lambda: run(PYTHON, "-c", ASK, address))


def main():
    with Net("tap6") as net, Space() as space:
        space.run("sysctl", "-qw", f"net.ipv6.conf.{DEVICE}.disable_ipv6=0")
        space.run("ip", "address", "add", f"{LINUX}/64", "dev", DEVICE, "nodad", check=True)
        net.start("server", "sleep", "1000", extra=["--ip", OURS])
        until(lambda: OURS in net.berth("hosts").stdout)
        done = space.run(BERTH, "tap", "--net", net.name, DEVICE)
        check("berth tap", done.returncode == 0, done)
        capture = f"{net.folder}/all.pcapng"
        net.berth("dump", "-d", "-B", "1048576", "-w", capture)
        pings(space)
        neighbors(space)
        web(net, space)
        datagrams(net, space)
        net.berth("dump", "--stop")
        wrong = tshark(capture, "-Y", WRONG)
        check("nothing wrong in the capture for tshark", not wrong, wrong[:10])
        kinds = set(tshark(capture, "-Y", "eth.src[0:4] == 02:00:0a:00", "-T", "fields", "-E", "occurrence=f", "-e", "icmpv6.type"))
        check("we asked for neighbours and answered who asked", {"135", "136", "129"} <= kinds, kinds)
    finish()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
