"""Wrong use gets a clear error, and nothing stays: what the commonest mistakes print."""
import os
import shutil
import signal
import subprocess

from harness import BERTH, Net, check, finish, marked, until


def says(what, done, status, *words):
    text = done.stdout + done.stderr
    check(f"{what}: {text.strip().splitlines()[-1] if text.strip() else 'silence'}",
          done.returncode == status and all(word in text for word in words), f"status {done.returncode}: {text}")


with Net("errors") as net:
    net.web(ip="10.0.0.1")
    says("a program that does not exist is 127", net.run("pc", "no-such-program"), 127, "no-such-program", "No such file")
    says("one that may not be executed is 126", net.run("pc", "/etc/passwd"), 126, "ermission denied")
    says("an exit status is passed on", net.run("pc", "sh", "-c", "exit 42"), 42)
    killed = net.run("pc", "sh", "-c", "kill -TERM $$")
    check("a program ended by a signal ends berth run by it", killed.returncode == -signal.SIGTERM, killed)
    says("an unknown host in exec", net.berth("exec", "servr", "--", "true"), 125, "servr", "server")
    says("an address that is taken", net.run("other", "true", extra=["--ip", "10.0.0.1"]), 125, "10.0.0.1", "server")
    says("an address outside the network", net.run("other", "true", extra=["--ip", "192.168.7.7"]), 125, "192.168.7.7", "10.0.0.0/24")
    says("no address at all", net.run("other", "true", extra=["--ip", "10.0.0.300"]), 125, "10.0.0.300")
    says("no program", subprocess.run([BERTH, "run", "--net", net.name], capture_output=True, text=True), 125, "berth")
    says("an unknown option", subprocess.run([BERTH, "run", "--hots", "x", "--", "true"], capture_output=True, text=True), 125, "--hots")
    says("an unknown command", subprocess.run([BERTH, "rnu"], capture_output=True, text=True), 2, "run")
    taken = net.run("server", "/usr/bin/python3", "-c", "import socket; socket.create_server(('', 80), reuse_port=False)")
    says("a port that is taken: by whom and since when", taken, 1, "80", "python3", "since", "in use")
    hasty = "import os, socket\ntry: socket.create_server(('', 80))\nexcept OSError: os._exit(3)"
    told = [net.run("server", "/usr/bin/python3", "-c", hasty).stderr.count("is taken by python3") for _ in range(20)]
    check("and this is said even when the program ends at once", all(told), told)
    search = "import socket\nfor _ in range(300):\n try: socket.create_server(('', 80))\n except OSError: pass"
    told = net.run("server", "/usr/bin/python3", "-c", search).stderr.count("is taken by")
    check("a program that tries again and again does not have it said each time", 4 <= told <= 20, told)
    says("berth run inside berth run", net.run("pc", BERTH, "run", "--", "true"), 125, "inside")
    if os.path.exists("/usr/bin/sudo") and os.getuid() != 0:
        warned = net.run("pc", "/usr/bin/sudo", "-n", "true")
        check("sudo and its like: a warning says why they cannot gain rights", "no_new_privs" in warned.stderr, warned.stderr)
    if os.getuid() != 0:  # a file that may be executed and not read: its process is hidden from its own user
        hidden = shutil.copy("/usr/bin/curl", f"{net.folder}/hidden")
        os.chmod(hidden, 0o111)
        says("a program that may not be looked into", net.run("pc", hidden, "-sS", "http://10.0.0.1/", timeout=20), 7,
             "berth: hidden may not be looked into")
    refused = net.run("pc", "curl", "-sS", "http://server:81/")
    says("a port where nobody listens", refused, 7, "connect")
    unknown = net.run("pc", "curl", "-sS", "http://nowhere/")
    says("a name nobody has", unknown, 6, "resolve")
    no_net = subprocess.run([BERTH, "ss", "--net", "nobody-" + net.name], capture_output=True, text=True)
    says("ss of a network that does not run", no_net, 1, "nobody-" + net.name)

with Net("twice") as net:
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("networks: {lan: {subnet: 10.0.0.0/24}}\nhosts: {server: {ipv4_address: 10.0.0.1}}\n")
    first = net.berth("up", "-d", "-f", f"{net.folder}/berth.yaml")
    check("up", first.returncode == 0, first)
    says("a second up of the same network", net.berth("up", "-d", "-f", f"{net.folder}/berth.yaml"), 1, net.name)
    says("down", net.berth("down"), 0)
    says("down again", net.berth("down"), 1, net.name)

BAD = [("hosts: {server: {comand: x}}\n", ("berth.yaml:1", "comand", "command")),
       ("networks: {lan: {subnet: 10.0.0.0/24}}\nhosts:\n  server: {ipv4_address: 10.0.1.1}\n", ("berth.yaml:3", "10.0.1.1")),
       ("networks: {lan: {subnet: 10.0.0.0/99}}\n", ("berth.yaml:1", "10.0.0.0/99")),
       ("hosts:\n  a: {sysctls: {net.ipv4.tcp_rmem: 1}}\n", ("berth.yaml:2", "net.ipv4.tcp_rmem")),
       ("hosts: [\n", ("berth.yaml:2",)), ("", ("berth.yaml",)),
       ("a: &a [x]\nb: [*a, *a]\n", ("berth.yaml:",))]
with Net("yaml") as net:
    for text, words in BAD:
        with open(f"{net.folder}/berth.yaml", "w") as file:
            file.write(text)
        says("a bad berth.yaml", net.berth("up", "-d", "-f", f"{net.folder}/berth.yaml"), 1, *words)

with Net("killed") as net:
    server = net.web(ip="10.0.0.1")
    busy = net.start("pc", "/usr/bin/python3", "-c", "import socket,select\ns=socket.create_connection(('10.0.0.1',80))\n"
                     "while True:\n  if s.recv(10)==b'': raise SystemExit(3)")
    net_pids = lambda: [int(p) for p in filter(str.isdigit, os.listdir("/proc")) if daemon_of(p, net.name)]

    def daemon_of(pid, name):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            return False
        return b"daemon" in words[1:3] and name.encode() in words

    until(lambda: len(marked(net.name)) >= 2)
    daemons = net_pids()
    check("the daemon is found", bool(daemons), daemons)
    for pid in daemons:
        os.kill(pid, signal.SIGKILL)
    for program in (server, busy):
        try:
            said = program.communicate(timeout=10)[0]
            check("a daemon killed under a running program ends it with a message", program.returncode == 125 and "berth:" in said,
                  (program.returncode, said))
        except subprocess.TimeoutExpired:
            check("a daemon killed under a running program ends it", False, "still running")


MANY = "import socket; kept = [];\nwhile len(kept) < 500: kept.append(socket.socket())"
with Net("files") as net:
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("hosts:\n  pc: {}\n")
    subprocess.run(["prlimit", "--nofile=120", BERTH, "up", "--net", net.name, "-d", "-f", f"{net.folder}/berth.yaml"],
                   capture_output=True, check=False)
    done = net.run("pc", "/usr/bin/python3", "-c", MANY)
    check("a daemon without a descriptor left says so", "Too many open files in system" in done.stderr
          and "no socket is left" in done.stderr and "120 descriptors" in done.stderr, done.stderr)
    names = {open(f"/proc/{pid}/comm").read().strip() for pid in marked(net.name)}
    check("what stays is called berth", names <= {"berth"}, names)
finish()
