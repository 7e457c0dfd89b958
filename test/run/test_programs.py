"""Real programs on virtual computers, each judged by its own proof."""
import hashlib
import os
import shutil
import subprocess
import sys

from harness import Net, check, finish, until

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../../examples/figures")
import servers


def sha(data):
    return hashlib.sha256(data).hexdigest()


with Net("http") as net:
    root = f"{net.folder}/root"
    os.mkdir(root)
    data = os.urandom(20 << 20)
    with open(f"{root}/big", "wb") as file:
        file.write(data)
    work = f"{net.folder}/nginx"
    os.mkdir(work)
    net.start("server", *servers.nginx(work, root), extra=["--ip", "10.0.0.1"])
    check("nginx with two workers listens", net.listening(80))
    done = net.run("pc", "sh", "-c", f"curl -sS -o {net.folder}/got -w '%{{http_code}} %{{remote_ip}} %{{remote_port}}' http://server/big")
    check("curl fetches 20 MiB by name", done.stdout == "200 10.0.0.1 80" and sha(open(f"{net.folder}/got", "rb").read()) == sha(data),
          (done, os.path.exists(f"{net.folder}/got")))
    done = net.run("pc", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", "-o", "/dev/null", "http://server/big",
                   "http://10.0.0.1/big")
    check("and two in one go", [line for line in done.stdout.splitlines() if line] == ["200 1", "200 1"] or
          done.stdout.split() == ["200", "1", "200", "0"], done)
    if shutil.which("wrk"):
        done = net.run("pc", "wrk", "-t2", "-c50", "-d2s", "http://server/nothing")
        check("wrk sees no socket errors", "Requests/sec" in done.stdout and "Socket errors" not in done.stdout, done)

with Net("https") as net:
    os.mkdir(f"{net.folder}/root")
    with open(f"{net.folder}/root/page", "w") as file:
        file.write("secret\n")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=server", "-addext",
                           "subjectAltName=DNS:server", "-keyout", f"{net.folder}/key", "-out", f"{net.folder}/cert"], capture_output=True)
    check("a certificate is made", made.returncode == 0, made.stderr)
    # The listening socket is wrapped, and the client's before it is connected.
    net.start("server", "/usr/bin/python3", "-c", f"""
import functools, http.server, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('{net.folder}/cert', '{net.folder}/key')
server = http.server.ThreadingHTTPServer(('', 443), functools.partial(http.server.SimpleHTTPRequestHandler, directory='{net.folder}/root'))
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
""")
    check("a web server with TLS listens", net.listening(443))
    done = net.run("pc", "curl", "-sS", "--cacert", f"{net.folder}/cert", "https://server/page")
    check("curl fetches by https", done.stdout == "secret\n", done)
    done = net.run("pc", "/usr/bin/python3", "-c", f"""
import socket, ssl
s = ssl.create_default_context(cafile='{net.folder}/cert').wrap_socket(socket.socket(), server_hostname='server')
s.connect(('server', 443))
s.sendall(b'GET /page HTTP/1.0\\r\\n\\r\\n')
print(b''.join(iter(lambda: s.recv(4096), b'')).split(b'\\r\\n\\r\\n')[1])
""")
    check("and so does python", done.stdout == "b'secret\\n'\n", done)

with Net("redis") as net:
    net.start("server", "redis-server", "--save", "", "--protected-mode", "no", "--dir", net.folder)
    check("redis listens", net.listening(6379))
    done = net.run("pc", "redis-cli", "-h", "server", "set", "key", "value")
    check("redis-cli sets", done.stdout.strip() == "OK", done)
    done = net.run("pc", "redis-cli", "-h", "server", "get", "key")
    check("and gets from another run", done.stdout.strip() == "value", done)
    done = net.run("pc", "redis-benchmark", "-h", "server", "-q", "-n", "20000", "-c", "50", "-t", "set,get")
    check("redis-benchmark with 50 clients", done.returncode == 0 and "requests per second" in done.stdout, done)
    done = net.run("pc", "redis-benchmark", "-h", "server", "-q", "-n", "100000", "-P", "16", "-t", "get")
    check("and pipelined", done.returncode == 0 and "requests per second" in done.stdout, done)

with Net("udp-end") as net:
    server = net.start("server", "/usr/bin/python3", "-c", """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 7))
lengths = []
while True:
    data, peer = s.recvfrom(100)
    if data == b"the end": break
    lengths.append(len(data))
    if data == b"three": s.sendto(b"got it", peer)
print(lengths)
""")
    check("a server of datagrams", net.listening(7, "udp"))
    net.run("pc", "/usr/bin/python3", "-c", """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("server", 7))
for data in (b"one", b"", b"three"): s.send(data)
s.shutdown(socket.SHUT_WR)
s.recv(100)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"the end", ("server", 7))
""")
    said = server.communicate(timeout=60)[0]
    check("who shuts down writing has sent what it sent, and no empty datagrams without end", said == "[3, 0, 5]\n", said)

with Net("iperf") as net:
    for port, words in enumerate(([], ["-R"], ["-P", "4"], ["-u", "-b", "20M"]), 5201):
        net.start("server", "iperf3", "-s", "-1", "-p", f"{port}")  # each a server of its own: between two clients it does not listen
        check("iperf3 listens", net.listening(port))
        done = net.run("pc", "iperf3", "-c", "server", "-p", f"{port}", "-t", "1", *words)
        check(f"iperf3 {' '.join(words)}", done.returncode == 0 and "receiver" in done.stdout, done)

with Net("prefork") as net:
    net.start("server", "/usr/bin/python3", f"{HERE}/programs/prefork.py", "7000")
    check("four pre-forked acceptors", net.listening(7000))
    done = net.run("pc", "/usr/bin/python3", "-c", "import socket\nfor n in range(40):\n  print(socket.create_connection(('server', 7000))"
                   ".makefile().read().strip())")
    check("40 connections, each answered once", len(done.stdout.split()) == 40, done)
    done = net.run("server", "/usr/bin/python3", f"{HERE}/programs/prefork.py", "7001", "daemon")
    check("a daemonised grandchild: berth run ends with its parent", done.returncode == 0, done)
    check("and the grandchild serves on", net.listening(7001) and
          net.run("pc", "nc", "-d", "server", "7001").stdout.strip().isdigit())

with Net("half") as net:
    net.start("server", "/usr/bin/python3", "-c", """
import socket, threading
def serve(s):
    n = 0
    while data := s.recv(65536):
        n += len(data)
    s.sendall(b'%d' % n)
    s.close()
listener = socket.create_server(('', 9000), backlog=500)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
""", extra=["--ip", "10.0.0.1"])
    net.listening(9000)
    done = net.run("pc", "/usr/bin/python3", "-c", """
import socket
for n in range(500):
    lot = [socket.create_connection(('10.0.0.1', 9000), 10) for i in range(4)]
    for s in lot:
        s.sendall(b'x' * (n + 1))
        s.shutdown(socket.SHUT_WR)
    for s in lot:
        assert s.recv(99) == b'%d' % (n + 1)
        s.close()
print('all answered')
""", timeout=120)
    check("an end of stream right behind the last octets is heard, 2,000 times", done.stdout == "all answered\n", done)

with Net("calls") as net:
    binary = f"{net.folder}/calls"
    built = subprocess.run(["cc", "-O1", "-static", "-pthread", "-o", binary, f"{HERE}/programs/calls.c"], capture_output=True, text=True)
    check("a static program is built", built.returncode == 0, built.stderr)
    net.start("server", "/usr/bin/python3", "-c", "import socket\ns=socket.create_server(('',9000),backlog=200)\nkeep=[]\n"
              "while True: keep.append(s.accept()); keep=keep[-50:]", extra=["--ip", "10.0.0.1"])
    net.listening(9000)
    done = net.run("pc", binary, "10.0.0.1", "9000", "9001")
    for line in done.stdout.splitlines():
        check(f"static: {line.split(' ', 1)[1]}", line.startswith("ok"))
    check("the static program ran to its end", done.returncode == 0, done)

with Net("loop") as net:
    for host in ("a", "b"):
        os.mkdir(f"{net.folder}/{host}")
        with open(f"{net.folder}/{host}/who", "w") as file:
            file.write(host)
        net.start(host, "/usr/bin/python3", "-m", "http.server", "-b", "127.0.0.1", "-d", f"{net.folder}/{host}", "8080")
    until(lambda: net.berth("ss", "-ltn").stdout.count(":8080") >= 2)
    for host in ("a", "b"):
        done = net.run(host, "curl", "-sS", "http://127.0.0.1:8080/who")
        check(f"127.0.0.1:8080 of {host} is its own", done.stdout == host, done)
    done = net.run("c", "curl", "-sS", "http://127.0.0.1:8080/who")
    check("and nobody's on a third computer", done.returncode == 7, done)

with Net("names") as net:
    net.web(ip="10.0.0.1")
    done = net.run("pc", "getent", "ahostsv4", "server")
    check("getent finds a host by name", done.stdout.startswith("10.0.0.1 "), done)
    done = net.run("pc", "dig", "+short", "@192.0.2.53", "server")
    check("dig asks any nameserver it likes", done.stdout.strip() == "10.0.0.1", done)
    done = net.run("pc", "dig", "+short", "-x", "10.0.0.1", "@127.0.0.53")
    check("and finds names by address", done.stdout.strip() == "server.", done)
    done = net.run("pc", "dig", "nobody", "@192.0.2.53")
    check("an unknown name is NXDOMAIN", "NXDOMAIN" in done.stdout, done)
    done = net.run("pc", "/usr/bin/python3", "-c", "import socket; print(socket.getaddrinfo('server', 80, type=1)[0][4][0], socket.gethostbyaddr('10.0.0.1')[0])")
    check("python resolves both ways", done.stdout.split() in (["10.0.0.1", "server"], ["fd00:10::1", "server"]), done)
    server = net.start("dns", "/usr/bin/python3", "-c", "import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind(('',53))\n"
                       "while True:\n  d,a=s.recvfrom(999); s.sendto(b'own'+d,a)", extra=["--ip", "10.0.0.53"])
    net.listening(53, "udp")
    done = net.run("pc", "/usr/bin/python3", "-c", "import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.settimeout(5)\n"
                   "s.sendto(b'hi',('10.0.0.53',53)); print(s.recvfrom(99))")
    check("a program bound at port 53 gets what is asked of it", done.stdout.strip() == "(b'ownhi', ('10.0.0.53', 53))", done)

if shutil.which("go"):
    with Net("go") as net:
        source = f"{net.folder}/main.go"
        with open(source, "w") as file:
            file.write("""package main
import ("fmt"; "io"; "net"; "net/http"; "os")
func main() {
    if os.Args[1] == "serve" {
        http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "go says %s", r.URL.Path) })
        panic(http.ListenAndServe(":8000", nil))
    }
    for i := 0; i < 50; i++ {
        answer, err := http.Get("http://server:8000/hello")
        if err != nil { fmt.Println(err); os.Exit(1) }
        body, _ := io.ReadAll(answer.Body)
        answer.Body.Close()
        if string(body) != "go says /hello" { os.Exit(2) }
    }
    _, err := net.Dial("tcp", "server:8001")
    fmt.Println(err)
}
""")
        built = subprocess.run(["go", "build", "-o", f"{net.folder}/go", source], capture_output=True, text=True,
                               env={**os.environ, "CGO_ENABLED": "0", "GOCACHE": f"{net.folder}/cache", "GO111MODULE": "off",
                                    "HOME": net.folder})
        if check("a static Go program is built", built.returncode == 0, built.stderr):
            net.start("server", f"{net.folder}/go", "serve", extra=["--ip", "10.0.0.1"])
            net.listening(8000)
            done = net.run("pc", f"{net.folder}/go", "get")
            check("net/http asks 50 times; a closed port is refused", done.returncode == 0 and "connection refused" in done.stdout, done)

with Net("ports") as net:
    done = net.run("pc", "/usr/bin/python3", "-c", """
import socket, errno
def bound(port, reuse=False, ip=''):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    try:
        s.bind((ip, port)); s.listen(); return s
    except OSError as e:
        return errno.errorcode[e.errno]
held = [bound(port) for port in range(1, 1000)]
print(all(not isinstance(s, str) for s in held), bound(500), bound(500, ip='127.0.0.1'), bound(2000, ip='9.9.9.9'))
held[499].close()
print(not isinstance(bound(500), str))
""")
    check("any program may take any port, once", done.stdout == "True EADDRINUSE EADDRINUSE EADDRNOTAVAIL\nTrue\n", done)

finish()
