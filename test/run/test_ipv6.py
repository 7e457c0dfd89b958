"""IPv6: every computer has an address of that family, too, and unmodified programs talk over it."""
import hashlib
import json
import os
import re

from harness import Net, check, finish, until

PYTHON = "/usr/bin/python3"

with Net("six") as net:
    web = net.web(ip="10.0.0.1")
    for option, address in (("-6", "fd00:10::1"), ("-4", "10.0.0.1")):
        done = net.run("pc", "curl", option, "-sS", "-w", "%{remote_ip}", "http://server/page")
        check(f"curl {option} by name", done.stdout == f"hello from server\n{address}", done)
    done = net.run("pc", "curl", "-sS", "http://[fd00:10::1]/page")
    check("curl by address", done.stdout == "hello from server\n", done)
    done = net.run("pc", "curl", "-sS", "http://[fd00:10::1]:81/")
    after = re.search(r"after (\d+) ms", done.stderr)  # a SYN that is sent again goes after 1 s
    check("a port nobody has refuses at once", done.returncode == 7 and after and int(after.group(1)) < 900, done)
    table = net.berth("hosts").stdout.splitlines()
    check("berth hosts shows both addresses", table[1].split() == ["server", "10.0.0.1", "fd00:10::1", "lan"], table)
    done = net.run("pc", "getent", "ahosts", "server")
    check("getent knows both", {line.split()[0] for line in done.stdout.splitlines()} == {"10.0.0.1", "fd00:10::1"}, done)
    done = net.run("pc", "getent", "hosts", "fd00:10::1")
    check("and finds the name by the IPv6 address", done.stdout.split() == ["fd00:10::1", "server"], done)
    done = net.run("pc", "dig", "+short", "@2001:db8::53", "server", "AAAA")
    check("dig asks any nameserver, over IPv6", done.stdout.strip() == "fd00:10::1", done)

    done = net.run("pc", PYTHON, "-c", "import socket\ns = socket.create_connection(('fe80::aff:fe00:1%eth0', 80)); print(s.getpeername())")
    check("link-local addresses, with their link", done.stdout.strip() == "('fe80::aff:fe00:1', 80, 0, 2)", done)

    # Many octets, both ways, and who is who.
    data = os.urandom(1 << 20) * 24
    with open(f"{net.folder}/server/big", "wb") as file:
        file.write(data)
    done = net.run("pc", "sh", "-c", "curl -6 -sS http://server/big | sha256sum")
    check("24 MiB over IPv6", done.stdout.split()[0] == hashlib.sha256(data).hexdigest(), done)

    echo = net.start("server", PYTHON, "-c", """
import socket
s = socket.create_server(('fd00:10::1', 7), family=socket.AF_INET6)
while True:
    c, peer = s.accept()
    c.sendall(repr((peer, c.getsockname(), c.getpeername() == peer)).encode())
    c.recv(9)
    c.close()
""")
    net.listening(7)
    program = net.start("pc", PYTHON, "-c", """
import socket
c = socket.create_connection(('fd00:10::1', 7), source_address=('fd00:10::2', 1234))
print(c.recv(999).decode(), c.getsockname(), flush=True)
input()
""", stdin=-1)
    said = program.stdout.readline().strip()
    check("both ends know their addresses", said == "(('fd00:10::2', 1234, 0, 0), ('fd00:10::1', 7, 0, 0), True) ('fd00:10::2', 1234, 0, 0)", said)
    table = net.berth("ss", "-tan").stdout
    check("berth ss writes [address]:port", "[fd00:10::1]:7" in table and "[fd00:10::2]:1234" in table, table)
    rows = json.loads(net.berth("ss", "-tan", "--json").stdout)
    check("and --json addresses as they are", any(row["local"] == {"address": "fd00:10::2", "port": 1234} for row in rows), rows)
    program.communicate("\n", timeout=10)

    # Datagrams, small and in fragments; nobody at that port.
    program = net.start("server", PYTHON, "-c", """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('::', 9))
while True:
    data, peer = s.recvfrom(70000)
    s.sendto(data, peer)
""")
    net.listening(9, "udp")
    done = net.run("pc", PYTHON, "-c", """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(5)
for size in (0, 1, 1452, 1453, 9000, 65507):
    s.sendto(b'x' * size, ('server', 9))
    data, peer = s.recvfrom(70000)
    assert len(data) == size and peer == ('fd00:10::1', 9, 0, 0), (len(data), peer)
s.sendto(b'four', ('::ffff:10.0.0.1', 9))
print(s.recvfrom(9))
s.connect(('server', 10))
s.send(b'x')
try:
    s.recv(9)
except ConnectionRefusedError:
    print('refused')
""")
    check("datagrams of any size, and of IPv4 by an IPv6 socket", done.stdout == "(b'four', ('::ffff:10.0.0.1', 9, 0, 0))\nrefused\n", done)
    done = net.run("pc", "sh", "-c", "(echo through nc; sleep 0.5) | nc -6 -u -w 1 server 9")
    check("nc -6 -u", done.stdout == "through nc\n", done)

    # The rules of binding, as Linux has them.
    done = net.run("pc", PYTHON, "-c", """
import errno, socket
def bound(family, address, only=None, kind=socket.SOCK_STREAM):
    s = socket.socket(family, kind)
    if only is not None:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    try:
        s.bind((address, 99))
        s.listen()
        return s
    except OSError as e:
        return errno.errorcode[e.errno]
four, six = socket.AF_INET, socket.AF_INET6
a = bound(six, '::', 0)
print(bound(four, '0.0.0.0'), bound(six, '::1', 1), bound(six, 'fd00:10::77'))
a.close()
a = bound(six, '::', 1)
b = bound(four, '0.0.0.0')
print(type(b).__name__, bound(six, '::1'))
c = socket.create_connection(('::1', 99))
print(a.accept()[1] == c.getsockname())
try:
    socket.create_connection(('fe80::1:2:3', 5), timeout=0.1)
except OSError as e:
    print(type(e).__name__)
""")
    check("`::` and 0.0.0.0 meet unless one may have IPv6 only", done.stdout.splitlines()[:3] == ["EADDRINUSE EADDRINUSE EADDRNOTAVAIL", "socket EADDRINUSE", "True"], done)

with Net("sixfour") as net:
    # A server of IPv4 alone: who asks for both must not wait.
    net.start("server", PYTHON, "-m", "http.server", "80", "--bind", "0.0.0.0", "-d", net.folder)
    net.listening(80)
    done = net.run("pc", PYTHON, "-c", """
import socket, time
begun = time.monotonic()
for _ in range(4): # what its queue holds
    socket.create_connection(('server', 80)).close()
print(time.monotonic() - begun < 0.5)
""")
    check("a server of IPv4 alone is reached without a wait", done.stdout == "True\n", done)

with Net("sixip") as net:
    done = net.run("one", "getent", "ahosts", "one", extra=["--ip", "fd00:10::cafe"])
    check("--ip takes an IPv6 address", done.stdout.startswith("fd00:10::cafe "), done)
    keeper = net.start("two", "sleep", "100", extra=["--ip", "FD00:10:0::BEEF"])
    until(lambda: "fd00:10::beef" in net.berth("hosts").stdout)
    done = net.run("three", "true", extra=["--ip", "fd00:10::beef"])
    check("one that is taken is refused", done.returncode != 0 and "fd00:10::beef is taken by host two" in done.stderr, done)
    done = net.run("three", "true", extra=["--ip", "fd00:11::1"])
    check("one of another subnet is refused", done.returncode != 0 and "is no host address of the subnet fd00:10::/64" in done.stderr, done)
    done = net.run("two", "true", extra=["--ip", "fd00:10::beef"])
    check("a computer that is there may be named by it", done.returncode == 0, done)


def up(net, text):
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write(text)
    return net.berth("up", "-d", "-f", f"{net.folder}/berth.yaml")


with Net("sixup") as net:
    done = up(net, "networks: {lan: {subnet: [10.5.0.0/16, fd00:5::/64]}}\n"
                   "hosts: {a: {ipv6_address: \"fd00:5::a\"}, b: {ipv4_address: 10.5.1.1}, c: {}}\n")
    table = [line.split()[:3] for line in net.berth("hosts").stdout.splitlines()[1:]]
    check("a file chooses subnets and addresses", sorted(table) == [["a", "10.5.0.1", "fd00:5::a"], ["b", "10.5.1.1", "fd00:5::101"],
                                                                    ["c", "10.5.0.2", "fd00:5::2"]], (done, table))
with Net("sixnone") as net:
    done = up(net, "networks: {lan: {enable_ipv6: false}}\nhosts: {a: {}}\n")
    check("or no IPv6 at all", net.berth("hosts").stdout.splitlines()[1].split() == ["a", "10.0.0.1", "-", "lan"], done)
    done = net.berth("exec", "a", "--", "getent", "ahostsv6", "a")
    check("then there is no such name", "fd00" not in done.stdout, done)
    done = net.run("b", "true", extra=["--ip", "fd00:10::1"])
    check("and no such address", "has no IPv6" in done.stderr, done)
finish()
