/* TIME-WAIT, packet by packet, in virtual time. */
#include "test/unit/tcp/peer.h"

static uint32_t waiting(const struct peer *p) {
    return p->tcp->time_wait_queue.count;
}

/* A connection that the TCP under test closed first, so that it is in TIME-WAIT. p.seq is the
 * number after the peer's FIN, p.ack the one after ours. Without `options` no timestamps. */
static void close_first(struct peer *p, uint32_t listener, uint32_t isn, bool timestamps) {
    uint32_t socket = peer_establishes(p, listener, isn, timestamps ? "ts 1 0" : "");
    const char *ts = timestamps ? " ts 1 0" : "";
    assert_int_equal(tcp_close(p->tcp, socket, p->now), 0);
    peer_gets(p, "FA seq %u ack %u", p->ack, isn + 1);
    peer_silent(p);
    p->ack++;
    peer_sends(p, "FA seq %u ack %u%s", isn + 1, p->ack, ts);
    p->seq = isn + 2;
    peer_gets(p, "A seq %u ack %u", p->ack, p->seq);
    peer_silent(p);
}

/* MUST-13: two maximum lifetimes, in a small record of its own, to the millisecond. [9293-M1] */
static void life(void **state) {
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct peer p;
        peer_setup(&p, 4);
        uint32_t listener = peer_listener(&p, 5);
        close_first(&p, listener, 0xfffffffe, timestamps);
        assert_int_equal(waiting(&p), 1);
        assert_int_equal(p.counters.tcp_time_wait, 1);
        assert_int_equal(p.tcp->connections.used, 1); /* the listener */
        assert_int_equal(p.tcp->actives.used, 0);
        assert_true(tcp_deadline(p.tcp) == p.now + 60 * BERTH_SECOND);
        peer_silent_until(&p, p.now + 60 * BERTH_SECOND);
        peer_silent(&p);
        assert_int_equal(waiting(&p), 0);
        assert_int_equal(p.tcp->time_waits.used, 0);
        assert_int_equal(ports_connections(tcp_ports(p.tcp)), 0);
        assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
        peer_sends(&p, "A");
        peer_gets(&p, "R seq %u", p.ack);
        peer_end(&p);
    }
}

/* MUST-13, 9293-E12: the peer's FIN again is acknowledged, and the wait starts anew; so every time.
 */
static void fin_again(void **state) {
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct peer p;
        peer_setup(&p, 4);
        close_first(&p, peer_listener(&p, 5), 100, timestamps);
        for (unsigned i = 0; i < 300; i++) {
            peer_waits(&p, 59 * BERTH_SECOND);
            peer_sends(&p, timestamps ? "FA seq %u ts 2 0" : "FA seq %u", p.seq - 1);
            peer_gets(&p, "A seq %u ack %u", p.ack, p.seq);
            assert_int_equal(p.got.options.has_timestamps, timestamps);
        }
        assert_int_equal(waiting(&p), 1);
        assert_true(p.tcp->time_waits.high < 200); /* what it left behind is used again */
        peer_silent_until(&p, p.now + 60 * BERTH_SECOND);
        assert_int_equal(waiting(&p), 0);
        peer_end(&p);
    }
}

/* A FIN that comes again with octets before it counts as well (a retransmission may be cut anew).
 * [9293-E12] */
static void fin_with_octets(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    close_first(&p, peer_listener(&p, 5), 100, false);
    peer_waits(&p, 59 * BERTH_SECOND);
    peer_sends(&p, "FPA seq %u len 10", p.seq - 11);
    peer_gets(&p, "A seq %u ack %u", p.ack, p.seq);
    assert_true(tcp_deadline(p.tcp) == p.now + 60 * BERTH_SECOND);
    peer_end(&p);
}

/* Nothing else extends the wait: not octets, old or new, not ACKs, not RSTs, not a FIN that is not
 * the peer's, acknowledges what was not sent or is from the past (RFC 7323 5.3). [9293-E12] */
static void nothing_else(void **state) {
    (void)state;
    static const struct {
        const char *flags;
        int32_t seq, ack; /* beside what is expected */
        uint32_t length, ts;
        bool answered;
    } cases[] = {
        {"A", 0, 0, 0, 5, false},  {"A", -1, 0, 0, 5, true},    {"A", 5, 0, 0, 5, true},
        {"PA", 0, 0, 10, 5, true}, {"PA", -20, 0, 10, 5, true}, {"R", 0, 0, 0, 5, false},
        {"RA", 0, 0, 0, 5, false}, {"R", 9, 0, 0, 5, false},    {"R", -1, 0, 0, 5, false},
        {"FA", 0, 0, 0, 5, true},  {"FA", -1, 1, 0, 5, true},   {"FA", -1, -1, 0, 5, true},
        {"F", -1, 0, 0, 5, true},  {"FA", -1, 0, 0, 0, true},   {"S", -1, 0, 0, 0, true},
        {"SA", 9, 0, 0, 5, true},  {"SFA", 9, 0, 0, 5, true},   {"SF", 9, 0, 0, 5, true},
        {"SR", 9, 0, 0, 5, false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        peer_setup(&p, 4);
        close_first(&p, peer_listener(&p, 5), 0xfffffffd, true);
        uint64_t end = p.now + 60 * BERTH_SECOND;
        peer_waits(&p, 59 * BERTH_SECOND);
        peer_sends(&p, "%s seq %u ack %u len %u ts %u 0", cases[i].flags,
                   p.seq + (uint32_t)cases[i].seq, p.ack + (uint32_t)cases[i].ack, cases[i].length,
                   cases[i].ts);
        if (cases[i].answered)
            peer_gets(&p, "A seq %u ack %u", p.ack, p.seq);
        peer_silent(&p);
        assert_int_equal(waiting(&p), 1);
        assert_true(tcp_deadline(p.tcp) == end);
        peer_end(&p);
    }
}

/* RFC 1337: a RST does not end the wait; a late FIN is still acknowledged. [1337-1] */
static void reset_ignored(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    close_first(&p, peer_listener(&p, 5), 100, false);
    peer_sends(&p, "R");
    peer_sends(&p, "RA");
    uint64_t end = tcp_deadline(p.tcp);
    peer_waits(&p, BERTH_SECOND);
    peer_sends(&p, "RFA seq %u", p.seq - 1); /* whatever else it has */
    peer_sends(&p, "RPA len 10");
    peer_sends(&p, "RSA seq %u", p.seq + 1000);
    peer_silent(&p);
    assert_true(tcp_deadline(p.tcp) == end);
    assert_int_equal(waiting(&p), 1);
    peer_sends(&p, "FA seq %u", p.seq - 1);
    peer_gets(&p, "A seq %u ack %u", p.ack, p.seq);
    peer_end(&p);
}

/* Two ends that disagree do not answer each other for ever: one in half a second is enough. */
static void no_war(void **state) {
    (void)state;
    struct peer p;
    unsigned answers = 0;
    peer_setup(&p, 4);
    close_first(&p, peer_listener(&p, 5), 100, false);
    for (unsigned i = 0; i < 1000; i++) {
        peer_waits(&p, BERTH_MS);
        peer_sends(&p, "A seq %u", p.seq + 1000);
        answers += peer_pull(&p);
    }
    assert_in_range(answers, 1, 3);
    peer_end(&p);
}

/* MAY-2, RFC 6191 2 (6191-1): which SYN opens anew. The last timestamp seen is 1. [SHLD-4, 6191-2]
 */
static void reopening(void **state) {
    (void)state;
    enum { NONE = 1000 };
    static const struct {
        bool old_timestamps;
        uint32_t ts; /* of the SYN; NONE: without */
        int32_t seq; /* beside RCV.NXT */
        bool opens;
    } cases[] = {
        {false, NONE, 1, true},
        {false, NONE, 0x7fffffff, true},
        {false, NONE, 0, false},
        {false, NONE, -1, false},
        {false, NONE, INT32_MIN, false},
        {false, 7, -1000, true},
        {true, 2, -1000, true},
        {true, 2, 1000, true},
        {true, 2, 0, true},
        {true, 1, 1, true},
        {true, 1, 0, false},
        {true, 1, -1000, false},
        {true, 0, 1000, false},
        {true, 0, -1000, false},
        {true, 0x80000000, 1000, true},
        {true, 0x80000002, 1, false},
        {true, NONE, 1, true},
        {true, NONE, -1, false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        peer_setup(&p, 4);
        uint32_t listener = peer_listener(&p, 5);
        close_first(&p, listener, 0xfffffff0, cases[i].old_timestamps);
        uint32_t seq = p.seq + (uint32_t)cases[i].seq;
        if (cases[i].ts == NONE)
            peer_sends(&p, "S seq %u ack 0", seq);
        else
            peer_sends(&p, "S seq %u ack 0 ts %u 0", seq, cases[i].ts);
        if (!cases[i].opens) {
            peer_gets(&p, "A seq %u ack %u", p.ack, p.seq);
            peer_silent(&p);
            assert_int_equal(waiting(&p), 1);
        } else {
            peer_gets(&p, "SA ack %u", seq + 1);
            assert_int_equal(waiting(&p), 0);
            assert_true(seq_gt(p.got.seq, p.ack)); /* 6191-2 */
            peer_sends(&p, "A seq %u ack %u ts %u 0", seq + 1, p.got.seq + 1,
                       cases[i].ts == NONE ? 0 : cases[i].ts);
            peer_accepts(&p, listener);
        }
        peer_end(&p);
    }
}

/* The new incarnation's timestamps go on from the old one's (6191-2). */
static void timestamps_go_on(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    close_first(&p, peer_listener(&p, 5), 100, true);
    uint32_t last = p.got.options.ts_value;
    peer_waits(&p, 3 * BERTH_MS);
    peer_sends(&p, "S seq 50 ts 2 0");
    peer_gets(&p, "SA ts %u 2", last + 3);
    peer_end(&p);
}

/* Without a listener a new SYN is answered like any other, and the wait goes on (as Linux). */
static void nobody_listens(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    close_first(&p, listener, 100, false);
    assert_int_equal(tcp_close(p.tcp, listener, p.now), 0);
    peer_sends(&p, "S seq %u", p.seq + 1000);
    peer_gets(&p, "A seq %u ack %u", p.ack, p.seq);
    assert_int_equal(waiting(&p), 1);
    peer_end(&p);
}

/* Both close at once: CLOSING, then TIME-WAIT with the ACK of our FIN (RFC 9293 figure 13).
 * [9293-E9] */
static void simultaneous_close(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket = peer_establishes(&p, peer_listener(&p, 5), 100, "");
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    peer_gets(&p, "FA seq %u ack 101", p.ack);
    peer_silent(&p);
    peer_sends(&p, "FA seq 101"); /* does not acknowledge ours */
    peer_gets(&p, "A seq %u ack 102", p.ack + 1);
    peer_silent(&p);
    assert_int_equal(peer_state(&p, socket), BERTH_CLOSING);
    peer_sends(&p, "A seq 102 ack %u", p.ack + 1);
    peer_silent(&p);
    assert_int_equal(waiting(&p), 1);
    assert_true(tcp_deadline(p.tcp) == p.now + 60 * BERTH_SECOND);
    peer_end(&p);
}

/* Linux's tcp_max_tw_buckets: beyond the bound a connection ends without a wait, and it is counted.
 */
static void bound(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.tcp_time_wait_max = 4;
    peer_start(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    for (unsigned i = 0; i < 10; i++) {
        p.tuple.remote_port = (uint16_t)(2000 + i);
        close_first(&p, listener, 100, false);
        assert_int_equal(waiting(&p), i < 4 ? i + 1 : 4);
    }
    assert_int_equal(p.counters.tcp_time_wait_overflow, 6);
    assert_int_equal(ports_connections(tcp_ports(p.tcp)), 4);
    peer_waits(&p, 60 * BERTH_SECOND);
    assert_int_equal(waiting(&p), 0);
    close_first(&p, listener, 100, false);
    assert_int_equal(waiting(&p), 1);
    peer_end(&p);
}

/* An application that only shut its sending down holds, as on Linux, a closed socket with what it
 * has not read; the wait is none of its business, and its close changes nothing. */
static void held(void **state) {
    (void)state;
    struct peer p;
    uint8_t octets[16];
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5), socket = peer_establishes(&p, listener, 100, "");
    assert_int_equal(tcp_shutdown(p.tcp, socket, BERTH_SHUT_WR, p.now), 0);
    peer_gets(&p, "FA seq %u", p.ack);
    peer_silent(&p);
    peer_events(&p, socket);
    peer_sends(&p, "FPA seq 101 ack %u len 7", p.ack + 1);
    peer_gets(&p, "A seq %u ack 109", p.ack + 1);
    peer_silent(&p);
    uint64_t end = p.now + 60 * BERTH_SECOND;
    assert_int_equal(peer_state(&p, socket), BERTH_TCP_CLOSED);
    assert_int_equal(peer_error(&p, socket), 0);
    assert_int_equal(peer_events(&p, socket) & ~(unsigned)BERTH_WRITABLE,
                     BERTH_READABLE | BERTH_PEER_CLOSED | BERTH_CLOSED);
    assert_int_equal(waiting(&p), 1);
    assert_int_equal(tcp_send(p.tcp, socket, "x", 1, 0, p.now), -EPIPE);
    assert_int_equal(tcp_receive(p.tcp, socket, octets, 4, 0, p.now), 4);
    assert_int_equal(tcp_receive(p.tcp, socket, octets, sizeof octets, 0, p.now), 3);
    assert_int_equal(octets[0], 105);
    assert_int_equal(tcp_receive(p.tcp, socket, octets, sizeof octets, 0, p.now), 0);
    assert_true(tcp_deadline(p.tcp) == end);
    peer_sends(&p, "S seq 1000"); /* meanwhile the peer may connect anew */
    peer_gets(&p, "SA ack 1001");
    peer_sends(&p, "A seq 1001 ack %u", p.got.seq + 1);
    uint32_t next = peer_accepts(&p, listener);
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    peer_silent(&p);
    assert_int_equal(peer_state(&p, next), BERTH_ESTABLISHED);
    peer_end(&p);
}

/* Records that end early in the middle of the FIFO are used again; the rest keep their times. */
static void reuse(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    p.tuple.remote_port = 1;
    close_first(&p, listener, 100, false);
    uint64_t end = p.now + 60 * BERTH_SECOND;
    p.tuple.remote_port = 2;
    for (uint32_t i = 0; i < 2000; i++) {
        close_first(&p, listener, 1000 * i + 100, false); /* each SYN beyond the last FIN */
        assert_int_equal(waiting(&p), 2);
    }
    assert_true(p.tcp->time_waits.high < 400);
    assert_true(tcp_deadline(p.tcp) == end);
    peer_end(&p);
}

/* RFC 6191 2, the active side: a connect() from the port takes the four numbers over at once, with
 * an ISN above all that the old connection sent, however much that was, also across 2^32; without
 * timestamps it may not. [6191-2] */
static void reuse_by_connect(void **state) {
    (void)state;
    static const uint32_t ahead[] = {0, 1000000, 1u << 30};
    for (unsigned i = 0; i < 8; i++) {
        struct peer p;
        bool timestamps = i < 6;
        uint32_t index = 1;
        peer_setup(&p, i % 2 ? 6 : 4);
        uint32_t listener = peer_listener(&p, 5);
        close_first(&p, listener, 100, timestamps);
        assert_int_equal(tcp_close(p.tcp, listener, p.now), 0);
        while (!((struct tcp_time_wait *)pool_at(&p.tcp->time_waits, index))->due)
            index++;
        struct tcp_time_wait *record = pool_at(&p.tcp->time_waits, index);
        if (ahead[i / 2 % 3]) /* as a connection that sent faster than the ISN's clock */
            record->snd_nxt = isn_of(p.tcp, &p.tuple) + ahead[i / 2 % 3];
        uint32_t old = record->snd_nxt, socket = peer_open(&p);
        struct berth_endpoint local = {p.tuple.local, 80}, remote = {p.tuple.remote, 40000};
        assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_SO_REUSEADDR, 1, p.now), 0);
        assert_int_equal(tcp_bind(p.tcp, socket, &local), 0);
        int result = tcp_connect(p.tcp, socket, &p.tuple.local, 1, &remote, p.now);
        if (timestamps) {
            assert_int_equal(result, -EINPROGRESS);
            peer_gets(&p, "S");
            assert_true(seq_gt(p.got.seq, old));
            assert_true(p.got.options.ts_value - tcp_ms(p.tcp) ==
                        isn_ts_offset(p.tcp, &p.tuple)); /* they go on as well */
            assert_int_equal(waiting(&p), 0);
        } else {
            assert_int_equal(result, -EADDRINUSE);
            peer_silent(&p);
            assert_int_equal(waiting(&p), 1);
        }
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life),
        cmocka_unit_test(fin_again),
        cmocka_unit_test(fin_with_octets),
        cmocka_unit_test(nothing_else),
        cmocka_unit_test(reset_ignored),
        cmocka_unit_test(no_war),
        cmocka_unit_test(reopening),
        cmocka_unit_test(timestamps_go_on),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(simultaneous_close),
        cmocka_unit_test(bound),
        cmocka_unit_test(held),
        cmocka_unit_test(reuse),
        cmocka_unit_test(reuse_by_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
