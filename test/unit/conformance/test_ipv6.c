/* What TCP and UDP ask of IPv6: checksums, and addresses that no connection has. */
#include "engine/wire/tcp.h"
#include "test/unit/host/peer6.h"

/* A SYN for port 80, its checksum right. */
static size_t make_syn6(uint8_t *to, const struct berth_ip *source,
                        const struct berth_ip *destination) {
    struct tcp_header header = {.source_port = 1000,
                                .destination_port = 80,
                                .seq = 100,
                                .header_length = TCP_HEADER_MIN,
                                .flags = TCP_SYN,
                                .window = 65535};
    struct checksum sum = {0};
    tcp_header_write(to, &header);
    checksum_add_pseudo(&sum, source, destination, IPV4_TCP, TCP_HEADER_MIN);
    checksum_add(&sum, to, TCP_HEADER_MIN);
    store_be16(to + 16, checksum_finish(&sum));
    return TCP_HEADER_MIN;
}

static bool syn_is_answered(struct peer *peer, const struct berth_ip *source,
                            const struct berth_ip *destination, bool damaged) {
    uint8_t segment[TCP_HEADER_MIN];
    struct ipv6_header ip;
    size_t made = make_syn6(segment, source, destination);
    segment[14] ^= damaged;
    give_ip6(peer,
             (struct ipv6_header){.source = *source, .destination = *destination, .next = IPV4_TCP},
             segment, made);
    if (!peer_pull(peer))
        return false;
    const uint8_t *at = out_ip6(peer, &ip);
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, &ip.source, &ip.destination, IPV4_TCP, ip.payload_length);
    checksum_add(&sum, at, ip.payload_length);
    assert_int_equal(checksum_finish(&sum), 0);
    assert_int_equal(at[13], TCP_SYN | TCP_ACK);
    return true;
}

/* MUST-57, MUST-63: SYNs for a group, or from an address that no other host has. MUST-3: and one
 * with a wrong checksum. MUST-2: the answer to a right one has a right one. */
static void strange_syns(void **state) {
    (void)state;
    struct peer peer;
    berth_handle listener;
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    struct berth_endpoint local = endpoint6(any6, 80);
    assert_int_equal(berth_socket_open(peer.host, 6, BERTH_TCP, &listener), 0);
    assert_int_equal(berth_socket_bind(peer.host, listener, &local), 0);
    assert_int_equal(berth_socket_listen(peer.host, listener, 5), 0);
    const struct berth_ip sources[] = {ip6("ff02::1"), ip6("ff0e::5"), any6,
                                       one6,           host_ip6,       ip6("::ffff:10.0.0.2")};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        assert_false(syn_is_answered(&peer, &sources[i], &host_ip6, false));
    assert_false(syn_is_answered(&peer, &peer_ip6, &all_nodes6, false));
    assert_false(syn_is_answered(&peer, &peer_ip6, &host_ip6, true));
    assert_true(syn_is_answered(&peer, &peer_ip6, &host_ip6, false));
    peer_stop(&peer);
}

/* MUST-46: no connection to a group. */
static void open_to_group(void **state) {
    (void)state;
    static const char *const groups[] = {"ff02::1", "ff02::1:ff00:2", "ff05::2", "ff0e::1234"};
    struct peer peer;
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        struct berth_endpoint to = endpoint6(ip6(groups[i]), 80);
        berth_handle socket;
        assert_int_equal(berth_socket_open(peer.host, 6, BERTH_TCP, &socket), 0);
        assert_true(berth_socket_connect(peer.host, socket, &to, peer.now) != -EINPROGRESS);
        peer_expect_silence(&peer);
    }
    peer_stop(&peer);
}

/* 8200-3: a datagram of UDP without a checksum is dropped, in silence; 1122-U4: so is one with a
 * wrong one. */
static void udp_checksum(void **state) {
    (void)state;
    struct peer peer;
    uint8_t message[64], got[16];
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp6_socket(&peer, any6, 7000);
    for (int kind = 0; kind < 3; kind++) { /* right, none, wrong */
        size_t made = make_udp6(message, &peer_ip6, &host_ip6, 9, 7000, "abc", 3);
        if (kind == 1)
            store_be16(message + 6, 0);
        if (kind == 2)
            message[6] ^= 1;
        give_ip6(&peer, (struct ipv6_header){.next = IPV4_UDP}, message, made);
        assert_int_equal(berth_socket_receive(peer.host, socket, got, sizeof got, 0, peer.now),
                         kind == 0 ? 3 : -EAGAIN);
        peer_expect_silence(&peer);
    }
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(strange_syns),
                                       cmocka_unit_test(open_to_group),
                                       cmocka_unit_test(udp_checksum)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
