/* Duplicate address detection (RFC 4862 5.4), packet by packet. */
#include "test/unit/host/peer6.h"
#include <stdio.h>

static void start(struct peer *peer, uint8_t transmits, uint8_t accept, uint8_t robustness) {
    peer_config(peer);
    peer->config.dad_transmits = transmits;
    peer->config.accept_dad = accept;
    peer->config.mld_robustness = robustness;
    peer_start_bare(peer);
    peer_add_link(peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_host_add_address(peer->host, peer->interface, &host_ip6, 64), 0);
}

static int state_of(struct peer *peer, struct berth_ip ip) {
    struct berth_address list[8];
    size_t count = berth_host_addresses(peer->host, list, 8);
    for (size_t i = 0; i < count; i++)
        if (berth_ip_equal(&list[i].ip, &ip))
            return (int)list[i].state;
    fail();
    return -1;
}

static void expect_states(struct peer *peer, int ip, int local) {
    assert_int_equal(state_of(peer, host_ip6), ip);
    assert_int_equal(state_of(peer, host_local6), local);
    assert_int_equal(berth_host_has_address(peer->host, &host_ip6), ip == 0);
}

enum { OURS = BERTH_ADDRESS_ASSIGNED, TENTATIVE = BERTH_ADDRESS_TENTATIVE };
enum { TAKEN = BERTH_ADDRESS_DUPLICATE };

/* The next frame asks for an address to have it; returns that. */
static struct berth_ip probed(struct peer *peer) {
    struct ipv6_header ip;
    struct nd_message message;
    uint8_t mac[6];
    assert_true(peer_pull(peer));
    out_nd(peer, &ip, &message);
    struct berth_ip group = nd_solicited_node(&message.target);
    nd_group_mac(&group, mac);
    assert_memory_equal(peer->out, mac, 6);
    assert_int_equal(message.type, ICMP6_NEIGHBOR_SOLICITATION);
    assert_true(berth_ip_is_any(&ip.source));
    assert_true(berth_ip_equal(&ip.destination, &group));
    assert_null(message.mac);
    assert_non_null(message.nonce);
    return message.target;
}

/* Two solicitations for each address, a second apart, after at most one; a second later it is the
 * host's. [4862-1] */
static void tries(void **state) {
    (void)state;
    struct peer peer;
    peer_config(&peer);
    peer.config.dad_transmits = 2;
    peer.config.ipv6_notify = 1;
    peer_start_bare(&peer);
    peer_add_link(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_host_add_address(peer.host, peer.interface, &host_ip6, 64), 0);
    expect_states(&peer, TENTATIVE, TENTATIVE);
    struct berth_ip own[] = {host_ip6, host_local6};
    uint64_t begin = peer.now, asked[2][3] = {{0}};
    unsigned count[2] = {0};
    for (uint64_t due; (due = berth_host_deadline(peer.host)) != BERTH_NEVER;) {
        peer_wait(&peer, due > peer.now ? due - peer.now : 0);
        while (peer_pull(&peer)) {
            struct ipv6_header ip;
            struct nd_message message;
            out_nd(&peer, &ip, &message);
            int which = berth_ip_equal(&message.target, &own[1]);
            assert_true(count[which] < 3);
            asked[which][count[which]++] = peer.now;
            assert_int_equal(message.type, count[which] < 3 ? ICMP6_NEIGHBOR_SOLICITATION
                                                            : ICMP6_NEIGHBOR_ADVERTISEMENT);
            assert_int_equal(state_of(&peer, own[which]), count[which] < 3 ? TENTATIVE : OURS);
        }
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(count[i], 3); /* and it is announced when it is assigned (ndisc_notify) */
        assert_in_range(asked[i][0], begin, begin + BERTH_SECOND);
        assert_int_equal(asked[i][1], asked[i][0] + BERTH_SECOND);
        assert_int_equal(asked[i][2], asked[i][1] + BERTH_SECOND);
    }
    assert_int_not_equal(asked[0][0], asked[1][0]);
    expect_states(&peer, OURS, OURS);
    /* IPv4 addresses are not tried, and so are those that are added after the setting changed. */
    struct berth_ip second = ip6("fd00::5"), v4 = berth_ip_v4(0x0a000005);
    assert_int_equal(berth_host_add_address(peer.host, peer.interface, &v4, 24), 0);
    assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv6.conf.default.dad_transmits", "0"),
                     0);
    assert_int_equal(berth_host_add_address(peer.host, peer.interface, &second, 64), 0);
    assert_true(berth_host_has_address(peer.host, &second));
    assert_true(berth_host_has_address(peer.host, &v4));
    peer_stop(&peer);
    start(&peer, 1, 0, 0); /* accept_dad: 0 */
    expect_states(&peer, OURS, OURS);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
    peer_stop(&peer);
}

/* Nothing goes to a tentative address, and nothing comes from it. [4862-2] */
static void not_used(void **state) {
    (void)state;
    struct peer peer;
    start(&peer, 1, 1, 0);
    berth_handle socket;
    struct berth_endpoint at = endpoint6(host_ip6, 4000), to = endpoint6(peer_ip6, 9);
    struct icmp_header header;
    assert_int_equal(berth_socket_open(peer.host, 6, BERTH_UDP, &socket), 0);
    for (int i = 0; i < 3; i++) { /* it waits; it is tried; it is ours */
        bool ours = i == 2;
        expect_states(&peer, ours ? OURS : TENTATIVE, ours ? OURS : TENTATIVE);
        assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now),
                         ours ? 1 : -EADDRNOTAVAIL);
        assert_int_equal(berth_socket_bind(peer.host, socket, &at),
                         ours ? -EINVAL : -EADDRNOTAVAIL);
        give_nd(&peer, (struct ipv6_header){.destination = nd_solicited_node(&host_ip6)},
                (struct nd_message){
                    .type = ICMP6_NEIGHBOR_SOLICITATION, .target = host_ip6, .mac = peer_mac});
        give_icmp6(&peer, ICMP6_ECHO, 0, 0x10001, "abcd", 4);
        if (ours) {
            assert_int_equal(peer_drain(&peer), 3); /* the datagram, too: we know the peer now */
        } else {
            peer_expect_silence(&peer);
            peer_wait(&peer, i == 0 ? BERTH_SECOND : 2 * BERTH_SECOND);
            peer_drain(&peer);
        }
    }
    give_icmp6(&peer, ICMP6_ECHO, 0, 0x10001, "abcd", 4);
    assert_true(peer_pull(&peer));
    out_icmp6(&peer, &header);
    assert_int_equal(header.type, ICMP6_ECHO_REPLY);
    peer_stop(&peer);
}

static void wants(struct peer *peer, struct berth_ip target, const uint8_t *mac,
                  const uint8_t *nonce, uint8_t hops) {
    give_nd(peer,
            (struct ipv6_header){
                .destination = nd_solicited_node(&target), .flow = 1, .hop_limit = hops},
            (struct nd_message){
                .type = ICMP6_NEIGHBOR_SOLICITATION, .target = target, .mac = mac, .nonce = nonce});
}

static void has(struct peer *peer, struct berth_ip target, uint8_t hops) {
    give_nd(peer,
            (struct ipv6_header){.source = target, .destination = all_nodes6, .hop_limit = hops},
            (struct nd_message){.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                                .override = true,
                                .target = target,
                                .mac = peer_mac});
}

/* Somebody else wants it, too: with a nonce or without; before we asked, and after. [4862-3] */
static void somebody_wants_it(void **state) {
    (void)state;
    static const uint8_t nonce[6] = {1, 2, 3, 4, 5, 6};
    for (int i = 0; i < 4; i++) {
        struct peer peer;
        start(&peer, 1, 1, 0);
        if (i % 2) {
            peer_wait(&peer, BERTH_SECOND);
            assert_int_equal(peer_drain(&peer), 2);
        }
        wants(&peer, host_ip6, NULL, i < 2 ? nonce : NULL, 254); /* no neighbour says so */
        wants(&peer, host_ip6, peer_mac, NULL, 255);
        wants(&peer, ip6("fd00::77:1"), NULL, NULL, 255);
        expect_states(&peer, TENTATIVE, TENTATIVE);
        wants(&peer, host_ip6, NULL, i < 2 ? nonce : NULL, 255);
        expect_states(&peer, TAKEN, TENTATIVE);
        peer_wait(&peer, 60 * BERTH_SECOND);
        expect_states(&peer, TAKEN, OURS);
        peer_drain(&peer);
        wants(&peer, host_ip6, NULL, NULL, 255);
        peer_expect_silence(&peer); /* it is not ours to defend */
        wants(&peer, host_local6, NULL, NULL, 255);
        assert_int_equal(peer_drain(&peer), 1); /* that is */
        assert_int_equal(berth_host_add_address(peer.host, peer.interface, &host_ip6, 64), -EEXIST);
        assert_int_equal(berth_host_reset(peer.host, peer.now), 0); /* it may be gone since */
        expect_states(&peer, TENTATIVE, TENTATIVE);
        peer_wait(&peer, 60 * BERTH_SECOND);
        expect_states(&peer, OURS, OURS);
        peer_stop(&peer);
    }
}

/* Somebody has it. [4862-4, 4861-4] */
static void somebody_has_it(void **state) {
    (void)state;
    struct peer peer;
    start(&peer, 1, 1, 0);
    has(&peer, host_ip6, 254);
    has(&peer, ip6("fd00::77"), 255);
    expect_states(&peer, TENTATIVE, TENTATIVE);
    has(&peer, host_ip6, 255);
    expect_states(&peer, TAKEN, TENTATIVE);
    peer_wait(&peer, 60 * BERTH_SECOND);
    expect_states(&peer, TAKEN, OURS);
    has(&peer, host_local6, 255); /* too late: who has it defends it */
    expect_states(&peer, TAKEN, OURS);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
    peer_stop(&peer);
}

/* RFC 7527: what we asked ourselves, brought back by the link. [7527-1, 4862-1, 4862-3] */
static void looped_back(void **state) {
    (void)state;
    struct peer peer;
    uint8_t octets[200];
    start(&peer, 1, 1, 0);
    peer_wait(&peer, BERTH_SECOND);
    struct berth_ip last = any6;
    for (int i = 0; i < 2; i++) {
        last = probed(&peer);
        memcpy(octets, peer.out, peer.out_length);
        peer_give(&peer, octets, peer.out_length);
    }
    expect_states(&peer, TENTATIVE, TENTATIVE);
    octets[14 + 40 + 24 + 2] ^= 1; /* the nonce */
    peer_give(&peer, octets, peer.out_length);
    expect_states(&peer, TENTATIVE, TENTATIVE); /* a wrong sum */
    wants(&peer, last, NULL, octets + 14 + 40 + 24 + 2, 255);
    assert_int_equal(state_of(&peer, last), TAKEN);
    peer_wait(&peer, 60 * BERTH_SECOND);
    assert_int_equal(state_of(&peer, last), TAKEN);
    peer_stop(&peer);
}

/* accept_dad 2: who else has our link-local address has our link address. [4862-5] */
static void link_address_taken(void **state) {
    (void)state;
    struct peer peer;
    struct berth_ip more = ip6("fd00::9");
    for (uint8_t accept = 1; accept < 3; accept++) {
        start(&peer, 1, accept, 0);
        peer_wait(&peer, BERTH_SECOND);
        peer_drain(&peer);
        has(&peer, host_local6, 255);
        expect_states(&peer, accept == 2 ? TAKEN : TENTATIVE, TAKEN);
        peer_wait(&peer, 60 * BERTH_SECOND);
        expect_states(&peer, accept == 2 ? TAKEN : OURS, TAKEN);
        give_icmp6(&peer, ICMP6_ECHO, 0, 0x10001, "abcd", 4);
        assert_int_equal(peer_drain(&peer), accept == 2 ? 0 : 1);
        assert_int_equal(berth_host_add_address(peer.host, peer.interface, &more, 64),
                         accept == 2 ? -EACCES : 0);
        assert_int_equal(berth_host_reset(peer.host, peer.now), 0);
        peer_wait(&peer, 60 * BERTH_SECOND);
        expect_states(&peer, OURS, OURS);
        peer_stop(&peer);
    }
    start(&peer, 1, 2, 0); /* another address says nothing of the link's */
    has(&peer, host_ip6, 255);
    expect_states(&peer, TAKEN, TENTATIVE);
    peer_stop(&peer);
}

/* The next frame is a report: from there, of that kind. */
static void expect_report(struct peer *peer, struct berth_ip source, uint8_t type, uint8_t record) {
    struct ipv6_header ip;
    assert_true(peer_pull(peer));
    const uint8_t *options = out_ip6(peer, &ip);
    assert_int_equal(ip.next, IPV6_HOP_BY_HOP);
    assert_true(berth_ip_equal(&ip.source, &source));
    assert_int_equal(options[8], type);
    if (type == ICMP6_LISTENER_REPORT_2)
        assert_int_equal(options[8 + 8], record);
    if (record == 3 && type == ICMP6_LISTENER_DONE)
        assert_int_equal(ip.destination.bytes[15], 2);
}

/* The group is joined before it is tried, from no address yet; and again from the link-local one
 * when that is ours. What is not ours is left. [3810-4, 3810-5] */
static void groups(void **state) {
    (void)state;
    struct peer peer;
    struct berth_ip other = ip6("fd00::7:7");
    start(&peer, 1, 1, 2);
    assert_int_equal(berth_host_add_address(peer.host, peer.interface, &other, 64), 0);
    peer_wait(&peer, 0);
    for (int i = 0; i < 2; i++) /* of host_ip6 and host_local6, which have one group, and other */
        expect_report(&peer, any6, ICMP6_LISTENER_REPORT_2, 4);
    has(&peer, other, 255);
    peer_wait(&peer, 0);
    expect_report(&peer, any6, ICMP6_LISTENER_REPORT_2, 4); /* a second time */
    expect_report(&peer, any6, ICMP6_LISTENER_REPORT_2, 3);
    peer_expect_silence(&peer);
    for (int i = 0; i < 2; i++) { /* both are tried, and the leaving is said again */
        while (state_of(&peer, host_local6) == TENTATIVE) {
            peer_drain(&peer);
            peer_wait(&peer, berth_host_deadline(peer.host) - peer.now);
        }
    }
    peer_drain(&peer);
    peer_wait(&peer, 60 * BERTH_SECOND);
    expect_report(&peer, host_local6, ICMP6_LISTENER_REPORT_2, 4);
    peer_drain(&peer);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
    peer_stop(&peer);
}

/* A second address of a group keeps it; more groups are left than are remembered. [3810-5] */
static void groups_left(void **state) {
    (void)state;
    struct peer peer;
    start(&peer, 1, 1, 1);
    has(&peer, host_ip6, 255);
    peer_wait(&peer, 0);
    expect_report(&peer, any6, ICMP6_LISTENER_REPORT_2, 4);
    peer_expect_silence(&peer); /* the link-local one is there still */
    char text[40];
    for (int i = 1; i <= 12; i++) {
        snprintf(text, sizeof text, "fd00::%d:0", i);
        struct berth_ip ip = ip6(text);
        assert_int_equal(berth_host_add_address(peer.host, peer.interface, &ip, 64), 0);
        has(&peer, ip, 255);
    }
    peer_wait(&peer, 0);
    for (int i = 0; i < 8; i++)
        expect_report(&peer, any6, ICMP6_LISTENER_REPORT_2, 3);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries),
        cmocka_unit_test(not_used),
        cmocka_unit_test(somebody_wants_it),
        cmocka_unit_test(somebody_has_it),
        cmocka_unit_test(looped_back),
        cmocka_unit_test(link_address_taken),
        cmocka_unit_test(groups),
        cmocka_unit_test(groups_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
