/* Round-trip time and retransmission timeout: RFC 6298. Samples come from one timed segment a round
 * trip (Karn: never from one that was retransmitted), or from the timestamp echo. */
#include "engine/tcp/connection.h"

void rtt_sample(struct tcp *tcp, struct tcp_connection *c, uint64_t rtt) {
    uint64_t us = rtt / 1000;
    uint32_t sample = us > 120000000 ? 120000000 : us == 0 ? 1 : (uint32_t)us;
    (void)tcp;
    struct loss *l = c->active ? &c->active->loss : NULL;
    if (l && sample > 1 && (l->min_rtt == 0 || sample < l->min_rtt))
        l->min_rtt = sample; /* (a timestamp's echo within its ms says nothing) */
    if (c->srtt == 0) {
        c->srtt = sample << 3;   /* RFC 6298 2.2, 6298-2 */
        c->rttvar = sample << 1; /* R/2, kept << 2 */
        return;
    }
    /* 2.3: RTTVAR first, with the old SRTT. */
    uint32_t smoothed = c->srtt >> 3;
    uint32_t difference = sample > smoothed ? sample - smoothed : smoothed - sample;
    c->rttvar = c->rttvar - (c->rttvar >> 2) + difference;
    c->srtt = c->srtt - smoothed + sample;
    if (c->srtt == 0)
        c->srtt = 1;
}

uint64_t rtt_rto(const struct tcp *tcp, const struct tcp_connection *c) {
    const struct berth_host_config *config = &tcp->config;
    uint64_t rto = config->tcp_rto_initial;
    if (c->srtt == 0 && c->rttvar) { /* see rtt_after_lost_syn */
        uint64_t careful = (uint64_t)c->rttvar * 1000;
        rto = careful > rto ? careful : rto;
    } else if (c->srtt) {
        /* max(G, 4 RTTVAR) with G = 1 ms; as in Linux the floor holds for the variance's part. */
        uint64_t variance = (uint64_t)c->rttvar * 1000;
        if (variance < config->tcp_rto_min)
            variance = config->tcp_rto_min;
        rto = (uint64_t)(c->srtt >> 3) * 1000 + variance;
    }
    unsigned backoff = c->active ? c->active->backoff : 0;
    while (backoff-- > 0 && rto < config->tcp_rto_max)
        rto *= 2; /* 5.5 */
    return rto < config->tcp_rto_max ? rto : config->tcp_rto_max;
}

/* RFC 6298 5.7, 6298-6: a SYN was lost and nothing is known of the path: 3 s for the first octets.
 */
void rtt_after_lost_syn(struct tcp_connection *c) {
    if (c->srtt == 0)
        c->rttvar = 3000000;
}

uint64_t rtt_expiry(const struct tcp *tcp, const struct tcp_connection *c) {
    const struct tcp_active *a = c->active;
    uint64_t when = tcp->now + rtt_rto(tcp, c);
    uint64_t limit = (uint64_t)tcp_option(c, BERTH_TCP_USER_TIMEOUT, 0) * BERTH_MS;
    if (limit && a->stalled_since && when > a->stalled_since + limit)
        when = a->stalled_since + limit; /* MUST-21: then, not at the retransmission after */
    return when;
}
