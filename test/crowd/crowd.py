"""24 computers run the same server at the same port, nginx at 80, for 2,000 clients: 25 computers with 80 each, all connected at
once, by IPv4 and by IPv6, and with the same 80 client ports on every computer. Each client sends tokens of its own and must hear
which server it reached and what that server sees of it; the table of sockets must be exactly these connections; and nothing may be
left over. Usage: crowd.py BERTH."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../run")
from harness import Net, check, finish, until  # noqa: E402

SERVERS, COMPUTERS, EACH, TURNS = 24, 25, 80, 5
CLIENTS = ["/usr/bin/python3", "-u", f"{HERE}/clients.py"]


def server_start(net, name):
    folder = f"{net.folder}/{name}"
    os.mkdir(folder)
    with open(f"{folder}/conf", "w") as file:
        file.write(f"""daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
{'user root;' if os.getuid() == 0 else ''} events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
        uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; default_type text/plain; keepalive_timeout 600s;
        server {{ listen 80; listen [::]:80;
                 location / {{ return 200 "{name} at $server_addr port $server_port to $remote_addr port $remote_port: $uri\\n"; }} }} }}""")
    return net.start(name, "nginx", "-p", folder, "-e", "stderr", "-c", f"{folder}/conf")


def table(net, *words):
    return json.loads(net.berth("ss", "-n", "--json", *words).stdout or "[]")


def end(row, side):
    return row[side]["address"], row[side]["port"]


def connected(net):
    return [row for row in table(net) if row["netid"] == "tcp" and row["state"] == "ESTAB"]


def table_check(net, servers, pcs):
    """The connections in the table: each with both its ends, and with whom it should be."""
    rows = connected(net)
    served = {(row["host"], end(row, "local"), end(row, "peer")) for row in rows if row["host"] in servers}
    asked = {(row["host"], end(row, "local"), end(row, "peer")) for row in rows if row["host"] in pcs}
    total = COMPUTERS * EACH
    check(f"the table shows {total} connections with both ends, and no other", len(rows) == len(served) + len(asked) == 2 * total,
          (len(rows), len(served), len(asked)))
    check("the servers' ends are the clients', mirrored",
          {(peer, mine) for _, mine, peer in served} == {(mine, peer) for _, mine, peer in asked})
    ports = {mine[1] for _, mine, _ in asked}
    check(f"all computers use the same {EACH} client ports, toward the same server port",
          ports == set(range(40000, 40000 + EACH)) and {mine[1] for _, mine, _ in served} == {80}, sorted(ports)[:5])
    counts = {name: sum(host == name for host, _, _ in served) for name in servers}
    check(f"each of the {SERVERS} servers has its share", all(total // SERVERS - COMPUTERS <= count <= total // SERVERS + COMPUTERS
                                                             for count in counts.values()), counts)


def turn(programs):
    """All 2,000 ask at once. What was wrong."""
    for program in programs:
        program.stdin.write("ask\n")
        program.stdin.flush()
    wrong = []
    for program in programs:
        line = program.stdout.readline()
        while line and not line.startswith("asked"):
            wrong.append(line)
            line = program.stdout.readline()
        if line.strip() != f"asked {EACH}":
            wrong.append(f"a computer's clients ended: {line}")
    return wrong


def play(net):
    servers, pcs = [f"s{number}" for number in range(SERVERS)], [f"pc{number}" for number in range(COMPUTERS)]
    for name in servers:
        server_start(net, name)
    up = until(lambda: sum(row["state"] == "LISTEN" and row["local"]["port"] == 80 for row in table(net, "-l")) >= 2 * SERVERS, 60)
    check(f"{SERVERS} computers listen at port 80, by IPv4 and IPv6", up, table(net, "-l"))
    said = net.start("first", *CLIENTS, str(SERVERS), "0", ",".join(servers), stdin=subprocess.PIPE).communicate("", timeout=60)[0]
    check("one client of each server, beforehand", said == f"connected {SERVERS}\n", said)
    before = descriptors(net)  # with those by which the servers' processes are known
    programs = [net.start(name, *CLIENTS, str(EACH), str(number * EACH), ",".join(servers), stdin=subprocess.PIPE)
                for number, name in enumerate(pcs)]
    said = [program.stdout.readline().strip() for program in programs]
    check(f"{COMPUTERS} computers with {EACH} clients each are connected", said == [f"connected {EACH}"] * COMPUTERS,
          [text for text in said if not text.startswith("connected")])
    table_check(net, servers, pcs)
    wrong = [text for _ in range(TURNS) for text in turn(programs)]
    check(f"{COMPUTERS * EACH * TURNS} requests: each answer came from the right server, to the right client, with its token",
          not wrong, wrong[:3])
    own = [net.run(name, "curl", "-sS", "--max-time", "30", f"http://{address}/self").stdout
           for name, address in ((servers[0], "127.0.0.1"), (servers[-1], "127.0.0.1"), (servers[1], "[::1]"))]
    check("127.0.0.1 is each computer's own", [text.split()[0] for text in own if text] == [servers[0], servers[-1], servers[1]], own)
    for program in programs:
        program.stdin.close()
    codes = [program.wait(timeout=60) for program in programs]
    check("all clients end well", codes == [0] * COMPUTERS, codes)
    check("no connection is left", until(lambda: not connected(net), 30), len(connected(net)))
    check("the daemon has as many descriptors as before", until(lambda: descriptors(net) <= before, 30), (before, descriptors(net)))


def descriptors(net):
    """How many the daemon has open."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if words[:3] == [b"berth", b"daemon", net.name.encode()]:
                return len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            pass
    return 0


with Net("crowd") as the_net:
    play(the_net)
finish()
