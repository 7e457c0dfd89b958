#include "engine/wire/tcp.h"
#include "test/unit/base/unit.h"
#include <errno.h>
#include <stdlib.h>

static const uint8_t sample[] = {0x04, 0x00, 0x00, 0x50, 0x01, 0x02, 0x03, 0x04,
                                 0xf1, 0xf2, 0xf3, 0xf4, 0x60, 0x18, 0xab, 0xcd,
                                 0x12, 0x34, 0x56, 0x78, 0x02, 0x04, 0x05, 0xb4};

static void every_field_is_read(void **state) {
    (void)state;
    struct tcp_header header;
    assert_int_equal(tcp_header_parse(sample, sizeof sample, &header), 0);
    assert_int_equal(header.source_port, 1024);
    assert_int_equal(header.destination_port, 80);
    assert_int_equal(header.seq, 0x01020304);
    assert_int_equal(header.ack, 0xf1f2f3f4);
    assert_int_equal(header.header_length, 24);
    assert_int_equal(header.flags, TCP_ACK | TCP_PSH);
    assert_int_equal(header.window, 0xabcd);
    assert_int_equal(header.checksum, 0x1234);
    assert_int_equal(header.urgent, 0x5678);
    assert_int_equal(header.options_length, 4);
    assert_ptr_equal(header.options, sample + 20);
}

static void writing_gives_it_back_without_checksum(void **state) {
    (void)state;
    struct tcp_header header;
    uint8_t out[24], expected[24];
    memcpy(expected, sample, sizeof expected);
    expected[16] = expected[17] = 0;
    assert_int_equal(tcp_header_parse(sample, sizeof sample, &header), 0);
    tcp_header_write(out, &header);
    assert_memory_equal(out, expected, TCP_HEADER_MIN);
}

/* RFC 9293 3.1: the reserved bits must be ignored by the receiver and sent as zero. */
static void reserved_bits_are_ignored(void **state) {
    (void)state;
    uint8_t octets[24];
    struct tcp_header header;
    memcpy(octets, sample, sizeof octets);
    octets[12] |= 0x0f;
    assert_int_equal(tcp_header_parse(octets, sizeof octets, &header), 0);
    assert_int_equal(header.header_length, 24);
    assert_int_equal(header.flags, TCP_ACK | TCP_PSH);
}

/* Each data offset in each length; the copy is exact, so that a read past it is seen. */
static void any_offset_in_any_length(void **state) {
    (void)state;
    for (size_t length = 0; length <= 64; length++) {
        for (unsigned offset = 0; offset < 16; offset++) {
            uint8_t *octets = calloc(1, length ? length : 1);
            assert_non_null(octets);
            if (length > 12)
                octets[12] = (uint8_t)(offset << 4);
            struct tcp_header header;
            bool good = length >= 20 && offset >= 5 && offset * 4 <= length;
            assert_int_equal(tcp_header_parse(octets, length, &header), good ? 0 : -EINVAL);
            if (good)
                assert_int_equal(header.options_length, offset * 4 - 20);
            free(octets);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(writing_gives_it_back_without_checksum),
        cmocka_unit_test(reserved_bits_are_ignored),
        cmocka_unit_test(any_offset_in_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
