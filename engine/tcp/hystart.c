/* HyStart++ (RFC 9406): the first slow start ends when round trips grow longer, before it
 * overflows a queue.
 *
 * THEORY. A round is the time until what was sent at its beginning is acknowledged. When the
 * smallest RTT of a round is a good deal larger than that of the round before, a queue is filling:
 * conservative slow start (CSS) begins, in which cwnd grows at a quarter of the pace. If after that
 * an RTT is smaller again than at the time it began, it was a false alarm (4.2); if five rounds
 * pass without, slow start is over. Later slow starts know ssthresh and need no such guess (4.3).
 */
#include "engine/tcp/connection.h"

/* RFC 9406 4.3 */
enum {
    MIN_RTT_THRESH = 4000,  /* us */
    MAX_RTT_THRESH = 16000, /* us */
    MIN_RTT_DIVISOR = 8,
    N_RTT_SAMPLE = 8,
    CSS_GROWTH_DIVISOR = 4,
    CSS_ROUNDS = 5,
};

void hystart_sample(struct hystart *h, uint32_t us) {
    us = us ? us : 1;
    if (h->min == 0 || us < h->min)
        h->min = us;
    if (h->samples < UINT8_MAX)
        h->samples++;
}

/* 9406-1 */
static void next_round(struct hystart *h, uint32_t snd_max) {
    h->round_end = snd_max;
    h->last_min = h->running ? h->min : 0;
    h->min = 0;
    h->samples = 0;
    if (h->baseline)
        h->rounds++;
    h->running = true;
}

/* What the samples of this round say so far (9406-1). */
static void judge(struct hystart *h) {
    if (h->samples < N_RTT_SAMPLE)
        return;
    if (h->baseline) {
        if (h->min < h->baseline)
            h->baseline = 0; /* a false alarm: slow start goes on */
        return;
    }
    uint32_t threshold = h->last_min / MIN_RTT_DIVISOR;
    threshold = threshold < MIN_RTT_THRESH   ? MIN_RTT_THRESH
                : threshold > MAX_RTT_THRESH ? MAX_RTT_THRESH
                                             : threshold;
    if (h->last_min && h->min >= h->last_min + threshold) {
        h->baseline = h->min;
        h->rounds = 0;
    }
}

/* 9406-1 */
uint32_t hystart_increase(struct tcp_connection *c, uint32_t acked) {
    struct hystart *h = &c->active->congestion.hystart;
    if (c->ssthresh != UINT32_MAX) /* not the first slow start */
        return acked;
    judge(h);
    if (!h->running || seq_ge(c->snd_una, h->round_end))
        next_round(h, tcp_snd_max(c));
    if (!h->baseline)
        return acked;
    uint32_t growth = acked / CSS_GROWTH_DIVISOR;
    if (h->rounds >= CSS_ROUNDS)
        c->ssthresh = c->cwnd + growth;
    return growth;
}
