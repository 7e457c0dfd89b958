/* What is asked of a link is what it does, within 2 %: means, spreads, bursts and correlations over
 * a million frames in virtual time. */
#include "network/distribution.h"
#include "network/impair.h"
#include "test/unit/network/unit.h"
#include <errno.h>
#include <math.h>
#include <string.h>

enum { FRAMES = 1000000 };

static struct impair impair_of(struct berth_impairment what) {
    struct impair impair = {.what = what};
    const uint8_t seed[32] = {7, 2, 3};
    random_init(&impair.random, seed, 4);
    assert_int_equal(impair_check(&what), 0);
    return impair;
}

static void assert_near(double got, double want) {
    if (!(fabs(got - want) <= fabs(want) * 0.02))
        fail_msg("%g is not within 2%% of %g", got, want);
}

/* What was measured of a series of events. */
struct series {
    double part;   /* of all */
    double run;    /* mean length of the runs of events */
    double memory; /* correlation of neighbours */
};

enum kind { LOST, TWICE, CORRUPT, EARLY };

static bool judged(struct impair *impair, uint64_t now, enum kind kind) {
    struct impair_verdict verdict = impair_judge(impair, 100, now, false);
    return kind == LOST      ? verdict.dropped != NULL
           : kind == TWICE   ? verdict.duplicate
           : kind == CORRUPT ? verdict.corrupt
                             : verdict.at == now;
}

static struct series measure_many(struct berth_impairment what, enum kind kind, unsigned frames) {
    struct impair impair = impair_of(what);
    double events = 0, runs = 0, both = 0;
    bool last = false;
    for (uint64_t n = 0; n < frames; n++) {
        bool event = judged(&impair, n, kind);
        events += event;
        runs += event && !last;
        both += event && last;
        last = event;
    }
    double part = events / frames;
    return (struct series){part, events / runs,
                           (both / frames - part * part) / (part - part * part)};
}

static struct series measure(struct berth_impairment what, enum kind kind) {
    return measure_many(what, kind, FRAMES);
}

static void percentages_hold_with_and_without_correlation(void **state) {
    (void)state;
    static const double parts[] = {0.02, 0.1, 0.5}, correlations[] = {0, 0.25, 0.75};
    for (size_t i = 0; i < COUNT(parts); i++) {
        for (size_t k = 0; k < COUNT(correlations); k++) {
            double p = parts[i], c = correlations[k];
            const struct berth_impairment of[] = {
                {.loss = p, .loss_correlation = c},
                {.duplicate = p, .duplicate_correlation = c},
                {.corrupt = p, .corrupt_correlation = c},
                {.reorder = p, .reorder_correlation = c, .delay = BERTH_MS}};
            for (enum kind kind = LOST; kind <= EARLY; kind++) {
                struct series got = measure(of[kind], kind);
                assert_true(fabs(got.part - p) < 0.02 * p + 0.0005);
                assert_true(fabs(got.memory - c) < 0.01);
                assert_near(got.run, 1 / ((1 - c) * (1 - p)));
            }
        }
    }
}

/* The longer the bursts, the more frames it takes for the mean to be seen. */
static void gemodel_has_its_mean_and_its_bursts(void **state) {
    (void)state;
    static const struct {
        double chain[4];
    } of[] = {{{0.01, 0.25, 1, 0}}, {{0.05, 0.5, 1, 0}}, {{0.02, 0.1, 0.5, 0.01}}};
    for (size_t i = 0; i < COUNT(of); i++) {
        const double p = of[i].chain[0], r = of[i].chain[1], h = of[i].chain[2], k = of[i].chain[3];
        struct series got = measure_many(
            (struct berth_impairment){.loss_model = BERTH_LOSS_GEMODEL, .chain = {p, r, h, k}},
            LOST, 4 * FRAMES);
        assert_near(got.part, p / (p + r) * h + r / (p + r) * k);
        if (h == 1 && k == 0)
            assert_near(got.run, 1 / r);
    }
}

/* P13 alone with P31: as Gilbert's model, whose stationary state is known; and P14 alone: losses
 * that stand alone. */
static void four_states_have_their_mean_and_their_bursts(void **state) {
    (void)state;
    struct series got = measure(
        (struct berth_impairment){.loss_model = BERTH_LOSS_STATE, .chain = {0.02, 0.4, 0, 1, 0}},
        LOST);
    assert_near(got.part, 0.02 / 0.42);
    assert_near(got.run, 1 / 0.4);
    got = measure(
        (struct berth_impairment){.loss_model = BERTH_LOSS_STATE, .chain = {0, 1, 0, 1, 0.05}},
        LOST);
    assert_near(got.part, 0.05 / 1.05);
    assert_near(got.run, 1);
    /* Within bursts some are sent: of states 1, 2, 3 by their balance. */
    const double p13 = 0.01, p31 = 0.1, p32 = 0.3, p23 = 0.6;
    got = measure(
        (struct berth_impairment){.loss_model = BERTH_LOSS_STATE, .chain = {p13, p31, p32, p23, 0}},
        LOST);
    assert_near(got.part, 1 / (1 + p31 / p13 + p32 / p23));
    assert_near(got.run, 1 / (p31 + p32));
}

struct spread {
    double mean, variance, memory;
    double share; /* of the frames within a deviation of the mean */
};

static struct spread spread_of(struct berth_impairment what) {
    struct impair impair = impair_of(what);
    double sum = 0, squares = 0, products = 0, last = 0, within = 0, middle = (double)what.delay;
    for (uint64_t n = 0; n < FRAMES; n++) {
        double off = (double)impair_judge(&impair, 100, 0, false).at - middle;
        sum += off;
        squares += off * off;
        products += off * last;
        within += fabs(off) < (double)what.jitter;
        last = off;
    }
    double mean = sum / FRAMES, variance = squares / FRAMES - mean * mean;
    return (struct spread){middle + mean, variance, (products / FRAMES - mean * mean) / variance,
                           within / FRAMES};
}

static void delays_have_their_mean_and_their_spread(void **state) {
    (void)state;
    const double delay = 100e6, jitter = 10e6;
    static const double variances[] = {1 / 3.0, 1, 1, 1}, correlations[] = {0, 0.5};
    for (enum berth_distribution kind = BERTH_UNIFORM; kind <= BERTH_PARETONORMAL; kind++) {
        for (size_t k = 0; k < COUNT(correlations); k++) {
            struct spread got =
                spread_of((struct berth_impairment){.delay = (uint64_t)delay,
                                                    .jitter = (uint64_t)jitter,
                                                    .distribution = kind,
                                                    .delay_correlation = correlations[k]});
            assert_near(got.mean, delay);
            assert_near(got.variance, jitter * jitter * variances[kind]);
            assert_true(fabs(got.memory - correlations[k]) < 0.02);
            if (kind == BERTH_NORMAL)
                assert_near(got.share, 0.682689);
        }
    }
}

/* The percentiles that people know by heart, and the ends. */
static void the_normal_distribution_is_the_normal_one(void **state) {
    (void)state;
    static const struct {
        double below, deviate;
    } known[] = {{0.5, 0},         {0.841345, 1},    {0.977250, 2},   {0.998650, 3},
                 {0.999968329, 4}, {0.158655, -1},   {0.022750, -2},  {0.001350, -3},
                 {0.975, 1.95996}, {0.99, 2.326348}, {0.95, 1.644854}};
    for (size_t i = 0; i < COUNT(known); i++) {
        /* The sign is the highest bit; the others are the tail's probability, halved. */
        double tail = known[i].below > 0.5 ? 1 - known[i].below : known[i].below;
        uint32_t number = (uint32_t)(tail * 2 * 0x1p31);
        if (number > 0x7fffffff)
            number = 0x7fffffff;
        if (known[i].below > 0.5)
            number |= 0x80000000;
        assert_true(fabs(distribution_deviate(BERTH_NORMAL, number, 0) - known[i].deviate) < 0.001);
    }
    assert_true(distribution_deviate(BERTH_NORMAL, 0, 0) < -5);
    assert_true(distribution_deviate(BERTH_NORMAL, UINT32_C(1) << 31, 0) > 5);
    assert_true(distribution_deviate(BERTH_PARETO, 0, 0) > 4);
    assert_true(fabs(distribution_deviate(BERTH_PARETO, UINT32_MAX, 0) + 0.772) < 0.001);
    assert_true(distribution_deviate(BERTH_UNIFORM, 0, 0) > -1);
    assert_true(distribution_deviate(BERTH_UNIFORM, UINT32_MAX, 0) < 1);
}

static void a_gap_lets_each_nth_go_ahead(void **state) {
    (void)state;
    struct impair impair =
        impair_of((struct berth_impairment){.delay = 10, .reorder = 1, .gap = 5});
    for (unsigned n = 1; n <= 1000; n++)
        assert_int_equal(impair_judge(&impair, 100, 0, false).at, n % 5 == 0 ? 0 : 10);
    /* With less than certainty: 4 that wait, and then as many as it takes. */
    struct series got =
        measure((struct berth_impairment){.delay = 10, .reorder = 0.5, .gap = 5}, EARLY);
    assert_near(got.part, 1.0 / (4 + 1 / 0.5));
}

static void a_rate_holds_for_any_size(void **state) {
    (void)state;
    static const uint64_t rates[] = {9600, 10000000, UINT64_C(100000000000), 7777777777};
    static const size_t sizes[] = {60, 61, 1514};
    for (size_t i = 0; i < COUNT(rates); i++) {
        for (size_t k = 0; k < COUNT(sizes); k++) {
            struct impair impair =
                impair_of((struct berth_impairment){.rate = rates[i], .limit = UINT32_MAX});
            uint64_t at = 0;
            for (unsigned n = 0; n < 100000; n++)
                at = impair_judge(&impair, sizes[k], 0, false).at;
            double want = 100000.0 * (double)sizes[k] * 8e9 / (double)rates[i];
            assert_true(fabs((double)at - want) < want * 1e-6 + 2);
        }
    }
}

/* With reordering by jitter: uniform delays of frames a tenth of the jitter apart pass each other
 * as often as two uniform numbers do. */
static void jitter_reorders_as_often_as_it_must(void **state) {
    (void)state;
    struct impair impair =
        impair_of((struct berth_impairment){.delay = 1000, .jitter = 500, .limit = UINT32_MAX});
    uint64_t last = 0;
    double passed = 0;
    for (uint64_t n = 0; n < FRAMES; n++) {
        uint64_t at = impair_judge(&impair, 100, n * 100, false).at;
        passed += at < last;
        last = at;
    }
    assert_near(passed / FRAMES, 0.9 * 0.9 / 2);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    const struct berth_impairment bad[] = {
        {.loss_correlation = 1.1},
        {.delay_correlation = -1},
        {.reorder_correlation = NAN},
        {.gap = 5, .delay = 7},
        {.distribution = (enum berth_distribution)9},
        {.loss_model = (enum berth_loss_model)9},
        {.loss_model = BERTH_LOSS_GEMODEL, .chain = {0, 2}},
        {.loss_model = BERTH_LOSS_STATE, .chain = {0.6, 0, 0, 0, 0.6}},
        {.loss_model = BERTH_LOSS_STATE, .chain = {0, 0.6, 0.6, 0, 0}},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(impair_check(&bad[i]), -EINVAL);
}

/* A caller that was compiled with a shorter struct says so by its size. */
static void an_older_struct_is_taken_for_what_it_has(void **state) {
    (void)state;
    struct berth_impairment older = {
        .size = offsetof(struct berth_impairment, loss), .delay = 5, .loss = 0.5, .gap = 77};
    struct berth_impairment what = impair_given(&older);
    assert_true(what.delay == 5 && what.loss == 0 && what.gap == 0);
    struct impair impair = impair_of((struct berth_impairment){.delay = 9, .loss = 0.25});
    impair_tell(&impair, &older);
    assert_true(older.delay == 9 && older.loss == 0.5 &&
                older.size == offsetof(struct berth_impairment, loss));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentages_hold_with_and_without_correlation),
        cmocka_unit_test(gemodel_has_its_mean_and_its_bursts),
        cmocka_unit_test(four_states_have_their_mean_and_their_bursts),
        cmocka_unit_test(delays_have_their_mean_and_their_spread),
        cmocka_unit_test(the_normal_distribution_is_the_normal_one),
        cmocka_unit_test(a_gap_lets_each_nth_go_ahead),
        cmocka_unit_test(a_rate_holds_for_any_size),
        cmocka_unit_test(jitter_reorders_as_often_as_it_must),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(an_older_struct_is_taken_for_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
