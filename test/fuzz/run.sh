#!/bin/bash
# Fuzzes: run.sh BUILD. Each fuzzer runs for FUZZ_SECONDS (5), as many at a time as there are processors, from the inputs kept in
# test/fuzz/corpus and what earlier runs here found; an input that breaks something stays in BUILD/fuzz, and the command that plays it
# again is printed.
set -u
cd "$(dirname "$0")/../.." || exit
seconds=${FUZZ_SECONDS:-5}
folder=$1/fuzz
mkdir -p "$folder"
fuzzers=$(for file in test/fuzz/fuzz_*.c; do basename "$file" .c; done)
# shellcheck disable=SC2046,SC2086
build=$(scripts/sanitized.sh "$1" clang tool/berth $(printf 'test/fuzz/%s ' $fuzzers)) || exit

# Says what came of it: one line that begins with "ok", or what went wrong and one that begins with "WRONG".
fuzz() {
    local name=${1#fuzz_} log=$folder/${1#fuzz_}.log
    local command="$build/test/fuzz/$1 -timeout=20 -rss_limit_mb=3000"
    local dictionary=
    [ ! -f "test/fuzz/$name.dict" ] || dictionary=-dict=test/fuzz/$name.dict
    mkdir -p "$folder/$name"
    # shellcheck disable=SC2086
    if timeout -k 5 $((seconds * 2 + 60)) nice $command $dictionary -max_total_time="$seconds" -max_len=4096 -artifact_prefix="$folder/$name-" \
        "$folder/$name" "test/fuzz/corpus/$name" >"$log" 2>&1; then
        echo "ok    $name: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs/p' "$log")," \
            "$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 | cut -d' ' -f2) edges"
    else
        grep -vE '^#[0-9]+\s' "$log" | tail -n 60
        local input
        input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        echo "WRONG $name: $(grep -m 1 -E 'not so:|ERROR: |runtime error:' "$log"); play it again with $command $input," \
            "which is (base64 -d | gunzip): $(gzip -9n <"${input:-/dev/null}" | base64 -w 0 | head -c 6000)"
    fi
}

# The daemon itself, which is no function to be called a million times.
control() {
    rm -f "$folder"/control-asan*
    if ASAN_OPTIONS=log_path=$folder/control-asan timeout -k 5 $((seconds * 2 + 60)) \
        /usr/bin/python3 -B test/fuzz/control.py "$build/tool/berth" "$seconds" >"$folder/control.log" 2>&1; then
        sed -n '/requests of any kind/p' "$folder/control.log"
    else
        cat "$folder/control.log" "$folder"/control-asan* 2>/dev/null
        echo "WRONG control"
    fi
}

one() {
    if [ "$1" = control ]; then control; else fuzz "$1"; fi >"$folder/$1.said"
    cat "$folder/$1.said"
}
export -f one fuzz control
export seconds folder build
# shellcheck disable=SC2086
printf '%s\n' $fuzzers control | xargs -P "$(nproc)" -I '{}' bash -c 'one {}'
passed=0
failed=0
for name in $fuzzers control; do
    if tail -n 1 "$folder/$name.said" | grep -q '^ok '; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    rm -f "$folder/$name.said"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
