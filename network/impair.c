/* Netem's order of decisions (net/sched/sch_netem.c): duplicate, lose, corrupt, the queue's limit,
 * then either ahead of the queue (reorder) or the delay and the rate.
 *
 * With a rate, a frame leaves one serialisation time after the later of its own delay's end and the
 * departure of the frame before it, which is what a slow line with a propagation delay does; so a
 * rate keeps the order even with jitter. Without one, jitter reorders by itself. */
#include "network/impair.h"
#include <errno.h>

static bool is_probability(double p) {
    return p >= 0.0 && p <= 1.0; /* false for a NaN */
}

int impair_check(const struct berth_impairment *what) {
    const uint64_t most = UINT64_C(1) << 62;
    if (!is_probability(what->loss) || !is_probability(what->duplicate) ||
        !is_probability(what->corrupt) || !is_probability(what->reorder))
        return -EINVAL;
    if (what->delay > most || what->jitter > most)
        return -EINVAL;
    if (what->reorder > 0.0 && what->delay == 0)
        return -EINVAL;
    return 0;
}

bool impair_small(const struct berth_impairment *what) {
    return what->loss > 0.0 || what->duplicate > 0.0 || what->corrupt > 0.0 ||
           what->reorder > 0.0 || what->rate != 0 || what->limit != 0;
}

bool impair_any(const struct berth_impairment *what) {
    return impair_small(what) || what->delay != 0 || what->jitter != 0;
}

/* Draws only when there is a choice, so that an unused word leaves the other draws as they are. */
static bool happens(struct impair *impair, double probability) {
    if (probability <= 0.0)
        return false;
    return (double)(random_u64(&impair->random) >> 11) * 0x1p-53 < probability;
}

static uint64_t add_saturating(uint64_t a, uint64_t b) {
    return a > BERTH_NEVER - 1 - b ? BERTH_NEVER - 1 : a + b;
}

static uint64_t draw_delay(struct impair *impair) {
    uint64_t delay = impair->what.delay, jitter = impair->what.jitter;
    if (jitter == 0)
        return delay;
    uint64_t high = delay + random_u64(&impair->random) % (2 * jitter + 1);
    return high > jitter ? high - jitter : 0;
}

static uint64_t arrival(struct impair *impair, size_t length, uint64_t now) {
    if (happens(impair, impair->what.reorder))
        return now;
    uint64_t at = add_saturating(now, draw_delay(impair));
    if (impair->what.rate != 0) {
        uint64_t serialisation = (uint64_t)length * 8 * BERTH_SECOND / impair->what.rate;
        at = add_saturating(at > impair->last ? at : impair->last, serialisation);
        impair->last = at;
    }
    return at;
}

struct impair_verdict impair_judge(struct impair *impair, size_t length, uint64_t now, bool copy) {
    const struct berth_impairment *what = &impair->what;
    struct impair_verdict verdict = {NULL, 0, false, false};
    verdict.at = add_saturating(now, what->delay);
    if (verdict.at < impair->last)
        verdict.at = impair->last;
    bool twice = !copy && happens(impair, what->duplicate);
    if (happens(impair, what->loss)) {
        /* A frame that is doubled and lost is there once. */
        if (!twice) {
            verdict.dropped = "dropped: loss (netem)";
            return verdict;
        }
        twice = false;
    }
    verdict.duplicate = twice;
    verdict.corrupt = happens(impair, what->corrupt);
    if (impair->queued >= (what->limit != 0 ? what->limit : IMPAIR_LIMIT_DEFAULT)) {
        verdict.dropped = "dropped: queue limit (netem)";
        return verdict;
    }
    verdict.at = arrival(impair, length, now);
    return verdict;
}
