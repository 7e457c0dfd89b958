"""redis: one server, and six of them on six computers that are a cluster."""
import re

from harness import until
from lab import program

BARE = ["--save", "", "--appendonly", "no", "--protected-mode", "no", "--daemonize", "no", "--repl-diskless-sync-delay", "0"]


@program("redis", "redis-cli gets what it set, a subscriber hears what is published, a replica says what its master holds; "
         "redis-benchmark's calls are those that the server counted")
def redis(lab):
    lab.start("server", "redis-server", *BARE, "--bind", "*", "-::*", "--dir", lab.folder)
    lab.ready(6379)
    for count, way in enumerate(lab.ways()):
        def ask(*words, **more):
            return way.run("redis-cli", "-h", way.address, *words, **more).stdout

        value = f"value over {way}\n" * 10000
        said = ask("-x", "set", "key", input=value)
        way.check("a value of 150 kB is got as it was set", said == "OK\n" and ask("get", "key") == value + "\n", said)
        ear = way.start("redis-cli", "-h", way.address, "subscribe", "news")
        until(lambda: "subscribe" in lab.said(ear), 30)
        way.check("a subscriber hears what is published", ask("publish", "news", f"by {way}").strip() == "1" and
                  until(lambda: f"by {way}" in lab.said(ear), 30), lab.said(ear))
        ear.terminate()

        ask("config", "resetstat")
        done = way.run("redis-benchmark", "-h", way.address, "-q", "-n", "5000", "-c", "50", "-P", "4", "-t", "set,get,lpush,mset")
        stats = ask("info", "commandstats")
        calls = dict(re.findall(r"cmdstat_(\w+):calls=(\d+)", stats))
        way.check("redis-benchmark with 50 clients: the server counted its calls",
                  {name: calls.get(name) for name in ("set", "get", "lpush", "mset")} == dict.fromkeys(("set", "get", "lpush", "mset"), "5000"),
                  (done, stats))

        port = 6380 + count
        lab.start(way.client, "redis-server", *BARE, "--bind", "*", "-::*", "--port", str(port), "--replicaof", way.address, "6379",
                  "--dir", lab.home(f"replica{count}"))
        lab.ready(port)
        local = ["redis-cli", "-h", "::1" if way.ipv6 else "127.0.0.1", "-p", str(port)]
        until(lambda: "master_link_status:up" in way.run(*local, "info", "replication").stdout, 30)
        ask("set", "after", f"{way}")

        def held():
            return way.run(*local, "get", "key").stdout == value + "\n" and way.run(*local, "get", "after").stdout == f"{way}\n"

        way.check("a replica holds what its master does", until(held, 60), way.run(*local, "info", "replication").stdout)


@program("redis cluster", "six on the same port on six computers: redis-cli --cluster check agrees, keys are read where they were not written, "
         "and a replica takes over from a master that is killed", ways=("v4", "v6"),
         differs="works; one computer holds one node at a port, so a cluster on the same port has no loopback way")
def redis_cluster(lab):
    for way in lab.ways():
        names = [f"n{number}" for number in range(1, 7)]
        addresses = {name: lab.address(name, way.family) for name in names}
        nodes = {name: lab.start(name, "redis-server", *BARE, "--bind", addresses[name], "--dir", lab.home(f"{name}{way}"),
                                 "--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--cluster-announce-ip", addresses[name])
                 for name in names}

        def ask(name, *words, **more):
            return lab.run("pc", "redis-cli", "-h", addresses[name], *words, **more).stdout

        up = until(lambda: all(ask(name, "ping") == "PONG\n" for name in names), 60)
        literal = "[{}]:6379" if way.ipv6 else "{}:6379"
        created = lab.run("pc", "redis-cli", "--cluster", "create", *(f"{address}:6379" for address in addresses.values()),
                          "--cluster-replicas", "1", "--cluster-yes", timeout=120)
        way.check("redis-cli --cluster create: all 16384 slots covered", up and "All 16384 slots covered" in created.stdout, created)
        until(lambda: all("cluster_state:ok" in ask(name, "cluster", "info") for name in names), 60)
        checked = lab.run("pc", "redis-cli", "--cluster", "check", f"{addresses['n5']}:6379")
        way.check("and check agrees", "All nodes agree about slots configuration" in checked.stdout and
                  "All 16384 slots covered" in checked.stdout and checked.stdout.count("1 additional replica") == 3, checked)
        said = [ask(names[number % 6], "-c", "set", f"key{number}", f"value{number}") for number in range(12)]
        way.check("keys are written by way of any node", said == ["OK\n"] * 12, said)
        got = [ask(names[(number + 3) % 6], "-c", "get", f"key{number}") for number in range(12)]
        way.check("and read by way of any other", got == [f"value{number}\n" for number in range(12)], got)

        master = next(name for name in names if "role:master" in ask(name, "info", "replication"))
        held = [number for number in range(12) if f"value{number}\n" == ask(master, "get", f"key{number}")]
        others = [name for name in names if name != master]
        replica = next(name for name in others if f"master_host:{addresses[master]}\n" in ask(name, "info", "replication"))
        until(lambda: "master_link_status:up" in ask(replica, "info", "replication"), 60)
        nodes[master].kill()
        taken = until(lambda: "role:master" in ask(replica, "info", "replication"), 90)
        healed = until(lambda: all("cluster_state:ok" in ask(name, "cluster", "info") for name in others), 60)
        got = [ask(others[number % 5], "-c", "get", f"key{number}") for number in range(12)]
        way.check("the replica of a master that is killed takes over, and no key is lost", taken and healed and held and
                  got == [f"value{number}\n" for number in range(12)], (taken, healed, held, got))
        for node in nodes.values():
            node.terminate()
            node.wait()
