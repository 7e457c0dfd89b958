"""`berth ss -i` says of a connection what iproute2's `ss -ti` says of the same one on the kernel's loopback, by the same words in
the same order."""
import subprocess
import sys

from harness import Net, check, finish
from ss_lines import UNKNOWN, info_line, units, values, words

# A connection within one computer, either end of which has sent and received: it says its two ports, and waits for a line.
PROGRAM = """
import socket, sys, time
a = socket.socket()
a.bind(("127.0.0.1", 0))
a.listen()
b = socket.create_connection(a.getsockname())
c = a.accept()[0]
for one, other, octets in (b, c, 300000), (c, b, 300000), (b, c, 300000):
    sent = got = 0
    while got < octets:
        if sent < octets:
            sent += one.send(bytes(min(octets - sent, 50000)))
        got += len(other.recv(1 << 20))
time.sleep(0.3)
print(b.getsockname()[1], c.getsockname()[1], flush=True)
sys.stdin.readline()
"""


def compare(kernel, ours, which):
    theirs, own = [word for word in words(kernel) if word not in UNKNOWN], [word for word in words(ours) if word not in UNKNOWN]
    optional = {"ts", "sack", "ssthresh", "busy", "retrans", "bytes_retrans", "dsack_dups", "rwnd_limited", "sndbuf_limited",
                "app_limited", "reordering", "reord_seen"}  # by sysctl, by losses, by the machine's speed
    theirs, own = [[word for word in line if word not in optional] for line in (theirs, own)]
    check(f"{which}: the kernel's words in the kernel's order", theirs == own and len(own) > 20, f"\n{kernel}\n{ours}")
    looks = {word: (look, units(ours)[word]) for word, look in units(kernel).items() if word in own and units(ours).get(word) != look}
    check(f"{which}: in the kernel's units", not looks, (looks, kernel, ours))
    for word in ("bytes_sent", "bytes_received"):
        check(f"{which}: {word}", values(kernel).get(word) == values(ours).get(word), f"\n{kernel}\n{ours}")
    silent = int(values(ours).get("lastsnd", 0))
    check(f"{which}: silent for 0.3 s", 300 <= silent < 20000, ours)


with Net("ss") as net:
    plain = subprocess.Popen(["/usr/bin/python3", "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    virtual = net.start("pc", "/usr/bin/python3", "-c", PROGRAM, stdin=subprocess.PIPE)
    ports, own_ports = plain.stdout.readline().split(), virtual.stdout.readline().split()
    for numeric in ("", "n"):
        kernel = subprocess.run(["ss", f"-ti{numeric}"], capture_output=True, text=True).stdout
        ours = net.berth("ss", f"-ti{numeric}").stdout
        for at, which in enumerate(("the client's end", "the server's end")):
            compare(info_line(kernel, ports[at]), info_line(ours, own_ports[at]), which + ", -n" * bool(numeric))
    check("without -i nothing of it is said", "cwnd" not in net.berth("ss", "-t").stdout)
    for program in plain, virtual:
        program.stdin.write("\n")
        program.stdin.close()
        program.wait()
        program.stdin = None
finish()
