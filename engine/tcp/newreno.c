/* NewReno's congestion avoidance: RFC 5681 with byte counting (RFC 3465). */
#include "engine/tcp/connection.h"

static void avoid(const struct tcp *tcp, struct tcp_connection *c, uint32_t acked) {
    uint32_t *counted = &c->active->congestion.newreno.acked;
    (void)tcp;
    *counted += acked;
    if (*counted >=
        c->cwnd) { /* one segment more a round trip (RFC 5681 3.1, RFC 3465 2.1; 5681-2, 3465-1) */
        *counted -= c->cwnd;
        c->cwnd += c->mss;
    }
}

static uint32_t reduce(struct tcp_connection *c, uint32_t flight) {
    return flight / 2 > 2u * c->mss ? flight / 2 : 2u * c->mss; /* RFC 5681 eq. 4 */
}

static void restart(struct tcp_connection *c, bool timeout) {
    (void)timeout;
    c->active->congestion.newreno.acked = 0;
}

const struct congestion_algorithm congestion_newreno = {
    .name = "reno",
    .avoid = avoid,
    .reduce = reduce,
    .restart = restart,
};
