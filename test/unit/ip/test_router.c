/* Routers, as a host hears them (RFC 4861 6), packet by packet. */
#include "test/unit/ip/router.h"
#include <stdio.h>

static void expect_solicitation(struct peer *peer) {
    struct ipv6_header ip;
    struct checksum sum = {0};
    const uint8_t *message = out_ip6(peer, &ip);
    assert_true(berth_ip_equal(&ip.source, &host_local6));
    assert_int_equal(ip.destination.bytes[15], 2);
    assert_memory_equal(peer->out, "\x33\x33\0\0\0\2", 6);
    assert_int_equal(ip.hop_limit, 255);
    assert_int_equal(message[0], ICMP6_ROUTER_SOLICITATION);
    assert_memory_equal(message + 8, "\1\1", 2);
    assert_memory_equal(message + 10, host_mac, 6);
    checksum_add_pseudo(&sum, &ip.source, &ip.destination, IPV6_ICMP, 16);
    checksum_add(&sum, message, 16);
    assert_int_equal(checksum_finish(&sum), 0);
}

/* Three solicitations, four seconds apart, from the link-local address to all routers; none after
 * an answer, but one before. [4861-5] */
static void solicitations(void **state) {
    (void)state;
    for (int answer = 0; answer < 3; answer++) { /* before the first, after it, never */
        struct peer peer;
        start(&peer, 1);
        uint64_t begin = peer.now, last = 0;
        int sent = 0;
        if (answer == 0)
            says(&peer, (struct said){.lifetime = 1800});
        for (;;) {
            uint64_t due = berth_host_deadline(peer.host);
            if (due > begin + 20 * BERTH_SECOND)
                break;
            peer_wait(&peer, due > peer.now ? due - peer.now : 0);
            if (!peer_pull(&peer))
                continue;
            expect_solicitation(&peer);
            if (sent++ == 0)
                assert_in_range(peer.now, begin + 1, begin + BERTH_SECOND + 1);
            else
                assert_int_equal(peer.now, last + 4 * BERTH_SECOND);
            last = peer.now;
            if (answer == 1)
                says(&peer, (struct said){.lifetime = 1800});
        }
        assert_int_equal(sent, answer == 2 ? 3 : 1);
        peer_stop(&peer);
    }
}

/* RFC 4861 6.1.2: what is no neighbour's, or not whole. [4861-9] */
static void not_valid(void **state) {
    (void)state;
    struct peer peer;
    struct said right = prefix_said, wrong[7];
    right.lifetime = 1800;
    start_quiet(&peer);
    for (int i = 0; i < 7; i++)
        wrong[i] = right;
    wrong[0].source = ip6("2001:db8::5");
    wrong[1].hops = 254;
    wrong[2].code = 1;
    wrong[3].tail_length = 8;                /* an option without length */
    wrong[4].tail[0] = wrong[4].tail[1] = 2; /* one beyond the end */
    wrong[4].tail_length = 8;
    wrong[5].tail_length = 1; /* half a one */
    wrong[6].prefix = NULL;
    wrong[6].cut = 4; /* no whole header */
    for (int i = 0; i < 7; i++) {
        uint64_t errors = berth_host_counters(peer.host)->icmp_in_errors;
        says(&peer, wrong[i]);
        assert_int_equal(berth_host_counters(peer.host)->icmp_in_errors, errors + 1);
        assert_false(has(&peer, OURS));
        expect_way(&peer, "2001:db8:1::1", NULL);
    }
    right.tail[0] = 99; /* one that nobody knows does no harm */
    right.tail[1] = 1;
    right.tail_length = 8;
    says(&peer, right);
    assert_true(has(&peer, OURS));
    peer_stop(&peer);
}

/* Default routers come, stay as long as they say, and go. [4861-6, 4861-11] */
static void routers(void **state) {
    (void)state;
    struct peer peer;
    start_quiet(&peer);
    struct berth_ip second = ip6("fe80::7");
    says(&peer, (struct said){.lifetime = 100, .mac = peer_mac});
    expect_way(&peer, "2001:db8:1::1", ROUTER);
    says(&peer, (struct said){.source = second, .lifetime = 50});
    expect_way(&peer, "2001:db8:1::1", ROUTER);
    says(&peer, (struct said){.lifetime = 0});
    expect_way(&peer, "2001:db8:1::1", "fe80::7");
    says(&peer, (struct said){.source = second, .lifetime = 100});
    peer_wait(&peer, 100 * BERTH_SECOND - 1);
    expect_way(&peer, "2001:db8:1::1", "fe80::7");
    peer_wait(&peer, 1);
    expect_way(&peer, "2001:db8:1::1", NULL);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
    char text[32]; /* a flood of them makes eight */
    size_t before = berth_host_routes(peer.host, NULL, 0);
    for (int i = 1; i < 100; i++) {
        snprintf(text, sizeof text, "fe80::1:%d", i);
        says(&peer, (struct said){.source = ip6(text), .lifetime = 1000});
    }
    assert_int_equal(berth_host_routes(peer.host, NULL, 0), before + 8);
    assert_int_equal(berth_host_reset(peer.host, peer.now), 0);
    expect_way(&peer, "2001:db8:1::1", NULL);
    peer_stop(&peer);
}

static void advertises(struct peer *peer, const char *target, bool router) {
    give_nd(peer, (struct ipv6_header){.source = ip6(target), .destination = all_nodes6},
            (struct nd_message){.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                                .router = router,
                                .override = true,
                                .target = ip6(target),
                                .mac = peer_mac});
}

/* One that does not answer is tried last, one that says it is none is none. [4861-12, 4861-13] */
static void other_router(void **state) {
    (void)state;
    struct peer peer;
    start_quiet(&peer);
    struct said said = prefix_said;
    said.lifetime = 1800;
    says(&peer, said);
    says(&peer, (struct said){.source = ip6("fe80::7"), .lifetime = 1800, .mac = peer_mac});
    expect_way(&peer, "2001:db8:1::1", ROUTER);
    send_to(&peer, "2001:db8:1::1");
    assert_true(peer_pull(&peer)); /* a solicitation for it */
    peer_wait(&peer, 4 * BERTH_SECOND);
    assert_int_equal(peer_drain(&peer), 2);
    expect_way(&peer, "2001:db8:1::1", "fe80::7");
    send_to(&peer, "2001:db8:1::1");
    assert_true(peer_pull(&peer)); /* its link address is known from what it said */
    assert_memory_equal(peer.out, peer_mac, 6);
    advertises(&peer, "fe80::7", true);
    expect_way(&peer, "2001:db8:1::1", "fe80::7");
    advertises(&peer, "fe80::7", false);
    expect_way(&peer, "2001:db8:1::1", ROUTER);
    peer_stop(&peer);
}

/* Hop limit, and the neighbours' times. [4861-7] */
static void parameters(void **state) {
    (void)state;
    struct peer peer;
    struct ipv6_header ip;
    start_quiet(&peer);
    struct said said = prefix_said;
    said.hop_limit = 17;
    said.retransmit = 250;
    said.reachable = 1000;
    says(&peer, said);
    says(&peer, (struct said){.retransmit = 3600001, .reachable = 3600001}); /* nobody's */
    says(&peer, (struct said){.code = 0});                                   /* nothing is said */
    uint64_t begin = peer.now;
    send_to(&peer, "2001:db8::9");
    for (unsigned i = 0; i < 3; i++) {
        assert_true(peer_pull(&peer));
        assert_int_equal(peer.now, begin + i * 250 * BERTH_MS);
        assert_in_range(berth_host_deadline(peer.host), peer.now + 250 * BERTH_MS,
                        peer.now + 252 * BERTH_MS);
        peer_wait(&peer, 250 * BERTH_MS);
    }
    peer_expect_silence(&peer);
    send_to(&peer, "2001:db8::9");
    assert_true(peer_pull(&peer));
    give_nd(&peer, (struct ipv6_header){.source = ip6("2001:db8::9"), .destination = ip6(OURS)},
            (struct nd_message){.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                                .solicited = true,
                                .override = true,
                                .target = ip6("2001:db8::9"),
                                .mac = peer_mac});
    assert_true(peer_pull(&peer));
    out_ip6(&peer, &ip);
    assert_int_equal(ip.hop_limit, 17);
    /* It counts as reachable for half to one and a half of what was said; then it is in doubt. */
    peer_wait(&peer, 499 * BERTH_MS);
    send_to(&peer, "2001:db8::9");
    assert_int_equal(peer_drain(&peer), 1);
    assert_true(berth_host_deadline(peer.host) > peer.now + HOUR * BERTH_SECOND);
    peer_wait(&peer, 1002 * BERTH_MS);
    send_to(&peer, "2001:db8::9");
    assert_int_equal(peer_drain(&peer), 1);
    assert_in_range(berth_host_deadline(peer.host), peer.now + 5 * BERTH_SECOND,
                    peer.now + 5 * BERTH_SECOND + 2 * BERTH_MS);
    says(&peer, (struct said){.retransmit = 1}); /* ten at the least */
    peer_wait(&peer, berth_host_deadline(peer.host) - peer.now);
    assert_true(peer_pull(&peer));
    assert_in_range(berth_host_deadline(peer.host), peer.now + 10 * BERTH_MS,
                    peer.now + 12 * BERTH_MS);
    peer_stop(&peer);
}

/* Octets of the largest segment that a SYN to that address asks for. */
static uint16_t segment_asked(struct peer *peer, const char *to) {
    berth_handle socket;
    struct ipv6_header ip;
    struct berth_endpoint at = endpoint6(ip6(to), 80);
    give_nd(peer,
            (struct ipv6_header){.source = at.ip, .destination = nd_solicited_node(&host_local6)},
            (struct nd_message){
                .type = ICMP6_NEIGHBOR_SOLICITATION, .target = host_local6, .mac = peer_mac});
    peer_drain(peer);
    assert_int_equal(berth_socket_open(peer->host, 6, BERTH_TCP, &socket), 0);
    int result = berth_socket_connect(peer->host, socket, &at, peer->now);
    assert_true(result == 0 || result == -EINPROGRESS);
    assert_true(peer_pull(peer));
    const uint8_t *segment = out_ip6(peer, &ip);
    assert_memory_equal(segment + 20, "\2\4", 2);
    assert_int_equal(berth_socket_close(peer->host, socket, peer->now), 0);
    return load_be16(segment + 22);
}

/* Between 1280 and the link's. [4861-7, 4861-8] */
static void mtu(void **state) {
    (void)state;
    struct peer peer;
    start_quiet(&peer);
    struct said said = prefix_said;
    static const struct {
        uint32_t said;
        uint16_t segment;
    } cases[] = {{0, 1440}, {1279, 1440}, {1501, 1440}, {1400, 1340}, {1280, 1220}, {0, 1220}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        said.mtu = cases[i].said;
        says(&peer, said);
        assert_int_equal(segment_asked(&peer, "2001:db8::9"), cases[i].segment);
    }
    berth_handle socket = udp6_socket(&peer, any6, 0); /* datagrams go in fragments */
    struct berth_endpoint at = endpoint6(ip6("2001:db8::9"), 9);
    uint8_t data[1300] = {0};
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1300, &at, peer.now), 1300);
    assert_true(peer_pull(&peer));
    assert_true(peer.out_length <= 14 + 1280);
    assert_int_equal(peer_drain(&peer), 1);
    assert_int_equal(berth_host_reset(peer.host, peer.now), 0);
    peer_wait(&peer, 20 * BERTH_SECOND);
    says(&peer, prefix_said);
    assert_int_equal(segment_asked(&peer, "2001:db8::9"), 1440);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solicitations), cmocka_unit_test(not_valid),  cmocka_unit_test(routers),
        cmocka_unit_test(other_router),  cmocka_unit_test(parameters), cmocka_unit_test(mtu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
