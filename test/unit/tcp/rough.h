/* Two TCPs and a rough path between them, in virtual time: segments are lost, doubled and overtake
 * one another by a seeded generator; the same seed gives the same run. What the application at each
 * end writes is octets that their place in the stream determines, so what is read can be checked
 * without being kept. */
#ifndef TEST_TCP_ROUGH_H
#define TEST_TCP_ROUGH_H

#include "test/unit/base/mix.h"
#include "test/unit/tcp/peer.h"

struct rough_packet {
    struct rough_packet *next;
    uint64_t at;
    struct tcp_header header;
    uint8_t octets[60];
    uint8_t *payload;
    uint32_t length;
};

struct rough_end {
    struct peer p;
    uint32_t socket, listener;
    uint64_t to_write, written, to_read, read;
    bool closed, ended;
    struct rough_packet *coming; /* in order of time */
    uint64_t busy;               /* until when the path from it is taken */
    unsigned segments;           /* sent by it */
};

struct rough {
    struct rough_end end[2]; /* 0 connects, 1 listens */
    struct mix mix;
    uint64_t now, one_way;      /* ns */
    uint64_t per_octet;         /* ns; 0: the path has no bottleneck */
    unsigned loss, twice, late; /* of 1000 segments */
    uint64_t lateness;          /* at most, ns */
    uint64_t hash;              /* of all that was sent, and when */
    unsigned (*drops)(struct rough *r, unsigned from, const struct tcp_emit *emit);
    unsigned lost;
};

static inline uint8_t rough_octet(unsigned end, uint64_t at) {
    uint64_t x = (at + 1) * 0x9e3779b97f4a7c15u ^ end;
    return (uint8_t)(x >> 56 ^ x >> 40);
}

static inline void rough_config(struct rough *r, uint64_t seed) {
    memset(r, 0, sizeof *r);
    r->mix.state = seed;
    r->one_way = 10 * BERTH_MS;
    for (unsigned i = 0; i < 2; i++) {
        peer_config(&r->end[i].p);
        memset(r->end[i].p.config.seed, (int)(seed * 2 + i), sizeof r->end[i].p.config.seed);
    }
}

/* Both TCPs, and a connection on its way. The octets of end `wraps` cross 2^32 after a few
 * thousand: the clock behind its ISN ticks every 4 us. */
static inline void rough_start(struct rough *r, int family, unsigned wraps) {
    struct rough_end *a = &r->end[0], *b = &r->end[1];
    struct berth_endpoint local, remote;
    peer_start(&a->p, family);
    peer_start(&b->p, family);
    a->p.tuple.local_port = 40000;
    a->p.tuple.remote_port = 80;
    b->p.tuple = (struct tuple){a->p.tuple.remote, a->p.tuple.local, 80, 40000};
    struct peer *wrapping = &r->end[wraps].p;
    uint32_t ticks = 0u - 5000 - isn_of(wrapping->tcp, &wrapping->tuple);
    r->now = a->p.now + (uint64_t)ticks * 4000;
    for (unsigned i = 0; i < 2; i++) {
        r->end[i].p.now = r->now;
        tcp_advance(r->end[i].p.tcp, r->now);
    }
    b->listener = peer_listener(&b->p, 5);
    a->socket = peer_open(&a->p);
    local = (struct berth_endpoint){a->p.tuple.local, 40000};
    remote = (struct berth_endpoint){a->p.tuple.remote, 80};
    assert_int_equal(tcp_bind(a->p.tcp, a->socket, &local), 0);
    assert_int_equal(tcp_connect(a->p.tcp, a->socket, &local.ip, 1, &remote, r->now), -EINPROGRESS);
}

static inline void rough_stop(struct rough *r) {
    for (unsigned i = 0; i < 2; i++) {
        for (struct rough_packet *next, *packet = r->end[i].coming; packet; packet = next) {
            next = packet->next;
            free(packet->payload);
            free(packet);
        }
        peer_end(&r->end[i].p);
    }
}

static inline void rough_hash(struct rough *r, const void *octets, size_t length) {
    for (size_t i = 0; i < length; i++)
        r->hash = (r->hash ^ ((const uint8_t *)octets)[i]) * 0x100000001b3u;
}

/* One copy on its way to the other end. */
static inline void rough_carry(struct rough *r, unsigned to, const struct tcp_emit *emit,
                               uint64_t at) {
    struct rough_packet *packet = calloc(1, sizeof *packet), **place = &r->end[to].coming;
    assert_non_null(packet);
    packet->at = at;
    memcpy(packet->octets, emit->header, emit->header_length);
    assert_int_equal(tcp_header_parse(packet->octets, emit->header_length, &packet->header), 0);
    packet->payload = malloc(emit->length + 1);
    assert_non_null(packet->payload);
    for (unsigned i = 0; i < emit->part_count; packet->length += emit->parts[i++].length)
        memcpy(packet->payload + packet->length, emit->parts[i].data, emit->parts[i].length);
    while (*place && (*place)->at <= at)
        place = &(*place)->next;
    packet->next = *place;
    *place = packet;
}

static inline void rough_send(struct rough *r, unsigned from, const struct tcp_emit *emit) {
    struct rough_end *end = &r->end[from];
    uint64_t at = end->busy > r->now ? end->busy : r->now;
    at += r->per_octet * (emit->header_length + emit->length);
    end->busy = at;
    at += r->one_way;
    end->segments++;
    rough_hash(r, &r->now, sizeof r->now);
    rough_hash(r, emit->header, emit->header_length);
    bool lost = mix_below(&r->mix, 1000) < r->loss, twice = mix_below(&r->mix, 1000) < r->twice;
    bool late = mix_below(&r->mix, 1000) < r->late;
    if (r->drops && r->drops(r, from, emit))
        lost = true;
    r->lost += lost;
    if (late)
        at += mix_below(&r->mix, (uint32_t)r->lateness);
    if (!lost)
        rough_carry(r, 1 - from, emit, at);
    if (twice)
        rough_carry(r, 1 - from, emit, at + mix_below(&r->mix, (uint32_t)r->one_way));
}

static inline void rough_take(struct rough *r, unsigned to) {
    struct rough_end *end = &r->end[to];
    struct rough_packet *packet = end->coming;
    struct berth_part part = {NULL, packet->payload, packet->length};
    struct tcp_segment segment = {
        .tuple = end->p.tuple,
        .seq = packet->header.seq,
        .ack = packet->header.ack,
        .flags = packet->header.flags,
        .window = packet->header.window,
        .urgent = packet->header.urgent,
        .options = packet->header.options,
        .options_length = packet->header.options_length,
        .interface = 1,
        .ttl = 64,
        .part_count = packet->length != 0,
        .length = packet->length,
        .parts = &part,
        .hash = ports_hash(tcp_ports(end->p.tcp), &end->p.tuple),
    };
    tcp_input(end->p.tcp, &segment, r->now);
    end->coming = packet->next;
    free(packet->payload);
    free(packet);
}

/* The application: writes what there is room for, reads what there is, closes at the end. */
static inline void rough_apply(struct rough *r, unsigned which) {
    static uint8_t octets[65536];
    struct rough_end *end = &r->end[which];
    struct tcp *tcp = end->p.tcp;
    if (end->listener && !end->socket && tcp_accept(tcp, end->listener, &end->socket) != 0)
        return;
    while (end->written < end->to_write) {
        uint64_t length = end->to_write - end->written;
        length = length < sizeof octets ? length : sizeof octets;
        for (uint64_t i = 0; i < length; i++)
            octets[i] = rough_octet(which, end->written + i);
        ssize_t sent = tcp_send(tcp, end->socket, octets, length, 0, r->now);
        if (sent <= 0)
            break;
        end->written += (uint64_t)sent;
    }
    for (ssize_t got;
         (got = tcp_receive(tcp, end->socket, octets, sizeof octets, 0, r->now)) >= 0;) {
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(octets[i], rough_octet(1 - which, end->read + (uint64_t)i));
        end->read += (uint64_t)got;
        if (got == 0) {
            end->ended = true;
            break;
        }
    }
    if (end->written == end->to_write && !end->closed) {
        end->closed = true;
        tcp_shutdown(tcp, end->socket, BERTH_SHUT_WR, r->now);
    }
}

/* Time goes on to the next thing that happens. False: nothing will. */
static inline bool rough_step(struct rough *r) {
    uint64_t next = BERTH_NEVER;
    for (unsigned i = 0; i < 2; i++) {
        struct rough_end *end = &r->end[i];
        struct tcp_emit emit;
        end->p.now = r->now;
        tcp_advance(end->p.tcp, r->now);
        while (end->coming && end->coming->at <= r->now)
            rough_take(r, i);
        rough_apply(r, i);
        while (tcp_output(end->p.tcp, &emit, r->now))
            rough_send(r, i, &emit);
    }
    for (unsigned i = 0; i < 2; i++) {
        uint64_t deadline = tcp_deadline(r->end[i].p.tcp);
        if (r->end[i].coming && r->end[i].coming->at < deadline)
            deadline = r->end[i].coming->at;
        next = deadline < next ? deadline : next;
    }
    if (next == BERTH_NEVER)
        return false;
    r->now = next > r->now ? next : r->now + 1;
    return true;
}

/* Until both ends have read all; how long that took, ns. */
static inline uint64_t rough_run(struct rough *r) {
    uint64_t begin = r->now;
    for (unsigned i = 0; i < 2; i++)
        r->end[1 - i].to_read = r->end[i].to_write;
    while (!r->end[0].ended || !r->end[1].ended) {
        assert_true(rough_step(r));
        assert_true(r->now < begin + 3600 * BERTH_SECOND);
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(r->end[i].read, r->end[i].to_read);
    return r->now - begin;
}

#endif
