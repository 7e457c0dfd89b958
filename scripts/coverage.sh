#!/bin/bash
# What of engine/ the unit tests execute: coverage.sh BUILD. Lines and branches in all and of each file, and every line that none
# reached. It fails below the targets.
set -eu
cd "$(dirname "$0")/.."
build=$1
lines=95
branches=85
[ -f "$build/build.ninja" ] || meson setup "$build" -Db_coverage=true -Doptimization=0 >/dev/null
ninja -C "$build" >"$build/make.log" || { tail -n 40 "$build/make.log"; exit 1; }
find "$build" -name '*.gcda' -delete
meson test -C "$build" --no-rebuild --suite unit --quiet >"$build/test.log" || { cat "$build/test.log"; exit 1; }
gcovr --root . --filter engine/ --txt "$build/lines.txt" --json-summary "$build/coverage.json" \
    --fail-under-line $lines --fail-under-branch $branches "$build/libberth-all.a.p" >"$build/gcovr.log" 2>&1 || status=$?
/usr/bin/python3 -B - "$build" $lines $branches <<'END'
import json, sys
with open(f"{sys.argv[1]}/coverage.json") as file:
    all = json.load(file)

def share(of, what):
    total = of[f"{what}_total"]
    percent = f"{of[f'{what}_percent']:.1f}" if total else "-"
    return f" {percent:>6} {of[f'{what}_covered']:6}/{total:<6}"

def row(name, of):
    return f"{name:32}" + share(of, "line") + share(of, "branch")

print(f"{'':32}lines %             branches %")
for of in sorted(all["files"], key=lambda of: of["filename"]):
    print(row(of["filename"], of))
print(row("engine/ in all", all))
print(f"targets: {sys.argv[2]} % of lines, {sys.argv[3]} % of branches; the lines not reached: {sys.argv[1]}/lines.txt")
END
exit "${status:-0}"
