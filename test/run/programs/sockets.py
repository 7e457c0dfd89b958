"""What scripts of socket calls have in common: results as text, masks of poll(), pairs of sockets on the loopback."""
import errno
import select
import socket
import struct
import time

LO = "127.0.0.1"
BITS = [("IN", 1), ("PRI", 2), ("OUT", 4), ("ERR", 8), ("HUP", 16), ("RDHUP", 0x2000)]
SIOCATMARK = 0x8905
FIONREAD = 0x541B


def say(what, *values):
    print(what, *values, flush=True)


def attempt(function, *arguments, **words):
    """The result, or the errno's name."""
    try:
        return function(*arguments, **words)
    except socket.timeout:
        return "timed out"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except OverflowError:
        return "overflow"


def mask(sock, wait=0.0):
    poll = select.poll()
    poll.register(sock, 1 | 2 | 4 | 0x2000)
    found = poll.poll(wait * 1000)
    bits = found[0][1] if found else 0
    return "|".join(name for name, bit in BITS if bits & bit) or "0"


def settled(sock, wanted, wait=2.0):
    """The mask once `wanted` is in it."""
    end = time.time() + wait
    while wanted not in mask(sock).split("|") and time.time() < end:
        time.sleep(0.002)
    return mask(sock)


def woken(sock):
    """Whether a program that waits to read is woken: an error alone does that too."""
    return len(select.select([sock], [], [], 2)[0])


def tcp():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def listener(backlog=16):
    sock = tcp()
    sock.bind((LO, 0))
    sock.listen(backlog)
    return sock


def pair():
    with listener() as server:
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


def closed_port():
    with tcp() as sock:
        sock.bind((LO, 0))
        return sock.getsockname()


def option(sock, level, name, size=4):
    got = attempt(sock.getsockopt, level, name, size)
    return got if isinstance(got, str) else struct.unpack("i", got)[0] if size == 4 else got


SOL, IP, TCP = socket.SOL_SOCKET, socket.IPPROTO_IP, socket.IPPROTO_TCP
