#!/bin/bash
# Runs an example: example.sh BUILD [NAME].
set -eu
cd "$(dirname "$0")/.."
build=$1
name=${2:-figures}
case $name in
figures)
    scripts/setup.sh run
    exec /usr/bin/python3 -B examples/figures/figures.py "$build/tool/berth"
    ;;
day) exec "$build/examples/day" ;;
etcd | redis)
    scripts/setup.sh run network
    exec /usr/bin/python3 -B "examples/$name/$name.py" "$build/tool/berth"
    ;;
*)
    echo "no example $name; there are: figures day etcd redis" >&2
    exit 2
    ;;
esac
