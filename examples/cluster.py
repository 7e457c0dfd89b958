"""What the examples with a cluster share: a network that goes when the example does, however it ends, and checks counted."""
import os
import subprocess
import sys
import tempfile
import time

BERTH, NET = os.path.abspath(sys.argv[1]), f"{os.path.basename(sys.argv[0]).removesuffix('.py')}-{os.getpid()}"
results = []


def berth(*words, **more):
    return subprocess.run([BERTH, words[0], "--net", NET, *words[1:]], capture_output=True, text=True, timeout=120, check=False, **more)


def until(condition, seconds=120):
    """Waits for the condition; its last value."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def check(what, holds, detail=""):
    results.append(bool(holds))
    print(f"  {'yes  ' if holds else 'WRONG'} {what}{'' if holds or not detail else '  ' + str(detail)[-1000:].replace(chr(10), ' | ')}", flush=True)
    return holds


# Brings the network up, says how that went, waits for the end of its input, and takes all away again.
KEEPER = """
"$0" up -d --net "$1" -f "$2" 2>&1 >/dev/null
up=$?
(echo "up $up")
read -r _
"$0" down --net "$1" >/dev/null 2>&1
rm -rf "$DATA"
"""


def play(file, story):
    """Brings the network of that file up, plays the story, and ends with the checks' sum. DATA is a folder for the programs' files.
    The keeper is a process of its own, so that nothing stays when we are killed."""
    data = tempfile.mkdtemp(prefix=f"berth-{NET}-")
    keeper = subprocess.Popen(["/bin/sh", "-c", KEEPER, BERTH, NET, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "DATA": data}, start_new_session=True)
    try:
        said = keeper.stdout.readline()
        while said and not said.startswith("up "):
            print(said, end="")
            said = keeper.stdout.readline()
        if check("the network is up", said == "up 0\n", said):
            story()
    finally:
        keeper.communicate()
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed", flush=True)
    sys.exit(0 if all(results) else 1)
