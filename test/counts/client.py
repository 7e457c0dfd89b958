"""The clients of counts.py, as plain as can be: client.py WHAT ADDRESS PORT COUNT; a line of standard input starts it."""
import os
import socket
import sys

WHAT, ADDRESS, PORT, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: %s\r\n\r\n"


def connected():
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.connect((ADDRESS, PORT))
    return one


def go():
    print("ready", flush=True)
    sys.stdin.readline()


right = 0
if WHAT == "close":
    go()
    for _ in range(COUNT):
        with connected() as one:
            os.write(one.fileno(), GET % b"close")
            said = b"".join(iter(lambda: os.read(one.fileno(), 65536), b""))
            right += said.endswith(b"hello\n")
else:
    one = connected()
    ask, end = (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n") if WHAT == "redis" else (GET % b"keep-alive", b"hello\n")
    for turn in range(COUNT + 1):
        if turn == 1:  # the first makes caches and buffers
            go()
        os.write(one.fileno(), ask)
        said = b""
        while not said.endswith(end):
            said += os.read(one.fileno(), 65536)
        right += turn > 0
print("right", right, flush=True)
sys.stdin.readline()
