/* Loss recovery and the congestion window: RFC 5681, 6582, 3042, 6928, 3465. */
#include "test/unit/tcp/opened.h"

enum { MSS = 1000 };

/* `segments` of MSS octets in flight; cwnd is IW = 10. */
static uint32_t in_flight(struct peer *p, int family, unsigned segments, const char *options) {
    uint32_t socket = opened(p, family, options);
    opened_writes(p, socket, 100 * MSS, 0);
    for (unsigned i = 0; i < segments; i++)
        peer_gets(p, "A len %u", MSS);
    peer_silent(p);
    return socket;
}

static void duplicates(struct peer *p, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        peer_sends(p, "A");
}

/* 6928-1: IW = min(10 MSS, max(2 MSS, 14600)); 2525-1. */
static void initial_window(void **state) {
    (void)state;
    static const struct {
        unsigned mtu, mss, window;
    } cases[] = {{1500, 536, 5360}, {1500, 1460, 14600}, {9040, 9000, 18000}, {9040, 1460, 14600}};
    for (unsigned i = 0; i < 4; i++) {
        struct peer p;
        struct tcp_interface interface = {cases[i].mtu, cases[i].mtu, 0};
        peer_setup(&p, 4);
        tcp_set_interface(p.tcp, 1, &interface);
        char options[32];
        snprintf(options, sizeof options, "mss %u", cases[i].mss);
        uint32_t socket = peer_establishes(&p, peer_listener(&p, 5), 100, options);
        opened_writes(&p, socket, 60000, 0);
        uint32_t sent = 0;
        while (peer_pull(&p))
            sent += p.got.length;
        assert_int_equal(sent, cases[i].window);
        peer_end(&p);
    }
}

/* 5681-1: one segment after a SYN that was lost. [2525-3] */
static void window_after_lost_syn(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket = peer_connects(&p);
    peer_gets(&p, "S");
    peer_silent(&p);
    peer_waits(&p, BERTH_SECOND);
    peer_gets(&p, "S");
    p.ack = p.got.seq + 1;
    p.seq = 101;
    peer_sends(&p, "SA seq 100 mss 1000");
    opened_writes(&p, socket, 5000, 0);
    peer_gets(&p, "A len 1000");
    peer_silent(&p);
    peer_end(&p);
}

/* 5681-6, 3042-1: a new segment for each of the first two duplicates; on the third the first
 * segment again, at once; ssthresh = half of what was in flight without those two (RFC 5681 3.2
 * step 2). [5681-3, 2525-8] */
static void fast_retransmit(void **state) {
    (void)state;
    for (unsigned family = 4; family <= 6; family += 2) {
        struct peer p;
        uint32_t socket = in_flight(&p, (int)family, 10, "mss 1000");
        duplicates(&p, 1);
        peer_gets(&p, "A seq %u len 1000", p.ack + 10 * MSS);
        peer_silent(&p);
        duplicates(&p, 1);
        peer_gets(&p, "A seq %u len 1000", p.ack + 11 * MSS);
        peer_silent(&p);
        duplicates(&p, 1);
        peer_gets(&p, "A seq %u len 1000", p.ack);
        peer_silent(&p);
        assert_int_equal(tcp_at(p.tcp, socket)->ssthresh, 5 * MSS);
        assert_int_equal(p.counters.tcp_fast_retransmits, 1);
        duplicates(&p, 4); /* cwnd 12: 12 are out */
        peer_silent(&p);
        duplicates(&p, 1); /* inflated to 13: step 4 */
        peer_gets(&p, "A seq %u len 1000", p.ack + 12 * MSS);
        peer_silent(&p);
        /* All is acknowledged: cwnd is ssthresh (2525-8). */
        p.ack += 13 * MSS;
        peer_sends(&p, "A");
        assert_true(tcp_at(p.tcp, socket)->cwnd <= 5 * MSS);
        assert_true(opened_drains(&p) <= 5);
        peer_end(&p);
    }
}

/* 5681-5: what is not a duplicate ACK: octets with it, another window, nothing outstanding, an
 * older number. */
static void not_duplicates(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = in_flight(&p, 4, 10, "mss 1000");
    for (unsigned i = 0; i < 10; i++) {
        peer_sends(&p, "A win %u", 60000 + i);
        peer_sends(&p, "A win %u ack %u", 60000 + i, p.ack - 1);
    }
    for (unsigned i = 0; i < 10; i++) {
        peer_sends(&p, "PA win 60009 len 10");
        p.seq += 10;
    }
    peer_silent(&p);
    assert_int_equal(p.counters.tcp_fast_retransmits, 0);
    opened_reads(&p, socket, 0xfffff801u, 100);
    p.win = 60009;
    p.ack += 10 * MSS;
    peer_sends(&p, "A");
    opened_drains(&p);
    opened_acks(&p, socket);
    opened_drains(&p);
    peer_end(&p);

    socket = opened(&p, 4, "mss 1000");
    duplicates(&p, 10);
    opened_writes(&p, socket, 1, 0);
    peer_gets(&p, "PA len 1");
    duplicates(&p, 2);
    peer_silent(&p);
    peer_end(&p);
}

/* 6582-1: two losses of one window: a partial ACK has the next hole sent at once, without a
 * timeout; recovery ends with the ACK of all that was out when it began. */
static void partial_ack(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = in_flight(&p, 4, 10, "mss 1000");
    uint32_t first = p.ack;
    duplicates(&p, 2);
    assert_int_equal(opened_drains(&p), 2); /* out: 12 */
    duplicates(&p, 1);
    peer_gets(&p, "A seq %u len 1000", first);
    peer_silent(&p);
    p.ack = first + 4 * MSS; /* the fifth is lost too */
    peer_sends(&p, "A");
    peer_gets(&p, "A seq %u len 1000", first + 4 * MSS);
    peer_silent(&p);
    assert_true(opened_active(&p, socket)->flags & TCP_A_RECOVERY);
    assert_int_equal(tcp_at(p.tcp, socket)->cwnd, 8 * MSS - 4 * MSS + MSS);
    p.ack = first + 12 * MSS;
    peer_sends(&p, "A");
    assert_false(opened_active(&p, socket)->flags & TCP_A_RECOVERY);
    assert_int_equal(p.counters.tcp_fast_retransmits, 1);
    assert_int_equal(p.counters.tcp_timeouts, 0);
    /* RFC 6582 3.2 step 3: min(ssthresh, max(flight, MSS) + MSS) */
    assert_int_equal(tcp_at(p.tcp, socket)->cwnd, 2 * MSS);
    peer_gets(&p, "A seq %u", first + 12 * MSS);
    peer_end(&p);
}

/* RFC 6582 3.2 step 2: duplicates that follow a recovery, and cover no more than what was out when
 * it began, start none: they may come from what was sent twice. [6582-2] */
static void no_second_recovery(void **state) {
    (void)state;
    struct peer p;
    in_flight(&p, 4, 10, "mss 1000");
    duplicates(&p, 2);
    assert_int_equal(opened_drains(&p), 2);
    duplicates(&p, 1);
    peer_gets(&p, "A seq %u", p.ack);
    p.ack += 12 * MSS;
    peer_sends(&p, "A");
    opened_drains(&p);
    duplicates(&p, 3);
    opened_drains(&p);
    assert_int_equal(p.counters.tcp_fast_retransmits, 1);
    /* One more segment acknowledged, and duplicates count again. */
    p.ack += MSS;
    peer_sends(&p, "A");
    opened_drains(&p);
    duplicates(&p, 3);
    opened_drains(&p);
    assert_int_equal(p.counters.tcp_fast_retransmits, 2);
    peer_end(&p);
}

/* The first segment of all may be the lost one; and `recover` must not go stale: after more than
 * 2^31 octets a loss is found as ever. */
static void recover_stays_fresh(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000 wscale 14");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    struct berth_block *block = berth_block_new(p.config.allocator, 4000000);
    struct tcp_emit emit;
    assert_non_null(block);
    opened_writes(&p, socket, 20 * MSS, 0);
    opened_drains(&p);
    duplicates(&p, 3);
    opened_drains(&p);
    assert_int_equal(p.counters.tcp_fast_retransmits, 1);
    opened_acks(&p, socket);
    opened_drains(&p);
    opened_acks(&p, socket);
    for (uint64_t octets = 0; octets < 5u << 29; octets += 4000000) {
        c->cwnd = 5000000;
        assert_int_equal(tcp_send_block(p.tcp, socket, block, 0, 4000000, 0, p.now), 4000000);
        while (tcp_output(p.tcp, &emit, p.now))
            ;
        opened_acks(&p, socket);
    }
    berth_block_drop(block);
    opened_writes(&p, socket, 20 * MSS, 0);
    opened_drains(&p);
    duplicates(&p, 3);
    opened_drains(&p);
    assert_int_equal(p.counters.tcp_fast_retransmits, 2);
    peer_end(&p);
}

/* 5681-4, 2525-2: a timeout leaves one segment; 2525-14: exactly one is sent, with timestamps too,
 * and with no crumb after it. [5681-3, MUST-19] */
static void timeout_sends_one(void **state) {
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, timestamps ? "mss 1012 ts 1 0" : "mss 1000");
        opened_writes(&p, socket, 100 * MSS, 0);
        assert_int_equal(opened_drains(&p), 10);
        uint32_t nines = 10 * MSS;
        opened_expires(&p, 200 * BERTH_MS);
        peer_gets(&p, "A seq %u len 1000", p.ack);
        peer_silent(&p);
        assert_int_equal(tcp_at(p.tcp, socket)->ssthresh, nines / 2);
        /* Slow start: two for the ACK of one (N = 1). */
        p.ack += MSS;
        if (timestamps)
            peer_sends(&p, "A ts 1 %u", p.got.options.ts_value);
        else
            peer_sends(&p, "A");
        peer_gets(&p, "A seq %u len 1000", p.ack);
        peer_gets(&p, "A seq %u len 1000", p.ack + MSS);
        peer_silent(&p);
        peer_end(&p);
    }
}

/* RFC 6582 section 4, 6582-2: after a timeout no fast retransmit for duplicates below recover. */
static void no_fast_retransmit_after_timeout(void **state) {
    (void)state;
    struct peer p;
    in_flight(&p, 4, 10, "mss 1000");
    opened_expires(&p, 200 * BERTH_MS);
    peer_gets(&p, "A seq %u", p.ack);
    duplicates(&p, 8);
    opened_drains(&p);
    assert_int_equal(p.counters.tcp_fast_retransmits, 0);
    p.ack += 10 * MSS;
    peer_sends(&p, "A");
    opened_drains(&p);
    p.ack += MSS;
    peer_sends(&p, "A");
    opened_drains(&p);
    duplicates(&p, 3);
    opened_drains(&p);
    assert_int_equal(p.counters.tcp_fast_retransmits, 1);
    peer_end(&p);
}

/* 5681-2: an ACK of N octets adds N in slow start; a window's worth of them adds one segment in
 * congestion avoidance, however many ACKs it is cut into (Savage's ACK division; 2525-6). [3465-1,
 * MUST-19] */
static void growth(void **state) {
    (void)state;
    for (unsigned pieces = 1; pieces <= 1000; pieces *= 10) {
        struct peer p;
        uint32_t socket = in_flight(&p, 4, 10, "mss 1000");
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        for (unsigned i = 0; i < pieces; i++) {
            p.ack += MSS / pieces;
            peer_sends(&p, "A");
            opened_drains(&p);
        }
        assert_int_equal(c->cwnd, 11 * MSS);
        opened_drains(&p);
        c->ssthresh = c->cwnd; /* avoidance from here on */
        for (unsigned i = 0; i < 11 * pieces; i++) {
            p.ack += MSS / pieces;
            peer_sends(&p, "A");
            opened_drains(&p);
        }
        assert_int_equal(c->cwnd, 12 * MSS);
        peer_end(&p);
    }
}

/* 7661-1: a window that is not used does not grow. */
static void unused_window(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    for (unsigned i = 0; i < 100; i++) {
        opened_writes(&p, socket, 500, 0);
        opened_drains(&p);
        opened_acks(&p, socket);
    }
    assert_int_equal(tcp_at(p.tcp, socket)->cwnd, 10 * MSS);
    peer_end(&p);
}

/* 5681-8: what was not sent for long starts from IW again, even if the peer went on sending
 * (RFC 5681 4.1: sent, not received). */
static void restart_after_idle(void **state) {
    (void)state;
    for (unsigned heard = 0; heard < 2; heard++) {
        struct peer p;
        uint32_t socket = in_flight(&p, 4, 10, "mss 1000");
        for (unsigned i = 0; i < 7; i++) {
            p.ack += 10 * MSS;
            peer_sends(&p, "A");
            opened_drains(&p);
        }
        opened_acks(&p, socket);
        opened_drains(&p);
        opened_acks(&p, socket);
        peer_silent(&p);
        assert_true(tcp_at(p.tcp, socket)->cwnd > 20 * MSS);
        for (unsigned i = 0; i < 20; i++) {
            peer_waits(&p, 50 * BERTH_MS);
            if (heard) {
                peer_sends(&p, "PA len 10");
                p.seq += 10;
            }
            opened_drains(&p);
        }
        opened_reads(&p, socket, 0xfffff801u, 1000);
        opened_writes(&p, socket, 50 * MSS, 0);
        assert_int_equal(opened_drains(&p), 10);
        peer_end(&p);
    }
}

/* RW = min(IW, cwnd): a window a little above IW falls to it, one below stays. [5681-8] */
static void restart_window(void **state) {
    (void)state;
    for (unsigned segments = 5; segments <= 15; segments += 10) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "mss 1000");
        tcp_at(p.tcp, socket)->cwnd = segments * MSS;
        opened_writes(&p, socket, 10, 0);
        opened_drains(&p);
        opened_acks(&p, socket);
        peer_silent(&p);
        peer_waits(&p, BERTH_SECOND);
        assert_int_equal(tcp_at(p.tcp, socket)->cwnd, (segments < 10 ? segments : 10) * MSS);
        assert_null(opened_active(&p, socket));
        peer_end(&p);
    }
}

/* Optimistic ACKs (Savage): of what was not sent, they count for nothing. */
static void optimistic_ack(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = in_flight(&p, 4, 10, "mss 1000");
    for (unsigned i = 1; i < 50; i++)
        peer_sends(&p, "A ack %u", p.ack + 10 * MSS + i);
    assert_int_equal(tcp_at(p.tcp, socket)->cwnd, 10 * MSS);
    assert_int_equal(tcp_at(p.tcp, socket)->snd_una, p.ack);
    peer_gets(&p, "A seq %u len 0", p.ack + 10 * MSS);
    peer_silent(&p);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_window),
        cmocka_unit_test(window_after_lost_syn),
        cmocka_unit_test(fast_retransmit),
        cmocka_unit_test(not_duplicates),
        cmocka_unit_test(partial_ack),
        cmocka_unit_test(no_second_recovery),
        cmocka_unit_test(recover_stays_fresh),
        cmocka_unit_test(timeout_sends_one),
        cmocka_unit_test(no_fast_retransmit_after_timeout),
        cmocka_unit_test(growth),
        cmocka_unit_test(unused_window),
        cmocka_unit_test(restart_after_idle),
        cmocka_unit_test(restart_window),
        cmocka_unit_test(optimistic_ack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
