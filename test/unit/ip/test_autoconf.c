/* What a host makes of prefixes (RFC 4862 5.5, RFC 4861 6.3.4), packet by packet. */
#include "test/unit/ip/router.h"
#include <stdio.h>

/* Who does not listen asks nobody and believes nobody. */
static void off(void **state) {
    (void)state;
    struct peer peer;
    struct said said = prefix_said;
    said.lifetime = 1800;
    for (int i = 0; i < 3; i++) { /* off; a router; a router that is to listen all the same */
        peer_config(&peer);
        peer.config.accept_ra = (uint8_t)i;
        peer.config.ip6_forward = i > 0;
        peer_start_bare(&peer);
        peer_add_link(&peer, BERTH_LINK_ETHERNET, 1500, 0);
        assert_int_equal(berth_host_add_link_local(peer.host, peer.interface), 0);
        assert_int_equal(berth_host_add_link_local(peer.host, peer.interface), -EEXIST);
        assert_int_equal(berth_host_add_link_local(peer.host, 7), -ENODEV);
        peer_wait(&peer, 20 * BERTH_SECOND);
        assert_int_equal(peer_drain(&peer), i == 2 ? 3 : 0);
        says(&peer, said);
        assert_int_equal(has(&peer, OURS), i == 2);
        assert_int_equal(way(&peer, "2001:db8:1::1") != NULL, i == 2);
        peer_stop(&peer);
    }
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0); /* a setting that comes later */
    assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv6.conf.all.accept_ra", "1"), 0);
    assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv6.conf.all.autoconf", "0"), 0);
    peer_wait(&peer, 20 * BERTH_SECOND);
    assert_int_equal(peer_drain(&peer), 3);
    says(&peer, said);
    assert_false(has(&peer, OURS));
    expect_way(&peer, "2001:db8:1::1", ROUTER);
    expect_way(&peer, "2001:db8::1", "");
    peer_stop(&peer);
    peer_config(&peer); /* at the end of a line there are no routers to be found */
    peer.config.accept_ra = 1;
    peer_start_bare(&peer);
    peer_add_link(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_host_add_link_local(peer.host, peer.interface), 0);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
    peer_stop(&peer);
}

/* What is on link, and how long. [4861-10, 4861-11] */
static void prefixes(void **state) {
    (void)state;
    struct peer peer;
    start_quiet(&peer);
    struct said said = {.prefix = "2001:db8::1:2", .length = 48, .flags = ON_LINK, .valid = 100};
    says(&peer, said);
    expect_way(&peer, "2001:db8:0:9::1", "");
    expect_way(&peer, "2001:db8:1::1", NULL);
    said.valid = 200;
    size_t routes = berth_host_routes(peer.host, NULL, 0);
    says(&peer, said);
    assert_int_equal(berth_host_routes(peer.host, NULL, 0), routes); /* the one that there is */
    peer_wait(&peer, 200 * BERTH_SECOND - 1);
    expect_way(&peer, "2001:db8:0:9::1", "");
    peer_wait(&peer, 1);
    expect_way(&peer, "2001:db8:0:9::1", NULL);
    says(&peer, said);
    said.valid = 0;
    says(&peer, said);
    expect_way(&peer, "2001:db8:0:9::1", NULL);
    said.valid = 200;
    said.flags = 0;
    says(&peer, said);
    expect_way(&peer, "2001:db8:0:9::1", NULL);
    said.flags = ON_LINK;
    said.length = 129;
    says(&peer, said);
    expect_way(&peer, "2001:db8:0:9::1", NULL);
    struct berth_ip given = ip6("fd00:5::"); /* what was given, no router ends */
    assert_int_equal(berth_host_add_route(peer.host, peer.interface, &given, 64, NULL), 0);
    says(&peer, (struct said){.prefix = "fd00:5::", .flags = ON_LINK, .valid = 1});
    says(&peer, (struct said){.prefix = "fd00:5::", .flags = ON_LINK, .valid = 0});
    peer_wait(&peer, 2 * BERTH_SECOND);
    expect_way(&peer, "fd00:5::1", "");
    size_t before = berth_host_routes(peer.host, NULL, 0);
    char text[32];
    for (int i = 1; i < 100; i++) {
        snprintf(text, sizeof text, "2001:db8:%d::", i);
        says(&peer, (struct said){.prefix = text, .flags = ON_LINK, .valid = UINT32_MAX});
    }
    assert_int_equal(berth_host_routes(peer.host, NULL, 0), before + 16);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER); /* for ever */
    peer_stop(&peer);
}

/* RFC 4862 5.5.3 d): an address, tried before it is used. [4862-7] */
static void address(void **state) {
    (void)state;
    struct peer peer;
    struct berth_address found;
    start_quiet(&peer);
    size_t before = berth_host_addresses(peer.host, NULL, 0);
    assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv6.conf.default.dad_transmits", "1"),
                     0);
    says(&peer, prefix_said);
    assert_true(find(&peer, OURS, &found));
    assert_int_equal(found.state, BERTH_ADDRESS_TENTATIVE);
    assert_false(found.deprecated);
    assert_int_equal(found.prefix, 64);
    assert_int_equal(found.valid_until, peer.now + 24 * HOUR * BERTH_SECOND);
    assert_int_equal(found.preferred_until, peer.now + 4 * HOUR * BERTH_SECOND);
    peer_wait(&peer, 3 * BERTH_SECOND);
    assert_true(find(&peer, OURS, &found));
    assert_int_equal(found.state, BERTH_ADDRESS_ASSIGNED);
    assert_int_equal(peer_drain(&peer), 1);
    says(&peer, prefix_said); /* one of that prefix is enough */
    assert_int_equal(berth_host_addresses(peer.host, NULL, 0), before + 1);
    char text[32];
    for (int i = 1; i < 100; i++) {
        snprintf(text, sizeof text, "2001:db8:%d::", i);
        says(&peer,
             (struct said){.prefix = text, .flags = AUTONOMOUS, .valid = HOUR, .preferred = HOUR});
    }
    assert_int_equal(berth_host_addresses(peer.host, NULL, 0), before + 16);
    expect_way(&peer, "2001:db8:1::1", NULL); /* an address makes no prefix on link: RFC 5942 */
    assert_int_equal(berth_host_reset(peer.host, peer.now), 0);
    assert_int_equal(berth_host_addresses(peer.host, NULL, 0), before);
    struct said old = prefix_said; /* not for what is new, from the beginning */
    old.preferred = 0;
    says(&peer, old);
    assert_true(find(&peer, OURS, &found));
    assert_true(found.deprecated);
    peer_stop(&peer);
}

/* RFC 4862 5.5.3 a) to d). [4862-6, 4862-9] */
static void no_address(void **state) {
    (void)state;
    struct peer peer;
    start_quiet(&peer);
    struct said wrong[6];
    size_t before = berth_host_addresses(peer.host, NULL, 0);
    for (int i = 0; i < 6; i++)
        wrong[i] = prefix_said;
    wrong[0].flags = ON_LINK;
    wrong[1].prefix = "fe80::";
    wrong[2].preferred = wrong[2].valid + 1;
    wrong[3].length = 63;
    wrong[4].valid = wrong[4].preferred = 0;
    wrong[5].prefix = "ff02::";
    for (int i = 0; i < 6; i++) {
        size_t routes = berth_host_routes(peer.host, NULL, 0);
        says(&peer, wrong[i]);
        assert_int_equal(berth_host_addresses(peer.host, NULL, 0), before);
        if (i == 1 || i == 5) /* no route, either: neither of these is a router's to give */
            assert_int_equal(berth_host_routes(peer.host, NULL, 0), routes);
    }
    says(&peer, (struct said){.prefix = "fe80::", .flags = ON_LINK, .valid = 0});
    expect_way(&peer, "fe80::99", "");
    /* What was given is not a router's to end. */
    struct berth_ip given = ip6(OURS);
    struct berth_address found;
    assert_int_equal(berth_host_add_address(peer.host, peer.interface, &given, 64), 0);
    says(&peer, prefix_said);
    assert_true(find(&peer, OURS, &found));
    assert_int_equal(found.valid_until, BERTH_NEVER);
    peer_stop(&peer);
}

/* RFC 4862 5.5.3 e): the rule of two hours. [4862-7, 4862-8] */
static void two_hours(void **state) {
    (void)state;
    static const struct {
        uint32_t left, said, then;
    } cases[] = {
        {24 * HOUR, 3 * HOUR, 3 * HOUR}, /* more than two hours: as it is said */
        {24 * HOUR, 60, 2 * HOUR},       /* less, and much is left: two hours */
        {24 * HOUR, 0, 2 * HOUR},
        {HOUR, 60, HOUR}, /* little is left: it stays */
        {60, HOUR, HOUR},
        {60, 3 * HOUR, 3 * HOUR}, /* more than is left */
        {2 * HOUR, 60, 2 * HOUR},
        {3 * HOUR, HOUR, 2 * HOUR},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        struct berth_address found;
        struct said said = prefix_said;
        start_quiet(&peer);
        said.valid = cases[i].left;
        said.preferred = 1;
        says(&peer, said);
        assert_int_equal(valid_for(&peer, OURS), cases[i].left);
        said.valid = cases[i].said;
        said.preferred = cases[i].said;
        says(&peer, said);
        assert_true(find(&peer, OURS, &found));
        assert_int_equal(valid_for(&peer, OURS), cases[i].then);
        assert_int_equal(found.preferred_until, peer.now + cases[i].said * BERTH_SECOND);
        assert_int_equal(found.deprecated, cases[i].said == 0);
        peer_stop(&peer);
    }
}

/* Preferred, deprecated, gone. A deprecated one is no source while there is another. [4862-10,
 * 6724-1] */
static void ages(void **state) {
    (void)state;
    struct peer peer;
    struct berth_address found;
    struct ipv6_header ip;
    start_quiet(&peer);
    struct said second = prefix_said;
    second.prefix = "2001:db8:1::";
    second.preferred = second.valid;
    says(&peer, prefix_said);
    says(&peer, second);
    for (int i = 0; i < 2; i++) { /* the same prefix as the destination's; then deprecated */
        assert_true(find(&peer, OURS, &found));
        assert_int_equal(found.deprecated, i == 1);
        send_to(&peer, "2001:db8::9");
        assert_true(peer_pull(&peer)); /* the solicitation, from that source */
        out_ip6(&peer, &ip);
        struct berth_ip source = ip6(i == 0 ? OURS : "2001:db8:1::ff:fe00:1");
        assert_true(berth_ip_equal(&ip.source, &source));
        if (i == 0)
            peer_wait(&peer, found.preferred_until - peer.now - 1);
        peer_drain(&peer);
        assert_true(find(&peer, OURS, &found));
        assert_int_equal(found.deprecated, i == 1);
        peer_wait(&peer, 1);
    }
    assert_true(berth_host_has_address(peer.host, &found.ip));
    peer_wait(&peer, found.valid_until - peer.now - 1);
    assert_true(has(&peer, OURS));
    peer_wait(&peer, 1);
    assert_false(has(&peer, OURS));
    assert_false(has(&peer, "2001:db8:1::ff:fe00:1"));
    peer_drain(&peer);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
    peer_stop(&peer);
}

/* No memory for what a router says: it is there when he says it again. [4862-7] */
static void memory(void **state) {
    (void)state;
    for (unsigned fail = 1; fail < 8; fail++) {
        struct peer peer;
        char text[32];
        start_quiet(&peer);
        for (int i = 1; i < 10; i++) {
            snprintf(text, sizeof text, "2001:db8:%d::", i);
            counting_fail_nth(&peer.counting, fail, false);
            for (int again = 0; again < 2; again++) {
                says(&peer, (struct said){.prefix = text,
                                          .flags = BOTH,
                                          .lifetime = 1800,
                                          .mac = peer_mac,
                                          .valid = HOUR,
                                          .preferred = HOUR});
                counting_recover(&peer.counting);
            }
            snprintf(text, sizeof text, "2001:db8:%d::ff:fe00:1", i);
            assert_true(has(&peer, text));
        }
        peer_stop(&peer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off),        cmocka_unit_test(prefixes),  cmocka_unit_test(address),
        cmocka_unit_test(no_address), cmocka_unit_test(two_hours), cmocka_unit_test(ages),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
