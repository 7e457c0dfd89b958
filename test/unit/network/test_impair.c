/* What netem's words do, measured over many frames in virtual time. */
#include "network/impair.h"
#include "test/unit/network/unit.h"
#include <errno.h>
#include <math.h>
#include <string.h>

enum { FRAMES = 200000 };

static struct impair impair_of(struct berth_impairment what) {
    struct impair impair = {.what = what};
    const uint8_t seed[32] = {1, 2, 3};
    random_init(&impair.random, seed, 4);
    assert_int_equal(impair_check(&what), 0);
    return impair;
}

static void assert_near(double got, double want) {
    if (got < want * 0.98 || got > want * 1.02)
        fail_msg("%g is not within 2%% of %g", got, want);
}

static void probabilities_are_kept(void **state) {
    (void)state;
    static const double p[] = {0.05, 0.5, 0.9};
    for (size_t i = 0; i < COUNT(p); i++) {
        struct impair impair = impair_of((struct berth_impairment){
            .loss = p[i], .duplicate = p[i], .corrupt = p[i], .delay = 100, .reorder = p[i]});
        unsigned lost = 0, twice = 0, corrupt = 0, early = 0, passed = 0;
        for (unsigned n = 0; n < FRAMES; n++) {
            struct impair_verdict v = impair_judge(&impair, 100, 1000, false);
            lost += v.dropped != NULL;
            twice += v.duplicate;
            if (v.dropped)
                continue;
            passed++;
            corrupt += v.corrupt;
            early += v.at == 1000;
            assert_true(v.at == 1000 || v.at == 1100);
        }
        /* One that is doubled and lost is there once. */
        assert_near(lost, FRAMES * p[i] * (1 - p[i]));
        assert_near(twice, FRAMES * p[i] * (1 - p[i]));
        assert_near(corrupt, passed * p[i]);
        assert_near(early, passed * p[i]);
    }
}

static void zero_and_one_are_never_and_always(void **state) {
    (void)state;
    struct impair never = impair_of((struct berth_impairment){.delay = 5});
    struct impair always = impair_of((struct berth_impairment){.loss = 1});
    for (unsigned n = 0; n < 10000; n++) {
        struct impair_verdict v = impair_judge(&never, 100, n, false);
        assert_true(!v.dropped && !v.duplicate && !v.corrupt && v.at == n + 5);
        v = impair_judge(&always, 100, n, false);
        assert_string_equal(v.dropped, "dropped: loss (netem)");
    }
}

static void duplicates_are_not_duplicated_again(void **state) {
    (void)state;
    struct impair impair = impair_of((struct berth_impairment){.duplicate = 1});
    assert_true(impair_judge(&impair, 100, 0, false).duplicate);
    assert_false(impair_judge(&impair, 100, 0, true).duplicate);
}

static void jitter_is_uniform_around_the_delay(void **state) {
    (void)state;
    const uint64_t delay = 50 * BERTH_MS, jitter = 20 * BERTH_MS;
    struct impair impair = impair_of((struct berth_impairment){.delay = delay, .jitter = jitter});
    double sum = 0, squares = 0;
    for (unsigned n = 0; n < FRAMES; n++) {
        uint64_t at = impair_judge(&impair, 100, 0, false).at;
        assert_in_range(at, delay - jitter, delay + jitter);
        double off = (double)at - (double)delay;
        sum += (double)at;
        squares += off * off;
    }
    assert_near(sum / FRAMES, (double)delay);
    assert_near(squares / FRAMES, (double)jitter * (double)jitter / 3);
}

static void jitter_past_the_delay_never_goes_back_in_time(void **state) {
    (void)state;
    struct impair impair = impair_of((struct berth_impairment){.delay = 10, .jitter = 1000});
    for (unsigned n = 0; n < 10000; n++)
        assert_in_range(impair_judge(&impair, 100, 5000, false).at, 5000, 6010);
}

static void rate_is_serialisation_time_behind_the_queue(void **state) {
    (void)state;
    /* 1250 octets at 10 Mbit/s take 1 ms. */
    struct impair impair =
        impair_of((struct berth_impairment){.rate = 10000000, .delay = 7 * BERTH_MS});
    for (unsigned n = 0; n < 100; n++)
        assert_int_equal(impair_judge(&impair, 1250, 0, false).at, (7 + n + 1) * BERTH_MS);
    /* An idle line: the frame's own time alone. */
    assert_int_equal(impair_judge(&impair, 1250, BERTH_SECOND, false).at,
                     BERTH_SECOND + 8 * BERTH_MS);
}

static void rate_keeps_the_order_under_jitter(void **state) {
    (void)state;
    struct impair impair = impair_of((struct berth_impairment){
        .rate = 1000000000, .delay = 10 * BERTH_MS, .jitter = 10 * BERTH_MS});
    uint64_t last = 0;
    for (unsigned n = 0; n < 10000; n++) {
        uint64_t at = impair_judge(&impair, 1250, n * 1000, false).at;
        assert_true(at > last);
        last = at;
    }
}

static void a_full_queue_drops_its_tail(void **state) {
    (void)state;
    struct impair impair = impair_of((struct berth_impairment){.delay = 1, .limit = 3});
    impair.queued = 2;
    assert_null(impair_judge(&impair, 100, 0, false).dropped);
    impair.queued = 3;
    assert_string_equal(impair_judge(&impair, 100, 0, false).dropped,
                        "dropped: queue limit (netem)");
    impair.what.limit = 0;
    impair.queued = IMPAIR_LIMIT_DEFAULT - 1;
    assert_null(impair_judge(&impair, 100, 0, false).dropped);
    impair.queued = IMPAIR_LIMIT_DEFAULT;
    assert_non_null(impair_judge(&impair, 100, 0, false).dropped);
}

static void extremes_saturate(void **state) {
    (void)state;
    const uint64_t most = UINT64_C(1) << 62;
    struct impair impair = impair_of(
        (struct berth_impairment){.delay = most, .jitter = most, .rate = 1, .limit = UINT32_MAX});
    uint64_t last = 0;
    for (unsigned n = 0; n < 100000; n++) {
        uint64_t at = impair_judge(&impair, 65549, n, false).at;
        assert_true(at >= last && at < BERTH_NEVER);
        last = at;
    }
}

static void nonsense_is_refused(void **state) {
    (void)state;
    const struct berth_impairment bad[] = {
        {.loss = -0.1},        {.loss = 1.1},          {.loss = NAN},
        {.duplicate = 2},      {.corrupt = -1},        {.reorder = 0.5}, /* needs a delay */
        {.delay = UINT64_MAX}, {.jitter = UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(impair_check(&bad[i]), -EINVAL);
}

static void only_delay_and_jitter_let_large_segments_pass(void **state) {
    (void)state;
    const struct berth_impairment large[] = {{0}, {.delay = 1}, {.delay = 1, .jitter = 1}};
    const struct berth_impairment small[] = {{.loss = .1},    {.duplicate = .1}, {.corrupt = .1},
                                             {.reorder = .1}, {.rate = 1},       {.limit = 1}};
    for (size_t i = 0; i < COUNT(large); i++)
        assert_false(impair_small(&large[i]));
    for (size_t i = 0; i < COUNT(small); i++)
        assert_true(impair_small(&small[i]) && impair_any(&small[i]));
    assert_false(impair_any(&large[0]));
    assert_true(impair_any(&large[1]));
}

static void the_same_seed_gives_the_same_luck(void **state) {
    (void)state;
    struct berth_impairment what = {.loss = .3, .delay = 100, .jitter = 50, .duplicate = .2};
    struct impair a = impair_of(what), b = impair_of(what);
    for (unsigned n = 0; n < 1000; n++) {
        struct impair_verdict x = impair_judge(&a, 9, n, false), y = impair_judge(&b, 9, n, false);
        assert_true(x.dropped == y.dropped && x.at == y.at && x.duplicate == y.duplicate);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_are_kept),
        cmocka_unit_test(zero_and_one_are_never_and_always),
        cmocka_unit_test(duplicates_are_not_duplicated_again),
        cmocka_unit_test(jitter_is_uniform_around_the_delay),
        cmocka_unit_test(jitter_past_the_delay_never_goes_back_in_time),
        cmocka_unit_test(rate_is_serialisation_time_behind_the_queue),
        cmocka_unit_test(rate_keeps_the_order_under_jitter),
        cmocka_unit_test(a_full_queue_drops_its_tail),
        cmocka_unit_test(extremes_saturate),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(only_delay_and_jitter_let_large_segments_pass),
        cmocka_unit_test(the_same_seed_gives_the_same_luck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
