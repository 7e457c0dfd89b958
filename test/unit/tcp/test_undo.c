/* Recoveries that were for nothing: RFC 3522 and 4015 (Eifel), 3708 (D-SACK), 5682 (F-RTO). */
#include "test/unit/tcp/flown.h"

static const uint64_t RTT = 20 * BERTH_MS;

/* Nothing is heard, and without a probe the first segment goes again. */
static void times_out(struct peer *p, struct tcp_connection *c) {
    c->active->loss.timer_at = 0;
    connection_wake(p->tcp, c);
    opened_expires(p, 200 * BERTH_MS);
    assert_int_equal(p->counters.tcp_timeouts, 1);
    flown_gets(p, 0);
    peer_silent(p);
}

/* 4015-1: segment 0 was only late. Its ACK echoes the first sending's timestamp, so window and
 * threshold are what they were, and nothing else goes again. Were it lost, the echo is the
 * retransmission's, and all stays reduced. */
static void late_segment(void **state) {
    (void)state;
    for (unsigned lost = 0; lost < 2; lost++) {
        struct peer p;
        uint32_t socket = flown(&p, 4, 100, RTT, "ts 1 0");
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        uint32_t sent = tcp_ts_now(p.tcp, c) - 20;
        peer_sends(&p, "A ts 2 %u sack %u %u", sent, p.ack + MSS, p.ack + 4 * MSS);
        flown_gets(&p, 0);
        uint32_t again = p.got.options.ts_value, window = c->active->loss.undo_cwnd;
        assert_int_equal(again, sent + 20);
        assert_true(c->active->flags & TCP_A_RECOVERY);
        assert_int_equal(window, 10 * (MSS + 12));
        peer_waits(&p, 5 * BERTH_MS);
        p.ack += 4 * MSS;
        peer_sends(&p, "A ts 3 %u", lost ? again : sent);
        assert_int_equal(p.counters.tcp_recoveries_undone, !lost);
        assert_int_equal((c->active->flags & TCP_A_RECOVERY) != 0, lost);
        assert_int_equal(c->ssthresh, lost ? 5 * MSS : UINT32_MAX);
        assert_int_equal(c->cwnd >= window, !lost);
        while (peer_pull(&p))
            assert_true(p.got.seq - p.ack >= 6 * MSS);
        assert_int_equal(p.counters.tcp_retrans_segs, 1);
        peer_end(&p);
    }
}

/* 4015-1: a timeout that came too early: the path became slow. The ACK of the first segment tells,
 * and the other nine do not go again. */
static void early_timeout(void **state) {
    (void)state;
    for (unsigned stamps = 0; stamps < 2; stamps++) {
        struct peer p;
        uint32_t socket = flown(&p, 6, 100, RTT, stamps ? "ts 1 0" : "");
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        uint32_t sent = tcp_ts_now(p.tcp, c) - 20, base = p.ack;
        times_out(&p, c);
        assert_int_equal(c->cwnd, (stamps ? 12 : 0) + MSS);
        p.ack += MSS;
        if (stamps) {
            peer_sends(&p, "A ts 2 %u", sent);
        } else {
            /* 5682-1: new octets first; and then an ACK of what was sent once only. */
            peer_sends(&p, "A");
            flown_gets(&p, 9);
            flown_gets(&p, 10);
            peer_silent(&p);
            assert_int_equal(p.counters.tcp_recoveries_undone, 0);
            p.ack += MSS;
            peer_sends(&p, "A");
        }
        assert_int_equal(p.counters.tcp_recoveries_undone, 1);
        assert_int_equal(c->ssthresh, UINT32_MAX);
        assert_true(c->cwnd >= 10 * MSS);
        while (peer_pull(&p))
            assert_true(p.got.seq - base >= 10 * MSS);
        assert_int_equal(p.counters.tcp_retrans_segs, 1);
        assert_int_equal(c->active->backoff, 0);
        peer_end(&p);
    }
}

/* 5682-1, step 2a and 3a: a duplicate, or what is SACKed of the new octets alone, shows that the
 * timeout was right. */
static void right_timeout(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < 2; kind++) {
        struct peer p;
        uint32_t socket = flown(&p, 4, 100, RTT, "");
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        times_out(&p, c);
        p.ack += MSS;
        peer_sends(&p, "A");
        flown_gets(&p, 9);
        flown_gets(&p, 10);
        peer_silent(&p);
        if (kind == 0)
            peer_sends(&p, "A");
        else
            flown_holds(&p, 9, 11);
        assert_int_equal(p.counters.tcp_recoveries_undone, 0);
        assert_true(c->active->loss.flags & LOSS_TIMEOUT);
        if (kind == 1) {
            flown_gets(&p, 0);
            flown_gets(&p, 1);
        }
        assert_int_equal(c->ssthresh, 5 * MSS);
        peer_end(&p);
    }
}

/* 5682-1, step 2b: without new octets to be sent it cannot be told whether the timeout was right:
 * it is recovered from, and an ACK of what was sent once only undoes nothing. */
static void nothing_new_to_send(void **state) {
    (void)state;
    for (unsigned closed = 0; closed < 2; closed++) { /* there is nothing, or no window for it */
        struct peer p;
        uint32_t socket = flown(&p, 4, closed ? 50 : 10, RTT, "");
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        times_out(&p, c);
        p.ack += MSS;
        peer_sends(&p, closed ? "A win 9000" : "A"); /* up to the end of what is out */
        assert_false(!closed && c->active->loss.flags & LOSS_FRTO &&
                     c->active->send.length > 9 * MSS);
        flown_gets(&p, 0);
        flown_gets(&p, 1);
        peer_silent(&p);
        assert_false(c->active->loss.flags & LOSS_FRTO);
        p.ack += 4 * MSS; /* 3 and 4 were sent once */
        peer_sends(&p, closed ? "A win 5000" : "A");
        assert_int_equal(p.counters.tcp_recoveries_undone, 0);
        assert_true(c->active->loss.flags & LOSS_TIMEOUT);
        assert_int_equal(c->ssthresh, 5 * MSS);
        flown_gets(&p, 0);
        peer_end(&p);
    }
}

/* RFC 3708: without timestamps, when every octet that was sent again has been reported as a
 * duplicate, and not sooner. [4015-1] */
static void all_came_twice(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = flown(&p, 4, 100, RTT, "");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    uint32_t base = p.ack;
    peer_sends(&p, "A sack %u %u", p.ack + 2 * MSS, p.ack + 7 * MSS);
    flown_gets(&p, 0);
    flown_gets(&p, 1);
    opened_drains(&p);
    p.ack += 10 * MSS;
    peer_sends(&p, "A");
    opened_drains(&p);
    assert_false(c->active->flags & TCP_A_RECOVERY);
    assert_int_equal(c->ssthresh, 5 * MSS);
    peer_sends(&p, "A sack %u %u", base - 500, base); /* not of this recovery */
    peer_sends(&p, "A sack %u %u", base, base + MSS);
    assert_int_equal(p.counters.tcp_recoveries_undone, 0);
    peer_sends(&p, "A sack %u %u", base + MSS, base + 2 * MSS);
    assert_int_equal(p.counters.tcp_recoveries_undone, 1);
    assert_int_equal(c->ssthresh, UINT32_MAX);
    assert_true(c->cwnd >= 10 * MSS);
    peer_sends(&p, "A sack %u %u", base + MSS, base + 2 * MSS); /* once is enough */
    assert_int_equal(p.counters.tcp_recoveries_undone, 1);
    peer_end(&p);
}

/* What is reported after all that was out at the recovery's end has been acknowledged comes too
 * late: the window has gone its own way since. */
static void too_late(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = flown(&p, 4, 100, RTT, "");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    uint32_t base = p.ack;
    flown_holds(&p, 1, 7);
    flown_gets(&p, 0);
    for (unsigned i = 0; i < 3; i++) {
        opened_drains(&p);
        p.ack = opened_active(&p, socket)->snd_max;
        peer_sends(&p, "A");
    }
    opened_drains(&p);
    assert_int_equal(c->ssthresh, 5 * MSS);
    peer_sends(&p, "A sack %u %u", base, base + MSS);
    assert_int_equal(p.counters.tcp_recoveries_undone, 0);
    assert_int_equal(c->ssthresh, 5 * MSS);
    peer_end(&p);
}

/* RFC 6298 5.1, 6298-4: a recovery is undone between the expiry and the retransmission that it
 * asked for, which is then not made. What is out is still waited for. */
static void undone_before_it_goes(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = flown(&p, 4, 2, RTT, "");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    times_out(&p, c);
    peer_waits(&p, 500 * BERTH_MS);
    assert_int_equal(p.counters.tcp_timeouts, 2);
    peer_sends(&p, "A sack %u %u sack %u %u", p.ack + MSS, p.ack + 2 * MSS, p.ack + MSS,
               p.ack + 2 * MSS);
    assert_int_equal(p.counters.tcp_recoveries_undone, 1);
    peer_silent(&p);
    peer_waits(&p, 2 * BERTH_SECOND);
    flown_gets(&p, 0);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_segment),          cmocka_unit_test(early_timeout),
        cmocka_unit_test(right_timeout),         cmocka_unit_test(nothing_new_to_send),
        cmocka_unit_test(all_came_twice),        cmocka_unit_test(too_late),
        cmocka_unit_test(undone_before_it_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
