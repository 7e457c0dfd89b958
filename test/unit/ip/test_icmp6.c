/* ICMPv6 (RFC 4443): echo, the errors that the host sends, and those it is told. */
#include "test/unit/host/peer6.h"

static uint8_t data[2000];

static void expect_problem(struct peer *peer, uint8_t code, uint32_t pointer) {
    struct icmp_header icmp;
    assert_true(peer_pull(peer));
    out_icmp6(peer, &icmp);
    assert_int_equal(icmp.type, ICMP6_PARAMETER_PROBLEM);
    assert_int_equal(icmp.code, code);
    assert_int_equal(icmp.rest, pointer);
    peer_expect_silence(peer);
}

/* RFC 4443 4.2: the same identifier, number and data, from the address that was asked. [4443-2,
 * 4443-4] */
static void echo(void **state) {
    (void)state;
    struct peer peer;
    struct icmp_header icmp;
    struct ipv6_header ip;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer6_meet(&peer);
    for (size_t length = 0; length <= 1452; length += 121) {
        memset(data, (int)length, sizeof data);
        give_icmp6(&peer, ICMP6_ECHO, 0, 0xbeef0001, data, length);
        assert_true(peer_pull(&peer));
        assert_memory_equal(out_icmp6(&peer, &icmp), data, length);
        assert_int_equal(icmp.type, ICMP6_ECHO_REPLY);
        assert_int_equal(icmp.rest, 0xbeef0001);
        out_ip6(&peer, &ip);
        assert_int_equal(ip.payload_length, ICMP_HEADER + length);
        assert_int_equal(ip.hop_limit, 64);
        assert_true(berth_ip_equal(&ip.source, &host_ip6));
        assert_true(berth_ip_equal(&ip.destination, &peer_ip6));
        peer_expect_silence(&peer);
    }
    /* To all nodes: from an address of its own. */
    size_t made = make_icmp6(data, &peer_ip6, &all_nodes6, ICMP6_ECHO, 0, 1, "x", 1);
    give_ip6(&peer, (struct ipv6_header){.next = IPV6_ICMP, .destination = all_nodes6}, data, made);
    assert_true(peer_pull(&peer));
    out_icmp6(&peer, &icmp);
    out_ip6(&peer, &ip);
    assert_true(berth_ip_equal(&ip.source, &host_ip6));
    peer_stop(&peer);
}

/* RFC 4443 2.1, 2.3, 2.4: wrong sums, cut messages, kinds that nobody knows. [4443-4] */
static void echo_that_is_none(void **state) {
    (void)state;
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    size_t made = make_icmp6(data, &peer_ip6, &host_ip6, ICMP6_ECHO, 0, 1, "hello", 5);
    for (size_t i = 0; i < made; i++) {
        data[i] ^= 0x10;
        give_ip6(&peer, (struct ipv6_header){.next = IPV6_ICMP}, data, made);
        data[i] ^= 0x10;
    }
    for (size_t length = 0; length < ICMP_HEADER; length++) {
        store_be16(data + 2, 0);
        give_ip6(&peer, (struct ipv6_header){.next = IPV6_ICMP}, data, length);
    }
    /* The sum counts the addresses: one for another host is wrong here. */
    made = make_icmp6(data, &peer_ip6, &peer_ip6, ICMP6_ECHO, 0, 1, "hello", 5);
    give_ip6(&peer, (struct ipv6_header){.next = IPV6_ICMP}, data, made);
    give_icmp6(&peer, 200, 0, 0, "hello", 5);
    give_icmp6(&peer, 134, 0, 0, "a router says what is not asked", 31);
    give_icmp6(&peer, ICMP6_REDIRECT, 0, 0, "a router says what is not asked.....", 36);
    /* ICMP's number is IPv4's: here it is a protocol that nobody knows. */
    peer_expect_silence(&peer);
    give_ip6(&peer, (struct ipv6_header){.next = IPV4_ICMP}, data, made);
    expect_problem(&peer, IPV6_PROBLEM_NEXT_HEADER, 6);
    /* And ICMPv6's is none of IPv4. */
    give_ip(&peer, (struct ipv4_header){.protocol = IPV6_ICMP}, data, made);
    struct icmp_header icmp;
    assert_true(peer_pull(&peer));
    out_icmp(&peer, &icmp);
    assert_int_equal(icmp.code, ICMP_PROTOCOL_UNREACHABLE);
    peer_stop(&peer);
}

/* RFC 4443 3.1: nobody has that port. It quotes what fits 1280 octets. [4443-1] */
static void port_unreachable(void **state) {
    (void)state;
    struct peer peer;
    struct icmp_header icmp;
    struct icmp6_quote quote;
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (size_t length = 0; length <= 1400; length += 700) {
        give_udp6(&peer, 600, 7, data, length);
        assert_true(peer_pull(&peer));
        const uint8_t *quoted = out_icmp6(&peer, &icmp);
        size_t whole = IPV6_HEADER + UDP_HEADER + length, most = 1280 - 40 - 8;
        assert_int_equal(icmp.type, ICMP6_UNREACHABLE);
        assert_int_equal(icmp.code, ICMP6_PORT_UNREACHABLE);
        size_t octets = peer.out_length - IPV6_HEADER - ICMP_HEADER;
        assert_int_equal(octets, whole < most ? whole : most);
        assert_int_equal(icmp6_quote_parse(quoted, octets, &quote), 0);
        assert_int_equal(quote.protocol, IPV4_UDP);
        assert_int_equal(load_be16(quote.transport + 2), 7);
        peer_wait(&peer, 2 * BERTH_SECOND);
    }
    peer_stop(&peer);
}

/* RFC 4443 2.4 (e): about nothing that came to a group, from nobody, or that is an error. [4443-1]
 */
static void no_errors(void **state) {
    (void)state;
    struct peer peer;
    struct ipv6_header group = {.next = IPV4_UDP, .destination = all_nodes6};
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer6_meet(&peer);
    size_t made = make_udp6(data, &peer_ip6, &all_nodes6, 600, 7, "x", 1);
    give_ip6(&peer, group, data, made);
    peer_expect_silence(&peer);
    group.next = 200;
    give_ip6(&peer, group, data, made);
    peer_expect_silence(&peer);
    uint8_t frame[200];
    made = make_udp6(data, &peer_ip6, &host_ip6, 600, 7, "x", 1);
    made = make_ip6(&peer, frame, (struct ipv6_header){.next = IPV4_UDP}, data, made);
    frame[0] = 0x33; /* the link's address was a group's */
    peer_give(&peer, frame, made);
    peer_expect_silence(&peer);
    frame[0] = host_mac[0];
    memset(frame + ETHERNET_HEADER + 8, 0, 16); /* from nobody; its sum is wrong, and made right: */
    made = make_udp6(frame + ETHERNET_HEADER + IPV6_HEADER, &any6, &host_ip6, 600, 7, "x", 1);
    peer_give(&peer, frame, ETHERNET_HEADER + IPV6_HEADER + made);
    peer_expect_silence(&peer);
    /* Errors about nothing of ours, with extension headers that are wrong before them. */
    give_icmp6(&peer, ICMP6_UNREACHABLE, 4, 0, data, 100);
    give_icmp6(&peer, 100, 4, 0, data, 100);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 4443 2.4 (f). [4443-3] */
static void rate_limit(void **state) {
    (void)state;
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (int i = 0; i < 100; i++)
        give_udp6(&peer, 600, 7, "x", 1);
    size_t count = peer_drain(&peer);
    assert_in_range(count, 1, 10);
    assert_int_equal(berth_host_counters(peer.host)->icmp_out_rate_limited, 100 - count);
    peer_wait(&peer, 10 * BERTH_SECOND);
    give_udp6(&peer, 600, 7, "x", 1);
    assert_int_equal(peer_drain(&peer), 1);
    peer_stop(&peer);
}

/* RFC 8200 4.2, 4.4; RFC 5095; RFC 7112; RFC 4443 3.4. [8200-1] */
static void parameter_problems(void **state) {
    (void)state;
    static const struct {
        uint8_t next, octets[16];
        uint8_t length, code;
        uint32_t pointer; /* 0: silence */
        bool to_group;    /* told even then */
    } cases[] = {
        {60, {17, 0, 0x80, 0, 1, 2}, 16, IPV6_PROBLEM_OPTION, 42, true},
        {60, {17, 0, 0xc0, 0, 1, 2}, 16, IPV6_PROBLEM_OPTION, 42, false},
        {60, {17, 0, 0x40, 0, 1, 2}, 16, 0, 0, false},
        {0, {17, 0, 1, 0, 0x9e, 0, 0, 0}, 16, IPV6_PROBLEM_OPTION, 44, true},
        {43, {17, 0, 0, 1}, 16, IPV6_PROBLEM_FIELD, 42, false},
        {43, {17, 0, 77, 1}, 16, IPV6_PROBLEM_FIELD, 42, false},
        {60, {0, 0, 1, 4}, 16, IPV6_PROBLEM_NEXT_HEADER, 40, false},
        {60, {201, 0, 1, 4}, 16, IPV6_PROBLEM_NEXT_HEADER, 40, false},
        {59, {0}, 16, 0, 0, false},
        {44, {17, 0, 0, 1}, 9, IPV6_PROBLEM_FIRST_FRAGMENT, UINT32_MAX, false},
        {44, {17, 0, 0xff, 0xf9}, 16, IPV6_PROBLEM_FIELD, 42, false}, /* past 65535 */
        {44, {17, 0, 0, 9}, 15, IPV6_PROBLEM_FIELD, 4, false},        /* no multiple of 8 */
        {60, {17, 9, 1, 4}, 16, 0, 0, false},                         /* cut */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        struct icmp_header icmp;
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        struct ipv6_header ip = {.next = cases[i].next};
        give_ip6(&peer, ip, cases[i].octets, cases[i].length);
        if (cases[i].pointer == 0)
            peer_expect_silence(&peer);
        else
            expect_problem(&peer, cases[i].code,
                           cases[i].pointer == UINT32_MAX ? 0 : cases[i].pointer);
        ip.destination = all_nodes6;
        give_ip6(&peer, ip, cases[i].octets, cases[i].length);
        if (cases[i].to_group) {
            assert_true(peer_pull(&peer));
            out_icmp6(&peer, &icmp);
            out_ip6(&peer, &ip);
            assert_true(berth_ip_equal(&ip.source, &host_ip6));
        }
        peer_expect_silence(&peer);
        peer_stop(&peer);
    }
}

/* RFC 4443 3, with Linux's errno. [4443-5] */
static void errors_told(void **state) {
    (void)state;
    static const struct {
        uint8_t type, code;
        int error, connected; /* with IP_RECVERR, and connected without it */
    } cases[] = {
        {1, 0, ENETUNREACH, 0},
        {1, 1, EACCES, EACCES},
        {1, 2, EHOSTUNREACH, 0},
        {1, 3, EHOSTUNREACH, 0},
        {1, 4, ECONNREFUSED, ECONNREFUSED},
        {1, 5, EACCES, EACCES},
        {1, 6, EACCES, EACCES},
        {1, 7, 0, 0},
        {3, 0, EHOSTUNREACH, 0},
        {3, 1, EHOSTUNREACH, 0},
        {4, 1, EPROTO, EPROTO},
        {2, 0, EMSGSIZE, EMSGSIZE},
        {77, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int receive_errors = 0; receive_errors < 2; receive_errors++) {
            struct peer peer;
            struct berth_endpoint to = endpoint6(peer_ip6, 9);
            uint8_t sent[200];
            int error;
            peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
            berth_handle socket = udp6_socket(&peer, any6, 4000);
            assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), 0);
            assert_int_equal(berth_socket_set_option(peer.host, socket, BERTH_IP_RECVERR,
                                                     receive_errors, peer.now),
                             0);
            assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), 1);
            assert_true(peer_pull(&peer));
            size_t length = peer.out_length;
            memcpy(sent, peer.out, length);
            give_icmp6(&peer, cases[i].type, cases[i].code, 1400, sent, length);
            assert_int_equal(berth_socket_get_option(peer.host, socket, BERTH_SO_ERROR, &error), 0);
            assert_int_equal(error, receive_errors ? cases[i].error : cases[i].connected);
            /* Cut quotes, or of another's datagram, say nothing. */
            for (size_t cut = 0; cut < 48; cut += 5)
                give_icmp6(&peer, 1, 4, 0, sent, cut);
            sent[8] ^= 1;
            give_icmp6(&peer, 1, 4, 0, sent, length);
            assert_int_equal(berth_socket_get_option(peer.host, socket, BERTH_SO_ERROR, &error), 0);
            assert_int_equal(error, 0);
            peer_stop(&peer);
        }
    }
}

static size_t largest_sent(struct peer *peer, berth_handle socket, size_t length) {
    struct berth_endpoint to = endpoint6(peer_ip6, 9);
    size_t largest = 0;
    assert_int_equal(berth_socket_send_to(peer->host, socket, data, length, &to, peer->now),
                     length);
    while (peer_pull(peer))
        largest = peer->out_length > largest ? peer->out_length : largest;
    return largest;
}

/* RFC 8201: a path's MTU is learned, never below 1280, and forgotten after ten minutes. [8201-1,
 * 8201-2] */
static void path_mtu(void **state) {
    (void)state;
    struct peer peer;
    uint8_t sent[1500];
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp6_socket(&peer, any6, 4000);
    assert_int_equal(largest_sent(&peer, socket, 1452), 1500);
    memcpy(sent, peer.out, 1500);
    give_icmp6(&peer, ICMP6_PACKET_TOO_BIG, 0, 1400, sent, 1200);
    assert_in_range(largest_sent(&peer, socket, 1452), 1393, 1400);
    give_icmp6(&peer, ICMP6_PACKET_TOO_BIG, 0, 1480, sent, 1200); /* it never grows by that */
    assert_in_range(largest_sent(&peer, socket, 1452), 1393, 1400);
    give_icmp6(&peer, ICMP6_PACKET_TOO_BIG, 0, 200, sent, 1200);
    assert_in_range(largest_sent(&peer, socket, 1452), 1273, 1280);
    /* Who minds the path's MTU hears of it instead. */
    struct berth_endpoint to = endpoint6(peer_ip6, 9);
    assert_int_equal(berth_socket_set_option(peer.host, socket, BERTH_IP_MTU_DISCOVER, 2, peer.now),
                     0);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1233, &to, peer.now), -EMSGSIZE);
    assert_int_equal(largest_sent(&peer, socket, 1232), 1280);
    peer_wait(&peer, 590 * BERTH_SECOND);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1233, &to, peer.now), -EMSGSIZE);
    peer_wait(&peer, 11 * BERTH_SECOND);
    assert_int_equal(largest_sent(&peer, socket, 1452), 1500);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo),
        cmocka_unit_test(echo_that_is_none),
        cmocka_unit_test(port_unreachable),
        cmocka_unit_test(no_errors),
        cmocka_unit_test(rate_limit),
        cmocka_unit_test(parameter_problems),
        cmocka_unit_test(errors_told),
        cmocka_unit_test(path_mtu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
