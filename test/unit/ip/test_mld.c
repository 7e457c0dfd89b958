/* Multicast listener discovery, as a host (RFC 3810, RFC 2710). */
#include "test/unit/host/peer6.h"

static const struct berth_ip routers = {{0xff, 2, [15] = 0x16}};
enum { AT = ETHERNET_HEADER + 40 + 8 }; /* of the message, in a frame */

struct query {
    size_t length;
    uint16_t code;
    struct berth_ip source, group;
    uint8_t hops;
    bool alert;
};

static void asks(struct peer *peer, struct query query) {
    uint8_t payload[8 + 64] = {IPV6_ICMP, 0, 5, 2, 0, 0, 1, 0}, data[64] = {0};
    struct berth_ip to = all_nodes6;
    if (!query.alert)
        memcpy(payload + 2, "\1\4\0\0\0\0", 6);
    memcpy(data, query.group.bytes, 16);
    size_t length = make_icmp6(payload + 8, &query.source, &to, ICMP6_LISTENER_QUERY, 0,
                               (uint32_t)query.code << 16, data, query.length - 8);
    give_ip6(peer,
             (struct ipv6_header){.source = query.source,
                                  .destination = to,
                                  .next = IPV6_HOP_BY_HOP,
                                  .hop_limit = query.hops},
             payload, length + 8);
}

static struct query general(size_t length, uint16_t code) {
    return (struct query){length, code, peer_local6, any6, 1, true};
}

/* The next frame says that of the group: the record's type, or what RFC 2710 has for it. */
static void says(struct peer *peer, bool old, uint8_t record, const char *text) {
    static const struct berth_ip all_routers = {{0xff, 2, [15] = 2}};
    struct berth_ip group = ip6(text), to = old ? group : routers;
    const uint8_t new_head[8] = {0, 0, 0, 1, record};
    if (old && record == 3)
        to = all_routers;
    uint8_t mac[6];
    struct checksum sum = {0};
    struct ipv6_header ip;
    assert_true(peer_pull(peer));
    nd_group_mac(&to, mac);
    assert_memory_equal(peer->out, mac, 6);
    assert_int_equal(
        ipv6_header_parse(peer->out + 14, peer->out_length - 14, peer->out_length - 14, &ip), 0);
    assert_true(berth_ip_equal(&ip.source, &host_local6));
    assert_true(berth_ip_equal(&ip.destination, &to));
    assert_int_equal(ip.hop_limit, 1);
    assert_int_equal(ip.next, IPV6_HOP_BY_HOP);
    assert_memory_equal(peer->out + 14 + 40, "\72\0\5\2\0\0\1\0", 8);
    uint32_t length = old ? 24 : 28;
    assert_int_equal(peer->out_length, AT + length);
    const uint8_t *message = peer->out + AT;
    checksum_add_pseudo(&sum, &ip.source, &ip.destination, IPV6_ICMP, length);
    checksum_add(&sum, message, length);
    assert_int_equal(checksum_finish(&sum), 0);
    assert_int_equal(message[0], !old ? 143 : record == 3 ? 132 : 131);
    if (!old) /* one record: all sources or none, and no more */
        assert_memory_equal(message + 4, new_head, 8);
    assert_memory_equal(message + length - 16, group.bytes, 16);
}

/* The next frame reports that group. */
static void reports(struct peer *peer, bool old, const char *text) {
    says(peer, old, 2, text);
}

/* Each group once, within the time that the router gives, in the router's version. [3810-1] */
static void answers(void **state) {
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct peer peer;
        struct berth_ip second = ip6("fd00::7:8");
        int waited = 0;
        peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
        assert_int_equal(berth_host_add_address(peer.host, peer.interface, &second, 64), 0);
        peer_expect_silence(&peer);
        for (int i = 0; i < 20; i++) {
            uint64_t start = peer.now;
            asks(&peer, general(old ? 24 : 28, 3000));
            peer_drain(&peer);
            uint64_t due = berth_host_deadline(peer.host);
            assert_in_range(due, start, start + 3000 * BERTH_MS);
            waited += due > start;
            asks(&peer, general(old ? 24 : 28, 0x8000)); /* 32768 ms: the earlier answer counts */
            assert_true(berth_host_deadline(peer.host) <= due);
            peer_wait(&peer, 3000 * BERTH_MS);
            reports(&peer, old, "ff02::1:ff00:1"); /* also the link-local address's */
            reports(&peer, old, "ff02::1:ff07:8");
            peer_expect_silence(&peer);
            assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
        }
        assert_true(waited > 10);               /* not all routers' hosts at once */
        asks(&peer, general(old ? 24 : 28, 0)); /* at once */
        peer_wait(&peer, BERTH_MS);
        reports(&peer, old, "ff02::1:ff00:1");
        peer_stop(&peer);
    }
}

/* RFC 3810 5.1.14, 6.2: whatever may come from off the link is no router's. [3810-2] */
static void not_asked(void **state) {
    (void)state;
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    struct query wrong[6];
    for (int i = 0; i < 6; i++)
        wrong[i] = general(28, 0);
    wrong[0].hops = 2;
    wrong[1].hops = 255;
    wrong[2].source = peer_ip6;
    wrong[3].alert = false;
    wrong[4].length = 20;
    wrong[5].length = 26;
    for (int i = 0; i < 6; i++) {
        asks(&peer, wrong[i]);
        peer_wait(&peer, BERTH_SECOND);
        peer_expect_silence(&peer);
    }
    peer_stop(&peer);
}

/* A group is reported when it is joined, and once more within the interval of the router's version;
 * one that was joined already is not. [3810-3] */
static void joins(void **state) {
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct peer peer;
        struct berth_ip second = ip6("fd00::7:8"), third = ip6("fd00:1::7:8");
        peer_config(&peer);
        peer.config.mld_robustness = 3;
        peer_start_bare(&peer);
        peer_add_link(&peer, BERTH_LINK_ETHERNET, 1500, 0);
        peer_wait(&peer, BERTH_SECOND);
        peer_expect_silence(&peer); /* IPv4 has nothing to report */
        assert_int_equal(berth_host_add_address(peer.host, peer.interface, &host_ip6, 64), 0);
        if (old) {
            asks(&peer, general(24, 0));
            peer_wait(&peer, 0);
            reports(&peer, true, "ff02::1:ff00:1");
        }
        peer_wait(&peer, 0);
        for (int i = 0; i < 3; i++) { /* the link-local address has the same group */
            says(&peer, old, 4, "ff02::1:ff00:1");
            peer_expect_silence(&peer);
            uint64_t due = berth_host_deadline(peer.host);
            if (i < 2)
                assert_in_range(due, peer.now + 1, peer.now + (old ? 10 : 1) * BERTH_SECOND);
            if (i < 2)
                peer_wait(&peer, due - peer.now);
        }
        assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
        assert_int_equal(berth_host_add_address(peer.host, peer.interface, &second, 64), 0);
        peer_wait(&peer, 0);
        says(&peer, old, 4, "ff02::1:ff07:8");
        assert_int_equal(berth_host_add_address(peer.host, peer.interface, &third, 64), 0);
        peer_wait(&peer, 0);
        peer_expect_silence(&peer);
        for (int i = 0; i < 2; i++) {
            peer_wait(&peer, berth_host_deadline(peer.host) - peer.now);
            says(&peer, old, 4, "ff02::1:ff07:8");
        }
        peer_wait(&peer, 60 * BERTH_SECOND);
        peer_expect_silence(&peer);
        peer_stop(&peer);
    }
}

/* Power that came back is a new start; and so is a setting that comes late. */
static void joins_again(void **state) {
    (void)state;
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv6.mld_qrv", "1"), 0);
    peer_wait(&peer, 0);
    says(&peer, false, 4, "ff02::1:ff00:1");
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv6.mld_qrv", "2"), 0);
    peer_wait(&peer, 60 * BERTH_SECOND);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_reset(peer.host, peer.now), 0);
    peer_wait(&peer, 60 * BERTH_SECOND);
    for (int i = 0; i < 2; i++)
        says(&peer, false, 4, "ff02::1:ff00:1");
    peer_expect_silence(&peer);
    peer_stop(&peer);
    /* Nobody is listening to groups at the end of a line. */
    peer_config(&peer);
    peer.config.mld_robustness = 2;
    peer_start_bare(&peer);
    peer_add_link(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_host_add_address(peer.host, peer.interface, &host_ip6, 64), 0);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(not_asked),
        cmocka_unit_test(joins),
        cmocka_unit_test(joins_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
