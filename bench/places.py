"""Where the programs of a comparison run: places with a `server` and a `client` that reach each other at `address`. Under `berth run`; in two
network namespaces over veth + bridge; and the client in a namespace behind slirp4netns or pasta, the server on the machine that these bring
it to (a namespace too: nothing leaves what is made here)."""
import os
import signal
import subprocess
import time

SUDO = [] if os.getuid() == 0 else ["sudo", "-n"]


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


def end(process, sudo=()):
    """Ends a process group that was started here."""
    run(*sudo, "kill", "--", f"-{process.pid}", check=False)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        run(*sudo, "kill", "-9", "--", f"-{process.pid}", check=False)
        process.wait()


class Berth:
    """Two virtual computers on one switch."""
    name = "berth"
    address = "10.0.0.1"
    features = "cubic, SACK with RACK-TLP, timestamps, window scaling, large segments"
    sudo = ()

    def __init__(self, berth):
        self.berth, self.net = berth, f"bench-{os.getpid()}"

    def begin(self, pin):
        """Before a measurement: `pin` is a command's beginning that pins it, when all is to be on one core. The daemon is started by the
        first run and inherits it."""
        self.pin = pin

    def finish(self):
        """After it."""

    def inside(self, role, pin=()):
        address = self.address if role == "server" else "10.0.0.2"
        return [*self.pin, self.berth, "run", "--net", self.net, "--host", role, "--ip", address, "--", *pin]

    def listeners(self, protocol):
        return [self.berth, "ss", "--net", self.net, f"-{protocol}n", "-l"]

    def close(self):
        pass


class Spaces:
    """What the places of network namespaces share."""
    sudo = SUDO

    def __init__(self, *roles):
        self.spaces = {role: f"berth{os.getpid()}{self.short}{role}" for role in roles}
        for space in self.spaces.values():
            run(*SUDO, "ip", "netns", "add", space)
        allowed = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
        run(*SUDO, "sh", "-c", f"grep -q cubic {allowed} || echo reno cubic bbr > {allowed}", check=False)
        for role in roles:
            self.ip(role, "link", "set", "lo", "up")
            run(*self.inside(role), "sysctl", "-q", "-w", "net.ipv4.tcp_congestion_control=cubic")
        used = run(*self.inside("client"), "sysctl", "-n", "net.ipv4.tcp_congestion_control").stdout.strip()
        self.features = f"{used}, SACK, timestamps, window scaling, {self.link}"

    def ip(self, role, *words):
        run(*SUDO, "ip", "-n", self.spaces[role], *words)

    def inside(self, role, pin=()):
        return [*SUDO, "ip", "netns", "exec", self.spaces[role], *pin]

    def begin(self, pin):
        pass

    def finish(self):
        pass

    def listeners(self, protocol):
        return [*self.inside("server"), "ss", f"-{protocol}n", "-l"]

    def close(self):
        for space in self.spaces.values():
            run(*SUDO, "ip", "netns", "del", space, check=False)


class Kernel(Spaces):
    """Two network namespaces, a veth pair each, a bridge in a third."""
    name = "veth + bridge"
    short = "v"
    address = "10.77.0.1"
    link = "veth's segmentation and checksum offloads"

    def __init__(self):
        super().__init__("server", "client", "bridge")
        self.ip("bridge", "link", "add", "name", "br0", "type", "bridge")
        self.ip("bridge", "link", "set", "br0", "up")
        for role, address in (("server", self.address), ("client", "10.77.0.2")):
            self.ip("bridge", "link", "add", role, "type", "veth", "peer", "name", "eth0", "netns", self.spaces[role])
            self.ip("bridge", "link", "set", role, "master", "br0", "up")
            self.ip(role, "addr", "add", f"{address}/24", "dev", "eth0")
            self.ip(role, "link", "set", "eth0", "up")


class Joined(Spaces):
    """The client in a namespace that a program joins to the machine, of which another namespace plays the part: with an address and a
    default route, as those programs expect."""
    def __init__(self):
        super().__init__("server", "client")
        self.ip("server", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        self.ip("server", "addr", "add", "10.99.0.1/24", "dev", "eth0")
        for device in ("eth0", "eth1"):
            self.ip("server", "link", "set", device, "up")
        self.ip("server", "route", "add", "default", "via", "10.99.0.254")

    def begin(self, pin):
        self.joiner = subprocess.Popen(self.inside("server", [*pin, *self.command()]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       start_new_session=True)
        for _ in range(200):
            if "default" in run(*SUDO, "ip", "-n", self.spaces["client"], "route", check=False).stdout:
                return
            time.sleep(0.05)
        raise SystemExit(f"{self.name} did not join the namespace")

    def finish(self):
        end(self.joiner, SUDO)


class Slirp(Joined):
    name = "slirp4netns"
    short = "s"
    address = "10.0.2.2"
    link = "a TAP with an MTU of 65520"

    def command(self):
        return ["slirp4netns", "--configure", "--mtu=65520", "--netns-type=path", f"/run/netns/{self.spaces['client']}", "tap0"]


class Pasta(Joined):
    name = "pasta"
    short = "p"
    address = "10.99.0.254"
    link = "a TAP with an MTU of 65520"

    def command(self):
        none = [word for way in "tuTU" for word in (f"-{way}", "none")]
        return ["pasta", "-f", "-q", "-4", "--config-net", "--runas", "0", "--netns", f"/run/netns/{self.spaces['client']}", "--netns-only", *none]
