#!/bin/bash
# Builds with ASan and UBSan: sanitized.sh BUILD gcc|clang TARGET... builds these targets, or what the unit tests need, in BUILD-san-gcc
# or BUILD-fuzz. That one, clang's, carries libFuzzer's instruments as well, so that the fuzzers of test/fuzz need no third build.
# What a compiler says is shown when it fails. Prints the folder.
set -eu
cd "$(dirname "$0")/.."
compiler=$2
case $compiler in
gcc) folder=$1-san-gcc own=-Doptimization=g ;; # a third of the time: gcc's optimiser loses itself in what the sanitizers add
clang) folder=$1-fuzz own=-Dfuzz=true ;;
esac
build=$1
shift 2
log=$build/san-$compiler.log
{
    [ -f "$folder/build.ninja" ] || CC=$compiler meson setup "$folder" -Db_sanitize=address,undefined -Db_lundef=false \
        -Dbuildtype=debugoptimized "$own"
    ninja -C "$folder" "${@:-meson-test-prereq}"
} >"$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
echo "$folder"
