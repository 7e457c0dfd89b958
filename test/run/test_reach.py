"""The same programs where the daemon may not look into them, so that each one's guard does it (Yama's ptrace_scope 1); and where the
kernel is Linux 6.1's age."""
import os
import subprocess

from harness import BERTH, Net, check, finish

HERE = os.path.dirname(os.path.abspath(__file__))


def play(net, label):
    """A server and a client of each kind."""
    server = net.start("server", "/usr/bin/python3", "-m", "http.server", "80", "--directory", net.folder)
    check(f"{label}: a server listens", net.listening(80))
    with open(f"{net.folder}/data", "wb") as file:
        file.write(os.urandom(3 << 20))
    done = net.run("pc", "sh", "-c", f"curl -sS http://server/data | cmp - {net.folder}/data && echo same")
    check(f"{label}: curl fetches 3 MiB by name", done.stdout == "same\n", done)
    done = net.run("pc", "curl", "-sS", "http://server:81/")
    check(f"{label}: and is refused elsewhere", done.returncode == 7, done)
    done = net.run("pc", "/usr/bin/python3", f"{HERE}/programs/semantics.py", "connects", "streams", "accepts", "datagrams")
    kernel = subprocess.run(["/usr/bin/python3", f"{HERE}/programs/semantics.py", "connects", "streams", "accepts", "datagrams"],
                            capture_output=True, text=True, timeout=60)
    check(f"{label}: calls say what the kernel's say", done.stdout == kernel.stdout,
          [pair for pair in zip(kernel.stdout.splitlines(), done.stdout.splitlines()) if pair[0] != pair[1]] or done)
    code = ("import socket, threading\n"
            "def one():\n    for _ in range(25): socket.create_connection(('server', 80)).close()\n"
            "threads = [threading.Thread(target=one) for _ in range(8)]\n"
            "[t.start() for t in threads]; [t.join() for t in threads]; print('done')")
    done = net.run("pc", "/usr/bin/python3", "-c", code)
    check(f"{label}: 200 connections of eight threads", done.stdout == "done\n", done)
    server.terminate()


with Net("masked") as net:
    mask = f"{net.folder}/mask"
    built = subprocess.run(["cc", "-O1", "-o", mask, f"{HERE}/programs/mask.c", "-lseccomp"], capture_output=True, text=True)
    check("the program that masks is built", built.returncode == 0, built.stderr)
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("hosts:\n  server: {}\n  pc: {}\n")
    # The daemon alone is masked: it is started by an `up` under the mask, the runs are not.
    done = subprocess.run([mask, "reach", BERTH, "up", "--net", net.name, "-d", "-f", f"{net.folder}/berth.yaml"], capture_output=True, text=True)
    check("a network comes up with a daemon that may not reach", done.returncode == 0, done)
    play(net, "through the guard")
    subprocess.run([BERTH, "down", "--net", net.name], capture_output=True, check=False)

with Net("old") as net:
    mask = f"{net.folder}/mask"
    subprocess.run(["cc", "-O1", "-o", mask, f"{HERE}/programs/mask.c", "-lseccomp"], check=True)
    with open(f"{net.folder}/berth.yaml", "w") as file:
        file.write("hosts:\n  server: {}\n  pc: {}\n")
    done = subprocess.run([mask, "old", BERTH, "up", "--net", net.name, "-d", "-f", f"{net.folder}/berth.yaml"], capture_output=True, text=True)
    check("a network comes up on an old kernel", done.returncode == 0, done)
    play(net, "on an old kernel")
    subprocess.run([BERTH, "down", "--net", net.name], capture_output=True, check=False)
finish()
