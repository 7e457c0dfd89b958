/* Neighbour discovery (RFC 4861), packet by packet. */
#include "test/unit/host/peer6.h"

static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 9};

static void send_to(struct peer *peer, berth_handle socket, struct berth_ip ip) {
    struct berth_endpoint to = endpoint6(ip, 9);
    assert_int_equal(berth_socket_send_to(peer->host, socket, "hello", 5, &to, peer->now), 5);
}

static struct nd_message ask(struct berth_ip target, const uint8_t *mac) {
    return (struct nd_message){.type = ICMP6_NEIGHBOR_SOLICITATION, .target = target, .mac = mac};
}

static struct nd_message tell(struct berth_ip target, bool solicited, bool override,
                              const uint8_t *mac) {
    return (struct nd_message){.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                               .solicited = solicited,
                               .override = override,
                               .target = target,
                               .mac = mac};
}

static struct ipv6_header to_group(struct berth_ip target) {
    return (struct ipv6_header){.destination = nd_solicited_node(&target)};
}

static void expect_answer(struct peer *peer, struct berth_ip target, struct berth_ip to,
                          const uint8_t *mac) {
    struct ipv6_header ip;
    struct nd_message message;
    assert_true(peer_pull(peer));
    out_nd(peer, &ip, &message);
    assert_memory_equal(peer->out, mac, 6);
    assert_int_equal(message.type, ICMP6_NEIGHBOR_ADVERTISEMENT);
    assert_true(berth_ip_equal(&message.target, &target));
    assert_true(berth_ip_equal(&ip.source, &target));
    assert_true(berth_ip_equal(&ip.destination, &to));
    assert_memory_equal(message.mac, host_mac, 6);
    assert_true(message.override);
    assert_false(message.router);
    assert_int_equal(message.solicited, !berth_ip_is_multicast(&to));
    peer_expect_silence(peer);
}

/* RFC 4861 7.2.3, 7.2.4: asked through the group or at the address itself, for either address.
 * [4861-2] */
static void answers(void **state) {
    (void)state;
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_expect_silence(&peer);
    give_nd(&peer, to_group(host_ip6), ask(host_ip6, peer_mac));
    expect_answer(&peer, host_ip6, peer_ip6, peer_mac);
    give_nd(&peer, (struct ipv6_header){0}, ask(host_ip6, NULL));
    expect_answer(&peer, host_ip6, peer_ip6, peer_mac);
    struct ipv6_header local = to_group(host_local6);
    local.source = peer_local6;
    give_nd(&peer, local, ask(host_local6, peer_mac));
    expect_answer(&peer, host_local6, peer_local6, peer_mac);
    /* RFC 4862 5.4.3: who wants our address for itself learns that it is taken, with all others. */
    local = to_group(host_ip6);
    local.flow = 1;
    give_nd(&peer, local, ask(host_ip6, NULL));
    uint8_t group[6];
    nd_group_mac(&all_nodes6, group);
    expect_answer(&peer, host_ip6, all_nodes6, group);
    peer_stop(&peer);
}

/* 4861-2: RFC 4861 7.2.4: who asks without saying where it is, and is not known, is looked for. */
static void answer_to_a_stranger(void **state) {
    (void)state;
    struct peer peer;
    struct ipv6_header ip;
    struct nd_message message;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    give_nd(&peer, (struct ipv6_header){0}, ask(host_ip6, NULL));
    assert_true(peer_pull(&peer));
    out_nd(&peer, &ip, &message);
    assert_int_equal(message.type, ICMP6_NEIGHBOR_SOLICITATION);
    assert_true(berth_ip_equal(&message.target, &peer_ip6));
    peer_expect_silence(&peer);
    give_nd(&peer, (struct ipv6_header){0}, tell(peer_ip6, true, true, peer_mac));
    expect_answer(&peer, host_ip6, peer_ip6, peer_mac);
    /* One that no route leads to has no answer. */
    struct ipv6_header far = {.source = ip6("2001:db8::1")};
    give_nd(&peer, far, ask(host_ip6, NULL));
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 4861 7.1.1. [4861-1] */
static void no_answers(void **state) {
    (void)state;
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    struct ipv6_header far = to_group(host_ip6);
    far.hop_limit = 254; /* it came through a router */
    give_nd(&peer, far, ask(host_ip6, peer_mac));
    peer_expect_silence(&peer);
    give_nd(&peer, to_group(host_ip6), ask(ip6("fd00::3"), peer_mac));
    peer_expect_silence(&peer);
    give_nd(&peer, to_group(host_ip6), ask(one6, peer_mac));
    peer_expect_silence(&peer);
    struct ipv6_header anonymous = to_group(host_ip6);
    anonymous.flow = 1; /* from nobody, with a link address; or not to the group */
    give_nd(&peer, anonymous, ask(host_ip6, peer_mac));
    anonymous.destination = host_ip6;
    give_nd(&peer, anonymous, ask(host_ip6, NULL));
    peer_expect_silence(&peer);
    give_nd(&peer, to_group(host_ip6), ask(host_ip6, everyone)); /* a group is no link address */
    peer_expect_silence(&peer);
    struct ipv6_header ours = to_group(host_ip6);
    ours.source = host_ip6;
    give_nd(&peer, ours, ask(host_ip6, peer_mac));
    peer_expect_silence(&peer);
    /* A host without an IPv6 address hears nothing of it. */
    peer_stop(&peer);
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    give_nd(&peer, to_group(host_ip6), ask(host_ip6, peer_mac));
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 4861 7.2.2: to the solicited-node group, thrice, a second apart; what waits goes then.
 * [4861-2] */
static void resolution(void **state) {
    (void)state;
    struct peer peer;
    struct ipv6_header ip;
    struct nd_message message;
    struct udp_header udp;
    struct berth_ip group = nd_solicited_node(&peer_ip6);
    uint8_t group_mac[6];
    nd_group_mac(&group, group_mac);
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle socket = udp6_socket(&peer, any6, 4000);
    send_to(&peer, socket, peer_ip6);
    for (int i = 0; i < 3; i++) {
        assert_true(peer_pull(&peer));
        out_nd(&peer, &ip, &message);
        assert_memory_equal(peer.out, group_mac, 6);
        assert_int_equal(message.type, ICMP6_NEIGHBOR_SOLICITATION);
        assert_true(berth_ip_equal(&ip.destination, &group));
        assert_true(berth_ip_equal(&ip.source, &host_ip6));
        assert_true(berth_ip_equal(&message.target, &peer_ip6));
        assert_memory_equal(message.mac, host_mac, 6);
        send_to(&peer, socket, peer_ip6);
        peer_expect_silence(&peer);
        if (i < 2)
            peer_wait(&peer, BERTH_SECOND);
    }
    give_nd(&peer, (struct ipv6_header){0}, tell(peer_ip6, true, true, peer_mac));
    for (int i = 0; i < 4; i++) {
        assert_true(peer_pull(&peer));
        assert_memory_equal(peer.out, peer_mac, 6);
        assert_memory_equal(out_udp6(&peer, &udp), "hello", 5);
    }
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* Of each family as often as it is set to be. */
static void how_often(void **state) {
    (void)state;
    static const struct {
        const char *name;
        unsigned v4, v6;
    } cases[] = {{"net.ipv4.neigh.default.mcast_solicit", 5, 3},
                 {"net.ipv6.neigh.default.mcast_solicit", 3, 5}};
    for (size_t i = 0; i < 2; i++) {
        for (int six = 0; six < 2; six++) {
            struct peer peer;
            peer_config(&peer);
            assert_int_equal(berth_sysctl_set(&peer.config, cases[i].name, "5"), 0);
            peer_start_bare(&peer);
            peer_add_link(&peer, BERTH_LINK_ETHERNET, 1500, 0);
            assert_int_equal(berth_host_add_address(peer.host, peer.interface, &host_ip6, 64), 0);
            berth_handle socket = udp6_socket(&peer, any6, 4000);
            send_to(&peer, socket, six ? peer_ip6 : berth_ip_v4(PEER_IP));
            unsigned asked = 0;
            for (int second = 0; second < 10; second++) {
                asked += (unsigned)peer_drain(&peer);
                peer_wait(&peer, BERTH_SECOND + BERTH_MS);
            }
            assert_int_equal(asked, six ? cases[i].v6 : cases[i].v4);
            peer_stop(&peer);
        }
    }
}

/* Nobody answers: whoever sent hears of it (RFC 4861 7.2.2, address unreachable). [4861-2] */
static void failure(void **state) {
    (void)state;
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle socket = udp6_socket(&peer, any6, 4000);
    assert_int_equal(berth_socket_set_option(peer.host, socket, BERTH_IP_RECVERR, 1, peer.now), 0);
    send_to(&peer, socket, peer_ip6);
    peer_drain(&peer);
    peer_wait(&peer, 3 * BERTH_SECOND);
    int error;
    assert_int_equal(berth_socket_get_option(peer.host, socket, BERTH_SO_ERROR, &error), 0);
    assert_int_equal(error, EHOSTUNREACH);
    assert_int_equal(berth_host_counters(peer.host)->neighbor_failed, 1);
    peer_stop(&peer);
}

/* Sends one datagram; says where it went, and which solicitation came with it, if any. */
enum went { NOWHERE, TO_PEER, TO_OTHER };
static enum went went(struct peer *peer, berth_handle socket, bool *asked) {
    enum went where = NOWHERE;
    *asked = false;
    send_to(peer, socket, peer_ip6);
    while (peer_pull(peer)) {
        struct ipv6_header ip;
        const uint8_t *payload = out_ip6(peer, &ip);
        if (ip.next == IPV6_ICMP)
            *asked = payload[0] == ICMP6_NEIGHBOR_SOLICITATION;
        else
            where = memcmp(peer->out, peer_mac, 6) == 0 ? TO_PEER : TO_OTHER;
    }
    return where;
}

/* RFC 4861 7.3.2: 30 s REACHABLE, then STALE; at the next use DELAY, 5 s later PROBE, by unicast,
 * thrice; then it is forgotten. [4861-3] */
static void states(void **state) {
    (void)state;
    struct peer peer;
    struct ipv6_header ip;
    struct nd_message message;
    bool asked;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer6_meet(&peer);
    berth_handle socket = udp6_socket(&peer, any6, 4000);
    for (int round = 0; round < 2; round++) {
        peer_wait(&peer, 29 * BERTH_SECOND);
        assert_int_equal(went(&peer, socket, &asked), TO_PEER);
        peer_wait(&peer, 2 * BERTH_SECOND);
        assert_int_equal(went(&peer, socket, &asked), TO_PEER); /* STALE becomes DELAY */
        assert_false(asked);
        peer_wait(&peer, 4999 * BERTH_MS);
        peer_expect_silence(&peer);
        for (int i = 0; i < 3; i++) {
            peer_wait(&peer, i == 0 ? BERTH_MS : BERTH_SECOND);
            assert_true(peer_pull(&peer));
            out_nd(&peer, &ip, &message);
            assert_memory_equal(peer.out, peer_mac, 6);
            assert_true(berth_ip_equal(&ip.destination, &peer_ip6));
            peer_expect_silence(&peer);
            assert_int_equal(went(&peer, socket, &asked), TO_PEER);
        }
        if (round == 0)
            give_nd(&peer, (struct ipv6_header){0}, tell(peer_ip6, true, false, peer_mac));
    }
    peer_wait(&peer, BERTH_SECOND);
    assert_int_equal(went(&peer, socket, &asked), NOWHERE);
    assert_true(asked);
    peer_stop(&peer);
}

/* RFC 4861 7.2.5, its table: what an advertisement does to an entry that is REACHABLE. [4861-4] */
static void advertisements(void **state) {
    (void)state;
    static const struct {
        bool solicited, override, other;
        enum went then;
        bool doubted; /* not REACHABLE any more */
    } cases[] = {
        {false, false, false, TO_PEER, false}, {false, false, true, TO_PEER, true},
        {false, true, false, TO_PEER, false},  {false, true, true, TO_OTHER, true},
        {true, false, false, TO_PEER, false},  {true, false, true, TO_PEER, true},
        {true, true, false, TO_PEER, false},   {true, true, true, TO_OTHER, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        bool asked;
        peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
        peer6_meet(&peer);
        berth_handle socket = udp6_socket(&peer, any6, 4000);
        give_nd(&peer, (struct ipv6_header){0},
                tell(peer_ip6, cases[i].solicited, cases[i].override,
                     cases[i].other ? other_mac : peer_mac));
        assert_int_equal(went(&peer, socket, &asked), cases[i].then);
        peer_wait(&peer, 5 * BERTH_SECOND); /* a doubted one is probed then */
        assert_int_equal(peer_drain(&peer), cases[i].doubted);
        peer_stop(&peer);
    }
}

/* RFC 4861 7.2.5: no entry is made of it; 7.1.2: none that is solicited comes to a group. [4861-4,
 * 4861-1] */
static void advertisements_that_say_nothing(void **state) {
    (void)state;
    struct peer peer;
    bool asked;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle socket = udp6_socket(&peer, any6, 4000);
    give_nd(&peer, (struct ipv6_header){0}, tell(peer_ip6, true, true, peer_mac));
    assert_int_equal(went(&peer, socket, &asked), NOWHERE);
    assert_true(asked);
    give_nd(&peer, (struct ipv6_header){0}, tell(peer_ip6, true, true, NULL)); /* where is it? */
    assert_int_equal(went(&peer, socket, &asked), NOWHERE);
    struct ipv6_header far = {.hop_limit = 64};
    give_nd(&peer, far, tell(peer_ip6, true, true, peer_mac));
    assert_int_equal(went(&peer, socket, &asked), NOWHERE);
    struct ipv6_header group = {.destination = all_nodes6};
    give_nd(&peer, group, tell(peer_ip6, true, true, peer_mac));
    assert_int_equal(went(&peer, socket, &asked), NOWHERE);
    /* Unasked and to all it is believed, not as a confirmation. */
    give_nd(&peer, group, tell(peer_ip6, false, true, peer_mac));
    assert_int_equal(went(&peer, socket, &asked), TO_PEER);
    /* Nobody else says where we are. */
    give_nd(&peer, group, tell(host_ip6, false, true, peer_mac));
    give_nd(&peer, to_group(host_ip6), ask(host_ip6, peer_mac));
    assert_true(peer_drain(&peer) >= 1);
    peer_stop(&peer);
}

/* RFC 4861 7.2.3: a solicitation says where its sender is. [4861-2] */
static void solicitations_teach(void **state) {
    (void)state;
    struct peer peer;
    bool asked;
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle socket = udp6_socket(&peer, any6, 4000);
    give_nd(&peer, to_group(host_ip6), ask(host_ip6, peer_mac));
    assert_int_equal(peer_drain(&peer), 1);
    assert_int_equal(went(&peer, socket, &asked), TO_PEER);
    assert_false(asked);
    give_nd(&peer, to_group(host_ip6), ask(host_ip6, other_mac)); /* it has moved */
    assert_int_equal(peer_drain(&peer), 1);
    assert_int_equal(went(&peer, socket, &asked), TO_OTHER);
    /* A sender that is not on the link is answered, where it says it is, and not remembered. */
    struct ipv6_header far = to_group(host_ip6);
    far.source = ip6("2001:db8::1");
    give_nd(&peer, far, ask(host_ip6, peer_mac));
    peer_drain(&peer);
    struct berth_endpoint to = endpoint6(far.source, 9);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), -ENETUNREACH);
    peer_stop(&peer);
}

/* A flood of solicitations costs no neighbour in use its place, and no more memory than the cache.
 */
static void flood(void **state) {
    (void)state;
    struct peer peer;
    bool asked;
    peer_config(&peer);
    peer.config.neighbor_max = 8;
    peer_start_bare(&peer);
    peer_add_link(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_host_add_address(peer.host, peer.interface, &host_ip6, 64), 0);
    peer6_meet(&peer);
    berth_handle socket = udp6_socket(&peer, any6, 4000);
    for (unsigned i = 0; i < 1000; i++) {
        struct ipv6_header from = to_group(host_ip6);
        from.source = peer_ip6;
        from.source.bytes[12] = 1;
        store_be16(from.source.bytes + 14, (uint16_t)i);
        give_nd(&peer, from, ask(host_ip6, other_mac));
        assert_int_equal(peer_drain(&peer), 1);
    }
    assert_int_equal(went(&peer, socket, &asked), TO_PEER);
    assert_false(asked);
    peer_stop(&peer);
}

/* Linux's ndisc_notify, RFC 4861 7.2.6; off unless asked for. */
static void announcement(void **state) {
    (void)state;
    struct peer peer;
    struct ipv6_header ip;
    struct nd_message message;
    peer_config(&peer);
    peer.config.ipv6_notify = 1;
    peer_start_bare(&peer);
    peer_add_link(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_host_add_address(peer.host, peer.interface, &host_ip6, 64), 0);
    const struct berth_ip *said[] = {&host_ip6, &host_local6};
    for (int i = 0; i < 2; i++) {
        assert_true(peer_pull(&peer));
        out_nd(&peer, &ip, &message);
        assert_true(berth_ip_equal(&message.target, said[i]));
        assert_true(berth_ip_equal(&ip.source, said[i]));
        assert_true(berth_ip_equal(&ip.destination, &all_nodes6));
        assert_true(message.override && !message.solicited);
    }
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* Whatever allocation fails, all of them from there on or that one alone, nothing is lost. */
static void memory(void **state) {
    (void)state;
    for (unsigned fail = 1; fail < 40; fail++) {
        struct peer peer;
        bool asked;
        peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
        berth_handle socket = udp6_socket(&peer, any6, 4000);
        struct berth_endpoint to = endpoint6(peer_ip6, 9);
        counting_fail_nth(&peer.counting, (fail + 1) / 2, fail % 2 == 0);
        berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now);
        peer_drain(&peer);
        give_nd(&peer, to_group(host_ip6), ask(host_ip6, peer_mac));
        peer_drain(&peer);
        counting_recover(&peer.counting);
        give_nd(&peer, (struct ipv6_header){0}, tell(peer_ip6, true, true, peer_mac));
        peer_drain(&peer);
        went(&peer, socket, &asked);
        peer_stop(&peer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(answer_to_a_stranger),
        cmocka_unit_test(no_answers),
        cmocka_unit_test(resolution),
        cmocka_unit_test(failure),
        cmocka_unit_test(how_often),
        cmocka_unit_test(states),
        cmocka_unit_test(advertisements),
        cmocka_unit_test(advertisements_that_say_nothing),
        cmocka_unit_test(solicitations_teach),
        cmocka_unit_test(flood),
        cmocka_unit_test(announcement),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
