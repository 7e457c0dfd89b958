"""200 runs in a row, and 20 networks side by side: no failure, nothing left over."""
import os
import subprocess

from harness import BERTH, Net, check, finish

with Net("row") as net:
    net.web(ip="10.0.0.1")
    failed = []
    for number in range(200):
        done = net.run(None, "curl", "-sS", "--max-time", "10", "http://server/page")
        if done.returncode != 0 or done.stdout != "hello from server\n":
            failed.append((number, done.returncode, done.stdout, done.stderr))
    check("200 runs in a row of berth run -- curl http://server/", not failed, failed[:3])

nets = [Net("side") for _ in range(20)]
for net in nets:
    net.__enter__()
    net.web(ip="10.0.0.1")
clients = [net.start("pc", "curl", "-sS", "--max-time", "20", "http://server/page") for net in nets]
said = [client.communicate(timeout=60)[0] for client in clients]
check("20 networks side by side, each with its own 10.0.0.1:80", all(text == "hello from server\n" for text in said), said)
for net in nets:
    net.__exit__(None, None, None)

# Nothing to wait for: the network starts with its first user and ends with its last, every time.
with Net("alone") as net:
    codes = [net.run("pc", "true").returncode for _ in range(20)]
    check("20 times a network of one program", codes == [0] * 20, codes)
    folder = {name for name in os.listdir("/proc/self/fd")}
    check("no descriptor was leaked by the harness", len(folder) < 50)
    none = subprocess.run([BERTH, "ps", "--net", net.name], capture_output=True, text=True)
    check("and it is gone afterwards", none.returncode == 1, none)

finish()
