/* Recoveries that were for nothing, and are undone: what was thought lost was only late.
 *
 * Three signs. The echo of a timestamp older than the first octets that were sent again, with the
 * ACK that covers them: the peer answers the first sending (Eifel, RFC 3522, RFC 4015). D-SACKs for
 * all that was sent again (RFC 3708). And after a timeout, without either, that octets are
 * acknowledged which were in flight before it and have not been sent again (F-RTO, RFC 5682). */
#include "engine/tcp/connection.h"

void undo_begin(struct tcp_connection *c) {
    struct loss *l = &c->active->loss;
    l->flags = (uint16_t)((l->flags & ~LOSS_UNDO_TS) | LOSS_UNDO);
    l->undo_una = c->snd_una;
    l->undo_cwnd = c->cwnd;
    l->undo_ssthresh = c->ssthresh;
    l->undo_congestion = c->active->congestion;
    l->undo_octets = 0;
}

void undo_resent(struct tcp *tcp, struct tcp_connection *c, uint32_t length) {
    struct loss *l = &c->active->loss;
    l->undo_octets += length;
    if (!(l->flags & LOSS_UNDO_TS))
        l->undo_ts = tcp_ts_now(tcp, c);
    l->flags |= LOSS_UNDO_TS;
}

/* RFC 3708 section 2, 4015-1: each octet that was sent again has arrived twice. */
static bool all_duplicates(struct loss *l, const struct loss_news *news) {
    if (!news->dsack || !(l->flags & LOSS_UNDO_TS) || seq_lt(news->dsack_left, l->undo_una))
        return false;
    uint32_t length = news->dsack_right - news->dsack_left;
    l->undo_octets -= length < l->undo_octets ? length : l->undo_octets;
    return l->undo_octets == 0;
}

/* RFC 5682 section 3.1, 5682-1. */
static bool was_not_due(struct tcp_connection *c, const struct loss_news *news) {
    struct tcp_active *a = c->active;
    struct loss *l = &a->loss;
    bool moved = c->snd_una != news->una, fresh = news->score.fresh_at != 0;
    if (!(l->flags & LOSS_FRTO) || seq_ge(c->snd_una, a->recover))
        return false;
    if (fresh && seq_lt(news->score.fresh, a->recover))
        return true; /* step 3b */
    if (fresh || (!moved && news->score.delivered == 0))
        l->flags &= (uint16_t)~LOSS_FRTO; /* 3a, 2a: the loss was real */
    return false;
}

bool undo_try(struct tcp *tcp, struct tcp_connection *c, const struct loss_news *news) {
    struct tcp_active *a = c->active;
    struct loss *l = &a->loss;
    bool recovering = a->flags & TCP_A_RECOVERY || l->flags & LOSS_TIMEOUT;
    if (!(l->flags & LOSS_UNDO))
        return false;
    if (!(recovering && news->eifel) && !all_duplicates(l, news) && !was_not_due(c, news))
        return false;
    c->cwnd = c->cwnd > l->undo_cwnd ? c->cwnd : l->undo_cwnd;
    c->ssthresh = c->ssthresh > l->undo_ssthresh ? c->ssthresh : l->undo_ssthresh;
    a->congestion = l->undo_congestion;
    a->flags &= (uint16_t)~TCP_A_RECOVERY;
    l->flags &= (uint16_t) ~(LOSS_TIMEOUT | LOSS_FRTO | LOSS_UNDO | LOSS_UNDO_TS);
    a->backoff = 0;
    score_find_all(&l->score);
    tcp->counters->tcp_recoveries_undone++;
    return true;
}
