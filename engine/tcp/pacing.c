/* Pacing: new octets leave at a rate instead of in bursts, where SO_MAX_PACING_RATE asks for it (as
 * in Linux, where that switches TCP's own pacing on).
 *
 * THEORY. `at` is the time by which all that was sent would have left at the rate; while it is
 * ahead, new octets wait (retransmissions do not, but they are counted). The timers' ticks are 1
 * ms, so a connection is woken up to that much late; what it has missed it may catch up on, hence
 * `at` falls behind the clock by CREDIT at most. For the same reason a large segment is no longer
 * than what the rate gives in 1 ms, or two ordinary ones (Linux's tcp_tso_autosize).
 *
 * The rate is no more than cwnd asks for: twice cwnd a round trip in slow start, 1.2 times later
 * (Linux's tcp_pacing_ss_ratio and _ca_ratio). A window that pacing does not let be used does not
 * grow, as any that is not used. */
#include "engine/tcp/connection.h"

#define CREDIT (2 * BERTH_MS)

uint64_t pacing_wish(const struct tcp_connection *c) {
    uint32_t srtt = c->srtt >> 3;
    uint64_t tenths = c->cwnd < c->ssthresh / 2 ? 20 : 12;
    return srtt ? (uint64_t)c->cwnd * tenths * 100000 / srtt : 0;
}

/* Octets a second; 0: as fast as the windows allow. */
static uint64_t rate_of(const struct tcp_connection *c) {
    uint32_t most = (uint32_t)tcp_option(c, BERTH_SO_MAX_PACING_RATE, -1);
    if (most == UINT32_MAX || most == 0)
        return 0;
    uint64_t rate = pacing_wish(c);
    return rate && rate < most ? rate : most;
}

bool pacing_holds(const struct tcp *tcp, struct tcp_connection *c) {
    struct pacing *p = &c->active->pacing;
    p->held = p->at > tcp->now && rate_of(c) != 0;
    return p->held;
}

uint32_t pacing_most(const struct tcp_connection *c, uint32_t most, uint32_t mss) {
    uint64_t rate = rate_of(c), burst = rate / 1000;
    if (rate == 0 || burst >= most)
        return most;
    uint32_t least = 2 * mss < most ? 2 * mss : most;
    return burst > least ? (uint32_t)burst / mss * mss : least;
}

void pacing_sent(const struct tcp *tcp, struct tcp_connection *c, uint32_t octets) {
    uint64_t rate = rate_of(c), *at = &c->active->pacing.at;
    if (rate == 0)
        return;
    if (*at + CREDIT < tcp->now)
        *at = tcp->now - CREDIT;
    *at += octets * BERTH_SECOND / rate;
}
