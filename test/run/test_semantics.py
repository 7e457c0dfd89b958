"""Every socket call against the kernel's own: one script of calls is run on the machine's loopback and on a virtual computer, and
must say the same. Then calls under a storm of signals."""
import os
import subprocess

from harness import Net, check, finish

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = f"{HERE}/programs/semantics.py"
FAST = """import errno, socket
server = socket.create_server(("127.0.0.1", 0))
with socket.socket() as client:
    try:
        client.sendto(b"x", 0x20000000, server.getsockname())
    except OSError as error:
        print(error.errno == errno.EOPNOTSUPP)
    client.connect(server.getsockname())
    print(client.send(b"x"))
"""


def sections(text):
    """{name: lines} of the script's output."""
    found = {}
    for line in text.splitlines():
        if line.startswith("== "):
            lines = found.setdefault(line[3:], [])
        elif found:
            lines.append(line)
    return found


kernel = sections(subprocess.run(["/usr/bin/python3", SCRIPT], capture_output=True, text=True, timeout=120).stdout)
check("the script comes to its end on the kernel", list(kernel)[-1:] == ["stamps"], list(kernel))
with Net("semantics") as net:
    done = net.run("pc", "/usr/bin/python3", SCRIPT)
    ours = sections(done.stdout)
    for name, lines in kernel.items():
        mine = ours.get(name, [])
        check(f"{name}: {len(lines)} lines as the kernel says them", mine == lines,
              [pair for pair in zip(lines, mine) if pair[0] != pair[1]] or (len(lines), len(mine), done.stderr[-300:]))
    done = net.run("pc", "/usr/bin/python3", "-c", FAST)
    check("MSG_FASTOPEN is refused as where it is switched off, and connect() goes on from there",
          done.stdout.split() == ["True", "1"], done)
    binary = f"{net.folder}/signals"
    built = subprocess.run(["cc", "-O1", "-pthread", "-o", binary, f"{HERE}/programs/signals.c"], capture_output=True, text=True)
    check("the program for signals is built", built.returncode == 0, built.stderr)
    processors = sorted(os.sched_getaffinity(0))
    for words in ([], ["taskset", "-c", str(processors[-1])]):
        done = net.run("pc", *words, binary)
        for line in done.stdout.splitlines():
            check(f"signals: {line.split(' ', 1)[1]}", line.startswith("ok"))
        check("and it comes to its end", done.returncode == 0, done)
finish()
