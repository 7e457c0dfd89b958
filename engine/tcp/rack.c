/* RACK: which octets are lost, by time (RFC 8985 section 6).
 *
 * THEORY. What was sent before something that has been delivered, by more than a reordering window,
 * is lost: so a lost retransmission is found like any other loss, and three duplicates are not
 * waited for where few segments are in flight. The window is 0 as long as no reordering was seen
 * and enough is SACKed (DupThresh, as ever); else a quarter of the smallest RTT, and more when
 * D-SACKs say that what was sent again was not lost. */
#include "engine/tcp/connection.h"

enum { PERSIST = 16 }; /* recoveries after which a window that has grown is small again */

/* 6.2, step 4, 8985-1: ns. */
static uint64_t reordering_window(const struct tcp_connection *c) {
    const struct tcp_active *a = c->active;
    const struct loss *l = &a->loss;
    bool sure = a->flags & TCP_A_RECOVERY || l->flags & LOSS_TIMEOUT ||
                l->score.sacked > 2 * connection_payload_most(c);
    if (sure && !(l->flags & LOSS_REORDERED))
        return 0;
    uint64_t smoothed = (uint64_t)(c->srtt >> 3) * 1000;
    uint64_t least = l->min_rtt ? (uint64_t)l->min_rtt * 1000 : smoothed;
    uint64_t window = least / 4 * (l->mult + 1u);
    return window < smoothed ? window : smoothed;
}

/* Steps 1 to 3, and the D-SACK part of step 4. */
void rack_hear(struct tcp *tcp, struct tcp_connection *c, const struct loss_news *news) {
    struct loss *l = &c->active->loss;
    l->fack = news->score.high;
    if (news->score.reordered) {
        l->flags |= LOSS_REORDERED;
        tally_reordered(c, news->score.reordered);
    }
    if (news->score.at && score_sent_after(news->score.at, news->score.end, l->at, l->end)) {
        l->at = news->score.at;
        l->end = news->score.end;
        l->rtt = tcp->now > l->at ? tcp->now - l->at : 0;
        if (!(c->flags & TCP_F_TIMESTAMPS)) /* else each echo is a sample: ack.c */
            congestion_on_rtt(c, (uint32_t)(l->rtt / 1000));
    }
    if (l->flags & LOSS_ROUND && seq_ge(c->snd_una, l->dsack_round))
        l->flags &= (uint16_t)~LOSS_ROUND;
    bool probe = l->flags & LOSS_PROBE_COPY && news->dsack_right == l->probe_end;
    if (news->dsack && !probe && !(l->flags & LOSS_ROUND)) {
        l->flags |= LOSS_ROUND;
        l->dsack_round = tcp_snd_max(c);
        l->persist = PERSIST;
        if (l->mult < UINT8_MAX)
            l->mult++;
    }
}

void rack_recovered(struct loss *l) {
    if (l->persist && --l->persist == 0)
        l->mult = 0;
}

/* Step 5. */
uint32_t rack_detect(struct tcp *tcp, struct tcp_connection *c) {
    struct loss *l = &c->active->loss;
    uint64_t patience = l->rtt + reordering_window(c), wait;
    uint64_t limit = tcp->now > patience ? tcp->now - patience : 0;
    uint32_t lost = score_lose_before(&l->score, l->at, l->end, limit, &wait);
    l->timer_at = wait ? tcp->now + wait : 0;
    l->flags = (uint16_t)((l->flags & ~LOSS_REORDER) | (wait ? LOSS_REORDER : 0));
    return lost;
}

/* 6.3, 8985-3: after a timeout, the first segment and what is as old as a loss must be. */
void rack_timeout(struct tcp *tcp, struct tcp_connection *c) {
    struct loss *l = &c->active->loss;
    uint64_t rtt = l->rtt ? l->rtt : (uint64_t)(c->srtt >> 3) * 1000;
    uint64_t patience = rtt + reordering_window(c);
    score_lose_old(&l->score, tcp->now > patience ? tcp->now - patience : 0);
}
