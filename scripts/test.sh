#!/bin/bash
# Runs the tests: test.sh BUILD [SUITE [NAME...]]. Suites: unit (the engine at packet level in virtual time, by gcc and by clang, with
# sanitizers), conformance (which test shows which requirement of which RFC), install (what a program that embeds libberth gets),
# run (unmodified programs), exact (each socket call against the kernel's own), figures (`make run`,
# checked), interop (Linux's own TCP at the other end of a TAP), fuzz (hostile input, FUZZ_SECONDS for each fuzzer).
# Only when asked for: network (topologies, faults, captures and the outside world under real programs), programs (what people run,
# all of them or those named, REPEAT times), crowd (24 servers at one port, 2,000 clients),
# counts (system calls a request and a connection, as docs/performance.md has them), kernel61 (Linux 6.1 itself, fetched and emulated).
set -u
cd "$(dirname "$0")/.." || exit
build=$1
suites=${2:-unit conformance install run exact figures interop fuzz}
names=("${@:3}")
passed=0
failed=0
not_run=
wrong=() # the lines of what failed, said again at the end

say() { printf '%s\n' "$*"; }

# count NAME LOG: adds up a log's closing line "N passed, N failed".
count() {
    local line
    line=$(grep -oE '[0-9]+ passed, [0-9]+ failed' "$2" | tail -n 1)
    [ -n "$line" ] || { line="0 passed, 1 failed"; say "$1 printed no result"; }
    passed=$((passed + ${line%% *}))
    line=${line#*, }
    failed=$((failed + ${line%% *}))
}

unit() {
    local compiler directory log
    for compiler in gcc clang; do
        directory=$build-san-$compiler
        [ -f "$directory/build.ninja" ] || CC=$compiler meson setup "$directory" -Db_sanitize=address,undefined \
            -Db_lundef=false -Dbuildtype=debugoptimized >"$build/setup.log" || { cat "$build/setup.log"; failed=$((failed + 1)); continue; }
        log=$build/unit-$compiler.log
        if ! ninja -C "$directory" >"$log" 2>&1; then
            tail -n 40 "$log"
            failed=$((failed + 1))
            continue
        fi
        meson test -C "$directory" --no-rebuild --suite unit --print-errorlogs >"$log" 2>&1
        sed -n '/stdout\|stderr\|FAIL\|ERROR\|ok *[0-9]*$/p' "$log" | grep -vE ' OK ' | tail -n 40
        local ok bad
        ok=$(awk '$1 == "Ok:" { print $2 }' "$log")
        bad=$(awk '$1 == "Fail:" || $1 == "Timeout:" || $1 == "Unexpected" { n += $NF } END { print n + 0 }' "$log")
        [ "${bad:-1}" = 0 ] || tail -n 120 "$log"
        say "unit, $compiler with ASan and UBSan: ${ok:-0} programs passed, ${bad:-1} failed"
        passed=$((passed + ${ok:-0}))
        failed=$((failed + ${bad:-1}))
    done
}

# script NAME COMMAND...: one that ends with "N passed, N failed", or exits 77 when it could not run here.
script() {
    local name=$1 log=$build/$1.log status
    shift
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    if [ "$status" = 77 ]; then
        not_run="$not_run $name"
    else
        count "$name" "$log"
        [ "$status" = 0 ] || grep -q '[1-9][0-9]* failed' "$log" || failed=$((failed + 1))
        mapfile -t -O "${#wrong[@]}" wrong < <(grep -E '^(WRONG|FAIL) ' "$log" | sed "s/^/$name: /")
    fi
}

make --no-print-directory BUILD="$build" all >"$build.log" 2>&1 || { tail -n 40 "$build.log"; exit 1; }
mv "$build.log" "$build/make.log"
for suite in $suites; do
    say "== $suite"
    case $suite in
    unit) unit ;;
    conformance) script conformance python3 -B test/conformance/table.py "$build" ;;
    install) script install test/install.sh "$build" ;;
    run) script run test/run/run.sh "$build" ;;
    exact) script exact /usr/bin/python3 -B test/exact/compare.py "$build" ;;
    figures) script figures test/figures/run.sh "$build" ;;
    interop) script interop test/interop/run.sh "$build" ;;
    fuzz) script fuzz test/fuzz/run.sh "$build" ;;
    network) script network test/network/run.sh "$build" ;;
    crowd) script crowd /usr/bin/python3 -B test/crowd/crowd.py "$build/tool/berth" ;;
    counts) script counts /usr/bin/python3 -B test/counts/counts.py "$build/tool/berth" ;;
    kernel61) script kernel61 test/kernel61/run.sh "$build" ;;
    programs) script programs test/programs/run.sh "$build" "${names[@]}" ;;
    *) echo "no suite $suite; there are: unit conformance install run exact figures interop fuzz network programs crowd counts kernel61" >&2; exit 2 ;;
    esac
done
[ ${#wrong[@]} = 0 ] || printf '%s\n' "${wrong[@]}"
say "$passed passed, $failed failed${not_run:+; NOT RUN (needs root or sudo -n):$not_run}"
[ $failed = 0 ]
