/* Explicit congestion notification (RFC 3168): routers mark what they would have dropped soon, the
 * receiver echoes the mark until the sender says that it has reduced its window.
 *
 * THEORY. Who may mark is agreed upon in the SYNs: ECE and CWR in the one, ECE alone in the other
 * (6.1.1). After that segments with new octets are sent as ECT(0); retransmissions, bare ACKs,
 * SYNs, RSTs and probes are not (6.1.4-6.1.6). A segment that comes marked (CE) makes all that we
 * send say ECE until a segment with CWR comes (6.1.3). An ECE makes us reduce the window as a loss
 * does, but send nothing again, once for each window of octets; and the first new segment after any
 * reduction says CWR (6.1.2).
 *
 * Our own SYN asks only if the configuration says so; when it is lost, the next one does not ask: a
 * middlebox may drop what it does not know (6.1.1.1, as Linux's tcp_ecn_fallback). */
#include "engine/tcp/connection.h"

enum { ECN_MASK = 3, ECT_0 = 2, CE = 3 };

/* 3168-1, 3168-4 */
bool ecn_asked(const struct tcp *tcp, const struct tcp_segment *segment) {
    const uint16_t both = TCP_ECE | TCP_CWR;
    /* 6.1.1: a SYN is never ECT; one that is comes from who sets bits at random (as Linux). */
    return tcp->config.tcp_ecn && (segment->flags & both) == both && !(segment->tos & ECN_MASK);
}

/* 3168-1, 3168-3 */
uint16_t ecn_syn_flags(const struct tcp *tcp, const struct tcp_connection *c) {
    bool ask =
        tcp->config.tcp_ecn == 1 && c->state == BERTH_SYN_SENT && c->active->retransmits == 0;
    return ask ? TCP_ECE | TCP_CWR : 0;
}

/* 3168-1, 3168-4 */
bool ecn_agreed(const struct tcp *tcp, const struct tcp_segment *segment) {
    return tcp->config.tcp_ecn == 1 && (segment->flags & (TCP_ECE | TCP_CWR)) == TCP_ECE;
}

/* 3168-2 */
void ecn_receive(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment) {
    if (!c->ecn || segment->length == 0)
        return;
    bool marked = (segment->tos & ECN_MASK) == CE, told = segment->flags & TCP_CWR;
    if (c->active && segment->tos & ECN_MASK)
        c->active->tally.ecn_seen = true;
    struct tcp_active *a = marked || told ? connection_activate(tcp, c) : c->active;
    if (!a)
        return; /* no memory for the echo: the next mark makes up for it */
    if (told && a->ecn.echo) {
        a->ecn.echo = false;
        receive_quicken(c, 1);
    }
    if (marked) {
        if (!a->ecn.echo) /* its window may be small: do not delay (as Linux) */
            receive_quicken(c, 2);
        a->ecn.echo = true;
    }
}

void ecn_reduced(struct tcp_connection *c) {
    c->active->ecn.reduced_at = c->active->snd_max;
    c->active->ecn.reduced = c->ecn;
}

/* 3168-2, SHLD-8 */
void ecn_echoed(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment) {
    struct tcp_active *a = c->active;
    if (!c->ecn || !a || seq_le(segment->ack, c->snd_una) || seq_gt(segment->ack, a->snd_max))
        return;
    bool again = seq_le(segment->ack, a->ecn.reduced_at); /* once a window: 6.1.2 */
    if (!again)
        a->ecn.reduced_at = segment->ack - 1; /* it must not fall behind by half of the numbers */
    if (!(segment->flags & TCP_ECE) || segment->flags & TCP_SYN)
        return;
    a->tally.marked += (segment->ack - c->snd_una - 1) / connection_payload_most(c) + 1;
    if (!again && !(a->flags & TCP_A_RECOVERY)) {
        congestion_on_loss(c, tcp_flight(c) < c->cwnd ? tcp_flight(c) : c->cwnd);
        c->cwnd = c->cwnd < c->ssthresh ? c->cwnd : c->ssthresh; /* one of a segment grows not */
        tcp->counters->tcp_ecn_reductions++;
    }
    a->flags &= (uint16_t)~TCP_A_CWND_FULL; /* nor does such an ACK let the window grow */
}

/* 3168-1, 3168-2 */
void ecn_mark(struct tcp_connection *c, struct tcp_emit *emit, bool fresh) {
    struct tcp_active *a = c->active;
    if (!c->ecn || !fresh || emit->length == 0)
        return;
    emit->tos |= ECT_0;
    if (a->ecn.reduced) {
        emit->header[13] |= TCP_CWR; /* of a large segment's pieces the first one has it */
        a->ecn.reduced = false;
    }
}
