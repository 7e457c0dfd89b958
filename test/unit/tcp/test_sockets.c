/* The calls on TCP sockets in states where they do nothing or something else: Linux's errno; the
 * options; the accept queue; stale records; rows and TCP_INFO. */
#include "test/unit/tcp/opened.h"

struct results {
    ssize_t send, receive, remote, listen, connect, shutdown;
};

static void check_calls(struct peer *p, uint32_t socket, const struct results *want) {
    struct berth_endpoint endpoint, to = {p->tuple.remote, 9};
    uint8_t octet = 0;
    assert_int_equal(tcp_send(p->tcp, socket, &octet, 1, 0, p->now), want->send);
    assert_int_equal(tcp_send_space(p->tcp, socket) < 0 ? tcp_send_space(p->tcp, socket) : 1,
                     want->send < 0 ? want->send : 1);
    assert_int_equal(tcp_receive(p->tcp, socket, &octet, 1, 0, p->now), want->receive);
    assert_int_equal(tcp_remote(p->tcp, socket, &endpoint), want->remote);
    assert_int_equal(tcp_listen(p->tcp, socket, 5), want->listen);
    if (want->connect != -EINPROGRESS)
        assert_int_equal(tcp_connect(p->tcp, socket, &p->tuple.local, 1, &to, p->now),
                         want->connect);
    uint32_t accepted;
    assert_int_equal(tcp_accept(p->tcp, socket, &accepted), want->listen == 0 ? -EAGAIN : -EINVAL);
    assert_int_equal(tcp_urgent(p->tcp, socket), -EINVAL);
}

/* [9293-E14] */
static void calls_by_state(void **state) {
    (void)state;
    struct peer p;
    static const struct results listening = {-EPIPE, -ENOTCONN, -ENOTCONN, 0, -EINPROGRESS, 0};
    static const struct results connecting = {-EAGAIN, -EAGAIN, -ENOTCONN, -EINVAL, -EALREADY, 0};
    static const struct results open = {1, -EAGAIN, 0, -EINVAL, -EISCONN, 0};
    static const struct results closed_by_peer = {1, 0, 0, -EINVAL, -EISCONN, 0};
    static const struct results closed_by_us = {-EPIPE, -EAGAIN, 0, -EINVAL, -EISCONN, 0};
    peer_setup(&p, 4);
    check_calls(&p, peer_listener(&p, 5), &listening);
    peer_end(&p);
    peer_setup(&p, 4);
    check_calls(&p, peer_connects(&p), &connecting);
    opened_drains(&p);
    peer_end(&p);
    check_calls(&p, opened(&p, 6, ""), &open);
    opened_drains(&p);
    peer_end(&p);
    uint32_t socket = opened(&p, 4, "");
    peer_sends(&p, "FA");
    check_calls(&p, socket, &closed_by_peer);
    peer_end(&p);
    socket = opened(&p, 4, "");
    tcp_shutdown(p.tcp, socket, BERTH_SHUT_WR, p.now);
    check_calls(&p, socket, &closed_by_us);
    peer_end(&p);
}

/* A fresh socket; then bind twice, and one port for two. */
static void fresh(void **state) {
    (void)state;
    struct peer p;
    struct berth_endpoint endpoint, here;
    uint8_t octet;
    peer_setup(&p, 4);
    uint32_t socket = peer_open(&p), other = peer_open(&p);
    here = (struct berth_endpoint){p.tuple.local, 99};
    assert_int_equal(tcp_send(p.tcp, socket, "x", 1, 0, p.now), -EPIPE);
    assert_int_equal(tcp_receive(p.tcp, socket, &octet, 1, 0, p.now), -ENOTCONN);
    assert_int_equal(tcp_remote(p.tcp, socket, &endpoint), -ENOTCONN);
    assert_int_equal(tcp_local(p.tcp, socket, &endpoint), 0);
    assert_int_equal(endpoint.port, 0);
    assert_int_equal(tcp_bind(p.tcp, socket, &here), 0);
    assert_int_equal(tcp_bind(p.tcp, socket, &here), -EINVAL);
    assert_int_equal(tcp_bind(p.tcp, other, &here), -EADDRINUSE);
    assert_int_equal(tcp_local(p.tcp, socket, &endpoint), 0);
    assert_int_equal(endpoint.port, 99);
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    assert_int_equal(tcp_bind(p.tcp, other, &here), 0);
    peer_end(&p);
}

/* The outcome of connect() is told once, by SO_ERROR, connect() or a read; then it may be tried
 * again with the same socket. */
static void connect_again(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket = peer_connects(&p);
    struct berth_endpoint remote = {p.tuple.remote, p.tuple.remote_port}, local;
    peer_gets(&p, "S");
    peer_sends(&p, "RA seq 0 ack %u", p.got.seq + 1);
    assert_int_equal(tcp_connect(p.tcp, socket, &p.tuple.local, 1, &remote, p.now), -ECONNREFUSED);
    assert_int_equal(tcp_connect(p.tcp, socket, &p.tuple.local, 1, &remote, p.now), -EINPROGRESS);
    tcp_local(p.tcp, socket, &local);
    p.tuple.local_port = local.port;
    peer_gets(&p, "S");
    p.ack = p.got.seq + 1;
    p.seq = 101;
    peer_sends(&p, "SA seq 100");
    assert_int_equal(tcp_connect(p.tcp, socket, &p.tuple.local, 1, &remote, p.now), 0);
    assert_int_equal(tcp_connect(p.tcp, socket, &p.tuple.local, 1, &remote, p.now), -EISCONN);
    peer_gets(&p, "A");
    peer_sends(&p, "R");
    assert_int_equal(tcp_send(p.tcp, socket, "x", 1, 0, p.now), -ECONNRESET);
    assert_int_equal(tcp_send(p.tcp, socket, "x", 1, 0, p.now), -EPIPE);
    assert_int_equal(opened_end(&p, socket), 0);
    peer_end(&p);
}

/* A connection that is reset while it waits is still accepted, and tells of its end (as Linux); one
 * whose listener goes is reset. */
static void reset_before_accept(void **state) {
    (void)state;
    for (unsigned closed = 0; closed < 2; closed++) {
        struct peer p;
        peer_setup(&p, 4);
        uint32_t listener = peer_listener(&p, 5);
        for (unsigned i = 0; i < 3; i++) {
            p.tuple.remote_port = (uint16_t)(5000 + i);
            peer_sends(&p, "S seq 100 ack 0");
            peer_gets(&p, "SA");
            p.seq = 101;
            p.ack = p.got.seq + 1;
            peer_sends(&p, "A");
            if (i == 1)
                peer_sends(&p, "R");
        }
        if (closed) {
            assert_int_equal(tcp_close(p.tcp, listener, p.now), 0);
            p.tuple.remote_port = 5000;
            peer_gets(&p, "RA ack 101");
            p.tuple.remote_port = 5002;
            peer_gets(&p, "RA ack 101");
            peer_silent(&p);
            assert_int_equal(p.tcp->connections.used, 0);
        } else {
            for (unsigned i = 0; i < 3; i++) {
                uint32_t socket = peer_accepts(&p, listener);
                assert_int_equal(!!(peer_events(&p, socket) & BERTH_ERROR), i == 1);
                assert_int_equal(opened_end(&p, socket), i == 1 ? -ECONNRESET : -EAGAIN);
            }
        }
        peer_end(&p);
    }
}

/* A closed socket's reference is stale at once, and its record's next life is another. */
static void stale(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket, generation, next, later;
    tcp_open(p.tcp, 4, &socket, &generation);
    assert_true(tcp_alive(p.tcp, socket, generation));
    assert_false(tcp_alive(p.tcp, socket, generation + 1));
    assert_false(tcp_alive(p.tcp, socket + 1000000, generation));
    assert_false(tcp_alive(p.tcp, 0, 0));
    tcp_close(p.tcp, socket, p.now);
    assert_false(tcp_alive(p.tcp, socket, generation));
    tcp_open(p.tcp, 4, &next, &later);
    assert_int_equal(next, socket);
    assert_false(tcp_alive(p.tcp, socket, generation));
    assert_true(tcp_alive(p.tcp, next, later));
    peer_end(&p);
    socket = opened(&p, 4, "");
    generation = tcp_generation(p.tcp, socket);
    tcp_close(p.tcp, socket, p.now); /* its FIN is still to be sent */
    assert_false(tcp_alive(p.tcp, socket, generation));
    peer_end(&p);
}

static void options(void **state) {
    (void)state;
    static const struct {
        enum berth_option option;
        int otherwise, set, got, bad; /* bad: 1 if `set` is refused */
    } cases[] = {
        {BERTH_SO_REUSEADDR, 0, 7, 1, 0},     {BERTH_SO_KEEPALIVE, 0, 5, 1, 0},
        {BERTH_SO_LINGER, -1, 5, 5, 0},       {BERTH_SO_LINGER, -1, 0, 0, 0},
        {BERTH_SO_OOBINLINE, 0, 1, 1, 0},     {BERTH_TCP_NODELAY, 0, 1, 1, 0},
        {BERTH_TCP_CORK, 0, 1, 1, 0},         {BERTH_TCP_KEEPIDLE, 7200, 1, 1, 0},
        {BERTH_TCP_KEEPIDLE, 7200, 0, 0, 1},  {BERTH_TCP_KEEPINTVL, 75, 32768, 0, 1},
        {BERTH_TCP_KEEPCNT, 9, 128, 0, 1},    {BERTH_TCP_KEEPCNT, 9, 127, 127, 0},
        {BERTH_TCP_SYNCNT, 6, 3, 3, 0},       {BERTH_TCP_USER_TIMEOUT, 0, -1, 0, 1},
        {BERTH_TCP_USER_TIMEOUT, 0, 9, 9, 0}, {BERTH_IP_TTL, 64, 255, 255, 0},
        {BERTH_IP_TTL, 64, 256, 0, 1},        {BERTH_IP_TOS, 0, 0xfc, 0xfc, 0},
        {BERTH_TCP_MAXSEG, 536, 40, 0, 1},    {BERTH_TCP_MAXSEG, 536, 1000, 1000, 0},
    };
    int value;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        peer_setup(&p, 4);
        uint32_t socket = peer_open(&p);
        assert_int_equal(tcp_get_option(p.tcp, socket, cases[i].option, &value), 0);
        assert_int_equal(value, cases[i].otherwise);
        assert_int_equal(tcp_set_option(p.tcp, socket, cases[i].option, cases[i].set, p.now),
                         cases[i].bad ? -EINVAL : 0);
        assert_int_equal(tcp_get_option(p.tcp, socket, cases[i].option, &value), 0);
        assert_int_equal(value, cases[i].bad ? cases[i].otherwise : cases[i].got);
        assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_SO_ERROR, 1, p.now), -ENOPROTOOPT);
        assert_int_equal(tcp_get_option(p.tcp, socket, (enum berth_option)99, &value),
                         -ENOPROTOOPT);
        peer_end(&p);
    }
}

/* MUST-48, MUST-49: TOS and TTL on all that the connection sends; SYNCNT; MAXSEG. [MUST-22] */
static void options_on_the_wire(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket = peer_open(&p);
    struct berth_endpoint remote = {p.tuple.remote, p.tuple.remote_port}, local;
    tcp_set_option(p.tcp, socket, BERTH_IP_TOS, 0x48, p.now);
    tcp_set_option(p.tcp, socket, BERTH_IP_TTL, 7, p.now);
    tcp_set_option(p.tcp, socket, BERTH_TCP_SYNCNT, 1, p.now);
    tcp_set_option(p.tcp, socket, BERTH_TCP_MAXSEG, 700, p.now);
    assert_int_equal(tcp_connect(p.tcp, socket, &p.tuple.local, 1, &remote, p.now), -EINPROGRESS);
    tcp_local(p.tcp, socket, &local);
    p.tuple.local_port = local.port;
    for (unsigned i = 0; i < 2; i++) {
        peer_gets(&p, "S mss 700");
        assert_int_equal(p.got.tos, 0x48);
        assert_int_equal(p.got.ttl, 7);
        peer_silent(&p);
        peer_waits(&p, BERTH_SECOND << i);
    }
    peer_silent(&p);
    assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
    peer_end(&p);
}

/* A full send buffer: EAGAIN, and the edge when a third is free. */
static void send_buffer(void **state) {
    (void)state;
    struct peer p;
    uint8_t octets[20000] = {0};
    peer_config(&p);
    p.config.tcp_send_buffer = 12000;
    uint32_t socket = opened_start(&p, 4, "mss 1000");
    assert_int_equal(tcp_send_space(p.tcp, socket), 12000);
    assert_int_equal(tcp_send(p.tcp, socket, octets, sizeof octets, 0, p.now), 12000);
    assert_int_equal(tcp_send(p.tcp, socket, octets, 1, 0, p.now), -EAGAIN);
    assert_int_equal(tcp_readiness(p.tcp, socket) & BERTH_WRITABLE, 0);
    opened_drains(&p);
    p.ack += 3999;
    peer_sends(&p, "A");
    assert_int_equal(peer_events(&p, socket) & BERTH_WRITABLE, 0);
    p.ack += 1;
    peer_sends(&p, "A");
    assert_int_equal(peer_events(&p, socket) & BERTH_WRITABLE, BERTH_WRITABLE);
    assert_int_equal(tcp_send_space(p.tcp, socket), 4000);
    opened_drains(&p);
    peer_end(&p);
}

/* What is shut down need not be waited for: its end is there to be read, and EPIPE to be had. */
static void shut_down(void **state) {
    (void)state;
    struct peer p;
    uint8_t octets[20000] = {0};
    for (unsigned reading = 0; reading < 2; reading++) {
        unsigned bit = reading ? BERTH_READABLE : BERTH_WRITABLE;
        peer_config(&p);
        p.config.tcp_send_buffer = 12000;
        uint32_t socket = opened_start(&p, 4, "mss 1000");
        assert_int_equal(tcp_send(p.tcp, socket, octets, sizeof octets, 0, p.now), 12000);
        assert_int_equal(tcp_readiness(p.tcp, socket), 0);
        peer_events(&p, socket);
        assert_int_equal(
            tcp_shutdown(p.tcp, socket, reading ? BERTH_SHUT_RD : BERTH_SHUT_WR, p.now), 0);
        assert_int_equal(tcp_readiness(p.tcp, socket), bit);
        assert_int_equal(peer_events(&p, socket), bit);
        if (!reading)
            assert_int_equal(tcp_send(p.tcp, socket, octets, 1, 0, p.now), -EPIPE);
        opened_drains(&p);
        assert_int_equal(tcp_readiness(p.tcp, socket), bit);
        peer_end(&p);
    }
}

static void rows(void **state) {
    (void)state;
    struct peer p;
    struct berth_socket_row row[8];
    struct berth_tcp_info info;
    uint64_t cursor = 0;
    uint32_t socket = opened(&p, 4, "mss 1000 wscale 3 ts 1 0");
    p.tuple.remote_port++;
    peer_sends(&p, "S seq 1");
    opened_drains(&p);
    p.tuple.remote_port--;
    opened_writes(&p, socket, 100, 0);
    opened_drains(&p);
    unsigned states[12] = {0};
    for (size_t count; (count = tcp_rows(p.tcp, &cursor, row, 1, p.now)) > 0;)
        states[row[0].state]++;
    assert_int_equal(states[BERTH_LISTEN], 1);
    assert_int_equal(states[BERTH_ESTABLISHED], 1);
    assert_int_equal(states[BERTH_SYN_RECEIVED], 1);
    assert_int_equal(tcp_info(p.tcp, socket, &info), 0);
    assert_int_equal(info.state, BERTH_ESTABLISHED);
    assert_int_equal(info.unacked, 100);
    assert_int_equal(info.send_queue, 100);
    assert_int_equal(info.send_mss, 988);
    assert_int_equal(info.send_wscale, 3);
    assert_int_equal(info.options & 5, 5);
    assert_int_equal(info.cwnd, 10000);
    peer_end(&p);
}

/* A socket in TIME-WAIT, which is nobody's any more, has a row with its four numbers. */
static void time_wait_row(void **state) {
    (void)state;
    struct peer p;
    struct berth_socket_row row;
    uint64_t cursor = 0;
    uint32_t socket = opened(&p, 6, "mss 1000");
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    opened_drains(&p);
    p.ack = p.got.seq + 1;
    peer_sends(&p, "FA");
    opened_drains(&p);
    unsigned found = 0;
    while (tcp_rows(p.tcp, &cursor, &row, 1, p.now) > 0) {
        if (row.state != BERTH_TIME_WAIT)
            continue;
        found++;
        assert_int_equal(row.socket, 0);
        assert_int_equal(row.family, 6);
        assert_int_equal(row.local.port, p.tuple.local_port);
        assert_int_equal(row.remote.port, p.tuple.remote_port);
        assert_true(berth_ip_equal(&row.remote.ip, &p.tuple.remote));
    }
    assert_int_equal(found, 1);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_by_state),
        cmocka_unit_test(fresh),
        cmocka_unit_test(connect_again),
        cmocka_unit_test(reset_before_accept),
        cmocka_unit_test(stale),
        cmocka_unit_test(options),
        cmocka_unit_test(options_on_the_wire),
        cmocka_unit_test(send_buffer),
        cmocka_unit_test(shut_down),
        cmocka_unit_test(rows),
        cmocka_unit_test(time_wait_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
