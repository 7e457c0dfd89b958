"""An end of a connection that does odd things, for test_ends.py: `ends.py serve`, or `ends.py ask SCENARIO ADDRESS`, which exits with 0
if all was as it should be. The same program is one end on Linux and the other under `berth run`, and the other way round."""
import errno
import fcntl
import select
import socket
import struct
import sys
import threading
import time

BULK = bytes(range(251)) * 4000  # 1 MB, no power of two
REPORT = 7000
reported = {}
news = threading.Condition()  # something was reported


def read_all(s):
    """Octets to the end of the stream, or the error's name."""
    data = bytearray()
    while True:
        try:
            piece = s.recv(65536)
        except OSError as error:
            return errno.errorcode[error.errno]
        if not piece:
            return bytes(data)
        data += piece


def verdict(data):
    return data if isinstance(data, str) else "all" if data == BULK else f"{len(data)} octets"


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def close_unread(s):
    """Closes while octets wait that nobody has read."""
    s.recv(1)  # of a segment that has more
    s.close()


def hear_urgent(s):
    """abc!def with ! urgent: what was heard, and the mark's place."""
    _, _, urgent = select.select([], [], [s], 30)
    octet = s.recv(1, socket.MSG_OOB) if urgent else b"none"
    before = b""
    while struct.unpack("i", fcntl.ioctl(s, 0x8905, bytes(4)))[0] == 0 and len(before) < 6:  # SIOCATMARK
        before += s.recv(1)
    after = b""
    while len(after) < 3 and (piece := s.recv(3 - len(after))):
        after += piece
    return octet + b" " + before + b" " + after


def say_urgent(s):
    s.send(b"abc")
    s.send(b"!", socket.MSG_OOB)
    s.send(b"def")


def serve_half_close_there(s):
    s.shutdown(socket.SHUT_WR)
    return verdict(read_all(s))


def serve_urgent(s):
    heard = hear_urgent(s)
    say_urgent(s)
    return heard.decode()


def serve_slow_reader(s):
    time.sleep(2)
    return verdict(read_all(s))


# name: what the server does with the connection; what it returns is kept for whoever asks at REPORT.
SERVERS = {
    "half-close here": lambda s: (data := read_all(s), s.sendall(BULK), verdict(data))[-1],
    "half-close there": serve_half_close_there,
    "closed there with octets unread": close_unread,
    "closed here with octets unread": lambda s: (s.sendall(b"x" * 9000), verdict(read_all(s)))[-1],
    "reset here": lambda s: verdict(read_all(s)),
    "reset there": lambda s: (s.recv(1), reset(s))[-1],
    "urgent octets both ways": serve_urgent,
    "window closed there for 2 s": serve_slow_reader,
    "window closed here for 2 s": lambda s: s.sendall(BULK),
}


def client(name, s, report):
    """None if all was well."""
    if name == "half-close here":
        s.sendall(BULK)
        s.shutdown(socket.SHUT_WR)
        return None if verdict(read_all(s)) == report() == "all" else report()
    if name == "half-close there":
        if s.recv(1) != b"":
            return "no end"
        s.sendall(BULK)
        s.close()
        return None if report() == "all" else report()
    if name in ("closed there with octets unread", "reset there"):
        s.sendall(b"x" * 5000)
        got = read_all(s)
        return None if got == "ECONNRESET" else got
    if name == "closed here with octets unread":
        close_unread(s)
        return None if report() == "ECONNRESET" else report()
    if name == "reset here":
        reset(s)
        return None if report() == "ECONNRESET" else report()
    if name == "urgent octets both ways":
        say_urgent(s)
        heard = hear_urgent(s)
        return None if heard == b"! abc def" and report() == heard.decode() else (heard, report())
    if name == "window closed there for 2 s":
        s.sendall(BULK)
        s.close()
        return None if report() == "all" else report()
    time.sleep(2)
    got = verdict(read_all(s))
    return None if got == "all" else got


def port_of(name):
    return REPORT + 1 + list(SERVERS).index(name)


def listener(port):
    s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)  # inherited: its window closes soon
    s.bind(("::", port))
    s.listen(16)
    return s


def serve_one(name, s, port):
    said = SERVERS[name](s)
    with news:
        reported[name, port] = said
        news.notify_all()
    s.close()


def serve_port(name, at):
    while True:
        s, peer = at.accept()
        threading.Thread(target=serve_one, args=(name, s, peer[1]), daemon=True).start()


def serve():
    for name in SERVERS:
        threading.Thread(target=serve_port, args=(name, listener(port_of(name))), daemon=True).start()
    at = listener(REPORT)
    while True:
        s, _ = at.accept()
        name, port = s.makefile().readline().rstrip("\n").split("\t")
        with news:
            news.wait_for(lambda: (name, int(port)) in reported, 40)
        s.sendall(str(reported.get((name, int(port)), "nothing")).encode())
        s.close()


def ask(name, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    s.settimeout(60)
    s.connect((address, port_of(name)))
    s.setblocking(True)
    port = s.getsockname()[1]

    def report():
        with socket.create_connection((address, REPORT), 60) as other:
            other.sendall(f"{name}\t{port}\n".encode())
            return read_all(other).decode()

    problem = client(name, s, report)
    if problem is not None:
        sys.exit(f"{name}: {problem}")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        ask(sys.argv[2], sys.argv[3])
