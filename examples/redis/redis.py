#!/usr/bin/python3
"""Six nodes of a redis cluster; a master is cut off; its replica is promoted, and what was acknowledged stays: redis.py BERTH.

Redis copies to replicas after it has acknowledged, so an acknowledgment alone promises nothing about another node. WAIT 1 asks for one
replica's word, and what has it must survive; what the cut-off master acknowledges by itself, until it sees that it is alone, is
counted and shown, not hidden."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from cluster import berth, check, play, until  # noqa: E402

NODES = {f"redis{i}": f"10.0.0.{i}" for i in range(1, 7)}
NAMES = {ip: name for name, ip in NODES.items()}
kept = {}  # what must survive


def say(node, *lines):
    """What a node answers to these commands, on one connection."""
    done = berth("exec", "client", "--", "timeout", "10", "redis-cli", "-h", node, input="".join(f"{line}\n" for line in lines))
    return done.stdout.split("\n")[:-1]


def role(flags):
    return "fail" if {"fail", "fail?"} & set(flags) else "slave" if "slave" in flags else "master" if "master" in flags else "unknown"


def nodes(of):
    """The cluster as one node sees it: {name: (role, its master, slots)}."""
    rows = [line.split() for line in say(of, "CLUSTER NODES") if line.count(" ") >= 7]
    names = {row[0]: NAMES.get(row[1].partition(":")[0], row[1]) for row in rows}
    return {names[row[0]]: (role(row[2].split(",")), names.get(row[3]), tuple(row[8:])) for row in rows}


def state_ok(node):
    return any(line.strip() == "cluster_state:ok" for line in say(node, "CLUSTER INFO"))


def settled():
    """What all six say, when they say the same, all is well, and each replica follows its master; else None."""
    views = [nodes(node) for node in NODES]
    if any(view != views[0] for view in views) or len(views[0]) != 6 or not all(map(state_ok, NODES)):
        return None
    masters = [name for name, (what, _, _) in views[0].items() if what == "master"]
    replicas = [name for name, (what, master, _) in views[0].items() if what == "slave" and master in masters]
    linked = all(any("master_link_status:up" in line for line in say(name, "INFO replication")) for name in replicas)
    return views[0] if len(masters) == len(replicas) == 3 and linked else None


def tags(view):
    """A word for each master whose hash is one of its slots: keys with it in braces are that master's."""
    found, number = {}, 0
    while len(found) < 3:
        slot = int(say("redis1", f"CLUSTER KEYSLOT t{number}")[0])
        for name, (what, _, slots) in view.items():
            for span in slots if what == "master" else ():
                first, _, last = span.partition("-")
                if int(first) <= slot <= int(last or first):
                    found.setdefault(name, f"t{number}")
        number += 1
    return found


def put(node, key, replicas=1):
    """True if the node took the write, and that many replicas had it within the wait."""
    said = say(node, f"SET {key} value-of-{key}", *([f"WAIT {replicas} 5000"] if replicas else []))
    if said[:1] == ["OK"] and (not replicas or (len(said) > 1 and said[1].isdigit() and int(said[1]) >= replicas)):
        kept[key] = node
    return key in kept


def alone(master, tag):
    """Writes to the cut-off master until it refuses: what it acknowledged, what of that WAIT 1 confirmed, and its last answer."""
    taken, confirmed, end = [], [], time.monotonic() + 60
    while time.monotonic() < end:
        key = f"{{{tag}}}window{len(taken)}"
        said = say(master, f"SET {key} lonely", "WAIT 1 100")
        if said[:1] == ["OK"]:
            taken.append(key)
            confirmed += [key] if said[1:2] != ["0"] else []
        elif any("CLUSTERDOWN" in line for line in said):
            return taken, confirmed, said[0]
    return taken, confirmed, "it went on"


def story():
    up = until(lambda: all(say(node, "PING") == ["PONG"] for node in NODES))
    made = berth("exec", "client", "--", "redis-cli", "--cluster", "create", *[f"{ip}:6379" for ip in NODES.values()], "--cluster-replicas",
                 "1", "--cluster-yes")
    check("six nodes make a cluster", up and made.returncode == 0, made.stdout + made.stderr)
    view = until(settled)
    if not check("three masters with a replica each, each at its own address on port 6379", view, nodes("redis1")):
        return
    tag = tags(view)
    first = next(iter(tag))
    heir = next(name for name, (_, master, _) in view.items() if master == first)
    others = [node for node in NODES if node != first]
    print(f"Masters {', '.join(tag)}; the replica of {first} is {heir}.")
    check("all masters take writes, and WAIT 1 confirms them", all([put(node, f"{{{word}}}before{i}") for node, word in tag.items()
                                                                   for i in range(3)]))
    print(f"berth partition {first} {','.join(others)}")
    cut = time.monotonic()
    berth("partition", first, ",".join(others))
    taken, confirmed, last = alone(first, tag[first])
    print(f"{first} acknowledged {len(taken)} writes by itself, then, {time.monotonic() - cut:.0f} s after the cut: {last}")
    check("the minority refuses writes", "CLUSTERDOWN" in last, last)
    check("of what it acknowledged alone WAIT 1 confirmed nothing", not confirmed, confirmed)
    promoted = until(lambda: nodes(heir).get(heir, ("",))[0] == "master" and all(map(state_ok, others)))
    print(f"{heir} is master in its place, and the cluster is well, seen {time.monotonic() - cut:.0f} s after the cut (node timeout: 5 s).")
    check("the replica is promoted", promoted, nodes(heir))
    check("the majority takes writes for those slots", all([put(heir, f"{{{tag[first]}}}during{i}", replicas=0) for i in range(3)]))
    check("and for the others', confirmed by WAIT 1", all([put(node, f"{{{word}}}during{i}") for node, word in tag.items() if node != first
                                                          for i in range(3)]))
    print("berth heal")
    berth("heal")
    healed = until(lambda: (view := settled()) and view[first][:2] == ("slave", heir) and view)
    check("all six agree: the old master is a replica of the new one", healed, nodes(heir))
    if not healed:
        return
    lost = []
    for key, node in kept.items():
        master = heir if node == first else node
        lost += [(key, place) for place, (_, leader, _) in healed.items() if master in (place, leader) and
                 not until(lambda: say(place, "READONLY", f"GET {key}") == ["OK", f"value-of-{key}"], 10)]
    check(f"of {len(kept)} writes that WAIT 1 confirmed or the majority took none is lost, at master and replica", not lost, lost)
    gone = [key for key in taken if say(heir, f"GET {key}") != ["lonely"]]
    print(f"Redis is asynchronous: of {len(taken)} writes that {first} acknowledged alone, without a replica's word, {len(gone)} are gone.")


play(os.path.join(os.path.dirname(os.path.abspath(__file__)), "berth.yaml"), story)
