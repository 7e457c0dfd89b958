/* The network's memory: taken, given back, taken again, and bounded. */
#include "tool/daemon/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Under AddressSanitizer nothing is kept. */
static bool keeps(struct berth_allocator from, const struct memory *memory) {
    from.release(from.context, from.allocate(from.context, 1), 1);
    return memory->kept > 0;
}

static void pieces_do_not_overlap(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    struct memory memory = {.kept = 0};
    struct berth_allocator from = memory_allocator(&memory);
    uint8_t *pieces[COUNT];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = 1 + i * 7 % (MEMORY_LARGEST + 100);
            pieces[i] = from.allocate(from.context, size);
            assert_non_null(pieces[i]);
            assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
            memset(pieces[i], (int)(i % 251), size);
        }
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = 1 + i * 7 % (MEMORY_LARGEST + 100);
            for (size_t j = 0; j < size; j++)
                assert_int_equal(pieces[i][j], i % 251);
            from.release(from.context, pieces[i], size);
        }
    }
    memory_clear(&memory);
    assert_int_equal(memory.kept, 0);
}

static void what_was_given_back_is_taken_again(void **state) {
    (void)state;
    struct memory memory = {.kept = 0};
    struct berth_allocator from = memory_allocator(&memory);
    if (keeps(from, &memory)) {
        void *first = from.allocate(from.context, MEMORY_STEP + 1);
        from.release(from.context, first, MEMORY_STEP + 1);
        void *smaller = from.allocate(from.context, MEMORY_STEP);
        assert_ptr_not_equal(smaller, first);
        assert_ptr_equal(from.allocate(from.context, 2 * MEMORY_STEP), first);
        from.release(from.context, first, 2 * MEMORY_STEP);
        from.release(from.context, smaller, MEMORY_STEP);
    }
    memory_clear(&memory);
}

static void no_more_is_kept_than_is_said(void **state) {
    (void)state;
    enum { COUNT = MEMORY_KEPT / MEMORY_LARGEST + 10 };
    struct memory memory = {.kept = 0};
    struct berth_allocator from = memory_allocator(&memory);
    static void *pieces[COUNT];
    bool kept = keeps(from, &memory);
    memory_clear(&memory);
    for (size_t i = 0; i < COUNT; i++)
        pieces[i] = from.allocate(from.context, MEMORY_LARGEST);
    for (size_t i = 0; i < COUNT; i++)
        from.release(from.context, pieces[i], MEMORY_LARGEST);
    assert_int_equal(memory.kept, kept ? MEMORY_KEPT : 0);
    from.release(from.context, NULL, 1);
    memory_clear(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(what_was_given_back_is_taken_again),
        cmocka_unit_test(no_more_is_kept_than_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
