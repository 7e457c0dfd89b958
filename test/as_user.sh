#!/bin/bash
# As root: builds a copy of this checkout as an ordinary user (nobody) and runs the README's first command and the tests of
# unmodified programs and of networks there.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d /tmp/berth-as-user-XXXXXX)
trap 'rm -rf "$folder"' EXIT
scripts/setup.sh build run test network # as root: an ordinary user could only be told what to type
git ls-files -z | xargs -0 cp --parents -t "$folder"
chown -R nobody "$folder"
chmod 755 "$folder"
echo "== as an ordinary user"
setpriv --reuid=nobody --regid=nogroup --clear-groups env -i HOME="$folder" PATH="$PATH" LANG=C.UTF-8 \
    bash -c 'cd "$0" && make run && make test SUITE=run && make test SUITE=network' "$folder"
