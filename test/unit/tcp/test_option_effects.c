/* What socket options do, as on Linux: beyond that they are kept. */
#include "test/unit/tcp/opened.h"

enum { MSS = 1000 };

/* TCP_NOTSENT_LOWAT: no more than so many octets wait to be sent, whatever the buffer holds; room
 * is told of when half of them have gone, by sending or by an ACK. */
static void notsent_lowat(void **state) {
    (void)state;
    static const uint8_t octets[20000];
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000 wscale 7");
    assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_TCP_NOTSENT_LOWAT, 4000, p.now), 0);
    assert_int_equal(tcp_send(p.tcp, socket, octets, 20000, 0, p.now), 4000);
    assert_int_equal(tcp_send_space(p.tcp, socket), 0);
    assert_false(tcp_readiness(p.tcp, socket) & BERTH_WRITABLE);
    assert_int_equal(tcp_send(p.tcp, socket, octets, 1, 0, p.now), -EAGAIN);
    peer_events(&p, socket);
    peer_gets(&p, "A len 1000");
    peer_gets(&p, "A len 1000");
    assert_int_equal(peer_events(&p, socket) & BERTH_WRITABLE, 0);
    peer_gets(&p, "A len 1000");
    assert_int_equal(peer_events(&p, socket) & BERTH_WRITABLE, BERTH_WRITABLE);
    assert_int_equal(tcp_send_space(p.tcp, socket), 3000);
    opened_drains(&p);
    for (unsigned i = 0; i < 3; i++) { /* cwnd is full at ten segments */
        tcp_send(p.tcp, socket, octets, 20000, 0, p.now);
        opened_drains(&p);
    }
    assert_int_equal(connection_unsent(tcp_at(p.tcp, socket)), 4000);
    peer_events(&p, socket);
    p.ack += 5 * MSS;
    peer_sends(&p, "A");
    opened_drains(&p);
    assert_int_equal(peer_events(&p, socket) & BERTH_WRITABLE, BERTH_WRITABLE);
    assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_TCP_NOTSENT_LOWAT, 0, p.now), 0);
    assert_int_equal(tcp_send(p.tcp, socket, octets, 20000, 0, p.now), 20000);
    peer_end(&p);
}

/* TCP_DEFER_ACCEPT: the seconds are rounded up to a SYN-ACK's retransmission; after them the
 * SYN-ACK goes again, and a bare ACK opens. */
static void defer_accept(void **state) {
    (void)state;
    static const int cases[][2] = {{0, 0}, {1, 1}, {2, 3}, {3, 3}, {4, 7}, {30, 31}, {200, 247}};
    struct peer p;
    int value;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 8), none;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tcp_set_option(p.tcp, listener, BERTH_TCP_DEFER_ACCEPT, cases[i][0], p.now);
        tcp_get_option(p.tcp, listener, BERTH_TCP_DEFER_ACCEPT, &value);
        assert_int_equal(value, cases[i][1]);
    }
    tcp_set_option(p.tcp, listener, BERTH_TCP_DEFER_ACCEPT, 3, p.now);
    peer_sends(&p, "S seq 100");
    peer_gets(&p, "SA");
    uint32_t ack = p.got.seq + 1;
    peer_sends(&p, "A seq 101 ack %u", ack);
    peer_silent(&p);
    peer_silent_until(&p, p.now + 1 * BERTH_SECOND);
    peer_silent(&p); /* quiet, since it has answered */
    peer_sends(&p, "A seq 101 ack %u", ack);
    assert_int_equal(tcp_accept(p.tcp, listener, &none), -EAGAIN);
    peer_silent_until(&p, p.now + 2 * BERTH_SECOND);
    peer_gets(&p, "SA"); /* three seconds are over */
    peer_sends(&p, "A seq 101 ack %u", ack);
    peer_accepts(&p, listener);
    peer_end(&p);
}

/* TCP_LINGER2: what an orphan waits in FIN-WAIT-2; -1: not at all, its peer is reset; values are
 * clamped; 0 is the default. */
static void linger2(void **state) {
    (void)state;
    static const int cases[][2] = {{7, 7}, {0, 60}, {500, 120}, {-1, 0}, {-9, 0}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer p;
        int value;
        uint32_t socket = opened(&p, 4, "mss 1000");
        tcp_get_option(p.tcp, socket, BERTH_TCP_LINGER2, &value);
        assert_int_equal(value, 60);
        assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_TCP_LINGER2, cases[i][0], p.now), 0);
        tcp_get_option(p.tcp, socket, BERTH_TCP_LINGER2, &value);
        assert_int_equal(value, cases[i][1] ? cases[i][1] : -1);
        assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
        peer_gets(&p, "FA");
        peer_silent(&p);
        p.ack++;
        peer_sends(&p, "A");
        peer_silent(&p);
        if (cases[i][1]) {
            peer_silent_until(&p, p.now + (uint64_t)cases[i][1] * BERTH_SECOND);
            peer_silent(&p);
        } else {
            peer_waits(&p, 2 * BERTH_MS);
            peer_gets(&p, "RA seq %u", p.ack);
        }
        assert_int_equal(p.tcp->connections.used, 1); /* the listener */
        peer_end(&p);
    }
}

/* TCP_USER_TIMEOUT ends a silent connection at the first unanswered probe past it, and the number
 * of probes does not count then (RFC 5482; Linux's tcp_keepalive_timer). */
static void user_timeout_and_keepalive(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    opened_keeps_alive(&p, socket, 10, 5, 2);
    tcp_set_option(p.tcp, socket, BERTH_TCP_USER_TIMEOUT, 32000, p.now);
    uint64_t start = p.now;
    for (unsigned probe = 0; probe < 5; probe++) { /* at 10, 15, 20, 25, 30 s */
        peer_silent_until(&p, start + (10 + 5 * probe) * BERTH_SECOND);
        peer_gets(&p, "A seq %u len 0", p.ack - 1);
        peer_silent(&p);
    }
    peer_silent_until(&p, start + 35 * BERTH_SECOND);
    peer_gets(&p, "RA");
    assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
    peer_end(&p);
}

/* TCP_SYNCNT and net.ipv4.tcp_syn_retries: so many SYNs more, then ETIMEDOUT. [MUST-23] */
static void syncnt(void **state) {
    (void)state;
    for (unsigned own = 0; own < 2; own++) {
        struct peer p;
        peer_config(&p);
        p.config.tcp_syn_retries = 2;
        peer_start(&p, 4);
        uint32_t socket = peer_open(&p);
        struct berth_endpoint remote = {p.tuple.remote, 80}, local;
        if (own)
            tcp_set_option(p.tcp, socket, BERTH_TCP_SYNCNT, 1, p.now);
        p.tuple.remote_port = 80;
        tcp_connect(p.tcp, socket, &p.tuple.local, 1, &remote, p.now);
        tcp_local(p.tcp, socket, &local);
        p.tuple.local_port = local.port;
        unsigned syns = 0;
        for (unsigned second = 0; second < 20; second++) {
            syns += opened_drains(&p);
            peer_waits(&p, BERTH_SECOND);
        }
        assert_int_equal(syns, own ? 2 : 3);
        assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notsent_lowat), cmocka_unit_test(defer_accept),
        cmocka_unit_test(linger2),       cmocka_unit_test(user_timeout_and_keepalive),
        cmocka_unit_test(syncnt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
