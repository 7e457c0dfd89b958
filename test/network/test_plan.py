"""`faults:` of berth.yaml: what happens when, under unmodified programs; what `berth up --wait` makes of it, and what is said of faults
that fail or make no sense. And what links do from the start."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../run"))
from harness import Net, check, finish, until  # noqa: E402

PYTHON = "/usr/bin/python3"
# Answers each octet.
SERVER = """
import socket, threading
def serve(one):
    try:
        while data := one.recv(100):
            one.sendall(data)
    except OSError:
        pass
listener = socket.create_server(("", 7), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
"""
# Asks db over one connection until that breaks, then over new ones until one answers. The times of faults begin when it is connected.
CLIENT = """
import socket, sys, time
def ask(way):
    way.settimeout(5)
    way.sendall(b"x")
    if way.recv(1) != b"x":
        raise OSError("closed")
    time.sleep(0.02)
way = socket.create_connection(("db", 7))
open("connected", "w").close()
try:
    while True:
        ask(way)
except OSError:
    print("lost", flush=True)
while True:
    try:
        ask(socket.create_connection(("db", 7), timeout=2))
        break
    except OSError:
        time.sleep(0.1)
print("back", flush=True)
"""
# Asks db until nobody answers.
CUT = CLIENT[:CLIENT.index("while True:\n    try")]
FILE = f"""
hosts:
  db:
    command: [{PYTHON}, -c, {json.dumps(SERVER)}]
    healthcheck: {{test: 'exec 3<>/dev/tcp/127.0.0.1/7', interval: 1s, retries: 120}}
    expect: {{running: true}}
  client:
    command: [{PYTHON}, -c, {json.dumps(CLIENT)}]
    depends_on: {{db: {{condition: service_healthy}}}}
    healthcheck: {{test: test -e connected, interval: 1s, retries: 120}}
    expect: {{exited: 0, output: [lost, back]}}
"""
FILE = FILE.replace("'exec 3<>", "[CMD, bash, -c, 'exec 3<>").replace("/7',", "/7'],")


def up(net, text, *options):
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write(text)
    if os.path.exists(f"{net.folder}/connected"):
        os.remove(f"{net.folder}/connected")
    return net.berth("up", *options, "-f", f"{net.folder}/berth.yaml")


def told(done):
    """What the faults' log says."""
    return [line.split("| ", 1)[1] for line in done.stdout.splitlines() if line.startswith("faults ")]


def outcomes():
    """A file with a fault is a test: the programs, what happens to them, and what is to come of it."""
    with Net("plan") as net:
        done = up(net, FILE + """
faults:
  - {at: 300ms, restart: db}
  - {at: 0s, netem: client delay 5ms 1ms 25% distribution normal}
  - {at: 100ms, partition: [[db], [client]]}
  - {at: 200ms, heal: }
""", "--wait", "--timeout", "120s")
        check("db is restarted, and all comes as expected", done.returncode == 0, done)
        check("each fault is told, in the order of the times", told(done) == [
            "0s netem client delay 5ms 1ms 25% distribution normal", "100ms partition db client", "200ms heal", "300ms restart db"], done)
        done = up(net, FILE.replace("running: true", "exited: 137").replace(json.dumps(CLIENT), json.dumps(CUT)) + """
faults:
  - {at: 100ms, kill: db}
""", "--wait", "--timeout", "120s")
        check("the client loses db", "client | lost" in done.stdout, done)
        check("and only what was expected and did not come is wrong", done.returncode == 1 and "has no \"back\"" in done.stderr and
              "137" not in done.stderr, done)
        done = up(net, FILE.replace(json.dumps(CLIENT), json.dumps(CUT)).replace(", back", "") + "faults:\n- {at: 100ms, kill: [db]}\n",
                  "--wait", "--timeout", "120s")
        check("who is killed does not run", done.returncode == 1 and "db: has ended with 137, and should be running" in done.stderr, done)


def lasts():
    """What comes of the last run counts; and up waits for all faults."""
    with Net("plan") as net:
        done = up(net, """
hosts:
  twice:
    command: "test -e again && echo second && exit 0; touch again; sleep 1000"
    healthcheck: {test: test -e again, interval: 1s, retries: 120}
    expect: {exited: 0, output: second}
  still: {command: sleep 1000, expect: {running: true}}
faults:
  - {at: 500ms, pause: still}
  - {at: 600ms, unpause: still}
  - {at: 100ms, restart: twice}
""", "--wait", "--timeout", "120s")
        check("the run that a restart ended does not count", done.returncode == 0, done)
        check("and the later faults have been", told(done) == ["100ms restart twice", "500ms pause still", "600ms unpause still"], done)
        done = up(net, "hosts: {a: {command: echo done}, pc: {count: 2}}\nfaults: [{at: 300ms, netem: pc loss 1%}]\n", "-d")
        check("detached: up", done.returncode == 0, done)
        check("the log of a network that stays has them", until(lambda: told(net.berth("logs")) ==
              ["300ms netem pc1 loss 1%", "300ms netem pc2 loss 1%"], 60), net.berth("logs"))
        check("by name, too", until(lambda: net.berth("logs", "faults").stdout.splitlines() ==
              ["300ms netem pc1 loss 1%", "300ms netem pc2 loss 1%"], 60), net.berth("logs", "faults"))
        check("and they were done", net.berth("netem", "pc2").stdout == "pc2 loss 1%\n", net.berth("netem", "pc2"))
        net.berth("down")
        many = "".join(f"- {{at: {i % 10}ms, netem: a delay {i + 1}us loss 1% duplicate 1% corrupt 1%}}\n" for i in range(1500))
        done = up(net, "hosts: {a: {command: echo done, expect: {exited: 0}}}\nfaults:\n" + many, "--wait", "--timeout", "120s")
        check("many, more than a line of the protocol takes", done.returncode == 0 and len(told(done)) == 1500,
              (done.returncode, done.stderr, len(told(done))))
        check("by time, then as the file has them", told(done)[:2] == [
            f"0ms netem a delay {i}us loss 1% duplicate 1% corrupt 1%" for i in (1, 11)] and told(done)[-1].startswith("9ms netem a delay 1500us"),
            told(done)[:2])
        done = up(net, "hosts: {a: {command: echo done}}\nfaults: [{at: 200ms, heal: }]\n")
        check("in the foreground: as long as the faults last", done.returncode == 0 and told(done) == ["200ms heal"], done)


def failures():
    """A fault that cannot be done when it is due is told, and makes the status 1."""
    with Net("plan") as net:
        text = "hosts: {a: {command: sleep 1000, expect: {running: true}}, b: {}}\nfaults:\n- {at: 0s, heal: }\n- {at: 10ms, unpause: b}\n"
        done = up(net, text, "--wait", "--timeout", "120s")
        check("told, with its place", done.returncode == 1 and "berth.yaml:4: faults[1].unpause: host b is not paused" in done.stderr, done)
        check("and in the log", "10ms unpause b: failed: host b is not paused" in told(done), done)
        text = ("hosts:\n  twice: {command: sleep 1000, expect: {exited: 0}}\n"
                "faults:\n- {at: 0s, unpause: twice}\n- {at: 0s, kill: twice}\n- {at: 1s, restart: twice}\n- {at: 2s, kill: twice}\n")
        done = up(net, text, "--wait", "--timeout", "120s")
        check("nothing waits for what cannot come", done.returncode == 1 and "in time" not in done.stderr, done)
        for fault, wanted in (("{at: 1s, kill: c}", 'no host "c"'), ("{at: 1s, partitoin: [a]}", 'did you mean "partition"'),
                              ("{at: 1s, netem: a dely 5ms}", 'did you mean "delay"'), ("{at: 1s, link: a lan}", "up or down")):
            done = up(net, f"hosts: {{a: {{}}}}\nfaults:\n- {fault}\n", "--wait")
            check(f"wrong when it is read: {fault}", done.returncode == 1 and wanted in done.stderr and "berth.yaml:3: faults[0]" in done.stderr,
                  done)


def links():
    """What links do from the start, in all of netem's words."""
    with Net("plan") as net:
        done = up(net, """
networks: {lan: {delay: 1ms}}
hosts: {a: {}, b: {}}
links:
  - endpoints: [a, lan]
    delay: 20ms 5ms 25% distribution normal
    loss: gemodel 1% 20%
    reorder: 5% 50% gap 5
    netem: [ingress replace rate 10mbit limit 50, egress only tcp port 22 to b corrupt 0.5% 10%]
""", "-d")
        check("up", done.returncode == 0, done)
        does = "delay 20ms 5ms 25% distribution normal loss gemodel 1% 20% 100% 0%"
        said = net.berth("netem", "a").stdout.splitlines()
        check("each direction, and the filter", said == [
            f"a egress {does} reorder 5% 50% gap 5", f"a egress only tcp port 22 to b {does} corrupt 0.5% 10% reorder 5% 50% gap 5",
            "a ingress rate 10mbit limit 50"], said)
        check("the network's words hold for the others", net.berth("netem", "b").stdout == "b delay 1ms\n")
        net.berth("down")
        done = up(net, "hosts: {a: {}}\nlinks:\n- endpoints: [a, lan]\n  netem: reorder 5%\n", "-d")
        check("what makes no sense together has its place", done.returncode == 1 and
              "berth.yaml:4: links[0].netem: reorder needs a delay" in done.stderr, done)


for part in (outcomes, lasts, failures, links):
    print(f"-- {part.__doc__.splitlines()[0]}", flush=True)
    part()
finish()
