/* Sockets over IPv6: on the loopback, both families at once, and what the peer sees. */
#include "engine/wire/tcp.h"
#include "engine/wire/tcp_options.h"
#include "test/unit/host/peer6.h"
#include "test/unit/socket/loopback.h"

static uint8_t data[200000], got[200000];

static berth_handle listener_at(struct peer *peer, int family, struct berth_ip ip, uint16_t port,
                                int only, int *result) {
    berth_handle socket;
    struct berth_endpoint at = {.ip = ip, .port = port};
    assert_int_equal(berth_socket_open(peer->host, family, BERTH_TCP, &socket), 0);
    if (only)
        assert_int_equal(berth_socket_set_option(peer->host, socket, BERTH_V6ONLY, 1, peer->now),
                         0);
    *result = berth_socket_bind(peer->host, socket, &at);
    if (*result == 0)
        *result = berth_socket_listen(peer->host, socket, 5);
    return socket;
}

/* A stream to ::1, to `::` (which means it), and to IPv4's addresses by an IPv6 socket. */
static void streams(void **state) {
    (void)state;
    const struct {
        struct berth_ip to, from, at;
    } cases[] = {
        {one6, one6, one6},
        {any6, one6, one6},
        {host_ip6, host_ip6, host_ip6},
        {berth_ip_v4(0x7f000001), berth_ip_v4(0x7f000001), berth_ip_v4(0x7f000001)},
        {berth_ip_v4(0), berth_ip_v4(0x7f000001), berth_ip_v4(0x7f000001)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        int result;
        berth_handle client, server;
        struct berth_endpoint to = {.ip = cases[i].to, .port = 80}, name;
        peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
        berth_handle listener = listener_at(&peer, 6, any6, 80, 0, &result);
        assert_int_equal(result, 0);
        assert_int_equal(berth_socket_open(peer.host, 6, BERTH_TCP, &client), 0);
        assert_int_equal(berth_socket_connect(peer.host, client, &to, peer.now), -EINPROGRESS);
        settle(&peer);
        assert_int_equal(berth_socket_accept(peer.host, listener, &server), 0);
        assert_int_equal(berth_socket_remote(peer.host, server, &name), 0);
        assert_true(berth_ip_equal(&name.ip, &cases[i].from));
        assert_int_equal(berth_socket_local(peer.host, server, &name), 0);
        assert_true(berth_ip_equal(&name.ip, &cases[i].at));
        for (size_t at = 0; at < sizeof data; at++)
            data[at] = (uint8_t)(at * 7 + at / 999);
        carry(&peer, client, server, data, got, sizeof data);
        peer_stop(&peer);
    }
}

/* Linux's rules: `::` takes IPv4's ports, too, unless it may have IPv6 only. */
static void binds(void **state) {
    (void)state;
    struct peer peer;
    int result;
    struct berth_ip v4_any = berth_ip_v4(0), v4_own = berth_ip_v4(HOST_IP);
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    listener_at(&peer, 6, any6, 80, 0, &result);
    assert_int_equal(result, 0);
    listener_at(&peer, 4, v4_any, 80, 0, &result);
    assert_int_equal(result, -EADDRINUSE);
    listener_at(&peer, 4, v4_own, 80, 0, &result);
    assert_int_equal(result, -EADDRINUSE);
    listener_at(&peer, 6, host_ip6, 80, 0, &result);
    assert_int_equal(result, -EADDRINUSE);
    listener_at(&peer, 6, any6, 80, 1, &result);
    assert_int_equal(result, -EADDRINUSE);
    listener_at(&peer, 6, any6, 81, 1, &result);
    assert_int_equal(result, 0);
    listener_at(&peer, 4, v4_any, 81, 0, &result);
    assert_int_equal(result, 0);
    listener_at(&peer, 6, host_ip6, 81, 0, &result);
    assert_int_equal(result, -EADDRINUSE);
    listener_at(&peer, 6, host_ip6, 82, 0, &result);
    assert_int_equal(result, 0);
    listener_at(&peer, 6, host_local6, 82, 0, &result);
    assert_int_equal(result, 0);
    listener_at(&peer, 4, v4_any, 82, 0, &result);
    assert_int_equal(result, 0);
    listener_at(&peer, 6, any6, 82, 0, &result);
    assert_int_equal(result, -EADDRINUSE);
    peer_stop(&peer);
}

/* What a socket that is bound to one family's address answers to the other's. */
static void other_family(void **state) {
    (void)state;
    struct peer peer;
    berth_handle socket;
    struct berth_endpoint v6 = endpoint6(peer_ip6, 9), v4 = endpoint(PEER_IP, 9);
    struct berth_endpoint own6 = endpoint6(host_ip6, 0), own4 = endpoint(HOST_IP, 0);
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (int protocol = 0; protocol < 2; protocol++) {
        enum berth_protocol kind = protocol ? BERTH_TCP : BERTH_UDP;
        assert_int_equal(berth_socket_open(peer.host, 6, kind, &socket), 0);
        assert_int_equal(berth_socket_bind(peer.host, socket, &own4), 0);
        assert_int_equal(berth_socket_connect(peer.host, socket, &v6, peer.now), -EAFNOSUPPORT);
        assert_int_equal(berth_socket_open(peer.host, 6, kind, &socket), 0);
        assert_int_equal(berth_socket_bind(peer.host, socket, &own6), 0);
        assert_int_equal(berth_socket_connect(peer.host, socket, &v4, peer.now), -EINVAL);
        assert_int_equal(berth_socket_open(peer.host, 4, kind, &socket), 0);
        assert_int_equal(berth_socket_connect(peer.host, socket, &v6, peer.now), -EAFNOSUPPORT);
    }
    peer_stop(&peer);
}

/* 8200-3: RFC 8200 8.1: over IPv6 a datagram has a checksum, and a right one. */
static void udp_checksum(void **state) {
    (void)state;
    struct peer peer;
    uint8_t octets[100], received[10];
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp6_socket(&peer, any6, 500);
    size_t made = make_udp6(octets, &peer_ip6, &host_ip6, 600, 500, "hello", 5);
    uint16_t right = load_be16(octets + 6);
    const uint16_t sums[] = {0, right, (uint16_t)(right ^ 1), (uint16_t)~right, 0xffff};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        store_be16(octets + 6, sums[i]);
        give_ip6(&peer, (struct ipv6_header){.next = IPV4_UDP}, octets, made);
        assert_int_equal(berth_socket_receive(peer.host, socket, received, 10, 0, peer.now),
                         sums[i] == right ? 5 : -EAGAIN);
    }
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->udp_in_checksum_errors, 4);
    peer_stop(&peer);
}

static uint16_t tcp_sum(const struct ipv6_header *ip, const uint8_t *segment) {
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, &ip->source, &ip->destination, IPV4_TCP, ip->payload_length);
    checksum_add(&sum, segment, ip->payload_length);
    return checksum_finish(&sum);
}

/* A SYN over IPv6 says what fits behind 40 and 20 octets; it is refused in one round trip, so that
 * whoever asks for both families goes on at once. */
static void connect_and_refusal(void **state) {
    (void)state;
    struct peer peer;
    struct ipv6_header ip;
    struct tcp_header tcp;
    struct tcp_options options;
    struct berth_event event;
    berth_handle socket;
    struct berth_endpoint to = endpoint6(peer_ip6, 80);
    int error;
    peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_socket_open(peer.host, 6, BERTH_TCP, &socket), 0);
    assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), -EINPROGRESS);
    assert_true(peer_pull(&peer));
    const uint8_t *segment = out_ip6(&peer, &ip);
    assert_int_equal(ip.next, IPV4_TCP);
    assert_int_equal(tcp_sum(&ip, segment), 0);
    assert_int_equal(tcp_header_parse(segment, ip.payload_length, &tcp), 0);
    assert_int_equal(tcp_options_parse(tcp.options, tcp.options_length, true, &options), 0);
    assert_int_equal(options.mss, 1440);
    uint8_t octets[TCP_HEADER_MIN];
    struct tcp_header reset = {.source_port = 80,
                               .destination_port = tcp.source_port,
                               .ack = tcp.seq + 1,
                               .header_length = TCP_HEADER_MIN,
                               .flags = TCP_RST | TCP_ACK};
    struct ipv6_header back = {.source = peer_ip6,
                               .destination = host_ip6,
                               .next = IPV4_TCP,
                               .payload_length = TCP_HEADER_MIN};
    tcp_header_write(octets, &reset);
    store_be16(octets + 16, tcp_sum(&back, octets));
    give_ip6(&peer, back, octets, sizeof octets);
    assert_int_equal(berth_host_events(peer.host, &event, 1), 1);
    assert_true(event.bits & BERTH_ERROR);
    assert_int_equal(berth_socket_get_option(peer.host, socket, BERTH_SO_ERROR, &error), 0);
    assert_int_equal(error, ECONNREFUSED);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams),
        cmocka_unit_test(binds),
        cmocka_unit_test(other_family),
        cmocka_unit_test(udp_checksum),
        cmocka_unit_test(connect_and_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
