"""Control messages of any kind for a daemon: control.py BERTH SECONDS [SEED]. Requests are made wrong by a little or by much, cut, spoilt
and given descriptors that nobody asked for, by clients that come and go. Each whole line has its answer, and the daemon is the same one
afterwards, with no more descriptors open. `berth` should be built with sanitizers."""
import json
import os
import random
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../run"))
from harness import Net, check, finish, runtime_folder, until

SECONDS = float(sys.argv[2])
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
some = random.Random(SEED)
REQUESTS = [
    {"do": "join", "host": "pc7", "ip": "10.0.0.77", "must_exist": True, "program": "x", "argv": ["x", "y"]}, {"do": "join"},
    {"do": "attach", "pid": os.getpid()}, {"do": "up", "networks": [{"name": "lan", "subnet": "10.0.0.0/24"}]}, {"do": "ping"}, {"do": "ps"},
    {"do": "host", "host": "x", "plugs": [{"network": "lan", "ip": "10.0.0.9", "aliases": ["y"], "link": {"delay": 1, "loss": 0.5}}],
     "names": [["z", "10.0.0.1"]], "ports": [1, 2]}, {"do": "log", "host": "server", "process": "p"},
    {"do": "route", "host": "server", "routes": [{"to": "10.9.0.0/16", "via": "10.0.0.9"}]},
    {"do": "ended", "host": "server", "status": 0}, {"do": "hosts"}, {"do": "ss", "owners": True}, {"do": "logs", "host": "server"},
    {"do": "logs", "follow": True}, {"do": "dump", "filter": [[40, 0, 0, 12], [6, 0, 0, 1]], "snap": 60}, {"do": "dump", "stop": True}, {"do": "tap", "name": "x"},
    {"do": "netem", "host": "server", "set": {"delay": 1000, "loss": 0.1, "reorder": 0.1, "rate": 1000}, "replace": False},
    {"do": "netem", "host": "pc1", "network": "lan", "direction": "egress", "only": {"protocol": "tcp", "port": 80, "to": "pc2"},
     "set": {"loss_model": "state", "chain": [0.1, 0.2, 0.3, 0.4, 0.1], "distribution": "pareto", "jitter": 5, "gap": 2}, "del": False},
    {"do": "link", "host": "server", "to": "lan", "up": False}, {"do": "link", "host": "server", "to": "pc1", "up": True},
    {"do": "partition", "groups": [["server", "pc1"], ["pc2"]]}, {"do": "heal"}, {"do": "kill", "hosts": ["pc1", "server"]},
    {"do": "pause", "hosts": ["pc2"]}, {"do": "unpause", "hosts": ["pc2"]}, {"do": "restart", "hosts": ["pc1"]}, {"do": "starts"},
    {"do": "faults", "list": [{"at": 1e6, "fault": {"do": "kill", "hosts": ["pc2"]}, "place": "berth.yaml:1: faults[0]", "text": "1ms kill"},
                              {"at": 0, "fault": {"do": "faults", "list": []}}], "start": True}, {"do": "faults", "over": True},
]
# What who says `up` makes: with a schedule of faults only that connection may come.
OWN = [{"do": "up", "networks": [{"name": "lan", "subnet": "10.0.0.0/24"}]},
       {"do": "host", "host": "server", "plugs": [{"network": "lan", "ip": "10.0.0.1"}]},
       *({"do": "host", "host": name, "plugs": [{"network": "lan"}]} for name in ("pc1", "pc2"))]
KEYS = sorted({key for request in REQUESTS for key in request} | {"delay", "limit", "sysctls", "fault", "at", "protocol", "chain", ""})


def value():
    """Anything."""
    return some.choice([
        lambda: None, lambda: some.random() < 0.5, lambda: some.choice([0, -1, 1 << 31, 1 << 63, -(1 << 63), some.randrange(70000)]),
        lambda: some.choice([0.5, -1e308, 1e-300]), lambda: "x" * some.choice([0, 1, 63, 64, 300, 5000]),
        lambda: some.choice(["server", "pc1", "10.0.0.1", "0.0.0.0", "../x", "a\0b", "\u20ac", "%s%n", "lan"]),
        lambda: [value() for _ in range(some.randrange(4))], lambda: {some.choice(KEYS): value() for _ in range(some.randrange(4))},
    ])()


def line():
    request = dict(some.choice(REQUESTS))
    for _ in range(some.choice([0, 1, 1, 2, 5])):
        key = some.choice([*request, some.choice(KEYS)])
        if some.random() < 0.3:
            request.pop(key, None)
        elif key != "pid":
            request[key] = value()
    text = bytearray(json.dumps(request).encode())
    for _ in range(some.choice([0, 0, 0, 1, 3])):
        text[some.randrange(len(text))] = some.randrange(1, 256)  # a NUL ends a line early, and an empty line has no answer
    if some.random() < 0.05:
        del text[some.randrange(len(text)):]
    return (bytes(text) or b"{").replace(b"\n", b" ").replace(b"down", b"dawn") + b"\n"


def descriptors():
    """Of several kinds, this process's to close."""
    kinds = [lambda: os.open("/dev/null", os.O_RDWR), lambda: os.memfd_create("x"), lambda: os.open("/", os.O_RDONLY),
             lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).detach()]
    return [some.choice(kinds)() for _ in range(some.choice([0, 0, 0, 1, 1, 2, 2, 3, 8]))]


def opened(pid):
    """What a process has open."""
    folder = f"/proc/{pid}/fd"
    return [os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)]


class Client:
    def __init__(self, net):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect(f"{runtime_folder()}/{net.name}.sock")
        self.file = self.socket.makefile("rb")
        self.pid = json.loads(self.file.readline())["pid"]

    def own(self):
        """Says `up`, or finds that another one is not gone yet."""
        for request in OWN:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
            self.file.readline()

    def say(self):
        """A few lines and their answers; False when the daemon has hung up, which it may on nonsense, or when it is silent."""
        for _ in range(some.randrange(1, 20)):
            sent, given = line(), descriptors()
            try:
                socket.send_fds(self.socket, [sent], given)
                answer = self.file.readline()
            except TimeoutError:
                check("each line has an answer", False, sent)
                return
            except ConnectionError:
                return
            finally:
                for fd in given:
                    os.close(fd)
            if b'"follow"' in sent or b'"dump"' in sent or not answer:
                return  # what comes now is no line for us, or nothing
            if not {"ok", "error", "note", "end", "start", "fault"} & set(json.loads(answer)):
                check("each answer is one", False, (sent, answer))
            lines.append(sent)
            plans.extend([sent] if b'"faults"' in sent and b'"ok"' in answer else [])

    def close(self):
        self.file.close()
        self.socket.close()


lines, plans = [], []
with Net("fuzz") as net:
    net.start("keeper", "sleep", "100000")
    check("a network is up", until(lambda: "keeper" in net.berth("ps").stdout, 60))
    first = Client(net)
    before = opened(first.pid)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        client = Client(net)
        if some.random() < 0.8:
            client.own()
        client.say()
        client.close()
    first.socket.sendall(b'{"do":"dump","stop":true}\n')
    first.file.readline()
    first.socket.sendall(b'{"do":"ping"}\n')
    answer = first.file.readline()
    check(f"the daemon answers after {len(lines)} requests of any kind, {len(plans)} of them plans of faults (seed {SEED})", json.loads(answer or b"{}").get("pid") == first.pid, answer)
    check("and has nothing open for them", until(lambda: len(opened(first.pid)) <= len(before), 10),
          (before, opened(first.pid)))
    first.close()
finish()
