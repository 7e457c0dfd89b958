#include "test/unit/host/peer.h"

static void send_to(struct peer *peer, berth_handle socket, uint32_t ip) {
    struct berth_endpoint to = endpoint(ip, 9);
    assert_int_equal(berth_socket_send_to(peer->host, socket, "hello", 5, &to, peer->now), 5);
}

/* RFC 826: who is asked for answers, to the asker, and remembers it. [826-1] */
static void test_reply(void **state) {
    (void)state;
    struct peer peer;
    struct arp_packet packet;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    give_arp(&peer, ARP_REQUEST, peer_mac, PEER_IP, HOST_IP);
    assert_true(peer_pull(&peer));
    assert_memory_equal(peer.out, peer_mac, 6);
    out_arp(&peer, &packet);
    assert_int_equal(packet.operation, ARP_REPLY);
    assert_int_equal(packet.sender_ip, HOST_IP);
    assert_memory_equal(packet.sender_mac, host_mac, 6);
    assert_int_equal(packet.target_ip, PEER_IP);
    assert_memory_equal(packet.target_mac, peer_mac, 6);
    peer_expect_silence(&peer);
    /* Known by its request: the datagram goes at once, and the entry is confirmed beside it. */
    berth_handle socket = udp_socket(&peer, 0, 0);
    send_to(&peer, socket, PEER_IP);
    assert_true(peer_pull(&peer));
    struct udp_header udp;
    bool first_is_arp = load_be16(peer.out + 12) == ETHERNET_ARP;
    if (!first_is_arp)
        out_udp(&peer, &udp);
    assert_memory_equal(peer.out, peer_mac, 6);
    assert_true(peer_pull(&peer));
    assert_memory_equal(peer.out, peer_mac, 6);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* Not our address, or not a question: no answer. [826-1] */
static void test_no_reply(void **state) {
    (void)state;
    struct peer peer;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    give_arp(&peer, ARP_REQUEST, peer_mac, PEER_IP, 0x0a000003);
    peer_expect_silence(&peer);
    give_arp(&peer, ARP_REQUEST, peer_mac, PEER_IP, 0x7f000001);
    peer_expect_silence(&peer);
    give_arp(&peer, 3, peer_mac, PEER_IP, HOST_IP);
    peer_expect_silence(&peer);
    give_arp(&peer, ARP_REPLY, peer_mac, PEER_IP, HOST_IP);
    peer_expect_silence(&peer);
    give_arp(&peer, ARP_REQUEST, everyone, PEER_IP, HOST_IP); /* a group address is no sender */
    peer_expect_silence(&peer);
    give_arp(&peer, ARP_REQUEST, peer_mac, HOST_IP, HOST_IP); /* someone has our address */
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 5227 2.1.1: a probe is answered, and teaches nothing. [5227-1] */
static void test_probe(void **state) {
    (void)state;
    struct peer peer;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    give_arp(&peer, ARP_REQUEST, peer_mac, 0, HOST_IP);
    assert_true(peer_pull(&peer));
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* What the cache says of the one neighbour. */
static enum berth_neighbor_state neighbor_state(const struct peer *peer) {
    struct berth_neighbor neighbor;
    assert_int_equal(berth_host_neighbors(peer->host, &neighbor, 1, peer->now), 1);
    assert_int_equal(berth_ip_to_v4(&neighbor.ip), PEER_IP);
    assert_int_equal(neighbor.interface, 1);
    if (neighbor.state != BERTH_NEIGHBOR_INCOMPLETE)
        assert_memory_equal(neighbor.mac, peer_mac, 6);
    return neighbor.state;
}

/* A datagram waits for the answer; three requests, a second apart. [826-2, 826-3, 826-1] */
static void test_resolution(void **state) {
    (void)state;
    struct peer peer;
    struct arp_packet packet;
    struct udp_header udp;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 4000);
    send_to(&peer, socket, PEER_IP);
    assert_true(peer_pull(&peer));
    assert_memory_equal(peer.out, everyone, 6);
    assert_memory_equal(peer.out + 6, host_mac, 6);
    out_arp(&peer, &packet);
    assert_int_equal(packet.operation, ARP_REQUEST);
    assert_int_equal(packet.target_ip, PEER_IP);
    assert_int_equal(packet.sender_ip, HOST_IP);
    peer_expect_silence(&peer);
    peer_wait(&peer, BERTH_SECOND - BERTH_MS);
    peer_expect_silence(&peer);
    peer_wait(&peer, 2 * BERTH_MS);
    assert_true(peer_pull(&peer));
    out_arp(&peer, &packet);
    peer_expect_silence(&peer);
    send_to(&peer, socket, PEER_IP);
    assert_int_equal(neighbor_state(&peer), BERTH_NEIGHBOR_INCOMPLETE);
    peer_expect_silence(&peer); /* no second question within the second */
    give_arp(&peer, ARP_REPLY, peer_mac, PEER_IP, HOST_IP);
    for (int i = 0; i < 2; i++) {
        assert_true(peer_pull(&peer));
        assert_memory_equal(out_udp(&peer, &udp), "hello", 5);
        assert_memory_equal(peer.out, peer_mac, 6);
        assert_memory_equal(peer.out + 6, host_mac, 6);
        assert_int_equal(udp.source_port, 4000);
    }
    peer_expect_silence(&peer);
    assert_int_equal(neighbor_state(&peer), BERTH_NEIGHBOR_REACHABLE);
    peer_wait(&peer, 20 * BERTH_SECOND);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 1122 2.3.2.1: three questions, then it is unreachable, and later sends ask anew. [826-2] */
static void test_failure(void **state) {
    (void)state;
    struct peer peer;
    struct arp_packet packet;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 0);
    int value = 1, error = -1;
    assert_int_equal(berth_socket_set_option(peer.host, socket, BERTH_IP_RECVERR, value, peer.now),
                     0);
    send_to(&peer, socket, PEER_IP);
    uint64_t start = peer.now;
    for (int i = 0; i < 3; i++) {
        assert_true(peer_pull(&peer));
        out_arp(&peer, &packet);
        peer_expect_silence(&peer);
        assert_int_equal((peer.now - start + BERTH_MS) / BERTH_SECOND, i);
        if (i < 2)
            peer_wait(&peer, BERTH_SECOND + BERTH_MS);
    }
    peer_wait(&peer, BERTH_SECOND + BERTH_MS);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->neighbor_failed, 1);
    assert_int_equal(berth_socket_get_option(peer.host, socket, BERTH_SO_ERROR, &error), 0);
    assert_int_equal(error, EHOSTUNREACH);
    struct berth_event event;
    assert_int_equal(berth_host_events(peer.host, &event, 1), 1);
    assert_int_equal(event.socket, socket);
    assert_int_equal(event.bits, BERTH_ERROR);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
    send_to(&peer, socket, PEER_IP);
    assert_true(peer_pull(&peer));
    out_arp(&peer, &packet);
    peer_stop(&peer);
}

/* After 30 s the next use asks the neighbour itself, goes on meanwhile, and gives up after three.
 * [826-4, 826-1] */
static void test_reconfirmation(void **state) {
    (void)state;
    struct peer peer;
    struct arp_packet packet;
    struct udp_header udp;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    berth_handle socket = udp_socket(&peer, 0, 0);
    peer_wait(&peer, 29 * BERTH_SECOND);
    send_to(&peer, socket, PEER_IP);
    assert_int_equal(peer_drain(&peer), 1);
    peer_wait(&peer, 2 * BERTH_SECOND);
    assert_int_equal(neighbor_state(&peer), BERTH_NEIGHBOR_STALE);
    send_to(&peer, socket, PEER_IP);
    assert_true(peer_pull(&peer));
    assert_int_equal(neighbor_state(&peer), BERTH_NEIGHBOR_PROBE);
    out_udp(&peer, &udp);
    assert_true(peer_pull(&peer));
    out_arp(&peer, &packet);
    assert_memory_equal(peer.out, peer_mac, 6); /* asked directly */
    give_arp(&peer, ARP_REPLY, peer_mac, PEER_IP, HOST_IP);
    send_to(&peer, socket, PEER_IP);
    assert_int_equal(peer_drain(&peer), 1);
    /* The next time nobody answers. */
    peer_wait(&peer, 31 * BERTH_SECOND);
    send_to(&peer, socket, PEER_IP);
    assert_int_equal(peer_drain(&peer), 2);
    peer_wait(&peer, 2500 * BERTH_MS);
    assert_int_equal(peer_drain(&peer), 2);
    send_to(&peer, socket, PEER_IP);
    assert_true(peer_pull(&peer));
    out_udp(&peer, &udp);
    peer_wait(&peer, BERTH_SECOND);
    send_to(&peer, socket, PEER_IP);
    assert_true(peer_pull(&peer));
    out_arp(&peer, &packet);
    assert_memory_equal(peer.out, everyone, 6);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* The cache is bounded, and neither others' requests nor our own scan cost an active neighbour its
 * place. [826-5] */
static void test_flood(void **state) {
    (void)state;
    struct peer peer;
    uint8_t mac[6] = {2, 1, 0, 0, 0, 0};
    peer_config(&peer);
    peer.config.neighbor_max = 64;
    peer_start_bare(&peer);
    peer_add_link(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    struct berth_ip wide = berth_ip_v4(0x0a010001);
    assert_int_equal(berth_host_add_address(peer.host, 1, &wide, 16), 0);
    peer_meet(&peer);
    berth_handle socket = udp_socket(&peer, 0, 0);
    size_t memory = 0;
    for (uint32_t i = 2; i < 20000; i++) {
        store_be16(mac + 4, (uint16_t)i);
        give_arp(&peer, ARP_REQUEST, mac, 0x0a010000 + i, HOST_IP);
        peer_drain(&peer);
        if (i == 1000)
            memory = peer.counting.octets;
    }
    assert_int_equal(peer.counting.octets, memory);
    assert_true(berth_host_counters(peer.host)->neighbor_evicted > 19000);
    send_to(&peer, socket, PEER_IP);
    assert_int_equal(peer_drain(&peer), 1);
    for (uint32_t i = 2; i < 5000; i++) {
        send_to(&peer, socket, 0x0a010000 + i);
        peer_drain(&peer);
    }
    send_to(&peer, socket, PEER_IP);
    assert_true(peer_pull(&peer));
    assert_memory_equal(peer.out, peer_mac, 6);
    assert_int_equal(load_be16(peer.out + 12), ETHERNET_IPV4);
    peer_stop(&peer);
}

/* Many frames wait for one neighbour: a bound, and the newest are kept. */
static void test_queue_bound(void **state) {
    (void)state;
    struct peer peer;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 0);
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    for (uint32_t i = 0; i < 500; i++) {
        uint8_t data[4];
        store_be32(data, i);
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, 4, &to, peer.now), 4);
        peer_drain(&peer);
    }
    give_arp(&peer, ARP_REPLY, peer_mac, PEER_IP, HOST_IP);
    struct udp_header udp;
    uint32_t count = 0;
    while (peer_pull(&peer)) {
        assert_int_equal(load_be32(out_udp(&peer, &udp)), 500 - 64 + count);
        count++;
    }
    assert_int_equal(count, 64);
    peer_stop(&peer);
}

/* Someone claims the peer's address unasked: not within a second of a confirmation, and what is
 * believed is not taken as confirmed. [826-1] */
static void test_claims(void **state) {
    (void)state;
    struct peer peer;
    static const uint8_t other[6] = {2, 9, 9, 9, 9, 9};
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    berth_handle socket = udp_socket(&peer, 0, 0);
    give_arp(&peer, ARP_REPLY, other, PEER_IP, HOST_IP);
    send_to(&peer, socket, PEER_IP);
    assert_true(peer_pull(&peer));
    assert_memory_equal(peer.out, peer_mac, 6);
    peer_expect_silence(&peer);
    peer_wait(&peer, 2 * BERTH_SECOND);
    give_arp(&peer, ARP_REQUEST, other, PEER_IP, PEER_IP); /* gratuitous: it has moved */
    send_to(&peer, socket, PEER_IP);
    assert_true(peer_pull(&peer));
    assert_memory_equal(peer.out, other, 6);
    assert_true(peer_pull(&peer)); /* and is asked whether it is so */
    assert_int_equal(load_be16(peer.out + 12), ETHERNET_ARP);
    assert_memory_equal(peer.out, other, 6);
    /* Nobody learns of hosts that are not on the link. */
    give_arp(&peer, ARP_REQUEST, other, 0x0b000001, HOST_IP);
    assert_int_equal(peer_drain(&peer), 1);
    peer_stop(&peer);
}

/* Off-link destinations go to the gateway's link address; without a route nothing goes. */
static void test_gateway(void **state) {
    (void)state;
    struct peer peer;
    struct arp_packet packet;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    struct berth_ip any = berth_ip_v4(0), gateway = berth_ip_v4(PEER_IP);
    struct berth_ip far = berth_ip_v4(0x0b000001), net = berth_ip_v4(0x0b000000);
    struct berth_endpoint to = endpoint(0x08080808, 9);
    berth_handle socket = udp_socket(&peer, 0, 0);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), -ENETUNREACH);
    assert_int_equal(berth_host_add_route(peer.host, 1, &any, 0, &far), -ENETUNREACH);
    assert_int_equal(berth_host_add_route(peer.host, 9, &any, 0, &gateway), -ENODEV);
    assert_int_equal(berth_host_add_route(peer.host, 1, &far, 24, &gateway), -EINVAL);
    assert_int_equal(berth_host_add_route(peer.host, 1, &any, 33, &gateway), -EINVAL);
    assert_int_equal(berth_host_add_route(peer.host, 1, &any, 0, &gateway), 0);
    assert_int_equal(berth_host_add_route(peer.host, 1, &net, 8, NULL), 0);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
    assert_true(peer_pull(&peer));
    out_arp(&peer, &packet);
    assert_int_equal(packet.target_ip, PEER_IP);
    give_arp(&peer, ARP_REPLY, peer_mac, PEER_IP, HOST_IP);
    assert_true(peer_pull(&peer));
    struct ipv4_header ip;
    out_ip(&peer, &ip);
    assert_int_equal(ip.destination, 0x08080808);
    to = endpoint(0x0b000001, 9); /* the longer prefix: on link */
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
    assert_true(peer_pull(&peer));
    out_arp(&peer, &packet);
    assert_int_equal(packet.target_ip, 0x0b000001);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply),   cmocka_unit_test(test_no_reply),
        cmocka_unit_test(test_probe),   cmocka_unit_test(test_resolution),
        cmocka_unit_test(test_failure), cmocka_unit_test(test_reconfirmation),
        cmocka_unit_test(test_flood),   cmocka_unit_test(test_queue_bound),
        cmocka_unit_test(test_claims),  cmocka_unit_test(test_gateway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
