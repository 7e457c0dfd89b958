#!/bin/bash
# What a reviewer would nag about: layers, file sizes, globals and system calls in the engine, links in the documents, format, and
# what shellcheck, cppcheck and clang-tidy find.
set -u
cd "$(dirname "$0")/.." || exit
build=${1:-build}
failed=0
passed=0
step() {
    local what=$1
    shift
    if out=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok    $what"
    else
        failed=$((failed + 1))
        echo "WRONG $what"
        printf '%s\n' "$out" | head -n 40 | sed 's/^/      /'
    fi
}

sources=$(git ls-files '*.c' '*.h')

sizes() {
    # shellcheck disable=SC2046,SC2086
    wc -l $sources $(git ls-files '*.py' '*.sh') | awk '$2 != "total" && $1 > 500 { print $2 ": " $1 " lines, 500 at most"; bad = 1 } END { exit bad }'
}

static_data() {
    # Writable data of the archive's objects: globals. (.data.rel.ro is constant.)
    size -A "$build/libberth-all.a" | awk '/:$|ex / { object = $1 } $1 ~ /^\.(data|bss|tdata|tbss)(\.|$)/ && $1 !~ /rel\.ro/ && $2 > 0 { print object ": " $1 " " $2; bad = 1 } END { exit bad }'
}

outside_calls() {
    # libberth may use no more of libc than this: no I/O, no clock. malloc and free are berth_allocator_default's; the __ ones
    # are what compilers make of the others when they harden.
    allowed='^(mem(cpy|move|set|cmp|chr)|str(len|cmp|ncmp|chr|rchr|cspn)|malloc|free|__mem(cpy|move|set)_chk|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$'
    nm -u "$build/libberth-all.a" | awk '$1 == "U" { print $2 }' | sort -u >"$build/undefined"
    nm --defined-only "$build/libberth-all.a" | awk 'NF == 3 { print $3 }' | sort -u >"$build/defined"
    ! comm -23 "$build/undefined" "$build/defined" | grep -vE "$allowed"
}

format() {
    # shellcheck disable=SC2086
    clang-format --dry-run -Werror $sources
}

tidy() (
    # Its counts of what it did not say go to stderr. It fails on errors only, not on warnings.
    set -o pipefail
    git ls-files 'engine/*.c' 'network/*.c' 'tool/*.c' 'examples/*.c' 'bench/*.c' |
        xargs -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet 2>"$build/tidy.err" | { ! grep -E 'warning:|error:'; }
)

shell() {
    # shellcheck disable=SC2046
    shellcheck --severity=warning .ci/run $(git ls-files '*.sh')
}

cpp() {
    cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr --suppressions-list=scripts/cppcheck.txt \
        -j "$(nproc)" -I . -I include --std=c11 engine network tool examples bench
}

ninja -C "$build" >/dev/null || exit 1
step "floors: includes point down only" python3 -B scripts/layers.py
step "no file over 500 lines" sizes
step "libberth has no globals" static_data
step "libberth calls no system" outside_calls
step "links in the documents lead somewhere" python3 -B scripts/links.py
step "clang-format" format
step "shellcheck" shell
step "cppcheck" cpp
step "clang-tidy" tidy
echo "$passed passed, $failed failed"
[ $failed = 0 ]
