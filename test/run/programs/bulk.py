"""One end of a bulk transfer whose octets can be foretold: bulk.py send|receive|both HOST PORT OCTETS [MANNER...].
send and both connect, receive listens. Prints what it saw. Manners: odd (writes of odd sizes), slow (a reader with
pauses), small (reads of odd, small sizes), urgent (an urgent octet in the middle), rest (a pause in the middle)."""
import hashlib
import random
import socket
import sys
import threading
import time

what, host, port, octets, manners = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), set(sys.argv[5:])
BLOCK = random.Random(7).randbytes(1 << 20)


def piece(at, length):
    """The octets [at, at + length) of a stream that repeats itself at no short distance."""
    out = b""
    while length > 0:
        number, offset = divmod(at, len(BLOCK) - 8)
        part = (number.to_bytes(8, "big") + BLOCK[8:])[offset:offset + min(length, len(BLOCK) - 8 - offset)]
        out += part
        at += len(part)
        length -= len(part)
    return out


def send(connection):
    dice, at, digest = random.Random(1), 0, hashlib.sha256()
    while at < octets:
        size = dice.choice((1, 100, 1459, 4096, 70001, 131072, 1 << 20)) if "odd" in manners else 1 << 18
        data = piece(at, min(size, octets - at))
        if "urgent" in manners and at <= octets // 2 < at + len(data):
            connection.send(b"!", socket.MSG_OOB)
        if "rest" in manners and at <= octets // 2 < at + len(data):
            time.sleep(1)
        connection.sendall(data)
        digest.update(data)
        at += len(data)
    connection.shutdown(socket.SHUT_WR)
    return digest.hexdigest()


def receive(connection):
    dice, total, digest = random.Random(2), 0, hashlib.sha256()
    if "urgent" in manners:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 0)
    while True:
        size = dice.choice((1, 7, 536, 4000, 20000)) if "small" in manners else 1 << 18
        data = connection.recv(size)
        if not data:
            return f"{total} {digest.hexdigest()}"
        digest.update(data)
        total += len(data)
        if "slow" in manners and dice.random() < 0.02:
            time.sleep(0.01)


if what == "receive":
    listener = socket.create_server((host, port))
    connection, _ = listener.accept()
    if "both" in manners:
        sender = threading.Thread(target=lambda: print("sent", octets, send(connection), flush=True))
        sender.start()
    print("received", receive(connection), flush=True)
    if "both" in manners:
        sender.join()
else:
    connection = socket.create_connection((host, port))
    if what == "both":
        reader = threading.Thread(target=lambda: print("received", receive(connection), flush=True))
        reader.start()
    print("sent", octets, send(connection), flush=True)
    if what == "both":
        reader.join()
    else:
        connection.recv(1)
