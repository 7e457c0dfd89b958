#!/bin/bash
# Plays the programs people run on virtual computers: run.sh BUILD [NAME...]; REPEAT=10 plays them ten times.
set -u
cd "$(dirname "$0")/../.." || exit
build=$1
shift
exec /usr/bin/python3 -B test/programs/matrix.py "$build/tool/berth" "$@"
