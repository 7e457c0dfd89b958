"""`berth up`: commands started and ended, what they say kept and shown, and nobody held up by who does not read."""
import os
import signal
import subprocess
import threading
import time

from harness import BERTH, Net, check, finish, until


def up(net, text, *options):
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write(text)
    return net.berth("up", *options, "-f", f"{net.folder}/berth.yaml")


with Net("up") as net:
    done = up(net, """
hosts:
  server: {ipv4_address: 10.0.0.1, command: [sh, -c, "echo here is $$PWD; echo oops >&2; exec sleep 1000"]}
  pc: {count: 2, command: "echo $$GREETING from $$BERTH_HOST; printf 'no newline'; exit 3", environment: {GREETING: hello}}
  idle: {}
""", "-d")
    check("up -d", done.returncode == 0, done)
    check("commands that ended say how", until(lambda: net.berth("ps").stdout.count("exited (3)") == 2), net.berth("ps").stdout)
    check("one that runs is shown", until(lambda: "running" in net.berth("ps").stdout.splitlines()[1]) and
          "sh" in net.berth("ps").stdout.splitlines()[1], net.berth("ps").stdout)
    until(lambda: len(net.berth("logs").stdout.splitlines()) == 6)
    says = net.berth("logs").stdout
    check("logs has every line, with its computer's name", set(says.splitlines()) ==
          {f"server | here is {net.folder}", "server | oops", "pc1    | hello from pc1", "pc1    | no newline",
           "pc2    | hello from pc2", "pc2    | no newline"}, says)
    check("logs of one computer has its lines alone", net.berth("logs", "pc2").stdout == "hello from pc2\nno newline\n")
    check("logs -f of one that has ended ends", net.berth("logs", "-f", "pc1").stdout == "hello from pc1\nno newline\n")
    follow = subprocess.Popen([BERTH, "logs", "--net", net.name, "-f"], stdout=subprocess.PIPE, text=True)
    said = [follow.stdout.readline() for _ in range(6)]
    check("logs -f has them too", sorted(said) == sorted(says.splitlines(True)), said)
    ran = net.berth("exec", "idle", "--", "sh", "-c", "echo on $BERTH_HOST")
    check("exec on a computer without a command", ran.stdout == "on idle\n", ran)
    started = time.monotonic()
    check("down", net.berth("down").returncode == 0)
    check("down does not wait for what ends at once", time.monotonic() - started < 4)
    rest = follow.communicate(timeout=5)[0]
    check("logs -f ends with the network", rest in ("", "server | berth: the network goes down\n") and follow.returncode == 0, (rest, follow.returncode))

with Net("sysctls") as net:
    up(net, """
hosts:
  a: {sysctls: {net.ipv4.tcp_congestion_control: reno, net.ipv4.tcp_keepalive_time: 77, net.ipv4.tcp_syncookies: 2}}
  b: {sysctls: {net.ipv4.tcp_ecn: 1}}
""", "-d")
    ask = "import socket; s = socket.socket(); print(s.getsockopt(6, 13, 16).strip(bytes(1)).decode(), s.getsockopt(6, 4))"
    says = [net.berth("exec", host, "--", "python3", "-c", ask).stdout for host in "ab"]
    check("sysctls are the computer's own", says == ["reno 77\n", "cubic 7200\n"], says)
    serve = "import socket; s = socket.create_server(('', 80)); print('ready', flush=True); c, _ = s.accept()\nwhile c.recv(99999): pass"
    fetch = ("import socket; s = socket.create_connection(('a', 80)); s.sendall(bytes(3000000)); "
             "info = s.getsockopt(6, 11, 104); print(info[5] & 15)")
    server = net.start("a", "python3", "-c", serve)
    server.stdout.readline()
    done = net.berth("exec", "b", "--", "python3", "-c", fetch)
    check("a SYN cookie keeps timestamps, SACK, window scale and ECN", done.stdout == "15\n", done)
    check("its octets all come", server.wait(20) == 0)

with Net("stubborn") as net:
    up(net, "hosts: {a: {command: \"trap '' TERM; echo ready; while :; do sleep 1; done\"}}\n", "-d")
    until(lambda: "ready" in net.berth("logs").stdout)
    check("down ends what ignores SIGTERM, too", net.berth("down").returncode == 0)

with Net("front") as net:
    done = up(net, "hosts: {a: {command: echo one}, b: {command: 'sleep 0.2; echo two; exit 7'}}\n")
    check("up in the foreground prints all and ends when all have", done.returncode == 0 and done.stdout == "a | one\nb | two\n" and
          "b: its command ended with status 7" in done.stderr, done)

with Net("interrupted") as net:
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("hosts: {a: {command: \"trap 'echo goodbye; exit 0' TERM; echo ready; while :; do sleep 0.05; done\"}}\n")
    front = subprocess.Popen([BERTH, "up", "--net", net.name, "-f", f"{net.folder}/berth.yaml"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    said = ""
    while "ready" not in said:
        said += front.stdout.readline()
    front.send_signal(signal.SIGINT)
    said += front.communicate(timeout=15)[0]
    check("Ctrl-C lets commands end in good order, and shows their last words", "a | goodbye" in said and front.returncode == 0, said)

with Net("killed") as net:
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("hosts: {a: {command: \"(sleep 1000 & ) ; sleep 1000\"}, b: {command: sleep 1000}}\n")
    for how in ("-d", None):
        front = subprocess.Popen([BERTH, "up", "--net", net.name, *([how] if how else []), "-f", f"{net.folder}/berth.yaml"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: net.berth("ps").stdout.count("running") == 2)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if b"up" in words and net.name.encode() in words:
                os.kill(int(pid), signal.SIGKILL)
        front.wait()
        net.check_gone()

with Net("loud") as net:
    up(net, "hosts:\n  loud: {command: \"head -c 30000000 /dev/zero | tr '\\\\0' x | fold -w 99; echo the end\"}\n  quiet: {command: echo still here; sleep 1000}\n", "-d")
    deaf = subprocess.Popen([BERTH, "logs", "--net", net.name, "-f"], stdout=subprocess.PIPE)
    check("30 MB of output do not hold its program up", until(lambda: "exited (0)" in net.berth("ps").stdout), net.berth("ps").stdout)
    text = net.berth("logs", "loud").stdout
    check("the last of it is kept", text.endswith("the end\n") and (1 << 20) - 200 < len(text) <= 1 << 20, len(text))
    check("a loud computer does not drive a quiet one's log out", net.berth("logs", "quiet").stdout == "still here\n")
    deaf.kill()
    deaf.communicate()
    check("down", net.berth("down").returncode == 0)

with Net("pipe") as net:
    up(net, "hosts: {a: {}, b: {}}\n", "-d")
    os.mkfifo(f"{net.folder}/fifo")
    reader = os.open(f"{net.folder}/fifo", os.O_RDONLY | os.O_NONBLOCK)
    check("a capture into a pipe", net.berth("dump", "-d", "-w", f"{net.folder}/fifo").returncode == 0)
    check("a second one beside it", net.berth("dump", "-d", "-w", f"{net.folder}/other").returncode == 0)
    send = "import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nfor i in range(3000): s.sendto(b'x'*1400,('10.0.0.2',9))"
    check("a pipe that nobody reads does not stop the network", net.berth("exec", "a", "--", "/usr/bin/python3", "-c", send).returncode == 0)
    started = time.monotonic()
    done = net.berth("dump", "--stop")
    check("and ends the capture with a message", done.returncode == 1 and "could not be written" in done.stderr, done)
    check("soon", time.monotonic() - started < 5)
    os.close(reader)
    check("a capture into a file after that, by the old name", net.berth("capture", "-w", f"{net.folder}/file").returncode == 0)
    net.berth("exec", "a", "--", "/usr/bin/python3", "-c", send.replace("3000", "100"))
    check("stop", net.berth("dump", "--stop").returncode == 0)
    with open(f"{net.folder}/file", "rb") as file:
        data = file.read()
    check("has what was sent", data[:4] == b"\x0a\x0d\x0d\x0a" and data.count(b"x" * 1400) == 100, len(data))
    piped = subprocess.Popen([BERTH, "dump", "--net", net.name, "-d", "-w", "-"], stdout=subprocess.PIPE)
    piped.wait()
    got = []
    thread = threading.Thread(target=lambda: got.append(piped.stdout.read()))
    thread.start()
    net.berth("exec", "a", "--", "/usr/bin/python3", "-c", send.replace("3000", "10"))
    check("down ends a capture that runs", net.berth("down").returncode == 0)
    thread.join(10)
    check("and all of it is written", got and got[0].count(b"x" * 1400) == 10, got and len(got[0]))

finish()
