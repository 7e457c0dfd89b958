/* Connections with SACK and octets in flight, for tests of loss recovery. Segments are of MSS
 * octets and counted from p->ack, which is where the peer acknowledges. */
#ifndef TEST_TCP_FLOWN_H
#define TEST_TCP_FLOWN_H

#include "test/unit/tcp/opened.h"

enum { MSS = 1000 };

/* `segments` written and as many in flight as cwnd (ten) allows; then a round trip of `rtt` passes,
 * which is what the connection knows of the path. Options beside mss and sackok: words of peer.h.
 */
static inline uint32_t flown(struct peer *p, int family, unsigned segments, uint64_t rtt,
                             const char *options) {
    char words[64];
    unsigned stamps = strncmp(options, "ts", 2) == 0 ? 12 : 0;
    snprintf(words, sizeof words, "mss %u sackok %s", MSS + stamps, options);
    uint32_t socket = opened(p, family, words);
    struct tcp_connection *c = tcp_at(p->tcp, socket);
    c->srtt = (uint32_t)(rtt / 1000) << 3;
    c->rttvar = 0;
    opened_writes(p, socket, segments * MSS, 0);
    c->active->loss.min_rtt = (uint32_t)(rtt / 1000);
    for (unsigned i = 0; i < segments && i < 10; i++)
        peer_gets(p, i + 1 < segments ? "A len %u" : "AP len %u", MSS);
    peer_silent(p);
    peer_waits(p, rtt);
    return socket;
}

/* The peer holds segments [from, to). */
static inline void flown_holds(struct peer *p, uint32_t from, uint32_t to) {
    peer_sends(p, "A sack %u %u", p->ack + from * MSS, p->ack + to * MSS);
}

/* Segment n is sent. */
static inline void flown_gets(struct peer *p, uint32_t n) {
    assert_true(peer_pull(p));
    assert_int_equal((int32_t)(p->got.seq - p->ack) / MSS, n);
    assert_int_equal((p->got.seq - p->ack) % MSS, 0);
    assert_int_equal(p->got.length, MSS);
}

#endif
