"""listen.py serve PORT level|edge|shared|closing | ask HOST PORT SECONDS BURST: bursts of connections to a server that learns of them by polling its
listener. Each gets one greeting and the end; the asker says how many got it, what else it saw, and tells the server to end, which says
what it saw itself."""
import errno
import os
import select
import signal
import socket
import sys
import time

GREETING = b"greeting"


def listener_new(port):
    listener = socket.create_server(("", port), backlog=511)
    listener.setblocking(False)
    return listener


def accept_one(listener):
    """None: nothing waited. True: this was the one that says that it is over."""
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return None
    with connection:
        connection.settimeout(10)
        connection.sendall(GREETING)
        return connection.recv(1) == b"q"


def serve(port, mode):
    listener, accepted, nothing, over, other = listener_new(port), 0, 0, False, 0
    if mode == "shared":
        other = os.fork() or os.getppid()
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN | (select.EPOLLET if mode == "edge" else 0))
    while not over and epoll.poll(20):
        took = accept_one(listener)
        nothing += took is None
        while took is False:
            accepted += 1
            took = accept_one(listener) if mode == "edge" else None
        over = over or took
        if mode == "closing" and accepted % 50 == 49 and not over:
            accepted += 1
            listener.close()
            listener = listener_new(port)
            epoll.register(listener, select.EPOLLIN)
    if other:
        os.kill(other, signal.SIGKILL)
        nothing = 0  # the other one was faster
    while accept_one(listener) is not None:
        pass
    still = bool(select.select([listener], [], [], 0.2)[0])
    print(f"over: {bool(over)}, readable for nothing: {nothing}, readable when nothing waits: {still}", flush=True)


def greeted(connection):
    """What came up to the end."""
    came = b""
    while piece := connection.recv(64):
        came += piece
        connection.shutdown(socket.SHUT_WR) if came == GREETING else None
    return came


def burst(target, count, seen):
    connections = []
    for _ in range(count):
        try:
            connections.append(socket.create_connection(target, timeout=15))
        except ConnectionRefusedError:
            seen["refused"] = seen.get("refused", 0) + 1
    for connection in connections:
        try:
            came = greeted(connection)
            what = "greeted" if came == GREETING else f"wrong: {came!r}"
        except OSError as error:
            what = errno.errorcode.get(error.errno, type(error).__name__)
        seen[what] = seen.get(what, 0) + 1
        connection.close()


def ask(host, port, seconds, count):
    seen, end = {}, time.monotonic() + seconds
    while time.monotonic() < end:
        burst((host, port), count, seen)
    print(seen, flush=True)
    while True:
        with socket.create_connection((host, port), timeout=15) as connection:
            connection.sendall(b"q")
            if connection.recv(64):
                return


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]), sys.argv[3])
else:
    ask(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
