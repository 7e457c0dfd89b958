/* What all algorithms of congestion control have in common: slow start, and where they take over.
 *
 * Appropriate byte counting (RFC 3465): what counts is octets acknowledged, not ACKs. In slow start
 * all of them count, as in Linux and without RFC 3465's L: receivers of large segments acknowledge
 * many at once, each octet was really delivered, and here such a burst is one frame. After a
 * timeout they count likewise, for all in flight counts as never sent then (section 2.3's concern
 * is ACKs of segments that were in flight before it: at most one window). */
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
    /* RFC 6928 section 2: min(10 MSS, max(2 MSS, 14600)); a caller's own count of segments is taken
     * as it is. */
    return segments == 10 && window > most ? most : window;
}

void congestion_start(const struct tcp *tcp, struct tcp_connection *c, bool syn_lost) {
    /* RFC 5681 3.1: one segment after a lost SYN */
    c->cwnd = syn_lost ? c->mss : congestion_initial_window(tcp, c);
    c->ssthresh = UINT32_MAX;
}

void congestion_on_ack(const struct tcp *tcp, struct tcp_connection *c, uint32_t acked,
                       bool limited) {
    const struct congestion_algorithm *algorithm = congestion_of(c);
    if (limited) { /* RFC 7661's spirit: a window that is not used is no sign that it may grow */
        if (algorithm->rest)
            algorithm->rest(tcp, c);
        return;
    }
    if (c->cwnd < c->ssthresh) {
        uint32_t room = c->ssthresh - c->cwnd;
        uint32_t growth = hystart_increase(c, acked < room ? acked : room);
        c->cwnd += growth; /* RFC 5681 3.1 eq. 2 */
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
    c->ssthresh = congestion_of(c)->reduce(c, flight);
    congestion_of(c)->restart(c, false);
}

void congestion_on_recovered(struct tcp_connection *c, uint32_t flight) {
    /* RFC 6582 3.2 step 3, option 1: no burst when little is in flight. */
    uint32_t gentle = (flight > c->mss ? flight : c->mss) + c->mss;
    c->cwnd = c->ssthresh < gentle ? c->ssthresh : gentle;
    congestion_of(c)->restart(c, false);
}

void congestion_on_timeout(struct tcp_connection *c, uint32_t flight, bool first) {
    if (first)
        c->ssthresh = congestion_of(c)->reduce(c, flight);
    c->cwnd = c->mss; /* the loss window (RFC 5681 3.1) */
    congestion_of(c)->restart(c, true);
}

void congestion_on_idle(const struct tcp *tcp, struct tcp_connection *c) {
    uint32_t restart = congestion_initial_window(tcp, c);
    if (c->cwnd > restart) /* RFC 5681 4.1: RW = min(IW, cwnd) */
        c->cwnd = restart;
    if (c->active)
        congestion_of(c)->restart(c, false);
}
