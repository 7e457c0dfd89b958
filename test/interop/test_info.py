"""`berth ss -ti` against the kernel's `ss -ti` for the same traffic: bulk data over a link with delay, losses and reordering, to a
reader that rests, and from a small send buffer; each once with Linux as the sender and once with Berth. What an end says in all
samples together must be the same words, in the same order and form: test_info.py BUILD/tool/berth. Needs root."""
import re
import re
import signal
import subprocess
import sys

from test_tap import BERTH, DEVICE, LINUX, OURS, PYTHON, Net, Space, check, finish, until
from ss_lines import UNKNOWN, units, words

# One end: sends so many octets, or receives them once a line says so. Then an answer, and the other line.
PROGRAM = """
import socket, sys
role, address, (port, octets, buffer) = sys.argv[1], sys.argv[2], map(int, sys.argv[3:])
s = socket.socket()
if role == "receive":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen()
    s = s.accept()[0]
    sys.stdin.readline()
    while octets:
        octets -= len(s.recv(min(octets, 1 << 16)))
    s.sendall(b"!")
else:
    if buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    s.connect((address, port))
    s.sendall(bytes(octets))
    s.recv(1)
print("done", flush=True)
sys.stdin.readline()
"""
# The receiver's one segment with an octet: it may be lost, and its ACK may not be there yet.
ANSWER = {"delivery_rate", "bytes_acked", "busy"}
# What chance may bring at the one end and not at the other: a queue that overflows, and when it was looked. Where it must be, `must`
# says so.
CHANCE = {"backoff", "lost", "sacked", "retrans", "bytes_retrans", "dsack_dups", "reordering", "reord_seen", "rcv_ooopack", "ssthresh",
          "app_limited", "unacked", "notsent", "sndbuf_limited", "rwnd_limited"}


class Traffic:
    """One transfer, with what ss says of its two ends. Each has a port of its own: earlier ones may still be closing."""
    port = 9100

    def __init__(self, net, space, linux_sends, octets, buffer):
        self.net, self.space = net, space
        self.roles = {"Linux": "sender" if linux_sends else "receiver", "Berth": "receiver" if linux_sends else "sender"}
        self.by = "Linux" if linux_sends else "Berth"
        self.said = {"Linux": [], "Berth": []}
        address = OURS if linux_sends else LINUX
        Traffic.port = port = Traffic.port + 1
        self.filter = f"( sport = :{port} or dport = :{port} )"
        self.receiver = self.start(not linux_sends, "receive", address, port, octets, 0)
        check(f"{self.by} sends: there is a listener", (net if linux_sends else space).listening(port))
        self.sender = self.start(linux_sends, "send", address, port, octets, buffer)

    def start(self, linux, *arguments):
        words = [PYTHON, "-c", PROGRAM, *map(str, arguments)]
        if not linux:
            return self.net.start("server", *words, stdin=subprocess.PIPE)
        return subprocess.Popen(self.space.words(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def look(self):
        """What the sender's end says now."""
        for system, out in (("Linux", self.space.run("ss", "-tino", self.filter).stdout), ("Berth", self.net.berth("ss", "-tino", self.filter).stdout)):
            self.said[system].extend(line for line in out.splitlines() if line.startswith("\t") and "bytes_" in line)
        return (self.said[self.by] or [""])[-1]

    def go(self):
        """Lets the receiver read, to the end."""
        self.receiver.stdin.write("\n")
        self.receiver.stdin.flush()
        check(f"{self.by} sends: the answer comes", until(lambda: "bytes_received:1 " in self.look(), 100), self.look())
        for program in (self.sender, self.receiver):
            program.communicate(timeout=60)


def plain(line):
    """Its words in order, those that are told of."""
    return [word for word in words(line) if word not in UNKNOWN]


def compare(label, kernel, ours, must):
    theirs, own = ({word for line in lines for word in plain(line)} for lines in (kernel, ours))
    check(f"{label}: the same words", theirs ^ own <= (CHANCE | (ANSWER if label.endswith("receiver") else set())) - must and must <= theirs & own,
          (theirs - own, own - theirs, must - own, must - theirs))
    before = {(one, two) for line in kernel for at, one in enumerate(plain(line)) for two in plain(line)[at + 1:]}
    odd = [(one, two) for line in ours for one, two in zip(plain(line), plain(line)[1:]) if (two, one) in before]
    check(f"{label}: in the kernel's order", not odd, odd)
    looks = [{word: look for line in lines for word, look in units(line).items()} for lines in (kernel, ours)]
    differ = {word: (look, looks[1][word]) for word, look in looks[0].items() if looks[1].get(word, look) != look and word not in UNKNOWN}
    check(f"{label}: in the kernel's form", not differ, differ)


def play(net, space, label, impairment, octets, buffer=0, limit=None, must=()):
    """Both ways. limit: a word that the sender says before the receiver reads."""
    lines = {}
    net.berth("netem", DEVICE, *impairment)
    for linux_sends in (True, False):
        traffic = Traffic(net, space, linux_sends, octets, buffer)
        if limit:
            check(f"{label}: {traffic.by} says {limit}", until(lambda: limit in traffic.look(), 30), traffic.look())
        traffic.go()
        for system, role in traffic.roles.items():
            lines[system, role] = traffic.said[system]
    for role in ("sender", "receiver"):
        compare(f"{label}: {role}", lines["Linux", role], lines["Berth", role], set(must) if role == "sender" else set())
    return lines


def main():
    with Net("info") as net, Space() as space:
        space.run("sysctl", "-qw", "net.ipv4.tcp_sack=1", "net.ipv4.tcp_timestamps=1")
        net.start("server", "sleep", "1000", extra=["--ip", OURS])
        until(lambda: OURS in net.berth("hosts").stdout)
        check("berth tap", space.run(BERTH, "tap", "--net", net.name, DEVICE).returncode == 0)
        play(net, space, "losses", "delay 10ms loss 2% reorder 5%".split(), 4 << 20,
             must=["retrans", "bytes_retrans", "reord_seen", "reordering", "ssthresh", "sacked", "unacked", "minrtt", "delivery_rate", "busy"])
        play(net, space, "a reader that rests", "delay 10ms loss 0% reorder 0%".split(), 16 << 20, limit="rwnd_limited", must=["rwnd_limited", "notsent"])
        lines = play(net, space, "a small send buffer", "delay 10ms loss 0% reorder 0%".split(), 4 << 20, buffer=20000)
        # Linux notices only if the last write before it waits sends something, too.
        held = [line for line in lines["Berth", "sender"] if re.search(r" busy:[0-9]+ms( rwnd_\S+)? sndbuf_limited:[0-9]+ms\([0-9.]+%\) ", line)]
        check("a small send buffer: Berth says sndbuf_limited", held, lines["Berth", "sender"][-1:])
    finish()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
