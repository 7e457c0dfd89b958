/* How it is measured.
 *
 * The destination is an address that a route sends to the loopback device but that is nobody's: the
 * SYN is sent, comes in again and is dropped, so each connection stays in SYN-SENT, as on our side.
 * Ports are taken by connect() itself with the namespace's range narrowed to the port wanted, so
 * that each has the state that the kernel's own choice gives it, without the time of the choice.
 * Descriptors are limited to 20,000 in a process, so several processes hold the sockets; they take
 * their ports when they are told to, and end when the pipe to them closes. */
#define _GNU_SOURCE
#include "bench/kernel.h"
#include "bench/bench.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HOLDERS = 4, /* processes */
    SAMPLES = 300,
    SOURCE = 0x0a630001,      /* 10.99.0.1 */
    DESTINATION = 0x0a640001, /* 10.100.0.1 */
    PORT_FIRST = 1024,
    PORT_LAST = 65535,
};

static const char RANGE[] = "/proc/sys/net/ipv4/ip_local_port_range";

static bool write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return done;
}

static struct sockaddr_in address_of(uint32_t ip, uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}

/* ---- the namespace ---- */

static bool loopback_up(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"}, alias = {.ifr_name = "lo:1"};
    struct sockaddr_in source = address_of(SOURCE, 0), mask = address_of(UINT32_MAX, 0);
    struct sockaddr_in destination = address_of(DESTINATION, 0);
    struct rtentry route = {.rt_flags = RTF_UP | RTF_HOST, .rt_dev = request.ifr_name};
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    memcpy(&alias.ifr_addr, &source, sizeof source);
    memcpy(&route.rt_dst, &destination, sizeof destination);
    bool done = fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &request) && !ioctl(fd, SIOCSIFADDR, &alias);
    memcpy(&alias.ifr_netmask, &mask, sizeof mask); /* or the whole of 10.0.0.0/8 would be ours */
    done = done && !ioctl(fd, SIOCSIFNETMASK, &alias) && !ioctl(fd, SIOCADDRT, &route);
    if (fd >= 0)
        close(fd);
    return done;
}

bool kernel_enter(const char **why) {
    char map[64];
    unsigned user = geteuid();
    if (unshare(user ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET)) {
        *why = "no network namespace may be made here";
        return false;
    }
    snprintf(map, sizeof map, "0 %u 1", user);
    if (user && !write_text("/proc/self/uid_map", map)) {
        *why = "the user namespace has no root";
        return false;
    }
    if (!loopback_up() || !write_text(RANGE, "1024 65535")) {
        *why = "the namespace cannot be set up";
        return false;
    }
    return true;
}

/* ---- the holders ---- */

struct holder {
    pid_t pid;
    int command, answer; /* pipe ends */
};

static int connect_once(double *took) {
    struct sockaddr_in source = address_of(SOURCE, 0), destination = address_of(DESTINATION, 80);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    /* The address without a port, so that both sides choose in connect() and from the same address.
     */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&source, sizeof source))
        bench_fail("kernel: socket: %s", strerror(errno));
    uint64_t before = bench_now();
    int result = connect(fd, (struct sockaddr *)&destination, sizeof destination);
    if (took)
        *took = (double)(bench_now() - before);
    if (result && errno == EINPROGRESS)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

/* Takes the ports that come down the pipe, until it closes. */
static void holder_run(int command, int answer) {
    uint16_t port;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int range = open(RANGE, O_WRONLY | O_CLOEXEC);
    while (read(command, &port, sizeof port) == sizeof port) {
        char text[32], done = 1;
        int length = snprintf(text, sizeof text, "%u %u", port, port);
        if (pwrite(range, text, (size_t)length, 0) != length || connect_once(NULL) < 0)
            done = 0;
        if (write(answer, &done, 1) != 1)
            break;
    }
    _exit(0);
}

/* Starts the i-th. It must not keep the pipes of those before it open, or they would never see
 * their end. */
static void holder_start(struct holder *holders, int i) {
    struct holder *holder = &holders[i];
    int down[2], up[2];
    if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
        bench_fail("pipe: %s", strerror(errno));
    fflush(stdout);
    holder->pid = fork();
    if (holder->pid < 0)
        bench_fail("fork: %s", strerror(errno));
    if (holder->pid == 0) {
        for (int j = 0; j < i; j++) {
            close(holders[j].command);
            close(holders[j].answer);
        }
        close(down[1]);
        close(up[0]);
        holder_run(down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    holder->command = down[1];
    holder->answer = up[0];
}

static void holder_take(const struct holder *holder, uint16_t port) {
    char done = 0;
    if (write(holder->command, &port, sizeof port) != sizeof port ||
        read(holder->answer, &done, 1) != 1 || !done)
        bench_fail("kernel: port %u could not be taken", port);
}

/* ---- measuring ---- */

static double bind_once(void) {
    struct sockaddr_in any = address_of(0, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint64_t before = bench_now();
    int result = bind(fd, (struct sockaddr *)&any, sizeof any);
    double took = (double)(bench_now() - before);
    if (fd < 0 || (result && errno != EADDRINUSE))
        bench_fail("kernel: bind: %s", strerror(errno));
    close(fd);
    return took;
}

static struct port_times level_measure(void) {
    static double connects[SAMPLES], binds[SAMPLES];
    struct port_times times = {0};
    if (!write_text(RANGE, "1024 65535"))
        bench_fail("kernel: the port range cannot be set");
    for (int i = 0; i < SAMPLES; i++) {
        int fd = connect_once(&connects[i]);
        times.full = fd == -EADDRNOTAVAIL;
        if (fd >= 0)
            close(fd);
        else if (!times.full)
            bench_fail("kernel: connect: %s", strerror(-fd));
        binds[i] = bind_once();
    }
    times.connect = bench_quantile(connects, SAMPLES, 0.5);
    times.connect_p99 = bench_quantile(connects, SAMPLES, 0.99);
    times.bind = bench_quantile(binds, SAMPLES, 0.5);
    times.bind_p99 = bench_quantile(binds, SAMPLES, 0.99);
    return times;
}

void kernel_measure(const uint32_t *levels, size_t count, const uint16_t *order,
                    struct port_times *times) {
    struct holder holders[HOLDERS];
    for (int i = 0; i < HOLDERS; i++)
        holder_start(holders, i);
    uint32_t used = 0;
    for (size_t level = 0; level < count; level++) {
        for (; used < levels[level]; used++)
            holder_take(&holders[used % HOLDERS], order[used]);
        times[level] = level_measure();
    }
    for (int i = 0; i < HOLDERS; i++) {
        close(holders[i].command);
        close(holders[i].answer);
        waitpid(holders[i].pid, NULL, 0);
    }
}
