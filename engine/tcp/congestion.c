/* What all algorithms of congestion control have in common: slow start, and where they take over.
 *
 * Appropriate byte counting (RFC 3465): what counts is octets acknowledged, not ACKs. In slow start
 * all of them count, as in Linux and without RFC 3465's L: receivers of large segments acknowledge
 * many at once, each octet was really delivered, and here such a burst is one frame. After a
 * timeout they count likewise, for all in flight counts as never sent then (section 2.3's concern
 * is ACKs of segments that were in flight before it: at most one window).
 *
 * Congestion window validation: a window that is not used says nothing of the path any more. Linux
 * does what RFC 2861 says, and so do we: without a segment for an RTO it halves, for each RTO, down
 * to the restart window of RFC 5681 4.1; partly used for an RTO, it goes halfway to what was used;
 * ssthresh keeps 3/4 of it, so that slow start is back soon. RFC 7661 would keep it for longer.
 * net.ipv4.tcp_slow_start_after_idle = 0 switches both off. */
#include "engine/tcp/connection.h"

enum { CWND_MAX = 1 << 30 };

const struct congestion_algorithm *congestion_at(unsigned number) {
    static const struct congestion_algorithm *const all[] = {
        [BERTH_CUBIC] = &congestion_cubic,
        [BERTH_NEWRENO] = &congestion_newreno,
    };
    return number < sizeof all / sizeof all[0] ? all[number] : NULL;
}

const struct congestion_algorithm *congestion_of(const struct tcp_connection *c) {
    return congestion_at(c->congestion);
}

const char *berth_congestion_name(int congestion) {
    const struct congestion_algorithm *algorithm =
        congestion < 0 ? NULL : congestion_at((unsigned)congestion);
    return algorithm ? algorithm->name : NULL;
}

int berth_congestion_find(const char *name) {
    for (int i = 0; berth_congestion_name(i); i++)
        if (strcmp(berth_congestion_name(i), name) == 0)
            return i;
    return -ENOENT;
}

int congestion_choose(struct tcp_connection *c, int number) {
    if (!berth_congestion_name(number))
        return -ENOENT;
    if (c->active && c->congestion != number)
        memset(&c->active->congestion, 0, sizeof c->active->congestion);
    c->congestion = (unsigned)number & 3;
    return 0;
}

uint32_t congestion_initial_window(const struct tcp *tcp, const struct tcp_connection *c) {
    uint32_t segments = tcp->config.tcp_initial_window;
    uint32_t most = 2u * c->mss > 14600 ? 2u * c->mss : 14600;
    uint32_t window = segments * c->mss;
    /* RFC 6928 section 2, 6928-1: min(10 MSS, max(2 MSS, 14600)); a caller's own count of segments
     * is taken as it is. */
    return segments == 10 && window > most ? most : window;
}

void congestion_start(const struct tcp *tcp, struct tcp_connection *c, bool syn_lost) {
    /* RFC 5681 3.1, 5681-1: one segment after a lost SYN */
    c->cwnd = syn_lost ? c->mss : congestion_initial_window(tcp, c);
    c->ssthresh = UINT32_MAX;
}

/* What slow start is to reach again once a window that was not used has shrunk (RFC 2861 3.1;
 * Linux's tcp_current_ssthresh). */
static void remember_window(struct tcp_connection *c) {
    uint32_t most = c->cwnd - c->cwnd / 4;
    c->ssthresh = c->ssthresh > most ? c->ssthresh : most;
}

/* RFC 2861 3.2, 3.3: what has not been used for an RTO is given up half at a time, as Linux does it
 * (tcp_cwnd_application_limited). */
static void unused(const struct tcp *tcp, struct tcp_connection *c, uint32_t flight) {
    struct congestion_state *s = &c->active->congestion;
    if (flight > s->used)
        s->used = flight;
    if (s->unused_since == 0)
        s->unused_since = tcp->now;
    if (!tcp->config.tcp_slow_start_after_idle || tcp->now - s->unused_since < rtt_rto(tcp, c))
        return;
    uint32_t initial = congestion_initial_window(tcp, c);
    uint32_t used = s->used > initial ? s->used : initial;
    if (used < c->cwnd) {
        remember_window(c);
        c->cwnd = c->cwnd / 2 + used / 2;
    }
    s->unused_since = tcp->now;
    s->used = 0;
}

void congestion_on_ack(const struct tcp *tcp, struct tcp_connection *c, uint32_t acked,
                       bool limited) {
    const struct congestion_algorithm *algorithm = congestion_of(c);
    if (limited) { /* RFC 7661's spirit, 7661-1: a window that is not used is no sign that it may
                      grow */
        if (algorithm->rest)
            algorithm->rest(tcp, c);
        unused(tcp, c, tcp_flight(c) + acked);
        return;
    }
    c->active->congestion.unused_since = c->active->congestion.used = 0;
    if (c->cwnd < c->ssthresh) {
        uint32_t room = c->ssthresh - c->cwnd;
        uint32_t growth = hystart_increase(c, acked < room ? acked : room);
        c->cwnd += growth; /* RFC 5681 3.1 eq. 2, 5681-2, 3465-1 */
    } else {
        algorithm->avoid(tcp, c, acked);
    }
    if (c->cwnd > CWND_MAX)
        c->cwnd = CWND_MAX;
}

void congestion_on_rtt(struct tcp_connection *c, uint32_t us) {
    if (c->ssthresh == UINT32_MAX)
        hystart_sample(&c->active->congestion.hystart, us);
}

void congestion_on_loss(struct tcp_connection *c, uint32_t flight) {
    /* Many ACKs may be heard before anything is sent again: less is in flight then than was. cwnd
     * says what was, if it was used up (RFC 9438 4.6 permits it as no unused window grows). */
    if (c->active->flags & TCP_A_CWND_FULL && flight + c->mss < c->cwnd)
        flight = c->cwnd;
    c->ssthresh = congestion_of(c)->reduce(c, flight);
    congestion_of(c)->restart(c, false);
    ecn_reduced(c);
}

void congestion_on_recovered(struct tcp_connection *c, uint32_t flight) {
    /* RFC 6582 3.2 step 3, option 1, 6582-1: no burst when little is in flight. */
    uint32_t gentle = (flight > c->mss ? flight : c->mss) + c->mss;
    c->cwnd = c->ssthresh < gentle ? c->ssthresh : gentle;
    congestion_of(c)->restart(c, false);
}

void congestion_on_timeout(struct tcp_connection *c, uint32_t flight, bool first) {
    if (first)
        c->ssthresh = congestion_of(c)->reduce(c, flight);
    c->cwnd = c->mss; /* the loss window (RFC 5681 3.1, 5681-4) */
    congestion_of(c)->restart(c, true);
    ecn_reduced(c);
}

void congestion_on_idle(const struct tcp *tcp, struct tcp_connection *c) {
    uint32_t restart = congestion_initial_window(tcp, c);
    remember_window(c);
    while (timers_rest_at(tcp, c) <= tcp->now) {
        c->active->congestion.rests++;
        c->cwnd = c->cwnd / 2 > restart ? c->cwnd / 2 : restart;
    }
    c->active->congestion.unused_since = c->active->congestion.used = 0;
    congestion_of(c)->restart(c, false);
}
