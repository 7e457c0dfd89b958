"""What programs look at shows the virtual computer: iproute2's ss and ip, hostname -I, and ioctl()'s SIOCGIF* inside one."""
import json
import re
import socket

from harness import Net, check, finish
from ss_lines import info_line, words

# Listeners, datagram sockets, and more connections within the computer than one dump's datagrams have room for in a socket.
HOLDER = """
import os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
def listener(family, at):
    one = socket.socket(family)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(at)
    one.listen(700)
    return one
four, six = listener(socket.AF_INET, ("0.0.0.0", 80)), listener(socket.AF_INET6, ("::", 8080))
many = listener(socket.AF_INET, ("127.0.0.1", 9000))
held = []
for _ in range(600):
    held += [socket.create_connection(("127.0.0.1", 9000)), many.accept()[0]]
bound, connected = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
bound.bind(("10.0.0.1", 5000))
connected.connect(("127.0.0.1", 5001))
idle = socket.socket()                   # as on Linux no row has it
print(os.getpid(), four.fileno(), held[0].getsockname()[1], flush=True)
client = four.accept()[0]
client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
print("accepted", flush=True)
sys.stdin.readline()
"""
CLIENT = "import socket, sys; s = socket.create_connection(('10.0.0.1', 80)); print(s.getsockname()[1], flush=True); sys.stdin.readline()"

IOCTLS = """
import fcntl, socket, struct
at = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def ask(request, name=b"eth0"):
    return fcntl.ioctl(at, request, struct.pack("16s24x", name))[16:]
def address(request):
    return socket.inet_ntoa(ask(request)[4:8])
def number(request):
    return struct.unpack("i", ask(request)[:4])[0]
print(address(0x8915), address(0x891b), address(0x8919), address(0x8917))
print(hex(struct.unpack("H", ask(0x8913)[:2])[0]), number(0x8921), number(0x8933), number(0x891d), number(0x8942))
print(ask(0x8927)[2:8].hex(), ask(0x8970).hex().strip("0"))
def refused(request, name=b"eth0"):
    try:
        ask(request, name)
    except OSError as error:
        return error.errno
print(refused(0x8922), refused(0x8915, b"eth9"))
"""

# A question about one socket, as programs ask that want to know whose it is.
EXACT = """
import errno, socket, struct, sys
def ask(source, destination, cookie=0xffffffff):
    at = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
    ends = struct.pack("!HH", source[1], destination[1])
    ends += b"".join(socket.inet_aton(end[0]) + bytes(12) for end in (source, destination))
    body = struct.pack("BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xffffffff) + ends + struct.pack("III", 0, cookie, cookie)
    at.send(struct.pack("IHHII", 16 + len(body), 20, 1, 7, 0) + body)
    said = at.recv(8192)
    if struct.unpack_from("H", said, 4)[0] == 2:
        return errno.errorcode[-struct.unpack_from("i", said, 16)[0]]
    return said[17], *struct.unpack_from("!HH", said, 20)
port = int(sys.argv[1])
print(ask(("10.0.0.1", 80), ("10.0.0.2", port)), ask(("10.0.0.1", 80), ("10.0.0.2", 1)), ask(("10.0.0.1", 81), ("10.0.0.2", 1)),
      ask(("10.0.0.1", 80), ("10.0.0.2", port), 5))
"""


def rows(said):
    """(state, Recv-Q, Send-Q, local, peer) of each line."""
    return sorted(tuple(line.split()[:5]) for line in said.splitlines() if line and not line.startswith("\t"))


def table(net, protocol):
    """The same rows by `berth ss`, but listeners at all addresses, whom ss tells in words of its own."""
    def end(of):
        return f"[{of['address']}]:{of['port'] or '*'}" if ":" in of["address"] else f"{of['address']}:{of['port'] or '*'}"

    listed = json.loads(net.berth("ss", "-a", "-n", "--json").stdout)
    return sorted((row["state"], str(row["recv_q"]), str(row["send_q"]), end(row["local"]), end(row["peer"]))
                  for row in listed if row["host"] == "server" and row["netid"] == protocol and row["local"]["address"] != "::"
                  and not (protocol == "tcp" and row["state"] == "UNCONN"))


def sockets(net, pid, fd, port, client_port):
    inside = rows(net.run("server", "ss", "-Htan").stdout)
    shown = [row for row in inside if row[3] != "*:8080"]
    check("ss -tan lists this computer's connections, all of them and no other", shown == table(net, "tcp") and len(shown) > 1200,
          (len(shown), set(shown) ^ set(table(net, "tcp"))))
    check("and the listener at all addresses of both families", ("LISTEN", "0", "700", "*:8080", "*:*") in inside, inside[-3:])
    said = net.run("server", "ss", "-Huan")
    check("ss -uan lists datagram sockets", rows(said.stdout) == table(net, "udp") and len(rows(said.stdout)) == 2, said)
    said = net.run("server", "ss", "-Htlnp", "sport = :80")
    check("ss -tlnp names the process, and a filter chooses", len(rows(said.stdout)) == 1 and f'("python3",pid={pid},fd={fd})' in said.stdout,
          said)
    said = net.run("server", "ss", "-Htn", "dst", "10.0.0.2", "and", "( sport = :81 or sport = :80 )")
    check("a filter of several conditions chooses", rows(said.stdout) == [("ESTAB", "0", "0", "10.0.0.1:80", f"10.0.0.2:{client_port}")], said)
    said = net.run("server", "ss", "-tinm")
    ours = info_line(net.berth("ss", "-ti", "-n").stdout, port)
    theirs = re.sub(r"\s*skmem:\S+", "", info_line(said.stdout, port))
    check("ss -ti says of a connection what berth ss -ti says", words(theirs) == words(ours) and "cwnd:" in theirs, (theirs, ours))
    check("ss -m says how much its buffers hold", len(re.findall(r"skmem:\(r0,rb[1-9]\d+,t0,tb[1-9]\d+,", said.stdout)) > 1200, said.stdout[-800:])
    said = net.run("server", "ss", "-Htlni", "sport = :80")
    check("of a listener what Linux tells", said.stdout.split("\n")[1].split() == ["cubic", "cwnd:10"], said)
    said = net.run("server", "ss", "-Htno", "sport = :80")
    check("ss -o tells of keep-alive's timer", re.search(r"timer:\(keepalive,1(19min|20min|h59min|h59m)[^,]*,0\)", said.stdout), said)
    said = net.run("server", "ss", "-Htan6")
    check("ss -6 lists IPv6's alone", rows(said.stdout) == [("LISTEN", "0", "700", "*:8080", "*:*")], said)
    said = net.run("server", "ss", "-Hawn")
    check("there are no raw sockets, and nothing is complained of", said.stdout == said.stderr == "", said)
    done = net.run("server", "/usr/bin/python3", "-c", EXACT, str(client_port))
    check("a question about one socket finds the connection, its listener, nobody, and not another one's cookie",
          done.stdout.strip() == f"(1, 80, {client_port}) (10, 80, 0) ENOENT ESTALE", done)


def links(net):
    said = net.run("server", "ip", "neigh").stdout
    check("ip neigh shows who is on the link", re.search(r"^10\.0\.0\.2 dev eth0 lladdr 02:00:0a:00:00:02 [A-Z]+ *$", said, re.M), said)
    said = net.run("server", "ip", "-6", "neigh").stdout
    check("ip -6 neigh has no IPv4 neighbour", "10.0.0.2" not in said, said)
    said = net.run("server", "ip", "route", "get", "10.0.0.77").stdout
    check("ip route get tells the way", said.split()[:5] == ["10.0.0.77", "dev", "eth0", "src", "10.0.0.1"], said)
    said = net.run("server", "ip", "-6", "route").stdout
    check("ip -6 route shows both prefixes", {line.split()[0] for line in said.splitlines()} == {"fe80::/64", "fd00:10::/64"}, said)
    said = net.run("server", "ip", "-6", "-br", "addr").stdout.split()
    check("ip -6 addr shows addresses of IPv6", said == ["lo", "UP", "::1/128", "eth0", "UP", "fd00:10::1/64", "fe80::aff:fe00:1/64"], said)
    said = net.run("server", "hostname", "-I").stdout
    check("getifaddrs() has the computer's addresses", said.split() == ["10.0.0.1", "fd00:10::1"], said)
    said = net.run("server", "/usr/bin/python3", "-c", IOCTLS)
    check("SIOCGIF... tell of its link, and SIOCSIF... are refused", said.stdout.splitlines() == [
        "10.0.0.1 255.255.255.0 10.0.0.255 10.0.0.1", "0x1043 1500 2 0 1000", "02000a000001 ", "1 19"], said)


with Net("look") as net, socket.create_server(("127.0.0.1", 0)) as machine:
    holder = net.start("server", "/usr/bin/python3", "-c", HOLDER, extra=["--ip", "10.0.0.1"], stdin=-1)
    pid, fd, port = holder.stdout.readline().split()
    client = net.start("pc", "/usr/bin/python3", "-c", CLIENT, extra=["--ip", "10.0.0.2"], stdin=-1)
    client_port = client.stdout.readline().strip()
    check("a client is connected", holder.stdout.readline() == "accepted\n", client_port)
    sockets(net, pid, fd, port, client_port)
    said = net.run("pc", "ss", "-Htan").stdout
    check("another computer lists its own", rows(said) == [("ESTAB", "0", "0", f"10.0.0.2:{client_port}", "10.0.0.1:80")], said)
    links(net)
    for program in client, holder:
        program.stdin.write("\n")
        program.stdin.close()
        program.wait()
        program.stdin = None
    check("the machine's sockets are not the computer's", f":{machine.getsockname()[1]} " not in net.run("server", "ss", "-Htan").stdout)
finish()
