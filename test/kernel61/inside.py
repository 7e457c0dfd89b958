"""Inside the machine that run.sh boots: inside.py BERTH LABEL. Programs on virtual computers, on Linux 6.1 itself."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, "/berth/test/run")
from harness import BERTH, Net, check, finish, marked, runtime_folder, until

LABEL = sys.argv[2]
YAMA = "Yama" in LABEL
SEMANTICS = "/berth/test/run/programs/semantics.py"


def of_berth(*words):
    """Berth's own processes whose command line has these words."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().split(b"\0")
        except OSError:
            continue
        if line[0].endswith(b"berth") and all(word.encode() in line for word in words):
            found.append(int(pid))
    return found


sleeper = subprocess.Popen(["sleep", "1000"])
looks = subprocess.run(["/usr/bin/python3", "-c", f"open('/proc/{sleeper.pid}/mem', 'rb')"], capture_output=True, text=True)
check(f"{LABEL}: processes {'may not' if YAMA else 'may'} look into those that are not their descendants",
      ("PermissionError" in looks.stderr) == YAMA, looks)
sleeper.kill()
check(f"{LABEL}: this is Linux 6.1", os.uname().release.startswith("6.1."), os.uname().release)
done = subprocess.run([BERTH, "version"], capture_output=True, text=True)
check("berth says its version", done.returncode == 0 and done.stdout.startswith("berth "), done)
done = subprocess.run([BERTH, "doctor"], capture_output=True, text=True)
print(done.stdout, end="")
check("and the doctor finds this machine fit", done.returncode == 0, done)
check("and says that calls take longer where only ancestors may look", ("a little longer" in done.stdout) == YAMA, done)

with Net("web") as net:
    os.mkdir(f"{net.folder}/nginx")
    net.start("server", "nginx", "-p", f"{net.folder}/nginx", "-e", "stderr", "-c", "/berth/examples/web/nginx.conf")
    check("nginx listens at port 80", net.listening(80, seconds=60))
    for time_of_day in ("first", "second"):
        done = net.run("pc", "curl", "-sS", "http://server/")
        check(f"a {time_of_day} curl fetches by name", done.returncode == 0 and "this is port 80" in done.stdout, done)
    done = net.run("pc", "curl", "-sS", "http://server:81/")
    check("and is refused elsewhere", done.returncode == 7, done)
    done = net.run("pc", "/berth/calls", "10.0.0.1" if "10.0.0.1" in net.berth("ps").stdout else "server", "80", "81")
    for line in done.stdout.splitlines():
        check(line.split(" ", 1)[1], line.startswith("ok"), line)
    check("non-blocking connects and datagrams come to their end", done.returncode == 0 and done.stdout.count("\n") > 20, done)
    done = net.berth("ss", "-tlnp")
    check("ss names the server's process", "nginx" in done.stdout, done)

with Net("udp") as net:
    net.start("server", "/usr/bin/python3", "-c", "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('', 7))\n"
              "while True:\n    data, peer = s.recvfrom(2000)\n    s.sendto(data.upper(), peer)\n")
    check("a server of datagrams", net.listening(7, "udp", 60))
    done = net.run("pc", "/usr/bin/python3", "-c", "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(20)\n"
                   "s.sendto(b'hello', ('server', 7))\nprint(s.recvfrom(2000)[0].decode())\ns.connect(('server', 8))\ns.send(b'x')\n"
                   "try:\n    s.recv(100)\nexcept ConnectionRefusedError:\n    print('refused')\n")
    check("answers another computer, and a closed port refuses", done.stdout == "HELLO\nrefused\n", done)
    done = net.run("pc", "sh", "-c", "echo over nc | nc.openbsd -4 -u -w 2 server 7")
    check("nc sends and receives datagrams", done.stdout == "OVER NC\n", done)

with Net("bulk") as net:
    words = ["/usr/bin/python3", "/berth/test/run/programs/bulk.py"]
    server = net.start("server", *words, "receive", "", "9000", "20000000")
    check("a reader of bulk data listens", net.listening(9000, seconds=60))
    done = net.run("pc", *words, "send", "server", "9000", "20000000", timeout=120)
    received = server.communicate(timeout=60)[0]
    check("20 MB come whole", done.stdout.startswith("sent 20000000 ") and received.split()[1:] == done.stdout.split()[1:], (done, received))

with Net("calls") as net:
    kernel = subprocess.run(["/usr/bin/python3", SEMANTICS], capture_output=True, text=True, timeout=120)
    done = net.run("pc", "/usr/bin/python3", SEMANTICS, timeout=120)
    check("the script of calls comes to its end on the kernel", "== datagrams" in kernel.stdout, kernel)
    check(f"{kernel.stdout.count(chr(10))} lines of socket calls say what this kernel's own say", done.stdout == kernel.stdout,
          [pair for pair in zip(kernel.stdout.splitlines(), done.stdout.splitlines()) if pair[0] != pair[1]] or done.stderr)
    done = net.run("pc", "/berth/signals", "slow", timeout=120)
    for line in done.stdout.splitlines():
        check(f"signals: {line.split(' ', 1)[1]}", line.startswith("ok"), line)
    check("calls under signals come to their end", done.returncode == 0 and "ok" in done.stdout, done)

with Net("orphan") as net:
    done = net.run("server", "/usr/bin/python3", "-c", f"""
import os, socket
listener = socket.create_server(('', 80))
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        null = os.open('/dev/null', os.O_RDWR)
        for fd in (0, 1, 2): os.dup2(null, fd)
        while True:
            connection = listener.accept()[0]
            connection.sendall(b'from a grandchild')
            connection.close()
    os._exit(0)
os.wait()
""")
    check("a program that leaves a daemon behind ends", done.returncode == 0, done)
    done = net.run("pc", "/usr/bin/python3", "-c", "import socket; print(socket.create_connection(('server', 80)).recv(100).decode())")
    check("its grandchild still serves", done.stdout == "from a grandchild\n", done)

with Net("killed") as net:
    net.start("server", "/usr/bin/python3", "-c", "import socket\ns = socket.create_server(('', 80))\nwhile True: s.accept()[0].recv(9)\n")
    check("before the daemon is killed", net.listening(80, seconds=60))
    daemons = of_berth("daemon", net.name)
    check("there is one daemon", len(daemons) == 1, daemons)
    for pid in daemons:
        os.kill(pid, signal.SIGKILL)
    gone = until(lambda: not marked(net.name) and not of_berth(net.name) and not os.path.exists(f"{runtime_folder()}/{net.name}.sock"))
    check("kill -9 of it leaves no process and no socket", gone, (marked(net.name), of_berth(net.name)))

check("nothing of berth runs", until(lambda: not of_berth()), of_berth())
finish()
