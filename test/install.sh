#!/bin/bash
# Installs into a folder of its own and builds the example from there, as one who embeds libberth would: install.sh BUILD.
set -u
cd "$(dirname "$0")/.." || exit
build=$1
folder=$(mktemp -d /tmp/berth-install-XXXXXX)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0
check() {
    local what=$1
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok    $what"
    else
        failed=$((failed + 1))
        echo "WRONG $what"
        printf '%s\n' "$said" | tail -n 20 | sed 's/^/      /'
    fi
}

package() {
    PKG_CONFIG_LIBDIR=$(dirname "$description") PKG_CONFIG_SYSROOT_DIR=$folder pkg-config "$@" berth
}

# example COMPILER NAME: it is built with nothing but what pkg-config says, and does what it is for.
example() {
    # shellcheck disable=SC2046
    "$1" -std=c17 -Wall -Wextra -Werror -o "$folder/$2" $(package --cflags) "examples/$2.c" $(package --libs) && "$folder/$2"
}

# Each header stands alone, in C and in C++.
headers() {
    local header language
    for header in include/berth/*.h; do
        for language in c c++; do
            # shellcheck disable=SC2046
            echo "#include <berth/${header##*/}>" |
                clang -x "$language" -Wall -Wextra -Werror -fsyntax-only $(package --cflags) - || return
        done
    done
}

only_its_own_names() {
    [ -s "$library" ] && ! nm -g --defined-only "$library" | awk 'NF == 3 { print $3 }' | grep -v '^berth_'
}

make() {
    command make --no-print-directory BUILD="$build" "$@"
}

check "make install" make install DESTDIR="$folder"
description=$(find "$folder" -name berth.pc)
library=$(find "$folder" -name libberth.a)
version=$(awk -F "'" '$1 ~ /^  version: / { print $2; exit }' meson.build)
check "pkg-config knows version $version" package --exact-version="$version"
for name in two_hosts driver; do
    check "the example $name, by gcc" example gcc $name
    check "the example $name, by clang" example clang $name
done
check "each header alone, in C and C++" headers
check "libberth.a shows no name but berth_*" only_its_own_names
check "the installed berth starts" "$(find "$folder" -name berth -type f -perm -u+x)" --version
echo "$passed passed, $failed failed"
[ $failed = 0 ]
