#include "test/unit/socket/loopback.h"

static uint8_t data[300000], got[300000];

static void run_tcp(uint32_t from, uint32_t to) {
    struct peer peer;
    berth_handle listener, client, server;
    struct berth_endpoint local = endpoint(to, 8080), name;
    struct berth_event events[4];
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_socket_open(peer.host, 4, BERTH_TCP, &listener), 0);
    assert_int_equal(berth_socket_bind(peer.host, listener, &local), 0);
    assert_int_equal(berth_socket_listen(peer.host, listener, 5), 0);
    assert_int_equal(berth_socket_open(peer.host, 4, BERTH_TCP, &client), 0);
    assert_int_equal(berth_socket_connect(peer.host, client, &local, peer.now), -EINPROGRESS);
    assert_true(berth_host_has_output(peer.host));
    settle(&peer);
    assert_int_equal(berth_host_events(peer.host, events, 4), 2);
    assert_int_equal(berth_socket_accept(peer.host, listener, &server), 0);
    assert_int_equal(berth_socket_remote(peer.host, server, &name), 0);
    assert_int_equal(berth_ip_to_v4(&name.ip), from);
    carry(&peer, client, server, data, got, sizeof data);
    peer_expect_silence(&peer); /* nothing of it is on the wire (RFC 1122 3.2.1.3) */
    assert_int_equal(berth_host_counters(peer.host)->ip_out_discards, 0);
    peer_stop(&peer);
}

/* [1122-IP10] */
static void test_tcp(void **state) {
    (void)state;
    run_tcp(0x7f000001, 0x7f000001);
    run_tcp(0x7f000001, 0x7f000035);
    run_tcp(HOST_IP, HOST_IP);
}

/* Every size of UDP in one piece; an ICMP error comes back to the sender. */
static void test_udp(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 118, 119, 1473, 65507};
    struct peer peer;
    struct berth_endpoint to = endpoint(0x7f000001, 500);
    struct berth_datagram meta;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle receiver = udp_socket(&peer, 0, 500), sender = udp_socket(&peer, 0, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(berth_socket_send_to(peer.host, sender, data, sizes[i], &to, peer.now),
                         sizes[i]);
        settle(&peer);
        assert_int_equal(berth_socket_receive_from(peer.host, receiver, got, sizeof got, &meta, 0),
                         sizes[i]);
        assert_memory_equal(got, data, sizes[i]);
        assert_int_equal(berth_ip_to_v4(&meta.source.ip), 0x7f000001);
    }
    for (int i = 0; i < 20; i++) { /* no rate limit within the host */
        to.port = 501;
        assert_int_equal(berth_socket_connect(peer.host, sender, &to, peer.now), 0);
        assert_int_equal(berth_socket_send(peer.host, sender, "x", 1, 0, peer.now), 1);
        settle(&peer);
        assert_int_equal(berth_socket_receive(peer.host, sender, got, 1, 0, peer.now),
                         -ECONNREFUSED);
    }
    assert_int_equal(berth_host_counters(peer.host)->ip_reasm_requireds, 0);
    peer_stop(&peer);
}

/* Many datagrams wait for one round; none is lost, whatever their number. */
static void test_many(void **state) {
    (void)state;
    struct peer peer;
    struct berth_endpoint to = endpoint(HOST_IP, 500);
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle receiver = udp_socket(&peer, 0, 500);
    for (uint32_t i = 0; i < 1000; i++) {
        store_be32(data, i);
        assert_int_equal(berth_socket_send_to(peer.host, receiver, data, 50, &to, peer.now), 50);
    }
    settle(&peer);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(berth_socket_receive(peer.host, receiver, got, 100, 0, peer.now), 50);
        assert_int_equal(load_be32(got), i);
    }
    to.port = 501; /* nor an ICMP error among as many */
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(berth_socket_send_to(peer.host, receiver, data, 50, &to, peer.now), 50);
    settle(&peer);
    assert_int_equal(berth_host_counters(peer.host)->icmp_in_msgs, 1000);
    peer_stop(&peer);
}

/* A socket connected to itself (simultaneous open, Linux too) ends in one connection. */
static void test_self(void **state) {
    (void)state;
    struct peer peer;
    berth_handle socket;
    struct berth_endpoint local = endpoint(0x7f000001, 9000);
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_socket_open(peer.host, 4, BERTH_TCP, &socket), 0);
    assert_int_equal(berth_socket_bind(peer.host, socket, &local), 0);
    assert_int_equal(berth_socket_connect(peer.host, socket, &local, peer.now), -EINPROGRESS);
    settle(&peer);
    assert_int_equal(berth_socket_send(peer.host, socket, "echo", 4, 0, peer.now), 4);
    settle(&peer);
    assert_int_equal(berth_socket_receive(peer.host, socket, got, 10, 0, peer.now), 4);
    assert_int_equal(berth_socket_close(peer.host, socket, peer.now), 0);
    settle(&peer);
    peer_stop(&peer);
}

int main(void) {
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + i / 256);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_self),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
