/* Loss recovery where both ends permitted SACK: RFC 6675's, with the losses found by time (RACK,
 * RFC 8985; rack.c), the window during recovery by PRR (RFC 6937), probes of a silent tail (tlp.c),
 * and what turns out to have been for nothing undone (undo.c).
 *
 * THEORY. Nothing is resent because snd_nxt falls back: the scoreboard (score.c) says which octets
 * are lost, output.c sends those first (RFC 6675 NextSeg, rule 1), then new ones, as long as cwnd
 * exceeds `pipe`, the octets thought to be in the network. Limited transmit (RFC 3042) comes by
 * itself: what is SACKed leaves the pipe. Three states: open; recovery (TCP_A_RECOVERY), entered
 * once a loss is found and left when all that was out at that time is acknowledged; timeout
 * (LOSS_TIMEOUT), likewise.
 *
 * An ACK is heard before SND.UNA moves and acted on after: between the two ack.c drops octets,
 * takes RTT samples and restarts the retransmission timer. */
#include "engine/tcp/connection.h"

bool loss_is_used(const struct tcp_connection *c) {
    return c->sack && c->active && c->state != BERTH_SYN_SENT && c->state != BERTH_SYN_RECEIVED;
}

static bool is_recovering(const struct tcp_active *a) {
    return a->flags & TCP_A_RECOVERY || a->loss.flags & LOSS_TIMEOUT;
}

/* Begins to keep score of what is in flight, where nothing is known of it. */
static bool ensure(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    if (a->loss.score.count == 0 && a->snd_max != c->snd_una && c->snd_nxt == a->snd_max)
        score_sent(&a->loss.score, tcp->config.allocator, c->snd_una, a->snd_max, tcp->now);
    return a->loss.score.count != 0;
}

void loss_reset(struct tcp *tcp, struct tcp_connection *c) {
    struct loss *l = &c->active->loss;
    score_clear(&l->score, tcp->config.allocator);
    l->flags &= LOSS_REORDERED | LOSS_ROUND;
    l->timer_at = 0;
}

/* ---- sending ---- */

/* The time of what is sent now, such that times and, within one time, sequence numbers tell the
 * order of sending: what follows a higher number at the same time is a nanosecond later. */
static uint64_t stamp(const struct tcp *tcp, struct loss *l, uint32_t seq, uint32_t end) {
    if (tcp->now > l->sent_at)
        l->sent_at = tcp->now;
    else if (seq_lt(seq, l->sent_end))
        l->sent_at++;
    l->sent_end = end;
    return l->sent_at;
}

void loss_sent(struct tcp *tcp, struct tcp_connection *c, uint32_t seq, uint32_t end, bool fresh) {
    struct tcp_active *a = c->active;
    struct loss *l = &a->loss;
    struct score *s = &l->score;
    uint64_t at = stamp(tcp, l, seq, end);
    if (a->flags & TCP_A_RECOVERY)
        l->prr_out += end - seq;
    if (fresh) {
        score_sent(s, tcp->config.allocator, c->snd_una, end, at);
        tlp_arm(tcp, c);
        return;
    }
    if (s->count == 0)
        return; /* it goes back N */
    if (!score_resent(s, tcp->config.allocator, seq, end, at) && s->waiting)
        recovery_go_back(tcp, c);
    else if (is_recovering(a))
        undo_resent(tcp, c, end - seq);
}

uint32_t loss_room(const struct tcp_connection *c) {
    const struct tcp_active *a = c->active;
    bool scored = loss_is_used(c) && a->loss.score.count;
    uint32_t pipe = scored ? a->loss.score.pipe : c->snd_nxt - c->snd_una;
    uint32_t window = c->cwnd + a->limited * connection_payload_most(c);
    return window > pipe ? window - pipe : 0; /* 6675-1 */
}

/* RFC 5682 section 3.1, step 2b, 5682-1: after the first ACK that follows a timeout new octets show
 * whether it was spurious. Without any, it cannot be told that way. */
static bool tries_new_octets(struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    uint32_t ahead = c->snd_nxt - c->snd_una;
    if (!(a->loss.flags & LOSS_FRTO) || c->snd_una == a->loss.undo_una)
        return false;
    if (a->send.length > ahead && c->snd_wnd > ahead)
        return true;
    a->loss.flags &= (uint16_t)~LOSS_FRTO;
    return false;
}

bool loss_next(struct tcp_connection *c, uint32_t *seq, uint32_t *end) {
    struct score *s = &c->active->loss.score;
    uint32_t mss = connection_payload_most(c);
    if (tries_new_octets(c) || !score_next(s, seq, end))
        return false;
    if (*seq != c->snd_una && *seq - c->snd_una >= c->snd_wnd)
        return false; /* the peer has withdrawn its window from it */
    if (*end - *seq > mss)
        *end = *seq + mss;
    return loss_room(c) >= *end - *seq;
}

/* ---- what an ACK says ---- */

/* RFC 2883 section 4, 4015-1: the first block reports a duplicate if the cumulative ACK covers it,
 * or the second block. */
static void hear_duplicate(const struct tcp_connection *c, uint32_t ack,
                           const struct tcp_options *options, struct loss_news *news) {
    uint32_t left = options->sack[0].left, right = options->sack[0].right;
    /* Distances from the oldest octet that may still come twice; see score_sack. */
    uint32_t oldest = c->snd_una - c->active->snd_wnd_max;
    uint32_t from = left - oldest, to = right - oldest;
    bool below = to <= ack - oldest;
    bool within = options->sack_count > 1 && from >= options->sack[1].left - oldest &&
                  to <= options->sack[1].right - oldest;
    news->dsack = (below || within) && from < to && to <= tcp_snd_max(c) - oldest;
    c->active->tally.dsacks += news->dsack;
    news->dsack_left = left;
    news->dsack_right = right;
}

/* Of octets that were sent twice, an ACK does not mean what was sent later than this: within the
 * smallest round trip (RFC 8985 6.2 step 2); and, with the echo of what moved SND.UNA, than that.
 */
static uint64_t credible(const struct tcp *tcp, const struct tcp_connection *c,
                         const struct tcp_options *options, bool moves) {
    uint64_t least = (uint64_t)c->active->loss.min_rtt * 1000;
    uint64_t limit = tcp->now > least ? tcp->now - least : 0;
    if (moves && c->flags & TCP_F_TIMESTAMPS && options->has_timestamps) {
        uint64_t age = (uint64_t)(tcp_ts_now(tcp, c) - options->ts_echo) * BERTH_MS;
        uint64_t echoed = age > tcp->now ? 0 : (tcp->now - age) / BERTH_MS * BERTH_MS + BERTH_MS;
        limit = echoed < limit ? echoed : limit;
    }
    return limit;
}

void loss_hear(struct tcp *tcp, struct tcp_connection *c, uint32_t ack,
               const struct tcp_options *options, struct loss_news *news) {
    struct loss *l = &c->active->loss;
    struct berth_allocator allocator = tcp->config.allocator;
    bool moves = seq_gt(ack, c->snd_una);
    l->fack = seq_max(l->fack, c->snd_una);
    *news = (struct loss_news){.una = c->snd_una, .score.fack = l->fack};
    news->score.high = l->fack;
    news->sack = options->sack_count != 0;
    news->eifel = moves && c->flags & TCP_F_TIMESTAMPS && options->has_timestamps &&
                  l->flags & LOSS_UNDO_TS && seq_lt(options->ts_echo, l->undo_ts);
    news->score.credible = credible(tcp, c, options, moves);
    if (moves && l->score.count)
        score_ack(&l->score, allocator, ack, &news->score);
    if (!news->sack)
        return;
    hear_duplicate(c, ack, options, news);
    if (!l->score.count && (moves || !ensure(tcp, c)))
        return;
    news->score.credible = credible(tcp, c, options, false);
    for (unsigned i = news->dsack; i < options->sack_count; i++)
        score_sack(&l->score, allocator, options->sack[i].left, options->sack[i].right,
                   &news->score);
    if (news->score.sacked)
        score_tidy(&l->score);
}

/* ---- what is done about it ---- */

/* RFC 6937 section 3, 6937-1: in recovery, so much may be sent that what is in the network shrinks
 * to ssthresh in proportion to what is delivered; and if it is below, it grows to it as in slow
 * start (PRR-SSRB). */
static void reduce(struct tcp_connection *c, uint32_t delivered) {
    struct loss *l = &c->active->loss;
    uint32_t pipe = l->score.pipe, send = 0;
    l->prr_delivered += delivered;
    if (pipe > c->ssthresh) {
        uint64_t share = (uint64_t)l->prr_delivered * c->ssthresh;
        share = (share + l->prr_flight - 1) / l->prr_flight;
        send = share > l->prr_out ? (uint32_t)share - l->prr_out : 0;
    } else {
        uint32_t behind = l->prr_delivered > l->prr_out ? l->prr_delivered - l->prr_out : 0;
        uint32_t limit = (behind > delivered ? behind : delivered) + c->mss;
        send = c->ssthresh - pipe < limit ? c->ssthresh - pipe : limit;
    }
    if (l->prr_out == 0 && send < c->mss)
        send = c->mss; /* the fast retransmission itself */
    c->cwnd = pipe + send;
}

static void enter(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    uint32_t flight = tcp_flight(c) < c->cwnd ? tcp_flight(c) : c->cwnd;
    undo_begin(c);
    congestion_on_loss(c, flight); /* RFC 6675 section 5, step 4.2 */
    a->recover = a->snd_max;
    a->flags |= TCP_A_RECOVERY;
    a->loss.prr_delivered = a->loss.prr_out = 0;
    a->loss.prr_flight = tcp_flight(c);
    tcp->counters->tcp_fast_retransmits++;
}

static void leave(struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    rack_recovered(&a->loss);
    if (a->flags & TCP_A_RECOVERY) {
        congestion_on_recovered(c, tcp_flight(c));
        c->cwnd = c->ssthresh; /* RFC 6937: PRR has seen to it that no burst follows */
    }
    a->flags &= (uint16_t)~TCP_A_RECOVERY;
    a->loss.flags &= (uint16_t) ~(LOSS_TIMEOUT | LOSS_FRTO);
    a->loss.undo_end = a->snd_max;
}

static void grow(struct tcp *tcp, struct tcp_connection *c, uint32_t octets) {
    struct tcp_active *a = c->active;
    bool full = a->flags & TCP_A_CWND_FULL || a->loss.flags & LOSS_TIMEOUT;
    congestion_on_ack(tcp, c, octets, !full);
    if (seq_ge(c->snd_una, a->cwnd_seq))
        a->flags &= (uint16_t)~TCP_A_CWND_FULL;
}

/* The losses that have been found begin a recovery, unless there is one. */
static void react(struct tcp *tcp, struct tcp_connection *c, uint32_t lost, uint32_t delivered) {
    struct tcp_active *a = c->active;
    if (lost && !is_recovering(a) && !path_lost(tcp, c, lost))
        enter(tcp, c);
    if (a->flags & TCP_A_RECOVERY)
        reduce(c, delivered);
    if (a->loss.score.waiting)
        connection_owes(tcp, c);
}

/* RFC 2018 section 8, 2018-3: the peer acknowledges less than it said it held. A timeout will take
 * it at its word; it need not be a long one (as Linux). */
static void suspect(const struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    uint64_t soon = tcp->now + (uint64_t)(c->srtt >> 4) * 1000 + 10 * BERTH_MS;
    if (a->rto_at > soon)
        a->rto_at = soon;
}

/* RFC 6298 5.1: what is out is waited for. The clock stands since it has expired, and a
 * retransmission would start it; but this ACK has shown that there is nothing to send again. */
static void wait_on(const struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    if (a->rto_at == 0 && tcp_flight(c) != 0 && a->loss.score.waiting == 0)
        a->rto_at = rtt_expiry(tcp, c);
}

void loss_act(struct tcp *tcp, struct tcp_connection *c, const struct loss_news *news) {
    struct tcp_active *a = c->active;
    struct loss *l = &a->loss;
    uint32_t acked = c->snd_una - news->una;
    bool scored = l->score.count || news->score.delivered, left = false;
    rack_hear(tcp, c, news);
    tlp_hear(tcp, c, news);
    undo_try(tcp, c, news);
    if (is_recovering(a) && seq_ge(c->snd_una, a->recover)) {
        leave(c);
        left = true;
    } else if (!is_recovering(a) && seq_gt(c->snd_una, a->recover)) {
        a->recover = c->snd_una - 1; /* it must not fall behind by half of the sequence space */
        if (seq_gt(c->snd_una, l->undo_end))
            l->flags &= (uint16_t) ~(LOSS_UNDO | LOSS_UNDO_TS);
    }
    uint32_t lost = l->score.sacked || is_recovering(a) ? rack_detect(tcp, c) : 0;
    react(tcp, c, lost, news->score.delivered);
    if (l->flags & LOSS_TIMEOUT && scored && news->score.delivered)
        grow(tcp, c, news->score.delivered); /* in slow start each delivered octet counts once */
    else if (!is_recovering(a) && acked) /* with the ACK that ends a recovery a stage of cubic.c's
                                            begins; PRR has counted what was SACKed before */
        grow(tcp, c, left && scored ? news->score.delivered : acked);
    wait_on(tcp, c);
    if (score_is_reneged(&l->score))
        suspect(tcp, c);
    if (l->score.count == 0) {
        l->timer_at = 0;
        l->flags &= (uint16_t) ~(LOSS_REORDER | LOSS_PROBE_DUE);
    } else if (acked || l->score.sacked) {
        tlp_arm(tcp, c);
    }
}

/* ---- time ---- */

void loss_due(struct tcp *tcp, struct tcp_connection *c) {
    struct loss *l = &c->active->loss;
    bool reorder = l->flags & LOSS_REORDER;
    l->timer_at = 0;
    l->flags &= (uint16_t)~LOSS_REORDER;
    if (reorder)
        react(tcp, c, rack_detect(tcp, c), 0);
    else
        tlp_due(tcp, c);
}

void loss_timeout(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    struct loss *l = &a->loss;
    bool first = a->retransmits == 0, afresh = first && !is_recovering(a);
    if (afresh)
        undo_begin(c);
    else if (!(l->flags & LOSS_TIMEOUT))
        l->flags &= (uint16_t)~LOSS_UNDO;
    congestion_on_timeout(c, tcp_flight(c), first);
    if (!ensure(tcp, c)) {
        recovery_go_back(tcp, c);
        return;
    }
    if (score_is_reneged(&l->score))
        score_renege(&l->score); /* RFC 2018 section 8, 2018-3 */
    rack_timeout(tcp, c);
    a->flags &= (uint16_t)~TCP_A_RECOVERY;
    a->recover = a->snd_max;
    a->rtt_at = 0; /* Karn */
    l->flags &=
        (uint16_t) ~(LOSS_REORDER | LOSS_PROBE | LOSS_PROBE_COPY | LOSS_PROBE_DUE | LOSS_FRTO);
    l->flags |= LOSS_TIMEOUT | (afresh ? LOSS_FRTO : 0);
    l->timer_at = 0;
    c->cwnd = l->score.pipe + c->mss; /* one segment more than there may be (RFC 5681 3.1) */
}
