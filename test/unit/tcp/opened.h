/* An open connection for tests of what comes after the handshake.
 *
 * The sequence numbers of both directions cross 2^32 a few thousand octets after the handshake. */
#ifndef TEST_TCP_OPENED_H
#define TEST_TCP_OPENED_H

#include "test/unit/tcp/peer.h"

enum { OPENED_BEFORE_WRAP = 3000 }; /* octets, give or take 250 */

/* Time goes on (a connection's ISN ticks every 4 us) until the ISN for p->tuple lies a little
 * before 2^32. */
static inline void opened_wait_for_wrap(struct peer *p) {
    uint32_t ticks = 0u - OPENED_BEFORE_WRAP - isn_of(p->tcp, &p->tuple);
    p->now += (uint64_t)ticks * 4000 / BERTH_MS * BERTH_MS;
    tcp_advance(p->tcp, p->now);
}

/* For tests that changed p->config after peer_config. The peer opens with these options (words of
 * peer.h); returns the socket, accepted, with nothing to send and no events. */
static inline uint32_t opened_start(struct peer *p, int family, const char *options) {
    peer_start(p, family);
    uint32_t listener = peer_listener(p, 5);
    opened_wait_for_wrap(p);
    uint32_t socket = peer_establishes(p, listener, 0xfffff800u, options);
    peer_silent(p);
    peer_events(p, socket);
    tcp_at(p->tcp, socket)->pingpong = 1; /* the beginning, when ACKs go at once, is over */
    return socket;
}

static inline uint32_t opened(struct peer *p, int family, const char *options) {
    peer_config(p);
    return opened_start(p, family, options);
}

/* As if the application wrote `length` octets, all of which must be taken. */
static inline void opened_writes(struct peer *p, uint32_t socket, size_t length, unsigned flags) {
    uint8_t *octets = malloc(length);
    const struct tcp_connection *c = tcp_at(p->tcp, socket);
    uint32_t seq = c->snd_una + (c->active ? c->active->send.length : 0);
    assert_non_null(octets);
    for (size_t i = 0; i < length; i++)
        octets[i] = (uint8_t)(seq + i);
    assert_int_equal(tcp_send(p->tcp, socket, octets, length, flags, p->now), length);
    free(octets);
}

/* Reads what is there; each octet must be (uint8_t)(its sequence number), the first's being seq. */
static inline uint32_t opened_reads(struct peer *p, uint32_t socket, uint32_t seq, size_t most) {
    static uint8_t octets[1 << 20];
    uint32_t length = 0;
    while (length < most) {
        size_t want = most - length < sizeof octets ? most - length : sizeof octets;
        ssize_t got = tcp_receive(p->tcp, socket, octets, want, 0, p->now);
        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(octets[i], (uint8_t)(seq + length + (uint32_t)i));
        length += (uint32_t)got;
    }
    return length;
}

/* What a read gives now: 0, or a negative errno; nothing may be there. */
static inline ssize_t opened_end(struct peer *p, uint32_t socket) {
    uint8_t octet;
    return tcp_receive(p->tcp, socket, &octet, 1, 0, p->now);
}

/* Pulls all there is; returns how many segments, the last of which is in p->got. */
static inline unsigned opened_drains(struct peer *p) {
    unsigned count = 0;
    while (peer_pull(p))
        count++;
    return count;
}

/* Acknowledges all that was sent, so that nothing is in flight. */
static inline void opened_acks(struct peer *p, uint32_t socket) {
    p->ack = tcp_snd_max(tcp_at(p->tcp, socket));
    peer_sends(p, "A");
}

/* A timer of `duration` expires: nothing comes until two ticks before; at most two after, there is
 * something to be got (round-trip times count in us, and timers never fire early). */
static inline void opened_expires(struct peer *p, uint64_t duration) {
    uint64_t end = p->now + duration + 2 * BERTH_MS;
    peer_waits_until(p, end - 4 * BERTH_MS);
    peer_silent(p);
    while (p->now < end && !tcp_has_output(p->tcp))
        peer_waits(p, BERTH_MS);
}

static inline struct tcp_active *opened_active(const struct peer *p, uint32_t socket) {
    return tcp_at(p->tcp, socket)->active;
}

/* Keep-alive, in seconds. */
static inline void opened_keeps_alive(struct peer *p, uint32_t socket, int idle, int interval,
                                      int probes) {
    tcp_set_option(p->tcp, socket, BERTH_SO_KEEPALIVE, 1, p->now);
    tcp_set_option(p->tcp, socket, BERTH_TCP_KEEPIDLE, idle, p->now);
    tcp_set_option(p->tcp, socket, BERTH_TCP_KEEPINTVL, interval, p->now);
    tcp_set_option(p->tcp, socket, BERTH_TCP_KEEPCNT, probes, p->now);
}

#endif
