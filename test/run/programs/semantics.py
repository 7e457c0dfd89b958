"""Does everything a program may do with its sockets and prints what came of it: the same lines on the kernel's own sockets and on a
virtual computer. All on one computer's loopback. Lines depend on no port, time or descriptor number."""
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
from sockets import FIONREAD, IP, LO, SIOCATMARK, SOL, TCP, attempt, closed_port, listener, mask, option, pair, say, settled, tcp, udp, woken


def fresh():
    for family, kind, protocol in ((2, 1, 0), (2, 1, 6), (2, 2, 0), (2, 2, 17), (2, 1, 17), (2, 2, 6), (2, 5, 0), (2, 7, 0), (2, 1 | 0x80000 | 0x800, 0)):
        got = attempt(socket.socket, family, kind, protocol)
        say("socket", family, kind, protocol, got if isinstance(got, str) else "ok")
        if not isinstance(got, str):
            say("  flags", fcntl.fcntl(got, fcntl.F_GETFD), bool(fcntl.fcntl(got, fcntl.F_GETFL) & os.O_NONBLOCK))
            got.close()
    for sock in (tcp(), udp()):
        say("fresh", sock.getsockname(), attempt(sock.getpeername))
        for name in ("SO_TYPE", "SO_DOMAIN", "SO_PROTOCOL", "SO_ERROR", "SO_ACCEPTCONN", "SO_REUSEADDR", "SO_REUSEPORT", "SO_KEEPALIVE",
                     "SO_BROADCAST", "SO_OOBINLINE", "SO_RCVLOWAT"):
            say("  get", name, option(sock, SOL, getattr(socket, name)))
        say("  linger", option(sock, SOL, socket.SO_LINGER, 8), "timeo", option(sock, SOL, socket.SO_RCVTIMEO, 16))
        for name, value in (("SO_REUSEADDR", 1), ("SO_REUSEPORT", 1), ("SO_KEEPALIVE", 7), ("SO_BROADCAST", 1), ("SO_OOBINLINE", 1)):
            if name != "SO_KEEPALIVE" or sock.type == 1:
                say("  set", name, attempt(sock.setsockopt, SOL, getattr(socket, name), value), option(sock, SOL, getattr(socket, name)))
        for name, value in (("TCP_NODELAY", 1), ("TCP_NODELAY", 0), ("TCP_CORK", 1), ("TCP_CORK", 0), ("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3),
                            ("TCP_KEEPIDLE", 0), ("TCP_KEEPCNT", 1000), ("TCP_SYNCNT", 3), ("TCP_USER_TIMEOUT", 5000)):
            say("  set", name, value, attempt(sock.setsockopt, TCP, getattr(socket, name), value), option(sock, TCP, getattr(socket, name)))
        for name, value in ((1, 16), (2, 33), (2, 0), (2, 256), (8, 1), (10, 1)):
            say("  ip", name, value, attempt(sock.setsockopt, IP, name, value), option(sock, IP, name))
        say("  short", attempt(sock.setsockopt, SOL, socket.SO_REUSEADDR, b"\1"), attempt(sock.setsockopt, IP, 1, b"\x08"), option(sock, IP, 1))
        say("  unknown", attempt(sock.setsockopt, TCP, 250, 1), attempt(sock.setsockopt, IP, 250, 1), attempt(sock.getsockopt, SOL, 250, 4))
        say("  options", sock.getsockopt(IP, 4, 40))
        sock.setsockopt(SOL, socket.SO_SNDBUF, 30000)
        sock.setsockopt(SOL, socket.SO_RCVBUF, 30000)
        say("  buffers", option(sock, SOL, socket.SO_SNDBUF), option(sock, SOL, socket.SO_RCVBUF))
        sock.close()
    with tcp() as sock, listener() as server:
        for each in (sock, server):
            each.settimeout(0)
            say("recv of what is not connected", attempt(each.recv, 1), attempt(each.recv, 1, socket.MSG_PEEK), attempt(each.recvmsg, 99))
    with tcp() as sock:
        sock.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 5))
        say("linger", option(sock, SOL, socket.SO_LINGER, 8))
        for name, value in (("TCP_LINGER2", 7), ("TCP_LINGER2", 500), ("TCP_LINGER2", -5), ("TCP_LINGER2", 0), ("TCP_DEFER_ACCEPT", 4),
                            ("TCP_DEFER_ACCEPT", 30), ("TCP_DEFER_ACCEPT", 0), ("TCP_NOTSENT_LOWAT", 4096)):
            say("  tcp", name, value, attempt(sock.setsockopt, TCP, getattr(socket, name), value), option(sock, TCP, getattr(socket, name)))
        for value in (b"\0\1\0\0", b"\0\0\1\0\0\0\0\0", b"\xff" * 4, b"\0"):
            say("  pacing", value, attempt(sock.setsockopt, SOL, 47, value), sock.getsockopt(SOL, 47, 4), sock.getsockopt(SOL, 47, 8))
        for value in (0xb9, 0x03, 0x10):
            say("  tos", value, attempt(sock.setsockopt, IP, 1, value), option(sock, IP, 1))
        say("congestion", attempt(sock.setsockopt, TCP, 13, b"nonesuch"), attempt(sock.setsockopt, TCP, 13, b"reno"), sock.getsockopt(TCP, 13, 16)[:4])


def names():
    with listener() as server, tcp() as other:
        say("bind taken", attempt(other.bind, server.getsockname()))
        say("bind elsewhere", attempt(other.bind, ("192.0.2.1", 0)))
        say("bind again", attempt(server.bind, (LO, 0)))
        say("listen again", attempt(server.listen, 5))
        say("connect a listener", attempt(server.connect, (LO, 9)))
        say("accept no listener", attempt(other.accept))
        say("getpeername listener", attempt(server.getpeername), option(server, SOL, socket.SO_ACCEPTCONN))
        say("listen unbound", attempt(other.listen), other.getsockname()[0], other.getsockname()[1] > 0)
    with udp() as sock:
        say("udp listen", attempt(sock.listen), "accept", attempt(sock.accept))
    with tcp() as one, tcp() as two:
        for sock in (one, two):
            sock.setsockopt(SOL, socket.SO_REUSEADDR, 1)
        one.bind((LO, 0))
        say("reuse, both bound", attempt(two.bind, one.getsockname()))
        say("reuse, one listens", attempt(one.listen), attempt(two.listen))
    with tcp() as one, tcp() as two:
        for sock in (one, two):
            sock.setsockopt(SOL, socket.SO_REUSEPORT, 1)
        one.bind((LO, 0))
        say("reuseport", attempt(two.bind, one.getsockname()), attempt(one.listen), attempt(two.listen))
    client, server = pair()
    say("names", client.getsockname() == server.getpeername(), server.getsockname() == client.getpeername())
    say("listen connected", attempt(client.listen), "bind connected", attempt(client.bind, (LO, 0)))
    client.close()
    server.close()


def connects():
    address = closed_port()
    with tcp() as sock:
        say("refused", attempt(sock.connect, address), "again", attempt(sock.connect, address), "error", option(sock, SOL, socket.SO_ERROR))
        with listener() as server:
            say("then accepted", attempt(sock.connect, server.getsockname()), sock.getpeername() == server.getsockname(),
                attempt(sock.connect, server.getsockname()))
            server.accept()[0].close()
    with tcp() as sock, listener() as server:
        sock.setblocking(False)
        say("non-blocking", errno.errorcode[sock.connect_ex(server.getsockname())], mask(sock, 2), option(sock, SOL, socket.SO_ERROR))
        say("a second time", sock.connect_ex(server.getsockname()), "a third", errno.errorcode[sock.connect_ex(server.getsockname())])
    with tcp() as sock, listener() as server, select.epoll() as epoll:
        sock.setblocking(False)
        epoll.register(sock, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        epoll.poll(0)
        sock.connect_ex(server.getsockname())
        say("an edge after connect", [event & 5 for _, event in epoll.poll(2)], "no more", epoll.poll(0))
    with tcp() as sock:
        say("to 0.0.0.0", attempt(sock.connect, ("0.0.0.0", address[1])))
        say("getpeername", attempt(sock.getpeername), "send", "recv")
    with tcp() as sock, listener() as server:
        sock.settimeout(3)
        say("timeout set", attempt(sock.connect, server.getsockname()), sock.getpeername() == server.getsockname())


def streams():
    client, server = pair()
    say("connected", mask(client), mask(server), option(client, SOL, socket.SO_ERROR))
    say("sent", client.send(b"hello"), settled(server, "IN"), struct.unpack("i", fcntl.ioctl(server, FIONREAD, b"\0" * 4))[0])
    say("peek", server.recv(2, socket.MSG_PEEK), server.recvfrom(3), server.recv(10), mask(server))
    say("none", attempt(server.recv, 1, socket.MSG_DONTWAIT))
    say("with an address", attempt(client.sendto, b"to", ("192.0.2.1", 1)), server.recv(10))
    say("sendmsg with a name", attempt(client.sendmsg, [b"ms", b"g"], [], 0, ("192.0.2.1", 1)), server.recvmsg(10))
    client.shutdown(socket.SHUT_WR)
    say("half closed", settled(server, "RDHUP"), mask(client), server.recv(1), attempt(client.send, b"x", socket.MSG_NOSIGNAL))
    say("other half", server.send(b"back"), client.recv(10))
    server.close()
    say("closed", settled(client, "HUP"), client.recv(1), option(client, SOL, socket.SO_ERROR))
    client.close()

    client, server = pair()
    client.close()
    say("peer closed", settled(server, "RDHUP"), server.recv(1))
    say("send to it", server.send(b"x"), settled(server, "HUP").replace("ERR|", ""), attempt(server.send, b"y", socket.MSG_NOSIGNAL) in ("EPIPE", "ECONNRESET"))
    server.close()

    client, server = pair()
    client.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    say("reset", settled(server, "ERR"), attempt(server.recv, 1), attempt(server.recv, 1), mask(server))
    say("send", attempt(server.send, b"x", socket.MSG_NOSIGNAL))
    server.close()

    client, server = pair()
    client.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    settled(server, "ERR")
    say("reset, asked", errno.errorcode[option(server, SOL, socket.SO_ERROR)], option(server, SOL, socket.SO_ERROR), attempt(server.getpeername))
    server.close()

    client, server = pair()
    client.send(b"unread")
    settled(server, "IN")
    server.close()
    say("closed on unread", settled(client, "ERR"), attempt(client.recv, 1), attempt(client.recv, 1))
    client.close()

    client, server = pair()
    client.send(b"before")
    settled(server, "IN")
    client.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    settled(server, "ERR")
    say("data before a reset", attempt(server.recv, 100) in (b"before", "ECONNRESET"))
    server.close()


def shutdowns():
    with tcp() as sock:
        say("unconnected", [attempt(sock.shutdown, how) for how in range(4)])
    with udp() as sock:
        say("udp", attempt(sock.shutdown, 2), attempt(sock.connect, (LO, 9)), attempt(sock.shutdown, 2))
    client, server = pair()
    client.shutdown(socket.SHUT_RDWR)
    say("both", settled(client, "HUP"), client.recv(1), attempt(client.send, b"x", socket.MSG_NOSIGNAL), settled(server, "RDHUP"))
    say("names after", attempt(client.getpeername) in ("ENOTCONN", server.getsockname()), option(client, SOL, socket.SO_TYPE))
    server.close()
    client.close()
    for how in (socket.SHUT_RDWR, socket.SHUT_RD):
        client, server = pair()
        with client, server:
            server.send(b"here")
            settled(client, "IN", 20)
            client.shutdown(how)
            say("unread", client.recv(10), client.recv(10))
    client, server = pair()
    client.shutdown(socket.SHUT_RD)
    say("read side", client.recv(1), client.send(b"x"), server.recv(1), server.send(b"y"), settled(client, "RDHUP"))
    client.close()
    server.close()
    server = listener()
    result = []
    thread = threading.Thread(target=lambda: result.append(attempt(server.accept)))
    thread.start()
    time.sleep(0.1)
    server.shutdown(socket.SHUT_RDWR)
    thread.join(3)
    say("listener", result, attempt(server.accept))
    server.close()


def accepts():
    server = listener()
    server.setblocking(False)
    say("nobody", attempt(server.accept), mask(server))
    clients = [socket.create_connection(server.getsockname()) for _ in range(3)]
    say("three", mask(server, 1), [attempt(server.accept) != "EAGAIN" for _ in range(3)], attempt(server.accept), mask(server))
    with select.epoll() as epoll:
        epoll.register(server, select.EPOLLIN | select.EPOLLET)
        edges = 0
        for _ in range(3):
            clients.append(socket.create_connection(server.getsockname()))
            edges += len(epoll.poll(1))
        say("edges", edges, epoll.poll(0))
    server.setblocking(True)
    for _ in range(3):
        server.accept()
    say("level", mask(server))
    server.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("ll", 0, 100000))
    start = time.time()
    say("waiting ends", attempt(server.accept), 0.09 < time.time() - start < 1)
    server.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
    accepted = []
    threads = [threading.Thread(target=lambda: accepted.append(server.accept()[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    for _ in range(4):
        clients.append(socket.create_connection(server.getsockname()))
    for thread in threads:
        thread.join(3)
    say("four wait", len(accepted), mask(server))
    client = socket.create_connection(server.getsockname())
    client.send(b"early")
    client.close()
    time.sleep(0.02)
    late = server.accept()[0]
    say("closed before accept", late.recv(10), late.recv(10))
    waiting = socket.create_connection(server.getsockname())
    server.close()
    say("listener closed", settled(waiting, "ERR"), attempt(waiting.recv, 1))


def inheritance():
    client, server = pair()
    duplicate = os.dup(client.fileno())
    client.close()
    os.write(duplicate, b"by a duplicate")
    say("dup", server.recv(100), mask(server))
    if os.fork() == 0:
        os.write(duplicate, b" by a child")
        os._exit(0)
    os.wait()
    say("fork", server.recv(100), mask(server))
    os.close(duplicate)
    say("closed", settled(server, "RDHUP"), server.recv(1))
    server.close()
    client, server = pair()
    left, right = socket.socketpair()
    socket.send_fds(left, [b"x"], [client.fileno()])
    client.close()
    passed = socket.socket(fileno=socket.recv_fds(right, 1, 1)[1][0])
    say("passed on", passed.getpeername() == server.getsockname(), passed.send(b"hi"), server.recv(2), passed.family, passed.type)
    for sock in (left, right, passed, server):
        sock.close()
    left, right = socket.socketpair()
    say("a real AF_UNIX pair", left.getsockname(), left.getpeername(), option(left, SOL, socket.SO_DOMAIN), left.sendmsg([b"m"]), right.recvmsg(5)[0],
        attempt(left.sendto, b"x", "/nowhere"))
    left.close()
    right.close()


def urgent():
    client, server = pair()
    caught = []
    signal.signal(signal.SIGURG, lambda *_: caught.append(1))
    fcntl.fcntl(server, fcntl.F_SETOWN, os.getpid())
    client.send(b"ab")
    client.send(b"!", socket.MSG_OOB)
    client.send(b"cd")
    say("urgent", settled(server, "PRI"), bool(caught))
    time.sleep(0.05)

    def at_mark():
        return struct.unpack("i", fcntl.ioctl(server, SIOCATMARK, b"\0" * 4))[0]
    say("mark", at_mark(), server.recv(10), at_mark(), server.recv(1, socket.MSG_OOB), server.recv(10), at_mark())
    say("none left", attempt(server.recv, 1, socket.MSG_OOB))
    server.setsockopt(SOL, socket.SO_OOBINLINE, 1)
    client.send(b"ef!", socket.MSG_OOB)
    client.send(b"gh")
    settled(server, "PRI")
    time.sleep(0.05)
    say("in line", server.recv(10), at_mark(), server.recv(10))
    server.send(b"?", socket.MSG_OOB)
    settled(client, "PRI")
    say("alone, the other way", client.recv(1, socket.MSG_OOB))
    client.close()
    server.close()


def amounts():
    client, server = pair()
    total = 8 << 20
    got = []
    thread = threading.Thread(target=lambda: got.append(sum(len(part) for part in iter(lambda: server.recv(65536), b""))))
    thread.start()
    client.sendall(b"z" * total)
    client.close()
    thread.join(20)
    say("8 MiB", got == [total])
    server.close()
    client, server = pair()
    client.setblocking(False)
    sent, quiet = 0, 0
    while quiet < 3:  # what lies between the two ends may take its time to fill
        before = sent
        while (more := attempt(client.send, b"y" * 65536)) != "EAGAIN":
            sent += more
        quiet = quiet + 1 if sent == before else 0
        time.sleep(0.05)
    say("a full pipe", mask(client))
    read = 0
    server.settimeout(2)
    while read < sent:
        read += len(server.recv(1 << 20))
    say("emptied", settled(client, "OUT"), attempt(server.recv, 1, socket.MSG_DONTWAIT))
    client.close()
    server.close()
    client, server = pair()
    thread = threading.Thread(target=lambda: [time.sleep(0.01) or client.send(b"1234") for _ in range(5)])
    thread.start()
    say("waitall", server.recv(20, socket.MSG_WAITALL))
    thread.join()
    with open("/proc/self/exe", "rb") as file:
        done = os.sendfile(client.fileno(), file.fileno(), 0, 1000)
        file.seek(0)
        say("sendfile", done, server.recv(1000, socket.MSG_WAITALL) == file.read(1000))
    client.close()
    server.close()


def datagrams():
    one, two = udp(), udp()
    two.bind((LO, 0))
    say("sendto", one.sendto(b"abc", two.getsockname()), one.getsockname()[0], mask(two, 1))
    data, address = two.recvfrom(2)
    say("cut", data, address[1] == one.getsockname()[1], attempt(two.recvfrom, 10, socket.MSG_DONTWAIT))
    one.sendto(b"abcdef", two.getsockname())
    say("recvmsg", two.recvmsg(3, 100)[:3], "trunc", one.sendto(b"abcdef", two.getsockname()), two.recv_into(bytearray(2), 2, socket.MSG_TRUNC))
    one.sendto(b"", two.getsockname())
    say("empty", mask(two, 1), two.recvfrom(10)[0], mask(two))
    say("no peer", attempt(one.send, b"x"), attempt(one.getpeername))
    one.connect(two.getsockname())
    say("connected", one.send(b"1"), os.write(one.fileno(), b"22"), one.sendmsg([b"3", b"33"]), one.getpeername() == two.getsockname())
    say("queue", [two.recv(10), os.read(two.fileno(), 10), two.recvmsg(10)[0]])
    third = udp()
    third.sendto(b"stranger", one.getsockname())
    say("from a stranger", attempt(one.recv, 10, socket.MSG_DONTWAIT))
    say("elsewhere all the same", one.sendto(b"e", two.getsockname()), two.recv(1))
    say("peek", one.send(b"peek"), two.recvfrom(10, socket.MSG_PEEK)[0], two.recv(10))
    say("too long", attempt(one.send, b"x" * 65508), one.send(b"x" * 60000), len(two.recv(65536)))
    two.settimeout(0.1)
    say("wait", attempt(two.recvfrom, 1))
    two.settimeout(None)
    two.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000))
    say("rcvtimeo", attempt(two.recvfrom, 1))
    two.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
    threading.Timer(0.05, lambda: one.send(b"late")).start()
    say("blocked", two.recvfrom(10)[0])
    threading.Timer(0.05, lambda: one.send(b"later")).start()
    say("blocked in read", os.read(two.fileno(), 10))
    with select.epoll() as epoll:
        epoll.register(two, select.EPOLLIN | select.EPOLLET)
        one.send(b"a")
        first = len(epoll.poll(1))
        one.send(b"b")
        say("edges", first, len(epoll.poll(1)), epoll.poll(0), two.recv(1), two.recv(1))
    say("inq", one.send(b"four"), settled(two, "IN"), struct.unpack("i", fcntl.ioctl(two, FIONREAD, b"\0" * 4))[0], two.recv(9))
    low = os.dup(two.fileno())
    one.send(b"through a duplicate")
    say("dup", os.read(low, 100))
    one.send(b"and again")
    say("original", two.recvfrom(100)[0])
    os.close(low)
    address = two.getsockname()
    two.close()
    say("nobody there", one.send(b"x"), woken(one), attempt(one.recv, 1), attempt(one.recv, 1, socket.MSG_DONTWAIT), mask(one))
    one.send(b"x")
    woken(one)
    say("asked", errno.errorcode[option(one, SOL, socket.SO_ERROR)], option(one, SOL, socket.SO_ERROR), mask(one))
    one.send(b"x")
    woken(one)
    say("sent", attempt(one.send, b"y"))
    time.sleep(0.1)
    option(one, SOL, socket.SO_ERROR)
    one.setblocking(True)
    threading.Timer(0.05, lambda: one.send(b"x")).start()
    say("blocked until refused", attempt(one.recv, 1))
    say("port 0", attempt(third.sendto, b"x", (LO, 0)), "bound by sending", attempt(third.bind, (LO, 0)))
    for sock in (one, third):
        sock.close()
    with udp() as sock:
        sock.setsockopt(IP, 8, 1)
        sock.setsockopt(IP, 12, 1)
        sock.bind(("0.0.0.0", 0))
        with udp() as other:
            other.sendto(b"info", (LO, sock.getsockname()[1]))
        data, control, _, _ = sock.recvmsg(10, 200)
        say("pktinfo", data, sorted((level, kind, struct.unpack("4s", part[8:12])[0] if kind == 8 else part) for level, kind, part in control))
    with udp() as one, udp() as two:
        one.bind((LO, 0))
        say("udp taken", attempt(two.bind, one.getsockname()))
        for sock in (one, two):
            sock.connect((LO, 9))
        say("unconnect", attempt(one.connect, (LO, 10)), one.getpeername()[1])


def stamps():
    """When datagrams came: the kernel begins to note it for SO_TIMESTAMPING only a while after it was asked to."""
    for what, number, value, form, unit in (("microseconds", 29, 1, "qq", 1e6), ("nanoseconds", 35, 1, "qq", 1e9),
                                            ("flags", 37, 1 << 3 | 1 << 4, "qqqqqq", 1e9)):
        with udp() as sock, udp() as other:
            sock.bind((LO, 0))
            sock.setsockopt(SOL, number, value)
            control, end = [], time.monotonic() + 20
            while not control and time.monotonic() < end:
                before = time.time()
                other.sendto(b"when", sock.getsockname())
                _, control, _, _ = sock.recvmsg(10, 200)
            (level, kind, octets), = control
            seconds, fraction = struct.unpack(form, octets)[:2]
            said = seconds + fraction / unit
            say("came", what, level, kind, len(octets), before - 1 < said < time.time() + 1)


for scenario in (fresh, names, connects, streams, shutdowns, accepts, inheritance, urgent, amounts, datagrams, stamps):
    if len(sys.argv) > 1 and scenario.__name__ not in sys.argv[1:]:
        continue
    say(f"== {scenario.__name__}")
    scenario()
