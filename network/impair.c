/* Netem's order of decisions (net/sched/sch_netem.c): duplicate, lose, corrupt, the queue's limit,
 * then either ahead of the queue (reorder) or the delay and the rate.
 *
 * With a rate, a frame leaves one serialisation time after the later of its own delay's end and the
 * departure of the frame before it, which is what a slow line with a propagation delay does; so a
 * rate keeps the order even with jitter. Without one, jitter reorders by itself.
 *
 * A correlation is the probability that a frame shares the number that was drawn for the one
 * before. So neighbours' numbers are correlated by just that much, and each is still uniform:
 * percentages and delays stay what was asked for. (Netem mixes the two numbers, whose mixture is no
 * longer uniform.) */
#include "network/impair.h"
#include "network/distribution.h"
#include <errno.h>
#include <string.h>

static bool is_probability(double p) {
    return p >= 0.0 && p <= 1.0; /* false for a NaN */
}

struct berth_impairment impair_given(const struct berth_impairment *given) {
    struct berth_impairment what = {0};
    size_t size = given->size != 0 && given->size < sizeof what ? given->size : sizeof what;
    memcpy(&what, given, size);
    what.size = sizeof what;
    return what;
}

void impair_tell(const struct impair *impair, struct berth_impairment *wanted) {
    size_t size = wanted->size, all = sizeof *wanted;
    memcpy(wanted, &impair->what, size != 0 && size < all ? size : all);
    wanted->size = size;
}

static bool check_chain(const struct berth_impairment *what) {
    for (int i = 0; i < 5; i++)
        if (!is_probability(what->chain[i]))
            return false;
    if (what->loss_model != BERTH_LOSS_STATE)
        return true;
    /* P13 and P14 leave one state, P31 and P32 another. */
    const double *chain = what->chain;
    return chain[0] + chain[4] <= 1.0 && chain[1] + chain[2] <= 1.0;
}

int impair_check(const struct berth_impairment *what) {
    const uint64_t most = UINT64_C(1) << 62;
    const double parts[] = {what->loss,
                            what->duplicate,
                            what->corrupt,
                            what->reorder,
                            what->delay_correlation,
                            what->loss_correlation,
                            what->duplicate_correlation,
                            what->corrupt_correlation,
                            what->reorder_correlation};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!is_probability(parts[i]))
            return -EINVAL;
    if (what->distribution > BERTH_PARETONORMAL || what->loss_model > BERTH_LOSS_STATE ||
        !check_chain(what))
        return -EINVAL;
    if (what->delay > most || what->jitter > most)
        return -EINVAL;
    if ((what->reorder > 0.0 && what->delay == 0) || (what->gap > 1 && what->reorder <= 0.0))
        return -EINVAL;
    return 0;
}

void impair_set(struct impair *impair, const struct berth_impairment *what) {
    impair->what = *what;
    impair->last = 0;
    impair->remainder = 0;
    impair->waited = 0;
    impair->state = LOSS_GOOD;
}

bool impair_small(const struct berth_impairment *what) {
    return what->loss > 0.0 || what->loss_model != BERTH_LOSS_RANDOM || what->duplicate > 0.0 ||
           what->corrupt > 0.0 || what->reorder > 0.0 || what->rate != 0 || what->limit != 0;
}

bool impair_any(const struct berth_impairment *what) {
    return impair_small(what) || what->delay != 0 || what->jitter != 0;
}

/* ---- luck ---- */

static bool is_below(uint64_t number, double probability) {
    return (double)(number >> 11) * 0x1p-53 < probability;
}

static uint64_t draw(struct impair *impair, struct luck *luck, double correlation) {
    if (correlation > 0.0 && luck->drawn && is_below(random_u64(&impair->random), correlation))
        return luck->last;
    luck->drawn = true;
    luck->last = random_u64(&impair->random);
    return luck->last;
}

/* Draws only when there is a choice, so that an unused word leaves the other draws as they are. */
static bool happens(struct impair *impair, double probability, struct luck *luck,
                    double correlation) {
    return probability > 0.0 && is_below(draw(impair, luck, correlation), probability);
}

static bool chance(struct impair *impair, double probability) {
    return probability > 0.0 && is_below(random_u64(&impair->random), probability);
}

/* ---- losses that follow a chain ---- */

/* As netem: the state changes first, and what the frame meets is the state it was in. */
static bool lost_in_gemodel(struct impair *impair) {
    const double *chain = impair->what.chain;
    bool bad = impair->state == LOSS_BAD;
    if (chance(impair, chain[bad ? 1 : 0]))
        impair->state = bad ? LOSS_GOOD : LOSS_BAD;
    return chance(impair, chain[bad ? 2 : 3]);
}

/* Netem's numbers: 1 sent in a gap between bursts (good), 2 sent within a burst, 3 lost in a burst
 * (bad), 4 lost alone. */
static bool lost_in_states(struct impair *impair) {
    const double p13 = impair->what.chain[0], p31 = impair->what.chain[1],
                 p32 = impair->what.chain[2], p23 = impair->what.chain[3],
                 p14 = impair->what.chain[4];
    uint64_t number = random_u64(&impair->random);
    switch (impair->state) {
    case LOSS_GOOD:
        if (is_below(number, p14))
            impair->state = LOSS_ALONE;
        else if (is_below(number, p14 + p13))
            impair->state = LOSS_BAD;
        break;
    case LOSS_SENT_IN_BURST:
        if (is_below(number, p23))
            impair->state = LOSS_BAD;
        break;
    case LOSS_BAD:
        if (is_below(number, p32))
            impair->state = LOSS_SENT_IN_BURST;
        else if (is_below(number, p32 + p31))
            impair->state = LOSS_GOOD;
        break;
    case LOSS_ALONE:
        impair->state = LOSS_GOOD;
        break;
    }
    return impair->state == LOSS_BAD || impair->state == LOSS_ALONE;
}

static bool is_lost(struct impair *impair) {
    const struct berth_impairment *what = &impair->what;
    switch (what->loss_model) {
    case BERTH_LOSS_GEMODEL:
        return lost_in_gemodel(impair);
    case BERTH_LOSS_STATE:
        return lost_in_states(impair);
    case BERTH_LOSS_RANDOM:
        break;
    }
    return happens(impair, what->loss, &impair->loss, what->loss_correlation);
}

/* ---- time ---- */

static uint64_t add_saturating(uint64_t a, uint64_t b) {
    return a > BERTH_NEVER - 1 - b ? BERTH_NEVER - 1 : a + b;
}

static uint64_t draw_delay(struct impair *impair) {
    const struct berth_impairment *what = &impair->what;
    if (what->jitter == 0)
        return what->delay;
    uint64_t number = draw(impair, &impair->delay, what->delay_correlation);
    uint32_t other = (uint32_t)number, one = (uint32_t)(number >> 32);
    double off = (double)what->jitter * distribution_deviate(what->distribution, one, other);
    double most = 0x1p63;
    if (off < 0)
        return -off < (double)what->delay ? what->delay - (uint64_t)-off : 0;
    return add_saturating(what->delay, off < most ? (uint64_t)off : UINT64_C(1) << 63);
}

/* The time on the wire. What does not make a whole nanosecond is the next one's, or short frames on
 * fast lines would pass too fast. */
static uint64_t serialise(struct impair *impair, size_t length, uint64_t at) {
    if (at > impair->last)
        impair->remainder = 0;
    else
        at = impair->last;
    uint64_t time = (uint64_t)length * 8 * BERTH_SECOND + impair->remainder;
    impair->remainder = time % impair->what.rate;
    impair->last = add_saturating(at, time / impair->what.rate);
    return impair->last;
}

static bool goes_ahead(struct impair *impair) {
    const struct berth_impairment *what = &impair->what;
    if ((what->gap <= 1 || impair->waited >= what->gap - 1) &&
        happens(impair, what->reorder, &impair->reorder, what->reorder_correlation)) {
        impair->waited = 0;
        return true;
    }
    if (impair->waited < UINT32_MAX)
        impair->waited++;
    return false;
}

static uint64_t arrival(struct impair *impair, size_t length, uint64_t now) {
    if (goes_ahead(impair))
        return now;
    uint64_t at = add_saturating(now, draw_delay(impair));
    return impair->what.rate != 0 ? serialise(impair, length, at) : at;
}

struct impair_verdict impair_judge(struct impair *impair, size_t length, uint64_t now, bool copy) {
    const struct berth_impairment *what = &impair->what;
    struct impair_verdict verdict = {NULL, 0, false, false};
    verdict.at = add_saturating(now, what->delay);
    if (verdict.at < impair->last)
        verdict.at = impair->last;
    bool twice =
        !copy && happens(impair, what->duplicate, &impair->duplicate, what->duplicate_correlation);
    if (is_lost(impair)) {
        /* A frame that is doubled and lost is there once. */
        if (!twice) {
            verdict.dropped = "dropped: loss (netem)";
            return verdict;
        }
        twice = false;
    }
    verdict.duplicate = twice;
    verdict.corrupt = happens(impair, what->corrupt, &impair->corrupt, what->corrupt_correlation);
    if (impair->queued >= (what->limit != 0 ? what->limit : IMPAIR_LIMIT_DEFAULT)) {
        verdict.dropped = "dropped: queue limit (netem)";
        return verdict;
    }
    verdict.at = arrival(impair, length, now);
    return verdict;
}
