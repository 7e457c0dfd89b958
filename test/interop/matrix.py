"""Berth's TCP (tap_peer) against the kernel's, over a TAP device of the network namespace that this runs in: every pairing of options,
bad links, small MTUs, black holes; both directions, IPv4 and IPv6. matrix.py BUILD DEVICE, as root; prints "N passed, N failed"."""
import contextlib
import fcntl
import itertools
import os
import struct
import subprocess
import sys
import time

BUILD, DEVICE = sys.argv[1:3]
TAP_PEER, LINUX_PEER = f"{BUILD}/test/interop/tap_peer", f"{BUILD}/test/interop/linux_peer"
BERTH, LINUX = {4: "10.9.0.1", 6: "fd00:9::1"}, {4: "10.9.0.254", 6: "fd00:9::254"}
MIB = 1 << 20
# What TCP_INFO calls them: bit, and the sysctl's values for off and on.
FEATURES = {"timestamps": (1, "0", "1"), "sack": (2, "0", "1"), "window_scaling": (4, "0", "1"), "ecn": (8, "0", "1")}
passed = failed = 0


def tap_open():
    """The device, held here all the time: were it closed between two runs of tap_peer, the kernel would take up to a second to notice
    that its carrier is back."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", DEVICE.encode(), 0x1002))  # TUNSETIFF: IFF_TAP | IFF_NO_PI
    os.set_inheritable(fd, True)
    return f"FD:{fd}"


TAP = tap_open()


def report(what, problem):
    global passed, failed
    passed, failed = passed + (not problem), failed + bool(problem)
    if problem:
        print(f"FAIL {what}: {problem}", flush=True)


def kernel_set(**values):
    """Sets net.ipv4.tcp_NAME in this namespace."""
    for name, value in values.items():
        with open(f"/proc/sys/net/ipv4/tcp_{name}", "w") as file:
            file.write(value)


def berth_sets(on):
    """The same for our end, as words for tap_peer."""
    return [word for name, (_, *values) in FEATURES.items() for word in ("--set", f"net.ipv4.tcp_{name}", values[name in on])]


def run(*words, timeout=100):
    """What it said, and None or what went wrong."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, close_fds=False)
    except subprocess.TimeoutExpired:
        return "", f"not over after {timeout} s"
    said = done.stdout + done.stderr
    return said, None if done.returncode == 0 else said[-300:] or f"exit code {done.returncode}"


@contextlib.contextmanager
def serving(*words):
    """Once it listens."""
    program = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, close_fds=False)
    try:
        if program.stdout.readline() != b"ready\n":
            report(" ".join(words), "it does not serve")
        yield
    finally:
        program.terminate()
        program.communicate()


def berth_serving(*options):
    return serving(TAP_PEER, TAP, "serve", *options)


def options_problem(said, problem, agreed):
    wanted = sum(FEATURES[name][0] for name in agreed)
    if not problem and f"options {wanted}\n" not in said:
        return f"agreed on {said.strip()}, not {wanted}"
    return problem


def solicit(times):
    """How often either end asks for the other's link address: over a link that loses a frame in ten, three times are too few."""
    for family in ("ipv4", "ipv6"):
        for how in ("mcast", "ucast"):
            with open(f"/proc/sys/net/{family}/neigh/{DEVICE}/{how}_solicit", "w") as file:
                file.write(times)
    return [word for family in ("ipv4", "ipv6") for word in ("--set", f"net.{family}.neigh.default.mcast_solicit", times)]


def both_ways(what, octets, berth_options=(), agreed=None, timeout=100, families=(4, 6), verbs=("get", "put")):
    """Each end is client once, of both directions of data."""
    start = time.monotonic()
    before = passed, failed
    for family in families:
        with berth_serving(*berth_options):
            for verb in verbs:
                said, problem = run(LINUX_PEER, verb, BERTH[family], str(octets), timeout=timeout)
                report(f"{what}: IPv{family}, Linux {verb}s", options_problem(said, problem, agreed) if agreed is not None else problem)
        for verb in verbs:
            said, problem = run(TAP_PEER, TAP, verb, LINUX[family], str(octets), *berth_options, timeout=timeout)
            report(f"{what}: IPv{family}, Berth {verb}s", options_problem(said, problem, agreed) if agreed is not None else problem)
    print(f"{passed - before[0]:4} of {passed + failed - sum(before)} {what} ({time.monotonic() - start:.1f} s)", flush=True)


def option_pairings():
    """Each feature off and on at each end, the others as they are by default; all off; all on."""
    everything = set(FEATURES)
    default = everything - {"ecn"}
    pairs = []
    for name in FEATURES:
        for ours, theirs in itertools.product((False, True), repeat=2):
            pairs.append((f"{name} {'on' if ours else 'off'} here, {'on' if theirs else 'off'} there",
                          default | {name} if ours else default - {name}, default | {name} if theirs else default - {name}))
    pairs += [("all off", set(), set()), ("all on", everything, everything), ("all on here, all off there", everything, set()),
              ("all off here, all on there", set(), everything)]
    for what, ours, theirs in pairs:
        kernel_set(**{name: values[name in theirs] for name, (_, *values) in FEATURES.items()})
        both_ways(what, 2 * MIB, berth_sets(ours), agreed=ours & theirs)
    kernel_set(**{name: values[name in default] for name, (_, *values) in FEATURES.items()})


def bad_links():
    for what, words in (("5 % loss", "--loss 0.05 --delay 1"), ("reordering", "--reorder 0.1 --delay 2"),
                        ("duplication", "--duplicate 0.1 --delay 1"),
                        ("5 % loss, reordering and duplication", "--loss 0.05 --reorder 0.05 --duplicate 0.05 --delay 2")):
        both_ways(what, MIB // 2, words.split() + solicit("20"))
    solicit("3")


def small_mtus():
    both_ways("MTU 576 here", MIB, ["--mtu", "576"], families=(4,))
    both_ways("MTU 1280 here", 2 * MIB, ["--mtu", "1280"])
    subprocess.run(["ip", "link", "set", DEVICE, "mtu", "1280"], check=True)
    both_ways("MTU 1280 there", 2 * MIB)
    subprocess.run(["ip", "-6", "address", "del", f"{LINUX[6]}/64", "dev", DEVICE], check=True)
    subprocess.run(["ip", "link", "set", DEVICE, "mtu", "576"], check=True)
    both_ways("MTU 576 there", MIB, families=(4,))
    subprocess.run(["ip", "link", "set", DEVICE, "mtu", "1500"], check=True)
    ipv6_up()


def black_holes():
    """Nothing above the size comes through, and nobody says so: both ends have to find out for themselves."""
    kernel_set(mtu_probing="1")
    both_ways("a path of 1,300 octets that tells nobody", MIB, ["--black-hole", "1300"], verbs=("put",))
    kernel_set(mtu_probing="0")


def many():
    for family in (4, 6):
        with berth_serving():
            report(f"200 connections at once from Linux: IPv{family}", run(LINUX_PEER, "many", BERTH[family], "20000", "200")[1])
        report(f"200 connections at once from Berth: IPv{family}", run(TAP_PEER, TAP, "many", LINUX[family], "20000", "200")[1])


def pings():
    with berth_serving():
        for words in ("-c 5 -i 0.01", "-c 3 -i 0.05 -s 65000", "-c 2 -i 0.05 -M do -s 1452"):
            report(f"ping -6 {words}", run("ping", "-6", "-q", "-W", "10", *words.split(), BERTH[6])[1])
        report("curl -6", run("curl", "-6", "-sS", "-m", "60", "-o", "/dev/null", f"http://[{BERTH[6]}]/{MIB}")[1])
        for family in (4, 6):
            report(f"UDP echo: IPv{family}", run(LINUX_PEER, "udp", BERTH[family], "60000", "50")[1])
            report(f"refused: IPv{family}", run(LINUX_PEER, "refused", BERTH[family], "4711")[1])


def ipv6_up():
    with open(f"/proc/sys/net/ipv6/conf/{DEVICE}/disable_ipv6", "w") as file:
        file.write("0")
    subprocess.run(["ip", "-6", "address", "replace", f"{LINUX[6]}/64", "dev", DEVICE, "nodad"], check=True)


def main():
    ipv6_up()
    with serving(LINUX_PEER, "serve"):
        for part in (pings, option_pairings, bad_links, small_mtus, black_holes, many):
            if len(sys.argv) < 4 or part.__name__ in sys.argv[3:]:
                start = time.monotonic()
                part()
                print(f"     {part.__name__.replace('_', ' ')}: {time.monotonic() - start:.1f} s", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
