"""Each socket call on a virtual computer against the kernel's own, case by case: compare.py BUILD. Both play test/exact's program;
differences.txt names the cases that may differ, and why. Fails on any other difference, when more than 3 % differ, and when a case
that is named there differs no more."""
import fnmatch
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
PROGRAM = f"{BUILD}/test/exact/exact"
NET = f"exact-{os.getpid()}"
MOST = 0.03


def play(*words):
    """{case: result}, in order."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        print(f"{words[0]} ended with {done.returncode}: {done.stderr[-800:]}")
    cases = {}
    for line in done.stdout.splitlines():
        name, colon, result = line.partition(": ")
        if colon:
            assert name not in cases, f"two cases are called {name}"
            cases[name] = result
    return cases, done.returncode


def known():
    """[[pattern, most, found]]: from lines `N pattern :: reason`: at most N cases."""
    rows = []
    with open(f"{HERE}/differences.txt") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                found = re.fullmatch(r"(\d+) (.+?) :: (.+)\n?", line)
                assert found, f"not `N pattern :: reason`: {line}"
                rows.append([found[2], int(found[1]), 0])
    return rows


def own_loopback():
    """A network namespace of its own keeps the machine's settings and services out; an ordinary user has the real loopback."""
    return ["--own-loopback"] if os.geteuid() == 0 else []


kernel, kernel_status = play(PROGRAM, *own_loopback())
ours, our_status = play(f"{BUILD}/tool/berth", "run", "--net", NET, "--", PROGRAM)
subprocess.run([f"{BUILD}/tool/berth", "down", "--net", NET], capture_output=True, check=False)

rows = known()
failures = []
different = 0
for name, said in kernel.items():
    mine = ours.get(name, "(not played)")
    if mine == said:
        continue
    different += 1
    row = next((row for row in rows if fnmatch.fnmatchcase(name, row[0])), None)
    if row:
        row[2] += 1
    if row is None or row[2] > row[1]:
        failures.append(name)
        print(f"WRONG {name}\n      Linux: {said}\n      berth: {mine}")
for pattern, most, found in rows:
    if found == 0:
        failures.append(pattern)
        print(f"WRONG {pattern} is said to differ, and does not")
total = len(kernel)
if kernel_status or our_status or not total:
    failures.append("a program that did not come to its end")
if different > total * MOST:
    failures.append("too many")
    print(f"WRONG more than {MOST:.0%} differ")
print(f"{total - different} same, {different} different of {total}")
print(f"{total - different} passed, {len(failures)} failed")
sys.exit(1 if failures else 0)
