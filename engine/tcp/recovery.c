/* Loss recovery without SACK: fast retransmit and fast recovery of RFC 5681 3.2 as RFC 6582
 * (NewReno) has them, with limited transmit (RFC 3042), and what a retransmission timeout does (RFC
 * 5681 3.1, RFC 6298 5.4-5.6).
 *
 * `recover` is the highest sequence number sent when the last recovery or timeout began; duplicates
 * of ACKs below it do not start another (RFC 6582 3.2 step 1 and section 4). Retransmissions asked
 * for here (`resend`) are made by output.c, one segment each. */
#include "engine/tcp/connection.h"

static void enter(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    /* RFC 5681 3.2 step 2, 5681-3: without what limited transmit has added. */
    uint32_t flight = tcp_flight(c) < c->cwnd ? tcp_flight(c) : c->cwnd;
    congestion_on_loss(c, flight);
    a->recover = a->snd_max;
    a->flags |= TCP_A_RECOVERY;
    a->resend = 1;
    a->limited = 0;
    c->cwnd = c->ssthresh + 3u * c->mss; /* RFC 5681 3.2 step 3, 5681-6 */
    tcp->counters->tcp_fast_retransmits++;
    connection_owes(tcp, c);
}

void recovery_dup_ack(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    if (a->dup_acks < UINT16_MAX)
        a->dup_acks++;
    if (a->flags & TCP_A_RECOVERY) {
        if (c->cwnd <
            tcp_flight(c) + a->snd_wnd_max) /* inflation cannot outgrow what was sent (Savage) */
            c->cwnd += c->mss;              /* step 4 */
        connection_owes(tcp, c);
        return;
    }
    if (a->dup_acks < 3) {
        a->limited = a->dup_acks; /* RFC 3042, 3042-1: one new segment for each of the first two */
        connection_owes(tcp, c);
        return;
    }
    /* RFC 6582 3.2 step 2, 6582-2: the ACK must cover more than `recover`. */
    if (a->dup_acks != 3 || !seq_gt(c->snd_una, a->recover))
        return;
    if (path_missed(tcp, c)) /* RFC 8899 3 (7), 8899-3 */
        connection_owes(tcp, c);
    else
        enter(tcp, c);
}

static void partial(struct tcp *tcp, struct tcp_connection *c, uint32_t acked) {
    struct tcp_active *a = c->active;
    /* RFC 6582 3.2 step 3, 6582-1, partial ACK: retransmit the next hole, deflate by what was
     * acknowledged, add one segment back. */
    c->cwnd = c->cwnd > acked ? c->cwnd - acked : 0;
    if (acked >= c->mss || c->cwnd < c->mss)
        c->cwnd += c->mss;
    a->resend = 1;
    connection_owes(tcp, c);
}

void recovery_new_ack(struct tcp *tcp, struct tcp_connection *c, uint32_t ack, uint32_t acked) {
    struct tcp_active *a = c->active;
    a->limited = 0;
    a->dup_acks = 0;
    if (a->flags & TCP_A_RECOVERY) {
        if (seq_ge(ack, a->recover)) {
            a->flags &= (uint16_t)~TCP_A_RECOVERY;
            congestion_on_recovered(c, tcp_flight(c));
        } else {
            partial(tcp, c, acked);
        }
        return;
    }
    if (seq_gt(ack, a->recover))
        a->recover = ack - 1; /* it must not fall behind by half of the sequence space */
    congestion_on_ack(tcp, c, acked, !(a->flags & TCP_A_CWND_FULL));
    if (seq_ge(ack, a->cwnd_seq))
        a->flags &= (uint16_t)~TCP_A_CWND_FULL;
}

void recovery_go_back(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    loss_reset(tcp, c);
    a->flags &= (uint16_t)~TCP_A_RECOVERY;
    a->recover = a->snd_max;
    a->dup_acks = 0;
    a->limited = 0;
    a->resend = 0;
    a->rtt_at = 0; /* Karn: it goes again */
    c->snd_nxt = c->snd_una;
}

void recovery_timeout(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    if (loss_is_used(c)) {
        loss_timeout(tcp, c);
    } else {
        congestion_on_timeout(c, tcp_flight(c), a->retransmits == 0);
        recovery_go_back(tcp, c); /* without SACK what followed the loss is taken as lost too */
    }
    if (a->retransmits < UINT8_MAX)
        a->retransmits++;
    if (a->backoff < 32)
        a->backoff++; /* RFC 6298 5.5, 6298-4, MUST-19 */
    tcp->counters->tcp_timeouts++;
    connection_owes(tcp, c);
}
