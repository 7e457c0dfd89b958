/* NewReno's congestion control: slow start and congestion avoidance of RFC 5681 with byte counting
 * (RFC 3465). */
#include "engine/tcp/connection.h"

const struct congestion_algorithm *congestion_of(const struct tcp_connection *c) {
    (void)c;
    return &congestion_newreno;
}

uint32_t congestion_initial_window(const struct tcp *tcp, const struct tcp_connection *c) {
    uint32_t segments = tcp->config.tcp_initial_window;
    uint32_t most = 2u * c->mss > 14600 ? 2u * c->mss : 14600;
    uint32_t window = segments * c->mss;
    /* RFC 6928 section 2: min(10 MSS, max(2 MSS, 14600)); a caller's own count of segments is taken
     * as it is. */
    return segments == 10 && window > most ? most : window;
}

static void start(const struct tcp *tcp, struct tcp_connection *c, bool syn_lost) {
    c->cwnd =
        syn_lost
            ? c->mss
            : congestion_initial_window(tcp, c); /* RFC 5681 3.1: one segment after a lost SYN */
    c->ssthresh = UINT32_MAX;
}

static void on_ack(const struct tcp *tcp, struct tcp_connection *c, uint32_t acked, bool limited) {
    (void)tcp;
    if (limited) /* RFC 7661's spirit: a window that is not used is no sign that it may grow */
        return;
    if (c->cwnd < c->ssthresh) {
        /* RFC 5681 3.1 eq. 2 with RFC 3465's L = 2. Receivers of large segments acknowledge many at
         * once; all of them count, as in Linux, since each octet was really delivered. */
        uint32_t room = c->ssthresh - c->cwnd;
        c->cwnd += acked < room ? acked : room;
    } else if (c->active) {
        uint32_t *counted = &c->active->congestion.newreno.acked;
        *counted += acked;
        if (*counted >= c->cwnd) { /* one segment more a round trip (RFC 5681 3.1) */
            *counted -= c->cwnd;
            c->cwnd += c->mss;
        }
    }
    if (c->cwnd > 1u << 30)
        c->cwnd = 1u << 30;
}

static uint32_t half_of(const struct tcp_connection *c, uint32_t flight) {
    return flight / 2 > 2u * c->mss ? flight / 2 : 2u * c->mss; /* RFC 5681 eq. 4 */
}

static void on_loss(const struct tcp *tcp, struct tcp_connection *c, uint32_t flight) {
    (void)tcp;
    c->ssthresh = half_of(c, flight);
}

static void on_recovered(const struct tcp *tcp, struct tcp_connection *c, uint32_t flight) {
    (void)tcp;
    /* RFC 6582 3.2 step 3, option 1: no burst when little is in flight. */
    uint32_t gentle = (flight > c->mss ? flight : c->mss) + c->mss;
    c->cwnd = c->ssthresh < gentle ? c->ssthresh : gentle;
    if (c->active)
        c->active->congestion.newreno.acked = 0;
}

static void on_timeout(const struct tcp *tcp, struct tcp_connection *c, uint32_t flight,
                       bool first) {
    (void)tcp;
    if (first)
        c->ssthresh = half_of(c, flight);
    c->cwnd = c->mss; /* the loss window (RFC 5681 3.1) */
    if (c->active)
        c->active->congestion.newreno.acked = 0;
}

static void on_idle(const struct tcp *tcp, struct tcp_connection *c) {
    uint32_t restart = congestion_initial_window(tcp, c);
    if (c->cwnd > restart) /* RFC 5681 4.1: RW = min(IW, cwnd) */
        c->cwnd = restart;
}

const struct congestion_algorithm congestion_newreno = {
    .name = "reno",
    .start = start,
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_recovered = on_recovered,
    .on_timeout = on_timeout,
    .on_idle = on_idle,
};
