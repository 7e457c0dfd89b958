/* The acknowledgment field (RFC 9293 3.10.7.4, fifth check): what it acknowledges, the window it
 * brings, and the transitions it makes. */
#include "engine/tcp/connection.h"

/* An ACK for what was not asked: answered, but at most every 500 ms a connection (RFC 5961 7,
 * 5961-4; Linux's tcp_invalid_ratelimit), so that no two hosts can keep answering each other and no
 * shared counter is there to be watched. */
void ack_challenge(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = connection_activate(tcp, c);
    if (!a || a->challenge_at > tcp->now)
        return;
    a->challenge_at = tcp->now + 500 * BERTH_MS;
    tcp->counters->tcp_challenge_acks++;
    c->flags |= TCP_F_ACK_NOW;
    connection_owes(tcp, c);
}

/* Octets; a SYN's window is never scaled (RFC 7323 2.2, 7323-W1). */
static uint32_t offered(const struct tcp_connection *c, const struct tcp_segment *segment) {
    return (uint32_t)segment->window << (segment->flags & TCP_SYN ? 0 : c->scales & 15);
}

void ack_window(struct tcp_connection *c, const struct tcp_segment *segment) {
    /* Newer by sequence number, or as new and no smaller (RFC 9293 3.10.7.4, 9293-E8; WL2 is
     * SND.UNA here).
     */
    uint32_t window = offered(c, segment);
    if (seq_gt(segment->ack, c->snd_una) || seq_gt(segment->seq, c->snd_wl1) ||
        (segment->seq == c->snd_wl1 && segment->ack == c->snd_una)) {
        c->snd_wnd = window;
        c->snd_wl1 = segment->seq;
        if (c->active && window > c->active->snd_wnd_max)
            c->active->snd_wnd_max = window;
    }
}

/* RFC 5681 section 2, 5681-5: (a) data outstanding, (b) no data, (c) no SYN or FIN, (d) the
 * greatest ACK so far, (e) the same window. */
static bool is_duplicate(const struct tcp_connection *c, const struct tcp_segment *segment,
                         uint32_t old_window) {
    return segment->ack == c->snd_una && tcp_flight(c) != 0 && segment->length == 0 &&
           c->snd_wnd != 0 && /* a closed window's answers to probes tell of no loss */
           !(segment->flags & (TCP_SYN | TCP_FIN)) && c->snd_wnd == old_window;
}

/* Karn (RFC 6298 section 3, MUST-18, 6298-7): only a sample ends the backoff. 6298-2, 7323-T5 */
static void sample_rtt(struct tcp *tcp, struct tcp_connection *c, uint32_t ack,
                       const struct tcp_options *options) {
    struct tcp_active *a = c->active;
    uint32_t echoed = tcp_ts_now(tcp, c) - options->ts_echo;
    if ((c->flags & TCP_F_TIMESTAMPS) && options->has_timestamps && options->ts_echo &&
        echoed < 120000)
        congestion_on_rtt(c, echoed * 1000); /* 9406-1 */
    if (a->rtt_at && seq_ge(ack, a->rtt_seq)) {
        rtt_sample(tcp, c, tcp->now - a->rtt_at);
        tally_round_ends(tcp, c, ack - c->snd_una);
        a->rtt_at = 0;
        a->backoff = 0;
    } else if (a->rtt_at == 0 && (c->flags & TCP_F_TIMESTAMPS) && options->has_timestamps &&
               options->ts_echo) {
        /* RFC 7323 4.1: the echo says which transmission is meant, so retransmissions give samples
         * too. */
        uint32_t ms = tcp_ts_now(tcp, c) - options->ts_echo;
        if (ms < 120000) {
            rtt_sample(tcp, c, (uint64_t)ms * BERTH_MS);
            a->backoff = 0;
        }
    }
}

/* Our FIN is acknowledged (9293-E9). */
static enum tcp_verdict fin_acknowledged(struct tcp *tcp, struct tcp_connection *c) {
    switch (c->state) {
    case BERTH_FIN_WAIT_1:
        c->state = BERTH_FIN_WAIT_2;
        return TCP_CONTINUE;
    case BERTH_CLOSING:
        time_wait_enter(tcp, c);
        return TCP_GONE;
    case BERTH_LAST_ACK:
        connection_abort(tcp, c, 0);
        return TCP_GONE;
    default:
        return TCP_CONTINUE;
    }
}

static enum tcp_verdict advance(struct tcp *tcp, struct tcp_connection *c, uint32_t ack,
                                const struct tcp_options *options) {
    struct tcp_active *a = c->active;
    uint32_t acked = ack - c->snd_una, octets = acked < a->send.length ? acked : a->send.length;
    bool fin = acked > octets;
    sample_rtt(tcp, c, ack, options);
    stream_drop(&a->send, tcp->config.allocator, octets);
    c->snd_una = ack;
    if (seq_lt(c->snd_nxt, ack))
        c->snd_nxt = ack;
    tally_acked(tcp, c, octets, a->send.length == 0);
    a->retransmits = a->probes = 0;
    if (a->flags & TCP_A_SOFT_ERROR)
        a->flags &= (uint16_t)~TCP_A_SOFT_ERROR;
    if ((a->flags & TCP_A_SND_URGENT) && seq_ge(ack, a->urgent_seq))
        a->flags &= (uint16_t)~TCP_A_SND_URGENT;
    if (!loss_is_used(c))
        recovery_new_ack(tcp, c, ack, octets);
    path_acked(tcp, c);
    bool all = a->snd_max == ack;
    a->stalled_since = all ? 0 : tcp->now;
    a->rto_at = all ? 0 : rtt_expiry(tcp, c); /* RFC 6298 5.2, 5.3, 6298-4 */
    transfer_tell_of_room(tcp, c);
    return fin ? fin_acknowledged(tcp, c) : TCP_CONTINUE;
}

/* SYN-RECEIVED after a simultaneous open: the ACK of our SYN opens the connection. */
static enum tcp_verdict opened(struct tcp *tcp, struct tcp_connection *c,
                               const struct tcp_segment *segment) {
    if (!seq_gt(segment->ack, c->snd_una) || seq_gt(segment->ack, tcp_snd_max(c))) {
        reply_reset(tcp, segment);
        return TCP_DROP;
    }
    c->state = c->flags & TCP_F_SND_SHUT ? BERTH_FIN_WAIT_1 : BERTH_ESTABLISHED;
    c->snd_una = segment->ack;
    if (seq_lt(c->snd_nxt, c->snd_una))
        c->snd_nxt = c->snd_una;
    c->snd_wnd = offered(c, segment);
    c->snd_wl1 = segment->seq;
    if (c->active) {
        congestion_start(tcp, c, c->active->retransmits > 0);
        if (c->active->retransmits > 0)
            rtt_after_lost_syn(c);
        c->active->rto_at = c->active->stalled_since = c->active->rtt_at = 0;
        c->active->backoff = c->active->retransmits = 0;
        c->active->snd_wnd_max = c->snd_wnd;
        c->active->push_seq = c->active->small_seq = c->snd_una;
        c->active->recover = c->snd_una - 1;
    }
    connection_raise(tcp, c, BERTH_CONNECTED | BERTH_WRITABLE);
    return TCP_CONTINUE;
}

/* MAX.SND.WND. An idle connection knows its last window only, which may be closed; so it is never
 * less than what a window can be without scaling. */
static uint32_t widest_window(const struct tcp_connection *c) {
    uint32_t widest = c->snd_wnd > 65535 ? c->snd_wnd : 65535;
    return c->active && c->active->snd_wnd_max > widest ? c->active->snd_wnd_max : widest;
}

enum tcp_verdict ack_process(struct tcp *tcp, struct tcp_connection *c,
                             const struct tcp_segment *segment, const struct tcp_options *options) {
    uint32_t ack = segment->ack, most = tcp_snd_max(c), old_window = c->snd_wnd;
    if (!(segment->flags & TCP_ACK))
        return TCP_DROP;
    if (c->state == BERTH_SYN_RECEIVED) {
        enum tcp_verdict verdict = opened(tcp, c, segment);
        if (verdict != TCP_CONTINUE)
            return verdict;
    }
    /* RFC 5961 5.2, 5961-3, 9293-E7: acceptable are [SND.UNA - MAX.SND.WND, SND.MAX]; what is not
     * is answered and dropped, its data too. */
    if (seq_gt(ack, most) || seq_lt(ack, c->snd_una - widest_window(c))) {
        ack_challenge(tcp, c);
        return TCP_DROP;
    }
    if (seq_ge(ack, c->snd_una))
        ack_window(c, segment);
    struct tcp_active *a = c->active;
    if (!a)
        return TCP_CONTINUE;
    enum tcp_verdict verdict = TCP_CONTINUE;
    struct loss_news news;
    bool scored = loss_is_used(c) && seq_ge(ack, c->snd_una);
    a->keepalive_probes = 0;
    if (scored)
        loss_hear(tcp, c, ack, options, &news);
    if (seq_gt(ack, c->snd_una)) {
        verdict = advance(tcp, c, ack, options);
        if (verdict != TCP_CONTINUE)
            return verdict;
    } else if (ack == c->snd_una) {
        a->probes = 0; /* the peer is there, though its window may be closed (MUST-37) */
        if (!scored && is_duplicate(c, segment, old_window))
            recovery_dup_ack(tcp, c);
    }
    if (scored)
        loss_act(tcp, c, &news);
    if ((a->flags & TCP_A_PERSIST) && c->snd_wnd != 0) {
        a->flags &= (uint16_t)~TCP_A_PERSIST;
        a->rto_at = a->stalled_since = 0;
        a->backoff = 0;
    }
    if (a->send.length > c->snd_nxt - c->snd_una || (c->flags & TCP_F_SND_SHUT))
        connection_owes(tcp, c);
    return TCP_CONTINUE;
}
