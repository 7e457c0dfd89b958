"""Servers that learn of connections by polling their listeners (tool/daemon/tells.c): bursts beyond what a listener's queue of octets holds,
edges, processes that share a listener, and one that goes away and comes back. On all processors and on one."""
import ast
import os
import subprocess

from harness import Net, check, finish

LISTEN = f"{os.path.dirname(os.path.abspath(__file__))}/programs/listen.py"


def play(where, mode, count):
    label = f"{where}, {mode}, {count} at once"
    with Net("listen") as net:
        server = net.start("server", "/usr/bin/python3", LISTEN, "serve", "9000", mode, extra=["--ip", "10.0.0.1"], stdout=subprocess.PIPE,
                           text=True)
        check(f"{label}: the server listens", net.listening(9000))
        client = net.start("pc", "/usr/bin/python3", LISTEN, "ask", "10.0.0.1", "9000", "1.5", str(count), stdout=subprocess.PIPE, text=True)
        seen = client.communicate(timeout=120)[0]
        counts = ast.literal_eval(seen or "{}")
        # Who connects while the listener goes away is refused or cut off, as on any computer; nobody is greeted wrongly.
        allowed = {"greeted", "refused", "ECONNRESET"} if mode == "closing" else {"greeted"}
        check(f"{label}: all are greeted", counts.get("greeted", 0) > count and set(counts) <= allowed, seen)
        said = server.communicate(timeout=60)[0]
        check(f"{label}: the listener is readable for connections and nothing else",
              said == "over: True, readable for nothing: 0, readable when nothing waits: False\n", said)


def play_all(where):
    for mode in ("level", "edge", "shared", "closing"):
        play(where, mode, 20)
    play(where, "level", 400)
    play(where, "edge", 400)


play_all("all processors")
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
play_all("one processor")
finish()
