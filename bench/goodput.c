/* One measurement of `make bench NAME=goodput`: a TCP connection between two ends through our
 * switch, for so long; prints the octets that arrived a second.
 *
 *   goodput FROM TO SECONDS DELAY_MS LOSS MBIT SEED [PCAPNG]
 *
 * FROM sends, TO receives: `berth` (a host of ours), or a network namespace's path with a TAP
 * device tap0, where the kernel's TCP is. The delay is a round trip's, half of it each way, and
 * each way is a line of so many Mbit/s. LOSS is a part of the frames with octets of the stream:
 * which of them, by their number, only the seed decides, so that the ends that are compared lose
 * the same ones. PCAPNG gets what the switch saw, to look at why. */
#define _GNU_SOURCE
#include "bench/bench.h"
#include "tool/loop/clock.h"
#include "tool/outside/tap.h"
#include <arpa/inet.h>
#include <berth/network.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT = 9, BATCH = 64, FRAME_MAX = 65536 + 14, CHUNK = 65536, ETHERNET = 14 };

struct end {
    const char *space; /* NULL: it is ours */
    uint32_t address;
    int outside, tap;
    struct berth_host *host;
    berth_handle socket, listener;
    bool sends;
};

static struct berth_network *network;
static struct end ends[2]; /* FROM, TO */
static uint64_t loss_below, seed, data_frames;
static atomic_ullong arrived;
static uint8_t chunk[CHUNK];

/* ---- the kernel's ends: a blocking thread each, in its namespace ---- */

static void space_enter(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        bench_fail("%s: %s", path, strerror(errno));
    close(fd);
}

static struct sockaddr_in kernel_address(uint32_t address) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(address)};
}

/* When this process ends the kernel is to forget the connection at once: what it would send yet is
 * not the next measurement's. Accepted sockets inherit it. */
static int kernel_socket(void) {
    struct linger linger = {1, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return fd;
}

/* With someone at the other end of its cable the device goes up, but the kernel looks at cables
 * once a second only, and until then drops what is sent: that would be a second's handshake. */
static void kernel_wait_up(void) {
    struct ifreq query = {.ifr_name = "tap0"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    while (ioctl(fd, SIOCGIFFLAGS, &query) == 0 && !(query.ifr_flags & IFF_RUNNING))
        usleep(1000);
    close(fd);
    usleep(10000); /* its queue follows */
}

static void *kernel_sends(void *context) {
    static uint8_t zeroes[CHUNK];
    const struct end *end = context;
    struct sockaddr_in to = kernel_address(ends[1].address);
    space_enter(end->space);
    int fd = kernel_socket();
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        bench_fail("connect: %s", strerror(errno));
    while (send(fd, zeroes, sizeof zeroes, MSG_NOSIGNAL) > 0)
        ;
    return NULL;
}

static void *kernel_receives(void *context) {
    static uint8_t data[CHUNK];
    int listener = *(int *)context;
    int fd = accept(listener, NULL, NULL);
    ssize_t got;
    while ((got = recv(fd, data, sizeof data, 0)) > 0)
        atomic_fetch_add(&arrived, (unsigned long long)got);
    return NULL;
}

/* It listens when this returns. */
static void kernel_start(struct end *end) {
    static int listener;
    pthread_t thread;
    if (!end->sends) {
        struct sockaddr_in local = kernel_address(end->address);
        space_enter(end->space);
        listener = kernel_socket();
        if (bind(listener, (struct sockaddr *)&local, sizeof local) < 0 || listen(listener, 1) < 0)
            bench_fail("listen: %s", strerror(errno));
    }
    if (pthread_create(&thread, NULL, end->sends ? kernel_sends : kernel_receives,
                       end->sends ? (void *)end : (void *)&listener) != 0)
        bench_fail("pthread_create");
}

/* ---- our ends ---- */

static void host_make(struct end *end) {
    struct berth_host_config config;
    struct berth_interface_config interface = {.link = BERTH_LINK_ETHERNET, .mtu = 1500};
    struct berth_ip address = berth_ip_v4(end->address);
    berth_host_config_init(&config);
    memcpy(config.seed, &seed, sizeof seed);
    memcpy(config.seed + 8, &end->address, sizeof end->address);
    interface.mac[0] = 0x02;
    interface.mac[1] = 0x77;
    interface.mac[5] = (uint8_t)end->address;
    end->host = berth_host_new(&config);
    int number = end->host ? berth_host_add_interface(end->host, &interface) : -ENOMEM;
    if (number != 1 || berth_host_add_address(end->host, number, &address, 24) < 0)
        bench_fail("no host");
}

static void host_start(struct end *end, uint64_t now) {
    struct berth_endpoint at = {berth_ip_v4(ends[1].address), PORT};
    berth_handle *handle = end->sends ? &end->socket : &end->listener;
    int error = berth_socket_open(end->host, 4, BERTH_TCP, handle);
    if (error == 0 && end->sends) {
        error = berth_socket_connect(end->host, *handle, &at, now);
    } else if (error == 0) {
        error = berth_socket_bind(end->host, *handle, &at);
        error = error ? error : berth_socket_listen(end->host, *handle, 1);
    }
    if (error < 0 && error != -EINPROGRESS)
        bench_fail("a socket: %s", strerror(-error));
}

/* Reads or writes as much as there is, or as there is room for. */
static void host_transfer(struct end *end, uint64_t now) {
    struct berth_event events[BATCH];
    ssize_t done;
    while (berth_host_events(end->host, events, BATCH) > 0)
        ;
    if (!end->sends && end->socket == 0)
        berth_socket_accept(end->host, end->listener, &end->socket);
    if (end->socket == 0)
        return;
    do {
        done = end->sends ? berth_socket_send(end->host, end->socket, chunk, CHUNK, 0, now)
                          : berth_socket_receive(end->host, end->socket, chunk, CHUNK, 0, now);
        if (done > 0 && !end->sends)
            atomic_fetch_add(&arrived, (unsigned long long)done);
    } while (done > 0);
}

/* ---- the wire between an end and the switch ---- */

static uint64_t mixed(uint64_t z) {
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* True for a frame with octets of the stream whose number the seed has chosen. */
static bool is_lost(const struct end *end, const struct berth_frame *frame) {
    uint8_t head[ETHERNET + 60];
    size_t length = berth_frame_read(frame, 0, head, sizeof head);
    if (!end->sends || length < ETHERNET + 40 || head[12] != 8 || head[ETHERNET + 9] != IPPROTO_TCP)
        return false;
    unsigned ip = (head[ETHERNET] & 15u) * 4, tcp = (head[ETHERNET + ip + 12] >> 4) * 4u;
    unsigned total = head[ETHERNET + 2] * 256u + head[ETHERNET + 3];
    return total > ip + tcp && mixed(mixed(seed) + data_frames++) < loss_below;
}

static size_t end_output(struct end *end, struct berth_frame *frames, uint64_t now) {
    static uint8_t data[FRAME_MAX];
    size_t count = 0;
    int length;
    if (end->host)
        return berth_host_output(end->host, 1, frames, BATCH, now);
    while (count < BATCH && (length = tap_read(end->tap, data, sizeof data)) > 0)
        if (berth_frame_from_bytes(&frames[count], berth_allocator_default(), data,
                                   (size_t)length) == 0)
            count++;
    return count;
}

/* One batch each way. True if something went. */
static bool end_pump(struct end *end, uint64_t now) {
    struct berth_frame frames[BATCH];
    if (end->host) /* first, for what is due may want to send, and nothing else might wake it */
        berth_host_advance(end->host, now);
    size_t out = end_output(end, frames, now);
    for (size_t i = 0; i < out; i++) {
        if (!is_lost(end, &frames[i]))
            berth_network_outside_input(network, end->outside, &frames[i], 1, now);
        berth_frame_clear(&frames[i]);
    }
    while (berth_network_run(network, now))
        ;
    size_t in = berth_network_outside_output(network, end->outside, frames, BATCH);
    if (end->host && in > 0)
        berth_host_input(end->host, 1, frames, in, now);
    for (size_t i = 0; i < in; i++) {
        if (!end->host)
            tap_write(end->tap, &frames[i]);
        berth_frame_clear(&frames[i]);
    }
    if (end->host)
        host_transfer(end, now);
    return out + in > 0;
}

static void end_make(struct end *end, const char *what, int lan,
                     const struct berth_impairment *impairment) {
    if (strcmp(what, "berth") == 0) {
        host_make(end);
    } else {
        end->space = what;
        space_enter(what);
        if ((end->tap = tap_open("tap0")) < 0)
            bench_fail("tap0: %s", strerror(-end->tap));
        kernel_wait_up();
    }
    end->outside = berth_network_add_outside(network, lan, end->sends ? "from" : "to", 0);
    if (end->outside < 0 ||
        berth_network_outside_impair(network, end->outside, BERTH_EGRESS, impairment) < 0)
        bench_fail("no port");
}

static uint64_t next_deadline(void) {
    uint64_t next = berth_network_deadline(network);
    for (int i = 0; i < 2; i++) {
        uint64_t own = ends[i].host ? berth_host_deadline(ends[i].host) : BERTH_NEVER;
        next = own < next ? own : next;
    }
    return next;
}

static void wait_until(uint64_t when) {
    uint64_t now = clock_now();
    struct timespec timeout = clock_span(when > now ? when - now : 0);
    struct pollfd wanted[2];
    nfds_t count = 0;
    for (int i = 0; i < 2; i++)
        if (!ends[i].host)
            wanted[count++] = (struct pollfd){ends[i].tap, POLLIN, 0};
    ppoll(wanted, count, &timeout, NULL);
}

static void capture_write(void *file, const void *data, size_t length) {
    fwrite(data, 1, length, file);
}

int main(int argc, char **argv) {
    struct berth_network_config config;
    struct berth_ip subnet = berth_ip_v4(0x0a0a0000);
    if (argc != 8 && argc != 9)
        bench_fail("usage: goodput FROM TO SECONDS DELAY_MS LOSS MBIT SEED [PCAPNG]");
    double seconds = strtod(argv[3], NULL);
    struct berth_impairment impairment = {
        .delay = (uint64_t)(strtod(argv[4], NULL) * 0.5 * (double)BERTH_MS),
        .rate = strtoull(argv[6], NULL, 10) * 1000000,
        .limit = 4000,
    };
    loss_below = (uint64_t)(strtod(argv[5], NULL) * 0x1p64);
    seed = strtoull(argv[7], NULL, 10);
    berth_network_config_init(&config);
    network = berth_network_new(&config);
    FILE *capture = argc == 9 ? fopen(argv[8], "wb") : NULL;
    if (argc == 9 &&
        (!capture || !network || berth_network_capture(network, capture_write, capture, 0) < 0))
        bench_fail("%s: %s", argv[8], strerror(errno));
    int lan = network ? berth_network_add_switch(network, "lan", &subnet, 24, 1500) : -ENOMEM;
    for (int i = 1; i >= 0; i--) { /* the listener first */
        ends[i] = (struct end){.address = 0x0a0a0001 + (uint32_t)i, .sends = i == 0, .tap = -1};
        end_make(&ends[i], argv[1 + i], lan, &impairment);
    }
    uint64_t now = clock_now(), end = now + (uint64_t)(seconds * (double)BERTH_SECOND);
    for (int i = 1; i >= 0; i--)
        ends[i].host ? host_start(&ends[i], now) : kernel_start(&ends[i]);
    while ((now = clock_now()) < end) {
        bool more = end_pump(&ends[0], now);
        more |= end_pump(&ends[1], now);
        uint64_t next = next_deadline();
        if (!more)
            wait_until(next < end ? next : end);
    }
    printf("%.0f\n", (double)atomic_load(&arrived) / seconds);
    fflush(NULL);
    _exit(0); /* the kernel's threads are in the middle of a call */
}
