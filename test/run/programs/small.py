"""small.py serve PORT | ask HOST PORT SECONDS: small messages back and forth on many connections, while a thread of each program has calls
answered all the time. The asker checks every octet, every end of stream, and says what it saw."""
import random
import selectors
import socket
import sys
import threading
import time

CONNECTIONS, ROUNDS = 40, 6


def call_always():
    """Calls that are answered by the network, one after the other."""
    idle = socket.socket()
    while True:
        idle.getsockname()


class Echo:
    """What comes goes back, an end of stream too; late where `slow`, so that queues fill."""

    def __init__(self, connection, slow):
        self.connection, self.waiting, self.ended, self.slow = connection, b"", False, slow

    def ready(self, events):
        if events & selectors.EVENT_READ:
            came = self.connection.recv(50 if self.slow else 65536)
            self.ended = not came
            self.waiting += came
        if self.waiting:
            try:
                self.waiting = self.waiting[self.connection.send(self.waiting):]
            except BlockingIOError:
                pass
        if self.ended and not self.waiting:
            return 0
        return (0 if self.ended else selectors.EVENT_READ) | (selectors.EVENT_WRITE if self.waiting else 0)


class Ask:
    """Some rounds of one message and its echo, then the end of stream and its echo; some leave in the middle, unread octets behind them."""

    def __init__(self, connection, luck):
        self.connection, self.luck, self.left, self.wrong = connection, luck, ROUNDS, []
        self.leaves, self.expected, self.octets = luck.random() < 0.1, b"", 0
        self.say()

    def say(self):
        self.expected = self.luck.randbytes(self.luck.choice((1, 45, 1250, 4096, 4097, 9000)))
        self.connection.sendall(self.expected)
        self.left -= 1

    def ready(self, _):
        came = self.connection.recv(self.luck.choice((100, 65536)))
        self.octets += len(came)
        if not self.expected.startswith(came) or (not came and self.expected):
            self.wrong.append(f"{len(came)} octets, not the next of {len(self.expected)}")
            return 0
        if not came:
            return 0
        self.expected = self.expected[len(came):]
        if self.leaves and self.left == 1:
            return 0
        if not self.expected and self.left > 0:
            self.say()
        elif not self.expected:
            self.connection.shutdown(socket.SHUT_WR)
        return selectors.EVENT_READ


def step(selector, key, events):
    """One event. True when the connection is over."""
    wanted = 0
    try:
        wanted = key.data.ready(events)
    except (ConnectionResetError, BrokenPipeError):
        pass
    if wanted:
        selector.modify(key.fileobj, wanted, key.data)
        return False
    selector.unregister(key.fileobj)
    key.fileobj.close()
    return True


def serve(port):
    listener, selector, count = socket.create_server(("", port), backlog=200), selectors.DefaultSelector(), 0
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, events in selector.select():
            if key.fileobj is not listener:
                step(selector, key, events)
                continue
            connection, _ = listener.accept()
            connection.setblocking(False)
            count += 1
            selector.register(connection, selectors.EVENT_READ, Echo(connection, count % 7 == 0))


def ask(host, port, seconds):
    luck, selector, over, octets, wrong = random.Random(7), selectors.DefaultSelector(), 0, 0, []
    end = time.monotonic() + seconds
    while time.monotonic() < end or selector.get_map():
        while time.monotonic() < end and len(selector.get_map()) < CONNECTIONS:
            connection = socket.create_connection((host, port))
            selector.register(connection, selectors.EVENT_READ, Ask(connection, luck))
        events = selector.select(20)
        if not events:
            wrong.append(f"nothing comes any more on {len(selector.get_map())} connections")
            break
        for key, bits in events:
            before = key.data.octets
            if step(selector, key, bits):
                over += 1
            octets += key.data.octets - before
            wrong += key.data.wrong
    print(f"{over} connections, {octets} octets, wrong: {wrong[:3]}", flush=True)


threading.Thread(target=call_always, daemon=True).start()
if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    ask(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
