#include "engine/base/bytes.h"
#include "engine/base/seq.h"
#include "test/unit/base/unit.h"

/* RFC 9293, section 3.4: all comparisons are modulo 2^32. */
static void comparisons_hold_across_the_wrap(void **state) {
    (void)state;
    static const uint32_t starts[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    static const uint32_t steps[] = {1, 2, 1000, 0x7ffffffe, 0x7fffffff};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        for (size_t j = 0; j < sizeof steps / sizeof *steps; j++) {
            uint32_t a = starts[i], b = a + steps[j];
            assert_true(seq_lt(a, b) && seq_le(a, b) && seq_gt(b, a) && seq_ge(b, a));
            assert_false(seq_lt(b, a) || seq_le(b, a) || seq_gt(a, b) || seq_ge(a, b));
            assert_int_equal(seq_diff(b, a), (int32_t)steps[j]);
            assert_int_equal(seq_max(a, b), b);
            assert_int_equal(seq_min(a, b), a);
            assert_true(seq_in(a, a, 1) && seq_in(b, a, steps[j] + 1));
            assert_false(seq_in(b, a, steps[j]) || seq_in(a - 1, a, steps[j]) || seq_in(a, a, 0));
        }
        assert_true(seq_le(starts[i], starts[i]) && seq_ge(starts[i], starts[i]));
        assert_false(seq_lt(starts[i], starts[i]) || seq_gt(starts[i], starts[i]));
    }
}

static void a_read_past_the_end_fails_for_good(void **state) {
    (void)state;
    static const uint8_t octets[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct reader reader = reader_over(octets, 7);
    assert_int_equal(reader_u8(&reader), 1);
    assert_int_equal(reader_u16(&reader), 0x0203);
    assert_int_equal(reader_left(&reader), 4);
    assert_int_equal(reader_u32(&reader), 0x04050607);
    assert_false(reader.failed);
    assert_int_equal(reader_u8(&reader), 0);
    assert_true(reader.failed);
    reader = reader_over(octets, 3);
    assert_int_equal(reader_u32(&reader), 0);
    assert_int_equal(reader_u8(&reader), 0); /* although one is there */
    assert_true(reader.failed);
}

static void a_write_past_the_end_fails_for_good(void **state) {
    (void)state;
    uint8_t octets[8] = {0};
    struct writer writer = writer_over(octets, 7);
    writer_u32(&writer, 0x01020304);
    writer_u16(&writer, 0x0506);
    assert_int_equal(writer_length(&writer), 6);
    writer_u16(&writer, 0xffff);
    writer_u8(&writer, 0xff);
    assert_true(writer.failed);
    static const uint8_t expected[8] = {1, 2, 3, 4, 5, 6, 0, 0};
    assert_memory_equal(octets, expected, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_hold_across_the_wrap),
        cmocka_unit_test(a_read_past_the_end_fails_for_good),
        cmocka_unit_test(a_write_past_the_end_fails_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
