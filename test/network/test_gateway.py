"""The gateway: programs of the network reach servers of this machine (the test's own namespace), hear what the outside says, and no
more than is allowed."""
import errno
import hashlib
import json
import os
import socket
import socketserver
import subprocess
import threading

import outside
outside.enter()

from harness import BERTH, Net, check, finish, until  # noqa: E402

MIB = 1 << 20
PAGE = os.urandom(8 * MIB)
TRY = """import socket,sys,errno
s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM if len(sys.argv)>3 else socket.SOCK_STREAM)
s.settimeout(30)
if len(sys.argv)>3: s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR: soft errors, too
try:
    s.connect((sys.argv[1],int(sys.argv[2])))
    if len(sys.argv)>3: s.send(b'x'); s.recv(9)
    print('open')
except OSError as e: print(errno.errorcode.get(e.errno, e))
"""
STRANGER = """import socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(30)
s.sendto(b'other',(sys.argv[1],int(sys.argv[2]))); d,a=s.recvfrom(9); print(d.decode(),a[1]!=int(sys.argv[2]))
for n in (0,1,1472,1473,9000,60000):
    s.sendto(b'x'*n,(sys.argv[1],int(sys.argv[2]))); d,a=s.recvfrom(65536); assert len(d)==n,(n,len(d)); assert a==(sys.argv[1],int(sys.argv[2])),a
print('all')
"""
MANY = """import socket,sys
all=[socket.create_connection((sys.argv[1],int(sys.argv[2])),timeout=60) for i in range(200)]
for s in all: s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
print(sum(s.recv(12).startswith(b'HTTP/1.0 200') for s in all))
"""
HALF = """import socket,sys
s=socket.create_connection((sys.argv[1],int(sys.argv[2])),timeout=60); s.sendall(b'x'*3000000); s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode(), s.recv(1))
"""


LONG = "import socket; print(len(socket.getaddrinfo('long.example', 80, socket.AF_INET, socket.SOCK_STREAM)))"


class Web(socketserver.StreamRequestHandler):
    """HTTP in a few lines; says who came and asked."""
    came = []

    def handle(self):
        asked = False
        while line := self.rfile.readline():
            if line in (b"\r\n", b"\n"):
                break
            asked = True
        if asked:
            Web.came.append(self.client_address[0])
        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)


class Count(socketserver.BaseRequestHandler):
    def handle(self):
        total = 0
        while data := self.request.recv(65536):
            total += len(data)
        self.request.sendall(str(total).encode())


class Threads(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 500

    def handle_error(self, request, client_address):
        """Clients that leave early are part of it."""


class Threads6(Threads):
    address_family = socket.AF_INET6


def serve(kind, address, handler):
    server = kind((address, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def echo_udp(address):
    """Sends back what comes; `other` from another port."""
    bound, other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((address, 0))
    other.bind((address, 0))

    def run():
        while True:
            data, client = bound.recvfrom(65536)
            (other if data == b"other" else bound).sendto(data, client)

    threading.Thread(target=run, daemon=True).start()
    return bound.getsockname()[1]


class Resolver:
    """Knows outside.example, at this machine, and long.example, at too many addresses for a datagram; nothing else. Or it says nothing,
    or always the same failure. By UDP and TCP at port 53 of its address."""

    def __init__(self, address, silent=False, failure=0):
        self.silent, self.failure, self.asked = silent, failure, 0
        self.bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.bound.bind((address, 53))
        self.address = address
        self.stream = Threads((address, 53), type("Stream", (socketserver.StreamRequestHandler,), {"handle": lambda handler: self.stream_serve(handler)}))
        threading.Thread(target=self.run, daemon=True).start()
        threading.Thread(target=self.stream.serve_forever, daemon=True).start()

    def answer(self, query, stream):
        end = query.index(b"\0", 12) + 5
        name, kind = query[12:end - 5].lower(), query[end - 3]
        known = {b"\7outside\7example": [outside.MACHINE], b"\4long\7example": [f"203.0.113.{i}" for i in range(200)]}.get(name)
        addresses = known if known and kind == 1 else []
        truncated = len(addresses) > 20 and not stream
        rcode = self.failure or (0 if known else 3)
        records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address) for address in addresses) if not truncated else b""
        return query[:2] + bytes([0x83 if truncated else 0x81, 0x80 | rcode, 0, 1]) + (len(records) // 16).to_bytes(2, "big") + b"\0\0\0\0" + \
            query[12:end] + records

    def run(self):
        while True:
            query, client = self.bound.recvfrom(4096)
            if not query:
                return
            self.asked += 1
            if not self.silent:
                self.bound.sendto(self.answer(query, False), client)

    def stream_serve(self, handler):
        while length := handler.rfile.read(2):
            answer = self.answer(handler.rfile.read(int.from_bytes(length, "big")), True)
            handler.wfile.write(len(answer).to_bytes(2, "big") + answer)

    def end(self):
        self.stream.shutdown()
        self.stream.server_close()
        self.bound.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:  # a call that waits holds it open
            last.sendto(b"", (self.address, 53))


def nameservers(*addresses):
    with open(f"{os.environ['XDG_RUNTIME_DIR']}/resolv.conf", "w") as file:
        file.write("# the test's\n" + "".join(f"nameserver {address}\n" for address in addresses))


web, local, web6 = serve(Threads, outside.MACHINE, Web), serve(Threads, "127.0.0.1", Web), serve(Threads6, outside.CLIENT6, Web)
count, echo = serve(Threads, outside.MACHINE, Count), echo_udp(outside.MACHINE)
closed = socket.socket()
closed.bind((outside.MACHINE, 0))
CLOSED = closed.getsockname()[1]
names = Resolver("127.0.0.1")


def tried(net, address, port, *more, host=None):
    done = net.run(host, "/usr/bin/python3", "-c", TRY, address, str(port), *more)
    return done.stdout.strip() or done.stderr


def curl_is_whole(net, what, url, host=None):
    done = subprocess.run(net.words(host, ["curl", "-sS", "-g", "--max-time", "60", url]), capture_output=True, timeout=90)
    check(what, hashlib.sha256(done.stdout).digest() == hashlib.sha256(PAGE).digest(), done.stderr)


with Net("shut") as net:
    net.start("stays", "sleep", "1000")
    check("without a gateway there is no way out", tried(net, outside.MACHINE, web) == "ENETUNREACH")
    net.start("stays", "sleep", "1000", extra=["-p", "127.0.0.1::80"])
    check("nor where ports are only published", until(lambda: net.berth("port", "stays").stdout) and tried(net, outside.MACHINE, web) == "ENETUNREACH")
    check("nor by UDP", tried(net, outside.MACHINE, echo, "udp") == "ENETUNREACH")
    done = net.run(None, "dig", "+short", "+tries=1", "outside.example")
    check("nor for names", done.stdout == "", done)

with Net("open") as net:
    net.start("stays", "sleep", "1000", extra=["--gateway"])
    check("the network has a gateway", until(lambda: tried(net, outside.MACHINE, web) == "open"))
    curl_is_whole(net, "curl to the world", f"http://{outside.MACHINE}:{web}/")
    check("whose servers see this machine", Web.came == [outside.MACHINE], Web.came)
    curl_is_whole(net, "over IPv6", f"http://[{outside.CLIENT6}]:{web6}/")
    curl_is_whole(net, "by a name that this machine's resolver knows", f"http://outside.example:{web}/")
    curl_is_whole(net, "to this machine's own loopback", f"http://host.berth:{local}/")
    check("not by its address, which is the computer's own", tried(net, "127.0.0.1", local) == "ECONNREFUSED")
    for to in (outside.MACHINE, outside.CLIENT6, "stays", "host.berth", "outside.example"):
        done = net.run(None, "ping", "-c", "3", "-i", "0.2", "-W", "30", "-s", "2000", to)
        check(f"ping {to}", done.returncode == 0 and " 0% packet loss" in done.stdout, done)
    done = net.run(None, "dig", "+noall", "+comments", "nobody.example")
    check("names that nobody knows", "NXDOMAIN" in done.stdout, done)
    done = net.run(None, "dig", "+short", "stays")
    check("the network's own names are the network's", done.stdout.strip().startswith("10.0.0."), done)

    dump = subprocess.Popen([BERTH, "dump", "--net", net.name, "-w", f"{net.folder}/refused.pcapng", f"tcp port {CLOSED}"], stderr=subprocess.PIPE)
    dump.stderr.readline()
    check("who refuses outside refuses inside", tried(net, outside.MACHINE, CLOSED) == "ECONNREFUSED")
    dump.terminate()
    dump.communicate(timeout=30)
    flags = subprocess.run(["tshark", "-r", f"{net.folder}/refused.pcapng", "-T", "fields", "-e", "tcp.flags"], capture_output=True, text=True,
                           timeout=60).stdout.split()
    check("before any handshake", flags == ["0x0002", "0x0014"], flags)
    check("what is unreachable outside is so inside", tried(net, "203.0.113.9", 80) == "ENETUNREACH")
    check("and over IPv6", tried(net, "2001:db8:9::9", 80) == "ENETUNREACH")

    done = net.run(None, "/usr/bin/python3", "-c", STRANGER, outside.MACHINE, str(echo))
    check("datagrams of all sizes, and answers from elsewhere", done.stdout == "other True\nall\n", done)
    check("a closed UDP port", tried(net, outside.MACHINE, CLOSED, "udp") == "ECONNREFUSED")
    done = net.run(None, "/usr/bin/python3", "-c", MANY, outside.MACHINE, str(web))
    check("200 connections at once", done.stdout == "200\n", done)
    done = net.run(None, "/usr/bin/python3", "-c", HALF, outside.MACHINE, str(count))
    check("half closed", done.stdout == "3000000 b''\n", done)
    for number, words in enumerate(((), ("-R",), ("-P", "4"), ("-u", "-b", "20M"))):
        port = str(5201 + number)
        iperf = subprocess.Popen(["iperf3", "-s", "-1", "--forceflush", "-B", outside.MACHINE, "-p", port], stdout=subprocess.PIPE, text=True)
        check("iperf3 listens", any("listening" in line for line in iter(iperf.stdout.readline, "")))
        done = net.run(None, "iperf3", "-c", outside.MACHINE, "-p", port, "-n", "30M", *words, timeout=180)
        check(f"iperf3 {' '.join(words)}", done.returncode == 0 and "receiver" in done.stdout, done)
        iperf.communicate(timeout=60)

    done = net.run(None, "/usr/bin/python3", "-c", LONG)
    check("an answer too long for a datagram, by TCP at the loopback's nameserver", done.stdout == "200\n", done)
    silent, refuses, there = Resolver("127.0.0.2", silent=True), Resolver("127.0.0.3", failure=5), Resolver(outside.MACHINE)
    nameservers("127.0.0.2", "127.0.0.3", outside.MACHINE)
    ask = ["dig", "+tries=1", "+time=30", "+noall", "+comments", "+answer", "outside.example"]
    done = net.run(None, *ask, timeout=60)
    check("the next nameserver where one is silent, and where one refuses", outside.MACHINE in done.stdout, done)
    check("each was asked once", (silent.asked, refuses.asked, there.asked) == (1, 1, 1), (silent.asked, refuses.asked, there.asked))
    done = net.run(None, *ask, timeout=60)
    check("who answered is asked first then", outside.MACHINE in done.stdout and silent.asked == 1, (silent.asked, done))
    there.end()
    done = net.run(None, *ask, timeout=60)
    check("and the others when it has gone: what the last one says", "REFUSED" in done.stdout or "SERVFAIL" in done.stdout, done)
    for resolver in (silent, refuses):
        resolver.end()
    nameservers("127.0.0.1")
    done = net.run(None, *ask, timeout=60)
    check("one nameserver is left", outside.MACHINE in done.stdout, done)

    names.end()
    done = net.run(None, "dig", "+tries=1", "+time=30", "+noall", "+comments", "outside.example", timeout=60)
    check("a resolver that has gone is said so, at once", "SERVFAIL" in done.stdout, done)

listed = Resolver(outside.MACHINE)
nameservers(outside.MACHINE)
with Net("listed") as net:
    net.start("stays", "sleep", "1000", extra=[f"--gateway={outside.MACHINE}/32:{web},host:{local}"])
    check("what is listed is open", until(lambda: tried(net, outside.MACHINE, web) == "open"))
    done = net.run(None, "/usr/bin/python3", "-c", LONG)
    check("and the nameserver, for long answers", done.stdout == "200\n", done)
    check("so is the loopback", tried(net, "10.0.0.254", local) == "open")
    check("nothing else: another port", tried(net, outside.MACHINE, count) == "EHOSTUNREACH")
    check("another address", tried(net, outside.CLIENT, web) == "EHOSTUNREACH")
    check("UDP", tried(net, outside.MACHINE, echo, "udp") == "EHOSTUNREACH")
    check("another port of the loopback", tried(net, "10.0.0.254", web) == "EHOSTUNREACH")
    for words, said in [("nonsense", "nonsense"), ("10.0.0.0/33", "10.0.0.0/33"), ("10.0.0.1:0", "10.0.0.1:0"), ("", '""'),
                        ("10.0.0.0/8,", '""'), ("[fd00::1", "[fd00::1"), ("host:9-8", "host:9-8")]:
        done = net.run(None, "/bin/true", extra=[f"--gateway={words}"])
        check(f"refused: --gateway={words}", done.returncode == 125 and said in done.stderr and "such as" in done.stderr, done)

with Net("yaml") as net:
    path = f"{net.folder}/berth.yaml"

    def up(gateway, *words):
        with open(path, "w") as file:
            file.write(f"hosts: {{stays: {{command: sleep 1000}}}}\ngateway: {gateway}\n")
        return net.berth("up", "-d", "-f", path, *words)

    for gateway, said in [("[1]", ":2: gateway"), ("yes please", ":2: gateway: must be true"), ("{alow: []}", "allow"), ("{}", ":2: gateway: needs allow"),
                          ("{allow: [10.0.0.0/8, x]}", ':2: gateway.allow: "x" should be'), ("{allow: {a: b}}", "must be a list")]:
        done = up(gateway)
        check(f"refused: gateway: {gateway}", done.returncode == 1 and said in done.stderr, done)
    check("up with a list", up(f"{{allow: ['{outside.MACHINE}:{web}']}}").returncode == 0)
    check("what is listed is open, and nothing else", (tried(net, outside.MACHINE, web), tried(net, outside.MACHINE, count)) == ("open", "EHOSTUNREACH"))

with Net("file") as net:
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("networks: {a: {subnet: 10.1.0.0/24}, b: {subnet: 10.2.0.0/24}}\nhosts:\n  one: {networks: [a], command: sleep 1000}\n"
                   "  two: {networks: [b], command: sleep 1000}\n")
    check("up with a gateway", net.berth("up", "-d", "--gateway", "-f", f"{net.folder}/berth.yaml").returncode == 0)
    for host in ("one", "two"):
        curl_is_whole(net, f"out from each network: {host}", f"http://{outside.MACHINE}:{web}/", host)
        curl_is_whole(net, f"to the loopback: {host}", f"http://host.berth:{local}/", host)

finish()
