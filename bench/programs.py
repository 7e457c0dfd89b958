"""Unmodified programs under `berth run` and, in the same rounds on the same cores, over veth + bridge between two network
namespaces. Usage: programs.py BERTH OUT [SECONDS [ROUNDS]]. Prints medians and ratios; writes OUT/programs.json."""
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BERTH, OUT = os.path.abspath(sys.argv[1]), sys.argv[2]
SECONDS = int(sys.argv[3]) if len(sys.argv) > 3 else 3
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 5
REACH = 0.7
SUDO = [] if os.getuid() == 0 else ["sudo", "-n"]
# How client and server are pinned: to different cores, both to one (with Berth's daemon, which inherits it), not at all.
PINNINGS = {"split": (["taskset", "-c", "0"], ["taskset", "-c", "1"]), "one": (["taskset", "-c", "0"],) * 2, "free": ([], [])}


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


class Berth:
    """Two virtual computers on one switch."""
    name = "berth"
    address = "10.0.0.1"

    def __init__(self):
        self.net = f"bench-{os.getpid()}"
        self.features = "cubic, SACK with RACK-TLP, timestamps, window scaling, large segments"

    def inside(self, host, pin=()):
        # The daemon is started by the first run and floats, unless all is to be on one core.
        before, after = (pin, ()) if pin == PINNINGS["one"][0] else ((), pin)
        return [*before, BERTH, "run", "--net", self.net, "--host", host, "--ip", self.address if host == "server" else "10.0.0.2", "--", *after]

    def listeners(self):
        return [BERTH, "ss", "--net", self.net, "-ltn"]

    def close(self):
        pass


class Kernel:
    """Two network namespaces, a veth pair each, a bridge in a third."""
    name = "veth + bridge"
    address = "10.77.0.1"

    def __init__(self):
        self.spaces = {role: f"berth{os.getpid()}{role}" for role in ("server", "client", "bridge")}
        for space in self.spaces.values():
            run(*SUDO, "ip", "netns", "add", space)
        self.ip("bridge", "link", "add", "name", "br0", "type", "bridge")
        self.ip("bridge", "link", "set", "br0", "up")
        for role, address in (("server", self.address), ("client", "10.77.0.2")):
            self.ip("bridge", "link", "add", role, "type", "veth", "peer", "name", "eth0", "netns", self.spaces[role])
            self.ip("bridge", "link", "set", role, "master", "br0", "up")
            self.ip(role, "addr", "add", f"{address}/24", "dev", "eth0")
            self.ip(role, "link", "set", "eth0", "up")
            self.ip(role, "link", "set", "lo", "up")
        allowed = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
        run(*SUDO, "sh", "-c", f"grep -q cubic {allowed} || echo reno cubic bbr > {allowed}", check=False)
        for role in ("server", "client"):
            self.inside_run(role, "sysctl", "-q", "-w", "net.ipv4.tcp_congestion_control=cubic")
        used = self.inside_run("client", "sysctl", "-n", "net.ipv4.tcp_congestion_control").stdout.strip()
        self.features = f"{used}, SACK, timestamps, window scaling, veth's segmentation and checksum offloads"

    def ip(self, role, *words):
        run(*SUDO, "ip", "-n", self.spaces[role], *words)

    def inside(self, role, pin=()):
        return [*SUDO, "ip", "netns", "exec", self.spaces[role], *pin]

    def listeners(self):
        return [*self.inside("server"), "ss", "-ltn"]

    def inside_run(self, role, *words):
        return run(*self.inside(role), *words)

    def close(self):
        for space in self.spaces.values():
            run(*SUDO, "ip", "netns", "del", space, check=False)


def http(address, *extra):
    return ["wrk", "-t1", "-c50", f"-d{SECONDS}s", *extra, f"http://{address}/1k"]


def redis(address, *extra):
    return ["redis-benchmark", "-h", address, "-t", "get", "-c", "50", "--csv", *extra]


def wrk_rate(said):
    return float(re.search(r"Requests/sec:\s*([\d.]+)", said).group(1))


def redis_rate(said):
    return float(re.search(r'"GET","([\d.]+)"', said).group(1))


def iperf_rate(said):
    return json.loads(said[said.index("{"):])["end"]["sum_received"]["bits_per_second"] / 8e9


# name: server, its port, unit, client, how to read the client
WORK = {
    "wrk keep-alive": ("nginx", 80, "requests/s", lambda a: http(a), wrk_rate),
    "wrk Connection: close": ("nginx", 80, "requests/s", lambda a: http(a, "-H", "Connection: close"), wrk_rate),
    "redis -c 50": ("redis", 6379, "requests/s", lambda a: redis(a, "-n", str(60000 * SECONDS)), redis_rate),
    "redis -c 50 -P 16": ("redis", 6379, "requests/s", lambda a: redis(a, "-P", "16", "-n", str(600000 * SECONDS)), redis_rate),
    "iperf3": ("iperf3", 5201, "GB/s", lambda a: ["iperf3", "-c", a, "-t", f"{SECONDS}", "-J"], iperf_rate),
}


def server_command(name, folder):
    if name == "redis":
        return ["redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no", "--dir", folder]
    if name == "iperf3":
        return ["iperf3", "-s"]
    user = "user root;" if os.getuid() == 0 or SUDO else ""
    with open(f"{folder}/1k", "wb") as file:
        file.write(b"x" * 1024)
    with open(f"{folder}/nginx.conf", "w") as file:
        file.write(f"""{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; sendfile on; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
        fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
        server {{ listen 80; root {folder}; }} }}""")
    return ["nginx", "-e", f"{folder}/log", "-c", f"{folder}/nginx.conf"]


def wait_for(place, port):
    """Waits until something listens; no connection is made, iperf3 would take it for its client."""
    for _ in range(200):
        if f":{port} " in run(*place.listeners(), check=False).stdout:
            return
        time.sleep(0.05)
    raise SystemExit(f"{place.name}: nothing listens at port {port}")


def measure(place, work, pinning, folder):
    """One server, one run of the client; the rate that the client printed."""
    server, port, _, client, rate = WORK[work]
    left, right = PINNINGS[pinning]
    process = subprocess.Popen([*place.inside("server", right), *server_command(server, folder)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(place, port)
        done = run(*place.inside("client", left), *client(place.address), check=False)
        try:
            return rate(done.stdout)
        except (AttributeError, ValueError, KeyError):
            raise SystemExit(f"{place.name}, {work}: {done.stdout}{done.stderr}")
    finally:
        run(*(SUDO if SUDO and isinstance(place, Kernel) else []), "kill", "--", f"-{process.pid}", check=False)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main():
    places = [Berth(), Kernel()]
    folder = tempfile.mkdtemp(prefix="berth-bench-")
    os.chmod(folder, 0o755)
    rows = []
    try:
        for place in places:
            print(f"{place.name}: {place.features}")
        best = {}
        for work in WORK:
            for place in places:
                tried = {pin: measure(place, work, pin, folder) for pin in PINNINGS}
                best[work, place] = max(tried, key=tried.get)
                print(f"  {work}, {place.name}: " + ", ".join(f"{pin} {rate:.5g}" for pin, rate in tried.items()), flush=True)
        print(f"\n{'':24}{'unit':12}{'berth':>12}{'(pinning)':>10}{places[1].name:>15}{'(pinning)':>10}{'ratio':>8}{'reach':>7}")
        for work, (_, _, unit, _, _) in WORK.items():
            got = {place: [] for place in places}
            for _ in range(ROUNDS):
                for place in places:
                    got[place].append(measure(place, work, best[work, place], folder))
            ours, peer = (statistics.median(got[place]) for place in places)
            rows.append({"name": work, "unit": unit, "ours": ours, "peer": peer, "peer_name": places[1].name,
                         "ratio": ours / peer, "reach": REACH})
            print(f"{work:24}{unit:12}{ours:12.5g}{best[work, places[0]]:>10}{peer:15.5g}{best[work, places[1]]:>10}"
                  f"{ours / peer:8.2f}{REACH:7.2f}", flush=True)
    finally:
        for place in places:
            place.close()
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(OUT, exist_ok=True)
    with open(f"{OUT}/programs.json", "w") as file:
        json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
