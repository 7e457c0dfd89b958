/* A router between fd00::/64 (Ethernet, where the peer is) and fd01::/64 (raw IP, or Ethernet);
 * behind fd01::9 lies fd02::/16. */
#include "test/unit/host/peer6.h"
#include <string.h>

static uint8_t data[3000];

static void router_start(struct peer *peer, enum berth_link_type far, uint32_t mtu) {
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    peer6_start(peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_host_set_sysctl(peer->host, "net.ipv6.conf.all.forwarding", "1"), 0);
    struct berth_interface_config interface = {.link = far, .mtu = mtu};
    const struct berth_ip own = ip6("fd01::1"), gateway = ip6("fd01::9"), behind = ip6("fd02::");
    memcpy(interface.mac, host_mac, 6);
    assert_int_equal(berth_host_add_interface(peer->host, &interface), 2);
    assert_int_equal(berth_host_add_address(peer->host, 2, &own, 64), 0);
    assert_int_equal(berth_host_add_route(peer->host, 2, &behind, 16, &gateway), 0);
    peer6_meet(peer);
}

static void side(struct peer *peer, int interface, size_t link) {
    peer->interface = interface;
    peer->link = link;
}

static size_t give(struct peer *peer, uint8_t *octets, struct ipv6_header ip, const char *to,
                   size_t length) {
    uint8_t payload[1600];
    ip.destination = ip6(to);
    if (berth_ip_is_any(&ip.source))
        ip.source = peer_ip6;
    ip.next = IPV4_UDP;
    size_t made = make_udp6(payload, &ip.source, &ip.destination, 4000, 5000, data, length);
    made = make_ip6(peer, octets, ip, payload, made);
    peer_give(peer, octets, made);
    return made;
}

/* [8200-4] RFC 8200 3: counted down, and nothing else changed. */
static void test_onward(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 80, 110, 400, 1452};
    static const size_t splits[] = {0, 14, 20, 54, 62, 100, 160};
    struct peer peer;
    uint8_t octets[1600], payload[1600];
    const struct berth_ip to = ip6("fd02::5");
    router_start(&peer, BERTH_LINK_RAW_IP, 1500);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof splits / sizeof *splits; j++) {
            side(&peer, 1, 14);
            uint8_t hops = (uint8_t)(2 + i * 40 + j);
            size_t made = make_udp6(payload, &peer_ip6, &to, 4000, 5000, data, sizes[i]);
            made = make_ip6(
                &peer, octets,
                (struct ipv6_header){.next = IPV4_UDP, .destination = to, .hop_limit = hops},
                payload, made);
            peer_give_split(&peer, octets, made, splits[j]);
            peer_expect_silence(&peer);
            side(&peer, 2, 0);
            assert_true(peer_pull(&peer));
            assert_int_equal(peer.out_length, made - 14);
            assert_int_equal(peer.out[7], hops - 1);
            peer.out[7]++;
            assert_memory_equal(peer.out, octets + 14, made - 14);
            peer_expect_silence(&peer);
        }
    peer_stop(&peer);
}

static void expect_error(struct peer *peer, uint8_t type, uint8_t code, uint32_t rest,
                         const uint8_t *octets) {
    struct icmp_header icmp;
    struct ipv6_header ip;
    side(peer, 1, 14);
    assert_true(peer_pull(peer));
    const uint8_t *quote = out_icmp6(peer, &icmp);
    assert_int_equal(icmp.type, type);
    assert_int_equal(icmp.code, code);
    assert_int_equal(icmp.rest, rest);
    assert_memory_equal(quote, octets + 14, 48);
    out_ip6(peer, &ip);
    assert_true(berth_ip_equal(&ip.source, &host_ip6));
    assert_true(IPV6_HEADER + ip.payload_length <= 1280);
    peer_expect_silence(peer);
}

/* [8200-4, 4443-6] RFC 4443 3.1 to 3.3; a router makes no fragments (RFC 8200 5). */
static void test_errors(void **state) {
    (void)state;
    struct peer peer;
    uint8_t octets[1600];
    router_start(&peer, BERTH_LINK_RAW_IP, 1280);
    give(&peer, octets, (struct ipv6_header){0}, "2001:db8::1", 10);
    expect_error(&peer, ICMP6_UNREACHABLE, ICMP6_NO_ROUTE, 0, octets);
    give(&peer, octets, (struct ipv6_header){.hop_limit = 1}, "fd02::1", 10);
    expect_error(&peer, ICMP6_TIME_EXCEEDED, 0, 0, octets);
    give(&peer, octets, (struct ipv6_header){0}, "fd02::1", 1280 - 48 + 1);
    expect_error(&peer, ICMP6_PACKET_TOO_BIG, 0, 1280, octets);
    give(&peer, octets, (struct ipv6_header){0}, "fd02::1", 1280 - 48);
    peer_expect_silence(&peer);
    side(&peer, 2, 0);
    assert_true(peer_pull(&peer));
    assert_int_equal(peer.out_length, 1280);
    peer_stop(&peer);
}

/* [4291-2, 4443-6] RFC 4291 2.5.2, 2.5.3, 2.5.6: what stays on its link. */
static void test_scope(void **state) {
    (void)state;
    static const char *const to[] = {"fe80::9", "ff02::1:ff00:9", "ff0e::5", "::1",
                                     "::",      "::ffff:10.0.0.9"};
    static const char *const from[] = {"::1", "ff02::1", "::ffff:10.0.0.9"};
    struct peer peer;
    struct icmp_header icmp;
    uint8_t octets[1600], payload[100];
    router_start(&peer, BERTH_LINK_RAW_IP, 1500);
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        side(&peer, 1, 14);
        give(&peer, octets, (struct ipv6_header){0}, to[i], 10);
        peer_expect_silence(&peer);
        side(&peer, 2, 0);
        peer_expect_silence(&peer);
    }
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        side(&peer, 1, 14);
        give(&peer, octets, (struct ipv6_header){.source = ip6(from[i])}, "fd02::1", 10);
        peer_expect_silence(&peer);
        side(&peer, 2, 0);
        peer_expect_silence(&peer);
    }
    /* From `::`, which peer6 takes for a default. */
    side(&peer, 1, 14);
    const struct berth_ip any = {{0}}, away = ip6("fd02::1");
    size_t made = make_udp6(payload, &any, &away, 4000, 5000, data, 10);
    made = make_ip6(&peer, octets, (struct ipv6_header){.next = IPV4_UDP, .destination = away},
                    payload, made);
    memset(octets + 14 + 8, 0, 16);
    peer_give(&peer, octets, made);
    peer_expect_silence(&peer);
    /* RFC 4443 3.1: beyond the scope of its source. */
    give(&peer, octets, (struct ipv6_header){.source = peer_local6}, "fd02::1", 10);
    assert_true(peer_pull(&peer)); /* asks for the peer's link-local address, or has it */
    if (peer.out[14 + 40] == ICMP6_NEIGHBOR_SOLICITATION) {
        give_nd(&peer, (struct ipv6_header){.source = peer_local6, .destination = host_local6},
                (struct nd_message){.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                                    .solicited = true,
                                    .override = true,
                                    .target = peer_local6,
                                    .mac = peer_mac});
        assert_true(peer_pull(&peer));
    }
    out_icmp6(&peer, &icmp);
    assert_int_equal(icmp.type, ICMP6_UNREACHABLE);
    assert_int_equal(icmp.code, ICMP6_BEYOND_SCOPE);
    side(&peer, 2, 0);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->ip_forw_datagrams, 0);
    peer_stop(&peer);
}

/* RFC 4443 2.4 (e): no error about an error, whatever headers stand before it. */
static void test_no_error_about_errors(void **state) {
    (void)state;
    struct peer peer;
    uint8_t octets[1600];
    router_start(&peer, BERTH_LINK_RAW_IP, 1500);
    const struct berth_ip to = ip6("2001:db8::1");
    for (int extension = 0; extension < 2; extension++) {
        uint8_t payload[100] = {IPV6_ICMP, 0, 1, 4};
        size_t at = extension ? 8 : 0;
        size_t made =
            at + make_icmp6(payload + at, &peer_ip6, &to, ICMP6_TIME_EXCEEDED, 0, 0, data, 48);
        made = make_ip6(&peer, octets,
                        (struct ipv6_header){.next = extension ? 60 : IPV6_ICMP, .destination = to},
                        payload, made);
        peer_give(&peer, octets, made);
        peer_expect_silence(&peer);
    }
    peer_stop(&peer);
}

/* RFC 4861 7.2.4, RFC 4291 2.8: a router says that it is one, and hears what is for all routers. */
static void test_router_flag(void **state) {
    (void)state;
    struct peer peer;
    struct ipv6_header ip;
    struct nd_message message;
    router_start(&peer, BERTH_LINK_RAW_IP, 1500);
    for (int router = 0; router < 2; router++) {
        assert_int_equal(
            berth_host_set_sysctl(peer.host, "net.ipv6.conf.all.forwarding", router ? "1" : "0"),
            0);
        give_nd(&peer, (struct ipv6_header){.destination = host_ip6},
                (struct nd_message){
                    .type = ICMP6_NEIGHBOR_SOLICITATION, .target = host_ip6, .mac = peer_mac});
        assert_true(peer_pull(&peer));
        out_nd(&peer, &ip, &message);
        assert_int_equal(message.router, router);
        uint8_t echo[64];
        const struct berth_ip routers = ip6("ff02::2");
        size_t made = make_icmp6(echo, &peer_ip6, &routers, ICMP6_ECHO, 0, 1, data, 8);
        give_ip6(&peer, (struct ipv6_header){.next = IPV6_ICMP, .destination = routers}, echo,
                 made);
        assert_int_equal(peer_drain(&peer), router);
    }
    peer_stop(&peer);
}

/* RFC 4861 7.2.2: the next hop is not there. */
static void test_neighbor(void **state) {
    (void)state;
    struct peer peer;
    struct ipv6_header ip;
    struct nd_message message;
    uint8_t octets[1600];
    router_start(&peer, BERTH_LINK_ETHERNET, 1500);
    give(&peer, octets, (struct ipv6_header){0}, "fd02::1", 700);
    side(&peer, 2, 14);
    assert_true(peer_pull(&peer));
    out_nd(&peer, &ip, &message);
    const struct berth_ip next = ip6("fd01::9");
    assert_true(berth_ip_equal(&message.target, &next));
    peer_wait(&peer, 4 * BERTH_SECOND);
    peer_drain(&peer);
    expect_error(&peer, ICMP6_UNREACHABLE, ICMP6_ADDRESS_UNREACHABLE, 0,
                 (octets[14 + 7]--, octets));
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_onward),      cmocka_unit_test(test_errors),
        cmocka_unit_test(test_scope),       cmocka_unit_test(test_no_error_about_errors),
        cmocka_unit_test(test_router_flag), cmocka_unit_test(test_neighbor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
