/* Two TCPs back to back through a pipe that loses, repeats and reorders segments: what one writes
 * the other reads, all of it, once, in order, in both directions, and all memory comes back. Each
 * seed is a different pipe; the same seed gives the same segments (property 1). */
#include "engine/tcp/connection.h"
#include "test/unit/base/counting_allocator.h"
#include "test/unit/base/unit.h"
#include <stdio.h>

enum { PIPE = 512, LARGEST = 65536 };

struct carried {
    uint64_t when; /* 0: free */
    struct tcp_emit emit;
    uint8_t payload[LARGEST];
    unsigned to;
};

struct end {
    struct tcp *tcp;
    struct berth_counters counters;
    struct random random;
    uint32_t socket;
    uint64_t written, read, total;
    bool shut, ended;
};

struct world {
    struct end ends[2];
    struct carried *pipe;
    struct counting counting;
    uint32_t dice;
    unsigned loss, repeat, reorder; /* of 1000 */
    uint64_t now, digest;
};

static uint32_t roll(struct world *w, uint32_t sides) {
    w->dice = w->dice * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)w->dice * sides >> 32);
}

static uint8_t octet_at(unsigned from, uint64_t at) {
    return (uint8_t)(at * 7 + at / 251 + from);
}

static void carry(struct world *w, unsigned from, const struct tcp_emit *emit) {
    unsigned copies = roll(w, 1000) < w->loss ? 0 : roll(w, 1000) < w->repeat ? 2 : 1;
    for (unsigned i = 0; i < PIPE && copies; i++) {
        struct carried *slot = &w->pipe[i];
        uint32_t at = 0;
        if (slot->when)
            continue;
        slot->emit = *emit;
        slot->to = !from;
        slot->when = w->now + 10 * BERTH_MS;
        if (roll(w, 1000) < w->reorder)
            slot->when += roll(w, 30) * BERTH_MS;
        for (unsigned j = 0; j < emit->part_count; at += emit->parts[j++].length)
            memcpy(slot->payload + at, emit->parts[j].data, emit->parts[j].length);
        copies--;
    }
}

static void pull(struct world *w) {
    struct tcp_emit emit;
    for (unsigned from = 0; from < 2; from++)
        while (tcp_output(w->ends[from].tcp, &emit, w->now)) {
            for (unsigned i = 0; i < emit.header_length; i++)
                w->digest = (w->digest ^ emit.header[i]) * 0x100000001b3;
            assert_true(emit.length <= LARGEST);
            carry(w, from, &emit);
        }
}

static void deliver(struct world *w, struct carried *slot) {
    struct tcp *tcp = w->ends[slot->to].tcp;
    struct tcp_header header;
    struct berth_part part = {NULL, slot->payload, slot->emit.length};
    assert_int_equal(tcp_header_parse(slot->emit.header, slot->emit.header_length, &header), 0);
    struct tcp_segment segment = {
        .tuple = {slot->emit.remote, slot->emit.local, header.destination_port, header.source_port},
        .seq = header.seq,
        .ack = header.ack,
        .flags = header.flags,
        .window = header.window,
        .urgent = header.urgent,
        .options = header.options,
        .options_length = header.options_length,
        .interface = 1,
        .segment_size = slot->emit.segment_size,
        .part_count = slot->emit.length != 0,
        .length = slot->emit.length,
        .parts = &part,
    };
    segment.hash = ports_hash(tcp_ports(tcp), &segment.tuple);
    tcp_input(tcp, &segment, w->now);
    slot->when = 0;
}

/* The application of one end: reads what is there, writes what fits, ends after the last octet. */
static void act(struct world *w, unsigned which) {
    struct end *end = &w->ends[which];
    static uint8_t octets[50000];
    ssize_t got;
    if (!end->socket)
        return;
    while ((got = tcp_receive(end->tcp, end->socket, octets, 1 + roll(w, sizeof octets), 0,
                              w->now)) > 0)
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(octets[i], octet_at(!which, end->read++));
    if (got == 0)
        end->ended = true;
    else
        assert_int_equal(got, -EAGAIN);
    while (end->written < end->total) {
        size_t length = 1 + roll(w, roll(w, 4) ? 20000 : 30);
        if (length > end->total - end->written)
            length = (size_t)(end->total - end->written);
        for (size_t i = 0; i < length; i++)
            octets[i] = octet_at(which, end->written + i);
        got = tcp_send(end->tcp, end->socket, octets, length, 0, w->now);
        if (got == -EAGAIN)
            break;
        assert_true(got > 0);
        end->written += (uint64_t)got;
    }
    if (end->written == end->total && !end->shut) {
        assert_int_equal(tcp_shutdown(end->tcp, end->socket, BERTH_SHUT_WR, w->now), 0);
        end->shut = true;
    }
}

static void step(struct world *w) {
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < PIPE; i++)
        if (w->pipe[i].when && w->pipe[i].when < next)
            next = w->pipe[i].when;
    for (unsigned i = 0; i < 2; i++)
        if (tcp_deadline(w->ends[i].tcp) < next)
            next = tcp_deadline(w->ends[i].tcp);
    assert_true(next != UINT64_MAX);
    w->now = next > w->now ? next : w->now;
    for (unsigned i = 0; i < PIPE; i++)
        if (w->pipe[i].when && w->pipe[i].when <= w->now)
            deliver(w, &w->pipe[i]);
    for (unsigned i = 0; i < 2; i++)
        tcp_advance(w->ends[i].tcp, w->now);
}

static void make_end(struct world *w, unsigned which, const struct berth_host_config *config,
                     uint32_t largest) {
    struct end *end = &w->ends[which];
    struct tcp_interface interface = {1500, largest, 0};
    random_init(&end->random, config->seed, which + 1);
    end->tcp = tcp_new(config, &end->random, &end->counters, w->now);
    assert_non_null(end->tcp);
    tcp_set_interface(end->tcp, 1, &interface);
}

static uint64_t run(unsigned seed, int family, bool options, uint32_t largest, unsigned loss) {
    static struct world world;
    struct world *w = &world;
    struct berth_host_config config;
    uint32_t listener, generation;
    memset(w, 0, sizeof *w);
    w->pipe = calloc(PIPE, sizeof *w->pipe);
    w->dice = seed * 2654435761u;
    w->loss = loss;
    w->repeat = loss / 2;
    w->reorder = loss * 3;
    w->now = BERTH_SECOND + seed * 1234567 * BERTH_MS;
    berth_host_config_init(&config);
    config.allocator = counting_allocator(&w->counting);
    memset(config.seed, (int)seed, sizeof config.seed);
    config.tcp_timestamps = config.tcp_window_scaling = options;
    config.tcp_receive_buffer = seed % 2 ? 30000 : 1 << 20;
    config.tcp_send_buffer = 200000;
    make_end(w, 0, &config, largest);
    make_end(w, 1, &config, largest);
    w->ends[0].total = 1 + roll(w, 400000);
    w->ends[1].total = roll(w, 400000);

    struct berth_endpoint server, client;
    assert_int_equal(berth_ip_parse(family == 4 ? "10.0.0.1" : "fd00::1", &server.ip), 0);
    assert_int_equal(berth_ip_parse(family == 4 ? "10.0.0.2" : "fd00::2", &client.ip), 0);
    server.port = 80;
    assert_int_equal(tcp_open(w->ends[1].tcp, family, &listener, &generation), 0);
    assert_int_equal(tcp_bind(w->ends[1].tcp, listener, &server), 0);
    assert_int_equal(tcp_listen(w->ends[1].tcp, listener, 5), 0);
    uint32_t socket;
    assert_int_equal(tcp_open(w->ends[0].tcp, family, &socket, &generation), 0);
    assert_int_equal(tcp_connect(w->ends[0].tcp, socket, &client.ip, 1, &server, w->now),
                     -EINPROGRESS);
    unsigned steps = 0;
    while (!w->ends[0].ended || !w->ends[1].ended || !w->ends[0].shut || !w->ends[1].shut) {
        pull(w);
        step(w);
        assert_true(++steps < 400000);
        if (!w->ends[1].socket)
            tcp_accept(w->ends[1].tcp, listener, &w->ends[1].socket);
        if (tcp_at(w->ends[0].tcp, socket)->state != BERTH_SYN_SENT)
            w->ends[0].socket = socket;
        act(w, 0);
        act(w, 1);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_true(w->ends[i].read == w->ends[!i].total);
        assert_int_equal(tcp_close(w->ends[i].tcp, w->ends[i].socket, w->now), 0);
    }
    uint64_t end = w->now + 400 * BERTH_SECOND;
    for (pull(w); w->now < end; pull(w)) {
        uint64_t next = tcp_deadline(w->ends[0].tcp), other = tcp_deadline(w->ends[1].tcp);
        bool carried = false;
        for (unsigned i = 0; i < PIPE; i++)
            carried |= w->pipe[i].when != 0;
        if (!carried && next == BERTH_NEVER && other == BERTH_NEVER)
            break;
        step(w);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ports_connections(tcp_ports(w->ends[i].tcp)), 0);
        assert_int_equal(w->ends[i].tcp->actives.used, 0);
        assert_int_equal(w->ends[i].tcp->memory, 0);
        assert_int_equal(w->ends[i].tcp->connections.used, i); /* the listener */
        tcp_free(w->ends[i].tcp);
    }
    assert_int_equal(w->counting.blocks, 0);
    free(w->pipe);
    return w->digest;
}

static void whole(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 12; seed++)
        run(seed, seed % 2 ? 4 : 6, seed & 2, 1500, 0);
}

static void lossy(void **state) {
    (void)state;
    static const unsigned losses[] = {1, 10, 50, 150};
    for (unsigned seed = 1; seed <= 40; seed++)
        run(seed, seed % 2 ? 4 : 6, seed & 2, 1500, losses[seed % 4]);
}

static void large_segments(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 24; seed++)
        run(seed, seed % 2 ? 6 : 4, seed & 2, 65535, seed % 3 * 30);
}

static void same_again(void **state) {
    (void)state;
    for (unsigned seed = 100; seed < 104; seed++)
        assert_true(run(seed, 4, true, 65535, 50) == run(seed, 4, true, 65535, 50));
    assert_true(run(1, 4, true, 1500, 50) != run(2, 4, true, 1500, 50));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(lossy),
        cmocka_unit_test(large_segments),
        cmocka_unit_test(same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
