#include "test/unit/host/peer.h"

static int get(struct peer *peer, berth_handle socket, enum berth_option option) {
    int value = -12345;
    int error = berth_socket_get_option(peer->host, socket, option, &value);
    return error ? error : value;
}

static int set(struct peer *peer, berth_handle socket, enum berth_option option, int value) {
    return berth_socket_set_option(peer->host, socket, option, value, peer->now);
}

/* TTL, TOS and DF reach the wire (RFC 1122 4.1.4). [1122-U7, 1122-IP5] */
static void test_wire(void **state) {
    (void)state;
    struct peer peer;
    struct ipv4_header ip;
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    assert_int_equal(get(&peer, socket, BERTH_IP_TTL), 64);
    assert_int_equal(set(&peer, socket, BERTH_IP_TTL, 0), -EINVAL);
    assert_int_equal(set(&peer, socket, BERTH_IP_TTL, 256), -EINVAL);
    assert_int_equal(set(&peer, socket, BERTH_IP_TTL, 3), 0);
    assert_int_equal(set(&peer, socket, BERTH_IP_TOS, 0xb8), 0);
    assert_int_equal(set(&peer, socket, BERTH_IP_MTU_DISCOVER, 0), 0);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
    assert_true(peer_pull(&peer));
    out_ip(&peer, &ip);
    assert_int_equal(ip.ttl, 3);
    assert_int_equal(ip.tos, 0xb8);
    assert_false(ip.dont_fragment);
    assert_int_equal(set(&peer, socket, BERTH_IP_TTL, -1), 0);
    assert_int_equal(set(&peer, socket, BERTH_IP_MTU_DISCOVER, 2), 0);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
    assert_true(peer_pull(&peer));
    out_ip(&peer, &ip);
    assert_int_equal(ip.ttl, 64);
    assert_true(ip.dont_fragment);
    for (int mode = 4; mode <= 5; mode++) { /* the link's MTU alone counts */
        assert_int_equal(set(&peer, socket, BERTH_IP_MTU_DISCOVER, mode), 0);
        assert_int_equal(get(&peer, socket, BERTH_IP_MTU_DISCOVER), mode);
        assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
        assert_true(peer_pull(&peer));
        out_ip(&peer, &ip);
        assert_false(ip.dont_fragment);
    }
    peer_stop(&peer);
}

/* What one datagram has of its own: its source, TTL and TOS; the next is as ever. */
static void test_send_with(void **state) {
    (void)state;
    struct peer peer;
    struct ipv4_header ip;
    const struct berth_ip second = berth_ip_v4(HOST_IP + 100), six = {.bytes = {[15] = 1}};
    const struct berth_endpoint to = endpoint(PEER_IP, 9);
    struct berth_send_options options = {.source = second, .ttl = 7, .tos = 0x10};
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    for (int connected = 0; connected < 2; connected++) {
        const struct berth_endpoint *named = connected ? NULL : &to;
        if (connected)
            assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), 0);
        options.source = second;
        if (!connected) {
            assert_int_equal(
                berth_socket_send_with(peer.host, socket, "x", 1, named, &options, peer.now),
                -ENETUNREACH);
            assert_int_equal(berth_host_add_address(peer.host, peer.interface, &second, 24), 0);
        }
        assert_int_equal(
            berth_socket_send_with(peer.host, socket, "x", 1, named, &options, peer.now), 1);
        assert_true(peer_pull(&peer));
        out_ip(&peer, &ip);
        assert_int_equal(ip.source, HOST_IP + 100);
        assert_int_equal(ip.ttl, 7);
        assert_int_equal(ip.tos, 0x10);
        options.source = six;
        assert_int_equal(
            berth_socket_send_with(peer.host, socket, "x", 1, named, &options, peer.now), -EINVAL);
        assert_int_equal(berth_socket_send_with(peer.host, socket, "x", 1, named, NULL, peer.now),
                         1);
        assert_true(peer_pull(&peer));
        out_ip(&peer, &ip);
        assert_int_equal(ip.source, HOST_IP);
        assert_int_equal(ip.ttl, 64);
        assert_int_equal(ip.tos, 0);
    }
    peer_stop(&peer);
}

static void test_values(void **state) {
    (void)state;
    static const enum berth_option flags[] = {BERTH_SO_REUSEADDR, BERTH_SO_REUSEPORT,
                                              BERTH_SO_BROADCAST, BERTH_IP_RECVERR};
    struct peer peer;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(get(&peer, socket, flags[i]), 0);
        assert_int_equal(set(&peer, socket, flags[i], 7), 0);
        assert_int_equal(get(&peer, socket, flags[i]), 1);
    }
    assert_int_equal(get(&peer, socket, BERTH_SO_RCVBUF), 212992);
    assert_int_equal(set(&peer, socket, BERTH_SO_RCVBUF, 10000), 0);
    assert_int_equal(get(&peer, socket, BERTH_SO_RCVBUF), 20000); /* Linux doubles */
    assert_int_equal(set(&peer, socket, BERTH_SO_SNDBUF, 1), 0);
    assert_int_equal(get(&peer, socket, BERTH_SO_SNDBUF), 4608);
    assert_int_equal(set(&peer, socket, BERTH_SO_RCVBUF, 1 << 30), 0);
    assert_int_equal(get(&peer, socket, BERTH_SO_RCVBUF), 425984);
    assert_int_equal(get(&peer, socket, BERTH_SO_ERROR), 0);
    assert_int_equal(get(&peer, socket, BERTH_SO_ACCEPTCONN), 0);
    assert_int_equal(get(&peer, socket, BERTH_SO_LINGER), -1);
    assert_int_equal(set(&peer, socket, BERTH_SO_ERROR, 1), -ENOPROTOOPT);
    assert_int_equal(set(&peer, socket, BERTH_TCP_NODELAY, 1), -ENOPROTOOPT);
    assert_int_equal(get(&peer, socket, BERTH_TCP_NODELAY), -ENOPROTOOPT);
    assert_int_equal(set(&peer, socket, BERTH_V6ONLY, 1), -ENOPROTOOPT);
    assert_int_equal(set(&peer, socket, BERTH_IP_MTU_DISCOVER, 6), -EINVAL);
    peer_stop(&peer);
}

/* Linux: a UDP socket that is not connected is shut down all the same, and says ENOTCONN. */
static void test_shutdown(void **state) {
    (void)state;
    struct peer peer;
    uint8_t got[10];
    struct berth_event event;
    struct berth_endpoint to = endpoint(PEER_IP, 600);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    assert_int_equal(berth_socket_shutdown(peer.host, socket, BERTH_SHUT_WR, peer.now), -ENOTCONN);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), -EPIPE);
    berth_handle connected = udp_socket(&peer, 0, 501);
    assert_int_equal(berth_socket_connect(peer.host, connected, &to, peer.now), 0);
    assert_int_equal(berth_socket_shutdown(peer.host, connected, BERTH_SHUT_RD, peer.now), 0);
    assert_int_equal(berth_host_events(peer.host, &event, 1), 1);
    assert_int_equal(event.bits, BERTH_READABLE | BERTH_PEER_CLOSED);
    give_udp(&peer, 600, 501, "x", 1);
    assert_int_equal(berth_socket_receive(peer.host, connected, got, 10, 0, peer.now), 1);
    assert_int_equal(berth_socket_receive(peer.host, connected, got, 10, 0, peer.now), 0);
    assert_int_equal(berth_socket_send(peer.host, connected, "x", 1, 0, peer.now), 1);
    assert_int_equal(berth_socket_shutdown(peer.host, connected, 9, peer.now), -EINVAL);
    peer_stop(&peer);
}

/* What a UDP socket cannot do. */
static void test_wrong_calls(void **state) {
    (void)state;
    struct peer peer;
    struct berth_part part;
    struct berth_tcp_info info;
    struct berth_endpoint to = endpoint(PEER_IP, 0);
    berth_handle other;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    assert_int_equal(berth_socket_listen(peer.host, socket, 1), -EOPNOTSUPP);
    assert_int_equal(berth_socket_accept(peer.host, socket, &other), -EOPNOTSUPP);
    assert_int_equal(berth_socket_borrow(peer.host, socket, &part, 1), -EOPNOTSUPP);
    assert_int_equal(berth_socket_give_back(peer.host, socket, 0, peer.now), -EOPNOTSUPP);
    assert_int_equal(berth_socket_send_space(peer.host, socket), -EOPNOTSUPP);
    assert_int_equal(berth_socket_urgent(peer.host, socket), -EOPNOTSUPP);
    assert_int_equal(berth_socket_tcp_info(peer.host, socket, &info), -EOPNOTSUPP);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), -EINVAL);
    assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, BERTH_MSG_OOB, peer.now),
                     -EOPNOTSUPP);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire),        cmocka_unit_test(test_send_with),
        cmocka_unit_test(test_values),      cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_wrong_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
