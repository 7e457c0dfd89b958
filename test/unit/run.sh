#!/bin/bash
# Runs the unit tests, built by gcc and by clang, both with ASan and UBSan: run.sh BUILD.
set -u
cd "$(dirname "$0")/../.." || exit
build=$1
passed=0
failed=0
for compiler in gcc clang; do
    folder=$(scripts/sanitized.sh "$build" $compiler) || { echo "WRONG $compiler does not build it"; failed=$((failed + 1)); continue; }
    log=$build/unit-$compiler.log
    # The machine has other things to do meanwhile: a test that hangs is found later, but none is thought to hang that waits its turn.
    meson test -C "$folder" --no-rebuild --suite unit --print-errorlogs --timeout-multiplier 10 >"$log" 2>&1
    sed -n '/stdout\|stderr\|FAIL\|ERROR\|ok *[0-9]*$/p' "$log" | grep -vE ' OK ' | tail -n 40
    ok=$(awk '$1 == "Ok:" { print $2 }' "$log")
    bad=$(awk '$1 == "Fail:" || $1 == "Timeout:" || $1 == "Unexpected" { n += $NF } END { print n + 0 }' "$log")
    [ "${ok:-0}" != 0 ] || bad=1
    [ "$bad" = 0 ] || tail -n 120 "$log"
    echo "unit, $compiler with ASan and UBSan: ${ok:-0} programs passed, $bad failed"
    passed=$((passed + ${ok:-0}))
    failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
