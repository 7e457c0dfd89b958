#include "test/unit/host/pair.h"

static uint8_t data[100000], got[100000];

/* A bit of everything that takes memory. Each call may fail for want of it, with a clean errno. */
static void exercise(struct peer *peer) {
    struct berth_host *host = peer->host;
    struct berth_interface_config config = {.link = BERTH_LINK_ETHERNET, .mtu = 1500};
    struct berth_ip own = berth_ip_v4(HOST_IP), any = berth_ip_v4(0),
                    gateway = berth_ip_v4(PEER_IP);
    berth_handle udp = 0, listener = 0, client = 0, server = 0;
    struct berth_endpoint local = endpoint(0, 80), self = endpoint(0x7f000001, 80);
    struct berth_endpoint remote = endpoint(PEER_IP, 9), name = endpoint(PEER_IP, 53);
    uint8_t message[2000];
    memcpy(config.mac, host_mac, 6);
    peer->interface = berth_host_add_interface(host, &config);
    peer->link = 14;
    berth_host_add_address(host, peer->interface, &own, 24);
    berth_host_add_route(host, peer->interface, &any, 0, &gateway);
    berth_host_divert_udp(host, 53);
    berth_socket_open(host, 4, BERTH_UDP, &udp);
    berth_socket_bind(host, udp, &local);
    berth_socket_send_to(host, udp, data, 100, &remote, peer->now);
    berth_socket_send_to(host, udp, data, 5000, &remote, peer->now);
    berth_socket_send_to(host, udp, data, 5, &name, peer->now);
    peer_drain(peer);
    give_arp(peer, ARP_REQUEST, peer_mac, PEER_IP, HOST_IP);
    give_arp(peer, ARP_REPLY, peer_mac, PEER_IP, HOST_IP);
    peer_drain(peer);
    give_udp(peer, 600, 80, data, 10);
    give_udp(peer, 600, 80, data, 2000);
    give_udp(peer, 600, 81, data, 2000);
    give_icmp(peer, ICMP_ECHO, 0, 1, data, 1000);
    size_t made = make_icmp(message, ICMP_ECHO, 0, 1, data, 1900);
    struct ipv4_header ip = {.protocol = IPV4_ICMP, .id = 9, .more_fragments = true};
    give_ip(peer, ip, message, 1000);
    ip.fragment_offset = 1000;
    ip.more_fragments = false;
    give_ip(peer, ip, message + 1000, made - 1000);
    peer_drain(peer);
    berth_socket_connect(host, udp, &remote, peer->now);
    berth_socket_open(host, 4, BERTH_TCP, &listener);
    berth_socket_bind(host, listener, &local);
    berth_socket_listen(host, listener, 5);
    berth_socket_open(host, 4, BERTH_TCP, &client);
    berth_socket_connect(host, client, &self, peer->now);
    peer_drain(peer);
    berth_socket_accept(host, listener, &server);
    berth_socket_send(host, client, data, sizeof data, 0, peer->now);
    peer_drain(peer);
    peer_wait(peer, BERTH_SECOND);
    peer_drain(peer);
    berth_socket_receive(host, server, got, sizeof got, 0, peer->now);
    berth_socket_close(host, client, peer->now);
    peer_drain(peer);
    peer_wait(peer, 40 * BERTH_SECOND);
    peer_drain(peer);
}

/* Each allocation fails in its turn; and all from it on. */
static void run_failing(bool only_one) {
    for (size_t at = 1;; at++) {
        struct peer peer;
        peer_config(&peer);
        if (only_one)
            peer.counting.fail_at = at;
        else
            peer.counting.fail_from = at;
        peer.host = berth_host_new(&peer.config);
        if (peer.host)
            exercise(&peer);
        size_t taken = peer.counting.calls;
        peer_stop(&peer);
        if (taken < at)
            return;
    }
}

static void test_one_fails(void **state) {
    (void)state;
    run_failing(true);
}

static void test_all_fail(void **state) {
    (void)state;
    run_failing(false);
}

/* What steady traffic takes it has taken at the start. */
static void test_no_growth(void **state) {
    (void)state;
    struct pair pair;
    berth_handle client, server;
    struct berth_endpoint remote = endpoint(PEER_IP, 500);
    pair_start(&pair, 1500, BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT);
    pair_connect(&pair, 80, &client, &server);
    berth_handle from = udp_socket(&pair.a, 0, 400), to = udp_socket(&pair.b, 0, 500);
    size_t taken = 0;
    for (int i = 0; i < 2000; i++) {
        if (i == 1000)
            taken = pair.a.counting.calls + pair.b.counting.calls;
        assert_int_equal(berth_socket_send_to(pair.a.host, from, data, 64, &remote, pair.a.now),
                         64);
        pair_settle(&pair);
        assert_int_equal(berth_socket_receive(pair.b.host, to, got, 100, 0, pair.a.now), 64);
    }
    assert_int_equal(pair.a.counting.calls + pair.b.counting.calls, taken);
    pair_stop(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_fails),
        cmocka_unit_test(test_all_fail),
        cmocka_unit_test(test_no_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
