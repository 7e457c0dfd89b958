#include "test/unit/host/peer.h"

/* Every call that takes a handle, with one that names nothing. */
static void expect_stale(struct peer *peer, berth_handle stale) {
    struct berth_host *host = peer->host;
    struct berth_endpoint at = endpoint(HOST_IP, 80);
    struct berth_part part;
    struct berth_tcp_info info;
    struct berth_datagram meta;
    berth_handle other;
    uint8_t octet = 0;
    int value = 0;
    struct berth_block *block = berth_block_new(peer->config.allocator, 16);
    assert_int_equal(berth_socket_bind(host, stale, &at), -EBADF);
    assert_int_equal(berth_socket_listen(host, stale, 1), -EBADF);
    assert_int_equal(berth_socket_accept(host, stale, &other), -EBADF);
    assert_int_equal(berth_socket_connect(host, stale, &at, peer->now), -EBADF);
    assert_int_equal(berth_socket_send(host, stale, &octet, 1, 0, peer->now), -EBADF);
    assert_int_equal(berth_socket_receive(host, stale, &octet, 1, 0, peer->now), -EBADF);
    assert_int_equal(berth_socket_send_space(host, stale), -EBADF);
    assert_int_equal(berth_socket_send_block(host, stale, block, 0, 1, 0, peer->now), -EBADF);
    assert_int_equal(berth_socket_borrow(host, stale, &part, 1), -EBADF);
    assert_int_equal(berth_socket_give_back(host, stale, 0, peer->now), -EBADF);
    assert_int_equal(berth_socket_urgent(host, stale), -EBADF);
    assert_int_equal(berth_socket_send_to(host, stale, &octet, 1, &at, peer->now), -EBADF);
    assert_int_equal(berth_socket_receive_from(host, stale, &octet, 1, &meta, 0), -EBADF);
    assert_int_equal(berth_socket_shutdown(host, stale, BERTH_SHUT_WR, peer->now), -EBADF);
    assert_int_equal(berth_socket_close(host, stale, peer->now), -EBADF);
    assert_int_equal(berth_socket_abort(host, stale, peer->now), -EBADF);
    assert_int_equal(berth_socket_local(host, stale, &at), -EBADF);
    assert_int_equal(berth_socket_remote(host, stale, &at), -EBADF);
    assert_int_equal(berth_socket_set_user(host, stale, 1), -EBADF);
    assert_int_equal(berth_socket_readiness(host, stale), -EBADF);
    assert_int_equal(berth_socket_set_option(host, stale, BERTH_IP_TTL, 1, peer->now), -EBADF);
    assert_int_equal(berth_socket_get_option(host, stale, BERTH_IP_TTL, &value), -EBADF);
    assert_int_equal(berth_socket_tcp_info(host, stale, &info), -EBADF);
    berth_block_drop(block);
}

static void test_stale(void **state) {
    (void)state;
    struct peer peer;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    expect_stale(&peer, 0);
    expect_stale(&peer, UINT64_MAX);
    for (uint64_t bit = 0; bit < 64; bit++)
        expect_stale(&peer, UINT64_C(1) << bit);
    static const enum berth_protocol protocols[] = {BERTH_TCP, BERTH_UDP, BERTH_ICMP};
    for (int i = 0; i < 3; i++) {
        berth_handle first, second;
        assert_int_equal(berth_socket_open(peer.host, 4, protocols[i], &first), 0);
        for (int shift = 0; shift < 64; shift++) /* near misses */
            expect_stale(&peer, first ^ UINT64_C(1) << shift);
        assert_int_equal(berth_socket_close(peer.host, first, peer.now), 0);
        expect_stale(&peer, first);
        assert_int_equal(berth_socket_open(peer.host, 4, protocols[i], &second), 0);
        assert_true(first != second);
        expect_stale(&peer, first);
        assert_int_equal(berth_socket_abort(peer.host, second, peer.now), 0);
        expect_stale(&peer, second);
    }
    peer_stop(&peer);
}

static void test_open(void **state) {
    (void)state;
    struct peer peer;
    berth_handle socket;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_socket_open(peer.host, 5, BERTH_TCP, &socket), -EAFNOSUPPORT);
    assert_int_equal(berth_socket_open(peer.host, 4, 2, &socket), -EPROTONOSUPPORT);
    peer_stop(&peer);
}

/* A closed socket's event is not reported, and the next owner of the record does not inherit it. */
static void test_events(void **state) {
    (void)state;
    struct peer peer;
    struct berth_event events[8];
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle sockets[5];
    for (uint16_t i = 0; i < 5; i++) {
        sockets[i] = udp_socket(&peer, 0, (uint16_t)(500 + i));
        assert_int_equal(berth_socket_set_user(peer.host, sockets[i], 100u + i), 0);
        give_udp(&peer, 600, (uint16_t)(500 + i), "x", 1);
        give_udp(&peer, 600, (uint16_t)(500 + i), "y", 1);
    }
    berth_socket_close(peer.host, sockets[0], peer.now);
    berth_socket_close(peer.host, sockets[2], peer.now);
    berth_socket_close(peer.host, sockets[4], peer.now);
    berth_handle fresh = udp_socket(&peer, 0, 900);
    assert_int_equal(berth_host_events(peer.host, events, 1), 1);
    assert_true(events[0].socket == sockets[1]);
    assert_int_equal(events[0].user, 101);
    assert_int_equal(events[0].bits, BERTH_READABLE);
    assert_int_equal(berth_host_events(peer.host, events, 8), 1);
    assert_true(events[0].socket == sockets[3]);
    assert_int_equal(berth_host_events(peer.host, events, 8), 0);
    give_udp(&peer, 600, 900, "z", 1);
    assert_int_equal(berth_host_events(peer.host, events, 8), 1);
    assert_true(events[0].socket == fresh);
    assert_int_equal(events[0].user, 0);
    peer_stop(&peer);
}

/* Rows of all sockets, however few are asked for at a time. */
static void test_rows(void **state) {
    (void)state;
    struct peer peer;
    struct berth_endpoint remote = endpoint(PEER_IP, 600), local;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (uint16_t i = 0; i < 10; i++) {
        berth_handle socket = udp_socket(&peer, 0, (uint16_t)(500 + i)), listener;
        if (i == 3) {
            assert_int_equal(berth_socket_connect(peer.host, socket, &remote, peer.now), 0);
            give_udp(&peer, 600, 503, "12345", 5);
        }
        local = endpoint(HOST_IP, (uint16_t)(80 + i));
        assert_int_equal(berth_socket_open(peer.host, 4, BERTH_TCP, &listener), 0);
        assert_int_equal(berth_socket_bind(peer.host, listener, &local), 0);
        assert_int_equal(berth_socket_listen(peer.host, listener, 5), 0);
    }
    for (size_t step = 1; step < 30; step++) {
        struct berth_socket_row rows[30];
        uint64_t cursor = 0;
        size_t count = 0, got, listeners = 0, connected = 0;
        while ((got = berth_host_sockets(peer.host, &cursor, rows, step)) > 0)
            for (size_t i = 0; i < got; i++) {
                count++;
                listeners += rows[i].protocol == BERTH_TCP && rows[i].state == BERTH_LISTEN;
                assert_int_equal(berth_socket_local(peer.host, rows[i].socket, &local), 0);
                assert_int_equal(local.port, rows[i].local.port);
                if (rows[i].state == BERTH_ESTABLISHED) {
                    connected++;
                    assert_int_equal(rows[i].protocol, BERTH_UDP);
                    assert_int_equal(rows[i].remote.port, 600);
                    assert_true(rows[i].receive_queue >= 5);
                }
            }
        assert_int_equal(count, 20);
        assert_int_equal(listeners, 10);
        assert_int_equal(connected, 1);
    }
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
