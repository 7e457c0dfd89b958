/* The checksum of TCP: sent right, and required. */
#include "engine/wire/tcp_options.h"
#include "test/unit/conformance/segments.h"

/* All octets behind the end of options are zero; every option has its length. */
static void check_options(const struct tcp_header *header) {
    const uint8_t *at = header->options, *end = at + header->options_length;
    while (at < end && *at != 0) {
        if (*at == 1) {
            at++;
            continue;
        }
        assert_true(end - at >= 2 && at[1] >= 2 && at[1] <= end - at);
        at += at[1];
    }
    for (; at < end; at++)
        assert_int_equal(*at, 0);
}

/* Whatever the host sends, with each thing that the link may do for it: SYN, SYN-ACK, octets of odd
 * and even number, FIN, RST. MUST-2; MUST-68, MUST-69: and its options are whole. */
static void sent_right(void **state) {
    (void)state;
    static const uint8_t offloads[] = {0, BERTH_OFFLOAD_CHECKSUM,
                                       BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT};
    static const uint8_t rich[] = {2, 4, 5, 0xb4, 1, 3, 3, 7, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0};
    static uint8_t data[1400];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + i / 200);
    for (size_t i = 0; i < sizeof offloads; i++)
        for (size_t bare = 0; bare < 2; bare++) {
            struct peer peer;
            struct segment next = {.source_port = 1000,
                                   .destination_port = 80,
                                   .seq = 100,
                                   .flags = TCP_SYN,
                                   .window = 65535,
                                   .options = bare ? NULL : rich,
                                   .options_length = bare ? 0 : sizeof rich};
            struct tcp_header header;
            struct ipv4_header ip;
            berth_handle socket;
            peer_start(&peer, BERTH_LINK_RAW_IP, 1500, offloads[i]);
            berth_handle listener = tcp_listener(&peer, 0, 80);
            give_segment(&peer, &next);
            assert_true(peer_pull(&peer));
            out_segment(&peer, &header, &ip);
            check_options(&header);
            next = (struct segment){.source_port = 1000,
                                    .destination_port = 80,
                                    .seq = 101,
                                    .ack = header.seq + 1,
                                    .flags = TCP_ACK,
                                    .window = 65535};
            uint8_t stamps[12] = {1, 1, 8, 10, 0, 0, 0, 2};
            memcpy(stamps + 8, header.options + 8, bare ? 0 : 4);
            next.options = bare ? NULL : stamps;
            next.options_length = bare ? 0 : sizeof stamps;
            give_segment(&peer, &next);
            assert_int_equal(berth_socket_accept(peer.host, listener, &socket), 0);
            berth_socket_set_option(peer.host, socket, BERTH_TCP_NODELAY, 1, peer.now);
            for (size_t length = 1; length < 400; length += 7) {
                assert_int_equal(
                    berth_socket_send(peer.host, socket, data + length, length, 0, peer.now),
                    length);
                assert_true(peer_pull(&peer));
                assert_memory_equal(out_segment(&peer, &header, &ip), data + length, length);
                check_options(&header);
                next.ack += (uint32_t)length;
                give_segment(&peer, &next);
            }
            berth_socket_shutdown(peer.host, socket, BERTH_SHUT_WR, peer.now);
            assert_true(peer_pull(&peer));
            out_segment(&peer, &header, &ip);
            assert_true(header.flags & TCP_FIN);
            check_options(&header);
            assert_int_equal(berth_socket_abort(peer.host, socket, peer.now), 0);
            assert_true(peer_pull(&peer));
            out_segment(&peer, &header, &ip);
            assert_true(header.flags & TCP_RST);
            check_options(&header);
            struct berth_endpoint to = endpoint(PEER_IP, 9);
            socket = tcp_socket(&peer, 0, 0);
            assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), -EINPROGRESS);
            assert_true(peer_pull(&peer));
            out_segment(&peer, &header, &ip);
            assert_int_equal(header.flags, TCP_SYN);
            check_options(&header);
            peer_stop(&peer);
        }
}

/* MUST-3: with any one bit wrong, of the segment or of the addresses, a SYN, an ACK, a RST and a
 * FIN change nothing and are answered by nothing. */
static void required(void **state) {
    (void)state;
    static const uint16_t flags[] = {TCP_SYN, TCP_ACK | TCP_PSH, TCP_RST, TCP_FIN | TCP_ACK};
    struct peer peer;
    struct segment next;
    uint8_t octets[2048], got[16];
    struct berth_tcp_info before, after;
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle listener = tcp_listener(&peer, 0, 80);
    berth_handle socket = segments_open(&peer, listener, 80, &next);
    next.data = "abc";
    next.length = 3;
    assert_int_equal(berth_socket_tcp_info(peer.host, socket, &before), 0);
    uint64_t wrong = 0;
    for (size_t i = 0; i < 4; i++) {
        next.flags = flags[i];
        size_t length = make_segment(&peer, octets, &next);
        for (size_t bit = 20 * 8; bit < length * 8; bit++) {
            octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
            peer_give(&peer, octets, length);
            octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
            peer_expect_silence(&peer);
            wrong++;
        }
    }
    next.flags = TCP_ACK | TCP_PSH;
    next.ip.source = PEER_IP + 1; /* the checksum is made for this one, the header says the other */
    make_segment(&peer, octets, &next);
    uint8_t sum[2] = {octets[36], octets[37]};
    next.ip.source = PEER_IP;
    size_t length = make_segment(&peer, octets, &next);
    memcpy(octets + 36, sum, 2);
    peer_give(&peer, octets, length);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->tcp_in_errors, wrong + 1);
    assert_int_equal(berth_socket_tcp_info(peer.host, socket, &after), 0);
    assert_int_equal(after.state, BERTH_ESTABLISHED);
    assert_memory_equal(&before, &after, sizeof after);
    assert_int_equal(berth_socket_receive(peer.host, socket, got, 16, 0, peer.now), -EAGAIN);
    give_segment(&peer, &next);
    assert_int_equal(berth_socket_receive(peer.host, socket, got, 16, 0, peer.now), 3);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sent_right), cmocka_unit_test(required)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
