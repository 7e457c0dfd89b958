/* Ethernet, ARP, IPv4, ICMP and UDP. */
#include "engine/wire/arp.h"
#include "engine/wire/checksum.h"
#include "engine/wire/icmp.h"
#include "engine/wire/udp.h"
#include "test/unit/base/mix.h"
#include "test/unit/base/unit.h"
#include <errno.h>
#include <stdlib.h>

/* A frame seen on a wire: who has 10.0.0.2, tell 10.0.0.1. */
static const uint8_t arp_frame[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06,
    0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01,
    0x0a, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x02};

static void ethernet_and_arp(void **state) {
    (void)state;
    struct ethernet_header ethernet;
    struct arp_packet arp;
    uint8_t out[sizeof arp_frame];
    assert_int_equal(ethernet_header_parse(arp_frame, 13, &ethernet), -EINVAL);
    assert_int_equal(ethernet_header_parse(arp_frame, 14, &ethernet), 0);
    assert_int_equal(ethernet.type, ETHERNET_ARP);
    assert_true(ethernet_is_broadcast(ethernet.destination) &&
                ethernet_is_group(ethernet.destination));
    assert_false(ethernet_is_broadcast(ethernet.source) || ethernet_is_group(ethernet.source));
    assert_int_equal(arp_packet_parse(arp_frame + 14, 28, &arp), 0);
    assert_int_equal(arp.operation, ARP_REQUEST);
    assert_int_equal(arp.sender_ip, 0x0a000001);
    assert_int_equal(arp.target_ip, 0x0a000002);
    assert_memory_equal(arp.sender_mac, ethernet.source, 6);
    ethernet_header_write(out, &ethernet);
    arp_packet_write(out + 14, &arp);
    assert_memory_equal(out, arp_frame, sizeof out);
}

static void arp_of_other_kinds_is_refused(void **state) {
    (void)state;
    struct arp_packet arp;
    for (size_t length = 0; length < ARP_LENGTH; length++)
        assert_int_equal(arp_packet_parse(arp_frame + 14, length, &arp), -EINVAL);
    for (size_t i = 0; i < 6; i++) {
        uint8_t octets[ARP_LENGTH];
        memcpy(octets, arp_frame + 14, sizeof octets);
        octets[i] ^= 1;
        assert_int_equal(arp_packet_parse(octets, sizeof octets, &arp), -EINVAL);
    }
}

static struct ipv4_header sample_header(void) {
    struct ipv4_header header = {.header_length = 20,
                                 .tos = 0x2e,
                                 .ttl = 63,
                                 .protocol = IPV4_UDP,
                                 .total_length = 100,
                                 .id = 0xbeef,
                                 .dont_fragment = true,
                                 .source = 0xc0000201,
                                 .destination = 0xc6336401};
    return header;
}

static void ipv4_is_read_as_it_was_written(void **state) {
    (void)state;
    struct mix mix = {41};
    for (int i = 0; i < 5000; i++) {
        uint8_t options[40], octets[60];
        struct ipv4_header in = sample_header(), out;
        for (size_t j = 0; j < sizeof options; j++)
            options[j] = (uint8_t)mix_u64(&mix);
        in.header_length = (uint8_t)(20 + 4 * mix_below(&mix, 11));
        in.options = options;
        in.options_length = (uint8_t)(in.header_length - 20);
        in.total_length = (uint16_t)(in.header_length + mix_below(&mix, 2000));
        in.fragment_offset = (uint16_t)(8 * mix_below(&mix, 7000));
        in.more_fragments = mix_below(&mix, 2);
        in.dont_fragment = mix_below(&mix, 2);
        in.tos = (uint8_t)mix_u64(&mix);
        in.ttl = (uint8_t)mix_u64(&mix);
        in.protocol = (uint8_t)mix_u64(&mix);
        in.id = (uint16_t)mix_u64(&mix);
        in.source = (uint32_t)mix_u64(&mix);
        ipv4_header_write(octets, &in);
        assert_int_equal(ipv4_header_parse(octets, in.header_length, in.total_length, &out), 0);
        assert_true(
            out.header_length == in.header_length && out.tos == in.tos && out.ttl == in.ttl &&
            out.protocol == in.protocol && out.total_length == in.total_length && out.id == in.id &&
            out.fragment_offset == in.fragment_offset && out.more_fragments == in.more_fragments &&
            out.dont_fragment == in.dont_fragment && out.source == in.source &&
            out.destination == in.destination && out.options_length == in.options_length);
        assert_memory_equal(out.options, options, out.options_length);
        assert_int_equal(ipv4_is_fragment(&out), in.more_fragments || in.fragment_offset);
        assert_int_equal(ipv4_payload_length(&out), in.total_length - in.header_length);
    }
}

/* RFC 1122 3.2.1.2: any single octet that changes is noticed. */
static void a_damaged_header_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t octets[20];
            struct ipv4_header header = sample_header();
            ipv4_header_write(octets, &header);
            octets[i] ^= (uint8_t)(1u << bit);
            assert_int_equal(ipv4_header_parse(octets, 20, 2000, &header), -EINVAL);
        }
    }
}

static void rewrite_checksum(uint8_t *octets, size_t length) {
    struct checksum sum = {0};
    store_be16(octets + 10, 0);
    checksum_add(&sum, octets, length);
    store_be16(octets + 10, checksum_finish(&sum));
}

/* Each header length in each number of octets; each total length in each number of octets that
 * came. */
static void ipv4_lengths(void **state) {
    (void)state;
    for (size_t length = 0; length <= 64; length++) {
        for (unsigned words = 0; words < 16; words++) {
            uint8_t octets[64] = {0};
            octets[0] = (uint8_t)(0x40 | words);
            store_be16(octets + 2, 64);
            rewrite_checksum(octets, words * 4);
            uint8_t *copy = malloc(length ? length : 1);
            assert_non_null(copy);
            memcpy(copy, octets, length);
            struct ipv4_header header;
            bool good = words >= 5 && words * 4 <= length;
            assert_int_equal(ipv4_header_parse(copy, length, 64, &header), good ? 0 : -EINVAL);
            free(copy);
        }
    }
    for (unsigned total = 0; total < 80; total++) {
        for (size_t available = 24; available < 80; available++) {
            uint8_t octets[24] = {0x46};
            store_be16(octets + 2, (uint16_t)total);
            rewrite_checksum(octets, 24);
            struct ipv4_header header;
            bool good = total >= 24 && total <= available;
            assert_int_equal(ipv4_header_parse(octets, 24, available, &header), good ? 0 : -EINVAL);
        }
    }
}

static void other_versions_are_refused(void **state) {
    (void)state;
    for (unsigned version = 0; version < 16; version++) {
        uint8_t octets[20] = {(uint8_t)(version << 4 | 5), 0, 0, 20};
        struct ipv4_header header;
        rewrite_checksum(octets, 20);
        assert_int_equal(ipv4_header_parse(octets, 20, 20, &header), version == 4 ? 0 : -EINVAL);
    }
}

/* A fragment that would end past the largest datagram (the "ping of death"). */
static void fragments_past_the_end_are_refused(void **state) {
    (void)state;
    for (unsigned offset = 65000; offset <= 65528; offset += 8) {
        for (unsigned payload = 0; payload < 600; payload += 7) {
            uint8_t octets[20];
            struct ipv4_header header = sample_header();
            header.dont_fragment = false;
            header.fragment_offset = (uint16_t)offset;
            header.total_length = (uint16_t)(20 + payload);
            ipv4_header_write(octets, &header);
            bool good = 20 + offset + payload <= 65535;
            assert_int_equal(ipv4_header_parse(octets, 20, 1000, &header), good ? 0 : -EINVAL);
        }
    }
}

static void icmp_header_and_kinds(void **state) {
    (void)state;
    static const uint8_t octets[] = {8, 1, 0xab, 0xcd, 0x12, 0x34, 0x56, 0x78};
    static const uint8_t errors[] = {3, 4, 5, 11, 12};
    struct icmp_header header;
    uint8_t out[8];
    for (size_t length = 0; length < 8; length++)
        assert_int_equal(icmp_header_parse(octets, length, &header), -EINVAL);
    assert_int_equal(icmp_header_parse(octets, 8, &header), 0);
    assert_true(header.type == ICMP_ECHO && header.code == 1 && header.checksum == 0xabcd);
    assert_int_equal(header.rest, 0x12345678);
    icmp_header_write(out, &header);
    assert_memory_equal(out, ((uint8_t[]){8, 1, 0, 0, 0x12, 0x34, 0x56, 0x78}), 8);
    for (unsigned type = 0; type < 256; type++)
        assert_int_equal(icmp_is_error((uint8_t)type),
                         memchr(errors, (int)type, sizeof errors) != NULL);
}

/* RFC 792: the IP header and 8 octets; the quoted total length and checksum may say anything. */
static void quoted_datagrams(void **state) {
    (void)state;
    uint8_t octets[60 + 8] = {0};
    for (unsigned words = 0; words < 16; words++) {
        for (size_t length = 0; length <= sizeof octets; length++) {
            octets[0] = (uint8_t)(0x40 | words);
            store_be16(octets + 2, 0xffff);
            uint8_t *copy = malloc(length ? length : 1);
            assert_non_null(copy);
            memcpy(copy, octets, length);
            struct icmp_quote quote;
            bool good = words >= 5 && length >= words * 4 + 8;
            assert_int_equal(icmp_quote_parse(copy, length, &quote), good ? 0 : -EINVAL);
            if (good) {
                assert_ptr_equal(quote.transport, copy + words * 4);
                assert_int_equal(quote.transport_length, length - words * 4);
            }
            free(copy);
        }
    }
    struct icmp_quote quote;
    octets[0] = 0x45;
    octets[7] = 1; /* a later fragment has no ports */
    assert_int_equal(icmp_quote_parse(octets, sizeof octets, &quote), -EINVAL);
    octets[7] = 0;
    octets[6] = 0x20; /* the first one has */
    assert_int_equal(icmp_quote_parse(octets, sizeof octets, &quote), 0);
}

/* RFC 768: the length covers the header and lies within the IP payload; less is allowed. */
static void udp_lengths(void **state) {
    (void)state;
    for (unsigned length = 0; length < 40; length++) {
        for (size_t available = 0; available < 40; available++) {
            uint8_t octets[8] = {0x12, 0x34, 0, 53, 0, (uint8_t)length, 0xab, 0xcd}, out[8];
            struct udp_header header;
            bool good = available >= 8 && length >= 8 && length <= available;
            size_t contiguous = available < 8 ? available : 8;
            assert_int_equal(udp_header_parse(octets, contiguous, available, &header),
                             good ? 0 : -EINVAL);
            if (!good)
                continue;
            assert_true(header.source_port == 0x1234 && header.destination_port == 53 &&
                        header.length == length && header.checksum == 0xabcd);
            udp_header_write(out, &header);
            assert_memory_equal(out, octets, 8);
        }
    }
    assert_int_equal(udp_checksum_on_wire(0), 0xffff);
    assert_int_equal(udp_checksum_on_wire(0x1234), 0x1234);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ethernet_and_arp),
        cmocka_unit_test(arp_of_other_kinds_is_refused),
        cmocka_unit_test(ipv4_is_read_as_it_was_written),
        cmocka_unit_test(a_damaged_header_is_refused),
        cmocka_unit_test(ipv4_lengths),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(fragments_past_the_end_are_refused),
        cmocka_unit_test(icmp_header_and_kinds),
        cmocka_unit_test(quoted_datagrams),
        cmocka_unit_test(udp_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
