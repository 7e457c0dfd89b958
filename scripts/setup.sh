#!/bin/sh
# Installs the Debian packages that the named groups of work need and this machine lacks. Starts no service, and leaves running
# ones alone: while packages are unpacked, policy-rc.d forbids starts (it is put there for that time only).
set -eu

packages() {
    case $1 in
    build) echo gcc libc6-dev make meson ninja-build pkg-config libseccomp-dev libyaml-dev libjansson-dev libpcap-dev libcmocka-dev ;;
    run) echo python3 python3-pyftpdlib inetutils-inetd inetutils-telnetd inetutils-telnet tnftp vsftpd nginx-light curl netcat-openbsd ;;
    test) echo python3-jsonschema python3-yaml clang libclang-rt-14-dev tshark iproute2 iputils-ping iputils-tracepath ethtool iperf3 redis-server redis-tools procps \
        bind9-dnsutils openssl nmap ;;
    check) echo clang-format clang-tidy cppcheck shellcheck ;;
    coverage) echo gcovr ;;
    bench) echo wrk redis-server redis-tools iperf3 iproute2 slirp4netns passt ;;
    network) echo redis-server redis-tools etcd-server etcd-client ;;
    programs) echo curl wget nginx-light openssl haproxy wrk apache2-utils redis-server redis-tools memcached libmemcached-tools \
        postgresql postgresql-contrib mosquitto mosquitto-clients etcd-server etcd-client bind9-dnsutils dnsmasq-base iperf3 \
        iputils-ping tmux strace gdb \
        openssh-server openssh-client rsync git inetutils-inetd inetutils-telnetd inetutils-telnet tnftp lftp vsftpd tftpd-hpa tftp-hpa fakeroot \
        netcat-openbsd socat ncat nmap python3 nodejs golang-go default-jdk-headless busybox-static ;;
    kernel61) echo qemu-system-x86 busybox-static ;;
    *) echo "setup.sh: unknown group $1" >&2; exit 2 ;;
    esac
}

missing=
for group in "$@"; do
    for package in $(packages "$group"); do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root() { "$@"; }
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root() { sudo -n "$@"; }
else
    echo "Berth needs packages that are not installed. Type this, then make again:" >&2
    echo "  sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'as_root rm -f $policy' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' | as_root sh -c "cat >$policy && chmod 755 $policy"
fi
echo "installing:$missing"
log=$(mktemp)
install_them() {
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l \
        apt-get install -y --no-install-recommends $missing >"$log" 2>&1 </dev/null
}
if ! install_them; then
    as_root apt-get update >"$log" 2>&1
    install_them || { tail -n 20 "$log" >&2; rm -f "$log"; exit 1; }
fi
rm -f "$log"
