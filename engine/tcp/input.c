/* A segment arrives (RFC 9293 3.10.7.4): the checks, in their order, each a function that says
 * continue, drop or gone. */
#include "engine/tcp/connection.h"

enum { DAYS_24_MS = 24 * 24 * 3600 * 1000u };

/* RFC 7323 5.3 R1, 7323-P1, 7323-P2, 7323-P3, 7323-T1: a timestamp older than TS.Recent is an old
 * duplicate, unless TS.Recent itself is too old (5.5). RSTs are exempt. */
static enum tcp_verdict check_timestamp(struct tcp *tcp, struct tcp_connection *c,
                                        const struct tcp_segment *segment,
                                        const struct tcp_options *options) {
    if (!(c->flags & TCP_F_TIMESTAMPS) || (segment->flags & TCP_RST))
        return TCP_CONTINUE;
    if (!options->has_timestamps)
        return TCP_DROP; /* RFC 7323 3.2, 7323-T1: once negotiated, what lacks it is dropped */
    if (seq_lt(options->ts_value, c->ts_recent) && tcp_ms(tcp) - c->last_heard < DAYS_24_MS) {
        tcp->counters->tcp_paws_drops++;
        ack_challenge(tcp, c);
        return TCP_DROP;
    }
    return TCP_CONTINUE;
}

/* RFC 9293 3.10.7.4, first check, 9293-E4: is any of it in the window? The four cases of table 6.
 */
static bool is_acceptable(const struct tcp_connection *c, const struct tcp_segment *segment) {
    uint32_t length = segment->length + !!(segment->flags & TCP_SYN) + !!(segment->flags & TCP_FIN);
    uint32_t window = seq_gt(c->rcv_edge, c->rcv_nxt) ? c->rcv_edge - c->rcv_nxt : 0;
    if (window == 0)
        return segment->seq == c->rcv_nxt && (length == 0 || !(segment->flags & TCP_SYN));
    if (length == 0)
        return seq_in(segment->seq, c->rcv_nxt, window);
    return seq_in(segment->seq, c->rcv_nxt, window) ||
           seq_in(segment->seq + length - 1, c->rcv_nxt, window);
}

static enum tcp_verdict check_sequence(struct tcp *tcp, struct tcp_connection *c,
                                       const struct tcp_segment *segment) {
    if (is_acceptable(c, segment))
        return TCP_CONTINUE;
    /* Simultaneous open (3.5, figure 8): the peer's SYN,ACK begins at the SYN that we have had. */
    if (c->state == BERTH_SYN_RECEIVED &&
        (segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) &&
        segment->seq == c->rcv_nxt - 1)
        return TCP_CONTINUE;
    if (segment->flags & TCP_RST)
        return TCP_DROP;
    if (segment->length || (segment->flags & TCP_FIN)) {
        struct tcp_active *a = connection_activate(tcp, c);
        if (a)
            receive_quicken(
                c, TCP_QUICK_ACKS); /* the peer sends again what we have: our ACKs got lost */
        if (a && segment->length && seq_le(segment->seq + segment->length, c->rcv_nxt))
            sack_duplicate(&a->said, segment->seq, segment->seq + segment->length);
        c->flags |= TCP_F_ACK_NOW;
        connection_owes(tcp, c);
    } else { /* a keep-alive or window probe of the peer's, or a stray ACK: no storm of them */
        ack_challenge(tcp, c);
    }
    return TCP_DROP;
}

/* That an acceptable segment came, and what its timestamp says. */
static void note_timestamp(struct tcp *tcp, struct tcp_connection *c,
                           const struct tcp_segment *segment, const struct tcp_options *options) {
    uint32_t last_ack = c->active ? c->active->last_ack_sent : c->rcv_nxt;
    /* RFC 7323 4.3 (2), 7323-T2, 7323-T3: TS.Recent follows segments that begin at or before the
     * last ACK sent. */
    if ((c->flags & TCP_F_TIMESTAMPS) && options->has_timestamps &&
        seq_le(segment->seq, last_ack) &&
        (seq_ge(options->ts_value, c->ts_recent) || tcp_ms(tcp) - c->last_heard >= DAYS_24_MS))
        c->ts_recent = options->ts_value;
    /* An orphan's wait for the peer's FIN is not made longer by what else comes. */
    if (c->state != BERTH_FIN_WAIT_2 || !(c->flags & TCP_F_ORPHAN))
        c->last_heard = tcp_ms(tcp); /* MUST-26, 7323-P3 */
}

/* Second check (RFC 5961 3.2, 5961-1): only RCV.NXT exactly resets; elsewhere in the window it is
 * challenged. */
static enum tcp_verdict check_rst(struct tcp *tcp, struct tcp_connection *c,
                                  const struct tcp_segment *segment) {
    if (!(segment->flags & TCP_RST))
        return TCP_CONTINUE;
    if (segment->seq != c->rcv_nxt) {
        ack_challenge(tcp, c);
        return TCP_DROP;
    }
    /* MUST-12. Here SYN-RECEIVED came from SYN-SENT; after LISTEN it is a record (MUST-11). */
    int error = c->state == BERTH_SYN_RECEIVED ? ECONNREFUSED
                : c->state == BERTH_CLOSE_WAIT ? EPIPE
                                               : ECONNRESET;
    connection_abort(tcp, c, error);
    return TCP_GONE;
}

/* Fourth check (RFC 5961 4.2, 5961-2): a SYN resets nothing, it is challenged. */
static enum tcp_verdict check_syn(struct tcp *tcp, struct tcp_connection *c,
                                  const struct tcp_segment *segment) {
    if (!(segment->flags & TCP_SYN))
        return TCP_CONTINUE;
    if (c->state == BERTH_SYN_RECEIVED && (segment->flags & TCP_ACK))
        return TCP_CONTINUE; /* simultaneous open (MUST-10): the peer's SYN,ACK acknowledges our SYN
                              */
    ack_challenge(tcp, c);
    return TCP_DROP;
}

static enum tcp_verdict steps(struct tcp *tcp, struct tcp_connection *c,
                              const struct tcp_segment *segment,
                              const struct tcp_options *options) {
    enum tcp_verdict verdict = check_timestamp(tcp, c, segment, options);
    if (verdict == TCP_CONTINUE)
        verdict = check_sequence(tcp, c, segment);
    if (verdict == TCP_CONTINUE)
        verdict = check_rst(tcp, c, segment);
    if (verdict == TCP_CONTINUE)
        verdict = check_syn(tcp, c, segment);
    if (verdict == TCP_CONTINUE) {
        note_timestamp(tcp, c, segment, options);
        ecn_echoed(tcp, c, segment);
        verdict = ack_process(tcp, c, segment, options);
    }
    if (verdict == TCP_CONTINUE) {
        ecn_receive(tcp, c, segment);
        receive_urgent(tcp, c, segment);
        tuning_echo(tcp, c, segment, options);
        verdict = receive_payload(tcp, c, segment);
    }
    if (verdict == TCP_CONTINUE)
        verdict = receive_fin(tcp, c, segment);
    return verdict;
}

void connection_input(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment,
                      const struct tcp_options *options) {
    if (c->state == BERTH_TCP_CLOSED) {
        reply_reset(tcp, segment);
        return;
    }
    if (steps(tcp, c, segment, options) == TCP_GONE)
        return;
    if (c->active)
        tally_heard(tcp, c, segment);
    connection_settle(tcp, c);
}
