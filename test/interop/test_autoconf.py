"""A Berth host on a link with the kernel of this machine, and nobody's word for its IPv6 addresses: test_autoconf.py BUILD/tool/berth.
It configures itself by router advertisements, and duplicate addresses are found: by the kernel, and by the host. Needs root."""
import os
import signal
import sys
import tempfile

from test_tap import DEVICE, PYTHON, Space, check, finish, tshark
from harness import BERTH, until

PEER = os.path.join(os.path.dirname(BERTH), "../test/interop/tap_peer")
# Given by the test; made of the router's prefix and the link address; and with that alone.
GIVEN, MADE, LINK_LOCAL = "fd00:9::1", "fd00:77::aff:fe09:1", f"fe80::aff:fe09:1%{DEVICE}"
KERNEL, FAR = "fd00:77::fe", "fd00:88::1"
# A default router for 1800 s; the prefix fd00:77::/64, on link and autonomous, valid for an hour.
ADVERTISE = f"""import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 3600, 1800, 0, socket.inet_pton(socket.AF_INET6, "fd00:77::"))
to = socket.getaddrinfo("ff02::1%{DEVICE}", 0)[0][4]
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, to)
"""
SETTINGS = [word for name, value in (("net.ipv6.conf.default.dad_transmits", "1"), ("net.ipv6.conf.all.accept_ra", "1"),
                                     ("net.ipv6.mld_qrv", "2")) for word in ("--set", name, value)]
# A neighbour's advertisement to all: it has GIVEN.
CLAIM = f"""import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
to = socket.getaddrinfo("ff02::1%{DEVICE}", 0)[0][4]
s.sendto(struct.pack("!BBHI16s", 136, 0, 0, 0x20000000, socket.inet_pton(socket.AF_INET6, "{GIVEN}")), to)
"""


def answers(space, address, *words):
    return space.run("ping", "-6", "-q", "-c", "1", "-W", "1", *words, address).returncode == 0


def address(space, *words):
    return space.run("ip", "-6", "address", *words, "dev", DEVICE)


def peer_start(space, capture, *more):
    return space.start(PEER, DEVICE, "serve", *SETTINGS, *more, "--capture", capture)


def peer_stop(space, peer):
    peer.terminate()
    peer.wait()
    space.programs.remove(peer)


def configures_itself(space):
    def advertised():
        space.run(PYTHON, "-c", ADVERTISE)
        return answers(space, MADE)
    check("a host makes itself an address of an advertised prefix", until(advertised, 60), space.run("ip", "-6", "neigh"))
    check("and reaches through the router what is not on the link", until(lambda: answers(space, MADE, "-I", FAR), 60))


def kernel_finds_duplicate(space):
    check("the address that was given is the host's", until(lambda: answers(space, GIVEN), 60))
    address(space, "add", f"{GIVEN}/64")
    found = until(lambda: "dadfailed" in address(space, "show").stdout, 60)
    check("the kernel finds our address taken", found, address(space, "show"))
    address(space, "del", f"{GIVEN}/64")


def berth_finds_duplicate(space, capture):
    # The device comes up with the host, which asks for ten seconds; meanwhile somebody says that he has the address.
    peer = peer_start(space, capture, "--set", "net.ipv6.conf.default.dad_transmits", "10")

    def claimed():
        space.run(PYTHON, "-c", CLAIM)
        return answers(space, LINK_LOCAL)
    check("the host is there", until(claimed, 60))
    # All its addresses are tried within a second more.
    done = space.run("ping", "-6", "-q", "-c", "4", "-i", "1", "-W", "1", GIVEN)
    check("Berth finds its address taken, and does not use it", done.returncode == 1, done)
    peer_stop(space, peer)


def capture_read(first, second):
    bad = '_ws.malformed || icmpv6.checksum.status == "Bad" || _ws.expert.severity >= 0x600000'
    for name in (first, second):
        wrong = tshark(name, "-Y", f"icmpv6 && ({bad})")
        check("nothing wrong in the capture for tshark", not wrong, wrong[:5])
    ours = "eth.src == 02:00:0a:09:00:01"
    for what, kind in (("reports of groups", "icmpv6.type == 143"), ("solicitations for routers", "icmpv6.type == 133"),
                       ("solicitations from nobody for its own address", "icmpv6.type == 135 && ipv6.src == ::")):
        check(f"tshark sees our {what}", tshark(first, "-Y", f"{ours} && {kind}"))


def main():
    with Space() as space, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        first, second = f"{folder}/first.pcapng", f"{folder}/second.pcapng"
        # The kernel joins the groups of its addresses and defends them; it forwards, so it is a router that answers to us.
        space.run("sysctl", "-qw", f"net.ipv6.conf.{DEVICE}.disable_ipv6=0", "net.ipv6.conf.all.forwarding=1")
        address(space, "add", f"{KERNEL}/64", "nodad")
        address(space, "add", "fd00:9::fe/64", "nodad")
        space.run("ip", "-6", "address", "add", f"{FAR}/128", "dev", "lo")
        peer = peer_start(space, first)
        up = until(lambda: "scope link" in address(space, "show", "-tentative").stdout, 60)
        check("the kernel has its link-local address", up, address(space, "show"))
        configures_itself(space)
        kernel_finds_duplicate(space)
        peer_stop(space, peer)
        berth_finds_duplicate(space, second)
        capture_read(first, second)
    finish()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
