#!/bin/sh
# The optimized build, which the benchmarks measure: release.sh BUILD. It is optimized as a whole (link-time optimization) and by
# what it was seen to do: berth is built counting, carries what bench/train.py asks of it, and is built again by the counts. Built
# anew when a source has changed, for counts fit the source they were taken from. Both are gcc's; another compiler's build does
# without, and so does the training where `berth run` cannot run.
set -eu
cd "$(dirname "$0")/.."
build=$1

changed() {
    find engine network tool include scripts/release.sh scripts/seal.sh meson.build bench/train.py \
        \( -name '*.[ch]' -o -name 'meson.build' -o -name '*.sh' -o -name '*.py' \) -newer "$build/trained" -print -quit
}

if [ ! -f "$build/trained" ] || [ -n "$(changed)" ]; then
    rm -rf "$build"
    begun=$(mktemp)
    trap 'rm -f "$begun"' EXIT
    whole=-Db_lto=true
    "${CC:-cc}" --version | grep -q 'Free Software Foundation' || whole=-Db_lto=false
    meson setup "$build" -Dbuildtype=release -Db_ndebug=true $whole >/dev/null
    if [ $whole = -Db_lto=true ]; then
        meson configure "$build" -Db_pgo=generate
        ninja -C "$build" tool/berth >/dev/null
        if /usr/bin/python3 -B bench/train.py "$build/tool/berth"; then
            meson configure "$build" -Db_pgo=use
        else
            echo "release.sh: the training failed (see berth doctor); built without it" >&2
            meson configure "$build" -Db_pgo=off
        fi
    fi
    touch -r "$begun" "$build/trained"
fi
ninja -C "$build" tool/berth libberth.a >/dev/null
