"""Bulk transfers: every octet, in order, whatever the two ends do and whatever is done to the network meanwhile."""
import os
import re
import signal
import subprocess

from harness import BERTH, Net, check, finish, until

BULK = f"{os.path.dirname(os.path.abspath(__file__))}/programs/bulk.py"


def play(label, octets, manners=(), way="send", meanwhile=None):
    """Moves octets from pc to server, and back for way 'both'. What both ends printed must agree."""
    with Net("bulk") as net:
        back = ["both"] if way == "both" else []
        server = net.start("server", "/usr/bin/python3", BULK, "receive", "", "9000", str(octets), *manners, *back,
                           extra=["--ip", "10.0.0.1"], stdout=subprocess.PIPE, text=True)
        check(f"{label}: the server listens", net.listening(9000))
        client = net.start("pc", "/usr/bin/python3", BULK, way, "server", "9000", str(octets), *manners, stdout=subprocess.PIPE, text=True)
        if meanwhile:
            meanwhile(net, client)
        said = [sorted(program.communicate(timeout=120)[0].splitlines()) for program in (client, server)]
        sent = [line.removeprefix("sent ") for lines in said for line in lines if line.startswith("sent")]
        received = [line.removeprefix("received ") for lines in reversed(said) for line in lines if line.startswith("received")]
        check(f"{label}: all octets come, in order", sent and sent == received and sent[0].startswith(f"{octets} "), said)


play("plain", 200_000_000)
play("writes of odd sizes", 60_000_000, ["odd"])
play("reads of small sizes", 10_000_000, ["odd", "small"])
play("a reader with pauses", 40_000_000, ["slow"])
play("both ways at once", 60_000_000, ["odd"], way="both")
play("a pause in the middle", 40_000_000, ["rest"])
play("an urgent octet among them", 40_000_000, ["urgent"])


def disturb(net, client):
    """Links become impaired and whole again under the transfer, and captures begin and end, until it is over."""
    rounds = 0
    while client.poll() is None:
        rounds += 1
        for words in (["delay", "3ms"], ["loss", "1%"], ["delay", "0ms", "loss", "0%"]):
            done = net.berth("netem", "pc", *words)
            if done.returncode != 0 and not until(lambda: client.poll() is not None):  # the transfer was over
                check("netem takes its words", False, done)
        kept = f"{net.folder}/{rounds}.pcapng"
        capture = subprocess.Popen([BERTH, "dump", "--net", net.name, "-w", kept], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until(lambda: client.poll() is not None or capture.poll() is not None or (os.path.exists(kept) and os.path.getsize(kept) > 100_000))
        capture.send_signal(signal.SIGINT)
        capture.wait()
        if os.path.exists(kept):
            os.remove(kept)
    check("there was time to disturb it", rounds > 0, rounds)


play("while links change and captures begin and end", 400_000_000, ["odd"], meanwhile=disturb)

# A writer that is killed: what the reader has got is the beginning of the stream.
with Net("bulk-kill") as net:
    server = net.start("server", "sh", "-c", "nc -l 9000 > got; echo end", cwd=net.folder, stdout=subprocess.PIPE, text=True)
    check("a reader listens", net.listening(9000))
    client = net.start("pc", "sh", "-c", "yes 0123456789abcde | head -c 4000000000 | nc server 9000")
    got = f"{net.folder}/got"
    until(lambda: os.path.exists(got) and os.path.getsize(got) > 10_000_000)
    client.kill()
    server.communicate(timeout=60)
    with open(got, "rb") as file:
        data = file.read()
    check("a writer is killed: what came is the beginning of what it wrote",
          len(data) > 10_000_000 and data == (b"0123456789abcde\n" * (len(data) // 16 + 1))[:len(data)], len(data))

# A reader that goes away without reading: the writer hears of it.
with Net("bulk-deaf") as net:
    net.start("server", "/usr/bin/python3", "-c", """
import socket
c, _ = socket.create_server(("", 9000)).accept()
c.recv(1 << 20); c.close()""")
    check("one listens that will not read", net.listening(9000))
    done = net.run("pc", "/usr/bin/python3", "-c", """
import socket
s = socket.create_connection(("server", 9000))
try:
    while True: s.sendall(b"x" * (1 << 20))
except OSError as error: print(type(error).__name__)""")
    check("a reader goes away without reading: the writer gets ECONNRESET or EPIPE",
          re.match("ConnectionResetError|BrokenPipeError", done.stdout), done)

finish()
