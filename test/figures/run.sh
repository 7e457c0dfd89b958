#!/bin/bash
# `make run`, checked: it passes, two at once do not disturb each other, and whichever of its processes is killed, nothing is left.
set -u
cd "$(dirname "$0")/../.." || exit
exec /usr/bin/python3 -B test/figures/figures_test.py "$1/tool/berth"
