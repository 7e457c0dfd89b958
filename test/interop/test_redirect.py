"""A host and two routers on one link: the first sends the host to the second, by ICMP and ICMPv6, and from then on it goes there at once.
The host is Berth's and the routers are the kernel of this machine; then the first router is Berth's, and the kernel is the host.
test_redirect.py BUILD/tool/berth. Needs root."""
import os
import signal
import sys
import tempfile

from test_tap import DEVICE, PEER as LINUX_PEER, Space, check, finish, tshark
from harness import BERTH, until

PEER = os.path.join(os.path.dirname(BERTH), "../test/interop/tap_peer")
# The host; its gateway; the other router, and what is behind it.
HOST, GATEWAY, OTHER, FAR = "10.9.0.1", "10.9.0.254", "10.9.0.253", "10.77.0.1"
HOST6, GATEWAY6, OTHER6, FAR6 = "fd00:9::1", "fe80::254", "fe80::253", "fd00:77::1"
HOST_LOCAL = "fe80::aff:fe09:1"  # made of its link address
OTHER_MAC = "02:00:00:00:00:53"


class Router(Space):
    """A network namespace with `link` in it, which is made by others."""

    def __init__(self, which, link):
        super().__init__()
        self.name = f"{self.name}-{which}"
        self.link = link

    def device_make(self):
        self.all("ip link set lo up")

    def all(self, commands):
        for command in commands.split(";"):
            self.run(*command.split(), check=True)

    def counted(self, row, what):
        """What the kernel counts there of IPv4 (a row of /proc/net/snmp) or IPv6 (row None)."""
        if row is None:
            lines = self.run("cat", "/proc/net/snmp6").stdout.splitlines()
            return next(int(line.split()[1]) for line in lines if line.split()[0] == what)
        names, values = (line.split() for line in self.run("cat", "/proc/net/snmp").stdout.splitlines() if line.startswith(f"{row}:"))
        return int(values[names.index(what)])


def link_make(first, second):
    """The first router's bridge has the TAP device and a cable to the second in it."""
    first.all(f"ip tuntap add dev {DEVICE} mode tap; ip link add br0 type bridge; ip link set {DEVICE} master br0;"
              f"ip link add cable type veth peer name eth0 netns {second.name} address {OTHER_MAC}; ip link set cable master br0")
    second.all("sysctl -qw net.ipv4.conf.all.rp_filter=0")
    for router, address, address6 in ((first, GATEWAY, GATEWAY6), (second, OTHER, OTHER6)):
        router.all(f"ip link set {router.link} addrgenmode none; sysctl -qw net.ipv6.conf.{router.link}.disable_ipv6=0;"
                   f"ip address add {address}/24 dev {router.link}; ip address add {address6}/64 dev {router.link} nodad;"
                   "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    first.all(f"ip link set {DEVICE} up; ip link set cable up; ip link set br0 up;"
              f"ip address add fd00:9::fe/64 dev br0 nodad")
    second.all(f"ip link set eth0 up; ip address add {FAR}/32 dev lo; ip -6 address add {FAR6}/128 dev lo nodad;"
               f"ip route change 10.9.0.0/24 dev eth0 src {FAR}; ip -6 route add fd00:9::/64 dev eth0 src {FAR6}")
    # No checksum is left to hardware that is not there.
    second.run("ethtool", "-K", "eth0", *"tx off rx off sg off tso off gso off gro off".split())
    first.all(f"ip route add 10.77.0.0/24 via {OTHER}; ip -6 route add fd00:77::/64 via {OTHER6} dev br0")


def moves(first, second, host, what, forwarded, redirects):
    """Answers go the long way at first; then they come at once, and the first router sees no more of them."""
    def asked():
        before = first.counted(*forwarded)
        done = second.run(LINUX_PEER, "udp", host, "1000", "20")
        return done.returncode == 0 and first.counted(*forwarded) == before
    check(f"{what}: datagrams to behind the second router go there at once", until(asked, 60), second.run("ip", "neigh"))
    check(f"{what}: for the first one said so", first.counted(*redirects) > 0, first.counted(*redirects))
    check(f"{what}: and sent some on itself before", first.counted(*forwarded) > 0, first.counted(*forwarded))
    before = first.counted(*forwarded)
    done = second.run(LINUX_PEER, "get", host, str(1 << 20))
    check(f"{what}: and so does a connection", done.returncode == 0 and first.counted(*forwarded) == before, done)


def ignores(first, second):
    """Where accept_redirects is 0 all goes through the first router, as before."""
    for what, host, forwarded in (("ICMP", HOST, ("Ip", "ForwDatagrams")), ("ICMPv6", HOST6, (None, "Ip6OutForwDatagrams"))):
        check(f"{what}: the host answers", until(lambda: second.run(LINUX_PEER, "udp", host, "1000", "5").returncode == 0, 60))
        before = first.counted(*forwarded)
        done = second.run(LINUX_PEER, "udp", host, "1000", "20")
        check(f"{what}: with accept_redirects 0 nothing moves", done.returncode == 0 and first.counted(*forwarded) >= before + 20, done)


def sends(first):
    """The kernel is the host now, and believes a Berth host that forwards."""
    first.all("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0;"
              "sysctl -qw net.ipv4.conf.all.accept_redirects=1 net.ipv6.conf.br0.accept_redirects=1;"
              f"ip route replace 10.77.0.0/24 via {HOST}; ip -6 route replace fd00:77::/64 via {HOST_LOCAL} dev br0")
    for what, family, far, other in (("ICMP", "-4", FAR, OTHER), ("ICMPv6", "-6", FAR6, OTHER6)):
        def redirected():
            first.run("ping", family, "-c", "1", "-W", "1", far)
            return f"via {other} " in first.run("ip", family, "route", "get", far).stdout
        check(f"{what}: the kernel goes where our router sends it", until(redirected, 60), first.run("ip", family, "route", "get", far))
        done = first.run("ping", family, "-c", "1", "-W", "10", far)
        check(f"{what}: and gets there", done.returncode == 0, done)


def serve(first, *more, gateways=(GATEWAY, GATEWAY6)):
    return first.start(PEER, DEVICE, "serve", "--gateway", gateways[0], "--gateway", gateways[1], *more)


def stop(first, peer):
    peer.terminate()
    peer.wait()
    first.programs.remove(peer)


def main():
    with Router("first", "br0") as first, Router("second", "eth0") as second, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        link_make(first, second)
        capture = f"{folder}/host.pcapng"
        peer = serve(first, "--capture", capture)
        check("the host is there", until(lambda: first.run("ping", "-c", "1", "-W", "1", HOST).returncode == 0, 60))
        moves(first, second, HOST, "ICMP", ("Ip", "ForwDatagrams"), ("Icmp", "OutRedirects"))
        moves(first, second, HOST6, "ICMPv6", (None, "Ip6OutForwDatagrams"), (None, "Icmp6OutRedirects"))
        stop(first, peer)
        for family, kind, far in (("ICMP", "icmp.type == 5", f"ip.dst == {FAR}"), ("ICMPv6", "icmpv6.type == 137", f"ipv6.dst == {FAR6}")):
            for what, wanted in (("the redirect", kind), ("what went to the second router", f"eth.dst == {OTHER_MAC} && {far}")):
                check(f"{family}: tshark sees {what}", tshark(capture, "-Y", wanted))
        peer = serve(first, "--set", "net.ipv4.conf.all.accept_redirects", "0", "--set", "net.ipv6.conf.all.accept_redirects", "0")
        ignores(first, second)
        stop(first, peer)
        peer = serve(first, "--set", "net.ipv4.ip_forward", "1", "--set", "net.ipv6.conf.all.forwarding", "1", "--capture", capture,
                     gateways=(OTHER, OTHER6))
        sends(first)
        stop(first, peer)
        wrong = tshark(capture, "-Y", '_ws.malformed || icmp.checksum.status == "Bad" || icmpv6.checksum.status == "Bad"')
        check("nothing wrong with them for tshark", not wrong, wrong[:5])
    finish()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
