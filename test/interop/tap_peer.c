/* The Berth end of the interoperation test: one host, 10.9.0.1/24 and fd00:9::1/64, on a switch
 * whose outside port is a TAP device.
 *
 *   tap_peer TAP serve                     echo, sink, source, HTTP and UDP echo, until SIGTERM;
 *                                        says "ready" first
 *   tap_peer TAP get|put ADDRESS OCTETS    from the source or to the sink at that address
 *   tap_peer TAP many ADDRESS OCTETS N     N connections at once to the echo service
 *   tap_peer TAP http ADDRESS PATH PORT    writes what a web server gives to standard output
 *
 * TAP: a device, or FD:N, an inherited descriptor. Options after these: --loss P, --reorder P,
 * --duplicate P, --delay MS (both ways, between the switch and the TAP device), --mtu OCTETS (of
 * the switch), --set SYSCTL VALUE (of the host), --gateway ADDRESS (of a default route; one for
 * each family),
 * --black-hole OCTETS (larger datagrams vanish, both ways), --capture FILE, --corrupt-one (a bit of
 * one large frame to the kernel is turned over). */
#define _GNU_SOURCE
#include "test/interop/pattern.h"
#include "test/interop/peer.h"
#include "tool/loop/clock.h"
#include "tool/outside/tap.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { BATCH = 64, FRAME_MAX = 65536 + 14 };

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    (void)number;
    stop = 1;
}

_Noreturn void fatal(const char *what, int error) {
    fprintf(stderr, "tap_peer: %s: %s\n", what, strerror(error));
    exit(1);
}

static void routes_add(struct berth_host *host, const struct peer_options *options) {
    const struct berth_ip any4 = berth_ip_v4(0), any6 = {{0}};
    for (unsigned i = 0; i < options->gateway_count; i++) {
        const struct berth_ip *gateway = &options->gateways[i];
        int error =
            berth_host_add_route(host, 1, berth_ip_is_v4(gateway) ? &any4 : &any6, 0, gateway);
        if (error)
            fatal("gateway", -error);
    }
}

static void capture_write(void *context, const void *data, size_t length) {
    if (fwrite(data, 1, length, context) != length)
        fatal("capture", errno);
}

/* A device by its name, or FD:N, a descriptor that was inherited: its holder keeps the carrier up.
 */
static int tap_of(const char *name) {
    return strncmp(name, "FD:", 3) == 0 ? atoi(name + 3) : tap_open(name);
}

static void peer_open(struct peer *peer, const struct peer_options *options) {
    struct berth_network_config config;
    struct berth_ip subnet = berth_ip_v4(0x0a090000), address = berth_ip_v4(0x0a090001), subnet6;
    *peer = (struct peer){.options = options, .now = clock_now()};
    if ((peer->tap = tap_of(options->tap)) < 0)
        fatal(options->tap, -peer->tap);
    berth_network_config_init(&config);
    if (getrandom(config.seed, sizeof config.seed, 0) != sizeof config.seed)
        fatal("getrandom", errno);
    peer->network = berth_network_new(&config);
    int lan = peer->network
                  ? berth_network_add_switch(peer->network, "lan", &subnet, 24, options->mtu)
                  : -ENOMEM;
    berth_ip_parse("fd00:9::", &subnet6);
    if (lan < 0 || (options->mtu >= 1280 && berth_network_set_ipv6(peer->network, lan, &subnet6)))
        fatal("network", EINVAL);
    peer->host_number =
        berth_network_add_host(peer->network, "berth", lan, &address, &options->host);
    peer->outside = berth_network_add_outside(peer->network, lan, "tap", 0);
    if (peer->host_number < 0 || peer->outside < 0)
        fatal("host and outside", EINVAL);
    peer->host = berth_network_host(peer->network, peer->host_number);
    routes_add(peer->host, options);
    berth_network_outside_impair(peer->network, peer->outside, BERTH_BOTH, &options->impairment);
    if (!options->capture)
        return;
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t since_1970 = (uint64_t)wall.tv_sec * BERTH_SECOND + (uint64_t)wall.tv_nsec;
    peer->capture = fopen(options->capture, "w");
    if (!peer->capture || berth_network_capture(peer->network, capture_write, peer->capture,
                                                since_1970 - peer->now) < 0)
        fatal(options->capture, errno);
}

static bool swallows(const struct peer *peer, size_t length) {
    return peer->options->black_hole != 0 && length > peer->options->black_hole + 14;
}

/* TAP -> network. Returns true if a whole batch came: there may be more. */
static bool pump_in(struct peer *peer) {
    static uint8_t data[FRAME_MAX];
    static struct berth_frame frames[BATCH];
    size_t count = 0;
    int length;
    while (count < BATCH && (length = tap_read(peer->tap, data, sizeof data)) > 0)
        if (!swallows(peer, (size_t)length) &&
            berth_frame_from_bytes(&frames[count], berth_allocator_default(), data,
                                   (size_t)length) == 0)
            count++;
    if (count > 0)
        berth_network_outside_input(peer->network, peer->outside, frames, count, peer->now);
    for (size_t i = 0; i < count; i++)
        berth_frame_clear(&frames[i]);
    return count == BATCH;
}

/* Turns a bit of the payload over, in a frame of its own. */
static void write_corrupted(struct peer *peer, const struct berth_frame *frame) {
    static uint8_t data[FRAME_MAX];
    struct berth_frame damaged;
    size_t length = berth_frame_read(frame, 0, data, sizeof data);
    data[length - 100] ^= 0x10;
    if (berth_frame_from_bytes(&damaged, berth_allocator_default(), data, length) < 0)
        fatal("corrupt", ENOMEM);
    tap_write(peer->tap, &damaged);
    berth_frame_clear(&damaged);
    peer->corrupted = true;
}

/* Network -> TAP. */
static void pump_out(struct peer *peer) {
    static struct berth_frame frames[BATCH];
    size_t count;
    do {
        count = berth_network_outside_output(peer->network, peer->outside, frames, BATCH);
        for (size_t i = 0; i < count; i++) {
            if (peer->options->corrupt_one && !peer->corrupted &&
                berth_frame_length(&frames[i]) > 1000)
                write_corrupted(peer, &frames[i]);
            else if (!swallows(peer, berth_frame_length(&frames[i])))
                tap_write(peer->tap, &frames[i]);
            berth_frame_clear(&frames[i]);
        }
    } while (count == BATCH);
}

/* Returns true if something happened. */
static bool pump_events(struct peer *peer) {
    struct berth_network_event events[BATCH];
    size_t count = berth_network_events(peer->network, events, BATCH);
    for (size_t i = 0; i < count; i++)
        services_event(peer, &events[i].event);
    if (count > 0)
        berth_network_touch(peer->network, peer->host_number);
    return count > 0;
}

static void wait_for_more(struct peer *peer, uint64_t end) {
    uint64_t deadline = berth_network_deadline(peer->network);
    deadline = deadline < end ? deadline : end;
    struct timespec timeout = clock_span(deadline > peer->now ? deadline - peer->now : 0);
    struct pollfd wanted = {peer->tap, POLLIN, 0};
    ppoll(&wanted, 1, &timeout, NULL);
}

static bool peer_over(const struct peer *peer) {
    return !peer->options->serve && peer->done == peer->options->connections;
}

/* Until a signal comes, or a while after all clients are done, for their last segments. */
static void peer_run(struct peer *peer) {
    uint64_t end = peer->now + 3600 * BERTH_SECOND;
    bool over = false;
    while (!stop && peer->now < end) {
        bool more = pump_in(peer);
        peer->now = clock_now();
        do {
            more |= berth_network_run(peer->network, peer->now);
            pump_out(peer);
        } while (pump_events(peer));
        if (!over && peer_over(peer)) {
            over = true;
            end = peer->now + (peer->options->impairment.delay ? 300 : 50) * BERTH_MS;
        }
        if (!more)
            wait_for_more(peer, end);
    }
}

static uint64_t number(const char *text) {
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        fatal(text, EINVAL);
    return value;
}

static int read_command(struct peer_options *options, int count, char **words) {
    static const struct {
        const char *name;
        enum role role;
        uint16_t port;
        int words;
    } commands[] = {{"get", ASK_SOURCE, PORT_SOURCE, 2},
                    {"put", ASK_SINK, PORT_SINK, 2},
                    {"many", ASK_ECHO, PORT_ECHO, 3},
                    {"http", ASK_HTTP, PORT_HTTP, 3}};
    if (count < 3)
        fatal("usage: tap_peer TAP serve|get|put|many|http ...", EINVAL);
    options->tap = words[1];
    options->serve = strcmp(words[2], "serve") == 0;
    if (options->serve)
        return 3;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(words[2], commands[i].name) != 0 || count < 3 + commands[i].words)
            continue;
        options->role = commands[i].role;
        options->remote.port = commands[i].port;
        options->connections = 1;
        if (berth_ip_parse(words[3], &options->remote.ip) < 0)
            fatal(words[3], EINVAL);
        if (options->role == ASK_HTTP) {
            options->path = words[4];
            options->remote.port = (uint16_t)number(words[5]);
        } else {
            options->octets = number(words[4]);
            options->connections = options->role == ASK_ECHO ? (uint32_t)number(words[5]) : 1;
        }
        return 3 + commands[i].words;
    }
    fatal(words[2], EINVAL);
    return 0;
}

static void read_options(struct peer_options *options, int at, int count, char **words) {
    for (; at < count; at++) {
        const char *value = at + 1 < count ? words[at + 1] : "";
        if (strcmp(words[at], "--corrupt-one") == 0) {
            options->corrupt_one = true;
            continue;
        }
        if (strcmp(words[at], "--set") == 0 && at + 2 < count) {
            if (berth_sysctl_set(&options->host, value, words[at + 2]) < 0)
                fatal(value, EINVAL);
            at += 2;
            continue;
        }
        if (strcmp(words[at], "--loss") == 0)
            options->impairment.loss = strtod(value, NULL);
        else if (strcmp(words[at], "--reorder") == 0)
            options->impairment.reorder = strtod(value, NULL);
        else if (strcmp(words[at], "--duplicate") == 0)
            options->impairment.duplicate = strtod(value, NULL);
        else if (strcmp(words[at], "--delay") == 0)
            options->impairment.delay = number(value) * BERTH_MS;
        else if (strcmp(words[at], "--mtu") == 0)
            options->mtu = (uint32_t)number(value);
        else if (strcmp(words[at], "--black-hole") == 0)
            options->black_hole = (uint32_t)number(value);
        else if (strcmp(words[at], "--capture") == 0)
            options->capture = value;
        else if (strcmp(words[at], "--gateway") == 0 && options->gateway_count < 2 &&
                 berth_ip_parse(value, &options->gateways[options->gateway_count]) == 0)
            options->gateway_count++;
        else
            fatal(words[at], EINVAL);
        at++;
    }
}

int main(int count, char **words) {
    struct peer_options options = {.mtu = 1500};
    struct peer peer;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    berth_host_config_init(&options.host);
    read_options(&options, read_command(&options, count, words), count, words);
    peer_open(&peer, &options);
    if (options.serve) {
        services_start(&peer);
        puts("ready");
        fflush(stdout);
    } else {
        clients_start(&peer);
    }
    berth_network_touch(peer.network, peer.host_number);
    uint64_t start = clock_now();
    peer_run(&peer);
    if (peer.capture && fclose(peer.capture) != 0)
        fatal(options.capture, errno);
    if (!options.serve)
        fprintf(stderr, "tap_peer: %" PRIu32 " of %" PRIu32 " connections good in %.2f s\n",
                peer.done - peer.failed, options.connections, (double)(clock_now() - start) / 1e9);
    bool good = options.serve || (peer.failed == 0 && peer.done == options.connections);
    for (uint32_t i = 0; i < peer.talk_count; i++) {
        if (peer.talks[i])
            free(peer.talks[i]->echo);
        free(peer.talks[i]);
    }
    free(peer.talks);
    berth_network_free(peer.network);
    close(peer.tap);
    return good ? 0 : 1;
}
