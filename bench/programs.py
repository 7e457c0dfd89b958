"""Unmodified programs under `berth run` and, in the same rounds on the same cores, over veth + bridge between two network namespaces, through
slirp4netns and through pasta. Usage: programs.py BERTH PINGPONG OUT [SECONDS [ROUNDS]]. Prints medians and ratios (more is better, of times as
well); writes OUT/programs.json."""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from places import SUDO, Berth, Kernel, Pasta, Slirp, end, run

BERTH, PINGPONG, OUT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3]
SECONDS = int(sys.argv[4]) if len(sys.argv) > 4 else 2
ROUNDS = int(sys.argv[5]) if len(sys.argv) > 5 else 5
# How client and server are pinned: to different cores, both to one (with what joins the two), not at all.
ZERO, ONE = ["taskset", "-c", "0"], ["taskset", "-c", "1"]
PINNINGS = {"split": ([], ZERO, ONE), "one": (ZERO, ZERO, ZERO), "free": ([], [], [])}


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


def median_time(said):
    return float(re.search(r"([\d.]+) us", said).group(1))


# name: server, its port and protocol, unit, client, how to read the client, the ratio to veth + bridge to be reached
WORK = {
    "wrk keep-alive": ("nginx", 80, "t", "requests/s", lambda a: http(a), wrk_rate, 1.5),
    "wrk Connection: close": ("nginx", 80, "t", "requests/s", lambda a: http(a, "-H", "Connection: close"), wrk_rate, 1.0),
    "redis -c 50": ("redis", 6379, "t", "requests/s", lambda a: redis(a, "-n", str(60000 * SECONDS)), redis_rate, 1.1),
    "redis -c 50 -P 16": ("redis", 6379, "t", "requests/s", lambda a: redis(a, "-P", "16", "-n", str(600000 * SECONDS)), redis_rate, 1.05),
    "iperf3": ("iperf3", 5201, "t", "GB/s", lambda a: ["iperf3", "-c", a, "-t", f"{SECONDS}", "-J"], iperf_rate, 0.8),
    "ping-pong, TCP": ("tcp", 7, "t", "us (p50)", lambda a: [PINGPONG, "ask", "tcp", a, "7", str(SECONDS)], median_time, 1.8),
    "ping-pong, UDP": ("udp", 7, "u", "us (p50)", lambda a: [PINGPONG, "ask", "udp", a, "7", str(SECONDS)], median_time, 0.5),
}


def server_command(name, folder):
    if name == "redis":
        return ["redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no", "--dir", folder]
    if name == "iperf3":
        return ["iperf3", "-s"]
    if name in ("tcp", "udp"):
        return [PINGPONG, "serve", name, "7"]
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


def wait_for(place, port, protocol):
    """Waits until something listens; no connection is made, iperf3 would take it for its client."""
    for _ in range(200):
        if f":{port} " in run(*place.listeners(protocol), check=False).stdout:
            return
        time.sleep(0.05)
    raise SystemExit(f"{place.name}: nothing listens at port {port}")


def measure(place, work, pinning, folder):
    """One server, one run of the client; the figure that the client printed."""
    server, port, protocol, _, client, read, _ = WORK[work]
    middle, left, right = PINNINGS[pinning]
    place.begin(middle)
    try:
        process = subprocess.Popen([*place.inside("server", right), *server_command(server, folder)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            wait_for(place, port, protocol)
            done = run(*place.inside("client", left), *client(place.address), check=False)
            try:
                return read(done.stdout)
            except (AttributeError, ValueError, KeyError):
                raise SystemExit(f"{place.name}, {work}: {done.stdout}{done.stderr}")
        finally:
            end(process, place.sudo)
    finally:
        place.finish()


def is_time(work):
    return WORK[work][3].startswith("us")


def compare(places, work, folder):
    """The medians of one kind of work in all places, each pinned as suits it best; rows of ours beside each other place. Every place has every
    pinning in every round, for one trial says more of the machine's moment than of the pinning."""
    got = {place: {pin: [] for pin in PINNINGS} for place in places}
    for _ in range(ROUNDS):
        for pin in PINNINGS:
            for place in places:
                got[place][pin].append(measure(place, work, pin, folder))
    best = {}
    for place in places:
        medians = {pin: statistics.median(figures) for pin, figures in got[place].items()}
        pin = (min if is_time(work) else max)(medians, key=medians.get)
        best[place] = (pin, medians[pin])
        print(f"  {work}, {place.name}: " + ", ".join(f"{pin} {figure:.5g}" for pin, figure in medians.items()), flush=True)
    (_, (pin, figure)), *peers = best.items()
    return [{"name": work, "unit": WORK[work][3], "ours": figure, "pinning": pin, "peer": theirs, "peer_pinning": their_pin,
             "peer_name": place.name, "ratio": theirs / figure if is_time(work) else figure / theirs,
             "reach": WORK[work][6] if isinstance(place, Kernel) else 1.0} for place, (their_pin, theirs) in peers]


def main():
    folder = tempfile.mkdtemp(prefix="berth-bench-")
    os.chmod(folder, 0o755)
    places, rows = [], []
    try:
        for place in (lambda: Berth(BERTH), Kernel, Slirp, Pasta):
            places.append(place())
            print(f"{places[-1].name}: {places[-1].features}")
        for work in WORK:
            rows += compare(places, work, folder)
        print(f"\n{'':24}{'unit':12}{'berth':>12}{'(pinning)':>10}  {'peer':16}{'':>12}{'(pinning)':>10}{'ratio':>8}{'reach':>7}")
        for row in rows:
            print(f"{row['name']:24}{row['unit']:12}{row['ours']:12.5g}{row['pinning']:>10}  {row['peer_name']:16}{row['peer']:12.5g}"
                  f"{row['peer_pinning']:>10}{row['ratio']:8.2f}{row['reach']:7.2f}")
    finally:
        for place in places:
            place.close()
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(OUT, exist_ok=True)
    with open(f"{OUT}/programs.json", "w") as file:
        json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
