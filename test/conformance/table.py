#!/usr/bin/env python3
"""The conformance table: table.py BUILD

Reads requirements.tsv, finds who cites each id (citations.py), runs those tests and writes docs/conformance.md. A row of
requirements.tsv is: id, level (MUST, SHOULD or MAY; NOT is said in the text), clause, requirement, stand, remark. Its stand:

  shown      a test shows it (the remark says what we do where the requirement leaves a choice)
  different  we do otherwise on purpose; the remark says why, a test may show what we do
  later      not built yet; the remark names what brings it. With its first test the row counts as shown.

A row fails if a test that cites it fails, or if it is `shown` and no test cites it.
"""
import json
import os
import re
import subprocess
import sys

import citations

LEVELS = ("MUST", "SHOULD", "MAY")


class Row:
    def __init__(self, fields, section):
        self.id, self.level, self.clause, self.text, self.stand, self.remark = fields
        self.section = section
        self.tests = []


def read_table(path):
    rows, section = [], ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("#"):
            section = line.lstrip("# ")
        elif line.strip():
            fields = line.split("\t")
            fields += [""] * (6 - len(fields))
            row = Row(fields[:6], section)
            if len(fields) > 6 or row.level not in LEVELS or row.stand not in ("shown", "different", "later") \
                    or not citations.ID.fullmatch(row.id) or (row.stand != "shown" and not row.remark):
                sys.exit(f"{path}:{number}: not a row: {line}")
            rows.append(row)
    twice = {row.id for row in rows if sum(other.id == row.id for other in rows) > 1}
    if twice:
        sys.exit(f"{path}: twice: {', '.join(sorted(twice))}")
    return rows


def programs(root, build):
    """Test file -> the program that meson made of it."""
    targets = json.loads(subprocess.check_output(["meson", "introspect", build, "--targets"]))
    found = {}
    for target in targets:
        if target["type"] != "executable":
            continue
        for group in target["target_sources"]:
            for source in group.get("sources", []):
                if os.path.basename(source).startswith("test_"):
                    found[os.path.relpath(source, root)] = target["filename"][0]
    return found


def run(program):
    """Test function -> True if it passed."""
    done = subprocess.run([program], env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300)
    return {m.group(2): not m.group(1) for m in re.finditer(r"^(not )?ok \d+ - (\w+)\s*$", done.stdout, re.M)}


def judge(rows, shown, results):
    """Sets each row's verdict; returns complaints."""
    complaints = []
    for row in rows:
        row.tests = shown.get(row.id, [])
        bad = [f"{name} ({path})" for path, name in row.tests if not results.get((str(path), name))]
        row.verdict = {"later": "later", "different": "different"}.get(row.stand, "shown")
        if row.stand == "later" and row.tests:
            row.verdict = "shown"
        if bad:
            row.verdict = "failed"
            complaints.append(f"{row.id}: {', '.join(bad)} did not pass")
        elif row.verdict == "shown" and not row.tests:
            row.verdict = "failed"
            complaints.append(f"{row.id}: no test shows it: {row.text}")
    return complaints


def cell(text):
    return text.replace("|", "\\|")


def write_document(path, rows, cited, root):
    out = ["# Conformance", "",
           "Made by `make test SUITE=conformance` from [requirements.tsv](../test/conformance/requirements.tsv), from the comments that cite",
           "the ids, and from the tests' results. Ids of RFC 9293 are those of its appendix B; the others are ours: the RFC's number, a dash",
           "and a running number. What a citation means is said in [citations.py](../test/conformance/citations.py).", ""]
    for level in LEVELS:
        out.append("- " + summary(level, rows))
    section = None
    for row in rows:
        if row.section != section:
            section = row.section
            out += ["", f"## {section}", "", "| id | level | clause | requirement | stand | what we do | statements | shown by |",
                    "|---|---|---|---|---|---|---|---|"]
        places = sorted({str(source.path.relative_to(root / "engine")) for source, _ in cited.get(row.id, [])})
        tests = {}
        for file, name in row.tests:
            tests.setdefault(str(file.relative_to("test/unit")), []).append(name)
        stand = {"later": "not built yet", "failed": "**failed**"}.get(row.verdict, row.verdict)
        remark = row.remark if row.stand != "later" or row.verdict == "later" else ""
        out.append("| " + " | ".join([row.id, row.level, cell(row.clause), cell(row.text), stand, cell(remark), ", ".join(places),
                                      "; ".join(f"{file}: {', '.join(names)}" for file, names in sorted(tests.items()))]) + " |")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(out) + "\n")


def summary(level, rows):
    of = [row for row in rows if row.level == level]
    count = {verdict: sum(row.verdict == verdict for row in of) for verdict in ("shown", "different", "later", "failed")}
    more = [f"{count[verdict]} {words}" for verdict, words in (("later", "not built yet"), ("failed", "failed")) if count[verdict]]
    return (f"{level}: {count['shown']} shown, {count['different']} different on purpose, of {len(of)}"
            + (f" ({', '.join(more)})" if more else ""))


def main():
    root = citations.root()
    build = os.path.abspath(sys.argv[1])
    rows = read_table(root / "test" / "conformance" / "requirements.tsv")
    shown, complaints = citations.tests(root)
    cited = citations.engine(root)
    known = {row.id for row in rows}
    for name in sorted((set(shown) | set(cited)) - known):
        if name.split("-")[0] in ("MUST", "SHLD", "MAY", "REC") or name in shown:
            complaints.append(f"{name}: cited, but not in the table")
    where = programs(root, build)
    results = {}
    for file in sorted({str(path) for name, pairs in shown.items() if name in known for path, _ in pairs}):
        if file not in where:
            complaints.append(f"{file}: no program is built of it")
            continue
        for name, passed in run(where[file]).items():
            results[file, name] = passed
    complaints += judge(rows, shown, results)
    write_document(root / "docs" / "conformance.md", rows, cited, root)
    for complaint in complaints:
        print(complaint)
    for level in LEVELS:
        print(summary(level, rows))
    passed = sum(row.verdict != "failed" for row in rows)
    print(f"{passed} passed, {len(complaints)} failed")
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
