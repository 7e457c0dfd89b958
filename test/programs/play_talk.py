"""telnet, the netcats, socat, busybox and nmap: programs that say what they are told to, over TCP and UDP."""
import hashlib
import os
import re
import signal
import sys

from lab import HERE, harness, program
from play_files import digest

sys.path.insert(0, f"{HERE}/../../examples/figures")
from servers import inetd
from stage import Failure, Program


def telnet_session(way, *client):
    """A dialogue on a terminal with the login of examples/figures, which turns what it hears by 13 letters."""
    token, turned = f"over {way}", "".join(chr((ord(c) - 84) % 26 + 97) if c.islower() else c for c in f"over {way}")
    session = Program("telnet", way.lab.words(way.client, client), terminal=True)
    try:
        session.expect("say something> ", 60)
        session.type(token)
        session.expect(f"you said {turned}> ", 60)
        session.type("bye")
        session.finish(60)
        way.check(f"{client[0]}: the server turned what was typed", True)
    except Failure as failure:
        way.check(f"{client[0]}: the server turned what was typed", False, failure)
        os.kill(session.pid, signal.SIGKILL)


def inetd_start(lab):
    """telnetd through inetd. An IPv6 socket of inetd's takes IPv4, too, and so excludes one for IPv4 alone, as on Linux."""
    words = inetd(lab.folder)
    with open(words[-1]) as file:
        lines = file.read()
    lab.file("inetd.conf", re.sub(r"\b(tcp|udp)4\b", r"\g<1>6", lines))
    lab.start("server", *words)
    lab.ready(23, 7)


@program("telnet", "a dialogue on a terminal, through inetd and telnetd, whose answers are not echoes")
def telnet(lab):
    inetd_start(lab)
    for way in lab.ways():
        telnet_session(way, "inetutils-telnet", f"-{way.family}", way.address)


@program("busybox", "its telnet holds a dialogue; hashes of what its wget fetched from its httpd, and of what its nc carried")
def busybox(lab):
    inetd_start(lab)
    lab.file("www/page", os.urandom(2_000_000))
    lab.start("server", "busybox", "httpd", "-f", "-p", "[::]:80", "-h", f"{lab.folder}/www")
    lab.start("server", "busybox", "telnetd", "-F", "-p", "2323", "-l", f"{lab.folder}/login")
    lab.ready(80, 2323)
    for number, way in enumerate(lab.ways()):
        telnet_session(way, "busybox", "telnet", way.address, "23")
        telnet_session(way, "busybox", "telnet", way.address, "2323")
        got = f"{lab.folder}/got-{number}"
        done = way.run("busybox", "wget", "-q", "-O", got, f"http://{way.literal}/page")
        way.check("httpd and wget: the same hash", digest(got) == digest(f"{lab.folder}/www/page"), done)
        data, port = os.urandom(1_000_000), 7000 + number
        server = lab.start("server", "busybox", "nc", "-l", "-p", str(port), "-e", "sha256sum")
        lab.ready(port)
        lab.file("sent", data)
        done = way.run("busybox", "nc", way.address, str(port), input=data, text=False)
        server.wait(timeout=60)
        way.check("nc: the hash that sha256sum behind nc -e says", hashlib.sha256(data).hexdigest().encode() in done.stdout, done)


@program("netcat-openbsd", "hashes of what went over TCP (nc -N) and of datagrams (nc -u)")
def netcat(lab):
    for number, way in enumerate(lab.ways()):
        data, tcp, udp = os.urandom(3_000_000), 7000 + number, 7100 + number
        with open(f"{lab.folder}/got-{number}", "wb") as got:
            server = lab.start("server", "nc.openbsd", f"-{way.family}", "-l", str(tcp), stdout=got)
        lab.ready(tcp)
        done = way.run("nc.openbsd", "-N", way.address, str(tcp), input=data, text=False)
        server.wait(timeout=60)
        way.check("TCP: the same hash", hashlib.sha256(data).hexdigest() == digest(f"{lab.folder}/got-{number}"), done)
        lines = b"".join(b"line %d over %s\n" % (n, str(way).encode()) for n in range(20))
        server = lab.start("server", "nc.openbsd", f"-{way.family}", "-u", "-l", str(udp))
        lab.ready(udp, protocol="udp")
        done = way.run("nc.openbsd", "-u", "-w", "1", way.address, str(udp), input=lines, text=False)
        way.check("UDP: what was said", lab.said(server) == lines.decode(), (done, lab.said(server)))
        server.terminate()


@program("socat", "hashes that sha256sum behind TCP-LISTEN,fork said to four clients at once, and over TLS; UDP answers")
def socat(lab):
    certificate, key = lab.certificate()
    pem = lab.file("both.pem", open(certificate).read() + open(key).read())
    for number, way in enumerate(lab.ways()):
        tcp, tls, udp = (7000 + 10 * number + add for add in range(3))
        lab.start("server", "socat", f"TCP{way.family}-LISTEN:{tcp},fork,reuseaddr", "EXEC:sha256sum")
        lab.start("server", "socat", f"OPENSSL-LISTEN:{tls},pf=ip{way.family},fork,reuseaddr,cert={pem},verify=0", "EXEC:sha256sum")
        lab.start("server", "socat", f"UDP{way.family}-RECVFROM:{udp},fork", "EXEC:sha256sum")
        lab.ready(tcp, tls)
        lab.ready(udp, protocol="udp")
        datas = [os.urandom(500_000) for _ in range(4)]
        clients = []
        for at, data in enumerate(datas):
            with open(lab.file(f"data-{at}", data), "rb") as source:
                clients.append(way.start("socat", "-t", "60", "-", f"TCP{way.family}:{way.literal}:{tcp}", stdin=source))
        for client in clients:
            client.wait(timeout=120)
        said = [lab.said(client).split()[:1] for client in clients]
        way.check("TCP: four clients at once get their own hashes", said == [[hashlib.sha256(data).hexdigest()] for data in datas], said)
        done = way.run("socat", "-t", "60", "-", f"OPENSSL:{way.literal}:{tls},cafile={certificate},commonname=server", input=datas[0], text=False)
        way.check("TLS, with the certificate checked", hashlib.sha256(datas[0]).hexdigest().encode() in done.stdout, done)
        done = way.run("socat", "-T", "2", "-", f"UDP{way.family}:{way.literal}:{udp}", input=b"a datagram", text=False)
        way.check("UDP: the hash of a datagram", hashlib.sha256(b"a datagram").hexdigest().encode() in done.stdout, done)


@program("ncat", "hashes of what went over TCP and over TLS, what its broker told others, and datagrams")
def ncat(lab):
    for number, way in enumerate(lab.ways()):
        tcp, tls, chat, udp = (7000 + 10 * number + add for add in range(4))
        data = os.urandom(1_000_000)
        source = lab.file("source", data)
        # The server sends: a TLS client that sends and closes leaves the server's tickets unread, and its RST may lose octets.
        for what, port, words in (("TCP", tcp, []), ("TLS", tls, ["--ssl"])):
            with open(source, "rb") as file:
                lab.start("server", "ncat", f"-{way.family}", "-l", *words, "--send-only", str(port), stdin=file)
            lab.ready(port)
            done = way.run("ncat", *words, "--recv-only", way.address, str(port), text=False)
            way.check(f"{what}: the same hash", hashlib.sha256(done.stdout).hexdigest() == hashlib.sha256(data).hexdigest(), done.stderr)
        lab.start("server", "ncat", f"-{way.family}", "-l", "--broker", str(chat))
        server = lab.start("server", "ncat", f"-{way.family}", "-u", "-l", str(udp))
        lab.ready(chat)
        lab.ready(udp, protocol="udp")
        listener = way.start("ncat", "--recv-only", way.address, str(chat))
        joined = harness.until(lambda: lab.berth("ss", "-tn", "sport", "=", f":{chat}").stdout.count("ESTAB") == 1, 60)
        done = way.run("ncat", "--send-only", way.address, str(chat), input="to all\n")
        told = harness.until(lambda: lab.said(listener) == "to all\n", 60)
        way.check("the broker tells the other", joined and told, (done, lab.said(listener)))
        listener.terminate()
        way.run("ncat", "-u", "--send-only", way.address, str(udp), input="a datagram\n")
        way.check("UDP: it arrives", harness.until(lambda: lab.said(server) == "a datagram\n", 60), lab.said(server))


@program("nmap -sT", "its list of open ports among 1,200 is the servers', and its version scan names nginx")
def nmap(lab):
    opened = [80, 443, 1021]
    conf = lab.file("conf", f"""daemon off; pid {lab.folder}/pid; error_log stderr crit; {'user root;' if os.getuid() == 0 else ''}
events {{ }} http {{ access_log off; client_body_temp_path {lab.folder}/b; proxy_temp_path {lab.folder}/p; fastcgi_temp_path {lab.folder}/f;
uwsgi_temp_path {lab.folder}/u; scgi_temp_path {lab.folder}/s; server {{ {' '.join(f'listen {p}; listen [::]:{p};' for p in opened)}
location / {{ return 200 hello; }} }} }}""")
    lab.start("server", "nginx", "-e", "stderr", "-c", conf)
    lab.ready(*opened)
    for way in lab.ways():
        six = ["-6"] if way.ipv6 else []
        done = way.run("nmap", *six, "-n", "-Pn", "-sT", "--unprivileged", "-p", "1-1200", "-oG", "-", way.address, timeout=200)
        found = [int(port) for port in re.findall(r"(\d+)/open/tcp", done.stdout)]
        # On its own loopback, where resolv.conf may point, the network answers for names.
        names = [53] if way.address in ("127.0.0.1", "::1") else []
        way.check("the open ports, and no other", found == names + opened, done)
        done = way.run("nmap", *six, "-n", "-Pn", "-sT", "-sV", "--version-light", "--unprivileged", "-p", "80", way.address, timeout=200)
        way.check("the version of what answers there", re.search(r"80/tcp +open +http +nginx", done.stdout), done)
