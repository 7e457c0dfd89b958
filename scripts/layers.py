"""Checks that includes point down only. Floors: include/berth < engine < network < tool; within the engine
base < wire < buffer < port < ip, udp, tcp < socket < host, and tcp never includes ip. Tests and benchmarks may look at all."""
import re
import subprocess
import sys

MAY = {
    "include/berth": set(),
    "engine/base": {"engine/base"},
    "engine/wire": {"engine/base", "engine/wire"},
    "engine/buffer": {"engine/base", "engine/wire", "engine/buffer"},
    "engine/port": {"engine/base", "engine/port"},
    "engine/ip": {"engine/base", "engine/wire", "engine/buffer", "engine/ip"},
    "engine/udp": {"engine/base", "engine/wire", "engine/buffer", "engine/port", "engine/udp"},
    "engine/tcp": {"engine/base", "engine/wire", "engine/buffer", "engine/port", "engine/tcp"},
    "engine/socket": {"engine/base", "engine/wire", "engine/buffer", "engine/port", "engine/ip", "engine/udp", "engine/tcp",
                      "engine/socket", "engine/host"},
    "engine/host": {"engine/base", "engine/wire", "engine/buffer", "engine/port", "engine/ip", "engine/udp", "engine/tcp",
                    "engine/socket", "engine/host"},
    "network": {"network", "engine/base", "engine/wire", "engine/buffer"},
    "tool/loop": {"tool/loop"},
    "tool/outside": {"tool/loop", "tool/outside"},
    "tool/control": {"tool/control"},
    "tool/runner": {"tool/control", "tool/runner"},
    # Of the runner the daemon knows what the two say to each other (reach.h) and which descriptors the filter notifies (range.h).
    "tool/daemon": {"tool/loop", "tool/outside", "tool/control", "tool/runner/reach.h", "tool/runner/range.h", "tool/runner/newer.h",
                    "tool/daemon"},
    "tool/cli": {"tool/control", "tool/runner", "tool/outside", "tool/daemon", "tool/cli"},
    "examples": set(),
}
PURE = {"include/berth", "network"}
SYSTEM = re.compile(r"^(sys/(?!types\.h)|unistd|fcntl|pthread|time\.h|stdio|signal|poll|linux/|netinet|arpa|net/)")


def room(path):
    return max((name for name in MAY if path.startswith(name + "/")), key=len, default=None)


def main():
    bad = 0
    files = subprocess.run(["git", "ls-files", "*.c", "*.h"], capture_output=True, text=True, check=True).stdout.split()
    for path in files:
        here = room(path)
        if here is None:
            continue
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
            if not found:
                continue
            kind, target = found.groups()
            wrong = None
            if kind == '"' and not any(target == name or target.startswith(name + "/") for name in MAY[here]):
                wrong = f"{here} may not include {target}"
            if kind == "<" and (here.startswith("engine/") or here in PURE) and SYSTEM.match(target):
                wrong = f"{here} is pure and may not include <{target}>"
            if wrong:
                print(f"{path}:{number}: {wrong}")
                bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
