#!/bin/sh
# Measures: bench.sh BUILD [NAME]. Each benchmark runs ours and the peer in the same run, prints a table and writes
# build/bench/NAME.json.
set -eu
cd "$(dirname "$0")/.."
build=$1
known="ports memory ways programs goodput network"
names=${2:-$known}
for name in $names; do # before a build that takes a minute
    case " $known " in *" $name "*) ;; *) echo "no benchmark $name; there are: $known" >&2; exit 2 ;; esac
done
scripts/release.sh "$build"
ninja -C "$build" bench/ports bench/memory bench/ways bench/goodput bench/pingpong bench/network >/dev/null
mkdir -p build/bench
for name in $names; do
    case $name in
    ports | memory | ways) "$build/bench/$name" build/bench ;;
    goodput) /usr/bin/python3 -B bench/goodput.py "$build/bench/goodput" build/bench ;;
    programs) /usr/bin/python3 -B bench/programs.py "$build/tool/berth" "$build/bench/pingpong" build/bench ;;
    network) /usr/bin/python3 -B bench/network.py "$build/bench/network" "$build/tool/berth" build/bench ;;
    esac
done
