#include "engine/wire/checksum.h"
#include "engine/wire/ipv4.h"
#include "engine/wire/tcp.h"
#include "engine/wire/udp.h"
#include "test/unit/base/counting_allocator.h"
#include "test/unit/base/unit.h"
#include <errno.h>
#include <string.h>

/* A frame of 10 header octets and parts of 5, 0 and 7 octets: 0, 1, 2, ... */
static void build(struct berth_frame *frame, struct berth_allocator allocator) {
    memset(frame, 0, sizeof *frame);
    frame->header_length = 10;
    struct berth_block *block = berth_block_new(allocator, 12);
    assert_non_null(block);
    for (uint8_t i = 0; i < 22; i++)
        *(i < 10 ? &frame->header[i] : &block->data[i - 10]) = i;
    frame->parts[0] = (struct berth_part){block, block->data, 5};
    frame->parts[1] = (struct berth_part){NULL, NULL, 0};
    frame->parts[2] = (struct berth_part){berth_block_hold(block), block->data + 5, 7};
    frame->part_count = 3;
}

static void octets_are_read_from_any_place(void **state) {
    (void)state;
    struct counting counting;
    struct berth_allocator allocator = counting_allocator(&counting);
    struct berth_frame frame;
    build(&frame, allocator);
    assert_int_equal(berth_frame_length(&frame), 22);
    for (size_t offset = 0; offset < 30; offset++) {
        for (size_t max = 0; max < 30; max++) {
            uint8_t out[30];
            memset(out, 0xee, sizeof out);
            size_t there = offset < 22 ? 22 - offset : 0, expected = max < there ? max : there;
            assert_int_equal(berth_frame_read(&frame, offset, out, max), expected);
            for (size_t i = 0; i < sizeof out; i++)
                assert_int_equal(out[i], i < expected ? offset + i : 0xee);
        }
    }
    berth_frame_clear(&frame);
    assert_int_equal(berth_frame_length(&frame), 0);
    assert_int_equal(counting.blocks, 0);
}

static void a_copy_lives_on_its_own(void **state) {
    (void)state;
    struct counting counting;
    struct berth_allocator allocator = counting_allocator(&counting);
    struct berth_frame frame, copy;
    build(&frame, allocator);
    frame.flags = BERTH_FRAME_CHECKSUM_OK;
    frame.segment_size = 9;
    berth_frame_copy(&copy, &frame);
    assert_int_equal(frame.parts[0].block->references, 4);
    berth_frame_clear(&frame);
    assert_int_equal(counting.blocks, 1);
    uint8_t out[22];
    assert_int_equal(berth_frame_read(&copy, 0, out, 22), 22);
    for (uint8_t i = 0; i < 22; i++)
        assert_int_equal(out[i], i);
    assert_int_equal(copy.flags, BERTH_FRAME_CHECKSUM_OK);
    assert_int_equal(copy.segment_size, 9);
    berth_frame_clear(&copy);
    assert_int_equal(counting.blocks, 0);
}

static void from_bytes_is_one_block(void **state) {
    (void)state;
    struct counting counting;
    struct berth_allocator allocator = counting_allocator(&counting);
    struct berth_frame frame;
    static const uint8_t octets[] = {1, 2, 3};
    assert_int_equal(berth_frame_from_bytes(&frame, allocator, octets, 3), 0);
    assert_true(frame.header_length == 0 && frame.part_count == 1 && frame.flags == 0);
    assert_memory_equal(frame.parts[0].data, octets, 3);
    berth_frame_clear(&frame);
    assert_int_equal(berth_frame_from_bytes(&frame, allocator, octets, 0), 0);
    assert_int_equal(frame.part_count, 0);
    counting_fail_after(&counting, 0);
    assert_int_equal(berth_frame_from_bytes(&frame, allocator, octets, 3), -ENOMEM);
    berth_frame_clear(&frame); /* is empty, not garbage */
    assert_int_equal(counting.blocks, 0);
}

/* Over the finished frame, pseudo-header and all, the sum is right. */
static void check_finished(struct berth_frame *frame, const struct berth_ip *source,
                           const struct berth_ip *destination, uint8_t protocol, size_t link) {
    uint8_t octets[400];
    size_t length = berth_frame_read(frame, 0, octets, sizeof octets),
           transport = frame->transport_offset;
    assert_int_equal(frame->flags & BERTH_FRAME_NO_CHECKSUM, BERTH_FRAME_NO_CHECKSUM);
    berth_frame_finish(frame, link);
    assert_int_equal(frame->flags & BERTH_FRAME_NO_CHECKSUM, 0);
    length = berth_frame_read(frame, 0, octets, sizeof octets);
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, source, destination, protocol, (uint32_t)(length - transport));
    checksum_add(&sum, octets + transport, length - transport);
    assert_int_equal(checksum_finish(&sum), 0);
}

static void start_frame(struct berth_frame *frame, struct berth_allocator allocator,
                        uint32_t payload) {
    memset(frame, 0, sizeof *frame);
    struct berth_block *block = berth_block_new(allocator, payload + 1);
    assert_non_null(block);
    for (uint32_t i = 0; i <= payload; i++)
        block->data[i] = (uint8_t)(i * 7);
    frame->parts[0] = (struct berth_part){block, block->data + 1, payload / 2};
    frame->parts[1] = (struct berth_part){berth_block_hold(block), block->data + 1 + payload / 2,
                                          payload - payload / 2};
    frame->part_count = 2;
    frame->flags = BERTH_FRAME_NO_CHECKSUM;
}

static void finish_computes_what_is_missing(void **state) {
    (void)state;
    struct counting counting;
    struct berth_allocator allocator = counting_allocator(&counting);
    struct berth_ip a4 = berth_ip_v4(0x0a000001), b4 = berth_ip_v4(0x0a000002), a6, b6;
    assert_int_equal(berth_ip_parse("2001:db8::1", &a6) | berth_ip_parse("2001:db8::2", &b6), 0);
    for (size_t link = 0; link <= 14; link += 14) {
        for (uint32_t payload = 0; payload < 200; payload += 13) {
            for (int v6 = 0; v6 < 2; v6++) {
                for (int udp = 0; udp < 2; udp++) {
                    struct berth_frame frame;
                    uint8_t protocol = udp ? IPV4_UDP : IPV4_TCP;
                    start_frame(&frame, allocator, payload);
                    size_t ip_length = v6 ? 40 : 24, transport_length = udp ? 8 : 32;
                    uint8_t *ip = frame.header + link;
                    if (v6) {
                        ip[0] = 0x60;
                        ip[6] = protocol;
                        memcpy(ip + 8, a6.bytes, 16);
                        memcpy(ip + 24, b6.bytes, 16);
                    } else {
                        struct ipv4_header header = {.header_length = 24,
                                                     .protocol = protocol,
                                                     .ttl = 64,
                                                     .source = 0x0a000001,
                                                     .destination = 0x0a000002};
                        ipv4_header_write(ip, &header);
                    }
                    memset(ip + ip_length, 0xa5, transport_length);
                    frame.transport_offset = (uint16_t)(link + ip_length);
                    frame.header_length = (uint16_t)(link + ip_length + transport_length);
                    check_finished(&frame, v6 ? &a6 : &a4, v6 ? &b6 : &b4, protocol, link);
                    berth_frame_clear(&frame);
                }
            }
        }
    }
    assert_int_equal(counting.blocks, 0);
}

/* RFC 768: a UDP checksum that comes out as zero is sent as all ones. */
static void finish_never_writes_zero_for_udp(void **state) {
    (void)state;
    struct berth_frame frame;
    for (unsigned word = 0; word < 65536; word++) {
        memset(&frame, 0, sizeof frame);
        struct ipv4_header header = {
            .header_length = 20, .protocol = IPV4_UDP, .source = 1, .destination = 2};
        ipv4_header_write(frame.header, &header);
        store_be16(frame.header + 28, (uint16_t)word);
        frame.header_length = 30;
        frame.transport_offset = 20;
        frame.flags = BERTH_FRAME_NO_CHECKSUM;
        berth_frame_finish(&frame, 0);
        assert_int_not_equal(load_be16(frame.header + 26), 0);
    }
}

static void finish_leaves_alone_what_it_cannot_read(void **state) {
    (void)state;
    struct berth_frame frame;
    for (unsigned offset = 0; offset < 80; offset++) {
        for (uint16_t length = 0; length < 80; length++) {
            memset(&frame, 0, sizeof frame);
            frame.header[0] = 0x45;
            frame.header[9] = IPV4_TCP;
            frame.header_length = length;
            frame.transport_offset = (uint16_t)offset;
            frame.flags = BERTH_FRAME_NO_CHECKSUM;
            berth_frame_finish(&frame, 0);
            bool good = offset >= 20 && offset + 18 <= length;
            assert_int_equal(frame.flags & BERTH_FRAME_NO_CHECKSUM,
                             good ? 0 : BERTH_FRAME_NO_CHECKSUM);
        }
    }
    memset(&frame, 0, sizeof frame);
    frame.header[0] = 0x45;
    frame.header[36] = 7;
    frame.header_length = 60;
    frame.transport_offset = 20;
    berth_frame_finish(&frame, 0); /* has its checksum */
    assert_int_equal(frame.header[36], 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_are_read_from_any_place),
        cmocka_unit_test(a_copy_lives_on_its_own),
        cmocka_unit_test(from_bytes_is_one_block),
        cmocka_unit_test(finish_computes_what_is_missing),
        cmocka_unit_test(finish_never_writes_zero_for_udp),
        cmocka_unit_test(finish_leaves_alone_what_it_cannot_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
