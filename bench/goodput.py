"""Goodput under loss: Berth's TCP and the kernel's, each with its like and with the other, through the same switch with the same delay,
rate and losses. Usage: goodput.py GOODPUT OUT [SECONDS [ROUNDS]], as root. Prints a table, writes OUT/goodput.json.

Which frames are lost decides more than whose TCP it is: so a ratio is that of one trace of losses, and of these the median."""
import json
import os
import statistics
import subprocess
import sys

GOODPUT, OUT = os.path.abspath(sys.argv[1]), sys.argv[2]
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 4
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 3
FAR = 2.5  # a hundred round trips, where one takes 100 ms
MBIT = 200
LOSSES, DELAYS = (0, 0.001, 0.01, 0.05), (1, 20, 100)
REACH = 1.0
SUDO = [] if os.getuid() == 0 else ["sudo", "-n"]


def run(*words, check=True):
    return subprocess.run([*SUDO, *words], check=check, capture_output=True, text=True)


class Space:
    """A network namespace with a TAP device and the kernel's defaults, but CUBIC and no memory of earlier connections."""

    def __init__(self, role, address):
        self.name = f"berth{os.getpid()}{role}"
        self.path = f"/run/netns/{self.name}"
        run("ip", "netns", "add", self.name)
        for words in (["ip", "tuntap", "add", "dev", "tap0", "mode", "tap"], ["ip", "address", "add", f"{address}/24", "dev", "tap0"],
                      ["sysctl", "-qw", "net.ipv6.conf.tap0.disable_ipv6=1"], ["ip", "link", "set", "tap0", "txqueuelen", "10000", "up"],
                      ["ethtool", "-K", "tap0", *"tx off rx off sg off tso off gso off gro off".split()],
                      ["sysctl", "-qw", "net.ipv4.tcp_congestion_control=cubic", "net.ipv4.tcp_no_metrics_save=1"]):
            run("ip", "netns", "exec", self.name, *words)

    def close(self):
        run("ip", "netns", "del", self.name, check=False)


def measure(pair, spaces, loss, delay, seed):
    """Octets a second that arrived."""
    ends = ["berth" if kind == "berth" else space.path for kind, space in zip(pair, spaces)]
    seconds = SECONDS * FAR if delay >= 100 else SECONDS
    done = run(GOODPUT, *ends, str(seconds), str(delay), str(loss), str(MBIT), str(seed), check=False)
    if done.returncode:
        raise SystemExit(f"goodput: {done.stderr}")
    return float(done.stdout)


PAIRS = {"berth to berth": ("berth", "berth"), "berth to Linux": ("berth", "linux"), "Linux to berth": ("linux", "berth"),
         "Linux to Linux": ("linux", "linux")}


def main():
    spaces, rows = [], []
    print(f"{MBIT} Mbit/s each way, {SECONDS:g} s from the SYN on ({SECONDS * FAR:g} s at 100 ms), medians of {ROUNDS} traces of losses:\n"
          "MB/s, and the ratio to Linux to Linux under the same losses\n")
    print(f"{'loss':>6}{'delay':>8}" + "".join(f"{pair:>22}" for pair in PAIRS))
    try:
        spaces = [Space("from", "10.10.0.1"), Space("to", "10.10.0.2")]
        for loss in LOSSES:
            for delay in DELAYS:
                got = {name: [] for name in PAIRS}
                for seed in range(1, ROUNDS + 1):
                    for name, pair in PAIRS.items():
                        got[name].append(measure(pair, spaces, loss, delay, seed))
                peers = got["Linux to Linux"]
                peer = statistics.median(peers)
                line = f"{loss * 100:5g}%{delay:5} ms"
                for name in PAIRS:
                    ours = statistics.median(got[name])
                    if name == "Linux to Linux":
                        line += f"{ours / 1e6:22.3f}"
                        continue
                    ratio = statistics.median(mine / theirs if theirs else 0 for mine, theirs in zip(got[name], peers))
                    line += f"{ours / 1e6:15.3f}{ratio:7.2f}"
                    rows.append({"name": f"{name}, {loss * 100:g} % loss, {delay} ms", "unit": "MB/s", "ours": ours / 1e6,
                                 "peer": peer / 1e6, "peer_name": "Linux to Linux", "ratio": ratio,
                                 "reach": REACH})
                print(line, flush=True)
    finally:
        for space in spaces:
            space.close()
    os.makedirs(OUT, exist_ok=True)
    with open(f"{OUT}/goodput.json", "w") as file:
        json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
