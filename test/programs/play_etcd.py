"""etcd: three computers, each with the ports 2379 and 2380."""
import json
import os

from harness import until
from lab import program

ASK = {**os.environ, "ETCDCTL_API": "3"}


@program("etcd", "three members, each at 2379 and 2380: what is put by one is got from another, the member list and one leader are agreed, "
         "a watch hears, and two go on when the leader is killed", ways=("v4", "v6"),
         differs="works; three of them at the same ports take three computers, so it has no loopback way")
def etcd(lab):
    for way in lab.ways():
        names = [f"etcd{number}" for number in (1, 2, 3)]
        literal = {name: ("[{}]" if way.ipv6 else "{}").format(lab.address(name, way.family)) for name in names}
        clients = {name: f"http://{literal[name]}:2379" for name in names}
        peers = {name: f"http://{literal[name]}:2380" for name in names}
        cluster = ",".join(f"{name}={peers[name]}" for name in names)
        members = {name: lab.start(
            name, "etcd", "--name", name, "--data-dir", lab.home(f"{name}{way}"), "--listen-client-urls", clients[name],
            "--advertise-client-urls", clients[name], "--listen-peer-urls", peers[name], "--initial-advertise-peer-urls", peers[name],
            "--initial-cluster", cluster, "--initial-cluster-state", "new", "--unsafe-no-fsync",
            "--heartbeat-interval", "200", "--election-timeout", "2000") for name in names}

        def ask(*words, at=names, **more):
            return lab.run("pc", "etcdctl", "--endpoints", ",".join(clients[name] for name in at), "--command-timeout", "20s", *words,
                           env=ASK, **more)

        healthy = until(lambda: ask("endpoint", "health").stderr.count("is healthy") == 3, 90)
        way.check("three endpoints are healthy", healthy, ask("endpoint", "health"))
        list_ = [line.split(", ") for line in ask("member", "list").stdout.splitlines()]
        way.check("the member list has the three", sorted(tuple(row[1:5]) for row in list_) ==
                  [("started", name, peers[name], clients[name]) for name in names], list_)
        status = json.loads(ask("endpoint", "status", "-w", "json").stdout)
        leaders = {row["Status"]["leader"] for row in status}
        way.check("and they agree on a leader", len(status) == 3 and len(leaders) == 1, status)
        for number, name in enumerate(names):
            ask("put", f"key{number}", f"value {number} over {way}", at=[name])
        got = [ask("get", f"key{number}", "--print-value-only", at=[names[(number + 1) % 3]]).stdout for number in range(3)]
        way.check("what is put by one is got from another", got == [f"value {number} over {way}\n" for number in range(3)], got)
        ear = lab.start("pc", "etcdctl", "--endpoints", clients["etcd1"], "watch", "news", "--prefix", env=ASK)
        heard = until(lambda: ask("put", "news/1", "heard", at=["etcd2"]) and "heard" in lab.said(ear), 60)
        way.check("a watch hears what another is told", heard, lab.said(ear))

        leader = next(names[i] for i, name in enumerate(names) for row in status if row["Endpoint"] == clients[name] and
                      row["Status"]["header"]["member_id"] in leaders)
        members[leader].kill()
        rest = [name for name in names if name != leader]
        put = until(lambda: ask("put", "after", "the leader's death", at=rest).stdout == "OK\n", 90)
        got = ask("get", "after", "--print-value-only", at=rest[1:]).stdout
        way.check("two go on when the leader is killed", put and got == "the leader's death\n", got)
        for member in (*members.values(), ear):
            member.kill()
            member.wait()
