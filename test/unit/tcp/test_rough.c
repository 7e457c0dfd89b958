/* Two TCPs over a rough path: what is delivered is what was sent, in good time, and the same seed
 * gives the same segments at the same times. */
#include "test/unit/tcp/rough.h"

struct outcome {
    uint64_t took; /* ns, all runs */
    uint64_t hash, timeouts, recoveries, resent, undone, probes;
    unsigned lost, segments;
};

struct path {
    unsigned loss, twice, late; /* of 1000 */
    uint64_t lateness;
    uint64_t forth, back; /* octets */
};

static void run(const struct path *path, uint64_t seed, unsigned sack, unsigned stamps,
                struct outcome *sum) {
    struct rough *r = malloc(sizeof *r);
    assert_non_null(r);
    rough_config(r, seed);
    for (unsigned i = 0; i < 2; i++) {
        r->end[i].p.config.tcp_sack = (uint8_t)sack;
        r->end[i].p.config.tcp_timestamps = (uint8_t)stamps;
    }
    r->loss = path->loss;
    r->twice = path->twice;
    r->late = path->late;
    r->lateness = path->lateness;
    r->end[0].to_write = path->forth;
    r->end[1].to_write = path->back;
    rough_start(r, seed % 2 ? 4 : 6, seed / 2 % 2);
    sum->took += rough_run(r);
    for (unsigned i = 0; i < 2; i++) {
        const struct berth_counters *counters = &r->end[i].p.counters;
        sum->timeouts += counters->tcp_timeouts;
        sum->recoveries += counters->tcp_fast_retransmits;
        sum->resent += counters->tcp_retrans_segs;
        sum->undone += counters->tcp_recoveries_undone;
        sum->probes += counters->tcp_loss_probes;
        sum->segments += r->end[i].segments;
    }
    sum->lost += r->lost;
    sum->hash ^= r->hash;
    rough_stop(r);
    free(r);
}

enum { SEEDS = 6 };
static const uint64_t RTT = 20 * BERTH_MS;

static struct outcome runs(const struct path *path, unsigned sack, unsigned stamps) {
    struct outcome sum = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(path, seed, sack, stamps, &sum);
    return sum;
}

static const struct path smooth = {.forth = 1000000, .back = 100000};
static const struct path lossy = {.loss = 50, .forth = 1000000, .back = 100000};
static const struct path reordering = {
    .late = 100, .lateness = 4 * BERTH_MS, .forth = 1000000, .back = 100000};
static const struct path wild = {.loss = 50,
                                 .twice = 20,
                                 .late = 50,
                                 .lateness = 10 * BERTH_MS,
                                 .forth = 400000,
                                 .back = 400000};

/* Whatever the path does, with and without SACK and timestamps: the stream is the one that was
 * written (rough_run looks at each octet), and the same seed gives the same run. */
static void repeatable(void **state) {
    (void)state;
    static const struct path *const paths[] = {&smooth, &lossy, &reordering, &wild};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        for (unsigned kind = 0; kind < 4; kind++) {
            struct outcome first = runs(paths[i], kind & 1, kind >> 1);
            struct outcome again = runs(paths[i], kind & 1, kind >> 1);
            assert_memory_equal(&first, &again, sizeof first);
            assert_int_not_equal(first.hash, 0);
        }
}

/* Without losses nothing is sent twice, no probe and no recovery is needed, and the time is slow
 * start's. */
static void nothing_for_nothing(void **state) {
    (void)state;
    struct outcome sum = runs(&smooth, 1, 1);
    assert_int_equal(sum.resent, 0);
    assert_int_equal(sum.recoveries + sum.timeouts + sum.probes, 0);
    assert_true(sum.took <= 9 * RTT * SEEDS);
}

/* One segment in twenty is lost, in both directions. What is sent again is what was lost
 * (RFC 6675), and rarely has a timer to tell (RFC 8985): fewer than one loss in twenty, where
 * without SACK it is one in six. 1 MB takes the 200 round trips that such a path makes of it
 * (about 1.2 / sqrt(0.05) segments each). [6675-1] */
static void lost_segments(void **state) {
    (void)state;
    for (unsigned stamps = 0; stamps < 2; stamps++) {
        struct outcome sum = runs(&lossy, 1, stamps), without = runs(&lossy, 0, stamps);
        assert_true(sum.lost > 250);
        assert_true(sum.resent <= sum.lost);
        assert_true(sum.timeouts < sum.lost / 20);
        assert_true(sum.took <= 240 * RTT * SEEDS);
        assert_true(sum.took * 4 < without.took * 3);
    }
}

/* One segment in ten is late by up to a fifth of the round trip. What is taken for a loss is found
 * out and undone (RFC 3522), and the window to wait for reordering grows with it (RFC 8985 6.2), so
 * that it takes as long as if nothing had been reordered. [4015-1, 8985-1] */
static void reordered_segments(void **state) {
    (void)state;
    struct outcome sum = runs(&reordering, 1, 1), without = runs(&reordering, 0, 1);
    assert_int_equal(sum.timeouts, 0);
    assert_int_equal(sum.undone, sum.recoveries);
    assert_true(sum.took <= 9 * RTT * SEEDS);
    assert_true(without.took > 50 * RTT * SEEDS);
    /* Without timestamps D-SACKs tell, a little later (RFC 3708). */
    sum = runs(&reordering, 1, 0);
    assert_int_equal(sum.timeouts, 0);
    assert_true(sum.undone > sum.recoveries / 3);
    assert_true(sum.took <= 35 * RTT * SEEDS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeatable),
        cmocka_unit_test(nothing_for_nothing),
        cmocka_unit_test(lost_segments),
        cmocka_unit_test(reordered_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
