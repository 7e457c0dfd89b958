"""The daemon's life: it comes with the first user and goes with the last, whoever is killed; and its control socket takes anything."""
import json
import os
import select
import signal
import socket
import stat
import subprocess
import time

from harness import BERTH, Net, check, finish, runtime_folder, until


def processes(net, *words):
    """Berth's processes of that network whose command line has all these words."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().split(b"\0")
            with open(f"/proc/{pid}/stat") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if net.encode() in line and all(word.encode() in line for word in words) and state != "Z":
            found.append(int(pid))
    return found


def socket_path(net):
    return f"{runtime_folder()}/{net}.sock"


def gone(net):
    """Waited for after `down` as well: the `up` that stays behind -d sees the daemon end, and may need a moment on a busy machine."""
    return not processes(net) and not os.path.exists(socket_path(net))


def started(net, text="hosts: {server: {ipv4_address: 10.0.0.1}, pc: {count: 2}}\n"):
    """The network is up in the background."""
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write(text)
    return net.berth("up", "-d", "-f", f"{net.folder}/berth.yaml")


class Control:
    """A client of the control socket that says what it likes."""

    def __init__(self, net):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(socket_path(net))
        self.file = self.socket.makefile("rb")
        self.greeting = json.loads(self.file.readline())

    def ask(self, request):
        line = request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
        self.socket.sendall(line)
        return json.loads(self.file.readline() or b"null")

    def close(self):
        self.file.close()
        self.socket.close()


def memory(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


with Net("life") as net:
    done = started(net)
    check("up -d says the computers and their addresses", done.stdout == "server 10.0.0.1\npc1 10.0.0.2\npc2 10.0.0.3\n", done)
    folder, path = os.stat(runtime_folder()), os.stat(socket_path(net.name))
    check("the directory is 0700, the socket 0600", stat.S_IMODE(folder.st_mode) == 0o700 and stat.S_IMODE(path.st_mode) == 0o600)
    [daemon] = processes(net.name, "daemon")
    with open(f"/proc/{daemon}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    check("the daemon has a session of its own and no terminal", int(fields[3]) != os.getsid(0) and fields[4] == "0", fields[:6])
    check("its standard streams are /dev/null", {os.readlink(f"/proc/{daemon}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"})
    check("ps lists them", net.berth("ps").stdout.count("\n") == 4)
    started_at = time.monotonic()
    done = net.berth("down")
    check("down is quick when nothing runs", done.returncode == 0 and time.monotonic() - started_at < 2, done)
    check("and nothing is left", until(lambda: gone(net.name)), processes(net.name))

with Net("mute") as net:
    # What the program wrote fills the pipe that nobody reads; the message that the network is gone does not fit.
    check("up for a program that nobody listens to", started(net).returncode == 0)
    reading, writing = os.pipe()
    program = subprocess.Popen(net.words("pc1", ["/usr/bin/python3", "-c", "import os\nwhile True: os.write(2, b'x' * 4096)"]),
                               stdout=subprocess.DEVNULL, stderr=writing)
    check("it has filled the pipe", until(lambda: not select.select([], [writing], [], 0)[1]))
    os.kill(processes(net.name, "daemon")[0], signal.SIGKILL)
    try:
        status = program.wait(60)
    except subprocess.TimeoutExpired:
        program.kill()
        status = None
    check("its job ends all the same", status == 125, status)
    os.close(reading)
    os.close(writing)
    check("and nothing is left", until(lambda: gone(net.name)), processes(net.name))

with Net("killed") as net:
    for victims in (["daemon"], ["up"], ["keeper"], ["daemon", "keeper"], ["keeper", "daemon"], ["up", "daemon"]):
        done = started(net)
        check(f"up before the killing of {victims}", done.returncode == 0, done)
        pids = [pid for victim in victims for pid in processes(net.name, victim)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        if victims == ["keeper"]:
            again = until(lambda: [p for p in processes(net.name, "keeper") if p not in pids])
            check("a killed keeper is replaced", bool(again))
            check("and the network lives on", net.berth("ps").returncode == 0)
            os.kill(processes(net.name, "daemon")[0], signal.SIGKILL)
        elif victims[-1] != "up" and "keeper" in victims:
            # Nobody is left to clean up: the next command does.
            until(lambda: not processes(net.name))
            done = net.berth("ps")
            check("a stale socket is taken away by the next command", done.returncode == 1 and "not running" in done.stderr, done)
        check(f"kill -9 of {' and '.join(victims)} leaves nothing", until(lambda: gone(net.name)), processes(net.name))
    check("up after all that", started(net).returncode == 0)
    [daemon] = processes(net.name, "daemon")
    os.kill(daemon, signal.SIGTERM)
    check("SIGTERM ends the daemon in good order", until(lambda: gone(net.name)), processes(net.name))

with Net("front") as net:
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("hosts: {server: {}}\n")
    front = subprocess.Popen([BERTH, "up", "--net", net.name, "-f", f"{net.folder}/berth.yaml"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    until(lambda: net.berth("ps").returncode == 0)
    front.send_signal(signal.SIGINT)
    said = front.communicate(timeout=10)[0]
    check("Ctrl-C ends up in the foreground, and the network", front.returncode == 0 and until(lambda: gone(net.name)), said)

with Net("crowd") as net:
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("hosts: {a: {count: 20}}\n")
    ups = [subprocess.Popen([BERTH, "up", "-d", "--net", net.name, "-f", f"{net.folder}/berth.yaml"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True) for _ in range(8)]
    said = [up.communicate(timeout=30) for up in ups]
    check("of eight ups at once of one network one wins", sorted(up.returncode for up in ups) == [0] + [1] * 7, said)
    check("and the others say why", sum("is up already" in err for _, err in said) == 7, said)
    done = net.berth("down")
    check("down", done.returncode == 0 and until(lambda: gone(net.name)), (done, processes(net.name)))

with Net("hurry") as net:  # some of the commands have only just begun to start when all is to end
    rounds, slow = [], "hosts: {a: {count: 20, stop_grace_period: 90s, command: [sleep, '300']}}\n"
    for _ in range(5):
        done, begun = started(net, slow), time.monotonic()
        down = net.berth("down")
        rounds.append((done.returncode, down.returncode, time.monotonic() - begun < 45, until(lambda: gone(net.name))))
    check("down right after up hears every command's end and waits for no deadline", rounds == [(0, 0, True, True)] * 5, rounds)

sides = [Net("sides") for _ in range(20)]
for side in sides:
    side.__enter__()
    with open(f"{side.folder}/berth.yaml", "w") as file:
        file.write("hosts: {server: {ipv4_address: 10.0.0.1}}\n")
for word in (["up", "-d"], ["ps"], ["down"]):
    running = [subprocess.Popen([BERTH, word[0], "--net", side.name, *word[1:],
                                 *(["-f", f"{side.folder}/berth.yaml"] if word[0] == "up" else [])],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for side in sides]
    said = [one.communicate(timeout=60)[0] for one in running]
    check(f"20 networks side by side: {word[0]}", all(one.returncode == 0 for one in running), said)
check("nothing is left of the 20", until(lambda: all(gone(side.name) for side in sides)))
for side in sides:
    side.__exit__(None, None, None)

with Net("stale") as net:
    os.makedirs(runtime_folder(), mode=0o700, exist_ok=True)
    with open(socket_path(net.name), "w"):
        pass
    check("a file in the socket's place is no obstacle", started(net).returncode == 0)
    check("down", net.berth("down").returncode == 0)

with Net("control") as net:
    started(net)
    [daemon] = processes(net.name, "daemon")
    client = Control(net.name)
    check("the greeting says who answers", client.greeting["pid"] == daemon and "berth" in client.greeting, client.greeting)
    joined = client.ask({"do": "join", "program": "x"})
    check("a join is given the first free name and address", (joined["host"], joined["ip"], joined["net"]) ==
          ("pc3", "10.0.0.4", net.name), joined)
    REFUSED = [
        ("not JSON", b"hello\n", "JSON"), ("half of it", b'{"do":\n', "JSON"), ("no object", b"[1]\n", "do"),
        ("no word", b"{}\n", "do"), ("a word of a wrong type", b'{"do":7}\n', "do"), ("doubled keys", b'{"do":"ps","do":"ps"}\n', "JSON"),
        ("an unknown word", b'{"do":"jion"}\n', "join"), ("a second join", {"do": "join"}, "in use"),
        ("attach without descriptors", {"do": "attach", "pid": 1}, "descriptors"),
        ("deep nesting", b"[" * 5000 + b"\n", "JSON"), ("a NUL", b'{"do":"ps\\u0000"}\n', "JSON"),
        ("bad UTF-8", b'{"do":"\xff"}\n', "JSON"), ("host before up", {"do": "host", "host": "x"}, "up"),
        ("a log that is none", {"do": "log", "host": "server"}, "descriptor"),
        ("a filter that is none", {"do": "dump", "filter": [[1, 2]]}, "instruction 0"), ("one that does not end", {"do": "dump", "filter": [[40, 0, 0, 12]]}, "BPF"), ("no dump to stop", {"do": "dump", "stop": True}, "no dump"),
        ("a tap without a device", {"do": "tap", "name": "x"}, "descriptor"),
        ("netem out of bounds", {"do": "netem", "host": "server", "set": {"loss": 1.5}}, "loss"),
        ("netem of what is none", {"do": "netem", "host": "server", "set": {"colour": 1}}, "colour"),
        ("netem with text", {"do": "netem", "host": "server", "set": {"loss": "much"}}, "loss"),
        ("logs of nobody", {"do": "logs", "host": "servr"}, "server"),
    ]
    for what, line, word in REFUSED:
        answer = client.ask(line)
        check(f"refused: {what}", answer is not None and word in answer.get("error", ""), answer)
    for what, request, word in [("a name with a slash", {"host": "../x"}, "no name"), ("an address for a name", {"host": "10.0.0.9"}, "no name"),
                                ("a name of 64 letters", {"host": "x" * 64}, "no name"), ("no address", {"ip": "x"}, "no address"),
                                ("a taken address", {"ip": "10.0.0.1"}, "taken by host server"),
                                ("the network's own address", {"ip": "10.0.0.0"}, "subnet"),
                                ("the broadcast address", {"ip": "10.0.0.255"}, "subnet"),
                                ("another address for a known host", {"host": "server", "ip": "10.0.0.99"}, "10.0.0.1"),
                                ("a host that must be there", {"host": "servr", "must_exist": True}, 'did you mean "server"?')]:
        other = Control(net.name)
        answer = other.ask({"do": "join", **request})
        check(f"refused: {what}", word in answer.get("error", ""), answer)
        other.close()
    with open("/dev/null", "rb") as null:
        socket.send_fds(client.socket, [b'{"do":"tap","name":"x"}\n'], [null.fileno()])
    answer = json.loads(client.file.readline())
    check("refused: a tap that is none", "TAP" in answer.get("error", ""), answer)
    check("one octet at a time", [client.socket.sendall(bytes([octet])) for octet in b'{"do":"ping"}\n'] and
          json.loads(client.file.readline()).get("ok") is True)
    client.socket.sendall(b"\n\n" + b'{"do":"ping"}\n' * 3)
    check("several requests in one piece, in order", [json.loads(client.file.readline()).get("ok") for _ in range(3)] == [True] * 3)
    long = Control(net.name)
    long.socket.sendall(b"x" * 70000)
    check("a line too long is refused", "65536" in json.loads(long.file.readline())["error"])
    try:
        check("and the connection closed", long.file.read() == b"")
    except ConnectionResetError:  # some of the line was not read
        pass
    long.close()
    before = memory(daemon)
    deaf, sent = Control(net.name), 0
    deaf.socket.setblocking(False)
    try:
        while sent < 64 << 20:
            sent += deaf.socket.send(b'{"do":"ping"}\n' * 1000)
    except BlockingIOError:
        pass
    answered = [client.ask({"do": "ping"})["ok"] for _ in range(100)]
    check("a client that never reads holds nobody up and no memory", all(answered) and sent < 8 << 20 and memory(daemon) - before < 16 << 20,
          (sent, memory(daemon) - before))
    deaf.close()
    crowd = [Control(net.name) for _ in range(300)]
    check("300 clients at once", all(one.ask({"do": "ping"})["ok"] for one in crowd))
    for one in crowd:
        one.close()
    half = Control(net.name)
    half.socket.sendall(b'{"do":"ping"}\n')
    half.socket.shutdown(socket.SHUT_WR)
    check("a client that has said all gets its answer", json.loads(half.file.readline())["ok"] is True and half.file.read() == b"")
    half.close()
    flood = Control(net.name)
    descriptors = len(os.listdir(f"/proc/{daemon}/fd"))
    for _ in range(50):
        socket.send_fds(flood.socket, [b'{"do":"ping"}\n'], [0, 1, 2])
        json.loads(flood.file.readline())
    check("descriptors that nobody asked for are closed", until(lambda: len(os.listdir(f"/proc/{daemon}/fd")) <= descriptors))
    flood.close()
    table = net.berth("hosts").stdout
    check("the joined computer is there", "pc3" in table, table)
    client.close()
    check("and goes with its user", until(lambda: "pc3" not in net.berth("hosts").stdout))
    check("the daemon is the same all along", processes(net.name, "daemon") == [daemon])
    done = net.berth("down")
    check("down", done.returncode == 0 and until(lambda: gone(net.name)), (done, processes(net.name)))

HOLD = """
import socket
listener = socket.create_server(('', 7000))
print('ready', flush=True)
for _ in range(3):
    connection = listener.accept()[0]
    said = b''.join(iter(lambda: connection.recv(65536), b''))
    print(len(said), flush=True)
    connection.close()
"""

with Net("leave") as net:  # a computer that ends with its program: its last words and its end arrive, and their answers at it
    server = net.start("server", "/usr/bin/python3", "-c", HOLD, extra=["--ip", "10.0.0.1"])
    check("a server waits for its clients' ends", server.stdout.readline() == "ready\n")
    net.berth("netem", "server", "delay", "100ms")
    for number, octets in enumerate((0, 100, 1000000)):
        net.run(f"client{number}", "/usr/bin/python3", "-c",
                f"import socket; socket.create_connection(('10.0.0.1', 7000)).sendall(b'x' * {octets})")
        line = server.stdout.readline()
        check(f"the end after {octets} octets of a program that is gone arrives", line == f"{octets}\n", line)
    check("and nothing is left of the connections", until(lambda: "7000" not in net.berth("ss", "-tn", "state", "connected").stdout),
          net.berth("ss", "-tan").stdout)

# A run whose programs have ended costs nothing, even while those who are to clean up after it are held up.
def descendants(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = [int(child) for child in file.read().split()]
    return children + [deeper for child in children for deeper in descendants(child)]


def command(pid):
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


with Net("deserted") as net:
    check("a network is up", started(net).returncode == 0)
    daemon = processes(net.name, "daemon")[0]
    threads = len(os.listdir(f"/proc/{daemon}/task"))
    run = net.start("pc1", "/bin/sleep", "300")
    check("a run has a thread of the daemon", until(lambda: "sleep" in map(command, descendants(run.pid))) and
          len(os.listdir(f"/proc/{daemon}/task")) == threads + 1)
    family = [run.pid, *descendants(run.pid)]
    for pid in family:
        os.kill(pid, signal.SIGKILL if command(pid) == "sleep" else signal.SIGSTOP)
    check("which ends with the run's programs", until(lambda: len(os.listdir(f"/proc/{daemon}/task")) == threads))
    for pid in family:
        if os.path.exists(f"/proc/{pid}"):
            os.kill(pid, signal.SIGCONT)

finish()
