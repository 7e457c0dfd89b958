#!/usr/bin/python3
"""Three etcd nodes; the leader is cut off; the majority elects another and keeps what it acknowledged: etcd.py BERTH."""
import json
import os
import subprocess
import sys
import tempfile
import time

BERTH, NET, NODES = os.path.abspath(sys.argv[1]), f"etcd-{os.getpid()}", ["etcd1", "etcd2", "etcd3"]
HERE, results, written = os.path.dirname(os.path.abspath(__file__)), [], {}


def berth(*words, **more):
    return subprocess.run([BERTH, words[0], "--net", NET, *words[1:]], capture_output=True, text=True, timeout=120, check=False, **more)


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


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def check(what, holds):
    results.append(bool(holds))
    print(f"  {'yes  ' if holds else 'WRONG'} {what}", flush=True)


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


with tempfile.TemporaryDirectory(prefix="berth-etcd-") as data:
    try:
        up = berth("up", "-d", "-f", f"{HERE}/berth.yaml", env={**os.environ, "DATA": data})
        check("the network is up", up.returncode == 0)
        print(up.stderr, end="")
        story()
    finally:
        berth("down")
print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(0 if all(results) else 1)
