#!/bin/bash
# Runs every test of unmodified programs: run.sh BUILD [FOLDER of test_*.py]. Adds up what they say.
set -u
cd "$(dirname "$0")/../.." || exit
berth=$1/tool/berth
passed=0
failed=0
export PYTHONPATH=$PWD/test/run
for test in "${2:-test/run}"/test_*.py; do
    echo "-- $test"
    said=$(mktemp)
    timeout -k 5 900 /usr/bin/python3 -B "$test" "$berth" 2>&1 | tee "$said"
    line=$(grep -oE '^[0-9]+ passed, [0-9]+ failed' "$said" | tail -n 1)
    rm -f "$said"
    [ -n "$line" ] || { echo "WRONG $test did not come to its end"; line="0 passed, 1 failed"; }
    passed=$((passed + ${line%% *}))
    line=${line#*, }
    failed=$((failed + ${line%% *}))
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
