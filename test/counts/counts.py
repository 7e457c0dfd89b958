"""Where time goes, as counts, per request and per connection: calls of programs that are notified, and what the daemon receives and
sends by system calls of its own. They do not depend on how fast or how busy the machine is, so more of them than docs/performance.md
says is an error. Printed without a bound, since they go by the clock: turns of the daemon's data thread and context switches.
Usage: counts.py BERTH."""
import json
import os
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../run")
from harness import Net, check, finish, runtime_folder  # noqa: E402

COUNT = 500
# what: (its server's port, per request: notified calls, receives, sends at most)
WORK = {
    "keep-alive": ("nginx, a keep-alive request", 80, 0.05, 2.5, 2.5),
    "close": ("nginx, a connection with one request", 80, 3.5, 4.5, 2.5),
    "redis": ("redis, a PING", 6379, 0.05, 2.5, 2.5),
}


def counters(net):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.connect(f"{runtime_folder()}/{net.name}.sock")
        lines = control.makefile()
        lines.readline()  # its greeting
        control.sendall(b'{"do":"counters"}\n')
        return json.loads(lines.readline())


def switches(pids):
    """Context switches so far of all threads of these processes."""
    total = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status") as file:
                total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return total


def servers(net):
    conf = f"{net.folder}/conf"
    with open(conf, "w") as file:
        file.write(f"""daemon off; master_process off; pid {net.folder}/pid; error_log stderr crit;
{'user root;' if os.getuid() == 0 else ''} events {{ }}
http {{ access_log off; keepalive_requests 100000; client_body_temp_path {net.folder}/b; proxy_temp_path {net.folder}/p;
        fastcgi_temp_path {net.folder}/f; uwsgi_temp_path {net.folder}/u; scgi_temp_path {net.folder}/s;
        server {{ listen 80; location / {{ return 200 "hello\\n"; }} }} }}""")
    net.start("server", "nginx", "-e", "stderr", "-c", conf, extra=["--ip", "10.0.0.1"])
    net.start("server", "redis-server", "--save", "", "--protected-mode", "no", "--bind", "0.0.0.0", "--dir", net.folder)
    check("nginx and redis listen", net.listening(80) and net.listening(6379))


def play(net, what):
    name, port, *bounds = WORK[what]
    client = net.start("pc", "/usr/bin/python3", "-u", f"{HERE}/client.py", what, "10.0.0.1", str(port), str(COUNT), stdin=subprocess.PIPE)
    client.stdout.readline()
    before = counters(net)
    switched = switches([before["pid"]])
    client.stdin.write("go\n")
    client.stdin.flush()
    said = client.stdout.readline()
    after = counters(net)
    each = {key: (after[key] - before[key]) / COUNT for key in ("notified_calls", "receives", "sends", "wakeups")}
    switched = (switches([before["pid"]]) - switched) / COUNT
    client.communicate("end\n", timeout=60)
    check(f"{name}: {COUNT} answers", said == f"right {COUNT}\n", said)
    for key, bound in zip(("notified_calls", "receives", "sends"), bounds):
        check(f"{name}: {each[key]:.2f} {key.replace('_', ' ')}, at most {bound}", each[key] <= bound)
    print(f"      {name}: {each['wakeups']:.2f} turns of the data thread, {switched:.2f} context switches of the daemon", flush=True)


with Net("counts") as the_net:
    servers(the_net)
    for work in WORK:
        play(the_net, work)
finish()
