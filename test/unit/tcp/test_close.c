/* Ends of connections: RFC 9293 3.6, 3.6.1, 3.10.4, 3.10.5; Linux where it leaves room. */
#include "test/unit/tcp/opened.h"

static void shut(struct peer *p, uint32_t socket) {
    assert_int_equal(tcp_shutdown(p->tcp, socket, BERTH_SHUT_WR, p->now), 0);
}

/* Nothing is left of the connection but, perhaps, a TIME-WAIT record; then nothing at all. */
static void check_gone(struct peer *p) {
    peer_silent(p);
    assert_int_equal(p->tcp->actives.used, 0);
    assert_int_equal(p->tcp->connections.used, 1); /* the listener */
    peer_waits(p, 61 * BERTH_SECOND);
    peer_silent(p);
    assert_int_equal(ports_connections(tcp_ports(p->tcp)), 0);
    assert_true(tcp_deadline(p->tcp) == BERTH_NEVER);
    assert_int_equal(p->tcp->memory, 0);
    peer_end(p);
}

/* We close first, the peer half a connection later (figure 12). Octets go on coming meanwhile.
 * [9293-E9, 2525-15] */
static void active_close(void **state) {
    (void)state;
    for (unsigned family = 4; family <= 6; family += 2) {
        struct peer p;
        uint32_t socket = opened(&p, (int)family, "mss 1000"), start = p.seq;
        opened_writes(&p, socket, 1500, 0);
        shut(&p, socket);
        assert_int_equal(peer_state(&p, socket), BERTH_FIN_WAIT_1);
        peer_gets(&p, "A len 1000");
        peer_gets(&p, "FPA len 500");
        peer_silent(&p);
        p.ack += 1500; /* the octets, but not the FIN */
        peer_sends(&p, "A");
        assert_int_equal(peer_state(&p, socket), BERTH_FIN_WAIT_1);
        p.ack++;
        peer_sends(&p, "A");
        peer_silent(&p);
        assert_int_equal(peer_state(&p, socket), BERTH_FIN_WAIT_2);
        assert_int_equal(tcp_send(p.tcp, socket, "x", 1, 0, p.now), -EPIPE);
        peer_waits(&p, 1000 * BERTH_SECOND); /* held by the application: no limit */
        peer_sends(&p, "PA len 100");
        p.seq += 100;
        peer_silent(&p);
        assert_int_equal(opened_reads(&p, socket, start, 1000), 100);
        peer_sends(&p, "FA");
        p.seq++;
        peer_gets(&p, "A seq %u ack %u", p.ack, p.seq);
        assert_int_equal(opened_end(&p, socket), 0);
        assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
        assert_int_equal(p.tcp->time_waits.used, 1);
        check_gone(&p);
    }
}

/* The peer closes first. [9293-E9, 9293-E14] */
static void passive_close(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    peer_sends(&p, "FA");
    p.seq++;
    peer_gets(&p, "A ack %u", p.seq);
    peer_silent(&p);
    assert_int_equal(peer_state(&p, socket), BERTH_CLOSE_WAIT);
    assert_int_equal(peer_events(&p, socket) & BERTH_PEER_CLOSED, BERTH_PEER_CLOSED);
    assert_int_equal(opened_end(&p, socket), 0);
    opened_writes(&p, socket, 100, 0); /* the other half is open */
    peer_gets(&p, "PA len 100");
    opened_acks(&p, socket);
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    assert_int_equal(peer_state(&p, socket), BERTH_LAST_ACK);
    peer_gets(&p, "FA seq %u ack %u", p.ack, p.seq);
    p.ack++;
    peer_sends(&p, "A");
    assert_int_equal(p.tcp->time_waits.used, 0);
    check_gone(&p);
}

/* FIN and its ACK in one segment; FIN with the ACK of ours; FIN that crosses ours (figure 13).
 * [9293-E9] */
static void other_orders(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    peer_gets(&p, "FA seq %u", p.ack);
    p.ack++;
    peer_sends(&p, "FA");
    p.seq++;
    peer_gets(&p, "A seq %u ack %u", p.ack, p.seq);
    assert_int_equal(p.tcp->time_waits.used, 1);
    check_gone(&p);

    socket = opened(&p, 4, "");
    shut(&p, socket);
    peer_gets(&p, "FA");
    peer_sends(&p, "FA");
    p.seq++;
    assert_int_equal(peer_state(&p, socket), BERTH_CLOSING);
    peer_gets(&p, "A seq %u ack %u", p.ack + 1, p.seq);
    p.ack++;
    peer_sends(&p, "A");
    assert_int_equal(p.tcp->time_waits.used, 1);
    tcp_close(p.tcp, socket, p.now);
    check_gone(&p);

    /* Both queue their FIN before either is pulled: the ACK rides on ours. */
    socket = opened(&p, 4, "");
    shut(&p, socket);
    peer_sends(&p, "FA");
    peer_gets(&p, "FA ack %u", p.seq + 1);
    tcp_close(p.tcp, socket, p.now);
    p.seq++;
    p.ack++;
    peer_sends(&p, "A");
    check_gone(&p);
}

/* SHLD-3, 2525-17: unread octets at the close, SO_LINGER 0, abort: RST, at once, of all. [MAY-1,
 * 9293-E14] */
static void resets(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "");
        bool fin = i == 3;
        opened_writes(&p, socket, 10, 0);
        if (i == 0 || fin) {
            peer_sends(&p, "PA len 10");
            p.seq += 10;
        }
        if (fin) {
            shut(&p, socket);
            peer_gets(&p, "FPA len 10");
            p.ack += 11;
        }
        if (i == 1)
            tcp_set_option(p.tcp, socket, BERTH_SO_LINGER, 0, p.now);
        if (i == 2)
            assert_int_equal(tcp_abort(p.tcp, socket, p.now), 0);
        else
            assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
        peer_gets(&p, "RA seq %u ack %u", p.ack, p.seq);
        assert_int_equal(p.tcp->time_waits.used, 0);
        check_gone(&p);
    }
}

/* SHLD-3: a close before there is a connection resets nothing: no peer knows of it. */
static void no_reset(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    assert_int_equal(tcp_close(p.tcp, listener, p.now), 0);
    peer_silent(&p);
    uint32_t socket = peer_connects(&p);
    peer_gets(&p, "S");
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    peer_silent(&p);
    peer_end(&p);
}

/* SHLD-3: octets that come after the application has closed: RST. After shutdown(WR) they do not.
 * [2525-16, MAY-1] */
static void octets_after_close(void **state) {
    (void)state;
    for (unsigned acked = 0; acked < 2; acked++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "");
        assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
        peer_gets(&p, "FA");
        p.ack += acked;
        peer_sends(&p, "A");
        peer_sends(&p, "PA len 10");
        peer_gets(&p, "RA seq %u", p.ack + !acked);
        check_gone(&p);
    }
}

/* An orphan waits 60 s for the peer's FIN, or TCP_LINGER2, no longer: whatever the peer sends
 * meanwhile, and though a FIN ahead of a gap keeps it busy. */
static void fin_wait_2(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "");
        unsigned limit = i == 1 ? 7 : 60;
        if (i == 1)
            tcp_set_option(p.tcp, socket, BERTH_TCP_LINGER2, 7, p.now);
        assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
        peer_gets(&p, "FA");
        p.ack++;
        peer_sends(&p, "A");
        peer_silent(&p);
        uint64_t end = p.now + limit * BERTH_SECOND;
        if (i == 3) {
            peer_sends(&p, "FA seq %u", p.seq + 100);
            opened_drains(&p);
        }
        while (p.now + BERTH_SECOND < end) {
            peer_waits(&p, BERTH_SECOND);
            if (i == 2)
                peer_sends(&p, "A");
            opened_drains(&p);
            assert_int_equal(peer_state(&p, socket), BERTH_FIN_WAIT_2);
        }
        peer_waits(&p, BERTH_SECOND + BERTH_MS);
        assert_int_equal(ports_connections(tcp_ports(p.tcp)), 0);
        check_gone(&p);
    }
}

/* The end of a connection whose opening is not over (both opened at once): the FIN waits for the
 * ACK of the SYN (3.10.4). [9293-E14] */
static void close_in_syn_received(void **state) {
    (void)state;
    for (unsigned orphan = 0; orphan < 2; orphan++) {
        struct peer p;
        peer_setup(&p, 4);
        uint32_t socket = peer_connects(&p);
        peer_gets(&p, "S");
        p.ack = p.got.seq + 1;
        p.seq = 101;
        peer_sends(&p, "S seq 100 ack 0");
        peer_gets(&p, "SA");
        peer_silent(&p);
        assert_int_equal(peer_state(&p, socket), BERTH_SYN_RECEIVED);
        if (orphan)
            assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
        else
            shut(&p, socket);
        peer_silent(&p);
        peer_sends(&p, "A");
        peer_gets(&p, "FA seq %u ack 101", p.ack);
        peer_silent(&p);
        assert_int_equal(peer_state(&p, socket), BERTH_FIN_WAIT_1);
        p.ack++;
        peer_sends(&p, "FA");
        peer_gets(&p, "A seq %u ack 102", p.ack);
        assert_int_equal(p.tcp->time_waits.used, 1);
        peer_end(&p);
    }
}

/* Linux: shutdown of what is not connected. */
static void shutdown_errors(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket = peer_open(&p);
    assert_int_equal(tcp_shutdown(p.tcp, socket, BERTH_SHUT_WR, p.now), -ENOTCONN);
    uint32_t listener = peer_listener(&p, 5);
    assert_int_equal(tcp_shutdown(p.tcp, listener, BERTH_SHUT_WR, p.now), 0);
    assert_int_equal(peer_state(&p, listener), BERTH_LISTEN);
    assert_int_equal(tcp_shutdown(p.tcp, listener, BERTH_SHUT_RD, p.now), 0);
    assert_int_equal(peer_state(&p, listener), BERTH_TCP_CLOSED);
    p.tuple.local_port = 0;
    uint32_t connecting = peer_connects(&p);
    assert_int_equal(tcp_shutdown(p.tcp, connecting, BERTH_SHUT_RDWR, p.now), 0);
    assert_int_equal(peer_error(&p, connecting), ECONNRESET);
    peer_silent(&p);
    peer_end(&p);
}

/* A FIN that is lost goes again; a held LAST-ACK and a held CLOSED connection can still be read.
 * [9293-E14, MUST-12] */
static void read_after_end(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, ""), start = p.seq;
    peer_sends(&p, "FPA len 10");
    p.seq += 11;
    peer_gets(&p, "A");
    shut(&p, socket);
    peer_gets(&p, "FA");
    peer_silent(&p);
    opened_expires(&p, 200 * BERTH_MS);
    peer_gets(&p, "FA seq %u", p.ack);
    p.ack++;
    peer_sends(&p, "A");
    assert_int_equal(peer_state(&p, socket), BERTH_TCP_CLOSED);
    assert_int_equal(opened_reads(&p, socket, start, 100), 10);
    assert_int_equal(opened_end(&p, socket), 0);
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    check_gone(&p);
    /* A RST leaves what was received to be read; then it is told. */
    socket = opened(&p, 4, "");
    start = p.seq;
    peer_sends(&p, "PA len 10");
    p.seq += 10;
    peer_sends(&p, "R");
    assert_int_equal(opened_reads(&p, socket, start, 10), 10);
    assert_int_equal(opened_end(&p, socket), -ECONNRESET);
    assert_int_equal(opened_end(&p, socket), 0);
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    check_gone(&p);
}

/* A hard close (SO_LINGER) after both FINs tells nothing new; before ours is sent, or with octets
 * unread, it does (RFC 9293 3.10.5), as an abort does at any time. [9293-E14] */
static void abort_at_the_end(void **state) {
    (void)state;
    for (int i = 0; i < 16; i++) {
        bool first = i & 1, sent = i / 4 != 1, unread = i / 4 == 2, abort = i / 4 == 3;
        struct peer p;
        uint32_t socket = opened(&p, i & 2 ? 6 : 4, ""), length = unread ? 10 : 0;
        tcp_set_option(p.tcp, socket, BERTH_SO_LINGER, 0, p.now);
        if (first)
            shut(&p, socket);
        if (first && sent)
            peer_gets(&p, "FA");
        peer_sends(&p, "FA len %u", length);
        p.seq += length + 1;
        if (sent)
            peer_gets(&p, "A ack %u", p.seq);
        if (!first)
            shut(&p, socket);
        if (!first && sent)
            peer_gets(&p, "FA");
        assert_int_equal(peer_state(&p, socket), first ? BERTH_CLOSING : BERTH_LAST_ACK);
        uint32_t next = tcp_snd_max(tcp_at(p.tcp, socket));
        if (abort)
            tcp_abort(p.tcp, socket, p.now);
        else
            tcp_close(p.tcp, socket, p.now);
        if (!sent || unread || abort)
            peer_gets(&p, "RA seq %u ack %u", next, p.seq);
        check_gone(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(active_close),     cmocka_unit_test(passive_close),
        cmocka_unit_test(other_orders),     cmocka_unit_test(resets),
        cmocka_unit_test(no_reset),         cmocka_unit_test(octets_after_close),
        cmocka_unit_test(fin_wait_2),       cmocka_unit_test(close_in_syn_received),
        cmocka_unit_test(shutdown_errors),  cmocka_unit_test(read_after_end),
        cmocka_unit_test(abort_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
