#include "test/unit/host/peer.h"

static uint8_t data[70000];

static void fill(void) {
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
}

/* RFC 1122 3.2.2.6: every size that one frame carries, at each way the frame may be cut. [1122-IC3]
 */
static void test_echo(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 56, 64, 117, 118, 119, 500, 1472};
    static const size_t splits[] = {0, 1, 13, 14, 20, 34, 40, 42, 43, 160};
    fill();
    struct peer peer;
    struct icmp_header icmp;
    struct ipv4_header ip;
    uint8_t octets[1600], message[1600];
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof splits / sizeof *splits; j++) {
            size_t made = make_icmp(message, ICMP_ECHO, 0, 0x12340001, data, sizes[i]);
            made = make_ip(&peer, octets, (struct ipv4_header){.protocol = IPV4_ICMP, .tos = 0x10},
                           message, made);
            peer_give_split(&peer, octets, made, splits[j]);
            assert_true(peer_pull(&peer));
            const uint8_t *echoed = out_icmp(&peer, &icmp);
            assert_int_equal(icmp.type, ICMP_ECHO_REPLY);
            assert_int_equal(icmp.code, 0);
            assert_int_equal(icmp.rest, 0x12340001);
            assert_memory_equal(echoed, data, sizes[i]);
            out_ip(&peer, &ip);
            assert_int_equal(ip.total_length, 28 + sizes[i]);
            assert_int_equal(ip.source, HOST_IP);
            assert_int_equal(ip.destination, PEER_IP);
            assert_int_equal(ip.tos, 0x10);
            peer_expect_silence(&peer);
        }
    peer_stop(&peer);
}

/* No answer to a wrong checksum, a short message, an unknown type, or to everyone's echo; nor
 * without memory for one.
 * [1122-IC6, 792-1, 1122-IC3] */
static void test_silence(void **state) {
    (void)state;
    struct peer peer;
    uint8_t message[64];
    struct ipv4_header ip = {.protocol = IPV4_ICMP};
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    size_t made = make_icmp(message, ICMP_ECHO, 0, 1, data, 56);
    message[20] ^= 1;
    give_ip(&peer, ip, message, made);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->icmp_in_errors, 1);
    for (size_t length = 0; length < 8; length++)
        give_ip(&peer, ip, "\xf7\xff\x00\x00\x00\x00\x00", length);
    peer_expect_silence(&peer);
    for (unsigned type = 0; type < 256; type++)
        if (type != ICMP_ECHO)
            give_icmp(&peer, (uint8_t)type, 0, 0, data, 56);
    peer_expect_silence(&peer);
    made = make_icmp(message, ICMP_ECHO, 0, 1, data, 56);
    static const uint32_t many[] = {0xffffffff, 0x0a0000ff, 0xe0000001};
    for (size_t i = 0; i < 3; i++) {
        ip.destination = many[i];
        give_ip(&peer, ip, message, made);
        peer_expect_silence(&peer);
    }
    counting_fail_after(&peer.counting, 0);
    give_icmp(&peer, ICMP_ECHO, 0, 1, data, 1400);
    counting_recover(&peer.counting);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->ip_out_discards, 1);
    peer_stop(&peer);
}

/* RFC 1122 4.1.3.1 and 3.2.2: port unreachable, with as much of the cause as 576 octets hold.
 * [1122-U1, 1122-IC2] */
static void test_port_unreachable(void **state) {
    (void)state;
    struct peer peer;
    struct icmp_header icmp;
    struct ipv4_header ip;
    uint8_t octets[1600], message[1500];
    fill();
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    static const size_t sizes[] = {0, 1, 300, 520, 521, 1400};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t made = make_udp(message, PEER_IP, HOST_IP, 7, 9999, data, sizes[i]);
        made = make_ip(&peer, octets, (struct ipv4_header){.protocol = IPV4_UDP}, message, made);
        peer_give(&peer, octets, made);
        assert_true(peer_pull(&peer));
        const uint8_t *quote = out_icmp(&peer, &icmp);
        assert_int_equal(icmp.type, ICMP_UNREACHABLE);
        assert_int_equal(icmp.code, ICMP_PORT_UNREACHABLE);
        out_ip(&peer, &ip);
        assert_int_equal(ip.source, HOST_IP);
        assert_int_equal(ip.destination, PEER_IP);
        size_t expected = made < 548 ? made : 548;
        assert_int_equal(ip.total_length, 28 + expected);
        assert_memory_equal(quote, octets, expected);
        peer_expect_silence(&peer);
        peer_wait(&peer, 2 * BERTH_SECOND);
    }
    assert_int_equal(berth_host_counters(peer.host)->udp_no_ports, 6);
    size_t made = make_udp(message, PEER_IP, HOST_IP, 7, 9999, data, 10);
    made = make_ip(&peer, octets, (struct ipv4_header){.protocol = IPV4_UDP}, message, made);
    counting_fail_after(&peer.counting, 0); /* nothing to quote it with */
    peer_give(&peer, octets, made);
    counting_recover(&peer.counting);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* [1122-IC4, 1122-IC1] */
static void test_protocol_unreachable(void **state) {
    (void)state;
    struct peer peer;
    struct icmp_header icmp;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    static const uint8_t protocols[] = {4, 41, 47, 132, 255};
    for (size_t i = 0; i < sizeof protocols; i++) {
        give_ip(&peer, (struct ipv4_header){.protocol = protocols[i]}, data, 40);
        assert_true(peer_pull(&peer));
        out_icmp(&peer, &icmp);
        assert_int_equal(icmp.type, ICMP_UNREACHABLE);
        assert_int_equal(icmp.code, ICMP_PROTOCOL_UNREACHABLE);
        peer_wait(&peer, 2 * BERTH_SECOND);
    }
    /* Nothing about what came to many, nor to a group of the link. */
    give_ip(&peer, (struct ipv4_header){.protocol = 47, .destination = 0xffffffff}, data, 40);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 1812 4.3.2.8: a burst, then one a second to one destination; and a bound over all. [1812-1]
 */
static void test_rate_limit(void **state) {
    (void)state;
    struct peer peer;
    uint8_t message[64];
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (int i = 0; i < 100; i++)
        give_udp(&peer, 7, 9999, "x", 1);
    assert_int_equal(peer_drain(&peer), 6);
    assert_int_equal(berth_host_counters(peer.host)->icmp_out_rate_limited, 94);
    /* Another destination has its own; this one's comes back, one a second. */
    for (int i = 0; i < 100; i++) {
        size_t made = make_udp(message, PEER_IP + 1, HOST_IP, 7, 9999, "x", 1);
        give_ip(&peer, (struct ipv4_header){.protocol = IPV4_UDP, .source = PEER_IP + 1}, message,
                made);
    }
    assert_int_equal(peer_drain(&peer), 6);
    for (int i = 0; i < 3; i++) {
        peer_wait(&peer, BERTH_SECOND);
        for (int j = 0; j < 10; j++)
            give_udp(&peer, 7, 9999, "x", 1);
        assert_int_equal(peer_drain(&peer), 1);
    }
    peer_wait(&peer, 10 * BERTH_SECOND);
    /* Many sources (spoofed): the common bound holds. */
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t source = 0x0a000003 + i % 200 + (i / 200 << 16);
        size_t made = make_udp(message, source, HOST_IP, 7, 9999, "x", 1);
        give_ip(&peer, (struct ipv4_header){.protocol = IPV4_UDP, .source = source}, message, made);
    }
    size_t sent = peer_drain(&peer);
    assert_in_range(sent, 1, 50);
    /* It fills by 1000 a second: 20 more after 20 ms, each of which may cost two. */
    peer_wait(&peer, 20 * BERTH_MS);
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t source = 0x0a000003 + i;
        size_t made = make_udp(message, source, HOST_IP, 7, 9999, "x", 1);
        give_ip(&peer, (struct ipv4_header){.protocol = IPV4_UDP, .source = source}, message, made);
    }
    sent = peer_drain(&peer);
    assert_in_range(sent, 10, 20);
    peer_stop(&peer);
}

/* An error about a datagram of ours, as the peer or a router quotes it. */
static void give_error(struct peer *peer, uint8_t type, uint8_t code, uint32_t rest,
                       size_t quoted) {
    uint8_t quote[1500];
    size_t length = peer->out_length - peer->link;
    memcpy(quote, peer->out + peer->link, length);
    give_icmp(peer, type, code, rest, quote, quoted < length ? quoted : length);
}

static int socket_error(struct peer *peer, berth_handle socket) {
    int error = -1;
    assert_int_equal(berth_socket_get_option(peer->host, socket, BERTH_SO_ERROR, &error), 0);
    return error;
}

/* RFC 1122 4.1.3.3 with Linux's errno: a connected socket hears of hard errors, all of them of all
 * with IP_RECVERR, the unconnected one otherwise of none. [1122-U2, 1122-IC7, 1122-IC1, 6633-1] */
static void test_errors_to_sockets(void **state) {
    (void)state;
    static const struct {
        uint8_t type, code;
        int error;
        bool hard;
    } cases[] = {
        {3, 0, ENETUNREACH, false},
        {3, 1, EHOSTUNREACH, false},
        {3, 2, ENOPROTOOPT, true},
        {3, 3, ECONNREFUSED, true},
        {3, 4, EMSGSIZE, true},
        {3, 5, EOPNOTSUPP, false},
        {3, 6, ENETUNREACH, true},
        {3, 7, EHOSTDOWN, true},
        {3, 8, ENONET, true},
        {3, 9, ENETUNREACH, true},
        {3, 10, EHOSTUNREACH, true},
        {3, 11, ENETUNREACH, false},
        {3, 12, EHOSTUNREACH, false},
        {3, 13, EHOSTUNREACH, true},
        {3, 14, EHOSTUNREACH, true},
        {3, 15, EHOSTUNREACH, true},
        {3, 16, 0, false},
        {4, 0, 0, false},
        {5, 0, 0, false},
        {11, 0, EHOSTUNREACH, false},
        {12, 0, EPROTO, true},
    };
    struct peer peer;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    for (int kind = 0; kind < 3; kind++) { /* connected, unconnected, unconnected with RECVERR */
        berth_handle socket = udp_socket(&peer, 0, 5000);
        if (kind == 0)
            assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), 0);
        if (kind == 2)
            berth_socket_set_option(peer.host, socket, BERTH_IP_RECVERR, 1, peer.now);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
            assert_true(peer_pull(&peer));
            give_error(&peer, cases[i].type, cases[i].code, 1400, 28);
            bool heard = kind == 2 || (kind == 0 && cases[i].hard);
            struct berth_event events[4];
            uint32_t bits = 0;
            for (size_t n = berth_host_events(peer.host, events, 4); n > 0; n--)
                bits |= events[n - 1].bits;
            assert_int_equal(!!(bits & BERTH_ERROR), heard && cases[i].error != 0);
            assert_int_equal(socket_error(&peer, socket), heard ? cases[i].error : 0);
            assert_int_equal(socket_error(&peer, socket), 0);
            peer_expect_silence(&peer); /* no error about an error */
        }
        assert_int_equal(berth_socket_close(peer.host, socket, peer.now), 0);
    }
    peer_stop(&peer);
}

/* A quote is believed only if it can be ours. */
static void test_quotes(void **state) {
    (void)state;
    struct peer peer;
    uint8_t kept[100];
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    berth_handle socket = udp_socket(&peer, 0, 5000);
    assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), 0);
    assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), 1);
    assert_true(peer_pull(&peer));
    memcpy(kept, peer.out, peer.out_length);
    for (size_t quoted = 0; quoted < 28; quoted++)
        give_error(&peer, 3, 3, 0, quoted);
    assert_int_equal(socket_error(&peer, socket), 0);
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {
        {0, 0x4f}, {0, 0x65}, {0, 0x44}, {9, 1},    {9, 6}, {15, 99},
        {19, 99},  {20, 1},   {22, 99},  {6, 0x00}, {7, 1},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memcpy(peer.out, kept, peer.out_length);
        peer.out[changes[i].at] = changes[i].value;
        give_error(&peer, 3, 3, 0, 28);
        int expected = changes[i].at == 6 ? ECONNREFUSED : 0; /* DF is not looked at */
        assert_int_equal(socket_error(&peer, socket), expected);
    }
    /* A datagram from an address that is not ours, though a socket would take what comes to it. */
    berth_handle open = udp_socket(&peer, 0, 5001);
    berth_socket_set_option(peer.host, open, BERTH_IP_RECVERR, 1, peer.now);
    for (uint8_t last = 1; last <= 2; last++) {
        memcpy(peer.out, kept, peer.out_length);
        peer.out[15] = last;
        store_be16(peer.out + 20, 5001);
        give_error(&peer, 3, 3, 0, 28);
        assert_int_equal(socket_error(&peer, open), last == 1 ? ECONNREFUSED : 0);
    }
    memcpy(peer.out, kept, peer.out_length);
    give_error(&peer, 3, 3, 0, 28);
    assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), -ECONNREFUSED);
    assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), 1);
    peer_stop(&peer);
}

/* RFC 1191: the path's MTU falls to what a router says, never below the floor, never up, for ten
 * minutes; the datagram goes in fragments then, or not at all if the sender forbade it. [1191-1,
 * 1191-2, 8085-1] */
static void test_path_mtu(void **state) {
    (void)state;
    struct peer peer;
    struct ipv4_header ip;
    fill();
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    berth_handle socket = udp_socket(&peer, 0, 5000);
    static const struct {
        uint32_t said, now;
    } steps[] = {{1300, 1300}, {1400, 1300}, {1499, 1300}, {1000, 1000}, {100, 552}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, 500, &to, peer.now), 500);
        assert_true(peer_pull(&peer));
        out_ip(&peer, &ip);
        assert_true(ip.dont_fragment);
        assert_int_equal(ip.id, 0);
        give_error(&peer, 3, 4, steps[i].said, 28);
        size_t fits = steps[i].now - 28;
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, fits, &to, peer.now), fits);
        assert_int_equal(peer_drain(&peer), 1);
        fits++;
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, fits, &to, peer.now), fits);
        assert_int_equal(peer_drain(&peer), 2);
        berth_socket_set_option(peer.host, socket, BERTH_IP_MTU_DISCOVER, 2, peer.now);
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, fits, &to, peer.now),
                         -EMSGSIZE);
        berth_socket_set_option(peer.host, socket, BERTH_IP_MTU_DISCOVER, 1, peer.now);
    }
    peer_wait(&peer, 601 * BERTH_SECOND);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1472, &to, peer.now), 1472);
    assert_int_equal(peer_drain(&peer), 1);
    /* A quote that no socket sent teaches nothing. */
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1472, &to, peer.now), 1472);
    assert_true(peer_pull(&peer));
    peer.out[21] ^= 0x55; /* the source port */
    give_error(&peer, 3, 4, 600, 28);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1472, &to, peer.now), 1472);
    assert_int_equal(peer_drain(&peer), 1);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_port_unreachable),
        cmocka_unit_test(test_protocol_unreachable),
        cmocka_unit_test(test_rate_limit),
        cmocka_unit_test(test_errors_to_sockets),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_path_mtu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
