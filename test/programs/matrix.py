"""Plays the programs people run and prints what works: matrix.py BERTH [NAME...]; a name, or a word of it
("redis" is "redis cluster", too). REPEAT=N: all of them N times; JOBS=N: so many at
once. lab.py says how a program is added. When the whole list passed, docs/programs.md is written anew from it."""
import concurrent.futures
import glob
import importlib
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import lab

LIMIT = 300  # seconds for a program
ROOT = os.path.dirname(os.path.dirname(HERE))


def programs_load():
    for path in sorted(glob.glob(f"{HERE}/play_*.py")):
        importlib.import_module(os.path.basename(path)[:-3])


def play_apart(berth, name):
    """Plays one program in a process of its own; (what it printed, its result)."""
    begun = time.monotonic()
    read, write = os.pipe()
    child = subprocess.Popen([sys.executable, "-B", __file__, berth, "--one", name, str(write)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", pass_fds=[write])
    os.close(write)
    try:
        said = child.communicate(timeout=LIMIT)[0]
    except subprocess.TimeoutExpired:
        child.terminate()
        try:
            said = child.communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            child.kill()
            said = child.communicate()[0]
    with open(read) as file:
        result = file.read()
    ways = lab.catalogue[name].ways
    if not result:
        said += f"WRONG {name} did not come to its end\n"
        result = json.dumps({"cells": {way: [0, 1] for way in ways}, "unplayed": "", "passed": 0, "failed": 1})
    return f"-- {name} ({time.monotonic() - begun:.1f} s)\n{said}", json.loads(result)


def play_all(berth, names):
    """{name: [result of each turn]}."""
    turns = int(os.environ.get("REPEAT") or 1)
    results = {name: [] for name in names}
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS") or max(2, os.cpu_count()))) as pool:
        for turn in range(turns):
            if turns > 1:
                print(f"== turn {turn + 1} of {turns}", flush=True)
            for name, (said, result) in zip(names, pool.map(lambda name: play_apart(berth, name), names)):
                print(said, end="", flush=True)
                results[name].append(result)
    return results


def cell(entry, turns, way):
    if way not in entry.ways or any(turn["unplayed"] for turn in turns):
        return "-"
    good = sum(turn["cells"][way][0] == turn["cells"][way][1] for turn in turns)
    if len(turns) == 1:
        return "ok" if good else "WRONG"
    return f"{'' if good == len(turns) else 'WRONG '}{good}/{len(turns)}"


def verdict(entry, turns):
    failed = sum(turn["failed"] for turn in turns)
    unplayed = [f"NOT PLAYED: {turn['unplayed']}" for turn in turns if turn["unplayed"]]
    return f"WRONG: {failed} checks" if failed else unplayed[0] if unplayed else entry.differs or "works"


def matrix_print(results):
    heads = ["program", "between v4", "v6", "127.0.0.1", "::1", "works / what differs"]
    rows = [[name, *(cell(lab.catalogue[name], turns, way) for way in lab.WAYS), verdict(lab.catalogue[name], turns)]
            for name, turns in results.items()]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads) - 1)]
    print("\nBetween computers and on one of them, by each program's own proof:\n")
    for row in [heads, *rows]:
        print(" | ".join([*(text.ljust(width) for text, width in zip(row, widths)), row[-1]]))
    print()


def document_write(path):
    rows = "".join(f"| {entry.name} | {' | '.join('yes' if way in entry.ways else '-' for way in lab.WAYS)} | {entry.proof} |"
                   f" {entry.differs or 'works'} |\n" for entry in lab.catalogue.values())
    with open(path) as file:
        rest = file.read().partition("\n## ")  # what is written by hand, below the table
    with open(path, "w") as file:
        file.write(f"""# Programs that were played

Written by `make test SUITE=programs`, which installs these {len(lab.catalogue)} from Debian, plays each on virtual computers (client and server
on different ones over IPv4 and over IPv6, and on one computer over 127.0.0.1 and ::1), and judges it by its own proof.
`NAME=curl` plays one of them, `REPEAT=10` all of them ten times. test/programs/lab.py says how one is added.

| program | between computers v4 | v6 | 127.0.0.1 | ::1 | what shows it | works / what differs |
|---|---|---|---|---|---|---|
{rows}{"".join(rest[1:])}""")


def one(name, pipe):
    result = lab.play(lab.catalogue[name])
    with open(int(pipe), "w") as file:
        json.dump(result, file)


def main():
    programs_load()
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"  # where an ordinary user's shell does not look
    berth, *names = sys.argv[1:]
    if names[:1] == ["--one"]:
        one(*names[1:])
        return 0
    chosen = [entry for entry in lab.catalogue if not names or entry in names or set(names) & set(entry.split())]
    unknown = [name for name in names if not any(name == entry or name in entry.split() for entry in chosen)]
    if unknown:
        print(f"no program {', '.join(unknown)}; there are: {', '.join(lab.catalogue)}", file=sys.stderr)
        return 2
    results = play_all(os.path.abspath(berth), chosen)
    matrix_print(results)
    passed = sum(turn["passed"] for turns in results.values() for turn in turns)
    failed = sum(turn["failed"] for turns in results.values() for turn in turns)
    unplayed = any(turn["unplayed"] for turns in results.values() for turn in turns)
    if not names and not failed and not unplayed:
        document_write(f"{ROOT}/docs/programs.md")
    print(f"{passed} passed, {failed} failed")
    return 0 if not failed else 1


if __name__ == "__main__":
    sys.exit(main())
