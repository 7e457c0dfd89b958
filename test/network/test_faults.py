"""Faults on demand, under unmodified programs: what links do, partitions, cables, computers that stand still or lose their power; and
what is said when the words are wrong."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../run"))
from harness import Net, check, finish, marked, until  # noqa: E402

PYTHON = "/usr/bin/python3"
# Answers each octet; says what it met.
SERVER = """
import socket, threading
def serve(one):
    try:
        while data := one.recv(100):
            one.sendall(data)
        print("end", flush=True)
    except OSError as error:
        print(error, flush=True)
listener = socket.create_server(("", 7), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
"""
# Asks for as long as it is asked to: a line in, a line out.
CLIENT = """
import socket, sys
way, mark = None, b"0"
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    try:
        if word == "open":
            way = socket.create_connection((rest, 7), timeout=30)
        if word == "ask":
            way.settimeout(float(rest))
            mark = bytes([(mark[0] + 1) % 256])
            way.sendall(mark)
            while got := way.recv(100):  # what was asked before may be answered only now
                if got.endswith(mark): break
            else: raise OSError("end")
        print("ok", flush=True)
    except OSError as error:
        print("no", error, flush=True)
"""
FILE = f"""
networks:
  lan: {{subnet: 10.0.0.0/24}}
  wan: {{subnet: 10.1.0.0/24}}
hosts:
  db: {{networks: [lan], command: [{PYTHON}, -u, -c, {json.dumps(SERVER)}]}}
  db2: {{networks: [lan], command: [{PYTHON}, -u, -c, {json.dumps(SERVER)}]}}
  web: {{networks: [lan, wan]}}
"""


class Up:
    """A network of that file."""

    def __init__(self, text):
        self.net = Net("faults")
        self.text = text

    def __enter__(self):
        net = self.net.__enter__()
        with open(f"{net.folder}/berth.yaml", "w") as file:
            file.write(self.text)
        said = net.berth("up", "-d", "-f", f"{net.folder}/berth.yaml")
        if said.returncode != 0:
            check("the network comes up", False, said)
        return net

    def __exit__(self, *how):
        return self.net.__exit__(*how)


class Client:
    """The client above on a host of a network that is up."""

    def __init__(self, net, host):
        import subprocess
        self.program = subprocess.Popen([net.words("x", [])[0], "exec", "--net", net.name, host, "--", PYTHON, "-u", "-c", CLIENT],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        net.programs.append(self.program)

    def say(self, line):
        self.program.stdin.write(line + "\n")
        self.program.stdin.flush()

    def ask(self, line):
        self.say(line)
        return self.program.stdout.readline().strip()


def ready(net, *hosts):
    def said():
        return {line.split()[0] for line in net.berth("logs").stdout.splitlines() if line.endswith("| ready")}

    check("its programs are ready", until(lambda: said() >= set(hosts), 60), hosts)


def words():
    """netem's words: merged, replaced, deleted, each direction; errors name the nearest."""
    with Up(FILE) as net:
        def does(*more):
            return net.berth("netem", *more)
        check("a delay, as tc has it", does("db", "delay", "50ms", "10ms", "25%", "distribution", "normal").stdout
              == "db delay 50ms 10ms 25% distribution normal\n")
        check("what is not mentioned stays", does("db", "loss", "2%").stdout == "db delay 50ms 10ms 25% distribution normal loss 2%\n")
        check("a word is replaced as a whole", does("db", "delay", "20ms").stdout == "db delay 20ms loss 2%\n")
        check("one direction", does("db", "egress", "loss", "gemodel", "1%", "20%").stdout
              == "db egress delay 20ms loss gemodel 1% 20% 100% 0%\ndb ingress delay 20ms loss 2%\n")
        check("the other keeps", does("db", "ingress", "reorder", "25%", "50%", "gap", "5").stdout.endswith(
            "db ingress delay 20ms loss 2% reorder 25% 50% gap 5\n"))
        said = does("db", "replace", "rate", "10mbit", "limit", "50", "duplicate", "1%", "corrupt", "0.1%")
        check("replace switches the rest off", said.stdout == "db duplicate 1% corrupt 0.1% rate 10mbit limit 50\n", said)
        check("del takes all away", does("db", "del").stdout == "db\n")
        check("without words: says it", does("db").stdout == "db\n")
        does("db", "loss", "state", "1%", "20%", "30%", "40%", "1%")
        said = json.loads(does("db", "--json").stdout)
        check("--json", said[0]["host"] == "db" and said[0]["egress"]["chain"] == [0.01, 0.2, 0.3, 0.4, 0.01], said)
        check("one of two links", does("web:wan", "delay", "5ms").stdout == "web delay 5ms\n" and
              does("web").stdout == "web:lan\nweb:wan delay 5ms\n", does("web"))
        check("a filter", does("web:lan", "only", "tcp", "port", "5432", "to", "db2", "loss", "10%").stdout
              == "web\nweb only tcp port 5432 to db2 loss 10%\n")
        check("a filter goes", does("web:lan", "only", "tcp", "port", "5432", "to", "db2", "del").stdout == "web\n")
        does("web:lan", "only", "udp", "loss", "1%")
        does("web:lan", "egress", "only", "udp", "to", "db", "loss", "2%")
        check("replace is about all other frames", does("web:lan", "replace", "delay", "1ms").stdout.endswith("only udp loss 1%\n"))
        check("del of one direction takes its filters away, too", does("web:lan", "ingress", "del").stdout ==
              "web egress delay 1ms\nweb egress only udp loss 1%\nweb egress only udp to db loss 2%\nweb ingress\n", does("web:lan"))
        check("del takes all filters away", does("web:lan", "del").stdout == "web\n", does("web:lan"))
        for given, wanted in ((("db", "dealy", "5ms"), 'did you mean "delay"'), (("db", "egres", "loss", "5%"), 'did you mean "egress"'), (("db", "delay", "5"), "should be such as 50ms"), (("db", "delay", "-5ms"), "no value is negative"),
                              (("db", "loss", "200%"), "should be such as 2%"), (("db", "distribution", "norml"), '"normal"'),
                              (("dbb", "loss", "1%"), 'did you mean "db'),
                              (("db", "only", "tcp", "egress", "loss", "1%"), "egress stands in front"), (("db:wan", "loss", "1%"), "not on a network wan"),
                              (("db", "replace", "reorder", "5%"), "needs a delay"), (("db", "only", "port", "99999"), "1 to 65535"),
                              (("db", "only", "icmp", "port", "5", "loss", "1%"), "no ports"), (("db", "only", "loss", "1%"), "only"),
                              (("db", "loss", "state", "90%", "10%", "0%", "0%", "20%"), "more than 100%"),
                              (("db", "del", "loss"), "nothing comes after"), (("db", "only", "to", "dbb", "loss", "1%"), 'did you mean "db')):
            said = does(*given)
            check(f"wrong: netem {' '.join(given)}", wanted in said.stderr and said.returncode in (1, 2) and not said.stdout, said)
        for given, wanted in ((("link", "web", "lan", "dwn"), 'did you mean "down"'), (("link", "web", "db", "wan"), "up or down"),
                              (("link", "web", "lann", "up"), "no host"), (("link", "web", "web", "up"), "two ends"),
                              (("link", "db", "wan", "up"), "not on network wan"), (("partition", "web,bd", "db2"), '"db"'),
                              (("partition", "web,db", "db"), "two groups"), (("partition",), "groups"), (("heal", "web"), "nothing"),
                              (("kill",), "which hosts"), (("kill", "bd2"), '"db2"'), (("unpause", "db"), "not paused")):
            said = net.berth(*given)
            check(f"wrong: {' '.join(given)}", wanted in said.stderr and said.returncode in (1, 2), said)


def delays():
    """Real programs feel a delay and a rate; only the match that is meant."""
    with Up(FILE) as net:
        ready(net, "db", "db2")
        one, other = Client(net, "web"), Client(net, "web")
        check("both servers answer", one.ask("open db") == "ok" and other.ask("open db2") == "ok")
        net.berth("netem", "web", "delay", "200ms")
        start = time.monotonic()
        check("a delay each way: at least 400 ms to the answer", one.ask("ask 30") == "ok" and time.monotonic() - start >= 0.4)
        net.berth("netem", "web", "del")
        net.berth("netem", "web:lan", "only", "tcp", "port", "7", "to", "db2", "loss", "100%")
        check("what does not match passes", one.ask("ask 30") == "ok")
        check("what matches is lost", other.ask("ask 0.5").startswith("no"))
        net.berth("netem", "web:lan", "only", "tcp", "port", "7", "to", "db2", "del")
        check("and passes when the filter is gone", other.ask("ask 30") == "ok")


def apart():
    """Partitions and cables, between real programs: connections outlive them."""
    with Up(FILE) as net:
        ready(net, "db", "db2")
        one, other = Client(net, "web"), Client(net, "db2")
        check("before: both reach db", one.ask("open db") == "ok" and other.ask("open db") == "ok")
        net.berth("partition", "web", "db,db2")
        check("the partition keeps web and db apart", one.ask("ask 0.5").startswith("no"))
        check("within a group nothing changes", other.ask("ask 30") == "ok")
        said = net.berth("partition", "")
        check("a group without names is none", said.returncode == 2 and "takes groups of hosts" in said.stderr, said)
        check("and nothing changes", one.ask("ask 0.5").startswith("no"))
        net.berth("partition", "db2")
        check("one group alone is cut off", other.ask("ask 0.5").startswith("no"))
        check("and the others reach each other: the new partition replaces the old one", one.ask("ask 30") == "ok")
        net.berth("heal")
        check("healed", one.ask("ask 30") == "ok" and other.ask("ask 30") == "ok")
        net.berth("link", "web", "db", "down")
        check("a way between two is closed", one.ask("ask 0.5").startswith("no") and other.ask("ask 30") == "ok")
        net.berth("link", "web", "db", "up")
        check("and opened", one.ask("ask 30") == "ok")
        net.berth("link", "db", "lan", "down")
        check("db's cable is out", one.ask("ask 0.5").startswith("no") and other.ask("ask 0.5").startswith("no"))
        check("netem says so", net.berth("netem", "db").stdout.startswith("db down"))
        net.berth("heal")
        check("heal puts it in", one.ask("ask 30") == "ok" and other.ask("ask 30") == "ok")


def state(net, host):
    return {row["host"]: row["status"] for row in json.loads(net.berth("ps", "--json").stdout)}[host]


def stopped(net):
    """Of the network's programs, how many are stopped."""
    count = 0
    for pid in marked(net.name):
        try:
            with open(f"/proc/{pid}/stat") as file:
                count += file.read().rpartition(")")[2].split()[0] == "T"
        except OSError:
            pass
    return count


def restarts():
    """A killed computer's command with a restart policy waits for the computer, and does not try."""
    text = """hosts:
  always: {command: "echo ready; exec sleep 1000", restart: always}
  pause: {command: "echo ready; sleep 0.2; exit 1", restart: always}
  witness: {}
"""
    with Up(text) as net:
        said = lambda host: net.berth("logs", host).stdout  # noqa: E731
        ready(net, "always", "pause")
        check("commands with a restart policy are killed with their computers", net.berth("kill", "always", "pause").returncode == 0)
        for _ in range(20):
            net.berth("exec", "witness", "--", "sleep", "0.1")
        tries = {host: said(host).count("is off") for host in ("always", "pause")}  # the one may have been about to begin
        check("they wait, and do not try in vain", tries["always"] == 0 and tries["pause"] <= 1, (said("always"), said("pause")))
        check("and are off all the while", state(net, "always") == state(net, "pause") == "off", net.berth("ps").stdout)
        check("restart", net.berth("restart", "always", "pause").returncode == 0)
        check("they begin anew with their computers", until(lambda: said("always").count("ready") == 2, 60), said("always"))
        begun = said("pause").count("ready")
        check("and one that ends goes on beginning anew", until(lambda: said("pause").count("ready") > begun + 2, 60), said("pause"))
        check("one that was begun anew is killed again, and begun again", net.berth("kill", "always").returncode == 0 and
              net.berth("restart", "always").returncode == 0 and until(lambda: said("always").count("ready") == 3, 60), said("always"))


def power():
    """pause, unpause, kill, restart."""
    with Up(FILE) as net:
        ready(net, "db", "db2")
        one = Client(net, "web")
        check("before", one.ask("open db") == "ok")
        check("pause", net.berth("pause", "db").returncode == 0 and state(net, "db") == "paused")
        check("its program stands still", until(lambda: stopped(net) > 0))
        check("nobody answers", one.ask("ask 0.5").startswith("no"))
        said = net.berth("exec", "db", "--", "true")
        check("nothing is started there meanwhile", "berth unpause db" in said.stderr and said.returncode != 0, said)
        check("a second pause is refused", "paused already" in net.berth("pause", "db").stderr)
        check("unpause", net.berth("unpause", "db").returncode == 0 and until(lambda: stopped(net) == 0))
        check("the connection goes on", one.ask("ask 60") == "ok")
        check("kill", net.berth("kill", "db").returncode == 0 and state(net, "db") == "off", net.berth("ps").stdout)
        check("its program is dead", until(lambda: not any(
            row["host"] == "db" for row in json.loads(net.berth("ss", "-a", "--json").stdout or "[]"))))
        check("its peer hears nothing", one.ask("ask 0.5").startswith("no timed out"))
        check("off is off", "berth restart db" in net.berth("exec", "db", "--", "true").stderr)
        check("a second kill is refused", "off already" in net.berth("kill", "db").stderr)
        logs = net.berth("logs", "db").stdout.count("ready")
        check("restart", net.berth("restart", "db").returncode == 0)
        check("its command begins anew", until(lambda: net.berth("logs", "db").stdout.count("ready") > logs, 60))
        check("the old connection is reset", until(lambda: one.ask("ask 5").endswith(("reset by peer", "Broken pipe")), 60))
        check("a new one is taken", one.ask("open db") == "ok" and one.ask("ask 60") == "ok")
        check("two at once, one of them on", net.berth("restart", "db", "db2").returncode == 0)
        check("both begin", until(lambda: net.berth("logs", "db").stdout.count("ready") > logs + 1 and
                                  net.berth("logs", "db2").stdout.count("ready") > 1, 60), net.berth("logs").stdout)
        net.berth("pause", "db", "db2")
        check("restart lets a paused one begin anew", net.berth("restart", "db").returncode == 0 and
              until(lambda: net.berth("logs", "db").stdout.count("ready") > logs + 2, 60))
    with Net("faults") as net:
        web = net.web("web")
        said = net.berth("restart", "web")
        check("restart needs commands", "no commands" in said.stderr, said)
        net.berth("pause", "web")
        check("kill ends a run that is paused", net.berth("kill", "web").returncode == 0 and until(lambda: web.poll() is not None))
        check("it ended as a killed program does", web.returncode in (137, -9), web.returncode)


for part in (words, delays, apart, power, restarts):
    print(f"-- {part.__doc__.splitlines()[0]}", flush=True)
    part()
finish()
