"""`berth ss` is a picture of one moment: while connections come and go, both ends of each are in it, or neither is established;
and whose they are is looked for after it, so that none is too young to have an owner."""
import json

from harness import Net, check, finish, until

SERVER = """
import socket, threading
def serve(one):
    one.recv(1)
    one.close()
at = socket.create_server(("", 9000), backlog=100)
while True:
    threading.Thread(target=serve, args=(at.accept()[0],)).start()
"""
CLIENT = """
import socket, time
while True:
    one = socket.create_connection(("10.0.0.1", 9000))
    time.sleep(0.004)
    one.close()
"""
KEEPER = """
import socket, time
kept = []
while len(kept) < 500:
    kept.append(socket.create_connection(("10.0.0.1", 9000)))
    time.sleep(0.001)
time.sleep(1000)
"""


def ends(table):
    return {(*(row[end][of] for end in ("local", "peer") for of in ("address", "port")),): row["state"] for row in table}


with Net("moment") as net:
    net.start("server", "/usr/bin/python3", "-c", SERVER, extra=["--ip", "10.0.0.1"])
    net.listening(9000)
    net.start("client", "/usr/bin/python3", "-c", CLIENT)
    until(lambda: len(json.loads(net.berth("ss", "-t", "-n", "--json").stdout)) > 10)
    alone, seen = set(), 0
    for _ in range(200):
        states = ends(json.loads(net.berth("ss", "-a", "-t", "-n", "--json").stdout))
        for (address, port, *peer), state in states.items():
            # The other end may know one datagram more or less, and cannot be gone or at rest in TIME-WAIT.
            if state == "ESTAB":
                seen += 1
                if states.get((*peer, address, port)) in (None, "TIME-WAIT"):
                    alone.add((address, port, *peer, states.get((*peer, address, port))))
    check("200 pictures of connections that come and go: no end stands alone", seen > 10 and not alone, (seen, alone))
    net.start("keeper", "/usr/bin/python3", "-c", KEEPER)
    kept, nobodys = 0, []
    while kept < 500:
        table = [row for row in json.loads(net.berth("ss", "-t", "-n", "-p", "--json").stdout) if row["host"] == "keeper"]
        kept = sum(row["state"] == "ESTAB" for row in table)
        nobodys += [row["local"]["port"] for row in table if row["state"] == "ESTAB" and not row["process"]]
    check("a program that connects again and again has all of its connections in each picture", not nobodys, nobodys)
finish()
