#!/bin/bash
# Runs the tests: test.sh BUILD [SUITE [NAME...]]. Suites: unit (the engine at packet level in virtual time, by gcc and by clang, with
# sanitizers), conformance (which test shows which requirement of which RFC), install (what a program that embeds libberth gets),
# run (unmodified programs), exact (each socket call against the kernel's own), figures (`make run`,
# checked), interop (Linux's own TCP at the other end of a TAP), fuzz (hostile input, FUZZ_SECONDS for each fuzzer).
# Only when asked for: network (topologies, faults, captures and the outside world under real programs), programs (what people run,
# all of them or those named, REPEAT times), crowd (24 servers at one port, 2,000 clients),
# counts (system calls a request and a connection, as docs/performance.md has them), kernel61 (Linux 6.1 itself, fetched and emulated).
#
# Most suites wait more than they compute: for programs, timers and slow links. Those run side by side, some more at a time than there
# are processors, and `unit`, which only computes, takes what they leave. They share nothing: each names its networks, namespaces and
# folders after its process. The others run one after the other when these are through. What a suite prints is in BUILD/SUITE.log and
# shown in the order of the list.
set -u
cd "$(dirname "$0")/.." || exit
build=$1
suites=${2:-conformance install run exact figures interop unit fuzz}
names=("${@:3}")
passed=0
failed=0
not_run=
wrong=() # the lines of what failed, said again at the end

say() { printf '%s\n' "$*"; }

# Each ends with "N passed, N failed", or exits 77 when it could not run here.
play() {
    case $1 in
    unit) nice -n 19 test/unit/run.sh "$build" ;;
    conformance) python3 -B test/conformance/table.py "$build" ;;
    install) test/install.sh "$build" ;;
    run) test/run/run.sh "$build" ;;
    exact) /usr/bin/python3 -B test/exact/compare.py "$build" ;;
    figures) test/figures/run.sh "$build" ;;
    interop) test/interop/run.sh "$build" ;;
    fuzz) test/fuzz/run.sh "$build" ;;
    network) test/network/run.sh "$build" ;;
    crowd) /usr/bin/python3 -B test/crowd/crowd.py "$build/tool/berth" ;;
    counts) /usr/bin/python3 -B test/counts/counts.py "$build/tool/berth" ;;
    kernel61) test/kernel61/run.sh "$build" ;;
    programs) test/programs/run.sh "$build" "${names[@]}" ;;
    esac
}

# one SUITE: its log grows, and when it has ended BUILD/SUITE.status holds its exit code.
one() {
    play "$1" >"$build/$1.log" 2>&1 </dev/null
    echo $? >"$build/$1.status.new"
    mv "$build/$1.status.new" "$build/$1.status"
}

# beside SUITE...: side by side, so many at a time, the first ones first.
beside() {
    local suite
    for suite; do
        while [ "$(jobs -pr | wc -l)" -gt $(($(nproc) + 1)) ]; do wait -n; done
        one "$suite" &
    done
    wait
}

# among LIST SUITE...: those of LIST that are asked for, in the order of LIST.
among() {
    local suite
    for suite in $1; do
        [[ " $suites " != *" $suite "* ]] || echo "$suite"
    done
}

# shown SUITE: prints its log as it grows, to its end.
shown() {
    local log=$build/$1.log at=0 size ended=
    until [ "$ended" ]; do
        kill -0 "$players" 2>/dev/null || [ -f "$build/$1.status" ] || echo 1 >"$build/$1.status" # they were killed
        [ ! -f "$build/$1.status" ] || ended=1
        size=$(stat -c %s "$log" 2>/dev/null || echo 0)
        [ "$size" -le "$at" ] || tail -c "+$((at + 1))" "$log" | head -c $((size - at))
        at=$size
        [ "$ended" ] || sleep 0.3
    done
}

# judged SUITE: adds up its closing line.
judged() {
    local log=$build/$1.log status line
    status=$(cat "$build/$1.status")
    [ "$status" != 77 ] || { not_run="$not_run $1"; return; }
    line=$(grep -oE '[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    [ -n "$line" ] || { line="0 passed, 1 failed"; say "$1 printed no result"; }
    passed=$((passed + ${line%% *}))
    line=${line#*, }
    failed=$((failed + ${line%% *}))
    [ "$status" = 0 ] || [ "${line%% *}" != 0 ] || failed=$((failed + 1))
    mapfile -t -O "${#wrong[@]}" wrong < <(grep -E '^(WRONG|FAIL) ' "$log" | sed "s/^/$1: /")
}

known="unit conformance install run exact figures interop fuzz network programs crowd counts kernel61"
for suite in $suites; do
    [[ " $known " = *" $suite "* ]] || { echo "no suite $suite; there are: $known" >&2; exit 2; }
done
make --no-print-directory BUILD="$build" all >"$build.log" 2>&1 || { tail -n 40 "$build.log"; exit 1; }
mv "$build.log" "$build/make.log"
for suite in $suites; do
    rm -f "$build/$suite.log" "$build/$suite.status"
done
waiting=$(among "conformance install interop run figures exact")
computing=$(among "unit")
alone=$(among "fuzz network programs crowd counts kernel61")
set -m # the suites in a process group of their own: an interrupt is passed on to all of it
{
    for suite in $computing; do one "$suite"; done &
    # shellcheck disable=SC2086
    beside $waiting
    wait
    for suite in $alone; do one "$suite"; done
} &
players=$!
set +m
trap 'kill -TERM -- -$players; wait; exit 130' INT TERM
for suite in $suites; do
    say "== $suite"
    shown "$suite"
    judged "$suite"
done
wait
[ ${#wrong[@]} = 0 ] || printf '%s\n' "${wrong[@]}"
say "$passed passed, $failed failed${not_run:+; NOT RUN (needs root or sudo -n):$not_run}"
[ $failed = 0 ]
