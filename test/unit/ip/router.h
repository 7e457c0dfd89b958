/* A router that the test plays, and what a host made of it. */
#ifndef TEST_UNIT_IP_ROUTER_H
#define TEST_UNIT_IP_ROUTER_H

#include "engine/wire/router.h"
#include "test/unit/host/peer6.h"

enum { ON_LINK = 0x80, AUTONOMOUS = 0x40, BOTH = ON_LINK | AUTONOMOUS };
#define HOUR UINT32_C(3600)

/* An advertisement; what is 0 says nothing. */
struct said {
    struct berth_ip source;
    uint8_t hops, code, hop_limit;
    uint16_t lifetime;
    uint32_t reachable, retransmit, mtu;
    const uint8_t *mac;
    const char *prefix; /* ADDRESS, with its length beside it */
    uint8_t length, flags;
    uint32_t valid, preferred;
    uint8_t tail[8]; /* of octets that follow */
    size_t tail_length;
    size_t cut; /* off the end */
};

static inline void says(struct peer *peer, struct said said) {
    uint8_t data[128] = {0}, whole[160];
    size_t at = 8;
    struct berth_ip source = berth_ip_is_any(&said.source) ? peer_local6 : said.source;
    store_be32(data, said.reachable);
    store_be32(data + 4, said.retransmit);
    if (said.mac) {
        data[at] = data[at + 1] = 1;
        memcpy(data + at + 2, said.mac, 6);
        at += 8;
    }
    if (said.mtu) {
        data[at] = 5;
        data[at + 1] = 1;
        store_be32(data + at + 4, said.mtu);
        at += 8;
    }
    if (said.prefix) {
        struct berth_ip prefix = ip6(said.prefix);
        data[at] = 3;
        data[at + 1] = 4;
        data[at + 2] = said.length ? said.length : 64;
        data[at + 3] = said.flags;
        store_be32(data + at + 4, said.valid);
        store_be32(data + at + 8, said.preferred);
        memcpy(data + at + 16, prefix.bytes, 16);
        at += 32;
    }
    memcpy(data + at, said.tail, said.tail_length);
    at += said.tail_length - said.cut;
    uint32_t rest = (uint32_t)said.hop_limit << 24 | said.lifetime;
    size_t length = make_icmp6(whole, &source, &all_nodes6, ICMP6_ROUTER_ADVERTISEMENT, said.code,
                               rest, data, at);
    give_ip6(peer,
             (struct ipv6_header){.source = source,
                                  .destination = all_nodes6,
                                  .next = IPV6_ICMP,
                                  .hop_limit = said.hops ? said.hops : 255},
             whole, length);
}

static inline void start(struct peer *peer, uint8_t accept) {
    peer_config(peer);
    peer->config.accept_ra = accept;
    peer_start_bare(peer);
    peer_add_link(peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_host_add_link_local(peer->host, peer->interface), 0);
}

/* The same, and nobody was there to answer. */
static inline void start_quiet(struct peer *peer) {
    start(peer, 1);
    peer_wait(peer, 20 * BERTH_SECOND);
    assert_int_equal(peer_drain(peer), 3);
    assert_int_equal(berth_host_deadline(peer->host), BERTH_NEVER);
}

static inline bool find(struct peer *peer, const char *text, struct berth_address *found) {
    struct berth_address list[64];
    struct berth_ip ip = ip6(text);
    size_t count = berth_host_addresses(peer->host, list, 64);
    memset(found, 0, sizeof *found);
    for (size_t i = 0; i < count; i++)
        if (berth_ip_equal(&list[i].ip, &ip)) {
            *found = list[i];
            return true;
        }
    return false;
}

static inline bool has(struct peer *peer, const char *text) {
    struct berth_address found;
    return find(peer, text, &found);
}

static inline uint64_t valid_for(struct peer *peer, const char *text) {
    struct berth_address found;
    assert_true(find(peer, text, &found));
    return (found.valid_until - peer->now) / BERTH_SECOND;
}

/* Through whom that destination is reached; "" on link, NULL not at all. */
static inline const char *way(struct peer *peer, const char *to) {
    static char text[BERTH_IP_TEXT];
    struct berth_route route;
    struct berth_ip ip = ip6(to);
    if (berth_host_find_route(peer->host, &ip, &route) != 0)
        return NULL;
    if (berth_ip_is_any(&route.gateway))
        return "";
    berth_ip_format(&route.gateway, text);
    return text;
}

static inline void expect_way(struct peer *peer, const char *to, const char *gateway) {
    const char *found = way(peer, to);
    if (gateway)
        assert_string_equal(found ? found : "none", gateway);
    else
        assert_null(found);
}

#define ROUTER "fe80::ff:fe00:2"
#define OURS "2001:db8::ff:fe00:1"
static const struct said prefix_said = {
    .prefix = "2001:db8::", .flags = BOTH, .valid = 24 * HOUR, .preferred = 4 * HOUR};

static inline void send_to(struct peer *peer, const char *to) {
    berth_handle socket = udp6_socket(peer, any6, 0);
    struct berth_endpoint at = endpoint6(ip6(to), 9);
    assert_true(berth_socket_send_to(peer->host, socket, "x", 1, &at, peer->now) >= -113);
    assert_int_equal(berth_socket_close(peer->host, socket, peer->now), 0);
}

#endif
