#include "test/unit/host/peer.h"

static uint8_t data[70000], joined[70000], message[70000];

static void fill(void) {
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 13 + i / 251);
}

static void give_fragment(struct peer *peer, uint16_t id, size_t offset, size_t length, bool more) {
    struct ipv4_header ip = {.protocol = IPV4_ICMP,
                             .id = id,
                             .fragment_offset = (uint16_t)offset,
                             .more_fragments = more};
    give_ip(peer, ip, message + offset, length);
}

/* Pulls all fragments of one datagram and joins them; returns its payload's length. */
static size_t pull_joined(struct peer *peer, size_t mtu, size_t *count) {
    struct ipv4_header ip;
    size_t length = 0;
    *count = 0;
    bool more = true;
    uint16_t id = 0;
    while (more && peer_pull(peer)) {
        const uint8_t *payload = out_ip(peer, &ip);
        assert_true(ip.total_length <= mtu);
        assert_false(ip.dont_fragment);
        assert_int_equal(ip.fragment_offset, length);
        assert_true(*count == 0 || ip.id == id);
        id = ip.id;
        memcpy(joined + length, payload, ipv4_payload_length(&ip));
        length += ipv4_payload_length(&ip);
        more = ip.more_fragments;
        (*count)++;
    }
    assert_false(more);
    return length;
}

/* A ping of each size up to 65,507 comes and goes in fragments (RFC 1122 3.2.2.6, 3.3.2, 3.3.3).
 * [1122-IP3, 1122-IP11, 1122-IC3] */
static void test_large_echo(void **state) {
    (void)state;
    static const size_t sizes[] = {1473, 2952, 2960, 8000, 40000, 65507};
    static const uint32_t mtus[] = {576, 1500, 9000};
    struct peer peer;
    size_t count;
    fill();
    for (size_t m = 0; m < 3; m++) {
        peer_start(&peer, BERTH_LINK_ETHERNET, mtus[m], 0);
        peer_meet(&peer);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t made = make_icmp(message, ICMP_ECHO, 0, 0x77, data, sizes[i]);
            for (size_t at = 0; at < made; at += 1480)
                give_fragment(&peer, 1234, at, made - at < 1480 ? made - at : 1480,
                              made - at > 1480);
            size_t length = pull_joined(&peer, mtus[m], &count);
            assert_int_equal(length, made);
            assert_int_equal(joined[0], ICMP_ECHO_REPLY);
            assert_memory_equal(joined + 8, data, sizes[i]);
            struct checksum sum = {0};
            checksum_add(&sum, joined, length);
            assert_int_equal(checksum_finish(&sum), 0);
            peer_expect_silence(&peer);
        }
        assert_int_equal(berth_host_counters(peer.host)->ip_reasm_oks, 6);
        peer_stop(&peer);
    }
}

/* In any order, with some of them twice. [815-1, 1122-IP3, 791-1] */
static void test_order(void **state) {
    (void)state;
    struct peer peer;
    uint64_t seed = 5;
    fill();
    peer_start(&peer, BERTH_LINK_RAW_IP, 65535, 0);
    for (int round = 0; round < 200; round++) {
        size_t starts[64], ends[64], order[64], count = 0, at = 0;
        size_t made =
            make_icmp(message, ICMP_ECHO, 0, (uint32_t)round, data, 1 + test_random(&seed) % 4000);
        while (at < made && count < 64) {
            size_t length = 8 + test_random(&seed) % 40 * 8;
            starts[count] = at;
            ends[count] = made - at <= length || count == 63 ? made : at + length;
            at = ends[count];
            order[count] = count;
            count++;
        }
        for (size_t i = count; i > 1; i--) {
            size_t j = test_random(&seed) % i, swapped = order[i - 1];
            order[i - 1] = order[j];
            order[j] = swapped;
        }
        for (size_t i = 0; i < count; i++) {
            size_t f = order[i];
            peer_expect_silence(&peer);
            if (i + 1 < count && test_random(&seed) % 3 == 0)
                give_fragment(&peer, (uint16_t)(round + 1), starts[f], ends[f] - starts[f],
                              ends[f] < made);
            give_fragment(&peer, (uint16_t)(round + 1), starts[f], ends[f] - starts[f],
                          ends[f] < made);
        }
        struct icmp_header icmp;
        assert_true(peer_pull(&peer));
        assert_memory_equal(out_icmp(&peer, &icmp), data, made - 8);
        peer_expect_silence(&peer);
    }
    peer_stop(&peer);
}

/* RFC 5722, as Linux for IPv4: whatever overlaps costs the whole datagram. [791-2] */
static void test_overlap(void **state) {
    (void)state;
    static const struct {
        size_t offset, length;
        bool more;
    } intruders[] = {
        {0, 16, true},  {8, 8, true},   {8, 16, true},   {40, 16, true},   {16, 32, true},
        {32, 40, true}, {64, 32, true}, {72, 36, false}, {96, 100, false}, {80, 80, false},
        {48, 8, false}, {200, 8, true}, {24, 8, true},
    };
    struct peer peer;
    fill();
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    size_t made = make_icmp(message, ICMP_ECHO, 0, 1, data, 100); /* 108 octets */
    for (size_t i = 0; i < sizeof intruders / sizeof *intruders; i++) {
        uint16_t id = (uint16_t)(100 + i);
        give_fragment(&peer, id, 0, 48, true);
        give_fragment(&peer, id, 64, made - 64, false);
        uint64_t fails = berth_host_counters(peer.host)->ip_reasm_fails;
        give_fragment(&peer, id, intruders[i].offset, intruders[i].length, intruders[i].more);
        assert_int_equal(berth_host_counters(peer.host)->ip_reasm_fails, fails + 1);
        give_fragment(&peer, id, 48, 16, true); /* what was missing comes too late */
        peer_expect_silence(&peer);
    }
    /* And untouched it is whole. */
    give_fragment(&peer, 99, 0, 48, true);
    give_fragment(&peer, 99, 64, made - 64, false);
    give_fragment(&peer, 99, 48, 16, true);
    assert_int_equal(peer_drain(&peer), 1);
    peer_stop(&peer);
}

/* Never past octet 65,535 (the ping of death), never empty, never of an odd length in the middle.
 * [791-1] */
static void test_bad_fragments(void **state) {
    (void)state;
    struct peer peer;
    fill();
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    give_fragment(&peer, 7, 65528, 8, false);
    give_fragment(&peer, 7, 65528, 100, false);
    give_fragment(&peer, 7, 65520, 200, false);
    give_fragment(&peer, 8, 0, 0, true);
    give_fragment(&peer, 8, 8, 0, false);
    give_fragment(&peer, 9, 0, 13, true);
    struct ipv4_header ip = {.protocol = IPV4_ICMP, .id = 10, .more_fragments = true};
    uint8_t options[40] = {1, 1, 1, 1};
    ip.options = options;
    ip.options_length = 40;
    size_t made = 65535 - 20;
    make_icmp(message, ICMP_ECHO, 0, 1, data, made - 8);
    give_ip(&peer, ip, message, 1400); /* its header is longer than the others' */
    for (size_t at = 1400; at < made; at += 1400)
        give_fragment(&peer, 10, at, made - at < 1400 ? made - at : 1400, made - at > 1400);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->ip_reasm_oks, 0);
    peer_stop(&peer);
}

/* RFC 1122 3.3.2: after the time all is discarded, and the sender told if the first fragment came.
 * [1122-IP8] */
static void test_timeout(void **state) {
    (void)state;
    struct peer peer;
    struct icmp_header icmp;
    fill();
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    /* A UDP datagram, for there is no error about an ICMP message. */
    size_t made = make_udp(message, PEER_IP, HOST_IP, 7, 9, data, 100);
    struct ipv4_header ip = {.protocol = IPV4_UDP, .id = 5, .more_fragments = true};
    size_t before = peer.counting.octets;
    give_ip(&peer, ip, message, 48);
    ip.id = 6;
    ip.fragment_offset = 48;
    give_ip(&peer, ip, message + 48, 16);
    assert_int_equal(berth_host_deadline(peer.host), peer.now + 30 * BERTH_SECOND);
    peer_wait(&peer, 30 * BERTH_SECOND - 1);
    peer_expect_silence(&peer);
    peer_wait(&peer, 1);
    assert_true(peer_pull(&peer));
    const uint8_t *quote = out_icmp(&peer, &icmp);
    assert_int_equal(icmp.type, ICMP_TIME_EXCEEDED);
    assert_int_equal(icmp.code, 1);
    assert_memory_equal(quote + 20, message, 48);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->ip_reasm_timeouts, 2);
    assert_int_equal(peer.counting.octets, before);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
    ip.id = 5;
    ip.more_fragments = false;
    give_ip(&peer, ip, message + 48, made - 48);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* Floods of first, tiny and last fragments: memory stays within its bound, and a whole large echo
 * still gets through in their midst. */
static void test_flood(void **state) {
    (void)state;
    struct peer peer;
    uint64_t seed = 3;
    fill();
    peer_config(&peer);
    peer.config.reassembly_limit = 1 << 20;
    peer_start_bare(&peer);
    peer_add_link(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    size_t before = peer.counting.octets;
    for (int kind = 0; kind < 4; kind++) {
        for (int i = 0; i < 20000; i++) {
            uint16_t id = (uint16_t)test_random(&seed);
            size_t offset = kind == 0 ? 0 : test_random(&seed) % 8000 * 8;
            give_fragment(&peer, id | 1, offset, kind == 1 ? 8 : 512, kind != 2);
            assert_true(peer.counting.octets <= before + (1 << 20) + 4096);
        }
        size_t made = make_icmp(message, ICMP_ECHO, 0, 1, data, 65507);
        for (size_t at = 0; at < made; at += 1480) {
            give_fragment(&peer, 2, at, made - at < 1480 ? made - at : 1480, made - at > 1480);
            give_fragment(&peer, (uint16_t)test_random(&seed) | 1, 8, 512, true);
        }
        assert_int_equal(peer_drain(&peer), 45);
    }
    peer_wait(&peer, 31 * BERTH_SECOND);
    assert_int_equal(peer.counting.octets, before);
    /* 8,192 tiny pieces of one datagram: too many for one. */
    uint64_t fails = berth_host_counters(peer.host)->ip_reasm_fails;
    for (size_t at = 65504; at > 0; at -= 8)
        give_fragment(&peer, 4, at, 8, at < 65504);
    assert_int_equal(berth_host_counters(peer.host)->ip_reasm_fails, fails + 5);
    assert_true(peer.counting.octets <= before + 1400 * 64);
    peer_wait(&peer, 31 * BERTH_SECOND);
    assert_int_equal(peer.counting.octets, before);
    peer_stop(&peer);
}

/* A datagram over the MTU goes out in fragments whose identification nobody guesses (RFC 6864,
 * 7739). [1122-IP11] */
static void test_output(void **state) {
    (void)state;
    struct peer peer;
    size_t count;
    fill();
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT);
    peer_meet(&peer);
    berth_handle socket = udp_socket(&peer, 0, 5000);
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    static const size_t sizes[] = {1473, 1480, 2952, 30000, 65507};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, sizes[i], &to, peer.now),
                         sizes[i]);
        size_t length = pull_joined(&peer, 1500, &count);
        assert_int_equal(length, sizes[i] + 8);
        assert_int_equal(count, (sizes[i] + 8 + 1479) / 1480);
        assert_memory_equal(joined + 8, data, sizes[i]);
        struct berth_ip from = berth_ip_v4(HOST_IP), at = berth_ip_v4(PEER_IP);
        struct checksum sum = {0};
        checksum_add_pseudo(&sum, &from, &at, IPV4_UDP, (uint32_t)length);
        checksum_add(&sum, joined, length);
        assert_int_equal(checksum_finish(&sum), 0);
    }
    peer_stop(&peer);
}

/* [6864-1] */
static void test_identifications(void **state) {
    (void)state;
    static uint8_t seen[65536];
    struct peer peer;
    struct ipv4_header ip;
    unsigned near = 0;
    uint16_t last = 0;
    memset(seen, 0, sizeof seen);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 5000);
    berth_socket_set_option(peer.host, socket, BERTH_IP_MTU_DISCOVER, 0, peer.now);
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    for (int i = 0; i < 65536; i++) {
        berth_socket_send_to(peer.host, socket, data, 1, &to, peer.now);
        assert_true(peer_pull(&peer));
        out_ip(&peer, &ip);
        assert_false(ip.dont_fragment);
        assert_int_equal(seen[ip.id], 0); /* none returns before all were used */
        seen[ip.id] = 1;
        near += (uint16_t)(ip.id - last) < 256;
        last = ip.id;
    }
    assert_true(near < 600); /* as a random sequence has: 256 */
    peer_stop(&peer);
}

/* RFC 3168 5.3: a fragment's CE is the datagram's, wherever it stands; with a fragment that is not
 * ECT the datagram is dropped; the rest of the type of service is the first one's. [3168-4] */
static void test_marks(void **state) {
    (void)state;
    static const struct {
        uint8_t first, second;
        int tos; /* -1: dropped */
    } cases[] = {{0, 0, 0},  {2, 2, 2},  {2, 3, 3}, {3, 2, 3},       {1, 3, 3},    {3, 3, 3},
                 {0, 3, -1}, {3, 0, -1}, {2, 0, 2}, {0xb8, 0, 0xb8}, {0, 0xb8, 0}, {0xba, 3, 0xbb}};
    fill();
    for (unsigned i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        struct peer peer;
        struct berth_datagram meta;
        peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        berth_handle socket = udp_socket(&peer, 0, 53);
        size_t made = make_udp(message, PEER_IP, HOST_IP, 9, 53, data, 100);
        for (unsigned half = 0; half < 2; half++) {
            bool second = half != i % 2; /* either may come first */
            struct ipv4_header ip = {.protocol = IPV4_UDP,
                                     .id = 7,
                                     .tos = second ? cases[i / 2].second : cases[i / 2].first,
                                     .fragment_offset = second ? 48 : 0,
                                     .more_fragments = !second};
            give_ip(&peer, ip, message + (second ? 48 : 0), second ? made - 48 : 48);
        }
        ssize_t got = berth_socket_receive_from(peer.host, socket, joined, sizeof joined, &meta, 0);
        assert_int_equal(got, cases[i / 2].tos < 0 ? -EAGAIN : 100);
        if (got > 0)
            assert_int_equal(meta.tos, cases[i / 2].tos);
        peer_stop(&peer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_echo), cmocka_unit_test(test_order),
        cmocka_unit_test(test_overlap),    cmocka_unit_test(test_bad_fragments),
        cmocka_unit_test(test_timeout),    cmocka_unit_test(test_flood),
        cmocka_unit_test(test_output),     cmocka_unit_test(test_identifications),
        cmocka_unit_test(test_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
