/* IPv6 datagrams and addresses: what a host takes, where it sends, and from which address. */
#include "test/unit/host/peer6.h"

static uint8_t octets[70000], payload[2000];

/* RFC 4291 2.5.2, 2.5.3, 2.7; RFC 8200 3: what no host takes. [4291-1] */
static void martians(void **state) {
    (void)state;
    static const char *const sources[] = {"ff02::1", "::1", "::ffff:10.0.0.2", "fd00::1",
                                          "fd00::11"};
    static const char *const destinations[] = {
        "fd00::3", "::1", "ff02::2", "ff02::1:ff00:77", "::ffff:10.0.0.1", "::"};
    struct peer peer;
    struct berth_ip second = ip6("fd00::11");
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_host_add_address(peer.host, 1, &second, 64), 0);
    for (size_t i = 0; i < 5 + 6; i++) {
        struct berth_ip source = i < 5 ? ip6(sources[i]) : peer_ip6;
        struct berth_ip destination = i < 5 ? host_ip6 : ip6(destinations[i - 5]);
        size_t made = make_icmp6(payload, &source, &destination, ICMP6_ECHO, 0, 1, "x", 1);
        made = make_ip6(&peer, octets, (struct ipv6_header){.next = IPV6_ICMP}, payload, made);
        memcpy(octets + 8, source.bytes, 16);
        memcpy(octets + 24, destination.bytes, 16);
        peer_give(&peer, octets, made);
        peer_expect_silence(&peer);
    }
    assert_int_equal(berth_host_counters(peer.host)->ip_in_address_errors, 11);
    peer_stop(&peer);
}

/* Frames cut anywhere, split anywhere, and with the link's padding behind. */
static void cut_and_split(void **state) {
    (void)state;
    struct peer peer;
    uint8_t copy[400];
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer6_meet(&peer);
    static const uint8_t options[16] = {IPV6_ICMP, 1, 0x1e, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2};
    memcpy(payload, options, 16);
    size_t made = 16 + make_icmp6(payload + 16, &peer_ip6, &host_ip6, ICMP6_ECHO, 0, 1, "hello", 5);
    struct ipv6_header ip = {.next = IPV6_DESTINATION};
    made = make_ip6(&peer, copy, ip, payload, made);
    for (size_t length = 0; length < made; length++) {
        peer_give(&peer, copy, length);
        peer_expect_silence(&peer);
    }
    for (size_t split = 0; split <= made && split <= 150; split++) {
        peer_give_split(&peer, copy, made + 7, split);
        assert_int_equal(peer_drain(&peer), 1);
    }
    copy[ETHERNET_HEADER] = 0x50; /* another version */
    peer_give(&peer, copy, made);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* Any octets: nothing breaks, whatever comes of it. */
static void hostile(void **state) {
    (void)state;
    static const uint8_t kinds[] = {0, 43, 44, 60, 6, 17, 58, 59, 200};
    uint64_t seed = 99;
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer6_meet(&peer);
    udp6_socket(&peer, any6, 500);
    for (int i = 0; i < 30000; i++) {
        struct ipv6_header ip = {.next = kinds[test_random(&seed) % 9]};
        size_t length = test_random(&seed) % 200;
        if (test_random(&seed) % 4 == 0)
            ip.destination = test_random(&seed) % 2 ? all_nodes6 : nd_solicited_node(&host_ip6);
        for (size_t at = 0; at < length; at++)
            payload[at] = (uint8_t)test_random(&seed);
        for (size_t at = 0; at + 8 < length; at += 8 + 8 * (test_random(&seed) % 2)) {
            payload[at] = kinds[test_random(&seed) % 9];
            payload[at + 1] = (uint8_t)(test_random(&seed) % 3);
        }
        if (ip.next == IPV6_ICMP && length >= 8) { /* past the checksum, to the messages */
            struct berth_ip to = berth_ip_is_any(&ip.destination) ? host_ip6 : ip.destination;
            payload[0] = (uint8_t)(test_random(&seed) % 2 ? 1 + test_random(&seed) % 4
                                                          : 128 + test_random(&seed) % 10);
            payload[1] = 0;
            store_be16(payload + 2, 0);
            struct checksum sum = {0};
            checksum_add_pseudo(&sum, &peer_ip6, &to, IPV6_ICMP, (uint32_t)length);
            checksum_add(&sum, payload, length);
            store_be16(payload + 2, checksum_finish(&sum));
            ip.hop_limit = 255;
        }
        size_t made = make_ip6(&peer, octets, ip, payload, length);
        peer_give_split(&peer, octets, made, test_random(&seed) % 160);
        peer_drain(&peer);
        if (i % 1000 == 0)
            peer_wait(&peer, BERTH_SECOND);
    }
    give_icmp6(&peer, ICMP6_ECHO, 0, 1, "alive", 5);
    assert_true(peer_drain(&peer) >= 1);
    peer_stop(&peer);
}

/* RFC 4291 2.8: the first address brings a link-local one; which addresses there can be. */
static void addresses(void **state) {
    (void)state;
    struct peer peer;
    struct berth_address listed[8];
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    static const struct {
        const char *ip;
        unsigned prefix;
        int interface, result;
    } cases[] = {
        {"::", 64, 1, -EINVAL},      {"ff02::1", 64, 1, -EINVAL},
        {"::1", 128, 1, -EINVAL},    {"fd00::1", 129, 1, -EINVAL},
        {"fd00::1", 64, 0, -EINVAL}, {"fd00::1", 64, 2, -ENODEV},
        {"::1", 128, 0, -EEXIST},    {"fd00::1", 64, 1, 0},
        {"fd00::1", 64, 1, -EEXIST}, {"fe80::ff:fe00:1", 64, 1, -EEXIST},
        {"2001:db8::7", 128, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct berth_ip ip = ip6(cases[i].ip);
        assert_int_equal(
            berth_host_add_address(peer.host, cases[i].interface, &ip, cases[i].prefix),
            cases[i].result);
    }
    assert_int_equal(berth_host_addresses(peer.host, listed, 8), 6);
    assert_int_equal(listed[3].prefix, 64);
    assert_true(berth_ip_equal(&listed[3].ip, &host_ip6));
    assert_true(berth_ip_equal(&listed[4].ip, &host_local6));
    assert_true(berth_host_has_address(peer.host, &host_local6));
    assert_true(berth_host_has_address(peer.host, &one6));
    assert_false(berth_host_has_address(peer.host, &peer_ip6));
    /* RFC 8200 5: no IPv6 over a link of less than 1280 octets. */
    assert_int_equal(berth_host_set_interface(peer.host, 1, 1279, 0), -EINVAL);
    assert_int_equal(berth_host_set_interface(peer.host, 1, 1280, 0), 0);
    struct berth_interface_config small = {.link = BERTH_LINK_RAW_IP, .mtu = 1279};
    assert_int_equal(berth_host_add_interface(peer.host, &small), 2);
    struct berth_ip ip = ip6("fd00:1::1");
    assert_int_equal(berth_host_add_address(peer.host, 2, &ip, 64), -EINVAL);
    peer_stop(&peer);
}

/* All or nothing of an address, its link-local one and their routes. */
static void address_memory(void **state) {
    (void)state;
    for (size_t fail = 1; fail < 4; fail++) {
        struct peer peer;
        struct berth_address listed[8];
        struct berth_endpoint to = endpoint6(ip6("fd00::99"), 9);
        peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
        counting_fail_nth(&peer.counting, fail, true);
        int result = berth_host_add_address(peer.host, 1, &host_ip6, 64);
        counting_recover(&peer.counting);
        assert_int_equal(berth_host_addresses(peer.host, listed, 8), result == 0 ? 5 : 3);
        berth_handle socket = udp6_socket(&peer, any6, 0);
        assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now),
                         result == 0 ? 1 : -ENETUNREACH);
        assert_true(result == 0 || result == -ENOMEM);
        peer_stop(&peer);
    }
}

/* Sends to that address; the destination's link address and the source are seen. */
static int send_seen(struct peer *peer, const char *to, struct berth_ip *source,
                     struct berth_ip *asked) {
    berth_handle socket = udp6_socket(peer, any6, 0);
    struct berth_endpoint remote = endpoint6(ip6(to), 9);
    struct nd_message message;
    struct ipv6_header ip;
    ssize_t sent = berth_socket_send_to(peer->host, socket, "x", 1, &remote, peer->now);
    berth_socket_close(peer->host, socket, peer->now);
    memset(asked, 0, sizeof *asked);
    if (sent < 0)
        return (int)sent;
    while (peer_pull(peer)) {
        const uint8_t *octet = out_ip6(peer, &ip);
        *source = ip.source;
        if (ip.next == IPV6_ICMP && octet[0] == ICMP6_NEIGHBOR_SOLICITATION) {
            out_nd(peer, &ip, &message);
            *asked = message.target;
        }
    }
    return 0;
}

/* RFC 6724 5: same address, scope, interface, label, longest prefix. The solicitation goes out from
 * the address that the datagram will have. [6724-1] */
static void source_selection(void **state) {
    (void)state;
    static const char *const own[] = {"fd00:1::1", "2001:db8:1::1", "2001:db8:2::1", "2002:a00::1"};
    static const struct {
        const char *to, *from;
    } cases[] = {
        {"fd00:1::77", "fd00:1::1"},         /* rule 8, and 6 */
        {"fd00:9::77", "fd00:1::1"},         /* rule 6: unique local addresses' label */
        {"2001:db8:1::77", "2001:db8:1::1"}, /* rule 8 */
        {"2001:db8:2::77", "2001:db8:2::1"}, /* rule 8 */
        {"2002:b00::1", "2002:a00::1"},      /* rule 6: 6to4's label */
        {"fe80::77", "fe80::ff:fe00:1"},     /* rule 2: the smallest scope that reaches */
        {"2001:db8:9::77", "2001:db8:1::1"}, /* equal: the first */
    };
    struct peer peer;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    for (size_t i = 0; i < 4; i++) {
        struct berth_ip ip = ip6(own[i]);
        assert_int_equal(berth_host_add_address(peer.host, 1, &ip, 64), 0);
    }
    assert_int_equal(berth_host_add_route(peer.host, 1, &any6, 0, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct berth_ip source, asked, wanted = ip6(cases[i].from), to = ip6(cases[i].to);
        assert_int_equal(send_seen(&peer, cases[i].to, &source, &asked), 0);
        assert_true(berth_ip_equal(&asked, &to));
        assert_true(berth_ip_equal(&source, &wanted));
    }
    peer_stop(&peer);
}

/* Routes of both families do not meet, though IPv4's addresses lie within ::/0. */
static void routes(void **state) {
    (void)state;
    struct peer peer;
    struct berth_ip source, asked, router = ip6("fd00::fe"), local = ip6("fe80::fe");
    struct berth_ip far = ip6("2001:db8::"), off = ip6("2001:db8:1::"), v4 = berth_ip_v4(0);
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(send_seen(&peer, "2001:db8::1", &source, &asked), -ENETUNREACH);
    assert_int_equal(berth_host_add_route(peer.host, 1, &any6, 0, &far), -ENETUNREACH);
    assert_int_equal(berth_host_add_route(peer.host, 1, &any6, 0, &v4), -EINVAL);
    assert_int_equal(berth_host_add_route(peer.host, 1, &v4, 0, &router), -EINVAL);
    assert_int_equal(berth_host_add_route(peer.host, 1, &any6, 129, &router), -EINVAL);
    assert_int_equal(berth_host_add_route(peer.host, 1, &far, 16, &router), -EINVAL);
    assert_int_equal(berth_host_add_route(peer.host, 1, &any6, 0, &router), 0);
    assert_int_equal(berth_host_add_route(peer.host, 1, &off, 48, &local), 0);
    assert_int_equal(send_seen(&peer, "2001:db8::1", &source, &asked), 0);
    assert_true(berth_ip_equal(&asked, &router));
    assert_int_equal(send_seen(&peer, "2001:db8:1::1", &source, &asked), 0);
    assert_true(berth_ip_equal(&asked, &local));
    assert_int_equal(send_seen(&peer, "::ffff:11.0.0.1", &source, &asked), -ENETUNREACH);
    /* To a group: no neighbour is asked for. */
    assert_int_equal(send_seen(&peer, "ff02::1234:5678", &source, &asked), 0);
    assert_true(berth_ip_is_any(&asked));
    assert_memory_equal(peer.out, ((uint8_t[]){0x33, 0x33, 0x12, 0x34, 0x56, 0x78}), 6);
    assert_true(berth_ip_equal(&source, &host_local6));
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(martians),       cmocka_unit_test(cut_and_split),
        cmocka_unit_test(hostile),        cmocka_unit_test(addresses),
        cmocka_unit_test(address_memory), cmocka_unit_test(source_selection),
        cmocka_unit_test(routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
