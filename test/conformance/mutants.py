#!/usr/bin/env python3
"""Do the tests bite? mutants.py BUILD [sample|ID ...] [--seed N] [--jobs N]

Takes the statements in engine/ that cite a requirement (citations.py), makes each wrong in turn, by negating its condition or by
deleting it, in a copy of the tree under BUILD, and runs the tests that show that requirement, and no others: one of them must turn
red. A comment before a function stands for each statement in it. Mutants that do not compile are not counted. `sample`: 50 of them,
by a seed that is printed. The sanitizers watch, so that what a mutant does wrong out of the test's sight is seen, too.
"""
import argparse
import collections
import os
import pathlib
import random
import re
import subprocess
import sys
import threading
import time

import citations
import table

SAMPLE = 50
LEAST = 0.95  # some mutants change nothing that anybody can see
SAMPLE_LEAST = 0.85  # few enough that a sample of tests as good as that falls below it once in many thousand times
Mutant = collections.namedtuple("Mutant", "path line ids start end text what")


# ---- what can be made wrong ----

def condition(source, start, end, head):
    """The place of the condition of the if or while that is the statement [start, end)."""
    opening = source.code.index("(", start + head.end() - 1)
    return opening + 1, end - 1


def is_last(source, start, end):
    """True if without the return at [start, end) its function, or a case of its switch, would run out."""
    rest = source.code[end:source.function_at(start)[1]]
    return re.match(r"[\s}]*(?:$|case\b|default\b)", rest) is not None


def of_statement(source, start, end):
    """The mutants of one statement: (start, end, text, what)."""
    code = source.code[start:end]
    head = re.match(r"(?:else\s+)?(?:if|while)\s*\(", code)
    if head:
        first, last = condition(source, start, end, head)
        return [(first, last, f"!({source.text[first:last]})", "negated")]
    if re.match(r"(?:else\s+)?(?:for|switch|do|case|default|goto|break|continue)\b", code) or "{" in code:
        return []
    returned = re.match(r"(?:else\s+)?return\b\s*", code)
    if returned:
        value = code[returned.end():-1]
        if re.search(r"&&|\|\||[<>!=]=|[^-]>[^>=]|[^<]<[^<=]|^!", value) and "?" not in value:
            first = start + returned.end()
            return [(first, end - 1, f"!({source.text[first:end - 1]})", "negated")]
        if value in ("true", "false"):
            return [(start + returned.end(), end - 1, "false" if value == "true" else "true", "negated")]
        return [] if value and is_last(source, start, end) else [(start, end, ";", "deleted")]
    if code.startswith("(void)"):
        return []
    if re.search(r"counters(?:->|\.)\w+(?:\+\+| \+= )|\btally(?:_\w+\(|\.\w+ \+= )", code):
        return []  # no requirement asks to count
    truth = re.match(r"(?:const )?bool (\w+) = ", code)
    if truth and "," not in code[truth.end():].split("(")[0]:
        first = start + truth.end()
        return [(first, end - 1, f"!({source.text[first:end - 1]})", "negated")]
    if re.match(r"(?:static |const |struct |enum |unsigned |bool |char |int |size_t |ssize_t |uint\d+_t |int\d+_t |double )", code):
        return []
    if re.match(r"else\b", code):
        return [(start + 4, end, " ;", "deleted")]
    return [(start, end, ";", "deleted")]


def statements(source, function):
    """All statements of a function, as (start, end)."""
    place = source.code.index("{", source.closing(source.code.index("(", function[0])) - 1) + 1
    while place < function[1] - 1:
        if source.code[place].isspace() or source.code[place] in "{};":
            place += 1
            continue
        bare = re.match(r"(?:else|do)\b\s*(?!if)|(?:case\b[^:?]*|default\s*):", source.code[place:])
        if bare and bare.group().strip():
            place += bare.end()
            continue
        end = source.statement_end(place)
        yield place, end
        place = end


def of_comment(source, comment):
    begin = source.text.rfind("\n", 0, comment.start()) + 1
    code = source.code[begin:comment.start()].strip()
    if code.startswith(".") and code.endswith(","):  # one member of an initializer
        at = source.text.index(".", begin)
        return [(at, comment.start(), "", "deleted")]
    if code.endswith((":", ",")) and code:
        return []
    found = source.statement(comment)
    if found:
        mutants = of_statement(source, *found)
        inner = source.code[found[1]:comment.start()]
        if inner.strip().endswith(";") and inner.strip()[0] != "{":  # if (...) statement; and then the comment
            start = found[1] + len(inner) - len(inner.lstrip())
            mutants += of_statement(source, start, source.statement_end(start))
        return mutants
    function = source.function_after(comment.end()) if not source.function_at(comment.start()) else None
    if not function or code:
        return []
    return [mutant for statement in statements(source, function) for mutant in of_statement(source, *statement)]


def all_mutants(root, wanted):
    """Each place and change once, with all ids that it is cited for and that a test shows."""
    shown, _ = citations.tests(root)
    found = {}
    for name, places in citations.engine(root).items():
        if name not in shown or (wanted and name not in wanted):
            continue
        for source, comment in places:
            for start, end, text, what in of_comment(source, comment):
                found.setdefault((source.path.relative_to(root), start, end, text, what), (source, set()))[1].add(name)
    return [Mutant(key[0], source.line(key[1]), sorted(ids), *key[1:])
            for key, (source, ids) in sorted(found.items(), key=lambda item: tuple(map(str, item[0])))], shown


# ---- trying them ----

class Tree:
    """A copy of the sources with its own build, in which one mutant at a time is tried."""

    def __init__(self, root, place, only):
        self.root, self.tree, self.build, self.only = root, place / "tree", place / "build", only
        self.seconds = {}
        self.sync()
        if not (self.build / "build.ninja").exists():
            self.call("meson", "setup", str(self.build), str(self.tree), "-Dwerror=false", "-Dwarning_level=0", "-Doptimization=1",
                      "-Ddebug=false", "-Db_sanitize=address,undefined", "-Db_lundef=false")
        self.call("ninja", "-C", str(self.build), "build.ninja")  # there may be new tests
        self.programs = table.programs(self.tree, str(self.build))

    def sync(self):
        """Brings the copy up to the sources, and keeps the times of what is the same."""
        keep = set()
        for top in self.root.iterdir():
            if top.name.startswith((".", "build")):
                continue
            paths = [top] if top.is_file() else top.rglob("*")
            for path in paths:
                if not path.is_file() or "__pycache__" in path.parts:
                    continue
                copy = self.tree / path.relative_to(self.root)
                keep.add(copy)
                data = path.read_bytes()
                if not copy.exists() or copy.read_bytes() != data:
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(data)
                    copy.chmod(path.stat().st_mode)
        for copy in self.tree.rglob("*"):
            if copy.is_file() and copy not in keep and "__pycache__" not in copy.parts:
                copy.unlink()

    def call(self, *command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)}:\n{done.stdout[-3000:]}")

    def made(self, files):
        targets = sorted(os.path.relpath(self.programs[str(file)], self.build) for file in files)
        done = subprocess.run(["ninja", "-C", str(self.build), "-j1", *targets], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode == 0, done.stdout

    def passes(self, file, name):
        limit = self.seconds.get((file, name), 30) * 10 + 2
        environment = {**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP", "CMOCKA_ONLY": name, "LD_PRELOAD": str(self.only),
                       "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
        begin = time.monotonic()
        try:
            done = subprocess.run([self.programs[str(file)]], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit)
        except subprocess.TimeoutExpired:
            return False
        self.seconds.setdefault((file, name), time.monotonic() - begin)
        return done.returncode == 0 and re.search(rb"^ok \d+ - " + name.encode() + rb"\s*$", done.stdout, re.M) is not None

    def baseline(self, tests):
        good, out = self.made({file for file, _ in tests})
        if not good:
            sys.exit(out[-3000:])
        bad = [f"{file}: {name}" for file, name in tests if not self.passes(file, name)]
        if bad:
            sys.exit("without any mutant these fail: " + ", ".join(bad))

    def survives(self, mutant, tests):
        """True if it lives, False if it is killed, None if it does not compile."""
        path = self.tree / mutant.path
        whole = path.read_text()
        path.write_text(whole[:mutant.start] + mutant.text + whole[mutant.end:])
        try:
            if not self.made({file for file, _ in tests})[0]:
                return None
            return all(self.passes(file, name) for file, name in sorted(tests, key=lambda test: self.seconds.get(test, 0)))
        finally:
            path.write_text(whole)


def work(tree, queue, lock, results, shown):
    while True:
        with lock:
            if not queue:
                return
            mutant = queue.pop()
        tests = {test for name in mutant.ids for test in shown[name]}
        lives = tree.survives(mutant, tests)
        with lock:
            results.append((mutant, lives))
            if lives:
                print(f"SURVIVED {mutant.path}:{mutant.line} ({', '.join(mutant.ids)}) {mutant.what}: "
                      + tree_text(tree, mutant) + f"\n         by {', '.join(sorted(name for _, name in tests))}", flush=True)


def tree_text(tree, mutant):
    return " ".join((tree.root / mutant.path).read_text()[mutant.start:mutant.end].split())[:100]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6)))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true")
    options = parser.parse_intermixed_args()
    root = citations.root()
    sample = "sample" in options.names
    mutants, shown = all_mutants(root, set(options.names) - {"sample"})
    if sample:
        print(f"seed {options.seed}")
        mutants = random.Random(options.seed).sample(mutants, min(SAMPLE, len(mutants)))
    if options.list:
        for mutant in mutants:
            print(f"{mutant.path}:{mutant.line} {','.join(mutant.ids)} {mutant.what}")
        return
    place = options.build.resolve() / "mutants"
    place.mkdir(parents=True, exist_ok=True)
    only = place / "only.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(only), str(root / "test" / "conformance" / "only.c"), "-lcmocka"], check=True)
    tests = {test for mutant in mutants for name in mutant.ids for test in shown[name]}
    trees = [Tree(root, place / str(number), only) for number in range(max(1, min(options.jobs, len(mutants))))]
    for tree in trees:
        tree.baseline(tests)
    queue, lock, results = mutants[::-1], threading.Lock(), []
    threads = [threading.Thread(target=work, args=(tree, queue, lock, results, shown)) for tree in trees]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tried = [lives for _, lives in results if lives is not None]
    killed = tried.count(False)
    print(f"{len(results) - len(tried)} did not compile")
    print(f"{killed} / {len(tried)} killed")
    bad = killed < (SAMPLE_LEAST if sample else LEAST) * len(tried)
    print(f"{0 if bad else 1} passed, {1 if bad else 0} failed")
    sys.exit(bad)


if __name__ == "__main__":
    main()
