/* Tail loss probes (RFC 8985 section 7): when nothing has been heard of what was sent last for two
 * round trips, something is sent that the peer must answer, so that RACK sees what is lost, long
 * before the retransmission timer would empty the window. */
#include "engine/tcp/connection.h"

/* 7.2, 8985-2: ns. */
static uint64_t probe_timeout(const struct tcp *tcp, const struct tcp_connection *c) {
    if (c->srtt == 0)
        return BERTH_SECOND;
    uint64_t timeout = (uint64_t)(c->srtt >> 3) * 2000 + 2 * BERTH_MS; /* as fine as time is here */
    /* TLP.max_ack_delay: what is less than two segments may be acknowledged late. It is our own
     * receivers' delay and a quarter, for timers are late too, and most peers are of our make;
     * where one waits longer, a probe is sent for nothing, which its D-SACK tells. */
    if (tcp_flight(c) < 2 * connection_payload_most(c))
        timeout += tcp->config.tcp_delayed_ack / 4 * 5;
    return timeout;
}

void tlp_arm(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    struct loss *l = &a->loss;
    if (l->flags & LOSS_REORDER)
        return;
    l->timer_at = 0;
    if (l->flags & (LOSS_TIMEOUT | LOSS_PROBE) || a->flags & (TCP_A_RECOVERY | TCP_A_PERSIST) ||
        l->score.sacked || l->score.count == 0)
        return;
    uint64_t at = tcp->now + probe_timeout(tcp, c);
    if (at < a->rto_at)
        l->timer_at = at;
}

void tlp_due(struct tcp *tcp, struct tcp_connection *c) {
    struct loss *l = &c->active->loss;
    if (l->score.count == 0)
        return;
    l->flags |= LOSS_PROBE_DUE;
    connection_owes(tcp, c);
}

uint32_t tlp_last(const struct tcp_connection *c) {
    const struct tcp_active *a = c->active;
    uint32_t octets = c->snd_una + a->send.length; /* a FIN may follow them */
    uint32_t end = seq_min(octets, a->snd_max), most = connection_payload_most(c);
    return end - c->snd_una > most ? end - most : c->snd_una;
}

/* 7.3, 8985-2 */
void tlp_sent(struct tcp *tcp, struct tcp_connection *c, bool fresh) {
    struct tcp_active *a = c->active;
    struct loss *l = &a->loss;
    l->probe_end = a->snd_max;
    l->flags |= LOSS_PROBE;
    if (!fresh)
        l->flags |= LOSS_PROBE_COPY;
    l->timer_at = 0;
    a->rto_at = rtt_expiry(tcp, c);
    tcp->counters->tcp_loss_probes++;
}

/* 7.4, 8985-2: what became of the probe. One that repaired the only loss would hide it from
 * congestion control. */
void tlp_hear(struct tcp *tcp, struct tcp_connection *c, const struct loss_news *news) {
    struct loss *l = &c->active->loss;
    (void)tcp;
    if (!(l->flags & LOSS_PROBE) || seq_lt(c->snd_una, l->probe_end))
        return;
    bool over = false;
    if (!(l->flags & LOSS_PROBE_COPY) || (news->dsack && news->dsack_right == l->probe_end)) {
        over = true; /* no copy; or both arrived: nothing was lost (case 1) */
    } else if (seq_gt(c->snd_una, l->probe_end)) {
        over = true; /* and no duplicate was reported: one of the two was lost (case 2) */
        if (!(c->active->flags & TCP_A_RECOVERY) && !(l->flags & LOSS_TIMEOUT)) {
            congestion_on_loss(c, c->cwnd);
            c->cwnd = c->ssthresh < c->cwnd ? c->ssthresh : c->cwnd;
        }
    } else if (c->snd_una == news->una && !news->sack) {
        over = true; /* a duplicate without SACK: likewise both (case 3) */
    }
    if (over)
        l->flags &= (uint16_t) ~(LOSS_PROBE | LOSS_PROBE_COPY);
}
