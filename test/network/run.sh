#!/bin/bash
# Runs the tests of networks: topologies, faults, captures, the outside world: run.sh BUILD. Each is test/network/test_NAME.py, with
# test/run/harness.py on its path; all as the user who calls.
exec "$(dirname "$0")/../run/run.sh" "$1" test/network
