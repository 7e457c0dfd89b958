/* CUBIC (RFC 9438): in congestion avoidance cwnd follows a cubic function of time.
 *
 * THEORY. After a reduction the window first grows fast toward W_max, what it was before, lingers
 * there, and then grows faster and faster to look for more:
 *
 *     W_cubic(t) = C (t - K)^3 + W_max,   K = cbrt((W_max - cwnd) / C),   C = 0.4
 *
 * in segments and seconds from the beginning of this stage, the epoch. Where Reno would have more,
 * cwnd follows that (W_est). All is done in integers: octets and ms, products of 64 bits. Time in
 * which the sender did not use its window does not count (5.8): the epoch is moved on by it.
 *
 * Bounds: |t - K| is at most 600 s, at which 0.4 d^3 is 86 million segments, beyond any window; so
 * 4 d^3 < 2^60, and the steps below stay within 64 bits. */
#include "engine/tcp/connection.h"

enum {
    BETA_TENTHS = 7, /* 4.6 */
    ALPHA_OVER = 9,  /* alpha = 3 (1 - beta) / (1 + beta) = 9/17 (4.3) */
    ALPHA_UNDER = 17,
    DISTANCE_MAX = 600000, /* ms */
};

/* The largest r with r^3 <= x. */
static uint32_t cube_root(uint64_t x) {
    uint64_t root = 0;
    for (int bit = 20; bit >= 0; bit--) { /* 2^21 cubed is 2^63 */
        uint64_t next = root | UINT64_C(1) << bit;
        if (next * next * next <= x)
            root = next;
    }
    return (uint32_t)root;
}

/* 4.2, 9438-1, equation 2, in ms: d segments / 0.4 * 10^9. */
static uint32_t k_of(uint32_t octets, uint32_t mss) {
    return cube_root((uint64_t)octets * 2500000000 / mss);
}

/* 4.2, 9438-1, equation 1: W_cubic, octets, `t` ms into the epoch; 0 if it is below. */
static uint64_t window_at(const struct cubic *q, uint64_t t, uint32_t mss) {
    bool before = t < q->k;
    uint64_t d = before ? q->k - t : t - q->k;
    d = d < DISTANCE_MAX ? d : DISTANCE_MAX;
    uint64_t delta = d * d * d * 4 / 10000 * mss / 1000000;
    if (!before)
        return q->origin + delta;
    return q->origin > delta ? q->origin - delta : 0;
}

static void begin(const struct tcp *tcp, const struct tcp_connection *c, struct cubic *q) {
    q->epoch = tcp->now;
    q->w_est = c->cwnd;
    q->credit = q->est_credit = 0;
    q->quiet = false;
    if (q->w_max > c->cwnd) {
        q->origin = q->w_max;
        q->k = k_of(q->w_max - c->cwnd, c->mss);
    } else { /* none known: after HyStart++, a timeout (4.8, 4.10) or idleness; or passed already */
        q->origin = c->cwnd;
        q->k = 0;
        if (q->w_max == 0)
            q->prior = c->cwnd;
    }
}

/* 4.3, 9438-1: what Reno would have. */
static void grow_estimate(const struct tcp_connection *c, struct cubic *q, uint32_t acked) {
    uint64_t alpha = q->w_est >= q->prior ? ALPHA_UNDER : ALPHA_OVER; /* 1, or 9/17 */
    uint64_t whole = (uint64_t)c->cwnd * ALPHA_UNDER;
    q->est_credit += (uint64_t)c->mss * acked * alpha;
    q->w_est += (uint32_t)(q->est_credit / whole);
    q->est_credit %= whole;
}

/* 4.4, 4.5, 9438-1: toward where the curve will be a round trip from now, at most half as much
 * again. In segments, as 9438 has it, and whole ones, as Linux: those that are sent for cwnd are
 * whole, and with every ACK a smaller part of what is left the last one would never be reached. */
static void follow(struct tcp_connection *c, struct cubic *q, uint32_t acked, uint64_t ahead) {
    uint64_t target = (ahead + c->mss - 1) / c->mss * c->mss, whole = c->cwnd / c->mss * c->mss;
    if (target <= whole)
        return;
    uint64_t gap = target - whole, most = c->cwnd / 2;
    q->credit += (gap < most ? gap : most) * acked;
    uint32_t growth = (uint32_t)(q->credit / c->cwnd);
    q->credit %= c->cwnd;
    c->cwnd += growth;
}

/* 9438-1, 9438-2, MAY-18 */
static void avoid(const struct tcp *tcp, struct tcp_connection *c, uint32_t acked) {
    struct cubic *q = &c->active->congestion.cubic;
    uint64_t rtt = (uint64_t)(c->srtt >> 3) * 1000;
    if (q->epoch == 0)
        begin(tcp, c, q);
    else if (q->quiet && tcp->now - q->seen > rtt) /* nothing was in flight for a while */
        q->epoch += tcp->now - q->seen - rtt;
    q->seen = tcp->now;
    q->quiet = tcp_flight(c) == 0;
    uint64_t t = (tcp->now - q->epoch) / BERTH_MS;
    grow_estimate(c, q, acked);
    if (window_at(q, t, c->mss) < q->w_est)
        c->cwnd = q->w_est > c->cwnd ? q->w_est : c->cwnd; /* the Reno-friendly region (4.3) */
    else
        follow(c, q, acked, window_at(q, t + rtt / BERTH_MS, c->mss));
}

static void rest(const struct tcp *tcp, struct tcp_connection *c) {
    struct cubic *q = &c->active->congestion.cubic;
    if (q->epoch == 0)
        return;
    q->epoch += tcp->now - q->seen; /* 5.8, 9438-2: this time is not the curve's */
    q->seen = tcp->now;
    q->quiet = tcp_flight(c) == 0;
}

static uint32_t reduce(struct tcp_connection *c, uint32_t flight) {
    struct cubic *q = &c->active->congestion.cubic;
    /* 4.7: a window that did not reach the last maximum makes room for a newcomer: 17/20 is
     * (1 + beta) / 2. 9438-2 */
    q->w_max = c->cwnd < q->w_max ? (uint32_t)((uint64_t)c->cwnd * 17 / 20) : c->cwnd;
    q->prior = c->cwnd;
    uint32_t threshold = (uint32_t)((uint64_t)flight * BETA_TENTHS / 10); /* 4.6 */
    return threshold > 2u * c->mss ? threshold : 2u * c->mss;
}

static void restart(struct tcp_connection *c, bool timeout) {
    struct cubic *q = &c->active->congestion.cubic;
    q->epoch = 0;
    if (timeout) /* 4.8, 9438-2: the next stage begins its curve where it begins */
        q->w_max = 0;
}

const struct congestion_algorithm congestion_cubic = {
    .name = "cubic",
    .avoid = avoid,
    .rest = rest,
    .reduce = reduce,
    .restart = restart,
};
