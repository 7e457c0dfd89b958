"""Routers between networks, under unmodified programs: what crosses them, what they say, and what programs see of their ways."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../run"))
from harness import Net, check, finish  # noqa: E402

# pc - lan - r1 - middle - r2 - far - server; `both` is on the first and on the last. No program runs on a router.
TOPOLOGY = """
networks:
  lan: {subnet: 10.1.0.0/24}
  middle: {subnet: 10.2.0.0/24}
  far: {subnet: 10.3.0.0/24}
hosts:
  pc: {networks: [lan]}
  r1: {networks: [lan, middle], router: true}
  r2: {networks: [middle, far], router: true}
  server: {networks: {far: {ipv4_address: 10.3.0.9}}}
  both: {networks: [lan, far]}
"""

# How far it is: each datagram gets one hop further, until the port itself refuses it (RFC 1393's poor man's way).
TRACE = """
import socket, sys
family, address = (socket.AF_INET6, sys.argv[1]) if ":" in sys.argv[1] else (socket.AF_INET, sys.argv[1])
for hops in range(1, 9):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET:
        s.setsockopt(socket.IPPROTO_IP, 11, 1)                    # IP_RECVERR
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
    else:
        s.setsockopt(socket.IPPROTO_IPV6, 25, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
    s.settimeout(20)
    s.connect((address, 33434 + hops))
    s.send(b"who is there?")
    try:
        s.recv(10)
    except OSError as e:
        print(hops, type(e).__name__, e.errno, flush=True)
        if isinstance(e, ConnectionRefusedError):
            break
"""


def addresses(net):
    """{host: {network: (IPv4, IPv6)}} as `berth hosts --json` has it, by what the programs see."""
    found = {}
    for host in ("server", "both", "pc", "r1", "r2"):
        said = json.loads(net.run(host, "ip", "-j", "addr").stdout)
        found[host] = [[a["local"] for a in link["addr_info"] if a["scope"] == "global"] for link in said if link["ifname"] != "lo"]
    return found


def crossing(net, found):
    net.web("server")
    server4, server6 = found["server"][0]
    for target in (server4, f"[{server6}]", "server", "server.far"):
        said = net.run("pc", "curl", "-sS", "--max-time", "30", f"http://{target}/page")
        check(f"curl to {target} crosses two routers", said.stdout == "hello from server\n", said)
    said = net.run("pc", "ping", "-c", "3", "-i", "0.2", "-W", "20", server4)
    check("ping crosses them, and comes back two hops older", said.returncode == 0 and "ttl=62" in said.stdout, said)
    said = net.run("pc", "ping", "-c", "1", "-W", "20", server6)
    check("over IPv6, too", said.returncode == 0 and "ttl=62" in said.stdout, said)
    for target in (server4, server6):
        said = net.run("pc", "/usr/bin/python3", "-c", TRACE, target, timeout=120)
        lines = [line.split()[1] for line in said.stdout.splitlines()]
        check(f"two routers, then {target} itself", lines == ["OSError", "OSError", "ConnectionRefusedError"], said)
    said = net.run("both", "/usr/bin/python3", "-c", TRACE, server4, timeout=120)
    check("a neighbour is no hop away", said.stdout.startswith("1 ConnectionRefusedError"), said)


def unreachable(net):
    said = net.run("pc", "/usr/bin/python3", "-c",
                   "import socket\ns = socket.socket()\ns.settimeout(30)\ntry:\n s.connect(('10.3.0.200', 80))\n"
                   "except OSError as e: print(e.errno)")
    check("nobody at an address behind routers: EHOSTUNREACH, told by the last", said.stdout.strip() == "113", said)
    said = net.run("pc", "/usr/bin/python3", "-c",
                   "import socket\ns = socket.socket()\ns.settimeout(30)\ntry:\n s.connect(('192.0.2.1', 80))\n"
                   "except OSError as e: print(e.errno)")
    check("an address of no network: ENETUNREACH or EHOSTUNREACH at once", said.stdout.strip() in ("101", "113"), said)


def inside(net, found):
    """What programs see of several interfaces."""
    said = net.run("both", "ip", "-br", "addr").stdout.split("\n")
    check("ip addr shows both interfaces", [line.split()[0] for line in said if line] == ["lo", "eth0", "eth1"], said)
    said = net.run("both", "/usr/bin/python3", "-c", "import socket; print(socket.if_nameindex())").stdout
    check("if_nameindex(), too", said.strip() == "[(1, 'lo'), (2, 'eth0'), (3, 'eth1')]", said)
    said = net.run("pc", "ip", "route").stdout
    check("ip route shows the way out", "via 10.1.0." in said and "10.1.0.0/24 dev eth0" in said, said)
    said = net.run("pc", "ip", "route", "get", "10.3.0.9").stdout
    check("ip route get, the way there", said.startswith("10.3.0.9 via 10.1.0.") and f"src {found['pc'][0][0]}" in said, said)
    said = net.run("r1", "ip", "-6", "route").stdout
    check("a router has its routes", "via " in said, said)
    said = net.berth("hosts")
    check("berth hosts has all five", all(name in said.stdout for name in ("pc", "r1", "r2", "server", "both")), said)


def datagrams(net):
    """8 KiB of datagram, in fragments through both routers, there and back."""
    server = net.start("server", "/usr/bin/python3", "-u", "-c",
                       "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('', 9))\n"
                       "data, peer = s.recvfrom(65535)\ns.sendto(data[::-1], peer)\n")
    check("a server for datagrams listens", net.listening(9, "udp"))
    said = net.run("pc", "/usr/bin/python3", "-c",
                   "import os, socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(30)\nd = os.urandom(8000)\n"
                   "s.sendto(d, ('10.3.0.9', 9))\nprint(s.recv(65535) == d[::-1])")
    check("a large datagram crosses in fragments", said.stdout.strip() == "True", said)
    server.wait(30)


with Net("routers") as net:
    with open(f"{net.folder}/berth.yaml", "w", encoding="utf-8") as file:
        file.write(TOPOLOGY)
    said = net.berth("up", "-d", "-f", f"{net.folder}/berth.yaml")
    if check("three networks and two routers come up", said.returncode == 0, said):
        found = addresses(net)
        crossing(net, found)
        unreachable(net)
        inside(net, found)
        datagrams(net)
finish()
