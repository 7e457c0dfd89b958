#include "test/unit/host/peer.h"

static void test_config(void **state) {
    (void)state;
    struct berth_host_config config;
    struct berth_host *host = berth_host_new(NULL);
    assert_non_null(host);
    assert_int_equal(berth_host_deadline(host), BERTH_NEVER);
    assert_false(berth_host_has_output(host));
    berth_host_free(host);
    berth_host_free(NULL);
    berth_host_config_init(&config);
    assert_int_equal(config.size, sizeof config);
    assert_int_equal(config.tcp_rto_min, 200 * BERTH_MS);
    assert_int_equal(config.tcp_syn_retries, 6);
    config.size = 0;
    assert_null(berth_host_new(&config));
    config.size = sizeof config + 8;
    assert_null(berth_host_new(&config));
    config.size = offsetof(struct berth_host_config, tcp_rto_initial); /* an older caller */
    config.tcp_rto_min = 0; /* beyond what it knows: not looked at */
    host = berth_host_new(&config);
    assert_non_null(host);
    berth_host_free(host);
    berth_host_config_init(&config);
    config.port_first = 0;
    assert_null(berth_host_new(&config));
    config.port_first = 5000;
    config.port_last = 4999;
    assert_null(berth_host_new(&config));
    berth_host_config_init(&config);
    config.default_ttl = 0;
    assert_null(berth_host_new(&config));
}

static void test_port_range(void **state) {
    (void)state;
    struct peer peer;
    struct berth_endpoint local;
    berth_handle socket;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_host_set_port_range(peer.host, 0, 5), -EINVAL);
    assert_int_equal(berth_host_set_port_range(peer.host, 6, 5), -EINVAL);
    assert_int_equal(berth_host_set_port_range(peer.host, 7777, 7777), 0);
    struct berth_endpoint first = endpoint(PEER_IP, 1), second = endpoint(PEER_IP, 2);
    berth_handle udp = udp_socket(&peer, 0, 0);
    assert_int_equal(berth_socket_connect(peer.host, udp, &first, peer.now), 0);
    assert_int_equal(berth_socket_local(peer.host, udp, &local), 0);
    assert_int_equal(local.port, 7777);
    /* One port serves many destinations in TCP, and is not there twice for one. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(berth_socket_open(peer.host, 4, BERTH_TCP, &socket), 0);
        assert_int_equal(
            berth_socket_connect(peer.host, socket, i == 1 ? &second : &first, peer.now),
            i < 2 ? -EINPROGRESS : -EADDRNOTAVAIL);
        assert_int_equal(berth_socket_local(peer.host, socket, &local), 0);
        if (i < 2)
            assert_int_equal(local.port, 7777);
    }
    peer_stop(&peer);
}

/* Two interfaces: each pull gets its own frames, and what the other meets waits. */
static void test_two_interfaces(void **state) {
    (void)state;
    struct peer peer;
    struct berth_interface_config config = {.link = BERTH_LINK_RAW_IP, .mtu = 1500};
    struct berth_ip second = berth_ip_v4(0x0b000001);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_host_add_interface(peer.host, &config), 2);
    assert_int_equal(berth_host_add_address(peer.host, 2, &second, 24), 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    struct ipv4_header ip;
    for (uint32_t i = 0; i < 100; i++) {
        struct berth_endpoint to = endpoint((i % 3 ? 0x0a000000 : 0x0b000000) + 2 + i, 9);
        assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
    }
    unsigned counts[3] = {0};
    for (int interface = 1; interface <= 2; interface++) {
        peer.interface = interface;
        assert_true(berth_host_has_output(peer.host));
        while (peer_pull(&peer)) {
            out_ip(&peer, &ip);
            assert_int_equal(ip.destination >> 24, interface == 1 ? 10 : 11);
            assert_int_equal(ip.source, interface == 1 ? HOST_IP : 0x0b000001);
            counts[interface]++;
        }
    }
    assert_int_equal(counts[1], 66);
    assert_int_equal(counts[2], 34);
    assert_false(berth_host_has_output(peer.host));
    /* RFC 1122 4.1.3.5: an answer from the address that was asked, whichever way it came. */
    assert_int_equal(berth_host_output(peer.host, 3, NULL, 1, peer.now), 0);
    assert_int_equal(berth_host_output(peer.host, -1, NULL, 1, peer.now), 0);
    /* A queue that nobody pulls is bounded. */
    peer.interface = 1;
    for (int i = 0; i < 6000; i++) {
        struct berth_endpoint to = endpoint(0x0b000002, 9);
        assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
        peer_expect_silence(&peer);
    }
    assert_int_equal(berth_host_counters(peer.host)->ip_out_discards, 6000 - 4096);
    peer_stop(&peer);
}

/* Time that goes back stands still. */
static void test_time(void **state) {
    (void)state;
    struct peer peer;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    berth_handle socket = udp_socket(&peer, 0, 500);
    peer.now = 100 * BERTH_SECOND;
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
    assert_int_equal(peer_drain(&peer), 1);
    uint64_t deadline = berth_host_deadline(peer.host);
    assert_in_range(deadline, 101 * BERTH_SECOND - 1, 101 * BERTH_SECOND + 2 * BERTH_MS);
    berth_host_advance(peer.host, 0);
    berth_host_advance(peer.host, 50 * BERTH_SECOND);
    peer_expect_silence(&peer);
    assert_true(berth_host_deadline(peer.host) == deadline);
    struct berth_endpoint other = endpoint(PEER_IP + 1, 9); /* a call from 50 s ago */
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &other, 50 * BERTH_SECOND), 1);
    peer.now = 50 * BERTH_SECOND;
    assert_int_equal(peer_drain(&peer), 1);
    assert_true(berth_host_deadline(peer.host) == deadline);
    peer.now = 1;
    give_arp(&peer, ARP_REPLY, peer_mac, PEER_IP, HOST_IP);
    assert_int_equal(peer_drain(&peer), 1);
    berth_host_advance(peer.host, UINT64_MAX / 2);
    peer_stop(&peer);
}

/* A batch of segments for many connections, ICMP and UDP among them, comes out as if one by one. */
static void test_batch(void **state) {
    (void)state;
    struct peer peer;
    struct berth_frame frames[100];
    uint8_t octets[2000], message[1600];
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    for (uint16_t i = 0; i < 100; i++) {
        struct ipv4_header ip = {.protocol = i % 2 ? IPV4_UDP : IPV4_TCP};
        size_t made = make_udp(message, PEER_IP, HOST_IP, (uint16_t)(i + 1), 500, "abcd", 4);
        if (i % 2 == 0) { /* a SYN to a closed port: each is answered by a reset */
            memset(message + 4, 0, 16);
            message[12] = 0x50;
            message[13] = 0x02;
            made = 20;
        }
        made = make_ip(&peer, octets, ip, message, made);
        memset(&frames[i], 0, offsetof(struct berth_frame, header));
        assert_int_equal(berth_frame_from_bytes(&frames[i], peer.config.allocator, octets, made),
                         0);
        frames[i].flags = BERTH_FRAME_CHECKSUM_OK;
    }
    assert_int_equal(berth_host_input(peer.host, 1, frames, 100, peer.now), 0);
    for (int i = 0; i < 100; i++)
        berth_frame_clear(&frames[i]);
    struct berth_datagram meta;
    for (uint16_t i = 1; i < 100; i += 2) {
        assert_int_equal(berth_socket_receive_from(peer.host, socket, octets, 10, &meta, 0), 4);
        assert_int_equal(meta.source.port, i + 1);
    }
    for (uint16_t i = 0; i < 100; i += 2) {
        struct ipv4_header ip;
        assert_true(peer_pull(&peer));
        const uint8_t *tcp = out_ip(&peer, &ip);
        assert_int_equal(load_be16(tcp + 2), i + 1);
        assert_int_equal(tcp[13] & 0x04, 0x04);
    }
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),         cmocka_unit_test(test_port_range),
        cmocka_unit_test(test_two_interfaces), cmocka_unit_test(test_time),
        cmocka_unit_test(test_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
