/* Fragments of IPv6 (RFC 8200 4.5; RFC 5722, 6946), in both directions. */
#include "test/unit/host/peer6.h"

static uint8_t data[70000], joined[70000], message[70000];

static void fill(void) {
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 13 + i / 251);
}

/* A piece of `message` in a fragment, with a destination options header before it if `extended`. */
static void give_piece(struct peer *peer, uint32_t id, size_t offset, size_t length, bool more,
                       bool extended) {
    static uint8_t octets[70000];
    struct ipv6_header ip = {.next = IPV6_FRAGMENT};
    size_t at = 0;
    if (extended) {
        static const uint8_t options[8] = {IPV6_FRAGMENT, 0, 1, 4};
        memcpy(octets, options, 8);
        at = 8;
        ip.next = IPV6_DESTINATION;
    }
    ipv6_fragment_write(octets + at, IPV6_ICMP, (uint16_t)offset, more, id);
    memcpy(octets + at + 8, message + offset, length);
    give_ip6(peer, ip, octets, at + 8 + length);
}

static size_t make_echo(size_t length) {
    return make_icmp6(message, &peer_ip6, &host_ip6, ICMP6_ECHO, 0, 7, data, length);
}

/* Pulls all fragments of one datagram and joins them; returns its payload's length. */
static size_t pull_joined(struct peer *peer, size_t mtu, size_t *count) {
    struct ipv6_header ip;
    size_t length = 0;
    uint32_t id = 0;
    bool more = true;
    *count = 0;
    while (more && peer_pull(peer)) {
        const uint8_t *payload = out_ip6(peer, &ip);
        assert_true(IPV6_HEADER + ip.payload_length <= (int)mtu);
        if (ip.next != IPV6_FRAGMENT) { /* it fits whole */
            memcpy(joined, payload, ip.payload_length);
            (*count)++;
            return ip.payload_length;
        }
        assert_int_equal(load_be16(payload + 2) & 0xfff8, length);
        assert_true(*count == 0 || load_be32(payload + 4) == id);
        id = load_be32(payload + 4);
        more = payload[3] & 1;
        assert_true(!more || (ip.payload_length - 8) % 8 == 0);
        memcpy(joined + length, payload + 8, ip.payload_length - 8);
        length += ip.payload_length - 8u;
        (*count)++;
    }
    assert_false(more);
    return length;
}

/* Pings of any size come and go in fragments. [4443-2, 8200-2] */
static void large_echo(void **state) {
    (void)state;
    static const size_t sizes[] = {1453, 2900, 8000, 40000, 65527};
    static const uint32_t mtus[] = {1280, 1500, 9000};
    fill();
    for (size_t m = 0; m < 3; m++) {
        struct peer peer;
        peer6_start(&peer, BERTH_LINK_ETHERNET, mtus[m], 0);
        peer6_meet(&peer);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t made = make_echo(sizes[i]), count;
            for (size_t at = 0; at < made; at += 1448)
                give_piece(&peer, 1234, at, made - at < 1448 ? made - at : 1448, made - at > 1448,
                           i % 2);
            assert_int_equal(pull_joined(&peer, mtus[m], &count), made);
            assert_int_equal(joined[0], ICMP6_ECHO_REPLY);
            assert_memory_equal(joined + 8, data, sizes[i]);
            peer_expect_silence(&peer);
        }
        assert_int_equal(berth_host_counters(peer.host)->ip_reasm_oks, 5);
        peer_stop(&peer);
    }
}

/* In any order, with some of them twice. [8200-2] */
static void order(void **state) {
    (void)state;
    struct peer peer;
    uint64_t seed = 5;
    fill();
    peer6_start(&peer, BERTH_LINK_RAW_IP, 65535, 0);
    for (uint32_t round = 0; round < 200; round++) {
        size_t starts[64], ends[64], places[64], count = 0, at = 0;
        size_t made = make_echo(8 + test_random(&seed) % 4000);
        while (at < made && count < 64) {
            size_t length = 8 + test_random(&seed) % 40 * 8;
            starts[count] = at;
            ends[count] = made - at <= length || count == 63 ? made : at + length;
            at = ends[count];
            places[count] = count;
            count++;
        }
        if (count < 2)
            continue;
        for (size_t i = count; i > 1; i--) {
            size_t j = test_random(&seed) % i, swapped = places[i - 1];
            places[i - 1] = places[j];
            places[j] = swapped;
        }
        for (size_t i = 0; i < count; i++) {
            size_t f = places[i];
            peer_expect_silence(&peer);
            if (i + 1 < count && test_random(&seed) % 3 == 0)
                give_piece(&peer, round, starts[f], ends[f] - starts[f], ends[f] < made, false);
            give_piece(&peer, round, starts[f], ends[f] - starts[f], ends[f] < made, false);
        }
        struct icmp_header icmp;
        assert_true(peer_pull(&peer));
        assert_memory_equal(out_icmp6(&peer, &icmp), data, made - 8);
        peer_expect_silence(&peer);
    }
    peer_stop(&peer);
}

/* RFC 5722 4: what overlaps costs the datagram, with the fragments that are still to come, in
 * silence. [5722-1] */
static void overlap(void **state) {
    (void)state;
    static const struct {
        size_t offset, length;
        bool more;
    } intruders[] = {{0, 16, true},  {8, 16, true},   {24, 24, true}, {32, 40, true},
                     {64, 32, true}, {72, 36, false}, {0, 104, true}};
    for (size_t i = 0; i < sizeof intruders / sizeof *intruders; i++) {
        struct peer peer;
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        make_echo(96); /* 104 octets */
        give_piece(&peer, 9, 8, 24, true, false);
        give_piece(&peer, 9, 40, 64, false, false);
        give_piece(&peer, 9, intruders[i].offset, intruders[i].length, intruders[i].more, false);
        give_piece(&peer, 9, 0, 8, true, false);
        give_piece(&peer, 9, 8, 24, true, false);
        give_piece(&peer, 9, 32, 8, true, false);
        give_piece(&peer, 9, 40, 64, false, false);
        peer_expect_silence(&peer);
        assert_int_equal(berth_host_counters(peer.host)->ip_reasm_fails, 1);
        peer_wait(&peer, 61 * BERTH_SECOND); /* then the number is free again */
        peer_expect_silence(&peer);
        give_piece(&peer, 9, 0, 56, true, false);
        give_piece(&peer, 9, 56, 48, false, false);
        assert_int_equal(peer_drain(&peer), 1);
        peer_stop(&peer);
    }
}

/* RFC 8200 4.5: one comes thrice, exactly the same, and does no harm. [8200-2] */
static void duplicate(void **state) {
    (void)state;
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    make_echo(96);
    for (int i = 0; i < 3; i++)
        give_piece(&peer, 9, 8, 24, true, false);
    give_piece(&peer, 9, 32, 72, false, false);
    give_piece(&peer, 9, 0, 8, true, false);
    assert_int_equal(peer_drain(&peer), 1);
    peer_stop(&peer);
}

/* RFC 6946: an atomic fragment is a datagram by itself, whatever else has its number. [8200-2] */
static void atomic(void **state) {
    (void)state;
    struct peer peer;
    struct icmp_header icmp;
    fill();
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    size_t made = make_echo(96);
    give_piece(&peer, 9, 0, 56, true, false);
    give_piece(&peer, 9, 0, made, false, false);
    assert_true(peer_pull(&peer));
    assert_memory_equal(out_icmp6(&peer, &icmp), data, 96);
    peer_expect_silence(&peer);
    give_piece(&peer, 9, 56, 48, false, false);
    assert_int_equal(peer_drain(&peer), 1);
    peer_stop(&peer);
}

/* RFC 8200 4.5: 60 s; the sender hears of it if the first fragment has come. [8200-2] */
static void timeout(void **state) {
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct peer peer;
        struct icmp_header icmp;
        struct icmp6_quote quote;
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        make_echo(96);
        give_piece(&peer, 9, first ? 0 : 8, 56, true, true);
        peer_wait(&peer, 60 * BERTH_SECOND - 1);
        peer_expect_silence(&peer);
        peer_wait(&peer, 1);
        if (first) {
            assert_true(peer_pull(&peer));
            const uint8_t *quoted = out_icmp6(&peer, &icmp);
            assert_int_equal(icmp.type, ICMP6_TIME_EXCEEDED);
            assert_int_equal(icmp.code, ICMP6_REASSEMBLY_TIME);
            assert_int_equal(icmp6_quote_parse(quoted, peer.out_length - 48, &quote), 0);
            assert_int_equal(quote.protocol, IPV6_ICMP);
            assert_memory_equal(quote.transport, message, 56);
        }
        peer_expect_silence(&peer);
        assert_int_equal(berth_host_counters(peer.host)->ip_reasm_timeouts, 1);
        peer_stop(&peer);
    }
}

/* A header before the fragment header, of 8 octets more, and no more than the length can say. */
static void too_long(void **state) {
    (void)state;
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_RAW_IP, 65535, 0);
    memset(message, 0, sizeof message);
    for (size_t at = 0; at < 65528; at += 32768)
        give_piece(&peer, 9, at, at ? 32760 : 32768, true, true);
    give_piece(&peer, 9, 65528, 7, false, true);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->ip_reasm_fails, 1);
    peer_stop(&peer);
}

/* Fragments in fragments lead nowhere. */
static void nested(void **state) {
    (void)state;
    struct peer peer;
    uint8_t octets[64] = {0};
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (int i = 0; i < 2; i++) {
        ipv6_fragment_write(octets, IPV6_FRAGMENT, (uint16_t)(16 * i), i == 0, 5);
        ipv6_fragment_write(octets + 8, IPV6_ICMP, 0, true, 6);
        make_icmp6(octets + 16, &peer_ip6, &host_ip6, ICMP6_ECHO, 0, 0, NULL, 0);
        give_ip6(&peer, (struct ipv6_header){.next = IPV6_FRAGMENT}, octets, 24);
    }
    peer_expect_silence(&peer);
    peer_wait(&peer, 100 * BERTH_SECOND);
    peer_stop(&peer);
}

/* A flood of first pieces takes no more memory than is allowed. */
static void flood(void **state) {
    (void)state;
    struct peer peer;
    peer_config(&peer);
    peer.config.reassembly_limit = 100000;
    peer_start_bare(&peer);
    peer_add_link(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_host_add_address(peer.host, peer.interface, &host_ip6, 64), 0);
    size_t before = peer.counting.octets;
    for (uint32_t id = 0; id < 5000; id++) {
        give_piece(&peer, id, 64, 1000, true, false);
        assert_true(peer.counting.octets < before + 110000);
    }
    make_echo(96); /* a whole one finds its place */
    give_piece(&peer, 77777, 0, 56, true, false);
    give_piece(&peer, 77777, 56, 48, false, false);
    assert_int_equal(peer_drain(&peer), 1);
    peer_stop(&peer);
}

static void memory(void **state) {
    (void)state;
    for (size_t fail = 1; fail < 16; fail++) {
        struct peer peer;
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        make_echo(96);
        counting_fail_nth(&peer.counting, (fail + 1) / 2, fail % 2 == 0);
        give_piece(&peer, 9, 56, 48, false, true);
        give_piece(&peer, 9, 0, 56, true, true);
        peer_drain(&peer);
        counting_recover(&peer.counting);
        give_piece(&peer, 10, 56, 48, false, true);
        give_piece(&peer, 10, 0, 56, true, true);
        assert_int_equal(peer_drain(&peer), 1);
        peer_stop(&peer);
    }
}

/* UDP's datagrams of any size; identifications differ and cannot be guessed (RFC 7739). [6864-1] */
static void large_udp(void **state) {
    (void)state;
    static const size_t sizes[] = {1452, 1453, 30000, 65527};
    struct peer peer;
    struct berth_endpoint to = endpoint6(peer_ip6, 9);
    uint32_t ids[50];
    fill();
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer6_meet(&peer);
    berth_handle socket = udp6_socket(&peer, any6, 4000);
    for (size_t i = 0; i < 4; i++) {
        size_t count;
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, sizes[i], &to, peer.now),
                         sizes[i]);
        assert_int_equal(pull_joined(&peer, 1500, &count), sizes[i] + 8);
        assert_int_equal(count, (sizes[i] + 8 + 1447 - (i == 0 ? 12 : 0)) / 1448);
        assert_memory_equal(joined + 8, data, sizes[i]);
        struct checksum sum = {0};
        checksum_add_pseudo(&sum, &host_ip6, &peer_ip6, IPV4_UDP, (uint32_t)sizes[i] + 8);
        checksum_add(&sum, joined, sizes[i] + 8);
        assert_int_equal(checksum_finish(&sum), 0);
    }
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 65528, &to, peer.now),
                     -EMSGSIZE);
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1500, &to, peer.now), 1500);
        assert_true(peer_pull(&peer));
        ids[i] = load_be32(peer.out + ETHERNET_HEADER + IPV6_HEADER + 4);
        peer_drain(&peer);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(ids[i], ids[j]);
        assert_true(i == 0 || ids[i] - ids[i - 1] > 16);
    }
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_echo), cmocka_unit_test(order),     cmocka_unit_test(overlap),
        cmocka_unit_test(duplicate),  cmocka_unit_test(atomic),    cmocka_unit_test(timeout),
        cmocka_unit_test(too_long),   cmocka_unit_test(nested),    cmocka_unit_test(flood),
        cmocka_unit_test(memory),     cmocka_unit_test(large_udp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
