"""The queue of errors (MSG_ERRQUEUE with IP_RECVERR and IPV6_RECVERR) as unmodified programs see it: what Python reads from it, and
ping's and tracepath's own words."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Net, check, finish  # noqa: E402

# pc - lan - r1 - far - server. No program runs on the router.
TOPOLOGY = """
networks:
  lan: {subnet: [10.1.0.0/24, "fd00:10:1::/64"]}
  far: {subnet: [10.3.0.0/24, "fd00:10:3::/64"]}
hosts:
  pc: {networks: [lan]}
  r1: {networks: [lan, far], router: true}
  server: {networks: {far: {ipv4_address: 10.3.0.9}}}
"""

# One line for each step: a step of the program on the computer, and what it saw.
ASK = """
import errno, select, socket, struct, sys
address = sys.argv[1]
v6 = ":" in address
IP, RECVERR = (socket.IPPROTO_IPV6, 25) if v6 else (socket.IPPROTO_IP, 11)
HOPS = socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL
RECVTTL = (socket.IPPROTO_IPV6, 51) if v6 else (socket.IPPROTO_IP, 12)
ERRQUEUE = 0x2000

def ready(s, seconds=30):
    return bool(select.select([s], [], [], seconds)[0])

def report(s):
    data, control, flags, to = s.recvmsg(100, 200, ERRQUEUE)
    said = []
    for level, kind, value in control:
        if (level, kind) == (IP, RECVERR):
            code, origin, type_, which, _, info, _ = struct.unpack("IBBBBII", value[:16])
            family = struct.unpack("H", value[16:18])[0]
            who = socket.inet_ntop(family, value[24:40] if v6 else value[20:24]) if family else None
            said += [errno.errorcode[code], origin, type_, which, info, who]
        else:
            said += [f"hops {struct.unpack('i', value)[0]}"]
    return f"{data} {bool(flags & ERRQUEUE)} {to[0]} {to[1]} {said}"

def attempt(what):
    try:
        return what()
    except OSError as e:
        return errno.errorcode[e.errno]

s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(IP, RECVERR, 1)
s.setblocking(False)
print("nothing", attempt(lambda: report(s)))
s.sendto(b"port", (address, 9))
print("ready", ready(s))
print("pending", attempt(lambda: s.recv(10)))
print("once", attempt(lambda: s.recv(10)))
print("still ready", ready(s, 0))
print("port", attempt(lambda: report(s)))
print("empty", attempt(lambda: report(s)), ready(s, 0))
s.setsockopt(IP, HOPS, 1)
s.setsockopt(*RECVTTL, 1)
s.sendto(b"hops", (address, 9))
ready(s)
print("hops", attempt(lambda: report(s)))
print("told with it", attempt(lambda: s.recv(10)), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
s.setsockopt(IP, 23 if v6 else 10, 2)   # MTU_DISCOVER: DO
print("size", attempt(lambda: s.sendto(bytes(3000), (address, 9))), ready(s, 0), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
print("size", attempt(lambda: report(s)))
# Datagrams come past what waits in the queue of errors.
s.setsockopt(IP, HOPS, 64)
own = socket.socket(s.family, socket.SOCK_DGRAM)
s.sendto(b"x", (address, 9))
ready(s)
attempt(lambda: s.recv(10))
own.sendto(b"datagram", ("::1" if v6 else "127.0.0.1", s.getsockname()[1]))
print("past", attempt(lambda: s.recv(20)), attempt(lambda: s.recv(20)))
print("past", attempt(lambda: report(s)), ready(s, 0))
t = socket.socket(s.family, socket.SOCK_STREAM)
print("stream", attempt(lambda: t.recv(10, ERRQUEUE)))
"""


def wanted(address, offender):
    v6 = ":" in address
    origin, port, code, hops = (3, 1, 4, 3) if v6 else (2, 3, 3, 11)
    one = f"[{', '.join(repr(x) for x in ('ECONNREFUSED', origin, port, code, 0, address))}]"
    two = f"[{', '.join(repr(x) for x in ('hops 64', 'EHOSTUNREACH', origin, hops, 0, 0, offender))}]"
    size = f"[{', '.join(repr(x) for x in ('EMSGSIZE', 1, 0, 0, 1500, None))}]"
    past = f"[{', '.join(repr(x) for x in ('hops 63', 'ECONNREFUSED', origin, port, code, 0, address))}]"
    return ["nothing EAGAIN", "ready True", "pending ECONNREFUSED", "once EAGAIN", "still ready True",
            f"port b'port' True {address} 9 {one}", "empty EAGAIN False", f"hops b'hops' True {address} 9 {two}",
            "told with it EAGAIN 0", "size EMSGSIZE True 0", f"size b'' True {address} {9 if v6 else 0} {size}",
            "past b'datagram' EAGAIN", f"past b'x' True {address} 9 {past} False", "stream EAGAIN"]


def asked(net, address, offender):
    said = net.run("pc", "/usr/bin/python3", "-c", ASK, address, timeout=120)
    lines = said.stdout.splitlines()
    for line, right in zip(lines, wanted(address, offender)):
        check(f"{address}: {right.split()[0]}: {right}", line == right, line)
    check(f"{address}: all of it was played", len(lines) == len(wanted(address, offender)), said)


def words(net, router, server):
    """ping and tracepath tell what the router and the host said."""
    for family in (0, 1):
        said = net.run("pc", "ping", "-n", "-c", "1", "-t", "1", "-W", "30", server[family])
        check(f"ping {server[family]} with one hop names the router", f"From {router[family]} icmp_seq=1 Time" in said.stdout, said)
        said = net.run("pc", "tracepath", "-n", server[family])
        check(f"tracepath finds router and server {server[family]}",
              re.search(rf"1: +{router[family]} .*\n 2: +{server[family]} .* reached\n +Resume: pmtu 1500 hops 2 back 2", said.stdout), said)
    said = net.run("pc", "ping", "-n", "-c", "1", "-W", "30", "10.1.0.200")
    check("ping to nobody: Destination Host Unreachable", "icmp_seq=1 Destination Host Unreachable" in said.stdout, said)
    said = net.run("pc", "ping", "-n", "-M", "do", "-s", "2000", "-c", "1", "-W", "1", server[0])
    check("ping that may not be fragmented: local error", "message too long, mtu=1500" in said.stderr + said.stdout, said)


with Net("reports") as net:
    with open(f"{net.folder}/berth.yaml", "w", encoding="utf-8") as file:
        file.write(TOPOLOGY)
    said = net.berth("up", "-d", "-f", f"{net.folder}/berth.yaml")
    if check("two networks and a router come up", said.returncode == 0, said):
        router, server = ("10.1.0.2", "fd00:10:1::2"), ("10.3.0.9", "fd00:10:3::9")
        for i in range(2):
            asked(net, server[i], router[i])
        words(net, router, server)
finish()
