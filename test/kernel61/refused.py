"""Inside the machine that run.sh boots: refused.py BERTH LABEL SCOPE. Where Yama lets nobody look into this user's programs, not even
their ancestors (ptrace_scope 2 for who lacks CAP_SYS_PTRACE, 3 for all): that is said at once, and how to mend it."""
import subprocess
import sys

sys.path.insert(0, "/berth/test/run")
from harness import BERTH, Net, check, finish

LABEL, SCOPE = sys.argv[2:4]

looks = subprocess.run(["/usr/bin/python3", "-c", """
import os, subprocess
child = subprocess.Popen(['sleep', '10'])
try:
    open(f'/proc/{child.pid}/mem', 'rb')
finally:
    child.kill()
"""], capture_output=True, text=True)
check(f"{LABEL}: a process may not look into its own child", "PermissionError" in looks.stderr, looks)

done = subprocess.run([BERTH, "doctor"], capture_output=True, text=True, timeout=60)
print(done.stdout, end="")
missing = [line for line in done.stdout.splitlines() if line.startswith("missing")]
check(f"{LABEL}: doctor misses both ways into programs", done.returncode == 1 and
      all(any(what in line for line in missing) for what in ("pidfd_getfd", "memory of programs")), done)
check(f"{LABEL}: and says what to set", f"ptrace_scope is {SCOPE}" in done.stdout and "kernel.yama.ptrace_scope=1" in done.stdout, done)
check(f"{LABEL}: and whether that needs a boot", ("cannot be left" in done.stdout) == (SCOPE == "3"), done)

with Net("refused") as net:
    done = net.run("pc", "echo", "hello")
    check(f"{LABEL}: berth run ends with 125 and says why: {done.stderr.strip()}", done.returncode == 125 and
          f"ptrace_scope is {SCOPE}" in done.stderr and "berth doctor" in done.stderr, done)
    check(f"{LABEL}: and does not run the program", "hello" not in done.stdout, done)
finish()
