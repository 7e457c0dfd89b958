/* ICMPv6 errors about what is wrong in a datagram, and about which datagrams there are none. */
#include "test/unit/host/peer6.h"

static struct ipv6_header with_options(void) {
    return (struct ipv6_header){.next = 60}; /* destination options */
}

/* A destination options header with an option that asks for an error (type 0x80), then `protocol`.
 */
static size_t make_options(uint8_t *to, uint8_t protocol, const uint8_t *data, size_t length) {
    static const uint8_t header[8] = {0, 0, 0x9e, 4};
    memcpy(to, header, sizeof header);
    to[0] = protocol;
    memcpy(to + sizeof header, data, length);
    return sizeof header + length;
}

/* 4443-1: no error about an error, nor about a redirect, nor to a source that is nobody; about an
 * echo, whose option is as wrong, there is one (8200-1: at the option's place). */
static void about_errors(void **state) {
    (void)state;
    static const struct {
        uint8_t type;
        bool answered;
    } cases[] = {{ICMP6_ECHO, true}, {1, false},  {2, false},   {3, false},
                 {4, false},         {99, false}, {137, false}, {200, true}};
    struct peer peer;
    struct icmp_header icmp;
    uint8_t message[128], datagram[256], body[40] = {0};
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int nobody = 0; nobody < 2; nobody++) {
            struct ipv6_header ip = with_options();
            if (nobody)
                ip.source = any6;
            size_t made = make_icmp6(message, nobody ? &any6 : &peer_ip6, &host_ip6, cases[i].type,
                                     0, 0, body, sizeof body);
            made = make_options(datagram, IPV6_ICMP, message, made);
            if (nobody) { /* the helper takes an unspecified source for none given */
                uint8_t whole[400];
                ip.source = peer_ip6;
                made = make_ip6(&peer, whole, ip, datagram, made);
                memset(whole + 8, 0, 16);
                peer_give(&peer, whole, made);
            } else {
                give_ip6(&peer, ip, datagram, made);
            }
            if (!cases[i].answered || nobody) {
                peer_expect_silence(&peer);
                continue;
            }
            assert_true(peer_pull(&peer));
            out_icmp6(&peer, &icmp);
            assert_int_equal(icmp.type, ICMP6_PARAMETER_PROBLEM);
            assert_int_equal(icmp.code, 2);
            assert_int_equal(icmp.rest, 40 + 2);
            peer_expect_silence(&peer);
        }
    /* What follows is cut off, or says that it is longer than the datagram: it is no error. */
    for (int longer = 0; longer < 2; longer++) {
        peer_wait(&peer, 5 * BERTH_SECOND);
        const uint8_t rest[16] = {IPV6_ICMP, 200, 1, 12};
        give_ip6(&peer, with_options(), datagram,
                 make_options(datagram, 60, rest, longer ? sizeof rest : 4));
        assert_true(peer_pull(&peer));
        out_icmp6(&peer, &icmp);
        assert_int_equal(icmp.type, ICMP6_PARAMETER_PROBLEM);
    }
    peer_stop(&peer);
}

/* The peer's fragment: `length` octets of `data` at `offset`. */
static void give_fragment(struct peer *peer, uint8_t protocol, unsigned offset, const uint8_t *data,
                          size_t length, bool more) {
    uint8_t octets[1400] = {protocol, 0};
    store_be16(octets + 2, (uint16_t)(offset | more));
    store_be32(octets + 4, 77);
    memcpy(octets + 8, data, length);
    give_ip6(peer, (struct ipv6_header){.next = 44}, octets, 8 + length);
}

/* 8200-2: a fragment in the middle of an odd length, and one past the largest datagram, are told
 * of: parameter problem, code 0, at the field that is wrong; and nothing is kept. */
static void fragments_told(void **state) {
    (void)state;
    static const struct {
        unsigned offset;
        size_t length;
        bool more;
        uint32_t pointer;
    } cases[] = {{0, 12, true, 4}, {800, 1, true, 4}, {65528, 8, false, 42}, {65528, 16, true, 42}};
    struct peer peer;
    struct icmp_header icmp;
    uint8_t data[64] = {0};
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        give_fragment(&peer, IPV4_UDP, cases[i].offset, data, cases[i].length, cases[i].more);
        assert_true(peer_pull(&peer));
        out_icmp6(&peer, &icmp);
        assert_int_equal(icmp.type, ICMP6_PARAMETER_PROBLEM);
        assert_int_equal(icmp.code, 0);
        assert_int_equal(icmp.rest, cases[i].pointer);
        peer_expect_silence(&peer);
        peer_wait(&peer, 2 * BERTH_SECOND);
    }
    peer_wait(&peer, 100 * BERTH_SECOND);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* 8200-2: what follows the header of an atomic fragment is read as ever. 5722-1: overlapping
 * fragments are given back at once. */
static void atomic_and_overlapping(void **state) {
    (void)state;
    struct peer peer;
    struct icmp_header icmp;
    uint8_t message[64], body[40] = {0}, whole[80] = {IPV6_ICMP, 0, 1, 4}, data[1200] = {0};
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    size_t made = make_icmp6(message, &peer_ip6, &host_ip6, ICMP6_ECHO, 0, 1, body, sizeof body);
    memcpy(whole + 8, message, made);
    give_fragment(&peer, 60, 0, whole, 8 + made, false);
    assert_true(peer_pull(&peer));
    out_icmp6(&peer, &icmp);
    assert_int_equal(icmp.type, ICMP6_ECHO_REPLY);
    give_fragment(&peer, IPV4_UDP, 8, data, 8, true);
    size_t before = peer.counting.octets;
    give_fragment(&peer, IPV4_UDP, 16, data, 1200, true);
    give_fragment(&peer, IPV4_UDP, 1216, data, 1200, true);
    assert_true(peer.counting.octets > before + 2000);
    give_fragment(&peer, IPV4_UDP, 1000, data, 400, true);
    assert_true(peer.counting.octets <= before);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* 8200-2, 4443-1: the first fragment of a datagram that is not completed is told of after 60 s; not
 * if what was in it is an error. */
static void timeout_told(void **state) {
    (void)state;
    static const struct {
        uint8_t type;
        bool told;
    } cases[] = {{ICMP6_ECHO, true}, {1, false}, {3, false}, {137, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        struct icmp_header icmp;
        uint8_t message[64], body[40] = {0};
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        make_icmp6(message, &peer_ip6, &host_ip6, cases[i].type, 0, 0, body, sizeof body);
        give_fragment(&peer, IPV6_ICMP, 0, message, 48, true);
        peer_wait(&peer, 59 * BERTH_SECOND);
        peer_expect_silence(&peer);
        peer_wait(&peer, 2 * BERTH_SECOND);
        if (cases[i].told) {
            assert_true(peer_pull(&peer));
            out_icmp6(&peer, &icmp);
            assert_int_equal(icmp.type, 3);
            assert_int_equal(icmp.code, 1);
        }
        peer_expect_silence(&peer);
        peer_stop(&peer);
    }
}

/* Where a datagram to `to` comes from. */
static struct berth_ip source_of(struct peer *peer, const char *to) {
    struct ipv6_header ip;
    struct berth_endpoint there = endpoint6(ip6(to), 9);
    berth_handle socket = udp6_socket(peer, any6, 0);
    assert_int_equal(berth_socket_send_to(peer->host, socket, "x", 1, &there, peer->now), 1);
    assert_true(peer_pull(peer));
    out_ip6(peer, &ip);
    assert_int_equal(berth_socket_close(peer->host, socket, peer->now), 0);
    return ip.source;
}

/* 6724-1: each rule where another one would choose otherwise. */
static void sources(void **state) {
    (void)state;
    struct peer peer;
    struct berth_interface_config second = {.link = BERTH_LINK_RAW_IP, .mtu = 1500};
    struct berth_ip site = ip6("2002:a00::1"), plain = ip6("2001:db8:1::1");
    struct berth_ip other = ip6("2001:db8:9::1"), there = ip6("2001:db8:9::77");
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_host_add_address(peer.host, 1, &site, 64), 0);
    assert_int_equal(berth_host_add_address(peer.host, 1, &plain, 64), 0);
    assert_int_equal(berth_host_add_interface(peer.host, &second), 2);
    assert_int_equal(berth_host_add_address(peer.host, 2, &other, 64), 0);
    assert_int_equal(berth_host_add_route(peer.host, 1, &any6, 0, NULL), 0);
    assert_int_equal(berth_host_add_route(peer.host, 1, &there, 128, NULL), 0);
    /* Rule 2 before 8: to a global group not from the link-local address, which is nearer. Rule 6
     * before 8: 2003:: has the label of 2001:db8::, though 2002:: is nearer. Rule 5 before 8: from
     * the interface that it leaves by. */
    struct berth_ip found = source_of(&peer, "ff0e::1");
    assert_memory_equal(&found, &plain, sizeof found);
    found = source_of(&peer, "2003::1");
    assert_memory_equal(&found, &plain, sizeof found);
    found = source_of(&peer, "2001:db8:9::77");
    assert_memory_equal(&found, &plain, sizeof found);
    found = source_of(&peer, "fd00::77");
    assert_memory_equal(&found, &host_ip6, sizeof found);
    found = source_of(&peer, "fe80::77");
    assert_int_equal(found.bytes[0], 0xfe);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(about_errors),
        cmocka_unit_test(fragments_told),
        cmocka_unit_test(atomic_and_overlapping),
        cmocka_unit_test(timeout_told),
        cmocka_unit_test(sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
