#include "test/unit/host/peer.h"

static int bind_new(struct peer *peer, int family, enum berth_protocol protocol, struct berth_ip ip,
                    uint16_t port, berth_handle *socket) {
    struct berth_endpoint local = {.ip = ip, .port = port};
    assert_int_equal(berth_socket_open(peer->host, family, protocol, socket), 0);
    return berth_socket_bind(peer->host, *socket, &local);
}

static const struct berth_ip v6_any = {{0}};
static const struct berth_ip v6_one = {{[15] = 1}};
static const struct berth_ip v6_global = {{0x20, 1, 0xd, 0xb8, [15] = 1}};

static void test_bind(void **state) {
    (void)state;
    const struct {
        int family;
        struct berth_ip ip;
        int tcp, udp;
    } cases[] = {
        {4, berth_ip_v4(0), 0, 0},
        {4, berth_ip_v4(HOST_IP), 0, 0},
        {4, berth_ip_v4(0x7f000001), 0, 0},
        {4, berth_ip_v4(0x7f123456), 0, 0},
        {4, berth_ip_v4(PEER_IP), -EADDRNOTAVAIL, -EADDRNOTAVAIL},
        {4, berth_ip_v4(0xffffffff), -EADDRNOTAVAIL, 0},
        {4, berth_ip_v4(0x0a0000ff), -EADDRNOTAVAIL, 0},
        {4, berth_ip_v4(0xe0000001), -EADDRNOTAVAIL, 0},
        {4, v6_any, -EAFNOSUPPORT, -EAFNOSUPPORT},
        {4, v6_one, -EAFNOSUPPORT, -EAFNOSUPPORT},
        {6, v6_any, 0, 0},
        {6, v6_one, 0, 0},
        {6, v6_global, -EADDRNOTAVAIL, -EADDRNOTAVAIL},
        {6, berth_ip_v4(HOST_IP), 0, 0},
    };
    struct peer peer;
    berth_handle socket;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int bound = bind_new(&peer, cases[i].family, BERTH_TCP, cases[i].ip, 80, &socket);
        assert_int_equal(bound, cases[i].tcp);
        berth_socket_close(peer.host, socket, peer.now);
        bound = bind_new(&peer, cases[i].family, BERTH_UDP, cases[i].ip, 80, &socket);
        assert_int_equal(bound, cases[i].udp);
        berth_socket_close(peer.host, socket, peer.now);
    }
    peer_stop(&peer);
}

static void test_connect_tcp(void **state) {
    (void)state;
    const struct {
        struct berth_ip bound, remote;
        uint16_t port;
        int result;
        uint32_t local; /* that the connection then has */
    } cases[] = {
        {berth_ip_v4(0), berth_ip_v4(PEER_IP), 80, -EINPROGRESS, HOST_IP},
        {berth_ip_v4(0), berth_ip_v4(HOST_IP), 80, -EINPROGRESS, HOST_IP},
        {berth_ip_v4(0), berth_ip_v4(0x7f000005), 80, -EINPROGRESS, 0x7f000001},
        {berth_ip_v4(0), berth_ip_v4(0), 80, -EINPROGRESS, 0x7f000001},
        {berth_ip_v4(HOST_IP), berth_ip_v4(0), 80, -EINPROGRESS, HOST_IP},
        {berth_ip_v4(0x7f000009), berth_ip_v4(0x7f000005), 80, -EINPROGRESS, 0x7f000009},
        {berth_ip_v4(HOST_IP), berth_ip_v4(PEER_IP), 80, -EINPROGRESS, HOST_IP},
        {berth_ip_v4(0x7f000001), berth_ip_v4(PEER_IP), 80, -EINVAL, 0},
        {berth_ip_v4(0), berth_ip_v4(0x08080808), 80, -ENETUNREACH, 0},
        {berth_ip_v4(0), berth_ip_v4(0x0a0000ff), 80, -ENETUNREACH, 0},
        {berth_ip_v4(0), berth_ip_v4(0xffffffff), 80, -ENETUNREACH, 0},
        {berth_ip_v4(0), berth_ip_v4(0xe0000001), 80, -ENETUNREACH, 0},
        {berth_ip_v4(0), berth_ip_v4(PEER_IP), 0, -ECONNREFUSED, 0},
        {berth_ip_v4(0), v6_global, 80, -EAFNOSUPPORT, 0},
    };
    struct peer peer;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        berth_handle socket;
        struct berth_endpoint remote = {.ip = cases[i].remote, .port = cases[i].port}, local;
        assert_int_equal(bind_new(&peer, 4, BERTH_TCP, cases[i].bound, 0, &socket), 0);
        assert_int_equal(berth_socket_connect(peer.host, socket, &remote, peer.now),
                         cases[i].result);
        if (cases[i].result == -EINPROGRESS) {
            assert_int_equal(berth_socket_local(peer.host, socket, &local), 0);
            assert_int_equal(berth_ip_to_v4(&local.ip), cases[i].local);
        }
        berth_socket_close(peer.host, socket, peer.now);
    }
    peer_stop(&peer);
}

/* A family 6 socket speaks IPv4 too, unless it may not. */
static void test_dual_stack(void **state) {
    (void)state;
    struct peer peer;
    berth_handle six, four, strict;
    uint8_t got[10];
    struct berth_datagram meta;
    struct berth_endpoint to = endpoint(PEER_IP, 9), nowhere = {.ip = v6_global, .port = 9};
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(bind_new(&peer, 6, BERTH_UDP, v6_any, 500, &six), 0);
    assert_int_equal(bind_new(&peer, 4, BERTH_UDP, berth_ip_v4(0), 500, &four), -EADDRINUSE);
    give_udp(&peer, 600, 500, "x", 1);
    assert_int_equal(berth_socket_receive_from(peer.host, six, got, 10, &meta, 0), 1);
    assert_int_equal(berth_ip_to_v4(&meta.source.ip), PEER_IP);
    assert_int_equal(berth_socket_send_to(peer.host, six, "x", 1, &to, peer.now), 1);
    assert_int_equal(berth_socket_send_to(peer.host, six, "x", 1, &nowhere, peer.now),
                     -ENETUNREACH);
    assert_int_equal(berth_socket_send_to(peer.host, four, "x", 1, &nowhere, peer.now),
                     -EAFNOSUPPORT);
    assert_int_equal(berth_socket_open(peer.host, 6, BERTH_UDP, &strict), 0);
    assert_int_equal(berth_socket_set_option(peer.host, strict, BERTH_V6ONLY, 1, peer.now), 0);
    struct berth_endpoint any = {.ip = v6_any, .port = 501}, mapped = endpoint(HOST_IP, 501);
    assert_int_equal(berth_socket_bind(peer.host, strict, &mapped), -EINVAL);
    assert_int_equal(berth_socket_send_to(peer.host, strict, "x", 1, &to, peer.now), -ENETUNREACH);
    assert_int_equal(berth_socket_bind(peer.host, strict, &any), 0);
    give_udp(&peer, 600, 501, "x", 1);
    assert_int_equal(berth_socket_receive(peer.host, strict, got, 10, 0, peer.now), -EAGAIN);
    berth_handle stream;
    assert_int_equal(berth_socket_open(peer.host, 6, BERTH_TCP, &stream), 0);
    assert_int_equal(berth_socket_set_option(peer.host, stream, BERTH_V6ONLY, 1, peer.now), 0);
    assert_int_equal(berth_socket_bind(peer.host, stream, &mapped), -EINVAL);
    assert_int_equal(berth_socket_connect(peer.host, stream, &to, peer.now), -ENETUNREACH);
    assert_int_equal(bind_new(&peer, 4, BERTH_UDP, berth_ip_v4(0), 501, &four), 0);
    assert_int_equal(berth_socket_connect(peer.host, four, &nowhere, peer.now), -EAFNOSUPPORT);
    peer_stop(&peer);
}

static void test_owner(void **state) {
    (void)state;
    struct peer peer;
    berth_handle tcp, udp, second;
    struct berth_endpoint at = endpoint(HOST_IP, 80);
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_socket_port_owner(peer.host, BERTH_TCP, &at), 0);
    assert_int_equal(bind_new(&peer, 4, BERTH_TCP, berth_ip_v4(0), 80, &tcp), 0);
    assert_int_equal(bind_new(&peer, 4, BERTH_UDP, berth_ip_v4(HOST_IP), 80, &udp), 0);
    assert_int_equal(berth_socket_listen(peer.host, tcp, 1), 0);
    assert_true(berth_socket_port_owner(peer.host, BERTH_TCP, &at) == tcp);
    assert_true(berth_socket_port_owner(peer.host, BERTH_UDP, &at) == udp);
    assert_int_equal(berth_socket_port_owner(peer.host, 99, &at), 0);
    assert_int_equal(bind_new(&peer, 4, BERTH_TCP, berth_ip_v4(HOST_IP), 80, &second), -EADDRINUSE);
    at.port = 81;
    assert_int_equal(berth_socket_port_owner(peer.host, BERTH_TCP, &at), 0);
    assert_int_equal(berth_socket_port_owner(peer.host, BERTH_UDP, &at), 0);
    peer_stop(&peer);
}

/* A listener, not who is merely bound; at the addresses that it covers; until it ends. */
static void test_listens(void **state) {
    (void)state;
    struct peer peer;
    berth_handle any, one;
    struct berth_endpoint at = endpoint(HOST_IP, 80), other = endpoint(0x7f000001, 80),
                          any6 = {.ip = {.bytes = {[15] = 1}}, .port = 80};
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(bind_new(&peer, 4, BERTH_TCP, berth_ip_v4(HOST_IP), 80, &one), 0);
    assert_false(berth_socket_port_listened(peer.host, &at));
    assert_int_equal(berth_socket_listen(peer.host, one, 1), 0);
    assert_true(berth_socket_port_listened(peer.host, &at));
    assert_false(berth_socket_port_listened(peer.host, &other));
    assert_int_equal(berth_socket_close(peer.host, one, peer.now), 0);
    assert_false(berth_socket_port_listened(peer.host, &at));
    assert_int_equal(bind_new(&peer, 6, BERTH_TCP, (struct berth_ip){{0}}, 80, &any), 0);
    assert_int_equal(berth_socket_listen(peer.host, any, 1), 0);
    assert_true(berth_socket_port_listened(peer.host, &at));
    assert_true(berth_socket_port_listened(peer.host, &other));
    assert_true(berth_socket_port_listened(peer.host, &any6));
    assert_int_equal(berth_socket_shutdown(peer.host, any, BERTH_SHUT_RD, peer.now), 0);
    assert_false(berth_socket_port_listened(peer.host, &at));
    peer_stop(&peer);
}

static void test_interfaces(void **state) {
    (void)state;
    struct peer peer;
    struct berth_interface_config config = {.link = BERTH_LINK_ETHERNET, .mtu = 1500};
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    config.mtu = 67;
    assert_int_equal(berth_host_add_interface(peer.host, &config), -EINVAL);
    config.mtu = 65536;
    assert_int_equal(berth_host_add_interface(peer.host, &config), -EINVAL);
    config.mtu = 1500;
    config.mac[0] = 1;
    assert_int_equal(berth_host_add_interface(peer.host, &config), -EINVAL);
    config.link = 9;
    assert_int_equal(berth_host_add_interface(peer.host, &config), -EINVAL);
    config.link = BERTH_LINK_RAW_IP;
    for (int i = 2; i < 32; i++)
        assert_int_equal(berth_host_add_interface(peer.host, &config), i);
    assert_int_equal(berth_host_add_interface(peer.host, &config), -ENOSPC);
    static const struct {
        int interface;
        uint32_t ip;
        unsigned prefix;
        int result;
    } cases[] = {
        {1, HOST_IP, 24, -EEXIST},     {2, HOST_IP, 24, -EEXIST},    {99, 0x0a000101, 24, -ENODEV},
        {-1, 0x0a000101, 24, -ENODEV}, {1, 0x0a000101, 33, -EINVAL}, {1, 0, 8, -EINVAL},
        {1, 0x7f000002, 8, -EINVAL},   {1, 0xe0000001, 8, -EINVAL},  {1, 0xffffffff, 8, -EINVAL},
        {0, 0x0a000101, 8, -EINVAL},   {0, 0x7f000002, 8, 0},        {3, 0x0a000101, 31, 0},
        {3, 0x0a000201, 32, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct berth_ip ip = berth_ip_v4(cases[i].ip);
        assert_int_equal(
            berth_host_add_address(peer.host, cases[i].interface, &ip, cases[i].prefix),
            cases[i].result);
    }
    struct berth_address listed[8];
    assert_int_equal(berth_host_addresses(peer.host, listed, 8), 6);
    assert_int_equal(berth_host_addresses(peer.host, listed, 1), 6);
    assert_memory_equal(listed[1].ip.bytes, v6_one.bytes, 16);
    assert_int_equal(listed[1].prefix, 128);
    assert_int_equal(listed[2].interface, 1);
    assert_int_equal(listed[2].prefix, 24);
    assert_int_equal(listed[2].mtu, 1500);
    assert_memory_equal(listed[2].mac, host_mac, 6);
    struct berth_ip own = berth_ip_v4(0x0a000201), local = berth_ip_v4(0x7f777777);
    struct berth_ip not_own = berth_ip_v4(PEER_IP);
    assert_true(berth_host_has_address(peer.host, &own));
    assert_true(berth_host_has_address(peer.host, &local));
    assert_false(berth_host_has_address(peer.host, &not_own));
    for (uint32_t i = 0; i < 250; i++) {
        struct berth_ip ip = berth_ip_v4(0x0c000001 + i);
        assert_int_equal(berth_host_add_address(peer.host, 4, &ip, 32), 0);
    }
    struct berth_ip last = berth_ip_v4(0x0d000001);
    assert_int_equal(berth_host_add_address(peer.host, 4, &last, 32), -ENOSPC);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bind),       cmocka_unit_test(test_connect_tcp),
        cmocka_unit_test(test_dual_stack), cmocka_unit_test(test_owner),
        cmocka_unit_test(test_listens),    cmocka_unit_test(test_interfaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
