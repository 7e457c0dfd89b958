"""Networks: how soon 1,000 hosts are up, and how many frames they move; and beside it what Mininet does: 100 hosts that are network
namespaces, each with a veth pair into a bridge. Usage: network.py NETWORK BERTH OUT, as root (the namespaces need it). Prints a table,
writes OUT/network.json."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

NETWORK, BERTH, OUT = (os.path.abspath(path) for path in sys.argv[1:4])
ROUNDS = 3
SUDO = [] if os.getuid() == 0 else ["sudo", "-n"]
HOSTS, SPACES = 1000, 100


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=120).stdout


def root(*words):
    return run(*SUDO, *words)


def ours(*words):
    return statistics.median(float(run(NETWORK, *map(str, words))) for _ in range(ROUNDS))


def up(count):
    """ms until `berth up -d` is back, from no daemon to all computers."""
    net = f"bench{os.getpid()}"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(f"networks: {{lan: {{subnet: 10.0.0.0/16}}}}\nhosts: {{pc: {{count: {count}}}}}\n")
        file.flush()
        start = time.monotonic()
        run(BERTH, "up", "--net", net, "-d", "-f", file.name)
        took = time.monotonic() - start
        run(BERTH, "down", "--net", net)
    return took * 1000


class Spaces:
    """Mininet's single switch: a bridge, and for each host a namespace, a veth pair, an address; a command for each step, as Mininet
    gives them. The bridge is in a namespace, too, apart from the machine's own."""

    def __init__(self, count):
        self.prefix = f"berth{os.getpid()}"
        self.switch = f"{self.prefix}s"
        self.names = []
        start = time.monotonic()
        try:
            self.make(self.switch)
            self.inside(self.switch, "ip", "link", "add", "br0", "type", "bridge")
            self.inside(self.switch, "ip", "link", "set", "br0", "up")
            for number in range(1, count + 1):
                self.host(number)
        except BaseException:
            self.close()
            raise
        self.took = (time.monotonic() - start) * 1000

    def make(self, name):
        root("ip", "netns", "add", name)
        self.names.append(name)

    def inside(self, space, *words):
        root("ip", "netns", "exec", space, *words)

    def host(self, number):
        name = f"{self.prefix}h{number}"
        self.make(name)
        self.inside(self.switch, "ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        self.inside(self.switch, "ip", "link", "set", f"v{number}", "master", "br0", "up")
        self.inside(name, "ip", "address", "add", f"10.0.{number // 250}.{number % 250 + 1}/16", "dev", "eth0")
        self.inside(name, "ip", "link", "set", "eth0", "up")

    def rate(self, first, second):
        """Frames a second from one host to another."""
        return float(root(NETWORK, "kernel", f"/run/netns/{self.prefix}h{first}", f"/run/netns/{self.prefix}h{second}",
                          f"10.0.{second // 250}.{second % 250 + 1}"))

    def close(self):
        for name in reversed(self.names):
            subprocess.run([*SUDO, "ip", "netns", "del", name], check=False, timeout=60)


def row(name, unit, value, peer=None, less=False, reach=None):
    ratio = None if peer is None or not value or not peer else (peer / value if less else value / peer)
    return {"name": name, "unit": unit, "ours": value, "peer": peer, "peer_name": "veth+bridge" if peer is not None else None,
            "ratio": ratio, "reach": reach}


def main():
    rows = []
    spaces = Spaces(SPACES)
    try:
        frames = statistics.median(spaces.rate(1, 51) for _ in range(ROUNDS))
    finally:
        spaces.close()
    hundred = statistics.median(up(SPACES) for _ in range(ROUNDS))
    thousand = statistics.median(up(HOSTS) for _ in range(ROUNDS))
    rows.append(row(f"{SPACES} hosts up, berth up", "ms", hundred, spaces.took, True, 1))
    rows.append(row(f"{HOSTS} hosts up, berth up", "ms", thousand))
    rows.append(row(f"{SPACES} hosts up, library", "ms", ours("up", SPACES), spaces.took, True, 1))
    rows.append(row(f"{HOSTS} hosts up, library", "ms", ours("up", HOSTS)))
    for ports in (2, 100, 1000):
        rows.append(row(f"through a switch of {ports} ports", "frames/s", ours("switch", ports), frames if ports == SPACES else None,
                        reach=1 if ports == SPACES else None))
    rows.append(row(f"{HOSTS} hosts in virtual time", "frames/s", ours("virtual", HOSTS)))
    print(f"{'network':<40}{'unit':<12}{'berth':>12}{'peer':>12}  {'(peer)':<12}{'ratio':>8}{'reach':>7}")
    for line in rows:
        cells = [f"{line[key]:.4g}" if line[key] is not None and line[key] < 1000 else
                 f"{line[key]:.0f}" if line[key] is not None else "-" for key in ("ours", "peer")]
        ratio = f"{line['ratio']:.3g}" if line["ratio"] else "-"
        print(f"{line['name']:<40}{line['unit']:<12}{cells[0]:>12}{cells[1]:>12}  {line['peer_name'] or '':<12}{ratio:>8}"
              f"{line['reach'] or '-':>7}")
    os.makedirs(OUT, exist_ok=True)
    with open(f"{OUT}/network.json", "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
