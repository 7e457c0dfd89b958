/* Redirects of IPv6 (RFC 4861 8), packet by packet: fe80::2 is the router, and there are others. */
#include "engine/wire/router.h"
#include "test/unit/ip/redirects.h"

#define FAR "2001:db8:1::1"
enum { QUOTE = IPV6_HEADER + UDP_HEADER + 5, QUOTE_MAX = 200 };

static void start(struct peer *peer) {
    struct berth_ip gateway = ip6("fe80::2");
    peer6_start(peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_host_add_route(peer->host, 1, &any6, 0, &gateway), 0);
}

/* A redirect; what is 0 gets what is right: from the router, about the datagram sent last. */
struct redirect {
    const char *source, *target, *destination;
    const uint8_t *mac;
    uint8_t hops, code;
    struct berth_ip to;
    bool no_quote;
    const uint8_t *quote;
    uint8_t tail[16]; /* of octets that follow */
    size_t tail_length, cut;
};

static void redirect(struct peer *peer, struct redirect said) {
    uint8_t data[512] = {0}, whole[600];
    const uint8_t *quote = said.quote ? said.quote : peer->out + ETHERNET_HEADER;
    struct berth_ip source = ip6(said.source ? said.source : "fe80::2");
    struct berth_ip target = ip6(said.target ? said.target : FAR);
    struct berth_ip destination = ip6(said.destination ? said.destination : FAR);
    struct berth_ip to = berth_ip_is_any(&said.to) ? host_ip6 : said.to;
    size_t at = 32;
    memcpy(data, target.bytes, 16);
    memcpy(data + 16, destination.bytes, 16);
    if (said.mac) {
        data[at] = 2;
        data[at + 1] = 1;
        memcpy(data + at + 2, said.mac, 6);
        at += 8;
    }
    if (!said.no_quote) {
        data[at] = 4;
        data[at + 1] = (8 + QUOTE + 7) / 8;
        memcpy(data + at + 8, quote, QUOTE);
        at += data[at + 1] * 8u;
    }
    memcpy(data + at, said.tail, said.tail_length);
    at += said.tail_length;
    at -= said.cut;
    size_t made = make_icmp6(whole, &source, &to, ICMP6_REDIRECT, said.code, 0, data, at);
    give_ip6(peer,
             (struct ipv6_header){.source = source,
                                  .destination = to,
                                  .next = IPV6_ICMP,
                                  .hop_limit = said.hops ? said.hops : 255},
             whole, made);
}

static uint8_t hop_to(struct peer *peer, berth_handle socket, const char *to) {
    return next_hop(peer, socket, endpoint6(ip6(to), 9));
}

/* The entry of that neighbour; false when there is none. */
static bool neighbor(struct peer *peer, const char *address, struct berth_neighbor *found) {
    struct berth_neighbor list[16];
    struct berth_ip ip = ip6(address);
    size_t count = berth_host_neighbors(peer->host, list, 16, peer->now);
    for (size_t i = 0; i < count; i++)
        if (berth_ip_equal(&list[i].ip, &ip)) {
            *found = list[i];
            return true;
        }
    return false;
}

/* To another router, or to the destination itself, which is on the link then; no other destination
 * moves. [4861-15] */
static void followed(void **state) {
    (void)state;
    for (int on_link = 0; on_link < 2; on_link++) {
        struct peer peer;
        struct berth_event events[8];
        start(&peer);
        berth_handle socket = udp6_socket(&peer, any6, 500);
        assert_int_equal(hop_to(&peer, socket, "2001:db8:1::7"), 2);
        berth_host_events(peer.host, events, 8);
        redirect(&peer, (struct redirect){.target = on_link ? "2001:db8:1::7" : "fe80::3",
                                          .destination = "2001:db8:1::7"});
        assert_int_equal(berth_host_events(peer.host, events, 8), 0);
        assert_int_equal(berth_host_counters(peer.host)->icmp_in_errors, 0);
        assert_int_equal(hop_to(&peer, socket, "2001:db8:1::7"), on_link ? 7 : 3);
        assert_int_equal(hop_to(&peer, socket, "2001:db8:1::8"), 2);
        peer_expect_silence(&peer);
        peer_wait(&peer, 300 * BERTH_SECOND);
        assert_int_equal(hop_to(&peer, socket, "2001:db8:1::7"), 2);
        peer_stop(&peer);
    }
}

/* RFC 4861 8.1. [4861-14] */
static void not_valid(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    berth_handle socket = udp6_socket(&peer, any6, 500);
    const struct redirect wrong[] = {
        {.target = "fe80::3", .source = "fd00::3"},          /* not link-local */
        {.target = "fe80::3", .hops = 254},                  /* from off the link */
        {.target = "fe80::3", .code = 1},                    /* of no such kind */
        {.target = "fd00::3"},                               /* neither router nor destination */
        {.target = "2001:db8:1::2"},                         /* likewise */
        {.target = "ff02::1"},                               /* a group */
        {.target = "::"},                                    /* nobody */
        {.target = "fe80::ff:fe00:1"},                       /* ourselves */
        {.target = "fe80::3", .destination = "ff02::9"},     /* about a group */
        {.target = "fe80::3", .destination = "2001:db8::1"}, /* quotes what went elsewhere */
        {.target = "fe80::3", .no_quote = true},             /* nothing */
        {.target = "fe80::3", .mac = everyone},              /* a link's group */
        {.target = "fe80::3", .to = all_nodes6},             /* told to all */
        {.target = "fe80::3", .no_quote = true, .cut = 1},   /* too short */
        {.target = "fe80::3", .tail_length = 8},             /* an option without length */
        {.target = "fe80::3", .tail = {2, 2}, .tail_length = 8}, /* one beyond the end */
        {.target = "fe80::3", .tail_length = 1},                 /* half a one */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t errors = berth_host_counters(peer.host)->icmp_in_errors;
        assert_int_equal(hop_to(&peer, socket, FAR), 2);
        redirect(&peer, wrong[i]);
        assert_int_equal(hop_to(&peer, socket, FAR), 2);
        if (berth_ip_is_any(&wrong[i].to))
            assert_int_equal(berth_host_counters(peer.host)->icmp_in_errors, errors + 1);
    }
    uint8_t quote[QUOTE]; /* of a port that is nobody's */
    memcpy(quote, peer.out + ETHERNET_HEADER, QUOTE);
    quote[IPV6_HEADER + 1] ^= 1;
    redirect(&peer, (struct redirect){.target = "fe80::3", .quote = quote});
    assert_int_equal(hop_to(&peer, socket, FAR), 2);
    /* What nobody knows does no harm. */
    redirect(&peer, (struct redirect){.target = "fe80::3", .tail = {99, 1, 1}, .tail_length = 8});
    assert_int_equal(hop_to(&peer, socket, FAR), 3);
    peer_stop(&peer);
}

/* From another than the first hop. [4861-14] */
static void from_others(void **state) {
    (void)state;
    struct peer peer;
    struct berth_neighbor found;
    uint8_t mac[6];
    mac_of(3, mac);
    start(&peer);
    berth_handle socket = udp6_socket(&peer, any6, 500);
    assert_int_equal(hop_to(&peer, socket, FAR), 2);
    redirect(&peer, (struct redirect){.source = "fe80::3", .target = "fe80::3", .mac = mac});
    assert_int_equal(hop_to(&peer, socket, FAR), 2);
    assert_false(neighbor(&peer, "fe80::3", &found));
    redirect(&peer, (struct redirect){.target = "fe80::3", .mac = mac});
    assert_int_equal(hop_to(&peer, socket, FAR), 3);
    redirect(&peer, (struct redirect){.target = "fe80::4"});
    assert_int_equal(hop_to(&peer, socket, FAR), 3);
    redirect(&peer, (struct redirect){.source = "fe80::3", .target = "fe80::2"});
    assert_int_equal(hop_to(&peer, socket, FAR), 2);
    peer_stop(&peer);
}

/* Its link address is the target's: nobody needs to be asked; what is new is STALE, what is known
 * stays as it is, what differs is taken. [4861-16] */
static void link_address(void **state) {
    (void)state;
    struct peer peer;
    struct berth_neighbor found;
    uint8_t third[6], ninth[6];
    mac_of(3, third);
    mac_of(9, ninth);
    start(&peer);
    berth_handle socket = udp6_socket(&peer, any6, 500);
    assert_int_equal(hop_to(&peer, socket, FAR), 2);
    redirect(&peer, (struct redirect){.target = "fe80::3", .mac = third});
    assert_true(neighbor(&peer, "fe80::3", &found));
    assert_int_equal(found.state, BERTH_NEIGHBOR_STALE);
    assert_memory_equal(found.mac, third, 6);
    assert_int_equal(hop_to(&peer, socket, FAR), 3);
    peer_expect_silence(&peer);
    redirect(&peer, (struct redirect){.source = "fe80::3", .target = "fe80::2", .mac = peer_mac});
    assert_true(neighbor(&peer, "fe80::2", &found));
    assert_int_equal(found.state, BERTH_NEIGHBOR_REACHABLE);
    assert_int_equal(hop_to(&peer, socket, FAR), 2);
    redirect(&peer, (struct redirect){.target = "fe80::3", .mac = ninth});
    assert_true(neighbor(&peer, "fe80::3", &found));
    assert_int_equal(found.state, BERTH_NEIGHBOR_STALE);
    assert_int_equal(hop_to(&peer, socket, FAR), 9);
    peer_stop(&peer);
}

static void advertises(struct peer *peer, const char *target, bool router) {
    give_nd(peer, (struct ipv6_header){.source = ip6(target), .destination = host_ip6},
            (struct nd_message){.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                                .router = router,
                                .solicited = true,
                                .override = true,
                                .target = ip6(target)});
}

/* Who was named as a router is one until he says that he is not; a destination need not be one.
 * [4861-4, 4861-17] */
static void no_router(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    berth_handle socket = udp6_socket(&peer, any6, 500);
    assert_int_equal(hop_to(&peer, socket, FAR), 2);
    redirect(&peer, (struct redirect){.target = "fe80::3"});
    assert_int_equal(hop_to(&peer, socket, FAR), 3);
    advertises(&peer, "fe80::3", true);
    assert_int_equal(hop_to(&peer, socket, FAR), 3);
    advertises(&peer, "fe80::3", false);
    assert_int_equal(hop_to(&peer, socket, FAR), 2);
    redirect(&peer, (struct redirect){.target = FAR});
    assert_int_equal(hop_to(&peer, socket, FAR), 1);
    advertises(&peer, FAR, false);
    assert_int_equal(hop_to(&peer, socket, FAR), 1);
    peer_stop(&peer);
}

/* Who does not answer is no next hop, be it a router or the destination. [4861-13] */
static void no_answer(void **state) {
    (void)state;
    for (int on_link = 0; on_link < 2; on_link++) {
        struct peer peer;
        struct berth_endpoint far = endpoint6(ip6(FAR), 9);
        start(&peer);
        berth_handle socket = udp6_socket(&peer, any6, 500);
        assert_int_equal(hop_to(&peer, socket, FAR), 2);
        redirect(&peer, (struct redirect){.target = on_link ? FAR : "fe80::3"});
        assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &far, peer.now), 1);
        assert_int_equal(peer_drain(&peer), 1); /* a solicitation for it */
        peer_wait(&peer, 3 * BERTH_SECOND);
        assert_int_equal(peer_drain(&peer), 2);
        assert_int_equal(hop_to(&peer, socket, FAR), 2);
        peer_stop(&peer);
    }
}

/* An advertisement of a router: so many seconds a default one. */
static void is_router_for(struct peer *peer, const char *source, uint16_t seconds) {
    uint8_t data[8] = {0}, whole[16];
    struct berth_ip from = ip6(source);
    size_t made = make_icmp6(whole, &from, &all_nodes6, ICMP6_ROUTER_ADVERTISEMENT, 0, seconds,
                             data, sizeof data);
    give_ip6(peer,
             (struct ipv6_header){
                 .source = from, .destination = all_nodes6, .next = IPV6_ICMP, .hop_limit = 255},
             whole, made);
}

/* RFC 4861 6.3.5: a router that is none any more, by its own word or by time, is not one for the
 * destinations that others sent to it. [4861-11] */
static void router_goes(void **state) {
    (void)state;
    for (int by_word = 0; by_word < 2; by_word++) {
        struct peer peer;
        start(&peer);
        assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv6.conf.all.accept_ra", "1"), 0);
        berth_handle socket = udp6_socket(&peer, any6, 500);
        is_router_for(&peer, "fe80::3", 10);
        assert_int_equal(hop_to(&peer, socket, FAR), 2); /* given before it was heard */
        redirect(&peer, (struct redirect){.target = "fe80::3"});
        assert_int_equal(hop_to(&peer, socket, FAR), 3);
        if (by_word)
            is_router_for(&peer, "fe80::3", 0);
        else
            peer_wait(&peer, 10 * BERTH_SECOND);
        peer_drain(&peer);
        assert_int_equal(hop_to(&peer, socket, FAR), 2);
        peer_stop(&peer);
    }
}

/* A router takes none, nor does who wants none. [4861-18] */
static void not_wanted(void **state) {
    (void)state;
    static const char *const settings[][3] = {
        {"net.ipv6.conf.all.accept_redirects", "0", "1"},
        {"net.ipv6.conf.default.accept_redirects", "0", "1"},
        {"net.ipv6.conf.all.forwarding", "1", "0"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct peer peer;
        start(&peer);
        berth_handle socket = udp6_socket(&peer, any6, 500);
        assert_int_equal(hop_to(&peer, socket, FAR), 2);
        assert_int_equal(berth_host_set_sysctl(peer.host, settings[i][0], settings[i][1]), 0);
        redirect(&peer, (struct redirect){.target = "fe80::3"});
        assert_int_equal(hop_to(&peer, socket, FAR), 2);
        assert_int_equal(berth_host_set_sysctl(peer.host, settings[i][0], settings[i][2]), 0);
        redirect(&peer, (struct redirect){.target = "fe80::3"});
        assert_int_equal(hop_to(&peer, socket, FAR), 3);
        peer_stop(&peer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(followed),     cmocka_unit_test(not_valid),  cmocka_unit_test(from_others),
        cmocka_unit_test(link_address), cmocka_unit_test(no_router),  cmocka_unit_test(no_answer),
        cmocka_unit_test(router_goes),  cmocka_unit_test(not_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
