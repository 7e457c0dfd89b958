#include "test/unit/host/peer6.h"

static uint8_t data[70000], got[70000];

static ssize_t receive(struct peer *peer, berth_handle socket, size_t length) {
    return berth_socket_receive(peer->host, socket, got, length, 0, peer->now);
}

/* The datagram from the peer's port goes to that one of the sockets. */
static void expect_only(struct peer *peer, berth_handle *sockets, size_t count, size_t winner) {
    for (size_t i = 0; i < count; i++)
        assert_int_equal(receive(peer, sockets[i], 10), i == winner ? 1 : -EAGAIN);
}

/* The most specific socket gets it: connected, then bound to the address, then to the wildcard. */
static void test_match(void **state) {
    (void)state;
    struct peer peer;
    struct berth_endpoint remote = endpoint(PEER_IP, 600);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle sockets[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(berth_socket_open(peer.host, 4, BERTH_UDP, &sockets[i]), 0);
        berth_socket_set_option(peer.host, sockets[i], BERTH_SO_REUSEADDR, 1, peer.now);
        struct berth_endpoint local = endpoint(i == 0 ? 0 : HOST_IP, 500);
        assert_int_equal(berth_socket_bind(peer.host, sockets[i], &local), 0);
    }
    assert_int_equal(berth_socket_connect(peer.host, sockets[2], &remote, peer.now), 0);
    give_udp(&peer, 600, 500, "a", 1);
    expect_only(&peer, sockets, 3, 2);
    give_udp(&peer, 601, 500, "b", 1); /* another source than the connected one's */
    expect_only(&peer, sockets, 3, 1);
    assert_int_equal(berth_socket_close(peer.host, sockets[2], peer.now), 0);
    give_udp(&peer, 600, 500, "c", 1);
    expect_only(&peer, sockets, 2, 1);
    assert_int_equal(berth_socket_close(peer.host, sockets[1], peer.now), 0);
    give_udp(&peer, 600, 500, "d", 1);
    expect_only(&peer, sockets, 1, 0);
    give_udp(&peer, 600, 501, "e", 1);
    expect_only(&peer, sockets, 1, 1);
    peer_stop(&peer);
}

/* A connected socket alone: a datagram from elsewhere finds nobody. */
static void test_connected_filter(void **state) {
    (void)state;
    struct peer peer;
    struct berth_endpoint remote = endpoint(PEER_IP, 600), local;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 0);
    assert_int_equal(berth_socket_remote(peer.host, socket, &local), -ENOTCONN);
    assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), -EDESTADDRREQ);
    assert_int_equal(berth_socket_connect(peer.host, socket, &remote, peer.now), 0);
    assert_int_equal(berth_socket_local(peer.host, socket, &local), 0);
    assert_int_equal(berth_ip_to_v4(&local.ip), HOST_IP);
    assert_in_range(local.port, 1024, 65535);
    give_udp(&peer, 601, local.port, "x", 1);
    assert_int_equal(receive(&peer, socket, 10), -EAGAIN);
    assert_int_equal(peer_drain(&peer), 1); /* port unreachable */
    give_udp(&peer, 600, local.port, "x", 1);
    assert_int_equal(receive(&peer, socket, 10), 1);
    /* To port 0 (to learn the local address), to another peer, then to none. */
    remote.port = 0;
    assert_int_equal(berth_socket_connect(peer.host, socket, &remote, peer.now), 0);
    assert_int_equal(berth_socket_send(peer.host, socket, "x", 1, 0, peer.now), -EINVAL);
    remote.port = 601;
    assert_int_equal(berth_socket_connect(peer.host, socket, &remote, peer.now), 0);
    give_udp(&peer, 601, local.port, "x", 1);
    assert_int_equal(receive(&peer, socket, 10), 1);
    uint16_t port = local.port;
    assert_int_equal(berth_socket_connect(peer.host, socket, NULL, peer.now), 0);
    assert_int_equal(berth_socket_local(peer.host, socket, &local), 0);
    assert_int_equal(local.port, 0); /* it was chosen for the connection */
    give_udp(&peer, 601, port, "x", 1);
    assert_int_equal(receive(&peer, socket, 10), -EAGAIN);
    /* A port that was asked for stays. */
    berth_handle bound = udp_socket(&peer, 0, 700);
    assert_int_equal(berth_socket_connect(peer.host, bound, &remote, peer.now), 0);
    assert_int_equal(berth_socket_connect(peer.host, bound, NULL, peer.now), 0);
    assert_int_equal(berth_socket_local(peer.host, bound, &local), 0);
    assert_int_equal(local.port, 700);
    assert_int_equal(berth_ip_to_v4(&local.ip), 0);
    give_udp(&peer, 9, 700, "x", 1);
    assert_int_equal(receive(&peer, bound, 10), 1);
    peer_stop(&peer);
}

/* Zero octets are a datagram too; a short buffer cuts; a look leaves it there. */
static void test_receive(void **state) {
    (void)state;
    struct peer peer;
    struct berth_datagram meta;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    give_udp(&peer, 600, 500, NULL, 0);
    assert_int_equal(berth_socket_readiness(peer.host, socket), BERTH_READABLE | BERTH_WRITABLE);
    assert_int_equal(berth_socket_receive_from(peer.host, socket, got, 10, &meta, 0), 0);
    assert_int_equal(meta.length, 0);
    assert_int_equal(meta.source.port, 600);
    assert_int_equal(berth_socket_readiness(peer.host, socket), BERTH_WRITABLE);
    give_udp(&peer, 600, 500, "0123456789", 10);
    give_udp(&peer, 600, 500, "next", 4);
    assert_int_equal(berth_socket_receive_from(peer.host, socket, got, 4, &meta, BERTH_MSG_PEEK),
                     4);
    assert_int_equal(meta.length, 10);
    assert_int_equal(berth_socket_receive_from(peer.host, socket, got, 4, &meta, 0), 4);
    assert_memory_equal(got, "0123", 4);
    assert_int_equal(meta.length, 10);
    assert_int_equal(berth_socket_receive_from(peer.host, socket, got, 0, &meta, 0), 0);
    assert_int_equal(meta.length, 4);
    assert_int_equal(berth_socket_receive_from(peer.host, socket, got, 10, &meta, 0), -EAGAIN);
    peer_stop(&peer);
}

/* The queue is bounded in octets; the newest is dropped and counted; memory is what is charged. */
static void test_queue_bound(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 1400, 1920, 1921, 20000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct peer peer;
        peer_config(&peer);
        peer.config.udp_receive_buffer = 100000;
        peer_start_bare(&peer);
        peer_add_link(&peer, BERTH_LINK_RAW_IP, 65535, 0);
        berth_handle socket = udp_socket(&peer, 0, 500);
        give_udp(&peer, 600, 500, data, sizes[s]);
        assert_int_equal(receive(&peer, socket, sizeof got), sizes[s]);
        size_t before = peer.counting.octets;
        for (uint32_t i = 0; i < 4000; i++) {
            store_be32(data, i);
            give_udp(&peer, 600, 500, data, sizes[s]);
        }
        const struct berth_counters *counters = berth_host_counters(peer.host);
        assert_true(counters->udp_receive_buffer_errors > 0);
        assert_int_equal(counters->udp_receive_buffer_errors + counters->udp_in_datagrams, 4001);
        assert_true(peer.counting.octets - before < 140000);
        uint32_t count = 0;
        ssize_t length;
        while ((length = receive(&peer, socket, sizeof got)) >= 0) {
            assert_int_equal(length, sizes[s]);
            if (length >= 4)
                assert_int_equal(load_be32(got), count);
            count++;
        }
        assert_int_equal(count + 1, counters->udp_in_datagrams);
        struct berth_event events[2];
        assert_int_equal(berth_host_events(peer.host, events, 2), 1);
        assert_int_equal(events[0].bits, BERTH_READABLE);
        peer_stop(&peer);
    }
}

/* One datagram larger than the whole buffer is taken when the queue is empty. */
static void test_one_large(void **state) {
    (void)state;
    struct peer peer;
    peer_start(&peer, BERTH_LINK_RAW_IP, 65535, 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    berth_socket_set_option(peer.host, socket, BERTH_SO_RCVBUF, 1, peer.now);
    give_udp(&peer, 600, 500, data, 60000);
    give_udp(&peer, 600, 500, data, 1);
    assert_int_equal(receive(&peer, socket, sizeof got), 60000);
    assert_int_equal(receive(&peer, socket, sizeof got), -EAGAIN);
    peer_stop(&peer);
}

/* A sender whom nobody pulls for meets its buffer's end, and hears when there is room. */
static void test_send_bound(void **state) {
    (void)state;
    struct peer peer;
    struct berth_event event;
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    int sent = 0;
    while (berth_socket_send_to(peer.host, socket, data, 1000, &to, peer.now) == 1000)
        sent++;
    assert_in_range(sent, 100, 230);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1000, &to, peer.now), -EAGAIN);
    assert_int_equal(berth_socket_readiness(peer.host, socket), 0);
    assert_int_equal(berth_host_events(peer.host, &event, 1), 0);
    assert_int_equal(peer_drain(&peer), sent);
    assert_int_equal(berth_host_events(peer.host, &event, 1), 1);
    assert_int_equal(event.bits, BERTH_WRITABLE);
    assert_int_equal(berth_socket_readiness(peer.host, socket), BERTH_WRITABLE);
    /* What a closed socket had queued is still sent, and its memory comes back. */
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1000, &to, peer.now), 1000);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 5000, &to, peer.now), 5000);
    assert_int_equal(berth_socket_close(peer.host, socket, peer.now), 0);
    assert_int_equal(peer_drain(&peer), 5);
    peer_stop(&peer);
}

/* RFC 768: a sum of zero goes as all ones; zero would say that there is none. [1122-U3] */
static void test_checksum_zero(void **state) {
    (void)state;
    struct peer peer;
    struct udp_header udp;
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    unsigned ones = 0;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t payload[2];
        store_be16(payload, (uint16_t)i);
        assert_int_equal(berth_socket_send_to(peer.host, socket, payload, 2, &to, peer.now), 2);
        assert_true(peer_pull(&peer));
        out_udp(&peer, &udp);
        ones += udp.checksum == 0xffff;
    }
    assert_int_equal(ones, 1);
    peer_stop(&peer);
}

/* What comes to everyone comes to every socket of the port that takes it. */
static void test_broadcast(void **state) {
    (void)state;
    static const uint32_t many[] = {0xffffffff, 0x0a0000ff, 0xe0000001};
    struct peer peer;
    struct berth_endpoint remote = endpoint(PEER_IP, 600), other = endpoint(0x0a000003, 600);
    uint8_t message[64];
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle sockets[7];
    for (int i = 0; i < 7; i++) {
        static const uint32_t bound[] = {0, 0, HOST_IP, 0, 0, 0xffffffff, 0x0a0000ff};
        struct berth_endpoint local = endpoint(bound[i], i == 4 ? 756 : 500);
        assert_int_equal(berth_socket_open(peer.host, 4, BERTH_UDP, &sockets[i]), 0);
        berth_socket_set_option(peer.host, sockets[i], BERTH_SO_REUSEADDR, 1, peer.now);
        assert_int_equal(berth_socket_bind(peer.host, sockets[i], &local), 0);
    }
    assert_int_equal(berth_socket_connect(peer.host, sockets[1], &remote, peer.now), 0);
    assert_int_equal(berth_socket_connect(peer.host, sockets[3], &other, peer.now), 0);
    for (int i = 0; i < 3; i++) {
        size_t made = make_udp(message, PEER_IP, many[i], 600, 500, "x", 1);
        struct ipv4_header ip = {.protocol = IPV4_UDP, .destination = many[i]};
        give_ip(&peer, ip, message, made);
        assert_int_equal(receive(&peer, sockets[0], 10), 1);
        assert_int_equal(receive(&peer, sockets[1], 10), 1);
        assert_int_equal(receive(&peer, sockets[2], 10), -EAGAIN);
        assert_int_equal(receive(&peer, sockets[3], 10), -EAGAIN);
        assert_int_equal(receive(&peer, sockets[4], 10), -EAGAIN);
        assert_int_equal(receive(&peer, sockets[5], 10), i == 0 ? 1 : -EAGAIN);
        assert_int_equal(receive(&peer, sockets[6], 10), i == 1 ? 1 : -EAGAIN);
        peer_expect_silence(&peer);
    }
    peer_stop(&peer);
}

/* Sending to everyone needs leave; the frame goes to the link's group addresses. */
static void test_send_broadcast(void **state) {
    (void)state;
    struct peer peer;
    struct ipv4_header ip;
    struct berth_endpoint subnet = endpoint(0x0a0000ff, 9), all = endpoint(0xffffffff, 9);
    struct berth_endpoint group = endpoint(0xe1820304, 9);
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &subnet, peer.now), -EACCES);
    assert_int_equal(berth_socket_connect(peer.host, socket, &subnet, peer.now), -EACCES);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &all, peer.now),
                     -ENETUNREACH); /* as Linux without a default route */
    berth_socket_set_option(peer.host, socket, BERTH_SO_BROADCAST, 1, peer.now);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &subnet, peer.now), 1);
    assert_true(peer_pull(&peer));
    assert_memory_equal(peer.out, everyone, 6);
    struct berth_ip any = berth_ip_v4(0), gateway = berth_ip_v4(PEER_IP);
    assert_int_equal(berth_host_add_route(peer.host, 1, &any, 0, &gateway), 0);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &all, peer.now), 1);
    assert_true(peer_pull(&peer));
    assert_memory_equal(peer.out, everyone, 6);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &group, peer.now), 1);
    assert_true(peer_pull(&peer));
    assert_memory_equal(peer.out, "\x01\x00\x5e\x02\x03\x04", 6); /* RFC 1112 6.4 */
    out_ip(&peer, &ip);
    assert_int_equal(ip.destination, 0xe1820304);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* A group of SO_REUSEPORT shares what comes, each flow staying with one. */
static void test_reuseport(void **state) {
    (void)state;
    struct peer peer;
    berth_handle sockets[4];
    int taken[4] = {0};
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (int i = 0; i < 4; i++) {
        struct berth_endpoint local = endpoint(0, 500);
        assert_int_equal(berth_socket_open(peer.host, 4, BERTH_UDP, &sockets[i]), 0);
        berth_socket_set_option(peer.host, sockets[i], BERTH_SO_REUSEPORT, 1, peer.now);
        assert_int_equal(berth_socket_bind(peer.host, sockets[i], &local), 0);
    }
    for (uint16_t port = 1; port <= 1000; port++) {
        int winner = -1;
        for (int twice = 0; twice < 2; twice++) {
            give_udp(&peer, port, 500, "x", 1);
            for (int i = 0; i < 4; i++)
                if (receive(&peer, sockets[i], 10) == 1) {
                    assert_true(winner == -1 || winner == i);
                    winner = i;
                    taken[i]++;
                }
        }
        assert_int_not_equal(winner, -1);
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(taken[i], 350, 650);
    peer_stop(&peer);
}

/* Who wants no answer may send from port 0 (RFC 768), and is heard as on Linux; nobody has port 0,
 * so nobody can be sent to there. [6335-2] */
static void from_port_0(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct peer peer;
        struct berth_datagram meta;
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        berth_handle socket =
            family == 4 ? udp_socket(&peer, 0, 7000) : udp6_socket(&peer, any6, 7000);
        void (*give)(struct peer *, uint16_t, uint16_t, const void *, size_t) =
            family == 4 ? give_udp : give_udp6;
        give(&peer, 0, 7000, "abc", 3);
        give(&peer, 9, 0, "abc", 3);
        give(&peer, 0, 0, "abc", 3);
        peer_expect_silence(&peer);
        assert_int_equal(berth_socket_receive_from(peer.host, socket, got, sizeof got, &meta, 0),
                         3);
        assert_int_equal(meta.source.port, 0);
        assert_int_equal(receive(&peer, socket, 10), -EAGAIN);
        assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &meta.source, peer.now),
                         -EINVAL);
        peer_stop(&peer);
    }
}

int main(void) {
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + i / 256);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_port_0),           cmocka_unit_test(test_match),
        cmocka_unit_test(test_connected_filter), cmocka_unit_test(test_receive),
        cmocka_unit_test(test_queue_bound),      cmocka_unit_test(test_one_large),
        cmocka_unit_test(test_send_bound),       cmocka_unit_test(test_checksum_zero),
        cmocka_unit_test(test_broadcast),        cmocka_unit_test(test_send_broadcast),
        cmocka_unit_test(test_reuseport),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
