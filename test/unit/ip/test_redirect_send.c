/* Redirects that a router sends (RFC 1812 5.2.7.2, RFC 4861 8.2): 10.0.0.1 and its link-local
 * address route what is far through 10.0.0.3 and fe80::3. */
#include "engine/wire/router.h"
#include "test/unit/ip/redirects.h"

enum { LINK = 0x0a000000, BETTER = LINK + 3, FAR = 0x0c000001 };
#define FAR6 "2001:db8:1::1"

static uint8_t data[2000];

/* What came out since: how many datagrams went on, to which neighbour the last of them, and how
 * many redirects; the last of these as it was. */
struct came {
    unsigned onward, redirects;
    uint8_t to, redirect[1600];
    size_t length;
};

static struct came come(struct peer *peer) {
    struct came came = {0};
    while (peer_pull(peer)) {
        bool v6 = load_be16(peer->out + 12) == ETHERNET_IPV6;
        if (answer_question(peer))
            continue;
        if (v6 ? peer->out[20] == IPV6_ICMP && peer->out[54] == ICMP6_REDIRECT
               : peer->out[23] == IPV4_ICMP && peer->out[34] == ICMP_REDIRECT) {
            came.redirects++;
            came.length = peer->out_length;
            memcpy(came.redirect, peer->out, came.length);
        } else {
            came.onward++;
            came.to = peer->out[5];
        }
    }
    return came;
}

static void start(struct peer *peer) {
    struct berth_ip net = berth_ip_v4(0x0c000000), better = berth_ip_v4(BETTER);
    struct berth_ip net6 = ip6("2001:db8:1::"), better6 = ip6("fe80::3");
    peer_config(peer);
    peer->config.ip_forward = peer->config.ip6_forward = 1;
    peer_start_bare(peer);
    peer_add_link(peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_host_add_address(peer->host, 1, &host_ip6, 64), 0);
    assert_int_equal(berth_host_add_route(peer->host, 1, &net, 8, &better), 0);
    assert_int_equal(berth_host_add_route(peer->host, 1, &net6, 48, &better6), 0);
}

static struct came send4(struct peer *peer, uint32_t source, uint32_t destination, size_t length) {
    uint8_t payload[2000];
    size_t made = make_udp(payload, source, destination, 4000, 5000, data, length);
    give_ip(
        peer,
        (struct ipv4_header){.protocol = IPV4_UDP, .source = source, .destination = destination},
        payload, made);
    return come(peer);
}

static struct came send6(struct peer *peer, const char *source, const char *destination,
                         size_t length) {
    uint8_t payload[2000];
    struct berth_ip from = ip6(source), to = ip6(destination);
    size_t made = make_udp6(payload, &from, &to, 4000, 5000, data, length);
    give_ip6(peer, (struct ipv6_header){.source = from, .destination = to, .next = IPV4_UDP},
             payload, made);
    return come(peer);
}

/* Of a router or of the destination: from our address there, with what fits of the datagram; which
 * goes on all the same. [1812-6] */
static void tells4(void **state) {
    (void)state;
    static const struct {
        uint32_t destination, better;
        size_t length;
    } cases[] = {{FAR, BETTER, 10}, {FAR, BETTER, 1400}, {LINK + 7, LINK + 7, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        struct icmp_header icmp;
        struct ipv4_header ip;
        start(&peer);
        struct came came = send4(&peer, PEER_IP, cases[i].destination, cases[i].length);
        assert_int_equal(came.onward, 1);
        assert_int_equal(came.to, cases[i].better & 0xff);
        assert_int_equal(came.redirects, 1);
        memcpy(peer.out, came.redirect, came.length);
        peer.out_length = came.length;
        assert_memory_equal(peer.out, peer_mac, 6);
        out_ip(&peer, &ip);
        assert_int_equal(ip.source, HOST_IP);
        assert_int_equal(ip.destination, PEER_IP);
        const uint8_t *quote = out_icmp(&peer, &icmp);
        assert_int_equal(icmp.code, 1);
        assert_int_equal(icmp.rest, cases[i].better);
        assert_int_equal(load_be32(quote + 12), PEER_IP);
        assert_int_equal(load_be32(quote + 16), cases[i].destination);
        assert_int_equal(came.length, 14 + (cases[i].length < 548 ? 28 + 28 + 10 : 576));
        peer_stop(&peer);
    }
}

/* Not to who is further away, or in another subnet of the link; not of another link; not about an
 * error; and not where it is switched off, or nothing is forwarded. [1812-6] */
static void silent4(void **state) {
    (void)state;
    struct peer peer;
    struct berth_ip second = berth_ip_v4(0x0a010001), net = berth_ip_v4(0x0d000000);
    start(&peer);
    struct berth_interface_config link = {.link = BERTH_LINK_RAW_IP, .mtu = 1500};
    assert_int_equal(berth_host_add_interface(peer.host, &link), 2);
    assert_int_equal(berth_host_add_route(peer.host, 2, &net, 8, NULL), 0);
    assert_int_equal(berth_host_add_address(peer.host, 1, &second, 24), 0);
    assert_int_equal(send4(&peer, PEER_IP, FAR, 1).redirects, 1);
    struct came came = send4(&peer, FAR + 1, FAR, 1); /* came from the better one */
    assert_int_equal(came.onward, 1);
    assert_int_equal(came.redirects, 0);
    came = send4(&peer, 0x0a010002, FAR, 1);
    assert_int_equal(came.onward, 1);
    assert_int_equal(came.redirects, 0);
    assert_int_equal(send4(&peer, PEER_IP, 0x0d000001, 1).redirects, 0);
    uint8_t error[64];
    size_t made = make_icmp(error, ICMP_UNREACHABLE, 1, 0, data, 28);
    give_ip(&peer, (struct ipv4_header){.protocol = IPV4_ICMP, .destination = FAR}, error, made);
    came = come(&peer);
    assert_int_equal(came.onward, 1);
    assert_int_equal(came.redirects, 0);
    assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv4.conf.all.send_redirects", "0"), 0);
    came = send4(&peer, PEER_IP, FAR, 1);
    assert_int_equal(came.onward, 1);
    assert_int_equal(came.redirects, 0);
    assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv4.conf.default.send_redirects", "1"),
                     0);
    assert_int_equal(send4(&peer, PEER_IP, FAR, 1).redirects, 1);
    assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv4.ip_forward", "0"), 0);
    came = send4(&peer, PEER_IP, FAR, 1);
    assert_int_equal(came.onward + came.redirects, 0);
    peer_stop(&peer);
}

/* The same of IPv6: its parts are where they should be, for short datagrams and long ones, and the
 * link address is told once it is known. [4861-19] */
static void tells6(void **state) {
    (void)state;
    static const struct {
        const char *destination, *better;
        size_t length;
    } cases[] = {{FAR6, "fe80::3", 0},
                 {FAR6, "fe80::3", 13},
                 {FAR6, "fe80::3", 1400},
                 {"fd00::7", "fd00::7", 100}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        struct ipv6_header ip;
        struct icmp_header icmp;
        struct nd_redirect said;
        struct berth_ip better = ip6(cases[i].better), to = ip6(cases[i].destination);
        start(&peer);
        struct came came = send6(&peer, "fd00::2", cases[i].destination, cases[i].length);
        for (int known = 0; known < 2; known++) {
            assert_int_equal(came.onward, 1);
            assert_int_equal(came.to, better.bytes[15]);
            assert_int_equal(came.redirects, 1);
            memcpy(peer.out, came.redirect, came.length);
            peer.out_length = came.length;
            assert_memory_equal(peer.out, peer_mac, 6);
            out_icmp6(&peer, &icmp);
            const uint8_t *message = out_ip6(&peer, &ip);
            assert_true(berth_ip_equal(&ip.source, &host_local6));
            assert_true(berth_ip_equal(&ip.destination, &peer_ip6));
            assert_int_equal(ip.hop_limit, 255);
            assert_int_equal(nd_redirect_parse(message, ip.payload_length, &said), 0);
            assert_true(berth_ip_equal(&said.target, &better));
            assert_true(berth_ip_equal(&said.destination, &to));
            size_t whole = IPV6_HEADER + UDP_HEADER + cases[i].length;
            assert_int_equal(said.quote_length, cases[i].length > 1300 ? 1184 : whole / 8 * 8);
            assert_in_range(came.length, 0, 14 + 1280);
            assert_memory_equal(said.quote + 8, peer_ip6.bytes, 16);
            assert_memory_equal(said.quote + 24, to.bytes, 16);
            if (known) {
                assert_non_null(said.mac);
                assert_int_equal(said.mac[5], better.bytes[15]);
            } else {
                assert_null(said.mac);
            }
            came = send6(&peer, "fd00::2", cases[i].destination, cases[i].length);
        }
        peer_stop(&peer);
    }
}

/* Not to who is no neighbour, nor of a router whose link-local address is not known. [4861-19] */
static void silent6(void **state) {
    (void)state;
    struct peer peer;
    struct berth_ip net = ip6("2001:db8:2::"), global = ip6("fd00::3");
    start(&peer);
    assert_int_equal(berth_host_add_route(peer.host, 1, &net, 48, &global), 0);
    assert_int_equal(send6(&peer, "fd00::2", FAR6, 1).redirects, 1);
    struct came came = send6(&peer, "2001:db8:1::2", FAR6, 1);
    assert_int_equal(came.onward, 1);
    assert_int_equal(came.redirects, 0);
    came = send6(&peer, "fd00::2", "2001:db8:2::1", 1);
    assert_int_equal(came.onward, 1);
    assert_int_equal(came.to, 3);
    assert_int_equal(came.redirects, 0);
    assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv6.conf.all.forwarding", "0"), 0);
    came = send6(&peer, "fd00::2", FAR6, 1);
    assert_int_equal(came.onward + came.redirects, 0);
    peer_stop(&peer);
}

/* Not more than the limit of all errors. [1812-1, 4861-19, 4861-20] */
static void limited(void **state) {
    (void)state;
    struct peer peer;
    unsigned redirects = 0, redirects6 = 0;
    start(&peer);
    for (int i = 0; i < 10; i++) {
        redirects += send4(&peer, PEER_IP, FAR, 1).redirects;
        redirects6 += send6(&peer, "fd00::2", FAR6, 1).redirects;
    }
    assert_int_equal(redirects, 6);
    assert_int_equal(redirects6, 6);
    peer_wait(&peer, BERTH_SECOND);
    assert_int_equal(send4(&peer, PEER_IP, FAR, 1).redirects, 1);
    assert_int_equal(send6(&peer, "fd00::2", FAR6, 1).redirects, 1);
    assert_int_equal(send4(&peer, PEER_IP, FAR, 1).redirects, 0);
    peer_stop(&peer);
}

/* Without memory the datagram may be lost, but never more. */
static void out_of_memory(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    send4(&peer, PEER_IP, FAR, 600);
    send6(&peer, "fd00::2", FAR6, 600);
    for (size_t nth = 1; nth < 12; nth++) {
        peer_wait(&peer, BERTH_SECOND);
        counting_fail_nth(&peer.counting, nth, true);
        send4(&peer, PEER_IP, FAR, 600);
        counting_fail_nth(&peer.counting, nth, true);
        send6(&peer, "fd00::2", FAR6, 600);
        counting_recover(&peer.counting);
    }
    peer_wait(&peer, BERTH_SECOND);
    assert_int_equal(send4(&peer, PEER_IP, FAR, 1).onward, 1);
    assert_int_equal(send6(&peer, "fd00::2", FAR6, 1).onward, 1);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells4),  cmocka_unit_test(silent4), cmocka_unit_test(tells6),
        cmocka_unit_test(silent6), cmocka_unit_test(limited), cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
