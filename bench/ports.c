/* connect() and bind(0) at 0 to 100 % of the 64,512 ephemeral ports toward one destination, filled
 * in order and at random: through the public API, one host, a destination that never answers;
 * beside the kernel's in the same run. What is timed is the call alone.
 *
 * Ours fills at random by connect() alone, in order by bind() and connect(). The kernel takes the
 * same numbers of ports, but its ports one after the other by connect() with the range narrowed to
 * the port wanted: its own choice would take minutes, and ports of its bind() it passes over more
 * cheaply. */
#include "bench/bench.h"
#include "bench/kernel.h"
#include <berth/host.h>
#include <berth/socket.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    PORT_FIRST = 1024,
    PORT_LAST = 65535,
    PORTS = PORT_LAST - PORT_FIRST + 1,
    SAMPLES = 5000,
    ROUNDS = 15
};

static const uint32_t LEVELS[] = {
    0, PORTS / 10, PORTS / 2, PORTS / 10 * 9, PORTS / 100 * 99, PORTS - 64, PORTS};
static const char *const LEVEL_NAMES[] = {"0", "10", "50", "90", "99", "99.9", "100"};
enum { LEVEL_COUNT = sizeof LEVELS / sizeof *LEVELS };

/* ---- our side ---- */

struct subject {
    struct berth_host *host;
    int interface;
    uint64_t now;
};

static void subject_open(struct subject *subject) {
    struct berth_host_config config;
    berth_host_config_init(&config);
    memset(config.seed, 42, sizeof config.seed);
    struct berth_interface_config link = {.link = BERTH_LINK_RAW_IP, .mtu = 1500};
    struct berth_ip address = berth_ip_v4(0x0a630001);
    subject->host = berth_host_new(&config);
    subject->now = BERTH_SECOND;
    if (!subject->host)
        bench_fail("no host");
    subject->interface = berth_host_add_interface(subject->host, &link);
    if (subject->interface < 0 ||
        berth_host_add_address(subject->host, subject->interface, &address, 8))
        bench_fail("no interface");
}

/* Throws away the SYNs. */
static void drain(struct subject *subject) {
    static struct berth_frame frames[64];
    size_t count;
    do {
        count = berth_host_output(subject->host, subject->interface, frames, 64, subject->now);
        for (size_t i = 0; i < count; i++)
            berth_frame_clear(&frames[i]);
    } while (count == 64);
}

static berth_handle open_socket(struct subject *subject) {
    berth_handle socket;
    if (berth_socket_open(subject->host, 4, BERTH_TCP, &socket))
        bench_fail("no socket");
    return socket;
}

static int connect_socket(struct subject *subject, berth_handle socket, double *took) {
    struct berth_endpoint remote = {berth_ip_v4(0x0a640001), 80};
    uint64_t before = bench_now();
    int result = berth_socket_connect(subject->host, socket, &remote, subject->now);
    if (took)
        *took = (double)(bench_now() - before);
    drain(subject);
    return result;
}

/* Takes one more port: that one, or for 0 one of the host's choice. */
static void take_port(struct subject *subject, uint16_t port) {
    struct berth_endpoint local = {berth_ip_v4(0), port};
    berth_handle socket = open_socket(subject);
    int result = port ? berth_socket_bind(subject->host, socket, &local) : 0;
    if (result == 0)
        result = connect_socket(subject, socket, NULL);
    if (result != -EINPROGRESS)
        bench_fail("port %u could not be taken: %s", port, strerror(-result));
}

static double bind_once(struct subject *subject) {
    struct berth_endpoint any = {berth_ip_v4(0), 0};
    berth_handle socket = open_socket(subject);
    uint64_t before = bench_now();
    int result = berth_socket_bind(subject->host, socket, &any);
    double took = (double)(bench_now() - before);
    if (result && result != -EADDRINUSE)
        bench_fail("bind: %s", strerror(-result));
    berth_socket_abort(subject->host, socket, subject->now);
    return took;
}

static struct port_times level_measure(struct subject *subject, double clock) {
    static double connects[SAMPLES], binds[SAMPLES];
    struct port_times times = {0};
    for (int i = 0; i < SAMPLES; i++) {
        berth_handle socket = open_socket(subject);
        int result = connect_socket(subject, socket, &connects[i]);
        times.full = result == -EADDRNOTAVAIL;
        if (result != -EINPROGRESS && !times.full)
            bench_fail("connect: %s", strerror(-result));
        berth_socket_abort(subject->host, socket, subject->now);
    }
    for (int i = 0; i < SAMPLES; i++)
        binds[i] = bind_once(subject);
    times.connect = bench_quantile(connects, SAMPLES, 0.5) - clock;
    times.connect_p99 = bench_quantile(connects, SAMPLES, 0.99) - clock;
    times.bind = bench_quantile(binds, SAMPLES, 0.5) - clock;
    times.bind_p99 = bench_quantile(binds, SAMPLES, 0.99) - clock;
    return times;
}

static void round_measure(bool in_order, struct port_times times[LEVEL_COUNT]) {
    struct subject subject;
    double clock = bench_clock_cost();
    uint32_t used = 0;
    subject_open(&subject);
    for (int level = 0; level < LEVEL_COUNT; level++) {
        for (; used < LEVELS[level]; used++)
            take_port(&subject, in_order ? (uint16_t)(PORT_FIRST + used) : 0);
        times[level] = level_measure(&subject, clock);
    }
    berth_host_free(subject.host);
}

/* One time out of port_times, by its offset there. */
static double time_of(const struct port_times *times, size_t member) {
    double value;
    memcpy(&value, (const char *)times + member, sizeof value);
    return value;
}

/* The median of the rounds. */
static double level_median(struct port_times rounds[ROUNDS][LEVEL_COUNT], int level,
                           size_t member) {
    double values[ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        values[round] = time_of(&rounds[round][level], member);
    return bench_quantile(values, ROUNDS, 0.5);
}

static struct port_times level_medians(struct port_times rounds[ROUNDS][LEVEL_COUNT], int level) {
    return (struct port_times){
        .connect = level_median(rounds, level, offsetof(struct port_times, connect)),
        .connect_p99 = level_median(rounds, level, offsetof(struct port_times, connect_p99)),
        .bind = level_median(rounds, level, offsetof(struct port_times, bind)),
        .bind_p99 = level_median(rounds, level, offsetof(struct port_times, bind_p99)),
        .full = rounds[0][level].full};
}

/* How far apart the lowest and the highest level are, among the calls that found a port. For
 * seconds a shared machine is half as fast as for others, and they fall on some levels only: so
 * each is taken from the round in which its median was lowest. */
static double spread(struct port_times rounds[ROUNDS][LEVEL_COUNT], size_t member) {
    double low = INFINITY, high = 0;
    for (int level = 0; level < LEVEL_COUNT; level++) {
        double least = INFINITY;
        if (rounds[0][level].full)
            continue;
        for (int round = 0; round < ROUNDS; round++)
            least = fmin(least, time_of(&rounds[round][level], member));
        low = fmin(low, least);
        high = fmax(high, least);
    }
    return high / low;
}

/* ---- both ---- */

static void order_make(uint16_t *order, bool shuffled) {
    uint64_t random = 88172645463325252u;
    for (uint32_t i = 0; i < PORTS; i++)
        order[i] = (uint16_t)(PORT_FIRST + i);
    for (uint32_t i = PORTS - 1; i > 0 && shuffled; i--) {
        random ^= random << 13; /* xorshift64 (Marsaglia, 2003) */
        random ^= random >> 7;
        random ^= random << 17;
        uint32_t j = (uint32_t)((random >> 32) * (i + 1) >> 32);
        uint16_t port = order[i];
        order[i] = order[j];
        order[j] = port;
    }
}

static void add(struct bench *bench, const char *what, const char *level, const char *order,
                double ours, double peer) {
    struct bench_row row = {.unit = "ns",
                            .ours = ours,
                            .peer = peer,
                            .peer_name = "Linux",
                            .less_is_better = true,
                            .reach = NAN};
    snprintf(row.name, sizeof row.name, "%s, %s %% used, %s", what, level, order);
    bench_add(bench, row);
}

static void add_limit(struct bench *bench, const char *name, const char *unit, double ours,
                      double limit) {
    struct bench_row row = {.unit = unit,
                            .ours = ours,
                            .peer = limit,
                            .peer_name = "limit",
                            .less_is_better = true,
                            .reach = 1};
    snprintf(row.name, sizeof row.name, "%s", name);
    bench_add(bench, row);
}

static void add_summary(struct bench *bench, struct port_times rounds[2][ROUNDS][LEVEL_COUNT]) {
    static const struct {
        const char *call;
        size_t member;
    } calls[] = {{"connect", offsetof(struct port_times, connect)},
                 {"bind(0)", offsetof(struct port_times, bind)}};
    char name[64];
    for (int i = 0; i < 2; i++) {
        double highest = 0;
        for (int level = 0; level < LEVEL_COUNT; level++)
            highest = fmax(highest, fmax(level_median(rounds[0], level, calls[i].member),
                                         level_median(rounds[1], level, calls[i].member)));
        snprintf(name, sizeof name, "%s, highest median", calls[i].call);
        add_limit(bench, name, "ns", highest, 1000);
        snprintf(name, sizeof name, "%s, highest / lowest level", calls[i].call);
        add_limit(bench, name, "times",
                  fmax(spread(rounds[0], calls[i].member), spread(rounds[1], calls[i].member)), 2);
    }
}

int main(int argc, char **argv) {
    static struct bench bench;
    static uint16_t orders[2][PORTS];
    static struct port_times rounds[2][ROUNDS][LEVEL_COUNT], peer[2][LEVEL_COUNT];
    static const char *const order_names[] = {"in order", "at random"};
    const char *why = NULL;
    bench_begin(&bench, "ports", argc, argv);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < 2; i++)
            round_measure(i == 0, rounds[i][round]);
    for (int i = 0; i < 2; i++)
        order_make(orders[i], i == 1);
    bool kernel = kernel_enter(&why);
    for (int i = 0; i < 2 && kernel; i++)
        kernel_measure(LEVELS, LEVEL_COUNT, orders[i], peer[i]);
    for (int i = 0; i < 2; i++) {
        for (int level = 0; level < LEVEL_COUNT; level++) {
            struct port_times medians = level_medians(rounds[i], level), *o = &medians;
            const struct port_times *p = &peer[i][level];
            add(&bench, "connect", LEVEL_NAMES[level], order_names[i], o->connect,
                kernel ? p->connect : NAN);
            add(&bench, "connect p99", LEVEL_NAMES[level], order_names[i], o->connect_p99,
                kernel ? p->connect_p99 : NAN);
            add(&bench, "bind(0)", LEVEL_NAMES[level], order_names[i], o->bind,
                kernel ? p->bind : NAN);
            add(&bench, "bind(0) p99", LEVEL_NAMES[level], order_names[i], o->bind_p99,
                kernel ? p->bind_p99 : NAN);
        }
    }
    add_summary(&bench, rounds);
    if (!kernel)
        printf("The kernel was not measured: %s.\n", why);
    if (!rounds[0][0][LEVEL_COUNT - 1].full || !rounds[1][0][LEVEL_COUNT - 1].full)
        bench_fail("a port was found where none should be left");
    return bench_end(&bench);
}
