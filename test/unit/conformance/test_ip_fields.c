/* What TCP says in the IP header, and what it takes from there. */
#include "test/unit/conformance/segments.h"

static uint8_t tos_out(struct peer *peer) {
    struct tcp_header header;
    struct ipv4_header ip;
    assert_true(peer_pull(peer));
    out_segment(peer, &header, &ip);
    return ip.tos;
}

/* SHLD-21: set in the middle of the connection, the type of service is on the next segment;
 * SHLD-22: as it was given; SHLD-23: and nothing else changes it, neither the peer's nor a
 * retransmission. */
static void type_of_service(void **state) {
    (void)state;
    static const uint8_t values[] = {0x48, 0xb8, 0x04, 0xfc, 0};
    struct peer peer;
    struct segment next;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle listener = tcp_listener(&peer, 0, 80);
    berth_handle socket = segments_open(&peer, listener, 80, &next);
    for (size_t i = 0; i < sizeof values; i++) {
        berth_socket_set_option(peer.host, socket, BERTH_IP_TOS, values[i], peer.now);
        assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), 1);
        assert_int_equal(tos_out(&peer), values[i]);
        peer_expect_silence(&peer);
        peer_wait(&peer, berth_host_deadline(peer.host) - peer.now);
        assert_int_equal(tos_out(&peer), values[i]);
        next.ack++;
        next.ip.tos = 0x20;
        give_segment(&peer, &next);
        peer_expect_silence(&peer);
    }
    assert_int_equal(berth_socket_close(peer.host, socket, peer.now), 0);
    assert_int_equal(tos_out(&peer), 0);
    peer_stop(&peer);
}

/* MAY-4: every segment is an atomic datagram, so its identification means nothing: 0, the first
 * time and again. */
static void identification(void **state) {
    (void)state;
    struct peer peer;
    struct segment next;
    struct tcp_header header;
    struct ipv4_header ip;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle listener = tcp_listener(&peer, 0, 80);
    berth_handle socket = segments_open(&peer, listener, 80, &next);
    assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), 1);
    for (int i = 0; i < 3; i++) {
        assert_true(peer_pull(&peer));
        out_segment(&peer, &header, &ip);
        assert_true(ip.dont_fragment);
        assert_int_equal(ip.id, 0);
        peer_expect_silence(&peer);
        peer_wait(&peer, 2 * BERTH_SECOND << i);
    }
    peer_stop(&peer);
}

/* MUST-50: a SYN in a datagram with options that mean nothing to TCP is a SYN. MUST-51, MUST-52,
 * MUST-53, SHLD-24, done otherwise: one with a source route is dropped, and the answers have no
 * options. */
static void ip_options(void **state) {
    (void)state;
    static const struct {
        uint8_t octets[8];
        bool answered;
    } cases[] = {
        {{1, 1, 1, 1, 1, 1, 1, 0}, true},     {{148, 4, 0, 0, 0, 0, 0, 0}, true},
        {{7, 7, 4, 0, 0, 0, 0, 0}, true},     {{68, 8, 5, 0, 0, 0, 0, 0}, true},
        {{200, 6, 1, 2, 3, 4, 1, 0}, true},   {{131, 7, 4, 10, 0, 0, 3, 0}, false},
        {{137, 7, 4, 10, 0, 0, 3, 0}, false},
    };
    struct peer peer;
    struct tcp_header header;
    struct ipv4_header ip;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    tcp_listener(&peer, 0, 80);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct segment syn = {
            .ip = {.options = cases[i].octets, .options_length = 8},
            .source_port = (uint16_t)(1000 + i),
            .destination_port = 80,
            .flags = TCP_SYN,
            .window = 1000,
        };
        give_segment(&peer, &syn);
        assert_int_equal(peer_pull(&peer), cases[i].answered);
        if (!cases[i].answered)
            continue;
        out_segment(&peer, &header, &ip);
        assert_int_equal(header.flags, TCP_SYN | TCP_ACK);
        assert_int_equal(ip.header_length, 20);
    }
    peer_stop(&peer);
}

/* 6335-2: a segment from or to port 0 is dropped, and not answered by a reset either. */
static void port_0(void **state) {
    (void)state;
    struct peer peer;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    tcp_listener(&peer, 0, 80);
    for (unsigned i = 0; i < 3; i++)
        for (uint16_t flags = 0; flags < 64; flags++) {
            struct segment segment = {.source_port = i == 0 ? 1000 : 0,
                                      .destination_port = i == 1 ? 80 : 0,
                                      .flags = flags,
                                      .window = 1000};
            give_segment(&peer, &segment);
            peer_expect_silence(&peer);
        }
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_of_service),
        cmocka_unit_test(identification),
        cmocka_unit_test(ip_options),
        cmocka_unit_test(port_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
