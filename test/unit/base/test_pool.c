#include "engine/base/pool.h"
#include "test/unit/base/counting_allocator.h"
#include "test/unit/base/unit.h"
#include <string.h>

struct record {
    uint32_t free_link, generation, body[4];
};

static void first_index_is_one_and_fresh_records_are_zero(void **state) {
    (void)state;
    struct counting counting;
    struct pool pool;
    pool_init(&pool, counting_allocator(&counting), sizeof(struct record), UINT32_MAX);
    assert_false(pool_has(&pool, 0));
    assert_false(pool_has(&pool, 1));
    static const struct record zero;
    for (uint32_t i = 1; i <= 10000; i++) {
        assert_int_equal(pool_take(&pool), i);
        assert_true(pool_has(&pool, i));
        assert_memory_equal(pool_at(&pool, i), &zero, sizeof zero);
        memset(pool_at(&pool, i), 0xa5, sizeof zero);
    }
    assert_false(pool_has(&pool, 10001));
    pool_clear(&pool);
    assert_int_equal(counting.blocks, 0);
}

static void records_never_move(void **state) {
    (void)state;
    struct counting counting;
    struct pool pool;
    pool_init(&pool, counting_allocator(&counting), sizeof(struct record), UINT32_MAX);
    struct record *first = pool_at(&pool, pool_take(&pool));
    first->body[0] = 77;
    for (int i = 0; i < 100000; i++)
        ((struct record *)pool_at(&pool, pool_take(&pool)))->body[0] = 1;
    assert_ptr_equal(first, pool_at(&pool, 1));
    assert_int_equal(first->body[0], 77);
    pool_clear(&pool);
}

static void given_record_keeps_all_but_its_link(void **state) {
    (void)state;
    struct counting counting;
    struct pool pool;
    pool_init(&pool, counting_allocator(&counting), sizeof(struct record), UINT32_MAX);
    uint32_t a = pool_take(&pool), b = pool_take(&pool);
    ((struct record *)pool_at(&pool, a))->generation = 41;
    ((struct record *)pool_at(&pool, b))->generation = 42;
    pool_give(&pool, a);
    pool_give(&pool, b);
    assert_int_equal(pool.used, 0);
    assert_true(pool_has(&pool, a));
    assert_int_equal(pool_take(&pool), b);
    assert_int_equal(pool_take(&pool), a);
    assert_int_equal(((struct record *)pool_at(&pool, a))->generation, 41);
    assert_int_equal(((struct record *)pool_at(&pool, b))->generation, 42);
    assert_int_equal(pool_take(&pool), 3);
    pool_clear(&pool);
}

static void limit_holds(void **state) {
    (void)state;
    struct counting counting;
    struct pool pool;
    pool_init(&pool, counting_allocator(&counting), 8, 3);
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(pool_take(&pool), i);
    assert_int_equal(pool_take(&pool), 0);
    pool_give(&pool, 2);
    assert_int_equal(pool_take(&pool), 2);
    assert_int_equal(pool_take(&pool), 0);
    pool_clear(&pool);
}

static void want_of_memory_harms_nothing(void **state) {
    (void)state;
    for (size_t allowed = 0; allowed < 12; allowed++) {
        struct counting counting;
        struct pool pool;
        pool_init(&pool, counting_allocator(&counting), 100, UINT32_MAX);
        counting_fail_after(&counting, allowed);
        uint32_t last = 0, index;
        while ((index = pool_take(&pool)) != 0)
            last = index;
        assert_int_equal(pool.used, last);
        counting_recover(&counting);
        assert_int_equal(pool_take(&pool), last + 1);
        pool_clear(&pool);
        assert_int_equal(counting.blocks, 0);
    }
}

static void memory_fits_the_number(void **state) {
    (void)state;
    static const uint32_t sizes[] = {8, 28, 60, 64, 144, 160, 200, 5000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct counting counting;
        struct pool pool;
        pool_init(&pool, counting_allocator(&counting), sizes[s], UINT32_MAX);
        pool_take(&pool);
        assert_true(counting.octets <= (sizes[s] > 4096 ? 2 * sizes[s] : 8192) + 64);
        for (size_t i = 1; i < 200000 && i * sizes[s] < 64u << 20; i++)
            pool_take(&pool);
        size_t net = (size_t)pool.used * sizes[s];
        assert_true(counting.octets - net <= 65536 + net / 100);
        pool_clear(&pool);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_index_is_one_and_fresh_records_are_zero),
        cmocka_unit_test(records_never_move),
        cmocka_unit_test(given_record_keeps_all_but_its_link),
        cmocka_unit_test(limit_holds),
        cmocka_unit_test(want_of_memory_harms_nothing),
        cmocka_unit_test(memory_fits_the_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
