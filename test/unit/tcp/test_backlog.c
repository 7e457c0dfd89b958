/* How much a listener takes: Linux's backlog, the bounds of half-open records, bursts. */
#include "test/unit/tcp/peer.h"

static uint32_t half_open(const struct peer *p, uint32_t listener) {
    return tcp_at(p->tcp, listener)->extra->listener->half_open;
}

/* A SYN from client number i; true if a SYN-ACK answers it (p->got). */
static bool knock(struct peer *p, unsigned i) {
    p->tuple.remote_port = (uint16_t)(1024 + i);
    peer_sends(p, "S seq %u", 1000 * i);
    return peer_pull(p);
}

static void finish(struct peer *p, unsigned i) {
    p->tuple.remote_port = (uint16_t)(1024 + i);
    peer_sends(p, "A seq %u ack %u", 1000 * i + 1, p->got.seq + 1);
}

/* As on Linux, a backlog of n holds n + 1 connections; then SYNs are dropped without a word. */
static void accept_queue(void **state) {
    (void)state;
    static const int backlogs[] = {0, 1, 5};
    for (unsigned k = 0; k < 3; k++) {
        struct peer p;
        unsigned taken = 0;
        peer_setup(&p, 4);
        uint32_t listener = peer_listener(&p, backlogs[k]), none;
        while (taken < 20 && knock(&p, taken))
            finish(&p, taken++);
        assert_int_equal(taken, backlogs[k] + 1);
        assert_int_equal(p.counters.tcp_listen_overflows, 1);
        assert_int_equal(p.counters.tcp_listen_drops, 1);
        assert_int_equal(half_open(&p, listener), 0);
        peer_accepts(&p, listener); /* one taken: one more fits */
        assert_true(knock(&p, 30));
        finish(&p, 30);
        assert_false(knock(&p, 31));
        for (int i = 0; i < backlogs[k] + 1; i++)
            peer_accepts(&p, listener);
        assert_int_equal(tcp_accept(p.tcp, listener, &none), -EAGAIN);
        peer_end(&p);
    }
}

/* The queue fills while handshakes are under way: the third ACK is dropped, the record stays, the
 * SYN-ACK is sent again, and the next ACK opens once there is room (as on Linux). */
static void full_at_third(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 0);
    assert_true(knock(&p, 1));
    struct peer_segment first = p.got;
    assert_true(knock(&p, 2));
    struct peer_segment second = p.got;
    p.got = first;
    finish(&p, 1);
    p.got = second;
    finish(&p, 2);
    peer_silent(&p);
    assert_int_equal(p.counters.tcp_listen_overflows, 1);
    assert_int_equal(half_open(&p, listener), 1);
    peer_accepts(&p, listener);
    peer_waits(&p, BERTH_SECOND);
    peer_gets(&p, "SA seq %u ack 2001", second.seq);
    finish(&p, 2);
    peer_accepts(&p, listener);
    assert_int_equal(half_open(&p, listener), 0);
    peer_end(&p);
}

/* A host that keeps so many half-open records. */
static void peer_without_cookies(struct peer *p, uint32_t most) {
    peer_config(p);
    p->config.tcp_syn_backlog_max = most;
    p->config.tcp_syncookies = 0;
    peer_start(p, 4);
}

/* RFC 4987 3.4 (4987-1, 4987-3): a flood takes no more than the bound, and newcomers push out the
 * oldest; a client that answers in time gets through. */
static void flood(void **state) {
    (void)state;
    struct peer p;
    peer_without_cookies(&p, 64);
    uint32_t listener = peer_listener(&p, 8);
    for (unsigned i = 0; i < 20000; i++)
        assert_true(knock(&p, i));
    assert_int_equal(half_open(&p, listener), 32); /* half the host's */
    assert_true(p.tcp->half_opens.high < 400);
    assert_true(knock(&p, 50000));
    struct peer_segment answer = p.got;
    for (unsigned i = 0; i < 31; i++)
        knock(&p, i);
    p.got = answer;
    finish(&p, 50000);
    peer_silent(&p);
    peer_accepts(&p, listener);
    assert_true(p.counters.tcp_listen_drops > 19000);
    assert_int_equal(ports_connections(tcp_ports(p.tcp)), 32);
    peer_end(&p);
}

/* A flood at one listener leaves another one half of the host's records; with both flooded, the
 * host's bound holds. [4987-3] */
static void two_listeners(void **state) {
    (void)state;
    struct peer p;
    peer_without_cookies(&p, 64);
    uint32_t first = peer_listener(&p, 8);
    p.tuple.local_port = 81;
    uint32_t second = peer_listener(&p, 8);
    p.tuple.local_port = 80;
    for (unsigned i = 0; i < 1000; i++)
        assert_true(knock(&p, i));
    p.tuple.local_port = 81;
    for (unsigned i = 0; i < 20; i++)
        assert_true(knock(&p, i));
    assert_int_equal(half_open(&p, first), 32);
    assert_int_equal(half_open(&p, second), 20);
    for (unsigned i = 20; i < 1000; i++)
        assert_true(knock(&p, i));
    assert_int_equal(half_open(&p, first) + half_open(&p, second), 64);
    p.tuple.local_port =
        80; /* nor does a listener wait while others' old records stand before its own */
    for (unsigned i = 2000; i < 3000; i++)
        assert_true(knock(&p, i));
    assert_int_equal(half_open(&p, first) + half_open(&p, second), 64);
    peer_end(&p);
}

/* Whom the flood pushes out is who left the most SYN-ACKs unanswered, not who came last. */
static void oldest_goes(void **state) {
    (void)state;
    struct peer p;
    peer_without_cookies(&p, 8);
    uint32_t listener = peer_listener(&p, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_true(knock(&p, i));
    uint32_t iss = p.got.seq;
    for (unsigned i = 0; i < 3; i++) { /* 3 of 4 go */
        peer_waits(&p, 10 * BERTH_MS);
        assert_true(knock(&p, 100 + i));
    }
    assert_int_equal(half_open(&p, listener), 4);
    p.got.seq = iss;
    finish(&p, 3);
    peer_silent(&p);
    peer_accepts(&p, listener);
    p.tuple.remote_port = 1024 + 2;
    peer_sends(&p, "A seq 2001 ack 77");
    peer_gets(&p, "R seq 77");
    peer_end(&p);
}

/* A burst of more SYNs than answers fit the ring: all are answered, each once, in the end. */
static void burst(void **state) {
    (void)state;
    enum { SYNS = 3 * TCP_REPLIES + 17 };
    static bool answered[SYNS];
    struct peer p;
    memset(answered, 0, sizeof answered);
    peer_setup(&p, 4);
    peer_listener(&p, 4096);
    for (unsigned i = 0; i < SYNS; i++) {
        p.tuple.remote_port = (uint16_t)(1024 + i);
        peer_sends(&p, "S seq 1");
    }
    unsigned answers = 0;
    for (struct tcp_emit emit; answers < 2 * SYNS; answers++) {
        if (!tcp_output(p.tcp, &emit, p.now)) {
            if (tcp_deadline(p.tcp) > p.now)
                break;
            tcp_advance(p.tcp, p.now);
            assert_true(tcp_output(p.tcp, &emit, p.now));
        }
        unsigned client = load_be16(emit.header + 2) - 1024u;
        assert_true(client < SYNS);
        assert_false(answered[client]);
        answered[client] = true;
    }
    assert_int_equal(answers, SYNS);
    for (unsigned i = 0; i < SYNS; i++)
        assert_true(answered[i]);
    peer_end(&p);
}

/* The same when they all time out in one moment. */
static void burst_of_timeouts(void **state) {
    (void)state;
    enum { SYNS = 2 * TCP_REPLIES + 5 };
    struct peer p;
    struct tcp_emit emit;
    peer_setup(&p, 4);
    peer_listener(&p, 4096);
    for (unsigned i = 0; i < SYNS; i++)
        assert_true(knock(&p, i));
    p.now += BERTH_SECOND;
    unsigned again = 0;
    while (tcp_deadline(p.tcp) <= p.now) {
        tcp_advance(p.tcp, p.now);
        while (tcp_output(p.tcp, &emit, p.now))
            again++;
    }
    assert_int_equal(again, SYNS);
    assert_int_equal(p.counters.tcp_retrans_segs, SYNS);
    peer_end(&p);
}

/* Records that end in the middle of their queue are reclaimed: many handshakes complete while one
 * client at the head never answers. */
static void many_behind_one(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 8);
    assert_true(knock(&p, 60000));
    for (unsigned i = 0; i < 5000; i++) {
        assert_true(knock(&p, i));
        finish(&p, i);
        assert_int_equal(tcp_abort(p.tcp, peer_accepts(&p, listener), p.now), 0);
        peer_gets(&p, "RA");
    }
    assert_true(p.tcp->half_opens.high < 400);
    assert_int_equal(half_open(&p, listener), 1);
    peer_waits(&p, BERTH_SECOND); /* the one is still there, and the clock knows it */
    p.tuple.remote_port = (uint16_t)(1024 + 60000);
    peer_gets(&p, "SA");
    peer_end(&p);
}

/* A listener that closes forgets its half-open records: their ACKs are strangers'. */
static void listener_closes(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 8);
    p.tuple.local_port = 81;
    uint32_t other = peer_listener(&p, 8);
    assert_true(knock(&p, 9));
    p.tuple.local_port = 80;
    for (unsigned i = 0; i < 5; i++)
        assert_true(knock(&p, i));
    assert_int_equal(tcp_close(p.tcp, listener, p.now), 0);
    finish(&p, 4);
    peer_gets(&p, "R seq %u", p.got.seq + 1);
    assert_int_equal(ports_connections(tcp_ports(p.tcp)), 1);
    assert_int_equal(half_open(&p, other), 1);
    peer_end(&p);
}

/* What a listener was set to, its connections are (Linux): options, TTL and TOS even of the SYN-ACK
 * (MUST-48, MUST-49). */
static void inheritance(void **state) {
    (void)state;
    struct peer p;
    int value = 0;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 8);
    assert_int_equal(tcp_set_option(p.tcp, listener, BERTH_IP_TTL, 9, p.now), 0);
    assert_int_equal(tcp_set_option(p.tcp, listener, BERTH_IP_TOS, 16, p.now), 0);
    assert_int_equal(tcp_set_option(p.tcp, listener, BERTH_TCP_NODELAY, 1, p.now), 0);
    assert_int_equal(tcp_set_option(p.tcp, listener, BERTH_TCP_MAXSEG, 900, p.now), 0);
    peer_sends(&p, "S seq 100 mss 1460");
    peer_gets(&p, "SA mss 900");
    assert_int_equal(p.got.ttl, 9);
    assert_int_equal(p.got.tos, 16);
    peer_sends(&p, "A seq 101 ack %u", p.got.seq + 1);
    uint32_t socket = peer_accepts(&p, listener);
    assert_int_equal(tcp_get_option(p.tcp, socket, BERTH_IP_TTL, &value), 0);
    assert_int_equal(value, 9);
    assert_int_equal(tcp_get_option(p.tcp, socket, BERTH_TCP_NODELAY, &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(tcp_at(p.tcp, socket)->mss, 900);
    peer_end(&p);
}

/* TCP_DEFER_ACCEPT: a bare ACK opens nothing and quiets the SYN-ACK; octets open. */
static void defer_accept(void **state) {
    (void)state;
    struct peer p;
    uint32_t none;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 8);
    assert_int_equal(tcp_set_option(p.tcp, listener, BERTH_TCP_DEFER_ACCEPT, 30, p.now), 0);
    peer_sends(&p, "S seq 100");
    peer_gets(&p, "SA");
    uint32_t iss = p.got.seq;
    peer_sends(&p, "A seq 101 ack %u", iss + 1);
    assert_int_equal(tcp_accept(p.tcp, listener, &none), -EAGAIN);
    peer_waits(&p, 5 * BERTH_SECOND);
    peer_silent(&p);
    peer_sends(&p, "PA seq 101 ack %u len 4", iss + 1);
    peer_accepts(&p, listener);
    peer_end(&p);
}

/* Without memory for a connection the record stays, and the client's next segment opens. */
static void no_memory(void **state) {
    (void)state;
    struct peer p;
    uint32_t none;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 8);
    assert_true(knock(&p, 1));
    counting_fail_after(&p.counting, 0);
    finish(&p, 1);
    assert_int_equal(tcp_accept(p.tcp, listener, &none), -EAGAIN);
    assert_int_equal(half_open(&p, listener), 1);
    counting_recover(&p.counting);
    finish(&p, 1);
    peer_accepts(&p, listener);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_queue),
        cmocka_unit_test(full_at_third),
        cmocka_unit_test(flood),
        cmocka_unit_test(two_listeners),
        cmocka_unit_test(oldest_goes),
        cmocka_unit_test(burst),
        cmocka_unit_test(burst_of_timeouts),
        cmocka_unit_test(many_behind_one),
        cmocka_unit_test(listener_closes),
        cmocka_unit_test(inheritance),
        cmocka_unit_test(defer_accept),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
