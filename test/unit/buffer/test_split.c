/* The pieces of a large segment against what each must be, computed from its flat octets. */
#include "engine/base/bytes.h"
#include "engine/buffer/split.h"
#include "engine/wire/tcp.h"
#include "test/unit/network/unit.h"
#include <string.h>

enum { OPTIONS = 12, HEAD = 14 + 20 + 20 + OPTIONS, SEQ = 0xfffff000, ID = 0xfffe };

/* RFC 1071 the slow way, apart from the engine's. */
static uint16_t slow_sum(const uint8_t *data, size_t length, uint32_t sum) {
    for (size_t i = 0; i < length; i++)
        sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static bool checksums_right(const uint8_t *frame, size_t length) {
    uint32_t pseudo = 6 + (uint32_t)(length - 34);
    for (int i = 0; i < 8; i += 2)
        pseudo += load_be16(frame + 26 + i);
    return slow_sum(frame + 14, 20, 0) == 0 && slow_sum(frame + 34, length - 34, pseudo) == 0;
}

static uint8_t payload_octet(size_t i) {
    return (uint8_t)(i * 7 + i / 251);
}

static void write_headers(uint8_t *to, size_t payload, uint16_t flags, uint16_t urgent) {
    memset(to, 0, HEAD);
    memcpy(to, "\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0", 14);
    to[14] = 0x45;
    store_be16(to + 16, (uint16_t)(HEAD - 14 + payload));
    store_be16(to + 18, ID);
    to[20] = 0x40;
    to[22] = 64;
    to[23] = 6;
    memcpy(to + 26, "\x0a\0\0\1\x0a\0\0\2", 8);
    store_be16(to + 24, slow_sum(to + 14, 20, 0));
    struct tcp_header tcp = {.source_port = 23,
                             .destination_port = 40000,
                             .seq = SEQ,
                             .ack = 77,
                             .header_length = 20 + OPTIONS,
                             .flags = flags,
                             .window = 512,
                             .urgent = urgent};
    tcp_header_write(to + 34, &tcp);
    memcpy(to + 54, "\1\1\x08\x0a\0\0\0\1\0\0\0\2", OPTIONS);
}

/* own: octets of payload in the frame's own header; the rest in parts of uneven lengths. */
static void make_large(struct berth_frame *frame, size_t payload, size_t own, uint16_t segment,
                       uint16_t flags, uint16_t urgent) {
    memset(frame, 0, sizeof *frame);
    write_headers(frame->header, payload, flags, urgent);
    for (size_t i = 0; i < own; i++)
        frame->header[HEAD + i] = payload_octet(i);
    frame->header_length = (uint16_t)(HEAD + own);
    frame->transport_offset = 34;
    frame->segment_size = segment;
    frame->flags = BERTH_FRAME_NO_CHECKSUM;
    size_t at = own, step = payload / 11 | 1;
    while (at < payload) {
        size_t length = payload - at < step ? payload - at : step;
        struct berth_block *block =
            berth_block_new(berth_allocator_default(), (uint32_t)length + 3);
        for (size_t i = 0; i < length; i++)
            block->data[3 + i] = payload_octet(at + i);
        frame->parts[frame->part_count++] =
            (struct berth_part){block, block->data + 3, (uint32_t)length};
        at += length;
    }
}

static void check_piece(struct berth_frame *piece, size_t at, size_t length, uint16_t index,
                        uint16_t flags) {
    static uint8_t flat[70000];
    assert_int_equal(piece->flags, BERTH_FRAME_NO_CHECKSUM);
    assert_int_equal(piece->segment_size, 0);
    berth_frame_finish(piece, 14);
    assert_int_equal(berth_frame_read(piece, 0, flat, sizeof flat), HEAD + length);
    assert_true(checksums_right(flat, HEAD + length));
    assert_int_equal(load_be16(flat + 16), HEAD - 14 + length);
    assert_int_equal(load_be16(flat + 18), (uint16_t)(ID + index));
    assert_int_equal(load_be32(flat + 38), (uint32_t)(SEQ + at));
    assert_int_equal(load_be32(flat + 42), 77);
    assert_int_equal(flat[47], flags);
    assert_memory_equal(flat + 54, "\1\1\x08\x0a\0\0\0\1\0\0\0\2", OPTIONS);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(flat[HEAD + i], payload_octet(at + i));
}

static void pieces_are_what_a_host_would_have_sent(void **state) {
    (void)state;
    static const size_t payloads[] = {1, 1447, 1448, 1449, 2896, 2897, 30001, 65483};
    for (size_t p = 0; p < COUNT(payloads); p++) {
        for (size_t own = 0; own <= 90; own += 45) {
            size_t payload = payloads[p], at = 0;
            struct berth_frame large, piece;
            make_large(&large, payload, own < payload ? own : payload, 1448,
                       TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR, 0);
            struct split split;
            assert_true(split_begin(&split, &large, 14));
            for (uint16_t i = 0; split_next(&split, &piece); i++) {
                size_t length = payload - at < 1448 ? payload - at : 1448;
                uint16_t flags = TCP_ACK;
                if (i == 0)
                    flags |= TCP_CWR;
                if (at + length == payload)
                    flags |= TCP_PSH | TCP_FIN;
                check_piece(&piece, at, length, i, flags);
                at += length;
                berth_frame_clear(&piece);
            }
            assert_int_equal(at, payload);
            berth_frame_clear(&large);
        }
    }
}

/* RFC 9293, section 3.1: the urgent pointer counts from the segment's sequence number. */
static void urgent_pointer_moves_with_the_pieces(void **state) {
    (void)state;
    struct berth_frame large, piece;
    make_large(&large, 3000, 0, 1000, TCP_ACK | TCP_URG, 1500);
    static const uint16_t urgent[] = {1500, 500, 0};
    struct split split;
    assert_true(split_begin(&split, &large, 14));
    for (int i = 0; i < 3; i++) {
        assert_true(split_next(&split, &piece));
        assert_int_equal(load_be16(piece.header + 34 + 18), urgent[i]);
        assert_int_equal(piece.header[47], i < 2 ? TCP_ACK | TCP_URG : TCP_ACK);
        berth_frame_clear(&piece);
    }
    assert_false(split_next(&split, &piece));
    berth_frame_clear(&large);
}

/* As they come from outside: all octets in one block, with padding behind the datagram. */
static void flat_frames_split_too_and_lose_their_padding(void **state) {
    (void)state;
    uint8_t flat[HEAD + 5000 + 6] = {0};
    write_headers(flat, 5000, TCP_ACK, 0);
    for (size_t i = 0; i < 5000; i++)
        flat[HEAD + i] = payload_octet(i);
    struct berth_frame large, piece;
    assert_int_equal(berth_frame_from_bytes(&large, berth_allocator_default(), flat, sizeof flat),
                     0);
    large.segment_size = 1448;
    struct split split;
    size_t at = 0;
    assert_true(split_begin(&split, &large, 14));
    for (uint16_t i = 0; split_next(&split, &piece); i++) {
        size_t length = 5000 - at < 1448 ? 5000 - at : 1448;
        check_piece(&piece, at, length, i, TCP_ACK);
        at += length;
        berth_frame_clear(&piece);
    }
    assert_int_equal(at, 5000);
    berth_frame_clear(&large);
}

static void what_is_not_a_whole_large_segment_is_refused(void **state) {
    (void)state;
    static const struct {
        size_t offset;
        uint8_t value;
    } faults[] = {
        {12, 0x86}, /* neither IPv4 nor IPv6 */
        {14, 0x44}, /* IHL 4 */
        {14, 0x4f}, /* TCP past the octets */
        {20, 0x20}, /* a fragment */
        {23, 17},   /* UDP */
        {46, 0x40}, /* data offset 4 */
        {16, 0xff}, /* total length past the frame */
        {16, 0},    /* and short of the headers */
    };
    for (size_t i = 0; i < COUNT(faults); i++) {
        uint8_t flat[HEAD + 200] = {0};
        write_headers(flat, 200, TCP_ACK, 0);
        flat[faults[i].offset] = faults[i].value;
        if (faults[i].value == 0)
            flat[17] = 30;
        struct berth_frame large;
        assert_int_equal(
            berth_frame_from_bytes(&large, berth_allocator_default(), flat, sizeof flat), 0);
        large.segment_size = 100;
        struct split split;
        if (split_begin(&split, &large, 14))
            fail_msg("fault %zu was taken", i);
        berth_frame_clear(&large);
    }
}

static void tiny_segment_sizes_do_not_multiply_work(void **state) {
    (void)state;
    struct berth_frame large, piece;
    make_large(&large, 65000, 0, 1, TCP_ACK, 0);
    struct split split;
    assert_true(split_begin(&split, &large, 14));
    unsigned count = 0;
    for (; split_next(&split, &piece); count++)
        berth_frame_clear(&piece);
    assert_int_equal(count, (65000 + SPLIT_LEAST - 1) / SPLIT_LEAST);
    berth_frame_clear(&large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_what_a_host_would_have_sent),
        cmocka_unit_test(urgent_pointer_moves_with_the_pieces),
        cmocka_unit_test(flat_frames_split_too_and_lose_their_padding),
        cmocka_unit_test(what_is_not_a_whole_large_segment_is_refused),
        cmocka_unit_test(tiny_segment_sizes_do_not_multiply_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
