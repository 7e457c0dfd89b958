/* The library's side of `make bench NAME=network`, and the load for the kernel's (network.py):
 *
 *   network up HOSTS             the ms in which so many hosts come up
 *   network switch PORTS         frames a second through a switch, from each port to another
 *   network virtual HOSTS        frames a second of real time over links of 1 ms that lose 1 in 100
 *   network kernel FROM TO IP    the same datagrams between two network namespaces, for comparison
 *
 * Frames are UDP datagrams of 18 octets, the smallest that Ethernet carries, put into a socket and
 * taken out of one. Prints one number. */
#define _GNU_SOURCE
#include "bench/bench.h"
#include <arpa/inet.h>
#include <berth/network.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PORT = 9, OCTETS = 18, BURST = 32, HOSTS_MOST = 2000 };
static const uint64_t measured = 2 * BERTH_SECOND; /* of real time */

static struct world {
    struct berth_network *network;
    struct berth_host *hosts[HOSTS_MOST];
    berth_handle sockets[HOSTS_MOST];
    struct berth_ip addresses[HOSTS_MOST];
    int count;
} world;

static void world_make(int count) {
    struct berth_ip subnet = berth_ip_v4(0x0a000000);
    world.network = berth_network_new(NULL);
    if (!world.network || count > HOSTS_MOST ||
        berth_network_add_switch(world.network, "lan", &subnet, 16, 0) != 0)
        bench_fail("no network of %d hosts", count);
    for (world.count = 0; world.count < count; world.count++) {
        char name[16];
        struct berth_link link;
        snprintf(name, sizeof name, "pc%d", world.count + 1);
        if (berth_network_add_host(world.network, name, 0, NULL, NULL) != world.count)
            bench_fail("no host %s", name);
        world.hosts[world.count] = berth_network_host(world.network, world.count);
        berth_network_links(world.network, world.count, &link, 1);
        world.addresses[world.count] = link.address;
    }
}

static void sockets_open(void) {
    for (int i = 0; i < world.count; i++) {
        struct berth_endpoint any = {berth_ip_v4(0), PORT};
        if (berth_socket_open(world.hosts[i], 4, BERTH_UDP, &world.sockets[i]) ||
            berth_socket_bind(world.hosts[i], world.sockets[i], &any))
            bench_fail("no socket on host %d", i);
    }
}

/* Each of `burst` datagrams to the host half way round. */
static void send_from(int host, int burst, uint64_t now) {
    static const uint8_t octets[OCTETS];
    int other = (host + (world.count + 1) / 2) % world.count;
    struct berth_endpoint to = {world.addresses[other], PORT};
    for (int i = 0; i < burst; i++)
        berth_socket_send_to(world.hosts[host], world.sockets[host], octets, OCTETS, &to, now);
    berth_network_touch(world.network, host);
}

static uint64_t receive_at(int host) {
    uint8_t octets[64];
    uint64_t count = 0;
    while (berth_socket_receive_from(world.hosts[host], world.sockets[host], octets, sizeof octets,
                                     NULL, 0) >= 0)
        count++;
    return count;
}

static void settle(uint64_t now) {
    struct berth_network_event events[64];
    while (berth_network_run(world.network, now))
        continue;
    while (berth_network_events(world.network, events, 64) > 0)
        continue;
}

/* Frames that came, over the real time that it took. */
static double rate(uint64_t (*round)(uint64_t turn)) {
    for (uint64_t turn = 0; turn < (uint64_t)world.count; turn++) /* neighbours are found */
        round(turn);
    uint64_t frames = 0, start = bench_now(), turn = (uint64_t)world.count, end;
    do
        for (int i = 0; i < 64; i++)
            frames += round(turn++);
    while ((end = bench_now()) - start < measured);
    return (double)frames * 1e9 / (double)(end - start);
}

/* Each host in its turn sends a burst; it goes through the switch and is taken out. */
static uint64_t switch_round(uint64_t turn) {
    int from = (int)(turn % (uint64_t)world.count),
        to = (from + (world.count + 1) / 2) % world.count;
    uint64_t now = turn * 1000;
    send_from(from, BURST, now);
    settle(now);
    return receive_at(to);
}

/* All send one frame, then 10 ms of virtual time go by, step by step. */
static uint64_t virtual_round(uint64_t turn) {
    uint64_t now = turn * 10 * BERTH_MS, until = now + 10 * BERTH_MS, count = 0;
    for (int i = 0; i < world.count; i++)
        send_from(i, 1, now);
    for (settle(now); (now = berth_network_deadline(world.network)) < until;)
        settle(now);
    for (int i = 0; i < world.count; i++)
        count += receive_at(i);
    return count;
}

static void impair_all(void) {
    const struct berth_impairment link = {.delay = BERTH_MS, .loss = 0.01};
    for (int i = 0; i < world.count; i++)
        if (berth_network_impair(world.network, i, BERTH_EGRESS, &link))
            bench_fail("link %d cannot be impaired", i);
}

/* ---- the kernel's ---- */

static int socket_in(const char *space, bool bound) {
    int file = open(space, O_RDONLY | O_CLOEXEC);
    if (file < 0 || setns(file, CLONE_NEWNET) < 0)
        bench_fail("%s: %s", space, strerror(errno));
    close(file);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 4 << 20;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct timeval patience = {.tv_usec = 100000};
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (fd < 0 || (bound && bind(fd, (struct sockaddr *)&own, sizeof own) < 0))
        bench_fail("socket: %s", strerror(errno));
    return fd;
}

/* Many at a call, both ways: as cheap as it gets. */
static void messages(struct mmsghdr *to, struct iovec *parts, uint8_t (*octets)[OCTETS]) {
    memset(to, 0, BURST * sizeof *to);
    for (int i = 0; i < BURST; i++) {
        parts[i] = (struct iovec){octets[i], OCTETS};
        to[i].msg_hdr.msg_iov = &parts[i];
        to[i].msg_hdr.msg_iovlen = 1;
    }
}

static _Noreturn void kernel_send(const char *space, const char *ip) {
    struct mmsghdr burst[BURST];
    struct iovec parts[BURST];
    static uint8_t octets[BURST][OCTETS];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    inet_pton(AF_INET, ip, &to.sin_addr);
    int fd = socket_in(space, false);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        bench_fail("connect: %s", strerror(errno));
    messages(burst, parts, octets);
    for (;;)
        sendmmsg(fd, burst, BURST, 0);
}

static double kernel_rate(const char *from, const char *to, const char *ip) {
    struct mmsghdr burst[BURST];
    struct iovec parts[BURST];
    static uint8_t octets[BURST][OCTETS];
    pid_t sender = fork();
    if (sender < 0)
        bench_fail("fork: %s", strerror(errno));
    if (sender == 0)
        kernel_send(from, ip);
    int fd = socket_in(to, true);
    messages(burst, parts, octets);
    uint64_t frames = 0, begin = bench_now(), start = 0, end;
    do {
        int got = recvmmsg(fd, burst, BURST, MSG_WAITFORONE, NULL);
        end = bench_now();
        if (start == 0 && end - begin > BERTH_SECOND / 4)
            start = end;
        else if (start != 0 && got > 0)
            frames += (uint64_t)got;
    } while (start == 0 || end - start < measured);
    kill(sender, SIGKILL);
    waitpid(sender, NULL, 0);
    return (double)frames * 1e9 / (double)(end - start);
}

int main(int argc, char **argv) {
    const char *what = argc > 2 ? argv[1] : "";
    if (strcmp(what, "kernel") == 0 && argc == 5) {
        printf("%.0f\n", kernel_rate(argv[2], argv[3], argv[4]));
        return 0;
    }
    uint64_t start = bench_now();
    world_make(argc == 3 ? atoi(argv[2]) : 0);
    if (strcmp(what, "up") == 0)
        printf("%.3f\n", (double)(bench_now() - start) / 1e6);
    sockets_open();
    if (strcmp(what, "virtual") == 0)
        impair_all();
    if (strcmp(what, "virtual") == 0 || strcmp(what, "switch") == 0)
        printf("%.0f\n", rate(*what == 's' ? switch_round : virtual_round));
    berth_network_free(world.network);
    return 0;
}
