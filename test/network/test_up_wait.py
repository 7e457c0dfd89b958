"""`berth up` as a test runner: topologies, order, health, restarts, and whether all came as expected."""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../run"))
from harness import BERTH, Net, check, finish, until  # noqa: E402


def up(net, text, *options, environment=None):
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write(text)
    return net.berth("up", *options, "-f", f"{net.folder}/berth.yaml", env={**os.environ, **(environment or {})})


def wrong(done):
    """The lines that say what was not as expected."""
    return sorted(re.sub(r"^berth: .*berth.yaml:", "", line) for line in done.stderr.splitlines() if "berth.yaml:" in line)


def topologies():
    """Hosts on several networks reach each other through routers, by name and over both families; links have the network's faults."""
    with Net("topo") as net:
        done = up(net, """
x-host: &host {environment: {KIND: merged}}
networks:
  a: {subnet: 10.1.0.0/24}
  b: {ipam: {config: [{subnet: 10.2.0.0/24}, {subnet: "fd00:b::/64"}]}, delay: 3ms}
  c: {}
hosts:
  r1: {networks: [a, b], router: true}
  r2: {networks: {b: {ipv4_address: 10.2.0.254}, c: }, router: true}
  left: {<<: *host, networks: [a]}
  right: {networks: {c: {aliases: [far, web.example.org]}}, extra_hosts: ["elsewhere:192.0.2.7"]}
  both: {networks: [a, c]}
links:
  - {endpoints: [r1, b], delay: 1ms}
""", "-d")
        check("up", done.returncode == 0, done)
        rows = [line.split() for line in net.berth("hosts").stdout.splitlines()[1:]]
        check("each link has its row", sorted(row[0] + "@" + row[3] for row in rows) ==
              ["both@a", "both@c", "left@a", "r1@a", "r1@b", "r2@b", "r2@c", "right@c"], rows)
        address = {row[0] + "@" + row[3]: row[1] for row in rows}
        check("addresses: the file's, and the lowest", (address["r2@b"], address["r1@a"], address["right@c"][:7]) ==
              ("10.2.0.254", "10.1.0.1", "10.0.0."), rows)
        for options in (["-4"], ["-6"]):
            for name in ("right", "far", "web.example.org"):
                said = net.berth("exec", "left", "--", "ping", *options, "-n", "-c", "1", "-W", "20", name)
                check(f"ping {options[0]} {name} through two routers", said.returncode == 0 and "ttl=62" in said.stdout, said)
        said = net.berth("exec", "right", "--", "getent", "hosts", "elsewhere")
        check("extra_hosts are known to their host", said.stdout.split()[:1] == ["192.0.2.7"], said)
        check("and to nobody else", net.berth("exec", "left", "--", "getent", "hosts", "elsewhere").returncode != 0)


def places():
    """What cannot be made or read has its place, in plain words."""
    with Net("places") as net:
        for text, wanted in [("hosts: {a: {}}\nx-a: 1\nhosts:\n", "berth.yaml:3: hosts: is there twice"),
                             ("hosts:\n  a: {aliases: [b]}\n  b: {}\n", "berth.yaml:3: hosts.b: cannot add the host: its name is taken"),
                             ("hosts:\n  a: {}\n  A: {}\n", "berth.yaml:3: hosts.A: cannot add the host: its name is taken"),
                             ("networks: {lan: {subnet: 10.4.4.0/30}}\ngateway: true\nhosts: {a: {count: 2}}\n",
                              "cannot have a gateway: no address of its subnet is left for it"),
                             ("hosts:\n  a: {env_file: .}\n", "berth.yaml:2: hosts.a.env_file: .: is no file to read lines from"),
                             ('hosts:\n  "\\e[31mred\\x9b": {}\n', "berth.yaml:2: hosts.?[31mred??: a name has")]:
            done = up(net, text, "-d")
            check(f"refused: {wanted}", done.returncode == 1 and wanted in done.stderr, done)
        done = net.berth("up", "-f", net.folder)
        check("a folder is no file", done.returncode == 1 and f"{net.folder}:1: Is a directory" in done.stderr, done)
        done = up(net, "networks: {a: {subnet: 10.5.0.0/26}, b: {subnet: 10.5.0.64/26}}\n"
                       "hosts: {left: {networks: [a]}, router: {networks: [a, b], router: true}, right: {networks: [b]}}\n", "-d")
        check("two networks of one /24", done.returncode == 0, done)
        for option in ("-4", "-6"):
            said = net.berth("exec", "left", "--", "ping", option, "-n", "-c", "1", "-W", "30", "right")
            check(f"ping {option} from one to the other", said.returncode == 0 and "ttl=63" in said.stdout, said)


def outcomes():
    """Exit statuses, output, what runs; one line for each that was not so, with its place."""
    with Net("wait") as net:
        text = """
hosts:
  db:
    command: "sleep 0.2; exec python3 -u -m http.server 80"
    healthcheck: {test: "curl -sf http://localhost/ >/dev/null", interval: 1s, retries: 60}
    expect: {running: true, output: Serving}
  setup: {command: "echo made by $$BERTH_HOST", expect: {exited: 0, output: made by setup}}
  client:
    count: 3
    command: [sh, -c, "curl -sS http://db/ >/dev/null && exit ${STATUS:-0}"]
    depends_on: {db: {condition: service_healthy}, setup: {condition: service_completed_successfully}}
    expect: {exited: 0}
  pair:
    processes:
      one: {command: echo 10.0.0.77, expect: {exited: 0, output: '/^10\\.0\\.0\\.[0-9]+$$/'}}
      two: {command: "echo from two; exit 4", expect: {exited: 4}}
"""
        done = up(net, text, "--wait", "--timeout", "60s")
        check("as expected: status 0, and no complaint", done.returncode == 0 and done.stderr == "", done)
        check("what they say, with their names", {"setup    | made by setup", "pair.two | from two"} <= set(done.stdout.splitlines()), done)
        done = up(net, text, "--wait", "--timeout", "60s", environment={"STATUS": "5"})
        check("not as expected: status 1, and a line for each", done.returncode == 1 and
              wrong(done) == [f"12: client{i}: exited with 5, not with 0" for i in (1, 2, 3)], done)

    with Net("much") as net:
        done = up(net, "hosts: {a: {command: seq 100000, expect: {exited: 0, output: '100000'}}}\n", "--wait", "--timeout", "120s")
        lines = done.stdout.splitlines()
        check("all that they say is printed, also the end of much", done.returncode == 0 and len(lines) == 100000 and
              lines[-1] == "a | 100000", (done.returncode, len(lines), lines[-1:], done.stderr))
        check("up -d", up(net, "hosts: {a: {command: seq 100000}, b: {command: sleep 1000}}\n", "-d").returncode == 0)
        check("it has spoken", until(lambda: net.berth("logs", "a").stdout.endswith("100000\n")))
        lines = net.berth("logs", "-f", "a").stdout.splitlines()  # the daemon gives it in pieces, and the reader takes each at once
        check("logs -f of much that has ended", len(lines) == 100000 and lines[-1] == "100000", (len(lines), lines[-1:]))

    with Net("unlike") as net:
        done = up(net, """
hosts:
  fails: {command: exit 3}
  never: {command: echo never, depends_on: {fails: {condition: service_completed_successfully}}, expect: {exited: 0}}
  later: {command: echo never, depends_on: [never]}
  anyway: {command: echo anyway, depends_on: {fails: {condition: service_completed_successfully, required: false}}, expect: {output: anyway}}
  ends: {command: exit 0, expect: {running: true}}
  silent: {command: "echo a word", expect: {exited: 0, output: [a word, another]}}
  slow: {command: sleep 1000, expect: {exited: 0}}
""", "--wait", "--timeout", "3")
        check("each that was not so", done.returncode == 1 and wrong(done) == [
            "4: never: is not started: fails ended with status 3", "5: later: is not started: never is not started",
            "7: ends: has ended with 0, and should be running", '8: silent: its output has no "another"',
            "9: slow: has not exited in time"], done)
        check("what depends on it if it can is started", "anyway | anyway" in done.stdout and "| never" not in done.stdout, done)


def healthy():
    """Without expectations: --wait returns when all is healthy, and the network stays."""
    with Net("health") as net:
        done = up(net, """
hosts:
  web:
    command: "sleep 0.3; exec python3 -m http.server 80"
    healthcheck: {test: [CMD, curl, -sf, "http://localhost/"], retries: 100, interval: 1s}
""", "--wait", "--timeout", "60s")
        check("up --wait", done.returncode == 0, done)
        check("it is healthy then", net.berth("exec", "web", "--", "curl", "-sf", "http://web/").returncode == 0)
        check("down", net.berth("down").returncode == 0)
        done = up(net, "hosts: {sick: {command: sleep 1000, healthcheck: {test: exit 1, interval: 50ms, retries: 2}}}\n", "--wait")
        check("unhealthy: status 1", done.returncode == 1 and wrong(done) == ["1: sick: is unhealthy"], done)
        check("and the network is gone", "not running" in net.berth("ps").stderr)
        done = up(net, "hosts: {hangs: {command: sleep 1000, healthcheck: {test: sleep 1000, interval: 1ms, timeout: 50ms, retries: 1}}}\n", "--wait")
        check("a check that hangs is a failure", done.returncode == 1 and wrong(done) == ["1: hangs: is unhealthy"], done)
        done = up(net, "hosts: {a: {command: sleep 1000, healthcheck: {test: exit 1}}}\n", "--wait", "--timeout", "500ms")
        check("the timeout is said", done.returncode == 1 and wrong(done) == ["1: a: is not healthy in time"], done)


def restarts():
    """Commands that are started anew."""
    with Net("again") as net:
        done = up(net, """
hosts:
  flaky: {command: "echo x >>tries; [ $$(wc -l <tries) -ge 3 ]", restart: "on-failure:5", expect: {exited: 0}}
  hopeless: {command: "echo x >>more; exit 9", restart: "on-failure:2", expect: {exited: 9}}
  always: {command: "echo x >>always", restart: always}
  watcher: {command: "until [ $$(wc -l <always) -ge 3 ]; do sleep 0.05; done", restart: on-failure, expect: {exited: 0}}
""", "--wait", "--timeout", "60s")
        check("restarts until it is well, or enough", done.returncode == 0, done)
        with open(f"{net.folder}/tries") as tries, open(f"{net.folder}/more") as more:
            check("as often as it should", (len(tries.readlines()), len(more.readlines())) == (3, 3))


def surroundings():
    """What a command finds: environment, files, folder; and how it is stopped."""
    with Net("around") as net:
        os.makedirs(f"{net.folder}/sub")
        with open(f"{net.folder}/vars.env", "w") as file:
            file.write("# a comment\nFROM_FILE='quoted'\nexport BOTH=file\n")
        done = up(net, """
hosts:
  a:
    command: 'echo "[$$FROM_FILE $$BOTH $$PASSED $$(basename "$$PWD")]"; trap "echo interrupted; exit" INT; while :; do sleep 0.05; done'
    env_file: vars.env
    environment: [BOTH=map, PASSED]
    working_dir: sub
    stop_signal: SIGINT
  b: {command: "trap '' TERM; echo deaf; while :; do sleep 0.05; done", stop_grace_period: 200ms}
""", "-d", environment={"PASSED": "on"})
        check("up", done.returncode == 0, done)
        follow = subprocess.Popen([BERTH, "logs", "--net", net.name, "-f"], stdout=subprocess.PIPE, text=True)
        check("its environment and folder", until(lambda: "a | [quoted map on sub]" in net.berth("logs").stdout and
                                                  "deaf" in net.berth("logs").stdout), net.berth("logs"))
        check("down", net.berth("down").returncode == 0)
        said = follow.communicate(timeout=30)[0]
        check("stop_signal", "a | interrupted" in said, said)


def interrupted():
    """Ctrl-C while it waits: status 1, and all is gone."""
    with Net("stopped") as net:
        with open(f"{net.folder}/berth.yaml", "w") as file:
            file.write("hosts: {a: {command: echo ready; sleep 1000, expect: {exited: 0}}}\n")
        front = subprocess.Popen([BERTH, "up", "--net", net.name, "--wait", "-f", f"{net.folder}/berth.yaml"], stdout=subprocess.PIPE, text=True)
        front.stdout.readline()
        front.send_signal(signal.SIGINT)
        front.communicate(timeout=60)
        check("it was not as expected", front.returncode == 1, front.returncode)


def thousand():
    """1,000 hosts come up, and answer by name."""
    with Net("thousand") as net:
        done = up(net, "hosts: {pc: {count: 1000}}\n", "-d")
        check("up", done.returncode == 0 and len(done.stdout.splitlines()) == 1000, done.stderr)
        for name in ("pc1", "pc500", "pc1000"):
            said = net.berth("exec", "pc7", "--", "ping", "-n", "-c", "1", "-W", "30", name)
            check(f"{name} answers", said.returncode == 0, said)
        check("each has an address of its own", len({line.split()[1] for line in net.berth("hosts").stdout.splitlines()[1:]}) == 1000)


topologies()
places()
outcomes()
healthy()
restarts()
surroundings()
interrupted()
thousand()
finish()
