/* Which addresses a connection may have, and which one it gets. */
#include "test/unit/conformance/segments.h"

static const struct segment syn = {
    .source_port = 1000, .destination_port = 80, .seq = 100, .flags = TCP_SYN, .window = 65535};

/* A SYN in a frame; true if it is answered by a SYN-ACK. */
static bool is_answered(struct peer *peer, const struct ipv4_header *ip, bool to_all) {
    uint8_t octets[2048];
    struct segment segment = syn;
    struct tcp_header header;
    struct ipv4_header out;
    segment.ip = *ip;
    size_t length = make_segment(peer, octets, &segment);
    if (to_all)
        memset(octets, 0xff, 6);
    peer_give(peer, octets, length);
    if (!peer_pull(peer))
        return false;
    if (load_be16(peer->out + 12) == ETHERNET_ARP)
        return false; /* the answer waits for the neighbour: not what is asked here */
    out_segment(peer, &header, &out);
    return header.flags == (TCP_SYN | TCP_ACK);
}

/* MUST-57: a SYN for a group, of IP or of the link, is dropped without a word; MUST-63: so is one
 * from an address that no other host has. Nothing is remembered of it. */
static void strange_syns(void **state) {
    (void)state;
    static const struct {
        uint32_t source, destination;
        bool to_all;
    } cases[] = {
        {PEER_IP, 0xffffffff, true},  {PEER_IP, 0x0a0000ff, true},  {PEER_IP, 0xe0000001, true},
        {PEER_IP, 0xffffffff, false}, {PEER_IP, 0x0a0000ff, false}, {PEER_IP, 0xe0000001, false},
        {PEER_IP, 0xefffffff, true},  {PEER_IP, HOST_IP, true},     {0xffffffff, HOST_IP, false},
        {0x0a0000ff, HOST_IP, false}, {0xe0000001, HOST_IP, false}, {0xf0000001, HOST_IP, false},
        {0x00000001, HOST_IP, false}, {0x7f000001, HOST_IP, false}, {HOST_IP, HOST_IP, false},
    };
    struct peer peer;
    struct berth_socket_row rows[4];
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    tcp_listener(&peer, 0, 80);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ipv4_header ip = {.source = cases[i].source, .destination = cases[i].destination};
        uint64_t cursor = 0;
        assert_false(is_answered(&peer, &ip, cases[i].to_all));
        peer_expect_silence(&peer);
        assert_int_equal(berth_host_sockets(peer.host, &cursor, rows, 4), 1);
    }
    struct ipv4_header right = {0};
    assert_true(is_answered(&peer, &right, false));
    peer_stop(&peer);
}

/* MUST-46: connect() to a group's address is refused, and nothing is sent. */
static void open_to_group(void **state) {
    (void)state;
    static const uint32_t groups[] = {0xffffffff, 0x0a0000ff, 0xe0000001, 0xe0010203, 0xefffffff};
    struct peer peer;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        berth_handle socket = tcp_socket(&peer, 0, 0);
        struct berth_endpoint to = endpoint(groups[i], 80);
        assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), -ENETUNREACH);
        peer_expect_silence(&peer);
    }
    peer_stop(&peer);
}

static void second_interface(struct peer *peer) {
    struct berth_interface_config config = {.link = BERTH_LINK_RAW_IP, .mtu = 1500};
    struct berth_ip second = berth_ip_v4(0x0b000001), third = berth_ip_v4(0x0a000009);
    assert_int_equal(berth_host_add_interface(peer->host, &config), 2);
    assert_int_equal(berth_host_add_address(peer->host, 2, &second, 24), 0);
    assert_int_equal(berth_host_add_address(peer->host, 1, &third, 24), 0);
}

/* What connect() to `to` sends from; bound before if `bound` is not 0. */
static uint32_t source_of(struct peer *peer, uint32_t bound, uint32_t to, int interface) {
    struct tcp_header header;
    struct ipv4_header ip;
    struct berth_endpoint remote = endpoint(to, 9);
    berth_handle socket = tcp_socket(peer, bound, 0);
    assert_int_equal(berth_socket_connect(peer->host, socket, &remote, peer->now), -EINPROGRESS);
    peer->interface = interface;
    assert_true(peer_pull(peer));
    out_segment(peer, &header, &ip);
    assert_int_equal(berth_socket_abort(peer->host, socket, peer->now), 0);
    peer_drain(peer);
    return ip.source;
}

/* MUST-43: the address that was bound; MUST-44: else the one that the route has. */
static void source(void **state) {
    (void)state;
    struct peer peer;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    second_interface(&peer);
    assert_int_equal(source_of(&peer, 0, PEER_IP, 1), HOST_IP);
    assert_int_equal(source_of(&peer, 0, 0x0b000002, 2), 0x0b000001);
    assert_int_equal(source_of(&peer, 0x0a000009, PEER_IP, 1), 0x0a000009);
    assert_int_equal(source_of(&peer, 0x0a000009, 0x0b000002, 2), 0x0a000009);
    peer_stop(&peer);
}

/* MUST-45: all segments have the address that the connection began with, though a better route, or
 * another address, comes later. */
static void source_stays(void **state) {
    (void)state;
    struct peer peer;
    struct tcp_header header;
    struct ipv4_header ip;
    struct segment next;
    struct berth_ip gateway = berth_ip_v4(0x0b000002), peer_ip = berth_ip_v4(PEER_IP);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle listener = tcp_listener(&peer, 0, 80);
    berth_handle socket = segments_open(&peer, listener, 80, &next);
    second_interface(&peer);
    assert_int_equal(berth_host_add_route(peer.host, 2, &peer_ip, 32, &gateway), 0);
    assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), 1);
    assert_int_equal(berth_socket_close(peer.host, socket, peer.now), 0);
    unsigned count = 0;
    for (int i = 0; i < 20; i++, peer_wait(&peer, BERTH_SECOND))
        for (peer.interface = 1; peer.interface <= 2; peer.interface++)
            while (peer_pull(&peer)) {
                out_segment(&peer, &header, &ip);
                assert_int_equal(ip.source, HOST_IP);
                count++;
            }
    assert_true(count > 3);
    peer_stop(&peer);
}

/* MUST-42: the same port at two addresses, and at the wildcard: three listeners, each with its own
 * connections; MUST-41: and a connection that is open goes on while they come and go. */
static void listeners(void **state) {
    (void)state;
    struct peer peer;
    struct segment first, next;
    uint8_t octet;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    second_interface(&peer);
    berth_handle one = tcp_listener(&peer, HOST_IP, 80);
    berth_handle open = segments_open(&peer, one, 80, &first), got;
    berth_handle two = tcp_listener(&peer, 0x0a000009, 80), other = tcp_listener(&peer, 0, 81);
    static const uint32_t to[] = {0x0a000009, HOST_IP};
    for (unsigned i = 0; i < 2; i++) {
        struct tcp_header header;
        struct ipv4_header ip;
        next = syn;
        next.source_port = (uint16_t)(2000 + i);
        next.ip.destination = to[i];
        give_segment(&peer, &next);
        assert_true(peer_pull(&peer));
        out_segment(&peer, &header, &ip);
        assert_int_equal(ip.source, to[i]);
        next.flags = TCP_ACK;
        next.seq++;
        next.ack = header.seq + 1;
        give_segment(&peer, &next);
        assert_int_equal(berth_socket_accept(peer.host, i ? two : one, &got), -EAGAIN);
        assert_int_equal(berth_socket_accept(peer.host, i ? one : two, &got), 0);
    }
    assert_int_equal(berth_socket_close(peer.host, two, peer.now), 0);
    assert_int_equal(berth_socket_close(peer.host, other, peer.now), 0);
    first.data = "x";
    first.length = 1;
    give_segment(&peer, &first);
    assert_int_equal(berth_socket_receive(peer.host, open, &octet, 1, 0, peer.now), 1);
    assert_int_equal(berth_socket_send(peer.host, open, "y", 1, 0, peer.now), 1);
    assert_true(peer_pull(&peer));
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strange_syns), cmocka_unit_test(open_to_group), cmocka_unit_test(source),
        cmocka_unit_test(source_stays), cmocka_unit_test(listeners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
