/* The MTU and the link: the MSS, ARP about our own address, datagrams on several links. */
#include "test/unit/conformance/segments.h"

static uint16_t mss_out(struct peer *peer) {
    struct tcp_header header;
    struct ipv4_header ip;
    assert_true(peer_pull(peer));
    out_segment(peer, &header, &ip);
    assert_int_equal(header.options[0], 2);
    return load_be16(header.options + 2);
}

/* SHLD-6: the MSS that is said follows the interface's MTU when that changes; MUST-67: it is the
 * MTU less 40 octets, whatever options will be there, and fits its 16 bits. */
static void mss_follows_mtu(void **state) {
    (void)state;
    static const uint32_t mtus[] = {1500, 9000, 576, 1280, 65535, 1500};
    struct peer peer;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    tcp_listener(&peer, 0, 80);
    for (size_t i = 0; i < sizeof mtus / sizeof *mtus; i++) {
        struct segment syn = {.source_port = (uint16_t)(1000 + i),
                              .destination_port = 80,
                              .flags = TCP_SYN,
                              .window = 1000};
        struct berth_endpoint to = endpoint(PEER_IP, 9);
        assert_int_equal(berth_host_set_interface(peer.host, 1, mtus[i], 0), 0);
        give_segment(&peer, &syn);
        assert_int_equal(mss_out(&peer), mtus[i] - 40);
        berth_handle socket = tcp_socket(&peer, 0, 0);
        assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), -EINPROGRESS);
        assert_int_equal(mss_out(&peer), mtus[i] - 40);
        assert_int_equal(berth_socket_close(peer.host, socket, peer.now), 0);
        peer_drain(&peer);
    }
    peer_stop(&peer);
}

/* 5227-2: who says that our address is theirs is not answered, and not believed: we go on. */
static void our_address(void **state) {
    (void)state;
    static const uint8_t thief[6] = {2, 0, 0, 0, 0, 9};
    struct peer peer;
    struct berth_endpoint own = endpoint(HOST_IP, 500), to = endpoint(PEER_IP, 9);
    uint8_t got[4];
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    give_arp(&peer, ARP_REPLY, thief, HOST_IP, HOST_IP);
    give_arp(&peer, ARP_REQUEST, thief, HOST_IP, HOST_IP);
    give_arp(&peer, ARP_REQUEST, thief, HOST_IP, PEER_IP);
    peer_expect_silence(&peer);
    berth_handle socket = udp_socket(&peer, 0, 500);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "me", 2, &own, peer.now), 2);
    peer_expect_silence(&peer); /* to ourselves: not to the thief */
    assert_int_equal(berth_socket_receive(peer.host, socket, got, 4, 0, peer.now), 2);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
    assert_true(peer_pull(&peer));
    assert_memory_equal(peer.out, peer_mac, 6);
    give_arp(&peer, ARP_REQUEST, peer_mac, PEER_IP, HOST_IP); /* and we still answer for it */
    assert_true(peer_pull(&peer));
    peer_stop(&peer);
}

/* 1122-U5: the receiver learns to which address a datagram came, and answers from it. */
static void answers_from_where_asked(void **state) {
    (void)state;
    struct peer peer;
    struct berth_ip second = berth_ip_v4(0x0a000009);
    struct ipv4_header ip;
    struct udp_header udp;
    struct berth_datagram meta;
    uint8_t message[64], got[8];
    static const uint32_t ours[] = {HOST_IP, 0x0a000009};
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_host_add_address(peer.host, 1, &second, 24), 0);
    berth_handle any = udp_socket(&peer, 0, 700);
    for (unsigned i = 0; i < 2; i++) {
        size_t made = make_udp(message, PEER_IP, ours[i], 9, 700, "abc", 3);
        give_ip(&peer, (struct ipv4_header){.protocol = IPV4_UDP, .destination = ours[i]}, message,
                made);
        assert_int_equal(berth_socket_receive_from(peer.host, any, got, 8, &meta, 0), 3);
        struct berth_endpoint there = endpoint(ours[i], 700), from = endpoint(PEER_IP, 9);
        assert_memory_equal(&meta.destination.ip, &there.ip, sizeof there.ip);
        assert_int_equal(meta.destination.port, 700);
        assert_memory_equal(&meta.source.ip, &from.ip, sizeof from.ip);
        assert_int_equal(meta.source.port, 9);
        /* The answer's source is chosen by binding. */
        berth_handle answering = udp_socket(&peer, ours[i], (uint16_t)(800 + i));
        assert_int_equal(
            berth_socket_send_to(peer.host, answering, "de", 2, &meta.source, peer.now), 2);
        assert_true(peer_pull(&peer));
        out_udp(&peer, &udp);
        out_ip(&peer, &ip);
        assert_int_equal(ip.source, ours[i]);
        assert_int_equal(udp.destination_port, 9);
    }
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mss_follows_mtu),
        cmocka_unit_test(our_address),
        cmocka_unit_test(answers_from_where_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
