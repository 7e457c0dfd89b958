/* A million established connections, two million ends, in one process: what they take (VmRSS before
 * and after), how long they take to set up, and a 64-octet request and its answer on a connection
 * drawn at random, one at a time and in batches of 64, with a thousand and with a million of them
 * open. All through the public API, told by events which socket can be read, as a program would be.
 *
 * Beside it the kernel's loopback with a thousand connections, one thread at both ends (so that
 * nobody has to be woken). It is not asked for a million: at 20,000 descriptors a process and 4 to
 * 5 KB an end it takes a hundred processes and 10 GB. */
#define _GNU_SOURCE
#include "bench/bench.h"
#include "bench/pair.h"
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FEW = 1000, MANY = 1000000, SERVER_PORTS = 32, BATCH = 64, REQUEST = 64, WAVE = 512 };
enum { SECONDS = 2 };

/* A megabyte of noise that is drawn from beforehand, so that the drawing is not measured. */
static uint32_t draws[1 << 18];

static void draws_make(uint32_t bound) {
    uint64_t random = 88172645463325252u;
    for (size_t i = 0; i < sizeof draws / sizeof *draws; i++) {
        random ^= random << 13; /* xorshift64 (Marsaglia, 2003) */
        random ^= random >> 7;
        random ^= random << 17;
        draws[i] = (uint32_t)((random >> 32) * bound >> 32);
    }
}

static uint32_t draw(size_t i) {
    return draws[i % (sizeof draws / sizeof *draws)];
}

/* Octets of memory that the process has. */
static double resident(void) {
    char line[128];
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %lf", &kilobytes) == 1)
            break;
    if (file)
        fclose(file);
    return kilobytes * 1024;
}

/* ---- connections ---- */

struct crowd {
    struct pair pair;
    berth_handle *clients;
    berth_handle listeners[SERVER_PORTS];
    uint32_t count;
};

static void listeners_open(struct crowd *crowd) {
    for (uint32_t i = 0; i < SERVER_PORTS; i++) {
        struct berth_endpoint local = {berth_ip_v4(0), (uint16_t)(80 + i)};
        struct berth_host *host = crowd->pair.hosts[PAIR_SERVER];
        if (berth_socket_open(host, 4, BERTH_TCP, &crowd->listeners[i]) ||
            berth_socket_bind(host, crowd->listeners[i], &local) ||
            berth_socket_listen(host, crowd->listeners[i], 4096))
            bench_fail("no listener");
    }
}

static void events_drop(struct crowd *crowd) {
    struct berth_event events[BATCH];
    for (int side = 0; side < 2; side++)
        while (berth_host_events(crowd->pair.hosts[side], events, BATCH))
            ;
}

/* Starts one more connection; they go round the server's ports. */
static void client_start(struct crowd *crowd) {
    struct berth_host *host = crowd->pair.hosts[PAIR_CLIENT];
    struct berth_endpoint remote = {berth_ip_v4(0x0a000002),
                                    (uint16_t)(80 + crowd->count % SERVER_PORTS)};
    berth_handle *client = &crowd->clients[crowd->count];
    int result = berth_socket_open(host, 4, BERTH_TCP, client);
    if (result == 0)
        result = berth_socket_connect(host, *client, &remote, crowd->pair.now);
    if (result != -EINPROGRESS)
        bench_fail("connection %u: %s", crowd->count, strerror(-result));
    crowd->count++;
}

static uint32_t accept_all(struct crowd *crowd) {
    struct berth_host *host = crowd->pair.hosts[PAIR_SERVER];
    uint32_t accepted = 0;
    berth_handle server;
    for (uint32_t i = 0; i < SERVER_PORTS; i++) {
        while (berth_socket_accept(host, crowd->listeners[i], &server) == 0)
            accepted++;
    }
    return accepted;
}

static void crowd_open(struct crowd *crowd, uint32_t count) {
    uint32_t accepted = 0;
    while (crowd->count < count) {
        for (uint32_t i = 0; i < WAVE && crowd->count < count; i++)
            client_start(crowd);
        pair_settle(&crowd->pair);
        accepted += accept_all(crowd);
        events_drop(crowd);
        pair_advance(&crowd->pair, BERTH_MS);
    }
    if (accepted != count)
        bench_fail("%u of %u connections were accepted", accepted, count);
    /* What is delayed gets done. */
    for (int i = 0; i < 3; i++) {
        pair_advance(&crowd->pair, BERTH_SECOND);
        pair_settle(&crowd->pair);
    }
    events_drop(crowd);
}

/* ---- requests and answers ---- */

/* Reads what came to that side's sockets; the server answers. Returns how many messages came. */
static uint32_t serve(struct crowd *crowd, int side) {
    struct berth_host *host = crowd->pair.hosts[side];
    struct berth_event events[BATCH];
    uint8_t message[4096];
    uint32_t messages = 0;
    size_t count = berth_host_events(host, events, BATCH);
    for (size_t i = 0; i < count; i++) {
        if (!(events[i].bits & BERTH_READABLE))
            continue;
        ssize_t length = berth_socket_receive(host, events[i].socket, message, sizeof message, 0,
                                              crowd->pair.now);
        if (length <= 0)
            bench_fail("nothing to be read");
        messages += (uint32_t)length / REQUEST;
        if (side == PAIR_SERVER)
            berth_socket_send(host, events[i].socket, message, (size_t)length, 0, crowd->pair.now);
    }
    return messages;
}

/* Sends `batch` requests and waits for their answers. */
static void exchange(struct crowd *crowd, size_t first, uint32_t batch) {
    static const uint8_t request[REQUEST] = {1};
    struct pair *pair = &crowd->pair;
    uint32_t answered = 0;
    for (uint32_t i = 0; i < batch; i++)
        if (berth_socket_send(pair->hosts[PAIR_CLIENT], crowd->clients[draw(first + i)], request,
                              REQUEST, 0, pair->now) != REQUEST)
            bench_fail("a request could not be sent");
    for (int turn = 0; answered < batch && turn < 32; turn++) {
        pair_carry(pair, PAIR_CLIENT);
        serve(crowd, PAIR_SERVER);
        pair_carry(pair, PAIR_SERVER);
        answered += serve(crowd, PAIR_CLIENT);
    }
    if (answered != batch)
        bench_fail("%u of %u requests were answered", answered, batch);
    pair_advance(pair, 1000);
}

/* Exchanges a second. */
static double rate(struct crowd *crowd, uint32_t batch) {
    uint64_t start = bench_now(), end = start + SECONDS * 1000000000u;
    size_t done = 0;
    while (bench_now() < end)
        for (int i = 0; i < 16; i++, done += batch)
            exchange(crowd, done, batch);
    return (double)done * 1e9 / (double)(bench_now() - start);
}

/* ---- the kernel ---- */

struct loopback {
    int clients[FEW], epolls[2];
};

static void watch(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        bench_fail("kernel: epoll: %s", strerror(errno));
}

static void loopback_open(struct loopback *loopback) {
    struct rlimit limit;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    loopback->epolls[0] = epoll_create1(EPOLL_CLOEXEC);
    loopback->epolls[1] = epoll_create1(EPOLL_CLOEXEC);
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 128) ||
        getsockname(listener, (struct sockaddr *)&address, &length))
        bench_fail("kernel: listen: %s", strerror(errno));
    for (int i = 0; i < FEW; i++) {
        loopback->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(loopback->clients[i], (struct sockaddr *)&address, length))
            bench_fail("kernel: connect: %s", strerror(errno));
        watch(loopback->epolls[PAIR_CLIENT], loopback->clients[i]);
        watch(loopback->epolls[PAIR_SERVER], accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    }
    close(listener);
}

static uint32_t loopback_serve(struct loopback *loopback, int side) {
    struct epoll_event events[BATCH];
    uint8_t message[4096];
    uint32_t messages = 0;
    int count = epoll_wait(loopback->epolls[side], events, BATCH, -1);
    for (int i = 0; i < count; i++) {
        ssize_t length = recv(events[i].data.fd, message, sizeof message, 0);
        if (length <= 0)
            bench_fail("kernel: nothing to be read");
        messages += (uint32_t)length / REQUEST;
        if (side == PAIR_SERVER && send(events[i].data.fd, message, (size_t)length, 0) != length)
            bench_fail("kernel: an answer could not be sent");
    }
    return messages;
}

static void loopback_exchange(struct loopback *loopback, size_t first, uint32_t batch) {
    static const uint8_t request[REQUEST] = {1};
    uint32_t asked = 0, answered = 0;
    for (uint32_t i = 0; i < batch; i++)
        if (send(loopback->clients[draw(first + i)], request, REQUEST, 0) != REQUEST)
            bench_fail("kernel: a request could not be sent");
    while (asked < batch)
        asked += loopback_serve(loopback, PAIR_SERVER);
    while (answered < batch)
        answered += loopback_serve(loopback, PAIR_CLIENT);
}

static double loopback_rate(struct loopback *loopback, uint32_t batch) {
    uint64_t start = bench_now(), end = start + SECONDS * 1000000000u;
    size_t done = 0;
    for (; bench_now() < end; done += batch)
        loopback_exchange(loopback, done, batch);
    return (double)done * 1e9 / (double)(bench_now() - start);
}

/* ---- the rows ---- */

static const uint32_t BATCHES[] = {1, BATCH};

static void kernel_rates(double rates[2]) {
    static struct loopback loopback;
    loopback_open(&loopback);
    draws_make(FEW);
    for (int i = 0; i < 2; i++)
        rates[i] = loopback_rate(&loopback, BATCHES[i]);
    for (int i = 0; i < FEW; i++)
        close(loopback.clients[i]);
    close(loopback.epolls[0]);
    close(loopback.epolls[1]);
}

static void add_rates(struct bench *bench, struct crowd *crowd, const char *size,
                      const double peers[2]) {
    draws_make(crowd->count);
    for (int i = 0; i < 2; i++) {
        struct bench_row row = {.unit = "per second",
                                .ours = rate(crowd, BATCHES[i]),
                                .peer = peers ? peers[i] : NAN,
                                .peer_name = peers ? "Linux" : NULL,
                                .reach = NAN};
        snprintf(row.name, sizeof row.name, "64 B exchange, %s open, %u at a time", size,
                 BATCHES[i]);
        bench_add(bench, row);
    }
}

static void crowd_init(struct crowd *crowd) {
    crowd->count = 0;
    pair_open(&crowd->pair);
    listeners_open(crowd);
}

static void few(struct bench *bench, struct crowd *crowd) {
    double peers[2];
    kernel_rates(peers);
    crowd_init(crowd);
    crowd_open(crowd, FEW);
    add_rates(bench, crowd, "1,000", peers);
    pair_close(&crowd->pair);
}

static void many(struct bench *bench, struct crowd *crowd) {
    crowd_init(crowd);
    double before = resident();
    uint64_t start = bench_now();
    crowd_open(crowd, MANY);
    double took = (double)(bench_now() - start) / 1e9, held = resident() - before;
    bench_add(bench, (struct bench_row){.name = "octets an idle established end, VmRSS",
                                        .unit = "octets",
                                        .ours = held / MANY / 2,
                                        .peer = 160,
                                        .peer_name = "limit",
                                        .less_is_better = true,
                                        .reach = 1});
    bench_add(bench, (struct bench_row){.name = "set-up of 1,000,000 connections, both ends",
                                        .unit = "s",
                                        .ours = took,
                                        .peer = NAN,
                                        .less_is_better = true,
                                        .reach = NAN});
    add_rates(bench, crowd, "1,000,000", NULL);
    pair_close(&crowd->pair);
}

int main(int argc, char **argv) {
    static struct bench bench;
    static struct crowd crowd;
    bench_begin(&bench, "memory", argc, argv);
    crowd.clients = calloc(MANY, sizeof *crowd.clients);
    if (!crowd.clients)
        bench_fail("no memory for handles");
    memset(crowd.clients, 0xff, MANY * sizeof *crowd.clients); /* resident before it is counted */
    few(&bench, &crowd);
    many(&bench, &crowd);
    free(crowd.clients);
    puts("The kernel is not asked for a million connections: at 20,000 descriptors a process and 4 "
         "to 5 KB an end\n"
         "they would take a hundred processes and 10 GB.");
    return bench_end(&bench);
}
