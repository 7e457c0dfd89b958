#include "engine/base/bytes.h"
#include "engine/wire/checksum.h"
#include "test/unit/base/mix.h"
#include "test/unit/base/unit.h"

/* RFC 1071, as it is said there: 16-bit words, end-around carry, a zero octet if the number is odd.
 */
static uint16_t plain_sum(const uint8_t *data, size_t length) {
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static uint16_t checksum_of(const void *data, size_t length) {
    struct checksum sum = {0};
    checksum_add(&sum, data, length);
    return checksum_finish(&sum);
}

/* RFC 1071, section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2. */
static void the_example_of_rfc_1071(void **state) {
    (void)state;
    static const uint8_t octets[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(checksum_of(octets, sizeof octets), (uint16_t)~0xddf2);
    for (size_t cut = 0; cut <= sizeof octets; cut++) {
        struct checksum sum = {0};
        checksum_add(&sum, octets, cut);
        checksum_add(&sum, octets + cut, sizeof octets - cut);
        assert_int_equal(checksum_finish(&sum), (uint16_t)~0xddf2);
    }
}

/* A header seen on a wire. */
static void a_known_ipv4_header(void **state) {
    (void)state;
    uint8_t header[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                        0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
    assert_int_equal(checksum_of(header, sizeof header), 0);
    header[10] = header[11] = 0;
    assert_int_equal(checksum_of(header, sizeof header), 0xb861);
}

static void edges(void **state) {
    (void)state;
    static const uint8_t zero[64], one = 1;
    uint8_t ones[64];
    memset(ones, 0xff, sizeof ones);
    assert_int_equal(checksum_of(NULL, 0), 0xffff);
    assert_int_equal(checksum_of(zero, 64), 0xffff);
    for (size_t length = 2; length <= 64; length += 2)
        assert_int_equal(checksum_of(ones, length), 0);
    assert_int_equal(checksum_of(&one, 1), (uint16_t)~0x0100);
}

static void any_pieces_at_any_alignment(void **state) {
    (void)state;
    struct mix mix = {21};
    static uint8_t data[70000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(mix_below(&mix, 4) ? mix_u64(&mix) : 0xff);
    for (int round = 0; round < 3000; round++) {
        size_t start = mix_below(&mix, 64), length = mix_below(&mix, round % 100 ? 300 : 65536);
        struct checksum sum = {0};
        for (size_t at = 0; at < length;) {
            size_t piece = 1 + mix_below(&mix, 40 + (uint32_t)length / 4);
            piece = piece < length - at ? piece : length - at;
            checksum_add(&sum, data + start + at, piece);
            if (mix_below(&mix, 4) == 0)
                checksum_add(&sum, data, 0);
            at += piece;
        }
        assert_int_equal(checksum_finish(&sum), (uint16_t)~plain_sum(data + start, length));
    }
}

static void pseudo_headers(void **state) {
    (void)state;
    struct berth_ip a = berth_ip_v4(0xc0a80001), b = berth_ip_v4(0xc0a800c7), c, d;
    static const uint8_t v4[] = {0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7, 0, 6, 0x12, 0x34};
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, &a, &b, 6, 0x1234);
    assert_int_equal(checksum_finish(&sum), (uint16_t)~plain_sum(v4, sizeof v4));

    uint8_t v6[40] = {0};
    assert_int_equal(berth_ip_parse("2001:db8::1", &c) | berth_ip_parse("fe80::ff:9", &d), 0);
    memcpy(v6, c.bytes, 16);
    memcpy(v6 + 16, d.bytes, 16);
    store_be32(v6 + 32, 0x00012345);
    v6[39] = 17;
    sum = (struct checksum){0};
    checksum_add_pseudo(&sum, &c, &d, 17, 0x00012345);
    assert_int_equal(checksum_finish(&sum), (uint16_t)~plain_sum(v6, sizeof v6));
}

/* Octets of 0xff make carries everywhere; behind an odd octet all counts swapped. */
static void pseudo_headers_of_any_addresses(void **state) {
    (void)state;
    struct mix mix = {22};
    for (int round = 0; round < 2000; round++) {
        uint8_t plain[42] = {0};
        struct berth_ip ends[2];
        bool v6 = mix_below(&mix, 2), odd = mix_below(&mix, 2);
        size_t size = v6 ? 16 : 4;
        for (int i = 0; i < 2; i++) {
            ends[i] = berth_ip_v4(0);
            for (size_t j = 16 - size; j < 16; j++)
                ends[i].bytes[j] = (uint8_t)(mix_below(&mix, 3) ? 0xff : mix_u64(&mix));
            memcpy(plain + 2 + (size_t)i * size, ends[i].bytes + 16 - size, size);
        }
        uint32_t length = (uint32_t)mix_u64(&mix) >> mix_below(&mix, 32);
        store_be32(plain + 2 + 2 * size, length);
        plain[2 + 2 * size + 7] = 6;
        struct checksum sum = {0};
        if (odd)
            checksum_add(&sum, "\x85", 1);
        checksum_add_pseudo(&sum, &ends[0], &ends[1], 6, length);
        if (odd) { /* the pseudo-header's octets come one place later then */
            memmove(plain + 1, plain + 2, 40);
            plain[0] = 0x85;
        }
        size_t from = odd ? 0 : 2, whole = 2 * size + 8 + odd;
        assert_int_equal(checksum_finish(&sum), (uint16_t)~plain_sum(plain + from, whole));
    }
}

static void parts_are_added_in_order(void **state) {
    (void)state;
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const struct berth_part parts[] = {
        {NULL, data, 3}, {NULL, data + 3, 0}, {NULL, data + 3, 1}, {NULL, data + 4, 7}};
    struct checksum sum = {0};
    checksum_add_parts(&sum, parts, 4);
    assert_int_equal(checksum_finish(&sum), checksum_of(data, sizeof data));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_1071),
        cmocka_unit_test(a_known_ipv4_header),
        cmocka_unit_test(edges),
        cmocka_unit_test(any_pieces_at_any_alignment),
        cmocka_unit_test(pseudo_headers),
        cmocka_unit_test(pseudo_headers_of_any_addresses),
        cmocka_unit_test(parts_are_added_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
