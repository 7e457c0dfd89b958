"""The example with six redis nodes, as a test; and nothing of it stays when it is killed."""
import glob
import os
import subprocess
import sys
import tempfile

from harness import BERTH, check, finish, marked, runtime_folder, until

STORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/redis/redis.py")
done = subprocess.run([sys.executable, "-B", STORY, BERTH], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
print(done.stdout, flush=True)
check("the cluster outlives the cut", done.returncode == 0 and done.stdout.rstrip().endswith(" passed, 0 failed"),
      [line for line in done.stdout.splitlines() if "WRONG" in line or "Error" in line])

for moment in ("the network is up", "make a cluster"):
    with subprocess.Popen([sys.executable, "-B", STORY, BERTH], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as story:
        seen = any(moment in line for line in story.stdout)
        story.kill()
    net = f"redis-{story.pid}"
    gone = until(lambda: not marked(net) and not os.path.exists(f"{runtime_folder()}/{net}.sock") and not glob.glob(f"{tempfile.gettempdir()}/berth-{net}-*"), 60)
    check(f"killed when it has said: {moment}, it leaves nothing", seen and gone, (seen, marked(net), glob.glob(f"{tempfile.gettempdir()}/berth-{net}-*")))

finish()
