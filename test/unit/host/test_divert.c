#include "test/unit/host/peer.h"

/* Whatever nameserver a program asks, the caller gets the question and gives the answer.
 * [8085-1] */
static void test_answer(void **state) {
    (void)state;
    static const uint32_t servers[] = {PEER_IP, 0x08080808, 0x7f000035, HOST_IP};
    struct peer peer;
    struct berth_diverted question;
    struct berth_datagram meta;
    uint8_t got[100];
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_host_divert_udp(peer.host, 53);
    for (int connected = 0; connected < 2; connected++)
        for (size_t i = 0; i < 4; i++) {
            berth_handle socket = udp_socket(&peer, 0, 0);
            struct berth_endpoint server = endpoint(servers[i], 53);
            if (connected)
                assert_int_equal(berth_socket_connect(peer.host, socket, &server, peer.now), 0);
            assert_int_equal(berth_socket_send_to(peer.host, socket, "who?", 4,
                                                  connected ? NULL : &server, peer.now),
                             4);
            peer_expect_silence(&peer);
            assert_true(berth_host_take_diverted(peer.host, &question));
            assert_false(berth_host_take_diverted(peer.host, &question));
            assert_int_equal(question.length, 4);
            assert_memory_equal(question.data, "who?", 4);
            assert_int_equal(question.destination.port, 53);
            assert_int_equal(berth_ip_to_v4(&question.destination.ip), servers[i]);
            berth_host_inject_udp(peer.host, &question.destination, &question.source,
                                  (const uint8_t *)"you", 3, peer.now);
            assert_int_equal(
                berth_socket_receive_from(peer.host, socket, got, sizeof got, &meta, 0), 3);
            assert_int_equal(berth_ip_to_v4(&meta.source.ip), servers[i]);
            assert_int_equal(meta.source.port, 53);
            assert_int_equal(berth_socket_close(peer.host, socket, peer.now), 0);
        }
    peer_stop(&peer);
}

/* Other ports and long datagrams go their way; so does what an own socket is bound for.
 * [8085-1] */
static void test_limits(void **state) {
    (void)state;
    struct peer peer;
    struct berth_diverted taken;
    uint8_t data[1501] = {0};
    struct berth_endpoint to = endpoint(PEER_IP, 53);
    peer_start(&peer, BERTH_LINK_RAW_IP, 9000, 0);
    berth_handle socket = udp_socket(&peer, 0, 0);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1, &to, peer.now), 1);
    assert_int_equal(peer_drain(&peer), 1); /* off */
    berth_host_divert_udp(peer.host, 53);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1501, &to, peer.now), 1501);
    assert_int_equal(peer_drain(&peer), 1);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1500, &to, peer.now), 1500);
    assert_int_equal(peer_drain(&peer), 0);
    assert_true(berth_host_take_diverted(peer.host, &taken));
    assert_int_equal(taken.length, 1500);
    to.port = 54;
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1, &to, peer.now), 1);
    assert_int_equal(peer_drain(&peer), 1);
    berth_handle server = udp_socket(&peer, 0x7f000035, 53);
    to = endpoint(0x7f000035, 53);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 7, &to, peer.now), 7);
    peer_drain(&peer);
    assert_int_equal(berth_socket_receive(peer.host, server, data, 10, 0, peer.now), 7);
    assert_false(berth_host_take_diverted(peer.host, &taken));
    to = endpoint(HOST_IP, 53); /* bound there it is not */
    for (int i = 0; i < 100; i++)
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, 7, &to, peer.now), 7);
    int count = 0;
    while (berth_host_take_diverted(peer.host, &taken))
        count++;
    assert_int_equal(count, 64);
    peer_stop(&peer);
}

static void test_pass(void **state) {
    (void)state;
    struct peer peer;
    struct berth_diverted taken;
    struct udp_header udp;
    struct berth_endpoint to = endpoint(PEER_IP, 53);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_host_divert_udp(peer.host, 53);
    berth_handle socket = udp_socket(&peer, 0, 4000);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "who?", 4, &to, peer.now), 4);
    assert_true(berth_host_take_diverted(peer.host, &taken));
    berth_socket_close(peer.host, socket, peer.now);
    berth_host_pass_diverted(peer.host, &taken, peer.now);
    assert_true(peer_pull(&peer));
    assert_memory_equal(out_udp(&peer, &udp), "who?", 4);
    assert_int_equal(udp.source_port, 4000);
    assert_int_equal(udp.destination_port, 53);
    taken.destination = endpoint(0x08080808, 53);
    berth_host_pass_diverted(peer.host, &taken, peer.now);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->ip_out_no_routes, 1);
    /* An answer that nobody waits for harms nothing; one left untaken is freed with the host. */
    berth_host_inject_udp(peer.host, &taken.destination, &taken.source, taken.data, 4, peer.now);
    socket = udp_socket(&peer, 0, 4000);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "who?", 4, &to, peer.now), 4);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
