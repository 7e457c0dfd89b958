"""A world outside for the tests: a network namespace of their own, in which this machine has addresses and servers, and its
resolver is one of the test's."""
import atexit
import os
import shutil
import subprocess
import sys
import tempfile

CLIENT, MACHINE, CLIENT6 = "198.51.100.7", "198.51.100.1", "2001:db8::7"


def enter():
    """Starts the test anew within the namespace, once."""
    if os.environ.get("BERTH_TEST_WORLD"):
        world()
        return
    os.environ["BERTH_TEST_WORLD"] = "1"
    words = ["unshare", "-nm", "--propagation", "private"] if os.getuid() == 0 else ["unshare", "-Urnm", "--propagation", "private"]
    if os.getuid() != 0 and subprocess.run([*words, "true"], capture_output=True, check=False).returncode != 0:
        print("NOT RUN: this machine gives an ordinary user no network namespace\n0 passed, 0 failed")
        sys.exit(0)
    os.execvp("unshare", [*words, sys.executable, *sys.argv])


def world():
    for words in (["link", "set", "lo", "up"], *(["addr", "add", f"{ip}/32", "dev", "lo"] for ip in (CLIENT, MACHINE)),
                  ["addr", "add", f"{CLIENT6}/128", "dev", "lo", "nodad"]):
        subprocess.run(["ip", *words], check=True)
    with open("/proc/sys/net/ipv4/ping_group_range", "w") as file:
        file.write("0 0")
    # Who is root only here has no right to the folder of who is root in truth.
    folder = tempfile.mkdtemp(prefix="berth-world-")
    os.environ["XDG_RUNTIME_DIR"] = folder
    with open(f"{folder}/resolv.conf", "w") as file:
        file.write("# the test's\nnameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", f"{folder}/resolv.conf", os.path.realpath("/etc/resolv.conf")], check=True)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
