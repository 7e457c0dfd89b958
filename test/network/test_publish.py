"""Published ports: real clients of this machine at programs of the network, which see who comes."""
import errno
import hashlib
import os
import re
import socket
import struct
import subprocess
import threading

import outside
outside.enter()

from harness import BERTH, Net, check, finish, until  # noqa: E402

MIB = 1 << 20
WEB = """daemon off; user root root; pid {0}/pid; error_log {0}/error; worker_processes 1; events {{ worker_connections 900; }}
http {{ access_log {0}/access; client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0};
  scgi_temp_path {0}; server {{ listen 80; listen [::]:80; root {0}/www; }} }}
"""
ECHO_UDP = "import socket\ns=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM); s.bind(('::',7))\n" \
           "while 1: d,a=s.recvfrom(65536); s.sendto(f'{a[0]} {a[1]} {len(d)}'.encode() if len(d)<9000 else d,a)"
HALF = "import socket\ns=socket.socket(); s.bind(('',9)); s.listen(9)\nwhile 1:\n c,a=s.accept(); n=0\n" \
       " while d:=c.recv(65536): n+=len(d)\n c.sendall(f'{n} octets from {a[0]}:{a[1]}'.encode()); c.close()"
RESET = "import socket,struct\ns=socket.socket(); s.bind(('',10)); s.listen(9)\nwhile 1:\n c,a=s.accept(); c.recv(1)\n" \
        " c.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack('ii',1,0)); c.close()"
STUCK = "import socket,time\ns=socket.socket(); s.bind(('',11)); s.listen(9); c=s.accept()[0]; c.setblocking(0); n=0\n" \
        "open('stuck','w').close()\nimport os\nwhile not os.path.exists('go'): time.sleep(.01)\nc.setblocking(1)\n" \
        "while d:=c.recv(65536): n+=len(d)\nc.sendall(str(n).encode()); c.close()"


OPENS = "import socket,sys\nfor line in sys.stdin:\n all=[socket.create_server(('',port)) for port in (80,81)]; print('listening',flush=True)\n" \
        " clients=[s.accept()[0] for s in all]; [s.close() for s in all]; print('closed',flush=True)\n" \
        " for c in clients: c.sendall(c.recv(5)); c.close()"


def curl(*words):
    return subprocess.run(["curl", "-sS", "--max-time", "60", *words], capture_output=True, timeout=90)


def ask(port, data, family=socket.AF_INET, to="127.0.0.1", source=None):
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(30)
        if source:
            client.bind((source, 0))
        client.connect((to, port))
        client.send(data)
        return client.recv(65536), client.getsockname()


def tried(port):
    """What a client of this machine hears."""
    with socket.socket() as client:
        client.settimeout(60)
        return errno.errorcode.get(client.connect_ex(("127.0.0.1", port)), "open")


def taken(port):
    """What a server of this machine hears that wants the port, too."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", port))
            other.listen()
            return "bound"
        except OSError as error:
            return errno.errorcode[error.errno]


with Net("publish") as net:
    folder = net.folder
    os.makedirs(f"{folder}/www")
    page = os.urandom(20 * MIB)
    with open(f"{folder}/www/page", "wb") as file:
        file.write(page)
    with open(f"{folder}/nginx.conf", "w") as file:
        file.write(WEB.format(folder))
    net.start("web", "nginx", "-e", f"{folder}/error", "-c", f"{folder}/nginx.conf", extra=["-p", "8080:80"])
    check("nginx listens", net.listening(80))
    done = net.berth("port", "web")
    check("berth port, in docker's words", done.stdout == "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n", done)
    check("one port", net.berth("port", "web", "80").stdout == "0.0.0.0:8080\n[::]:8080\n")
    done = net.berth("port", "web", "81/udp")
    check("none", done.returncode == 1 and "no public port 81/udp published for web" in done.stderr, done)
    done = net.berth("port", "web", "80/tpc")
    check("misuse says the whole word", done.returncode == 2 and '"80/tpc" should be such as' in done.stderr, done)

    for url, words, seen in [(f"http://{outside.MACHINE}:8080/page", ("--interface", outside.CLIENT), outside.CLIENT),
                             (f"http://[{outside.CLIENT6}]:8080/page", ("-g", "--interface", outside.CLIENT6), outside.CLIENT6),
                             ("http://127.0.0.1:8080/page", ("--local-port", "40111"), "10.0.0.254"),
                             ("http://[::1]:8080/page", ("-g",), "fd00:10::fe")]:
        done = curl(*words, url)
        check(f"curl {url}: every octet", hashlib.sha256(done.stdout).digest() == hashlib.sha256(page).digest(), done.stderr)
        check(f"nginx saw {seen}", until(lambda: os.path.exists(f"{folder}/access") and
                                         open(f"{folder}/access").read().strip().splitlines()[-1].startswith(seen + " ")),
              open(f"{folder}/access").read())
    several = [subprocess.Popen(["curl", "-sS", "--max-time", "120", "--interface", outside.CLIENT, "-w", "%{http_code} ",
                                 *["-o", "/dev/null", f"http://{outside.MACHINE}:8080/page"] * 2], stdout=subprocess.PIPE, text=True) for _ in range(8)]
    check("many at once", [one.communicate(timeout=180)[0] for one in several] == ["200 200 "] * 8)

    peers = subprocess.run(["python3", "-c", f"""
import socket
all=[]
for i in range(300):
    s=socket.create_connection(("{outside.MACHINE}",8080),source_address=("{outside.CLIENT}",0)); all.append(s)
for s in all: s.sendall(b"HEAD /page HTTP/1.0\\r\\n\\r\\n")
print(sum(s.recv(12).startswith(b"HTTP/1.1 200") for s in all))"""], capture_output=True, text=True, timeout=120)
    check("300 connections open at once", peers.stdout == "300\n", peers)

    done = net.run("other", "/bin/true", extra=["-p", "8080:80"])
    check("a port that is published already", done.returncode == 125 and "port 0.0.0.0:8080/tcp of this machine is taken by host web" in done.stderr, done)
    holder = socket.create_server(("127.0.0.1", 0))
    done = net.run("other", "/bin/true", extra=["-p", f"127.0.0.1:{holder.getsockname()[1]}:80"])
    check("a port that a program has", done.returncode == 125 and f"is taken by python3 (pid {os.getpid()})" in done.stderr, done)
    holder.close()
    for words, said in [("1.2.3.4:8081:80", "no address 1.2.3.4"), ("808080:80", "808080"), ("80:80/sctp", "sctp"), ("", ""), ("a:b", "a:b"),
                        ("80-90:80-81", "80-90"), ("8000-9024:1000-2024", "a range has 1024 ports at most")]:
        done = net.run("other", "/bin/true", extra=["-p", words])
        check(f"refused: -p {words or 'nothing'}", done.returncode == 125 and said in done.stderr and done.stderr.startswith("berth: "), done)

    # While nobody listens there the client is refused, and nobody else gets the port.
    opens = net.start("opens", "python3", "-c", OPENS, extra=["-p", "127.0.0.1:8090:80", "-p", "127.0.0.1::81"], stdin=subprocess.PIPE)
    check("published though nobody listens", until(lambda: net.berth("port", "opens").stdout.count("\n") == 2))
    chosen = int(re.search(r"81/tcp -> 127\.0\.0\.1:(\d+)", net.berth("port", "opens").stdout)[1])
    for turn in range(3):
        for port in (8090, chosen):
            check(f"{port} is refused, as inside", until(lambda: tried(port) == "ECONNREFUSED"), tried(port))
            check("but it is the network's", (said := taken(port)) == "EADDRINUSE", said)
        opens.stdin.write("open\n")
        opens.stdin.flush()
        check("a program listens", (said := opens.stdout.readline()) == "listening\n", said)
        clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for port in (8090, chosen)]
        check("it has its clients, and listens no more", (said := opens.stdout.readline()) == "closed\n", said)
        check("refused again", until(lambda: tried(8090) == tried(chosen) == "ECONNREFUSED"), (tried(8090), tried(chosen)))
        for client in clients:
            client.sendall(b"still")
            check("who was connected goes on", (said := client.recv(5)) == b"still", said)
            client.close()
    opens.stdin.write("open\n")
    opens.stdin.flush()
    check("open", opens.stdout.readline() == "listening\n" and tried(8090) == "open")
    check("switched off: refused", net.berth("kill", "opens").returncode == 0 and tried(8090) == "ECONNREFUSED", tried(8090))

    net.start("tcp", "python3", "-c", HALF, extra=["-p", "127.0.0.1:8009:9"])
    net.start("tcp", "python3", "-c", RESET, extra=["-p", "127.0.0.1:8010:10"])
    check("servers listen", net.listening(9) and net.listening(10) and until(lambda: "8010" in net.berth("port", "tcp").stdout))
    with socket.create_connection(("127.0.0.1", 8009), timeout=60) as client:
        client.sendall(b"x" * (3 * MIB))
        client.shutdown(socket.SHUT_WR)
        said = client.recv(100).decode()
        check("half closed, answered, from the client's own port", said == f"{3 * MIB} octets from 10.0.0.254:{client.getsockname()[1]}", said)
        check("and then the end", client.recv(10) == b"")
    with socket.create_connection(("127.0.0.1", 8010), timeout=60) as client:
        client.sendall(b"x")
        try:
            said = client.recv(10)
        except ConnectionResetError:
            said = "reset"
        check("a reset comes out as one", said == "reset", said)

    # A reader that stands still stops the writer, and nothing is lost.
    net.start("stuck", "python3", "-c", STUCK, extra=["-p", "127.0.0.1:8011:11"], cwd=folder)
    check("a reader that will stand still", net.listening(11) and until(lambda: "8011" in net.berth("port", "stuck").stdout))
    with socket.create_connection(("127.0.0.1", 8011), timeout=60) as client:
        check("it stands", until(lambda: os.path.exists(f"{folder}/stuck")))
        client.setblocking(False)
        sent, still = 0, 0
        while still < 100:
            try:
                sent += client.send(b"y" * 65536)
                still = 0
            except BlockingIOError:
                still += 1
                until(lambda: False, 0.01)
        check("the writer is stopped", 65536 < sent < 64 * MIB, sent)
        open(f"{folder}/go", "w").close()
        client.settimeout(60)
        client.shutdown(socket.SHUT_WR)
        check("nothing is lost", (said := client.recv(100)) == str(sent).encode(), (said, sent))

    net.start("udp", "python3", "-c", ECHO_UDP, extra=["-p", f"8007:7/udp", "-p", "127.0.0.1::7/udp"])
    check("a datagram server", net.listening(7, "udp") and until(lambda: net.berth("port", "udp").stdout.count("7/udp") == 3))
    got, own = ask(8007, b"hello", to=outside.MACHINE, source=outside.CLIENT)
    check("it sees the client", got.decode() == f"::ffff:{outside.CLIENT} {own[1]} 5", got)
    got, own = ask(8007, b"hello", socket.AF_INET6, outside.CLIENT6, outside.CLIENT6)
    check("over IPv6, too", got.decode() == f"{outside.CLIENT6} {own[1]} 5", got)
    chosen = re.search(r"127\.0\.0\.1:(\d+)", net.berth("port", "udp").stdout)
    got, own = ask(int(chosen[1]), b"z" * 30000)
    check("a long datagram at a port of its own choice", got == b"z" * 30000, len(got))

    for number, words in enumerate(((), ("-R",), ("-P", "4"), ("-u", "-b", "20M"))):
        port = str(5201 + number)  # each a server of its own: between two clients it does not listen
        net.start("iperf", "iperf3", "-s", "-1", "-p", port, extra=["-p", f"127.0.0.1:{port}:{port}", "-p", f"127.0.0.1:{port}:{port}/udp"])
        check("iperf3 listens", net.listening(int(port)) and until(lambda: f"{port}/udp" in net.berth("port", "iperf").stdout))
        done = subprocess.run(["iperf3", "-c", "127.0.0.1", "-p", port, "-n", "30M", *words], capture_output=True, text=True, timeout=180)
        check(f"iperf3 {' '.join(words)}", done.returncode == 0 and "receiver" in done.stdout, done)

    with open(f"{folder}/berth.yaml", "w") as file:
        file.write('hosts:\n  a: {command: "sleep 1000", ports: ["127.0.0.1:8123:80", "127.0.0.1::53/udp"]}\n  b: {ports: ["127.0.0.1:8123:81"]}\n')
    other = Net("file")
    with other:
        done = other.berth("up", "-d", "-f", f"{folder}/berth.yaml")
        check("a conflict within a file has its line", done.returncode == 1 and "berth.yaml:3: hosts.b.ports: port 127.0.0.1:8123/tcp" in done.stderr, done)
        with open(f"{folder}/berth.yaml", "a") as file:
            file.seek(0)
            file.truncate()
            file.write('hosts:\n  a: {command: "python3 -m http.server 80", ports: ["127.0.0.1:8123:80", "127.0.0.1::53/udp"]}\n')
        check("up with ports", other.berth("up", "-d", "-f", f"{folder}/berth.yaml").returncode == 0 and other.listening(80))
        check("which are open", curl("http://127.0.0.1:8123/").returncode == 0)
        check("and listed", len(other.berth("port", "a").stdout.splitlines()) == 2)

with socket.socket() as test:
    test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    test.bind(("0.0.0.0", 8080))
    check("afterwards the port is free", True)
finish()
