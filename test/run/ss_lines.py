"""What `ss -i` says of a connection, taken apart: iproute2's and ours, to be held against each other."""
import re

# What the kernel says and we do not know: of other algorithms, or of a later kernel.
UNKNOWN = {"bbr", "fackets", "rehash"}


def info_line(said, port):
    """The line below the connection from that port."""
    lines = said.splitlines()
    for at, line in enumerate(lines[:-1]):
        if re.search(rf":{port} +\S+:\d+", line):
            return lines[at + 1]
    return ""


def words(line):
    """Its words, without values; the name of the congestion control's algorithm as one word."""
    line = re.sub(r"bbr:\(\S+\)", "", line)
    line = re.sub(r" (send|pacing_rate|delivery_rate) (\S+)", r" \1:\2", line)
    found = [word.split(":")[0] for word in line.split()]
    return ["ALGORITHM" if word in ("bbr", "cubic", "reno", "dctcp") else word for word in found]


def units(line):
    """What the values look like: digits as 9, so 1.5Gbps and 27Mbps are one."""
    line = re.sub(r" (send|pacing_rate|delivery_rate) (\S+)", r" \1:\2", line)
    found = dict(word.split(":", 1) for word in line.split() if ":" in word)
    return {word: re.sub(r"[KMGT]?bps", "bps", re.sub(r"[0-9.e+-]+", "9", value)) for word, value in found.items()}


def values(line):
    return dict(word.split(":", 1) for word in line.split() if ":" in word)
