"""Small messages on many connections, while programs' calls are answered: who answers them moves octets, too (tool/daemon/data_thread.c).
On all processors and on one, where that is not done."""
import os
import re
import subprocess

from harness import Net, check, finish

SMALL = f"{os.path.dirname(os.path.abspath(__file__))}/programs/small.py"


def play(label):
    with Net("small") as net:
        server = net.start("server", "/usr/bin/python3", SMALL, "serve", "9000", extra=["--ip", "10.0.0.1"])
        check(f"{label}: the server listens", net.listening(9000))
        client = net.start("pc", "/usr/bin/python3", SMALL, "ask", "10.0.0.1", "9000", "3", stdout=subprocess.PIPE, text=True)
        said = client.communicate(timeout=120)[0]
        found = re.match(r"(\d+) connections, (\d+) octets, wrong: \[\]$", said)
        check(f"{label}: every octet and every end of stream", found and int(found[1]) > 100 and int(found[2]) > 100_000, said)
        server.kill()


play("all processors")
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
play("one processor, the daemon's as well")
finish()
