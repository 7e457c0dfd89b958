#!/usr/bin/env bash
# Berth against the kernel of this machine, over a TAP device in a network namespace of its own. Needs root, at once or by
# `sudo -n`. Usage: run.sh BUILD_DIRECTORY. Exit code 77: it could not be run here.
set -u
build=$(realpath "${1:?usage: run.sh BUILD_DIRECTORY}")
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null && exec sudo -n "$(realpath "$0")" "$build"
    echo "interop: not run: it needs root (a network namespace and a TAP device)"
    exit 77
fi
for need in ip ethtool ping curl python3 tshark dumpcap inetutils-telnet nmap; do
    command -v $need >/dev/null || { echo "interop: not run: $need is missing"; exit 77; }
done
tap_peer=$build/test/interop/tap_peer
linux_peer=$build/test/interop/linux_peer
space=berth-interop-$$
berth=10.9.0.1
kernel=10.9.0.254
gib=1073741824
mib=1048576
work=$(mktemp -d)
pids=()
passed=0
total=0

clean_up() {
    [ ${#pids[@]} -gt 0 ] && kill "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    ip netns del "$space" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

inside() { timeout 300 ip netns exec "$space" "$@"; }

ip netns add "$space" 2>"$work/log" || { echo "interop: not run: $(cat "$work/log")"; exit 77; }
inside ip tuntap add dev tap0 mode tap 2>"$work/log" || { echo "interop: not run: $(cat "$work/log")"; exit 77; }
inside ip link set lo up
inside ip address add $kernel/24 dev tap0
inside ip link set tap0 up
# What the kernel would leave to the hardware would be missing in our frames.
inside ethtool -K tap0 tx off rx off sg off tso off gso off gro off >/dev/null 2>&1
inside sysctl -qw net.ipv6.conf.tap0.disable_ipv6=1 2>/dev/null
inside sysctl -qw net.ipv4.tcp_congestion_control=cubic 2>/dev/null

# check NAME COMMAND...: runs it; what it says is shown only when it fails.
check() {
    local name=$1 start=$EPOCHREALTIME result
    shift
    total=$((total + 1))
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        result=ok
    else
        result=FAIL
    fi
    awk -v r=$result -v n="$name" -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {printf "%-4s %s (%.1f s)\n", r, n, b - a}'
    [ $result = ok ] || tail -n 20 "$work/log" | sed 's/^/     /'
}

# A command in the background; its number goes to $started.
start() {
    "$@" >>"$work/background" 2>&1 &
    started=$!
    pids+=("$started")
}

stop() {
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

# until_true COMMAND...: waits for it to succeed, 30 s at most.
until_true() {
    local end=$((SECONDS + 30))
    while [ $SECONDS -lt $end ]; do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    return 1
}

start_berth() {
    start ip netns exec "$space" "$tap_peer" tap0 serve "$@"
    berth_pid=$started
    until_true inside ping -c 1 -W 1 $berth && return
    echo "interop: Berth's host does not answer"
    cat "$work/background"
}

# A pipeline in one string: all of it must succeed.
shell() { (set -o pipefail && eval "$1"); }

echo "== the kernel is the client"
start_berth
check "ping" inside ping -c 20 -i 0.01 -W 1 $berth
check "ping of the largest size, in fragments" inside ping -c 5 -i 0.1 -s 65507 -W 2 $berth
check "ping of the MTU's size, not to be fragmented" inside ping -c 2 -i 0.1 -M "do" -s 1472 -W 1 $berth
check "a port where nobody is refuses" inside "$linux_peer" refused $berth 4711
check "UDP echo, up to 65507 octets" inside "$linux_peer" udp $berth 65507 200
check "curl from Berth's web server, 64 MiB" shell \
    "inside curl -sS -m 120 http://$berth/$((64 * mib)) | cmp - <(\"$linux_peer\" pattern $((64 * mib)))"
check "1 GiB from Berth" inside "$linux_peer" get $berth $gib
check "1 GiB to Berth" inside "$linux_peer" put $berth $gib
check "1,000 connections at once" inside "$linux_peer" many $berth 20000 1000
stop "$berth_pid"

echo "== Berth is the client"
start ip netns exec "$space" "$linux_peer" serve
linux_server=$started
mkdir "$work/www"
head -c $((64 * mib)) /dev/urandom >"$work/www/file"
start ip netns exec "$space" python3 -m http.server -b $kernel -d "$work/www" 8000
listens() { [ -n "$(inside ss -Hltn "sport = :$1")" ]; }
for port in 19 8000; do
    until_true listens $port || echo "interop: nobody listens at port $port"
done
check "64 MiB from python's http.server" shell "inside $tap_peer tap0 http $kernel /file 8000 | cmp - $work/www/file"
check "1 GiB from the kernel" inside "$tap_peer" tap0 get $kernel $gib
check "1 GiB to the kernel" inside "$tap_peer" tap0 put $kernel $gib
check "1,000 connections at once" inside "$tap_peer" tap0 many $kernel 20000 1000

echo "== 2 % loss, reordering and 1 ms, both ways"
# Where frames are lost three requests for a link address are too few.
bad_link=(--loss 0.02 --reorder 0.02 --delay 1 --set net.ipv4.neigh.default.mcast_solicit 20)
inside sysctl -qw net.ipv4.neigh.tap0.mcast_solicit=20 net.ipv4.neigh.tap0.ucast_solicit=20
start_berth "${bad_link[@]}"
check "16 MiB from Berth" inside "$linux_peer" get $berth $((16 * mib))
check "16 MiB to Berth" inside "$linux_peer" put $berth $((16 * mib))
check "1,000 connections at once from the kernel" inside "$linux_peer" many $berth 20000 1000
stop "$berth_pid"
check "16 MiB from the kernel" inside "$tap_peer" tap0 get $kernel $((16 * mib)) "${bad_link[@]}"
check "16 MiB to the kernel" inside "$tap_peer" tap0 put $kernel $((16 * mib)) "${bad_link[@]}"
check "1,000 connections at once from Berth" inside "$tap_peer" tap0 many $kernel 20000 1000 "${bad_link[@]}"

# Octets of any kind are no protocol: a port drawn at random may be that of one, in which they are malformed.
checksums=(-o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE
    -d "tcp.port==0-65535,data" -d "udp.port==0-65535,data")
# The kernel writes a TCP checksum of zero as 0xffff, which sums up just as well, but not for tshark.
wrong_tcp='(tcp.checksum.status == "Bad" && !(ip.src == '$kernel' && tcp.checksum == 0xffff))'
wrong='_ws.malformed || ip.checksum.status == "Bad" || udp.checksum.status == "Bad" || icmp.checksum.status == "Bad" || '$wrong_tcp
count_frames() { tshark -r "$1" "${checksums[@]}" -Y "$2" 2>/dev/null | wc -l; }

# clean FILE: there is traffic of each kind, and nothing wrong in it.
clean() {
    local frames
    for kind in 'tcp.checksum.status == "Good"' 'udp.checksum.status == "Good"' 'icmp.checksum.status == "Good"' arp; do
        frames=$(count_frames "$1" "$kind")
        echo "$frames frames: $kind"
        [ "$frames" -gt 0 ] || return 1
    done
    tshark -r "$1" "${checksums[@]}" -Y "$wrong" >"$work/wrong" 2>"$work/errors" || { cat "$work/errors"; return 1; }
    cat "$work/wrong"
    [ ! -s "$work/wrong" ]
}
one_wrong() {
    local frames
    frames=$(count_frames "$1" "$wrong_tcp")
    echo "$frames frames with a wrong TCP checksum"
    [ "$frames" = 1 ]
}
capture_kernel() {
    start ip netns exec "$space" dumpcap -q -B 64 -i tap0 -w "$1"
    capture_pid=$started
    until_true test -s "$1"
}
# Ends it when all that came before is in the file: a last ping is.
capture_end() {
    inside ping -c 1 -W 10 -s 64 -p 6265727468656e64 $berth >/dev/null 2>&1
    until_true grep -qa berthendberthend "$1" || echo "interop: the last frames are not in the capture"
    stop "$berth_pid"
    stop "$capture_pid"
}

echo "== what tshark thinks"
chmod 755 "$work"
capture_kernel "$work/kernel.pcapng"
start_berth --capture "$work/berth.pcapng"
{
    inside "$linux_peer" udp $berth 20000 20
    inside "$linux_peer" get $berth $((8 * mib))
    inside "$linux_peer" put $berth $((8 * mib))
    inside "$linux_peer" many $berth 3000 50
    inside "$linux_peer" refused $berth 4711
} >>"$work/background" 2>&1
capture_end "$work/kernel.pcapng"
check "nothing wrong in our capture" clean "$work/berth.pcapng"
check "nothing wrong in the kernel's capture" clean "$work/kernel.pcapng"
capture_kernel "$work/damaged.pcapng"
start_berth --corrupt-one
check "a damaged segment is sent again" inside "$linux_peer" get $berth $mib
capture_end "$work/damaged.pcapng"
check "the one damaged frame is found" one_wrong "$work/damaged.pcapng"

# script COMMAND...: adds up its closing line "N passed, N failed".
script() {
    local line failed
    timeout --foreground -k 10 900 "$@" 2>&1 | tee "$work/log"
    line=$(grep -oE '^[0-9]+ passed, [0-9]+ failed' "$work/log" | tail -n 1)
    [ -n "$line" ] || { echo "FAIL it did not come to its end: $*"; line="0 passed, 1 failed"; }
    failed=${line#*, }
    passed=$((passed + ${line%% *}))
    total=$((total + ${line%% *} + ${failed%% *}))
}

here=$(dirname "$(realpath "$0")")
stop "$linux_server" # the matrix has its own
echo "== every pairing of options, bad links, small MTUs, IPv6"
script ip netns exec "$space" /usr/bin/python3 -B "$here/matrix.py" "$build" tap0
echo "== berth tap, and unmodified programs"
for test in test_ends test_tap test_tap6 test_autoconf test_redirect test_info test_nmap; do
    script /usr/bin/python3 -B "$here/$test.py" "$build/tool/berth"
done

echo "$passed passed, $((total - passed)) failed"
[ "$passed" = "$total" ]
