/* Reports of errors (BERTH_IP_RECVERR, Linux's MSG_ERRQUEUE): what they say, and what SO_ERROR and
 * readiness say while they wait. */
#include "engine/wire/tcp.h"
#include "test/unit/host/peer6.h"

static uint8_t got[70000], data[130000];

static void option(struct peer *peer, berth_handle socket, enum berth_option which, int value) {
    assert_int_equal(berth_socket_set_option(peer->host, socket, which, value, peer->now), 0);
}

static int socket_error(struct peer *peer, berth_handle socket) {
    int error = -1;
    assert_int_equal(berth_socket_get_option(peer->host, socket, BERTH_SO_ERROR, &error), 0);
    return error;
}

static bool told(struct peer *peer, berth_handle socket) {
    struct berth_event events[8];
    bool found = false;
    for (size_t n = berth_host_events(peer->host, events, 8); n > 0; n--)
        found |= events[n - 1].socket == socket && (events[n - 1].bits & BERTH_ERROR);
    return found;
}

static bool level(struct peer *peer, berth_handle socket) {
    return berth_socket_readiness(peer->host, socket) & BERTH_ERROR;
}

static ssize_t take(struct peer *peer, berth_handle socket, struct berth_error_report *report) {
    return berth_socket_receive_report(peer->host, socket, got, sizeof got, report, 0);
}

/* The frame that was pulled last comes back in an error. */
static void blame(struct peer *peer, uint8_t type, uint8_t code, uint32_t rest) {
    static uint8_t quote[1600];
    size_t length = peer->out_length - peer->link;
    memcpy(quote, peer->out + peer->link, length);
    if (quote[0] >> 4 == 6)
        give_icmp6(peer, type, code, rest, quote, length);
    else
        give_icmp(peer, type, code, rest, quote, length);
}

/* A datagram of an unconnected socket, in either family: who, where to, what, and the payload that
 * the quote bears. [1122-U2] */
static void datagrams(void **state) {
    (void)state;
    static const struct {
        int family;
        uint8_t type, code;
        uint32_t rest, info;
        int error;
    } cases[] = {
        {4, 3, 3, 0, 0, ECONNREFUSED},   {4, 11, 0, 0, 0, EHOSTUNREACH},
        {4, 3, 4, 1400, 1400, EMSGSIZE}, {4, 12, 0, 0x14000000, 0x14, EPROTO},
        {6, 1, 4, 0, 0, ECONNREFUSED},   {6, 3, 0, 0, 0, EHOSTUNREACH},
        {6, 2, 0, 1400, 1400, EMSGSIZE}, {6, 4, 1, 6, 6, EPROTO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        struct berth_error_report report;
        bool v6 = cases[i].family == 6;
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        struct berth_endpoint to = v6 ? endpoint6(peer_ip6, 9) : endpoint(PEER_IP, 9);
        berth_handle socket = v6 ? udp6_socket(&peer, any6, 4000) : udp_socket(&peer, 0, 4000);
        berth_handle other = v6 ? udp6_socket(&peer, any6, 4001) : udp_socket(&peer, 0, 4001);
        option(&peer, socket, BERTH_IP_RECVERR, 1);
        option(&peer, other, BERTH_IP_RECVERR, 1);
        assert_int_equal(take(&peer, socket, &report), -EAGAIN);
        assert_int_equal(berth_socket_send_to(peer.host, socket, "hello", 5, &to, peer.now), 5);
        assert_true(peer_pull(&peer));
        blame(&peer, cases[i].type, cases[i].code, cases[i].rest);
        assert_true(told(&peer, socket));
        assert_true(level(&peer, socket));
        assert_int_equal(socket_error(&peer, socket), cases[i].error);
        assert_true(level(&peer, socket)); /* as on Linux: the report waits still */
        memset(got, 0, sizeof got);
        assert_int_equal(
            berth_socket_receive_report(peer.host, socket, got, 2, &report, BERTH_MSG_PEEK), 2);
        assert_int_equal(take(&peer, socket, &report), 5);
        assert_memory_equal(got, "hello", 5);
        assert_int_equal(report.length, 5);
        assert_int_equal(report.error, cases[i].error);
        assert_int_equal(report.origin, v6 ? BERTH_BY_ICMP6 : BERTH_BY_ICMP);
        assert_int_equal(report.type, cases[i].type);
        assert_int_equal(report.code, cases[i].code);
        assert_int_equal(report.info, cases[i].info);
        assert_int_equal(report.ttl, 64);
        assert_int_equal(report.interface, peer.interface);
        assert_true(berth_ip_equal(&report.offender, &to.ip));
        assert_true(berth_ip_equal(&report.remote.ip, &to.ip));
        assert_int_equal(report.remote.port, 9);
        assert_true(berth_ip_equal(&report.local, v6 ? &host_ip6 : &(struct berth_ip){0}) == v6);
        assert_int_equal(take(&peer, socket, &report), -EAGAIN);
        assert_false(level(&peer, socket));
        assert_int_equal(take(&peer, other, &report), -EAGAIN); /* none of another's */
        peer_stop(&peer);
    }
}

/* A host with a socket that asks for reports. */
static berth_handle reporting(struct peer *peer) {
    peer_start(peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(peer, 0, 4000);
    option(peer, socket, BERTH_IP_RECVERR, 1);
    return socket;
}

/* SO_ERROR follows the queue: the next one's error when one is taken, none after the last; and each
 * further one is news. Who does not ask for reports gets none. */
static void order(void **state) {
    (void)state;
    struct peer peer;
    struct berth_error_report report;
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    berth_handle socket = reporting(&peer);
    assert_int_equal(berth_socket_send_to(peer.host, socket, "one", 3, &to, peer.now), 3);
    assert_true(peer_pull(&peer));
    blame(&peer, 3, 1, 0);
    blame(&peer, 3, 3, 0);
    assert_true(told(&peer, socket));
    assert_int_equal(berth_socket_receive(peer.host, socket, got, 9, 0, peer.now), -ECONNREFUSED);
    assert_int_equal(berth_socket_receive(peer.host, socket, got, 9, 0, peer.now), -EAGAIN);
    assert_int_equal(take(&peer, socket, &report), 3);
    assert_int_equal(report.error, EHOSTUNREACH);
    assert_true(told(&peer, socket));
    assert_int_equal(socket_error(&peer, socket), ECONNREFUSED);
    assert_int_equal(take(&peer, socket, &report), 3);
    assert_int_equal(report.error, ECONNREFUSED);
    assert_int_equal(socket_error(&peer, socket), 0);
    assert_false(told(&peer, socket));
    blame(&peer, 3, 1, 0);
    assert_int_equal(take(&peer, socket, &report), 3);
    assert_int_equal(berth_socket_receive(peer.host, socket, got, 9, 0, peer.now), -EAGAIN);
    option(&peer, socket, BERTH_IP_RECVERR, 0);
    blame(&peer, 3, 1, 0);
    assert_int_equal(take(&peer, socket, &report), -EAGAIN);
    peer_stop(&peer);
}

/* An echo request's quote begins with its ICMP header, and nothing has a port. */
static void echoes(void **state) {
    (void)state;
    static const uint8_t request[2][10] = {{8, 0, 0, 0, 0, 0, 0, 7, 'h', 'i'},
                                           {128, 0, 0, 0, 0, 0, 0, 7, 'h', 'i'}};
    for (int v6 = 0; v6 < 2; v6++) {
        struct peer peer;
        berth_handle socket;
        struct berth_error_report report;
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        struct berth_endpoint to = v6 ? endpoint6(peer_ip6, 0) : endpoint(PEER_IP, 0);
        assert_int_equal(berth_socket_open(peer.host, v6 ? 6 : 4, BERTH_ICMP, &socket), 0);
        option(&peer, socket, BERTH_IP_RECVERR, 1);
        assert_int_equal(berth_socket_send_to(peer.host, socket, request[v6], 10, &to, peer.now),
                         10);
        assert_true(peer_pull(&peer));
        blame(&peer, v6 ? 3 : 11, 0, 0);
        assert_int_equal(take(&peer, socket, &report), 10);
        assert_int_equal(got[0], v6 ? 128 : 8);
        assert_memory_equal(got + 6, request[v6] + 6, 4);
        assert_int_equal(report.error, EHOSTUNREACH);
        assert_int_equal(report.remote.port, 0);
        assert_true(berth_ip_equal(&report.remote.ip, &to.ip));
        peer_stop(&peer);
    }
}

/* What is too long for a socket that forbids fragments is told with the MTU; SO_ERROR says nothing.
 * [8085-1] */
static void sizes(void **state) {
    (void)state;
    static const struct {
        size_t length;
        int family, mode;
        bool connected, reported;
        uint16_t port;
    } cases[] = {
        {1473, 4, 2, false, true, 0},  {1473, 4, 2, true, true, 9},    {1473, 4, 3, false, true, 0},
        {65508, 4, 1, false, true, 0}, {65536, 4, 1, false, false, 0}, {1453, 6, 2, false, true, 9},
        {65528, 6, 1, true, true, 9},  {128000, 6, 1, false, true, 9}, {1473, 4, 4, false, true, 0},
        {1453, 6, 4, false, true, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        struct berth_error_report report;
        bool v6 = cases[i].family == 6;
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        struct berth_endpoint to = v6 ? endpoint6(peer_ip6, 9) : endpoint(PEER_IP, 9);
        berth_handle socket = v6 ? udp6_socket(&peer, any6, 4000) : udp_socket(&peer, 0, 4000);
        if (cases[i].connected)
            assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), 0);
        option(&peer, socket, BERTH_IP_MTU_DISCOVER, cases[i].mode);
        assert_int_equal(
            berth_socket_send_to(peer.host, socket, data, cases[i].length, &to, peer.now),
            -EMSGSIZE);
        assert_false(level(&peer, socket));
        option(&peer, socket, BERTH_IP_RECVERR, 1);
        assert_int_equal(
            berth_socket_send_to(peer.host, socket, data, cases[i].length, &to, peer.now),
            -EMSGSIZE);
        assert_int_equal(told(&peer, socket), cases[i].reported);
        assert_int_equal(level(&peer, socket), cases[i].reported);
        assert_int_equal(socket_error(&peer, socket), 0);
        assert_int_equal(take(&peer, socket, &report), cases[i].reported ? 0 : -EAGAIN);
        if (cases[i].reported) {
            assert_int_equal(report.origin, BERTH_BY_HOST);
            assert_int_equal(report.error, EMSGSIZE);
            assert_int_equal(report.info, 1500);
            assert_int_equal(report.remote.port, cases[i].port);
            assert_true(berth_ip_equal(&report.remote.ip, &to.ip));
            assert_true(berth_ip_is_any(&report.offender));
        }
        peer_stop(&peer);
    }
}

/* IP_PMTUDISC_OMIT: what is longer than the link's MTU goes in fragments. */
static void omitted(void **state) {
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct peer peer;
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        struct berth_endpoint to = v6 ? endpoint6(peer_ip6, 9) : endpoint(PEER_IP, 9);
        berth_handle socket = v6 ? udp6_socket(&peer, any6, 4000) : udp_socket(&peer, 0, 4000);
        option(&peer, socket, BERTH_IP_MTU_DISCOVER, 5);
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, 2000, &to, peer.now), 2000);
        assert_true(peer_pull(&peer));
        assert_true(peer_pull(&peer));
        assert_false(peer_pull(&peer));
        peer_stop(&peer);
    }
}

/* A neighbour that does not answer: as told by a message from ourselves, with the quote cut to what
 * such a message bears. RFC 1122 2.3.2.2. */
static void neighbours(void **state) {
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct peer peer;
        struct berth_error_report report;
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (uint8_t)(i * 3);
        peer6_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
        struct berth_endpoint to = v6 ? endpoint6(peer_ip6, 9) : endpoint(PEER_IP, 9);
        berth_handle socket = v6 ? udp6_socket(&peer, any6, 4000) : udp_socket(&peer, 0, 4000);
        option(&peer, socket, BERTH_IP_RECVERR, 1);
        assert_int_equal(berth_socket_send_to(peer.host, socket, data, 1400, &to, peer.now), 1400);
        for (int second = 0; second < 10; second++) {
            peer_drain(&peer);
            peer_wait(&peer, BERTH_SECOND);
        }
        ssize_t quoted = v6 ? 1232 - 48 : 548 - 28;
        assert_int_equal(take(&peer, socket, &report), quoted);
        assert_memory_equal(got, data, quoted);
        assert_int_equal(report.error, EHOSTUNREACH);
        assert_int_equal(report.type, v6 ? 1 : 3);
        assert_int_equal(report.code, v6 ? 3 : 1);
        assert_true(berth_ip_equal(&report.offender, &report.local));
        assert_true(berth_host_has_address(peer.host, &report.offender));
        peer_stop(&peer);
    }
}

/* TCP reports what ends an attempt to connect, and of connections that are up nothing. RFC 5927 4:
 * only what quotes the SYN. */
static void attempts(void **state) {
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct peer peer;
        berth_handle socket;
        struct berth_error_report report;
        peer6_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
        struct berth_endpoint to = v6 ? endpoint6(peer_ip6, 80) : endpoint(PEER_IP, 80);
        assert_int_equal(berth_socket_open(peer.host, v6 ? 6 : 4, BERTH_TCP, &socket), 0);
        option(&peer, socket, BERTH_IP_RECVERR, 1);
        assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), -EINPROGRESS);
        assert_true(peer_pull(&peer));
        size_t seq = (v6 ? 40u : 20u) + 7;
        peer.out[seq] ^= 0x40;
        blame(&peer, v6 ? 1 : 3, 0, 0);
        assert_int_equal(take(&peer, socket, &report), -EAGAIN);
        peer.out[seq] ^= 0x40;
        blame(&peer, v6 ? 1 : 3, 0, 0);
        assert_true(level(&peer, socket));
        assert_int_equal(take(&peer, socket, &report), peer.out_length - (v6 ? 40 : 20));
        assert_int_equal(load_be16(got + 2), 80);
        assert_int_equal(report.error, ENETUNREACH);
        assert_int_equal(report.remote.port, 80);
        assert_int_equal(socket_error(&peer, socket), 0); /* as on Linux: it went with the report */
        assert_int_equal(take(&peer, socket, &report), -EAGAIN);
        peer_stop(&peer);
    }
}

/* What waits is bounded by the receive buffer; it goes with the socket, and with the host's power;
 * and memory that is out loses a report, no more. */
static void bounds(void **state) {
    (void)state;
    struct peer peer;
    struct berth_error_report report;
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    berth_handle socket = reporting(&peer);
    option(&peer, socket, BERTH_SO_RCVBUF, 2304);
    assert_int_equal(berth_socket_send_to(peer.host, socket, data, 400, &to, peer.now), 400);
    assert_true(peer_pull(&peer));
    for (int i = 0; i < 100; i++)
        blame(&peer, 3, 3, 0);
    int count = 0;
    while (take(&peer, socket, &report) == 400)
        count++;
    assert_in_range(count, 4, 11); /* of 4608 octets */
    for (size_t nth = 0; nth < 4; nth++) {
        berth_handle poor = udp_socket(&peer, 0, (uint16_t)(5000 + nth));
        option(&peer, poor, BERTH_IP_RECVERR, 1);
        assert_int_equal(berth_socket_send_to(peer.host, poor, "x", 1, &to, peer.now), 1);
        assert_true(peer_pull(&peer));
        counting_fail_after(&peer.counting, nth);
        blame(&peer, 3, 3, 0);
        counting_recover(&peer.counting);
        ssize_t r = take(&peer, poor, &report);
        assert_true(r == 1 || r == -EAGAIN);
        assert_int_equal(level(&peer, poor), r == -EAGAIN); /* SO_ERROR needs no memory */
        blame(&peer, 3, 3, 0);
        assert_int_equal(berth_socket_close(peer.host, poor, peer.now), 0);
        assert_int_equal(take(&peer, poor, &report), -EBADF);
    }
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &to, peer.now), 1);
    assert_true(peer_pull(&peer));
    blame(&peer, 3, 3, 0);
    assert_int_equal(berth_host_reset(peer.host, peer.now), 0);
    assert_int_equal(take(&peer, socket, &report), -EBADF);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams), cmocka_unit_test(order),   cmocka_unit_test(echoes),
        cmocka_unit_test(sizes),     cmocka_unit_test(omitted), cmocka_unit_test(neighbours),
        cmocka_unit_test(attempts),  cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
