#!/bin/sh
# seal.sh ARCHIVE SEALED FOLDER: makes of an archive one with a single object whose hidden symbols are local.
set -eu
mkdir -p "$3"
ld -r --whole-archive -o "$3/berth.o" "$1"
objcopy --localize-hidden "$3/berth.o"
rm -f "$2"
ar rcs "$2" "$3/berth.o"
