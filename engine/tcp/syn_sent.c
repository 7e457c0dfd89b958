/* SYN-SENT: what answers our SYN (RFC 9293, section 3.10.7.3, in its order). */
#include "engine/tcp/handshake.h"

/* What is being tried is over: nothing is retransmitted, nothing is timed. */
static void stop_clocks(struct tcp_active *a) {
    a->rto_at = a->stalled_since = a->rtt_at = 0;
    a->backoff = a->retransmits = 0;
}

/* First: the ACK, if there is one, must be for our SYN. */
static enum tcp_verdict check_ack(struct tcp *tcp, const struct tcp_connection *c,
                                  const struct tcp_segment *segment) {
    if (!(segment->flags & TCP_ACK))
        return TCP_CONTINUE;
    if (seq_gt(segment->ack, c->snd_una) && seq_le(segment->ack, tcp_snd_max(c)))
        return TCP_CONTINUE;
    reply_reset(tcp, segment);
    return TCP_DROP;
}

/* Second: a RST counts only if it acknowledges our SYN (RFC 5961 3.2, 9293-E3). */
static enum tcp_verdict check_reset(struct tcp *tcp, struct tcp_connection *c,
                                    const struct tcp_segment *segment) {
    if (!(segment->flags & TCP_RST))
        return TCP_CONTINUE;
    if (segment->flags & TCP_ACK)
        connection_abort(tcp, c, ECONNREFUSED);
    return TCP_DROP;
}

/* What the peer's SYN says. Its window is never scaled (RFC 7323 2.2); ours, which our SYN offered,
 * starts at its first octet now. */
static void take_syn(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment,
                     const struct tcp_options *options) {
    uint32_t offered = c->rcv_edge - c->rcv_nxt;
    struct tcp_active *a = c->active;
    c->rcv_nxt = segment->seq + 1;
    c->rcv_edge = c->rcv_nxt + offered;
    connection_negotiate(tcp, c, options, false);
    c->snd_wnd = segment->window;
    c->snd_wl1 = segment->seq;
    a->snd_wnd_max = c->snd_wnd;
    a->read_seq = a->last_ack_sent = c->rcv_nxt;
    tuning_begin(tcp, c);
}

/* RFC 6298 2.2, Karn (MUST-18, 6298-7): a SYN that was retransmitted is timed by the echo alone. */
static void sample(struct tcp *tcp, struct tcp_connection *c, const struct tcp_options *options) {
    const struct tcp_active *a = c->active;
    int32_t ms = seq_diff(tcp_ts_now(tcp, c), options->ts_echo);
    if (a->retransmits == 0 && a->rtt_at)
        rtt_sample(tcp, c, tcp->now - a->rtt_at);
    else if (c->flags & TCP_F_TIMESTAMPS && options->ts_echo && ms >= 0)
        rtt_sample(tcp, c, (uint64_t)ms * BERTH_MS);
}

/* Octets and FIN that came with the SYN,ACK: the sequence number of the first is one after the
 * SYN's. TCP_GONE: the connection has ended. */
static enum tcp_verdict take_rest(struct tcp *tcp, struct tcp_connection *c,
                                  const struct tcp_segment *segment) {
    struct tcp_segment rest = *segment;
    rest.flags &= (uint16_t)~TCP_SYN;
    rest.seq = segment->seq + 1;
    enum tcp_verdict verdict = receive_payload(tcp, c, &rest);
    return verdict == TCP_CONTINUE ? receive_fin(tcp, c, &rest) : verdict;
}

/* SYN,ACK: the connection is open. */
static void open_up(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment,
                    const struct tcp_options *options) {
    bool syn_lost = c->active->retransmits > 0;
    take_syn(tcp, c, segment, options);
    c->state = BERTH_ESTABLISHED;
    c->ecn = ecn_agreed(tcp, segment);
    c->snd_una = segment->ack;
    c->snd_nxt = tcp_snd_max(c);
    c->active->push_seq = c->active->small_seq = c->snd_una;
    c->active->recover = c->active->ecn.reduced_at = c->snd_una - 1;
    sample(tcp, c, options);
    if (syn_lost)
        rtt_after_lost_syn(c);
    stop_clocks(c->active);
    congestion_start(tcp, c, syn_lost); /* RFC 5681 3.1, 5681-1 */
    connection_raise(tcp, c, BERTH_CONNECTED | BERTH_WRITABLE);
    c->flags |= TCP_F_ACK_NOW;
    connection_owes(tcp, c);
    if (take_rest(tcp, c, segment) != TCP_GONE)
        connection_settle(tcp, c);
}

/* SYN alone: both ends open at once (RFC 9293 3.5, MUST-10). Our SYN goes again, with the same
 * sequence number and an ACK; the clock starts anew with it. What came with the peer's SYN is not
 * acknowledged, so it comes again. */
static void open_both(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment,
                      const struct tcp_options *options) {
    take_syn(tcp, c, segment, options);
    c->state = BERTH_SYN_RECEIVED;
    c->snd_nxt = c->snd_una;
    c->active->rto_at = c->active->rtt_at = 0;
    connection_owes(tcp, c);
    connection_settle(tcp, c);
}

void syn_sent_input(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment,
                    const struct tcp_options *options) {
    if (check_ack(tcp, c, segment) == TCP_DROP || check_reset(tcp, c, segment) == TCP_DROP)
        return;
    if (!(segment->flags & TCP_SYN))
        return; /* fifth: neither SYN nor RST */
    if (segment->flags & TCP_ACK)
        open_up(tcp, c, segment, options);
    else if (!(segment->flags & TCP_FIN)) /* SYN,FIN means nothing good, as for a listener */
        open_both(tcp, c, segment, options);
}
