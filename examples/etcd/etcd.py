#!/usr/bin/python3
"""Three etcd nodes; the leader is cut off; the majority elects another and keeps what it acknowledged: etcd.py BERTH."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from cluster import berth, check, play, until  # noqa: E402

NODES, written = ["etcd1", "etcd2", "etcd3"], {}


def ctl(node, *words, patience="3s"):
    return berth("exec", "client", "--", "env", "ETCDCTL_API=3", "etcdctl", f"--endpoints=http://{node}:2379", f"--command-timeout={patience}",
                 *words)


def put(node, key, patience="3s"):
    done = ctl(node, "put", key, f"value of {key}", patience=patience)
    if done.returncode == 0 and done.stdout.strip() == "OK":
        written[key] = f"value of {key}"
    return key in written


def leader(nodes):
    for node in nodes:
        said = ctl(node, "endpoint", "status", "-w", "json")
        if said.returncode == 0:
            status = json.loads(said.stdout)[0]["Status"]
            if status.get("leader") == status["header"]["member_id"]:
                return node
    return None


def story():
    first = until(lambda: leader(NODES))
    print(f"Three nodes at port 2379, each at its own address; the leader is {first}.")
    check("a leader is elected, and takes writes", first and put(first, "before"))
    others = [node for node in NODES if node != first]
    print(f"berth partition {first} {','.join(others)}")
    berth("partition", first, ",".join(others))
    second = until(lambda: leader(others))
    print(f"The others' leader is {second}.")
    check("the majority has a new leader", second in others)
    check("the majority takes writes", all([put(second, f"during{i}") for i in range(5)]))
    check("the minority refuses them", not put(first, "lost", patience="2s"))
    print("berth heal")
    berth("heal")
    check("all agree on what was acknowledged, and nothing of it is lost", until(lambda: all(
        ctl(node, "get", key, "--print-value-only", "--consistency=s").stdout.strip() == value
        for node in NODES for key, value in written.items())))


play(f"{HERE}/berth.yaml", story)
