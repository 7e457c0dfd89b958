#include "engine/base/ring.h"
#include "test/unit/base/counting_allocator.h"
#include "test/unit/base/mix.h"
#include "test/unit/base/unit.h"

static void first_in_first_out_at_any_fill(void **state) {
    (void)state;
    struct counting counting;
    struct ring ring;
    struct mix mix = {3};
    ring_init(&ring, counting_allocator(&counting));
    uint32_t pushed = 0, popped = 0;
    for (int phase = 0; phase < 200; phase++) {
        bool fill = phase % 2 == 0;
        for (uint32_t n = mix_below(&mix, 300); n > 0; n--) {
            if (fill || pushed == popped)
                assert_true(ring_push(&ring, ++pushed));
            else
                assert_int_equal(ring_pop(&ring), ++popped);
            assert_int_equal(ring.count, pushed - popped);
        }
    }
    while (popped < pushed)
        assert_int_equal(ring_pop(&ring), ++popped);
    assert_int_equal(ring_pop(&ring), 0);
    ring_clear(&ring);
    assert_int_equal(counting.blocks, 0);
}

static void a_large_ring_that_empties_gives_its_memory_back(void **state) {
    (void)state;
    struct counting counting;
    struct ring ring;
    ring_init(&ring, counting_allocator(&counting));
    for (uint32_t i = 1; i <= 1000; i++)
        ring_push(&ring, i);
    for (uint32_t i = 1; i <= 1000; i++)
        ring_pop(&ring);
    assert_int_equal(counting.octets, 0);
    ring_clear(&ring);
}

static void push_and_pop_by_turns_does_not_allocate(void **state) {
    (void)state;
    struct counting counting;
    struct ring ring;
    ring_init(&ring, counting_allocator(&counting));
    for (uint32_t i = 1; i <= 1000; i++) {
        ring_push(&ring, i);
        ring_pop(&ring);
    }
    assert_int_equal(counting.calls, 1);
    ring_clear(&ring);
}

static void want_of_memory_keeps_what_is_there(void **state) {
    (void)state;
    struct counting counting;
    struct ring ring;
    ring_init(&ring, counting_allocator(&counting));
    counting_fail_after(&counting, 0);
    assert_false(ring_push(&ring, 1));
    counting_fail_after(&counting, 1);
    uint32_t n = 0;
    while (ring_push(&ring, n + 1))
        n++;
    assert_true(n > 0);
    for (uint32_t i = 1; i <= n; i++)
        assert_int_equal(ring_pop(&ring), i);
    ring_clear(&ring);
    assert_int_equal(counting.blocks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out_at_any_fill),
        cmocka_unit_test(a_large_ring_that_empties_gives_its_memory_back),
        cmocka_unit_test(push_and_pop_by_turns_does_not_allocate),
        cmocka_unit_test(want_of_memory_keeps_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
