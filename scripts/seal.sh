#!/bin/sh
# seal.sh ARCHIVE SEALED FOLDER LINKER...: makes of an archive one with a single object whose hidden symbols are local. LINKER: what joins
# objects to one, all of them.
set -eu
archive=$1 sealed=$2 folder=$3
shift 3
mkdir -p "$folder"
"$@" -o "$folder/berth.o" "$archive"
objcopy --localize-hidden "$folder/berth.o"
rm -f "$sealed"
ar rcs "$sealed" "$folder/berth.o"
