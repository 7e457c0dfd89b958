#!/usr/bin/busybox sh
# shellcheck shell=dash
# The first process of the machine that run.sh boots.
/usr/bin/busybox --install -s /usr/bin
export PATH=/usr/bin:/usr/sbin LANG=C.UTF-8 HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /tmp
ip link set lo up

play() {
    label=$1
    shift
    "$@" /usr/bin/python3 -B /berth/test/kernel61/inside.py /usr/bin/berth "$label"
}
refused() {
    label=$1 scope=$2
    shift 2
    "$@" /usr/bin/python3 -B /berth/test/kernel61/refused.py /usr/bin/berth "$label" "$scope"
}
as_user="/usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups"
yama() {
    echo "$1" >/proc/sys/kernel/yama/ptrace_scope
}

yama 0
echo "-- as an ordinary user"
# shellcheck disable=SC2086
play "user" $as_user
echo "-- as root"
play "root"
yama 1
echo "-- as an ordinary user, where Yama's ptrace_scope is 1"
# shellcheck disable=SC2086
play "user, Yama" $as_user
yama 2
echo "-- where ptrace_scope is 2: refused to an ordinary user"
# shellcheck disable=SC2086
refused "user, ptrace_scope 2" 2 $as_user
echo "-- where ptrace_scope is 2: as root"
play "root, ptrace_scope 2"
yama 3
echo "-- where ptrace_scope is 3: refused to all"
# shellcheck disable=SC2086
refused "user, ptrace_scope 3" 3 $as_user
refused "root, ptrace_scope 3" 3
reboot -f
