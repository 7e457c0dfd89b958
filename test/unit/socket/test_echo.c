/* Sockets of echo requests (BERTH_ICMP), as Linux's SOCK_DGRAM with IPPROTO_ICMP and
 * IPPROTO_ICMPV6. */
#include "test/unit/host/peer6.h"

static const uint8_t request4[] = {8, 0, 0xff, 0xff, 0x99, 0x99, 0, 7, 'p', 'i', 'n', 'g'};
static const uint8_t request6[] = {128, 0, 0xff, 0xff, 0x99, 0x99, 0, 7, 'p', 'i', 'n', 'g'};

static berth_handle echo_socket(struct peer *peer, int family) {
    berth_handle socket;
    assert_int_equal(berth_socket_open(peer->host, family, BERTH_ICMP, &socket), 0);
    return socket;
}

static uint16_t identifier(struct peer *peer, berth_handle socket) {
    struct berth_endpoint local;
    assert_int_equal(berth_socket_local(peer->host, socket, &local), 0);
    return local.port;
}

static bool readable(struct peer *peer, berth_handle socket) {
    return berth_socket_readiness(peer->host, socket) & BERTH_READABLE;
}

/* A request bears the socket's identifier, whatever the program wrote there, and a right checksum;
 * the answer is for that socket alone, with its ICMP header. [1122-IC8] */
static void test_request(void **state) {
    (void)state;
    struct peer peer;
    struct icmp_header icmp;
    struct ipv4_header ip;
    struct berth_datagram meta;
    struct berth_event event;
    struct berth_endpoint to = endpoint(PEER_IP, 0);
    uint8_t got[100];
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    berth_handle socket = echo_socket(&peer, 4), other = echo_socket(&peer, 4);
    assert_int_equal(berth_socket_set_user(peer.host, socket, 77), 0);
    for (unsigned turn = 0; turn < 2; turn++) { /* with an address, then connected */
        assert_int_equal(berth_socket_send_to(peer.host, socket, request4, sizeof request4,
                                              turn ? NULL : &to, peer.now),
                         sizeof request4);
        assert_true(berth_host_has_output(peer.host));
        assert_true(peer_pull(&peer));
        const uint8_t *data = out_icmp(&peer, &icmp);
        out_ip(&peer, &ip);
        assert_int_equal(ip.destination, PEER_IP);
        assert_int_equal(ip.total_length, 20 + sizeof request4);
        assert_int_equal(icmp.type, ICMP_ECHO);
        uint16_t id = identifier(&peer, socket);
        assert_int_not_equal(id, 0);
        assert_int_equal(icmp.rest, (uint32_t)id << 16 | 7);
        assert_memory_equal(data, "ping", 4);

        give_icmp(&peer, ICMP_ECHO_REPLY, 0, (uint32_t)(id ^ 1) << 16 | 7, "ping", 4);
        assert_false(readable(&peer, socket));
        give_icmp(&peer, ICMP_ECHO_REPLY, 0, (uint32_t)id << 16 | 7, "pong", 4);
        assert_true(readable(&peer, socket));
        assert_false(readable(&peer, other));
        assert_int_equal(berth_host_events(peer.host, &event, 1), 1);
        assert_int_equal(event.socket, socket);
        assert_int_equal(event.user, 77);
        assert_int_equal(event.bits, BERTH_READABLE);
        assert_int_equal(berth_socket_receive_from(peer.host, socket, got, sizeof got, &meta, 0),
                         12);
        assert_int_equal(berth_ip_to_v4(&meta.source.ip), PEER_IP);
        assert_int_equal(meta.source.port, 0);
        assert_int_equal(meta.ttl, 64);
        assert_int_equal(got[0], ICMP_ECHO_REPLY);
        assert_memory_equal(got + 8, "pong", 4);
        assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), 0);
    }
    struct berth_endpoint same = endpoint(0, identifier(&peer, socket));
    assert_int_equal(berth_socket_bind(peer.host, other, &same), -EADDRINUSE);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* [4443-7] */
static void test_request6(void **state) {
    (void)state;
    struct peer peer;
    struct icmp_header icmp;
    struct berth_datagram meta;
    struct berth_endpoint to = endpoint6(peer_ip6, 0), to4 = endpoint(PEER_IP, 0);
    uint8_t got[100];
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer6_meet(&peer);
    berth_handle socket = echo_socket(&peer, 6), v4 = echo_socket(&peer, 4);
    assert_int_equal(
        berth_socket_send_to(peer.host, socket, request6, sizeof request6, &to, peer.now),
        sizeof request6);
    assert_true(peer_pull(&peer));
    const uint8_t *data = out_icmp6(&peer, &icmp);
    uint16_t id = identifier(&peer, socket);
    assert_int_equal(icmp.type, ICMP6_ECHO);
    assert_int_equal(icmp.rest, (uint32_t)id << 16 | 7);
    assert_memory_equal(data, "ping", 4);
    give_icmp6(&peer, ICMP6_ECHO_REPLY, 0, (uint32_t)id << 16 | 7, "pong", 4);
    assert_int_equal(berth_socket_receive_from(peer.host, socket, got, sizeof got, &meta, 0), 12);
    assert_true(berth_ip_equal(&meta.source.ip, &peer_ip6));
    assert_int_equal(got[0], ICMP6_ECHO_REPLY);
    /* One deals in one family only. */
    assert_int_equal(
        berth_socket_send_to(peer.host, socket, request6, sizeof request6, &to4, peer.now),
        -ENETUNREACH);
    assert_int_equal(berth_socket_send_to(peer.host, v4, request4, sizeof request4, &to, peer.now),
                     -EAFNOSUPPORT);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* Only requests may be sent, and no part of one. */
static void test_refused(void **state) {
    (void)state;
    struct peer peer;
    struct berth_endpoint to = endpoint(PEER_IP, 0);
    static uint8_t large[70000] = {8};
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    berth_handle socket = echo_socket(&peer, 4);
    for (size_t length = 0; length < 8; length++)
        assert_int_equal(berth_socket_send_to(peer.host, socket, request4, length, &to, peer.now),
                         -EINVAL);
    uint8_t message[sizeof request4];
    memcpy(message, request4, sizeof message);
    for (unsigned type = 0; type < 256; type++) {
        message[0] = (uint8_t)type;
        message[1] = type == 8;
        assert_int_equal(
            berth_socket_send_to(peer.host, socket, message, sizeof message, &to, peer.now),
            -EINVAL);
    }
    assert_int_equal(
        berth_socket_send_to(peer.host, socket, request4, sizeof request4, NULL, peer.now),
        -EDESTADDRREQ);
    /* 65,515 octets are what an IPv4 datagram holds. */
    assert_int_equal(berth_socket_send_to(peer.host, socket, large, 65516, &to, peer.now),
                     -EMSGSIZE);
    peer_expect_silence(&peer);
    assert_int_equal(berth_socket_send_to(peer.host, socket, large, 65515, &to, peer.now), 65515);
    assert_int_equal(peer_drain(&peer), 45);
    peer_stop(&peer);
}

/* A host asks itself: nothing of it is on the wire. */
static void test_loopback(void **state) {
    (void)state;
    struct peer peer;
    struct berth_endpoint to4 = endpoint(0x7f000001, 0), to6 = endpoint6(one6, 0);
    uint8_t got[100];
    peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    berth_handle v4 = echo_socket(&peer, 4), v6 = echo_socket(&peer, 6);
    assert_int_equal(berth_socket_send_to(peer.host, v4, request4, sizeof request4, &to4, peer.now),
                     12);
    assert_int_equal(berth_socket_send_to(peer.host, v6, request6, sizeof request6, &to6, peer.now),
                     12);
    peer_drain(&peer);
    assert_int_equal(berth_socket_receive(peer.host, v4, got, sizeof got, 0, peer.now), 12);
    assert_int_equal(got[0], ICMP_ECHO_REPLY);
    assert_int_equal(berth_socket_receive(peer.host, v6, got, sizeof got, 0, peer.now), 12);
    assert_int_equal(got[0], ICMP6_ECHO_REPLY);
    assert_int_equal(berth_host_counters(peer.host)->udp_in_datagrams, 0);
    peer_stop(&peer);
}

/* An error that quotes a request is its socket's, as UDP's are; one about another's is nobody's. */
static void test_errors(void **state) {
    (void)state;
    struct peer peer;
    struct berth_endpoint to = endpoint(PEER_IP, 0);
    int error;
    uint8_t quote[28];
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    berth_handle socket = echo_socket(&peer, 4);
    assert_int_equal(berth_socket_set_option(peer.host, socket, BERTH_IP_RECVERR, 1, peer.now), 0);
    assert_int_equal(
        berth_socket_send_to(peer.host, socket, request4, sizeof request4, &to, peer.now), 12);
    assert_true(peer_pull(&peer));
    memcpy(quote, peer.out + peer.link, sizeof quote);
    quote[25] ^= 1; /* another identifier */
    give_icmp(&peer, ICMP_TIME_EXCEEDED, 0, 0, quote, sizeof quote);
    assert_int_equal(berth_socket_get_option(peer.host, socket, BERTH_SO_ERROR, &error), 0);
    assert_int_equal(error, 0);
    quote[25] ^= 1;
    quote[20] = ICMP_ECHO_REPLY; /* none that it sent */
    give_icmp(&peer, ICMP_TIME_EXCEEDED, 0, 0, quote, sizeof quote);
    assert_int_equal(berth_socket_get_option(peer.host, socket, BERTH_SO_ERROR, &error), 0);
    assert_int_equal(error, 0);
    quote[20] = ICMP_ECHO;
    give_icmp(&peer, ICMP_TIME_EXCEEDED, 0, 0, quote, sizeof quote);
    assert_int_equal(berth_socket_readiness(peer.host, socket) & BERTH_ERROR, BERTH_ERROR);
    assert_int_equal(berth_socket_get_option(peer.host, socket, BERTH_SO_ERROR, &error), 0);
    assert_int_equal(error, EHOSTUNREACH);
    peer_stop(&peer);
}

/* [8085-1] What the path does not take whole is refused, if its sender wants no fragments. */
static void test_sizes(void **state) {
    (void)state;
    struct peer peer;
    struct berth_endpoint to = endpoint(PEER_IP, 0);
    uint8_t large[1481] = {ICMP_ECHO};
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = echo_socket(&peer, 4);
    assert_int_equal(berth_socket_set_option(peer.host, socket, BERTH_IP_MTU_DISCOVER, 2, peer.now),
                     0);
    assert_int_equal(berth_socket_send_to(peer.host, socket, large, 1480, &to, peer.now), 1480);
    assert_int_equal(peer_drain(&peer), 1);
    assert_int_equal(berth_socket_send_to(peer.host, socket, large, 1481, &to, peer.now),
                     -EMSGSIZE);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* Handles do not outlive their socket, nor the host's reset; memory that is out is said so. */
static void test_ends(void **state) {
    (void)state;
    struct peer peer;
    struct berth_endpoint to = endpoint(PEER_IP, 0), local;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    berth_handle socket;
    counting_fail_after(&peer.counting, 0);
    assert_int_equal(berth_socket_open(peer.host, 4, BERTH_ICMP, &socket), -ENOMEM);
    counting_recover(&peer.counting);
    socket = echo_socket(&peer, 4);
    assert_int_equal(
        berth_socket_send_to(peer.host, socket, request4, sizeof request4, &to, peer.now), 12);
    assert_int_equal(berth_socket_close(peer.host, socket, peer.now), 0);
    assert_int_equal(berth_socket_local(peer.host, socket, &local), -EBADF);
    assert_true(peer_pull(&peer)); /* what was sent goes out all the same */
    socket = echo_socket(&peer, 4);
    assert_int_equal(berth_host_reset(peer.host, peer.now), 0);
    assert_int_equal(berth_socket_local(peer.host, socket, &local), -EBADF);
    berth_handle after = echo_socket(&peer, 4);
    assert_int_not_equal(after, socket);
    assert_int_equal(berth_socket_open(peer.host, 4, 2, &socket), -EPROTONOSUPPORT);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request), cmocka_unit_test(test_request6),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_errors),  cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
