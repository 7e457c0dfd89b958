#!/bin/bash
# Berth on Linux 6.1 itself: run.sh BUILD. Debian 12's own kernel is fetched and booted by qemu, emulated (no /dev/kvm), with a file
# system in memory that has berth, a few programs and their libraries. inside.py plays them as an ordinary user, as root, as an ordinary
# user where Yama's ptrace_scope is 1, and as root where it is 2; refused.py reads what is said where it forbids all. The machine that
# runs this is not touched: no root, no network device, all files below BUILD/kernel61. Takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "$1")
folder=$build/kernel61
root=$folder/root
mkdir -p "$folder"

# The package that Debian's name for "the current one" stands for; kept, since it is 27 MB.
kernel_fetch() {
    local package
    package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-6\.1\./ { print $2 }')
    [ -n "$package" ] || { echo "apt knows no linux-image-6.1: is this Debian 12?" >&2; return 1; }
    kernel=$folder/$package/boot/vmlinuz-${package#linux-image-}
    [ ! -f "$kernel" ] || return 0
    (cd "$folder" && apt-get download -q "$package" >"$folder/download.log" 2>&1) || { cat "$folder/download.log" >&2; return 1; }
    dpkg-deb -x "$folder/$package"_*.deb "$folder/$package"
    rm "$folder/$package"_*.deb
}

# take FILE...: with the libraries that it loads.
take() {
    local file
    for file in "$@"; do
        cp -L --parents "$file" "$root"
        ldd "$file" 2>/dev/null | grep -oE '/[^ ]+' | xargs -r -I{} cp -L --parents {} "$root" || true
    done
}

root_fill() {
    local python
    python=$(/usr/bin/python3 -c 'import os; print(os.path.dirname(os.__file__))')
    rm -rf "$root"
    mkdir -p "$root"/{usr/bin,usr/sbin,usr/lib/x86_64-linux-gnu,usr/lib64,etc,proc,sys,dev,run,tmp,var/lib/nginx,var/log/nginx,berth/test,berth/examples}
    for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
    take /usr/bin/{python3,curl,busybox,setpriv,nc.openbsd} /usr/sbin/nginx "$python"/lib-dynload/*.so
    tar -C / -c --exclude=test --exclude=idlelib --exclude=lib2to3 --exclude=ensurepip --exclude=pydoc_data --exclude=tkinter \
        --exclude=lib-dynload "${python#/}" | tar -C "$root" -x
    cp /etc/{services,protocols} "$root/etc/"
    printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\nwww-data:x:33:\n' >"$root/etc/group"
    printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
    printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
    # What is tested; the tests' programs without any library, as a compiler is not taken along.
    take "$build/tool/berth"
    mv "$root/$build/tool/berth" "$root/usr/bin/berth"
    cp -r test/run test/kernel61 "$root/berth/test/"
    cp -r examples/web "$root/berth/examples/"
    for name in calls signals; do
        cc -O1 -pthread -static -o "$root/berth/$name" "test/run/programs/$name.c"
    done
    cp test/kernel61/init.sh "$root/init"
    chmod -R go+rX "$root"
    chmod 1777 "$root/tmp"
}

kernel_fetch
root_fill
(cd "$root" && find . | busybox cpio -o -H newc -R 0:0 2>/dev/null | gzip -1) >"$folder/initramfs"
rm -rf "$root"
echo "booting ${kernel##*/}, emulated"
timeout -k 5 900 nice qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 1G -nodefaults -no-user-config \
    -display none -serial stdio -no-reboot -nic none -kernel "$kernel" -initrd "$folder/initramfs" \
    -append 'console=ttyS0 quiet panic=-1 random.trust_cpu=on' </dev/null 2>&1 | tr -d '\r' | tee "$folder/console" |
    grep --line-buffered -E '^(--|ok |WRONG|[0-9]+ passed)|panic|rror' || true

# Each of the seven says how many; one that does not come to its end has failed.
awk -v plays=7 '/^[0-9]+ passed, [0-9]+ failed/ { passed += $1; failed += $3; ends++ }
     END { print passed + 0 " passed, " failed + plays - ends " failed"; exit failed > 0 || ends != plays }' "$folder/console"
