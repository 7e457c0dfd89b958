/* The wheel against a model: an array of ticks that is searched from end to end. */
#include "engine/base/timer_wheel.h"
#include "test/unit/base/mix.h"
#include "test/unit/base/unit.h"

#define MS UINT64_C(1000000)
#define DAY (UINT64_C(86400000) * MS)
enum { RECORDS = 60, MANY = 1000 };

struct bench {
    struct timer_link links[MANY + 1];
    uint64_t model[RECORDS + 1]; /* ticks; 0: not set */
    struct timer_wheel wheel;
    uint64_t now;
    int looks; /* at links */
};

static struct timer_link *link_of(void *context, uint32_t record) {
    return &((struct bench *)context)->links[record];
}

static void bench_init(struct bench *bench, uint64_t now) {
    *bench = (struct bench){.now = now};
    for (int i = 0; i <= MANY; i++)
        timer_link_init(&bench->links[i]);
    timer_wheel_init(&bench->wheel, link_of, bench, now);
}

static uint64_t model_earliest(const struct bench *bench) {
    uint64_t earliest = UINT64_MAX;
    for (int i = 1; i <= RECORDS; i++)
        if (bench->model[i] && bench->model[i] * MS < earliest)
            earliest = bench->model[i] * MS;
    return earliest;
}

static void bench_set(struct bench *bench, uint32_t record, uint64_t when) {
    uint64_t tick = (when + MS - 1) / MS, next = bench->now / MS + 1;
    timer_set(&bench->wheel, record, when, (uint8_t)record);
    bench->model[record] = tick > next ? tick : next;
    assert_int_equal(timer_when(&bench->wheel, &bench->links[record]), bench->model[record] * MS);
}

/* Lets time pass; what fires must be due, in order, and all that is due must fire. */
static void bench_advance(struct bench *bench, uint64_t now) {
    uint32_t record;
    uint8_t kind;
    bench->now = now;
    while ((record = timer_expired(&bench->wheel, now, &kind)) != 0) {
        assert_int_equal(kind, (uint8_t)record);
        assert_int_equal(bench->model[record] * MS, model_earliest(bench));
        assert_true(bench->model[record] * MS <= now);
        assert_false(timer_is_set(&bench->links[record]));
        bench->model[record] = 0;
    }
    assert_true(model_earliest(bench) > now);
}

/* A distance of any size up to `limit`: small ones as likely as large. */
static uint64_t any_distance(struct mix *mix, uint64_t limit) {
    uint64_t distance = mix_u64(mix) >> mix_below(mix, 64);
    return distance % limit;
}

static void agrees_with_the_model(uint64_t start, uint64_t limit, uint64_t seed) {
    struct bench bench;
    struct mix mix = {seed};
    bench_init(&bench, start);
    for (int step = 0; step < 20000 && bench.now < UINT64_MAX / 4; step++) {
        uint32_t record = 1 + mix_below(&mix, RECORDS);
        switch (mix_below(&mix, 5)) {
        case 0:
            bench_advance(&bench, bench.now + any_distance(&mix, limit));
            break;
        case 1:
            timer_cancel(&bench.wheel, record);
            bench.model[record] = 0;
            break;
        case 2:
            if (model_earliest(&bench) != UINT64_MAX)
                bench_advance(&bench, model_earliest(&bench) - mix_below(&mix, 2));
            break;
        default:
            bench_set(&bench, record, bench.now + any_distance(&mix, limit));
        }
        /* Remembered or not, and for any number of changes. */
        uint64_t deadline =
            mix_below(&mix, 3) ? timer_deadline_kept(&bench.wheel) : timer_deadline(&bench.wheel);
        if (limit <= 12 * DAY)
            assert_int_equal(deadline, model_earliest(&bench));
        else
            assert_true(deadline <= model_earliest(&bench));
    }
}

static void any_times_within_the_wheel(void **state) {
    (void)state;
    agrees_with_the_model(0, 12 * DAY, 1);
    agrees_with_the_model(0, 300 * MS, 2);
    agrees_with_the_model(123456789, 5000 * MS, 3);
}

static void across_the_ends_of_counts(void **state) {
    (void)state;
    for (unsigned bits = 6; bits <= 42; bits += 2) {
        agrees_with_the_model(((UINT64_C(1) << bits) - 20) * MS, 100 * MS, bits);
        agrees_with_the_model(((UINT64_C(1) << bits) - 20) * MS, 12 * DAY, bits);
    }
}

static void longer_than_the_wheel_is_never_late_nor_early(void **state) {
    (void)state;
    agrees_with_the_model(0, 100 * DAY, 7);
    agrees_with_the_model(UINT64_C(0xffffffff) * MS, 1000 * DAY, 8);
}

static void the_past_is_the_next_tick(void **state) {
    (void)state;
    struct bench bench;
    bench_init(&bench, 500 * MS + 3);
    bench_set(&bench, 1, 0);
    assert_int_equal(timer_deadline(&bench.wheel), 501 * MS);
    uint8_t kind;
    assert_int_equal(timer_expired(&bench.wheel, 501 * MS - 1, &kind), 0);
    assert_int_equal(timer_expired(&bench.wheel, 501 * MS, &kind), 1);
    /* One that sets itself to the past over and over gets one turn a tick. */
    timer_set(&bench.wheel, 1, 0, 0);
    assert_int_equal(timer_expired(&bench.wheel, 501 * MS, &kind), 0);
}

static void time_that_goes_back_harms_nothing(void **state) {
    (void)state;
    struct bench bench;
    uint8_t kind;
    bench_init(&bench, 1000 * MS);
    timer_set(&bench.wheel, 1, 1010 * MS, 0);
    assert_int_equal(timer_expired(&bench.wheel, 5 * MS, &kind), 0);
    assert_int_equal(timer_deadline(&bench.wheel), 1010 * MS);
    assert_int_equal(timer_expired(&bench.wheel, 1010 * MS, &kind), 1);
}

static void the_end_of_time_is_far_but_allowed(void **state) {
    (void)state;
    struct bench bench;
    uint8_t kind;
    bench_init(&bench, 0);
    timer_set(&bench.wheel, 1, UINT64_MAX, 0);
    assert_int_equal(timer_expired(&bench.wheel, 3650 * DAY, &kind), 0);
    assert_true(timer_is_set(&bench.links[1]));
    timer_cancel(&bench.wheel, 1);
    assert_int_equal(timer_deadline(&bench.wheel), UINT64_MAX);
}

typedef uint64_t deadline_function(struct timer_wheel *wheel);

static uint64_t deadline_plain(struct timer_wheel *wheel) {
    return timer_deadline(wheel);
}

static void many_in_one_slot(deadline_function *ask) {
    struct bench bench;
    uint8_t kind;
    bench_init(&bench, 0);
    for (uint32_t i = 1; i <= MANY; i++)
        timer_set(&bench.wheel, i, 7000 * 1000 * MS + i * MS, 0);
    uint64_t deadline = ask(&bench.wheel);
    int wakes = 0;
    while (deadline < 7000 * 1000 * MS + MS) {
        assert_int_equal(timer_expired(&bench.wheel, deadline, &kind), 0);
        deadline = ask(&bench.wheel);
        assert_true(++wakes < WHEEL_LEVELS);
    }
    assert_int_equal(deadline, 7000 * 1000 * MS + MS);
}

static void many_in_one_slot_are_not_scanned_but_never_late(void **state) {
    (void)state;
    many_in_one_slot(deadline_plain);
    many_in_one_slot(timer_deadline_kept);
}

/* All timers of an upper slot are looked at once, not each time one asks. */
static struct timer_link *link_counted(void *context, uint32_t record) {
    struct bench *bench = context;
    bench->looks++;
    return &bench->links[record];
}

static void what_was_found_is_remembered(void **state) {
    (void)state;
    struct bench bench;
    bench_init(&bench, 0);
    bench.wheel.link = link_counted;
    for (uint32_t i = 1; i <= 50; i++)
        timer_set(&bench.wheel, i, (200 + i % 7) * MS, 0);
    assert_int_equal(timer_deadline_kept(&bench.wheel), 200 * MS);
    bench.looks = 0;
    assert_int_equal(timer_deadline_kept(&bench.wheel), 200 * MS);
    timer_cancel(&bench.wheel, 1); /* a later one */
    timer_set(&bench.wheel, 1, 199 * MS, 0);
    assert_int_equal(timer_deadline_kept(&bench.wheel), 199 * MS);
    assert_true(bench.looks < 10);
    timer_cancel(&bench.wheel, 1);
    assert_int_equal(timer_deadline_kept(&bench.wheel), 200 * MS);
    assert_true(bench.looks > 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_times_within_the_wheel),
        cmocka_unit_test(across_the_ends_of_counts),
        cmocka_unit_test(longer_than_the_wheel_is_never_late_nor_early),
        cmocka_unit_test(the_past_is_the_next_tick),
        cmocka_unit_test(time_that_goes_back_harms_nothing),
        cmocka_unit_test(the_end_of_time_is_far_but_allowed),
        cmocka_unit_test(many_in_one_slot_are_not_scanned_but_never_late),
        cmocka_unit_test(what_was_found_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
