#include "engine/wire/tcp_options.h"
#include "test/unit/base/mix.h"
#include "test/unit/base/unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Parses a copy of exactly that size, so that a read past it is seen by the sanitizer. */
static int parse(const uint8_t *octets, size_t length, bool syn, struct tcp_options *options) {
    uint8_t *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, octets, length);
    memset(options, 0xee, sizeof *options);
    int result = tcp_options_parse(copy, length, syn, options);
    free(copy);
    return result;
}

/* RFC 9293 3.1, MUST-64: an option may begin at any octet. */
static void options_at_every_alignment(void **state) {
    (void)state;
    static const uint8_t timestamps[] = {8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t sack[] = {5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    for (size_t before = 0; before <= 8; before++) {
        for (size_t between = 0; between <= 4; between++) {
            uint8_t octets[40];
            size_t length = before + sizeof timestamps + between + sizeof sack;
            memset(octets, 1, sizeof octets);
            memcpy(octets + before, timestamps, sizeof timestamps);
            memcpy(octets + before + sizeof timestamps + between, sack, sizeof sack);
            struct tcp_options options;
            assert_int_equal(parse(octets, length, false, &options), 0);
            assert_true(options.has_timestamps);
            assert_int_equal(options.ts_value, 0x01020304);
            assert_int_equal(options.ts_echo, 0x05060708);
            assert_int_equal(options.sack_count, 2);
            assert_int_equal(options.sack[0].left, 1);
            assert_int_equal(options.sack[1].right, 4);
        }
    }
}

/* RFC 9293 3.1, MUST-4: END, NOP and MSS in any order; nothing after END counts. */
static void the_end_ends(void **state) {
    (void)state;
    static const uint8_t octets[] = {1, 1, 2, 4, 5, 0xb4, 0, 8,    10, 1,
                                     1, 1, 1, 1, 1, 1,    1, 0xff, 0};
    struct tcp_options options;
    assert_int_equal(parse(octets, sizeof octets, true, &options), 0);
    assert_true(options.has_mss);
    assert_int_equal(options.mss, 1460);
    assert_false(options.has_timestamps);
}

/* RFC 9293 3.1, MUST-6: unknown ones are skipped by their length. [MUST-68] */
static void unknown_options_are_skipped(void **state) {
    (void)state;
    static const uint8_t kinds[] = {6, 7, 9, 14, 19, 28, 30, 34, 69, 200, 253, 254, 255};
    for (size_t i = 0; i < sizeof kinds; i++) {
        for (uint8_t length = 2; length <= 32; length++) {
            uint8_t octets[40] = {2, 4, 1, 2, kinds[i], length};
            memset(octets + 6, 8, (size_t)length - 2);
            memcpy(octets + 4 + length, (uint8_t[]){3, 3, 7}, 3);
            struct tcp_options options;
            assert_int_equal(parse(octets, 7u + length, true, &options), 0);
            assert_true(options.has_mss && options.has_wscale && !options.has_timestamps);
            assert_int_equal(options.wscale, 7);
        }
    }
}

/* RFC 9293 3.1, MUST-7: of every kind, every length that cannot be; what came before stays. */
static void impossible_lengths_end_the_parse(void **state) {
    (void)state;
    for (unsigned kind = 2; kind < 256; kind++) {
        for (unsigned room = 1; room <= 36; room++) {
            for (unsigned length = 0; length < 256; length++) {
                if (room >= 2 && length >= 2 && length <= room)
                    continue;
                uint8_t octets[40] = {2, 4, 5, 0xb4, (uint8_t)kind, (uint8_t)length};
                struct tcp_options options;
                assert_int_equal(tcp_options_parse(octets, 4 + room, true, &options), -EINVAL);
                assert_true(options.has_mss);
                assert_int_equal(options.mss, 1460);
            }
        }
    }
    static const uint8_t lone_kind[] = {8};
    struct tcp_options options;
    assert_int_equal(parse(lone_kind, 1, false, &options), -EINVAL);
}

/* A known option of another length than its own is like an unknown one. */
static void a_wrong_length_of_a_known_option_does_not_count(void **state) {
    (void)state;
    static const struct { uint8_t kind, good; } known[] = {{2, 4}, {3, 3}, {4, 2}, {8, 10}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        for (uint8_t length = 2; length <= 34; length++) {
            uint8_t octets[40] = {known[i].kind, length};
            struct tcp_options options;
            assert_int_equal(parse(octets, length, true, &options), 0);
            bool any = options.has_mss || options.has_wscale || options.sack_permitted ||
                       options.has_timestamps;
            assert_int_equal(any, length == known[i].good);
        }
    }
    for (uint8_t length = 2; length <= 38; length++) {
        uint8_t octets[40] = {5, length};
        struct tcp_options options;
        assert_int_equal(parse(octets, length, false, &options), 0);
        bool good = length >= 10 && length <= 34 && (length - 2) % 8 == 0;
        assert_int_equal(options.sack_count, good ? (length - 2) / 8 : 0);
    }
}

/* RFC 9293 3.7.1, MUST-65; RFC 7323 2.2; RFC 2018 2. [7323-W1] */
static void what_belongs_to_a_syn_counts_only_there(void **state) {
    (void)state;
    static const uint8_t octets[] = {2, 4, 5, 0xb4, 4, 2, 3, 3, 7, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2};
    struct tcp_options options;
    assert_int_equal(parse(octets, sizeof octets, true, &options), 0);
    assert_true(options.has_mss && options.sack_permitted && options.has_wscale);
    assert_int_equal(options.sack_count, 0);
    assert_int_equal(parse(octets, sizeof octets, false, &options), 0);
    assert_false(options.has_mss || options.sack_permitted || options.has_wscale);
    assert_int_equal(options.sack_count, 1);
}

/* RFC 7323 2.3: a shift of more than 14 is taken as 14. [7323-W2] */
static void scale_is_at_most_14(void **state) {
    (void)state;
    for (unsigned shift = 0; shift < 256; shift++) {
        uint8_t octets[3] = {3, 3, (uint8_t)shift};
        struct tcp_options options;
        assert_int_equal(parse(octets, 3, true, &options), 0);
        assert_int_equal(options.wscale, shift < 14 ? shift : 14);
    }
}

/* Linux's own SYN, SYN without each option, and segments with and without SACK. */
static void written_as_linux_writes(void **state) {
    (void)state;
    static const struct {
        struct tcp_options options;
        size_t length;
        uint8_t octets[40];
    } table[] = {
        {{.has_mss = true,
          .mss = 1460,
          .sack_permitted = true,
          .has_timestamps = true,
          .ts_value = 0x01020304,
          .has_wscale = true,
          .wscale = 7},
         20,
         {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}},
        {{.has_mss = true, .mss = 1460, .has_timestamps = true, .ts_echo = 9},
         16,
         {2, 4, 5, 0xb4, 1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 9}},
        {{.has_mss = true, .mss = 536, .sack_permitted = true}, 8, {2, 4, 2, 24, 1, 1, 4, 2}},
        {{.has_mss = true, .mss = 536, .has_wscale = true, .wscale = 0},
         8,
         {2, 4, 2, 24, 1, 3, 3, 0}},
        {{.has_mss = true, .mss = 65495}, 4, {2, 4, 0xff, 0xd7}},
        {{.has_timestamps = true, .ts_value = 1, .ts_echo = 2},
         12,
         {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}},
        {{.sack_count = 1, .sack = {{1, 2}}}, 12, {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2}},
        {{.mss = 9}, 0, {0}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint8_t octets[40];
        assert_int_equal(tcp_options_write(octets, &table[i].options), table[i].length);
        assert_memory_equal(octets, table[i].octets, table[i].length);
    }
}

/* Of four SACK blocks, as many as fit beside what else is there; the octets parse back to what was
 * written. */
static void what_is_written_is_read_back(void **state) {
    (void)state;
    struct mix mix = {31};
    for (int i = 0; i < 5000; i++) {
        struct tcp_options in = {0}, out;
        bool syn = mix_below(&mix, 2);
        in.has_timestamps = mix_below(&mix, 2);
        in.has_mss = syn && mix_below(&mix, 2);
        in.has_wscale = syn && mix_below(&mix, 2);
        in.sack_permitted = syn && mix_below(&mix, 2);
        in.mss = in.has_mss ? (uint16_t)mix_u64(&mix) : 0;
        in.wscale = in.has_wscale ? (uint8_t)mix_below(&mix, 15) : 0;
        in.ts_value = in.has_timestamps ? (uint32_t)mix_u64(&mix) : 0;
        in.ts_echo = in.has_timestamps ? (uint32_t)mix_u64(&mix) : 0;
        in.sack_count = syn ? 0 : (uint8_t)mix_below(&mix, 5);
        for (int b = 0; b < in.sack_count; b++)
            in.sack[b].left = in.sack[b].right = (uint32_t)mix_u64(&mix);
        uint8_t octets[40];
        size_t length = tcp_options_write(octets, &in);
        assert_true(length <= 40 && length % 4 == 0);
        assert_int_equal(parse(octets, length, syn, &out), 0);
        if (in.has_timestamps && in.sack_count == 4) {
            in.sack_count = 3;
            in.sack[3].left = in.sack[3].right = 0;
        }
        assert_int_equal(out.sack_count, in.sack_count);
        for (int b = 0; b < in.sack_count; b++)
            assert_int_equal(out.sack[b].left, in.sack[b].left);
        assert_true(out.has_mss == in.has_mss && out.has_wscale == in.has_wscale &&
                    out.mss == in.mss && out.wscale == in.wscale &&
                    out.sack_permitted == in.sack_permitted &&
                    out.has_timestamps == in.has_timestamps && out.ts_value == in.ts_value &&
                    out.ts_echo == in.ts_echo);
    }
}

static void any_octets_are_survived(void **state) {
    (void)state;
    struct mix mix = {32};
    for (int i = 0; i < 100000; i++) {
        uint8_t octets[40];
        size_t length = mix_below(&mix, 41);
        for (size_t j = 0; j < length; j++)
            octets[j] = (uint8_t)(mix_below(&mix, 2) ? mix_below(&mix, 12) : mix_u64(&mix));
        struct tcp_options options;
        parse(octets, length, i % 2, &options);
        assert_true(options.sack_count <= 4 && options.wscale <= 14);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_at_every_alignment),
        cmocka_unit_test(the_end_ends),
        cmocka_unit_test(unknown_options_are_skipped),
        cmocka_unit_test(impossible_lengths_end_the_parse),
        cmocka_unit_test(a_wrong_length_of_a_known_option_does_not_count),
        cmocka_unit_test(what_belongs_to_a_syn_counts_only_there),
        cmocka_unit_test(scale_is_at_most_14),
        cmocka_unit_test(written_as_linux_writes),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(any_octets_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
