/* Tail loss probes: RFC 8985 section 7. */
#include "test/unit/tcp/flown.h"

static const int families[] = {4, 6};
static const uint64_t RTT = 20 * BERTH_MS;
static const uint64_t PTO = 42 * BERTH_MS; /* 2 SRTT, and 2 ms for how fine time is */

/* 8985-2, 7.2, 7.3: the last segments are lost. Two round trips after they were sent the last goes
 * again, and its SACK shows the losses before it: all goes within a few round trips. */
static void lost_tail(void **state) {
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        struct peer p;
        flown(&p, families[f], 5, RTT, "");
        opened_expires(&p, PTO - RTT);
        flown_gets(&p, 4);
        peer_silent(&p);
        assert_int_equal(p.counters.tcp_loss_probes, 1);
        peer_waits(&p, RTT);
        p.ack += 2 * MSS; /* 2 and 3 are lost */
        peer_sends(&p, "A sack %u %u", p.ack + 2 * MSS, p.ack + 3 * MSS);
        flown_gets(&p, 0);
        flown_gets(&p, 1);
        peer_silent(&p);
        assert_int_equal(p.counters.tcp_timeouts, 0);
        assert_int_equal(p.counters.tcp_fast_retransmits, 1); /* congestion is answered */
        peer_end(&p);
    }
}

/* 7.3: new octets are the better probe, even beyond cwnd; but not beyond the peer's window.
 * [8985-2] */
static void new_octets(void **state) {
    (void)state;
    for (unsigned closed = 0; closed < 2; closed++) {
        struct peer p;
        uint32_t socket = flown(&p, 4, 50, RTT, "");
        if (closed)
            tcp_at(p.tcp, socket)->snd_wnd = 10 * MSS;
        opened_expires(&p, PTO - RTT);
        flown_gets(&p, closed ? 9 : 10);
        peer_silent(&p);
        assert_int_equal(p.counters.tcp_retrans_segs, closed);
        opened_expires(&p, 220 * BERTH_MS); /* one probe, whatever it was: then the timeout */
        flown_gets(&p, 0);
        assert_int_equal(p.counters.tcp_loss_probes, 1);
        assert_int_equal(p.counters.tcp_timeouts, 1);
        peer_end(&p);
    }
}

/* 7.2: a single segment may be acknowledged late (40 ms is what our own receivers take; a quarter
 * more is given them); with no RTT known, or where the timer comes sooner, there is no probe; nor
 * without SACK. [8985-2] */
static void when(void **state) {
    (void)state;
    struct peer p;
    flown(&p, 4, 1, RTT, "");
    opened_expires(&p, PTO + 50 * BERTH_MS - RTT);
    flown_gets(&p, 0);
    assert_int_equal(p.counters.tcp_loss_probes, 1);
    peer_end(&p);

    flown(&p, 4, 5, 300 * BERTH_MS, ""); /* 602 ms, and the RTO is 500 */
    opened_expires(&p, 200 * BERTH_MS);
    flown_gets(&p, 0);
    assert_int_equal(p.counters.tcp_loss_probes, 0);
    assert_int_equal(p.counters.tcp_timeouts, 1);
    peer_end(&p);

    uint32_t socket = opened(&p, 4, "mss 1000 sackok");
    tcp_at(p.tcp, socket)->srtt = 0; /* as after a lost SYN: a second, and the RTO is three */
    rtt_after_lost_syn(tcp_at(p.tcp, socket));
    opened_writes(&p, socket, 5 * MSS, 0);
    assert_int_equal(opened_drains(&p), 5);
    opened_expires(&p, BERTH_SECOND);
    flown_gets(&p, 4);
    assert_int_equal(p.counters.tcp_loss_probes, 1);
    peer_end(&p);

    socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 5 * MSS, 0);
    opened_drains(&p);
    opened_expires(&p, 200 * BERTH_MS);
    assert_int_equal(p.counters.tcp_loss_probes, 0);
    peer_end(&p);
}

/* 7.2: ACKs that move on put it off; what is SACKed ends it, for RACK's timer knows more. [8985-2]
 */
static void put_off(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = flown(&p, 4, 8, RTT, "");
    const struct loss *l = &opened_active(&p, socket)->loss;
    for (unsigned i = 0; i < 4; i++) {
        p.ack += MSS;
        peer_sends(&p, "A");
        peer_silent(&p);
        tcp_at(p.tcp, socket)->srtt = 20000 << 3;
        peer_waits(&p, 30 * BERTH_MS);
    }
    peer_silent(&p);
    assert_true(l->timer_at != 0);
    assert_false(l->flags & LOSS_REORDER);
    flown_holds(&p, 2, 3);
    assert_true(l->timer_at == 0 || l->flags & LOSS_REORDER);
    peer_end(&p);
}

/* 7.3: one probe; if it is not answered, the retransmission timer is next, and its time counts from
 * the probe. [8985-2] */
static void one_probe(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = flown(&p, 4, 5, RTT, "");
    opened_expires(&p, PTO - RTT);
    flown_gets(&p, 4);
    peer_silent(&p);
    opened_expires(&p, 220 * BERTH_MS);
    flown_gets(&p, 0);
    assert_int_equal(p.counters.tcp_timeouts, 1);
    assert_int_equal(p.counters.tcp_loss_probes, 1);
    assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
    peer_end(&p);
}

/* 7.4: what became of the probe, from what comes after it: both arrived (1: D-SACK; 3: a duplicate
 * ACK without SACK), and the window stays; or just one did, so one was lost (2). [8985-2] */
static void what_became_of_it(void **state) {
    (void)state;
    for (unsigned kind = 1; kind <= 3; kind++) {
        struct peer p;
        uint32_t socket = flown(&p, 4, 5, RTT, "");
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        opened_expires(&p, PTO - RTT);
        flown_gets(&p, 4);
        uint32_t base = p.ack, window = c->cwnd;
        p.ack += 5 * MSS;
        peer_sends(&p, "A");
        assert_true(c->active->loss.flags & LOSS_PROBE);
        if (kind == 1)
            peer_sends(&p, "A sack %u %u", base + 4 * MSS, base + 5 * MSS);
        if (kind == 3)
            peer_sends(&p, "A");
        opened_writes(&p, socket, MSS, 0);
        flown_gets(&p, 0);
        p.ack += MSS;
        peer_sends(&p, "A");
        assert_false(c->active->loss.flags & LOSS_PROBE);
        assert_int_equal(c->ssthresh, kind == 2 ? window / 2 : UINT32_MAX);
        assert_true(kind == 2 ? c->cwnd <= window / 2 + MSS : c->cwnd >= window);
        assert_int_equal(opened_active(&p, socket)->loss.mult, 0); /* no sign of reordering */
        peer_end(&p);
    }
}

/* 7.4: what is heard before an ACK comes as far as the probe says nothing of it: one of the two was
 * lost all the same. [8985-2] */
static void not_the_probe_yet(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = flown(&p, 4, 5, RTT, "");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    opened_expires(&p, PTO - RTT);
    flown_gets(&p, 4);
    uint32_t window = c->cwnd;
    peer_sends(&p, "A"); /* a duplicate ACK of the first segment */
    assert_true(c->active->loss.flags & LOSS_PROBE);
    p.ack += 5 * MSS;
    peer_sends(&p, "A");
    opened_writes(&p, socket, MSS, 0);
    flown_gets(&p, 0);
    p.ack += MSS;
    peer_sends(&p, "A");
    assert_false(c->active->loss.flags & LOSS_PROBE);
    assert_int_equal(c->ssthresh, window / 2);
    peer_end(&p);
}

/* The FIN is the tail of all. */
static void lost_fin(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = flown(&p, 4, 5, RTT, "");
    p.ack += 5 * MSS;
    peer_sends(&p, "A");
    tcp_at(p.tcp, socket)->srtt = 20000 << 3;
    tcp_at(p.tcp, socket)->rttvar = 0;
    assert_int_equal(tcp_shutdown(p.tcp, socket, BERTH_SHUT_WR, p.now), 0);
    peer_gets(&p, "AF seq %u len 0", p.ack);
    peer_silent(&p);
    opened_expires(&p, PTO + 50 * BERTH_MS);
    peer_gets(&p, "AF seq %u len 0", p.ack);
    assert_int_equal(p.counters.tcp_loss_probes, 1);
    p.ack++;
    peer_sends(&p, "A");
    assert_int_equal(peer_state(&p, socket), BERTH_FIN_WAIT_2);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_tail),
        cmocka_unit_test(new_octets),
        cmocka_unit_test(when),
        cmocka_unit_test(put_off),
        cmocka_unit_test(one_probe),
        cmocka_unit_test(what_became_of_it),
        cmocka_unit_test(not_the_probe_yet),
        cmocka_unit_test(lost_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
