"""What a port scanner finds of a virtual computer that is joined to a TAP device: its sequence numbers cannot be guessed, its IP ids do
not count up, and every one of its 65,535 ports answers as RFC 9293 has it: test_nmap.py BUILD/tool/berth. Needs root."""
import re
import time

from test_tap import DEVICE, OURS, Space, check, finish
from harness import BERTH, Net

OPEN = [1, 23, 80, 443, 8080, 40000, 65535]
# Listens at the open ports, and at 7/udp, where it answers.
PROGRAM = f"""
import select, socket
places = [socket.socket() for port in {OPEN}]
for place, port in zip(places, {OPEN}):
    place.bind(("", port))
    place.listen(100)
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind(("", 7))
while True:
    for ready in select.select(places + [echo], [], [])[0]:
        if ready is echo:
            data, source = echo.recvfrom(65536)
            echo.sendto(data + b"!", source)
        else:
            ready.accept()[0].close()
"""


def nmap(space, *words):
    """What it says, and the seconds that took."""
    start = time.monotonic()
    done = space.run("nmap", "-n", "-Pn", *words, OURS)
    return done.stdout + done.stderr, time.monotonic() - start


def ports(said):
    """{port: state} of those that are told one by one."""
    return {int(port): state for port, state in re.findall(r"^(\d+)/\w+ +(\S+)", said, re.M)}


def scans(space):
    said, took = nmap(space, "-sS", "-p-", "-T5", "--min-rate", "4000", "--max-retries", "3")
    check(f"a scan by SYNs of all 65,535 ports ({took:.1f} s)", took < 60 and ports(said) == dict.fromkeys(OPEN, "open") and
          re.search(rf"Not shown: {65535 - len(OPEN)} closed tcp ports \(reset\)", said), said)
    some = "-p", "1,2,23,80,81,65534,65535"
    there, others = dict.fromkeys((1, 23, 80, 65535)), dict.fromkeys((2, 81, 65534), "closed")
    # RFC 9293 3.10.7.2: a listener drops what is neither SYN, ACK nor RST; 3.10.7.1: where nobody is, a RST.
    for scan, state in ("-sT", "open"), ("-sF", "open|filtered"), ("-sN", "open|filtered"), ("-sX", "open|filtered"):
        said, took = nmap(space, scan, *some)
        check(f"nmap {scan} ({took:.1f} s)", ports(said) == {**dict.fromkeys(there, state), **others}, said)
    said, took = nmap(space, "-sA", *some)  # an ACK out of the blue is answered by a RST, open or not
    check(f"nmap -sA ({took:.1f} s)", "7 unfiltered" in said or set(ports(said).values()) == {"unfiltered"}, said)
    said, took = nmap(space, "-sU", "-p", "7,8,53")
    check(f"nmap -sU ({took:.1f} s)", ports(said).get(7) == "open" and ports(said).get(8) == "closed", said)


def system(space):
    said, took = nmap(space, "-O", "-v", "-p", "22,23,80")
    check(f"nmap -O -v ({took:.1f} s): sequence numbers are hard to predict", re.search(r"TCP Sequence Prediction: .*Good luck!", said),
          said)
    ids = re.search(r"IP ID Sequence Generation: (.*)", said)
    check(f"IP ids do not count up: {ids and ids[1]}", ids and "Incremental" not in ids[1], said)


with Net("nmap") as net, Space() as space:
    server = net.start("server", "/usr/bin/python3", "-c", PROGRAM, extra=["--ip", OURS])
    joined = net.listening(7, "udp") and space.run(BERTH, "tap", "--net", net.name, DEVICE)
    check("the computer is joined to the TAP", joined and joined.returncode == 0, joined)
    scans(space)
    system(space)
    check("and it lives", server.poll() is None and space.run("ping", "-c", "1", "-W", "2", OURS).returncode == 0)
finish()
