"""Goodput under loss: Berth's TCP and the kernel's, each with its like and with the other, through the same switch with the same delay,
rate and losses. Usage: goodput.py GOODPUT OUT [LOSS% DELAY_MS [TRACES]], as root: all cells, or that one. Prints a table, writes
OUT/goodput.json.

Which frames are lost decides more than whose TCP it is, and a connection that has to wait leaves the processor alone: so a ratio is that
of one trace of losses, by two that run at the same time or next to each other; a cell's is the median of many, and a quarter of them each
is below and above the two that stand behind it."""
import concurrent.futures
import json
import os
import queue
import statistics
import subprocess
import sys

GOODPUT, OUT = os.path.abspath(sys.argv[1]), sys.argv[2]
MBIT = 200
REACH = 1.0
# loss in %, round trip in ms: seconds from the SYN on, traces, how many run at the same time on two processors
CELLS = {
    (0, 1): (3, 3, 3), (0, 20): (3, 3, 3), (0, 100): (6, 3, 3),
    (0.1, 1): (3, 11, 4), (0.1, 20): (4, 24, 12), (0.1, 100): (10, 30, 20),
    (1, 1): (3, 12, 6), (1, 20): (4, 24, 16), (1, 100): (10, 25, 20),
    (5, 1): (3, 16, 8), (5, 20): (4, 24, 16), (5, 100): (10, 25, 20),
}
PAIRS = {"berth to berth": ("berth", "berth"), "berth to Linux": ("berth", "linux"), "Linux to berth": ("linux", "berth"),
         "Linux to Linux": ("linux", "linux")}
PEER = "Linux to Linux"
SUDO = [] if os.getuid() == 0 else ["sudo", "-n"]


def run(*words, check=True):
    return subprocess.run([*SUDO, *words], check=check, capture_output=True, text=True)


class Space:
    """A network namespace with a TAP device and the kernel's defaults, but CUBIC and no memory of earlier connections."""

    def __init__(self, name, address, mac):
        self.name, self.path = name, f"/run/netns/{name}"
        run("ip", "netns", "add", self.name)
        try:
            self.make(address, mac)
        except BaseException:
            self.close()
            raise

    def make(self, address, mac):
        for words in (["ip", "tuntap", "add", "dev", "tap0", "mode", "tap"], ["ip", "address", "add", f"{address}/24", "dev", "tap0"],
                      ["sysctl", "-qw", "net.ipv6.conf.tap0.disable_ipv6=1"],
                      ["ip", "link", "set", "tap0", "address", mac, "txqueuelen", "10000", "up"],
                      ["ethtool", "-K", "tap0", *"tx off rx off sg off tso off gso off gro off".split()],
                      ["sysctl", "-qw", "net.ipv4.tcp_congestion_control=cubic", "net.ipv4.tcp_no_metrics_save=1"]):
            run("ip", "netns", "exec", self.name, *words)

    def forget(self):
        """Who is where: our hosts, which are new each time, have to ask, too."""
        run("ip", "-netns", self.name, "neighbour", "flush", "dev", "tap0")

    def close(self):
        run("ip", "netns", "del", self.name, check=False)


class Lane:
    """Where one pair at a time runs. Its kernels' MAC addresses are those of goodput's hosts: no end remembers another."""

    def __init__(self, number):
        self.spaces = []
        try:
            self.make(number)
        except BaseException:
            self.close()
            raise

    def make(self, number):
        for end, mac in enumerate(("02:77:00:00:00:01", "02:77:00:00:00:02"), 1):
            self.spaces.append(Space(f"berth{os.getpid()}-{number}-{end}", f"10.10.0.{end}", mac))

    def close(self):
        for space in self.spaces:
            space.close()

    def measure(self, pair, seconds, loss, delay, seed):
        """MB that arrived a second."""
        ends = []
        for kind, space in zip(pair, self.spaces):
            ends.append("berth" if kind == "berth" else space.path)
            if kind == "linux":
                space.forget()
        done = run(GOODPUT, *ends, str(seconds), str(delay), str(loss / 100), str(MBIT), str(seed), check=False)
        if done.returncode:
            raise SystemExit(f"goodput: {done.stderr}")
        return float(done.stdout) / 1e6


def traces(lanes, loss, delay, seconds, count, together):
    """The MB/s of each pair, trace by trace: a trace's pairs start next to each other."""
    free = queue.SimpleQueue()
    for lane in lanes[:together]:
        free.put(lane)

    def one(job):
        lane = free.get()
        try:
            return lane.measure(job[1], seconds, loss, delay, job[0])
        finally:
            free.put(lane)

    jobs = [(seed, pair) for seed in range(1, count + 1) for pair in PAIRS.values()]
    with concurrent.futures.ThreadPoolExecutor(together) as pool:
        done = list(pool.map(one, jobs))
    return {name: done[i::len(PAIRS)] for i, name in enumerate(PAIRS)}


def cell(lanes, loss, delay, seconds, count, together):
    """Measures one, prints its line; its rows."""
    got, rows = traces(lanes, loss, delay, seconds, count, together), []
    peer = statistics.median(got[PEER])
    line = f"{loss:5g}%{delay:5} ms{count:8}{peer:16.3f}"
    for name in PAIRS:
        if name == PEER:
            continue
        ratios = [mine / theirs if theirs else 0 for mine, theirs in zip(got[name], got[PEER])]
        low, ratio, high = statistics.quantiles(ratios, n=4)
        ours = statistics.median(got[name])
        line += f"{ours:13.3f}{ratio:6.2f} ({low:.2f}-{high:.2f})"
        rows.append({"name": f"{name}, {loss:g} % loss, {delay} ms", "unit": "MB/s", "ours": ours, "peer": peer, "peer_name": PEER,
                     "ratio": ratio, "reach": REACH})
    print(line, flush=True)
    return rows


def main():
    cells = CELLS
    if len(sys.argv) > 4:
        one = (float(sys.argv[3]), int(sys.argv[4]))
        seconds, count, together = CELLS[one]
        cells = {one: (seconds, int(sys.argv[5]) if len(sys.argv) > 5 else count, together)}
    lanes, rows = [], []
    try:
        for number in range(max(together for _, _, together in cells.values())):
            lanes.append(Lane(number))
        print(f"{MBIT} Mbit/s each way: MB/s, medians over traces of losses, and the ratio to Linux to Linux under the same losses: its\n"
              "median and quartiles\n")
        print(f"{'loss':>6}{'delay':>8}{'traces':>8}{PEER:>16}" + "".join(f"{name:>31}" for name in PAIRS if name != PEER))
        for (loss, delay), how in cells.items():
            rows += cell(lanes, loss, delay, *how)
    finally:
        for lane in lanes:
            lane.close()
    os.makedirs(OUT, exist_ok=True)
    with open(f"{OUT}/goodput.json", "w") as file:
        json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
