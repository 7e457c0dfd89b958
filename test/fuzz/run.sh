#!/bin/bash
# Fuzzes: run.sh BUILD. Each fuzzer runs for FUZZ_SECONDS (5), from the inputs kept in test/fuzz/corpus and what earlier runs here
# found; an input that breaks something stays in BUILD/fuzz, and the command that plays it again is printed.
set -u
cd "$(dirname "$0")/../.." || exit
seconds=${FUZZ_SECONDS:-5}
folder=$1/fuzz
build=$1-fuzz
mkdir -p "$folder"
[ -f "$build/build.ninja" ] || CC=clang meson setup "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
    -Dbuildtype=debugoptimized >"$folder/setup.log" || { cat "$folder/setup.log"; exit 1; }
fuzzers=$(for file in test/fuzz/fuzz_*.c; do basename "$file" .c; done)
# shellcheck disable=SC2046,SC2086
ninja -C "$build" tool/berth $(printf 'test/fuzz/%s ' $fuzzers) >"$folder/build.log" 2>&1 || { tail -n 40 "$folder/build.log"; exit 1; }
passed=0
failed=0
for fuzzer in $fuzzers; do
    name=${fuzzer#fuzz_}
    mkdir -p "$folder/$name"
    command="$build/test/fuzz/$fuzzer -timeout=20 -rss_limit_mb=3000"
    # shellcheck disable=SC2086
    if timeout -k 5 $((seconds * 2 + 60)) nice $command -max_total_time="$seconds" -max_len=4096 -artifact_prefix="$folder/$name-" \
        "$folder/$name" "test/fuzz/corpus/$name" >"$folder/$name.log" 2>&1; then
        echo "ok    $name: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs/p' "$folder/$name.log")," \
            "$(grep -oE 'cov: [0-9]+' "$folder/$name.log" | tail -n 1 | cut -d' ' -f2) edges"
        passed=$((passed + 1))
    else
        grep -vE '^#[0-9]+\s' "$folder/$name.log" | tail -n 60
        echo "WRONG $name: play it again with"
        echo "      $command $(sed -n 's/.*Test unit written to //p' "$folder/$name.log" | tail -n 1)"
        failed=$((failed + 1))
    fi
done
# The daemon itself, which is no function to be called a million times.
if ASAN_OPTIONS=log_path=$folder/control-asan timeout -k 5 $((seconds * 2 + 60)) \
    /usr/bin/python3 -B test/fuzz/control.py "$build/tool/berth" "$seconds" >"$folder/control.log" 2>&1; then
    sed -n '/requests of any kind/p' "$folder/control.log"
    passed=$((passed + 1))
else
    cat "$folder/control.log" "$folder"/control-asan* 2>/dev/null
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
