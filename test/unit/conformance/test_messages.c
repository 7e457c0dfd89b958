/* ICMP messages about open connections: ignored, told, or taken for the path's MTU. */
#include "test/unit/conformance/segments.h"

/* An error that quotes what was pulled last. */
static void give_error(struct peer *peer, uint8_t type, uint8_t code, uint32_t rest) {
    uint8_t quote[28];
    memcpy(quote, peer->out + peer->link, sizeof quote);
    give_icmp(peer, type, code, rest, quote, sizeof quote);
}

/* MUST-55, 6633-1: a source quench changes nothing. */
static void source_quench(void **state) {
    (void)state;
    struct peer peer;
    struct segment next;
    struct berth_tcp_info before, after;
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle listener = tcp_listener(&peer, 0, 80);
    berth_handle socket = segments_open(&peer, listener, 80, &next);
    assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), 1);
    assert_true(peer_pull(&peer));
    assert_int_equal(berth_socket_tcp_info(peer.host, socket, &before), 0);
    for (int i = 0; i < 100; i++)
        give_error(&peer, 4, 0, 0);
    peer_expect_silence(&peer);
    assert_int_equal(berth_socket_tcp_info(peer.host, socket, &after), 0);
    assert_memory_equal(&before, &after, sizeof after);
    peer_stop(&peer);
}

/* 6633-1: nor is one ever sent, however full the queues are. */
static void no_source_quench(void **state) {
    (void)state;
    struct peer peer;
    struct icmp_header icmp;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    udp_socket(&peer, 0, 7000);
    static uint8_t data[1400];
    for (int i = 0; i < 1000; i++) {
        give_udp(&peer, 7, i % 2 ? 7000 : 9999, data, sizeof data);
        while (peer_pull(&peer)) {
            out_icmp(&peer, &icmp);
            assert_int_equal(icmp.type, ICMP_UNREACHABLE);
        }
    }
    peer_stop(&peer);
}

/* 1191-3: a router that names no MTU: the next plateau below the datagram that it quotes; 8085-1:
 * who asks for it hears. */
static void plateaus(void **state) {
    (void)state;
    static const struct {
        uint32_t mtu, then;
    } cases[] = {{65535, 32000}, {9000, 8166}, {4000, 2002}, {1500, 1492}, {1400, 1006}};
    static uint8_t data[65508];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        struct berth_endpoint to = endpoint(PEER_IP, 9);
        peer_start(&peer, BERTH_LINK_RAW_IP, cases[i].mtu, 0);
        berth_handle socket = udp_socket(&peer, 0, 500);
        berth_socket_set_option(peer.host, socket, BERTH_IP_MTU_DISCOVER, 2, peer.now);
        size_t length = cases[i].mtu - 28;
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, length, &to, peer.now),
                         length);
        assert_true(peer_pull(&peer));
        give_error(&peer, 3, 4, 0);
        length = cases[i].then - 28 + 1;
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, length, &to, peer.now),
                         -EMSGSIZE);
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, 65508, &to, peer.now),
                         -EMSGSIZE);
        berth_handle other = udp_socket(&peer, 0, 501); /* what no datagram can hold, in any mode */
        assert_int_equal(berth_socket_send_to(peer.host, other, data, 65508, &to, peer.now),
                         -EMSGSIZE);
        length--;
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, length, &to, peer.now),
                         length);
        peer_stop(&peer);
    }
}

/* MUST-47: who asks for it hears of a soft error at once, while the connection lives; SHLD-20: who
 * does not, or no more, hears nothing. SHLD-25, MUST-56: these errors end nothing. */
static void soft_errors(void **state) {
    (void)state;
    static const struct {
        uint8_t type, code;
        int error;
    } cases[] = {{3, 0, ENETUNREACH},
                 {3, 1, EHOSTUNREACH},
                 {3, 5, EOPNOTSUPP},
                 {11, 0, EHOSTUNREACH},
                 {12, 0, EPROTO}};
    struct peer peer;
    struct segment next;
    struct berth_event events[8];
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle listener = tcp_listener(&peer, 0, 80);
    berth_handle socket = segments_open(&peer, listener, 80, &next);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int asked = 1; asked >= 0; asked--) {
            int error;
            bool told = false;
            berth_socket_set_option(peer.host, socket, BERTH_IP_RECVERR, asked, peer.now);
            berth_host_events(peer.host, events, 8);
            assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), 1);
            assert_true(peer_pull(&peer));
            give_error(&peer, cases[i].type, cases[i].code, 0);
            for (size_t n = berth_host_events(peer.host, events, 8); n > 0; n--)
                told |= events[n - 1].socket == socket && (events[n - 1].bits & BERTH_ERROR);
            assert_int_equal(told, asked);
            assert_int_equal(berth_socket_get_option(peer.host, socket, BERTH_SO_ERROR, &error), 0);
            assert_int_equal(error, asked ? cases[i].error : 0);
            assert_int_equal(berth_socket_get_option(peer.host, socket, BERTH_SO_ERROR, &error), 0);
            assert_int_equal(error, 0);
            next.ack++;
            give_segment(&peer, &next);
            peer_expect_silence(&peer);
        }
    assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), 1);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_quench),
        cmocka_unit_test(no_source_quench),
        cmocka_unit_test(plateaus),
        cmocka_unit_test(soft_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
