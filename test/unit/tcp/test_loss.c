/* Loss recovery with SACK: RFC 6675, RACK of RFC 8985 section 6, PRR of RFC 6937. Probes and what
 * is undone are in test_probe.c and test_undo.c. */
#include "test/unit/tcp/flown.h"

static const int families[] = {4, 6};

/* Ten segments of a hundred in flight, for a round trip. */
static uint32_t in_flight(struct peer *p, int family, uint64_t rtt) {
    return flown(p, family, 100, rtt, "");
}

/* 6675-1, 3042-1, 8985-1: what is SACKed leaves the pipe, and a new segment may go for it; once the
 * peer holds more than two segments beyond the gap, what is missing before them is lost, and goes
 * again at once: just that, and each once. Recovery ends with the ACK of all that was out. */
static void holes_alone(void **state) {
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        struct peer p;
        uint32_t socket = in_flight(&p, families[f], 20 * BERTH_MS);
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        flown_holds(&p, 1, 2); /* segments 0, 4 and 5 are lost */
        flown_gets(&p, 10);
        peer_silent(&p);
        flown_holds(&p, 1, 3);
        flown_gets(&p, 11);
        peer_silent(&p);
        assert_false(c->active->flags & TCP_A_RECOVERY);
        flown_holds(&p, 1, 4);
        assert_true(c->active->flags & TCP_A_RECOVERY);
        assert_int_equal(c->ssthresh, 5 * MSS);
        assert_int_equal(p.counters.tcp_fast_retransmits, 1);
        flown_gets(&p, 0);
        peer_silent(&p);
        peer_sends(&p, "A sack %u %u sack %u %u", p.ack + 6 * MSS, p.ack + 10 * MSS, p.ack + MSS,
                   p.ack + 4 * MSS);
        flown_gets(&p, 4); /* PRR-SSRB: the pipe is below ssthresh */
        flown_gets(&p, 5);
        peer_silent(&p);
        peer_sends(&p, "A sack %u %u sack %u %u", p.ack + 6 * MSS, p.ack + 12 * MSS, p.ack + MSS,
                   p.ack + 4 * MSS);
        flown_gets(&p, 12); /* nothing else is lost: new ones, up to ssthresh */
        flown_gets(&p, 13);
        peer_silent(&p);
        uint32_t base = p.ack;
        p.ack = base + 4 * MSS;
        peer_sends(&p, "A sack %u %u", base + 6 * MSS, base + 12 * MSS);
        p.ack = base + 12 * MSS;
        peer_sends(&p, "A");
        assert_false(c->active->flags & TCP_A_RECOVERY);
        assert_int_equal(c->cwnd, 5 * MSS);
        assert_int_equal(p.counters.tcp_retrans_segs, 3);
        assert_int_equal(p.counters.tcp_timeouts, 0);
        while (peer_pull(&p))
            assert_true(seq_ge(p.got.seq, base + 14 * MSS));
        peer_end(&p);
    }
}

/* What TCP_INFO says of it. */
static void told(void **state) {
    (void)state;
    struct peer p;
    struct berth_tcp_info info;
    uint32_t socket = in_flight(&p, 4, 20 * BERTH_MS);
    tcp_info(p.tcp, socket, &info);
    assert_int_equal(info.options & 2, 2);
    assert_int_equal(info.recovery + info.sacked + info.lost + info.resent, 0);
    assert_int_equal(info.min_rtt, 20 * BERTH_MS);
    flown_holds(&p, 2, 3);
    tcp_info(p.tcp, socket, &info);
    assert_int_equal(info.recovery, 1);
    assert_int_equal(info.sacked, MSS);
    flown_holds(&p, 2, 6); /* 0 and 1 are lost, but one goes at once */
    tcp_info(p.tcp, socket, &info);
    assert_int_equal(info.recovery, 3);
    assert_int_equal(info.lost, 2 * MSS);
    flown_gets(&p, 0);
    tcp_info(p.tcp, socket, &info);
    assert_int_equal(info.lost, MSS);
    assert_int_equal(info.resent, MSS);
    peer_end(&p);
}

/* 6937-1: while what is out shrinks to ssthresh, one octet goes for each two delivered (half is
 * ssthresh here), and cwnd ends as ssthresh. */
static void proportional(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000 sackok wscale 7");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    p.win = 4096;
    peer_sends(&p, "A");
    c->cwnd = 40 * MSS;
    opened_writes(&p, socket, 200 * MSS, 0);
    assert_int_equal(opened_drains(&p), 40);
    unsigned sent = 0, delivered = 0;
    for (uint32_t n = 1; n < 40; n++) {
        flown_holds(&p, 1, n + 1);
        delivered++;
        sent += opened_drains(&p);
        if (n == 2)
            assert_int_equal(sent, 2); /* limited transmit */
        if (n > 35) {                  /* it has: what is delivered is replaced (PRR-SSRB) */
            assert_int_equal(c->active->loss.score.pipe, 20 * MSS);
        } else if (n >= 3) {
            assert_int_equal(c->ssthresh, 20 * MSS);
            /* the first retransmission in any case; then as much as RecoverFS (42) shares out */
            unsigned share = (delivered - 2) * 20 / 42;
            assert_int_equal(sent - 2, share > 1 ? share : 1);
        }
    }
    assert_int_equal(p.counters.tcp_retrans_segs, 1);
    p.ack += 42 * MSS;
    peer_sends(&p, "A");
    assert_int_equal(c->cwnd, 20 * MSS);
    peer_end(&p);
}

/* RFC 6937 section 3, PRR-SSRB: where losses have taken more than half, what is out grows to
 * ssthresh by one segment more than is delivered, not in a burst. [6937-1] */
static void after_heavy_losses(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = in_flight(&p, 4, 20 * BERTH_MS);
    flown_holds(&p, 7, 10); /* 0 to 6 are lost: the pipe is empty, ssthresh is five */
    unsigned sent = opened_drains(&p);
    assert_in_range(sent, 3, 5); /* three were delivered, and one more */
    assert_int_equal(tcp_at(p.tcp, socket)->ssthresh, 5 * MSS);
    assert_int_equal(p.counters.tcp_retrans_segs, sent);
    peer_end(&p);
}

/* 8985-1: a retransmission that is lost in its turn is found by what was sent after it, at once,
 * without a timeout. */
static void lost_again(void **state) {
    (void)state;
    struct peer p;
    in_flight(&p, 4, 20 * BERTH_MS);
    flown_holds(&p, 1, 4);
    flown_gets(&p, 0);
    peer_silent(&p);
    for (uint32_t n = 5; n <= 9; n++) {
        flown_holds(&p, 1, n);
        opened_drains(&p);
    }
    uint32_t out = opened_active(&p, tcp_at(p.tcp, 2)->self)->snd_max;
    assert_true(seq_gt(out, p.ack + 10 * MSS)); /* new segments followed the retransmission */
    peer_waits(&p, 20 * BERTH_MS);
    peer_sends(&p, "A sack %u %u", p.ack + MSS, out);
    flown_gets(&p, 0);
    assert_int_equal(p.counters.tcp_timeouts, 0);
    peer_end(&p);
}

/* 8985-1: fewer than three segments beyond the gap: it is lost when a quarter of the round trip has
 * passed in which it might still have come. */
static void time_tells(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000 sackok");
    tcp_at(p.tcp, socket)->srtt = 40000 << 3;
    tcp_at(p.tcp, socket)->rttvar = 0;
    opened_writes(&p, socket, 2 * MSS, 0);
    opened_active(&p, socket)->loss.min_rtt = 40000;
    assert_int_equal(opened_drains(&p), 2);
    peer_waits(&p, 40 * BERTH_MS);
    flown_holds(&p, 1, 2);
    opened_expires(&p, 10 * BERTH_MS);
    flown_gets(&p, 0);
    peer_silent(&p);
    assert_int_equal(p.counters.tcp_timeouts, 0);
    assert_int_equal(p.counters.tcp_loss_probes, 0);
    peer_end(&p);
}

/* RFC 8985 6.2 step 4: once reordering has been seen, three segments beyond the gap do not suffice:
 * the window is waited for; and what fills the gap in time is not sent again. [8985-1] */
static void reordering_is_waited_for(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = in_flight(&p, 4, 40 * BERTH_MS);
    flown_holds(&p, 1, 2);
    p.ack += 2 * MSS; /* segment 0 was late */
    peer_sends(&p, "A");
    assert_true(opened_active(&p, socket)->loss.flags & LOSS_REORDERED);
    opened_drains(&p);
    flown_holds(&p, 1, 8);
    while (peer_pull(&p))
        assert_true(seq_ge(p.got.seq, p.ack + 8 * MSS)); /* new ones only */
    peer_waits(&p, 5 * BERTH_MS);
    p.ack += 8 * MSS; /* late again */
    peer_sends(&p, "A");
    opened_drains(&p);
    assert_int_equal(p.counters.tcp_retrans_segs, 0);
    assert_int_equal(tcp_at(p.tcp, socket)->ssthresh, UINT32_MAX);
    flown_holds(&p, 1, 6);
    opened_drains(&p);
    assert_int_equal(p.counters.tcp_retrans_segs, 0);
    peer_waits(&p, 12 * BERTH_MS); /* this one is not late, but lost */
    flown_gets(&p, 0);
    peer_end(&p);
}

/* RFC 8985 6.2 step 4: each round that reports duplicates makes the window longer, sixteen
 * recoveries without make it short again. [8985-1] */
static void duplicates_lengthen_the_window(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = in_flight(&p, 4, 40 * BERTH_MS);
    struct loss *l = &opened_active(&p, socket)->loss;
    opened_writes(&p, socket, 2000 * MSS, 0);
    for (unsigned round = 1; round <= 3; round++) {
        peer_sends(&p, "A sack %u %u", p.ack - 10, p.ack);
        assert_int_equal(l->mult, round);
        peer_sends(&p, "A sack %u %u", p.ack - 20, p.ack - 10); /* of the same round */
        assert_int_equal(l->mult, round);
        p.ack = l->score.end;
        peer_sends(&p, "A");
        opened_drains(&p);
    }
    for (unsigned i = 0; p.counters.tcp_fast_retransmits < 16 && i < 40; i++) {
        tcp_at(p.tcp, socket)->cwnd = 20 * MSS; /* nothing of it is to be seen here */
        opened_drains(&p);
        assert_int_equal(l->mult, 3);
        flown_holds(&p, 1, 5);
        opened_drains(&p);
        peer_waits(&p, 40 * BERTH_MS);
        opened_drains(&p);
        p.ack = l->score.end;
        peer_sends(&p, "A");
        opened_drains(&p);
    }
    assert_int_equal(l->mult, 0);
    peer_end(&p);
}

/* 8985-3: a timeout sends the first segment again, and takes for lost what is as old; what was sent
 * lately, and what the peer holds, is not. 2018-3: what was SACKed stays until it is acknowledged.
 */
static void timeout(void **state) {
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        struct peer p;
        uint32_t socket = in_flight(&p, families[f], 20 * BERTH_MS);
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        flown_holds(&p, 1, 3);
        assert_int_equal(opened_drains(&p), 2); /* 10 and 11 */
        c->active->loss.timer_at = 0;           /* as if the window for reordering were long */
        c->active->loss.flags &= (uint16_t)~LOSS_REORDER;
        c->active->rto_at = p.now + 6 * BERTH_MS;
        connection_wake(p.tcp, c);
        peer_waits(&p, 6 * BERTH_MS);
        assert_int_equal(p.counters.tcp_timeouts, 1);
        flown_gets(&p, 0);
        peer_silent(&p); /* one segment (RFC 5681 3.1) */
        const struct score *s = &c->active->loss.score;
        assert_int_equal(s->sacked, 2 * MSS);
        assert_int_equal(s->waiting, 7 * MSS); /* 3 to 9; 10 and 11 are out since 6 ms */
        assert_int_equal(s->pipe, 3 * MSS);
        p.ack += 3 * MSS;
        peer_sends(&p, "A");
        flown_gets(&p, 9); /* new ones, to see whether it was spurious: 5682-1 */
        flown_gets(&p, 10);
        peer_silent(&p);
        flown_holds(&p, 9, 10); /* it was not */
        for (uint32_t n = 0; n < 3; n++)
            flown_gets(&p, n); /* the former 3 to 5: slow start, and neither 1 nor 2 again */
        peer_end(&p);
    }
}

/* RFC 2018 section 8: a peer that drops what it has SACKed gets it again, after a timeout, which
 * comes soon once its ACK shows it. [2018-3] */
static void reneging(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = in_flight(&p, 4, 20 * BERTH_MS);
    flown_holds(&p, 1, 8);
    opened_drains(&p);
    uint32_t out = opened_active(&p, socket)->snd_max;
    p.ack += MSS; /* segment 0 came; 1 to 7 are forgotten */
    peer_sends(&p, "A");
    opened_drains(&p);
    peer_waits(&p, 25 * BERTH_MS);
    assert_int_equal(p.counters.tcp_timeouts, 1);
    bool again[64] = {false}; /* what goes again, segment by segment; only that is acknowledged */
    uint32_t base = p.ack;
    for (unsigned round = 0; seq_lt(p.ack, out); round++) {
        while (peer_pull(&p))
            if ((p.got.seq - base) / MSS < 64)
                again[(p.got.seq - base) / MSS] = true;
        while (again[(p.ack - base) / MSS])
            p.ack += MSS;
        peer_sends(&p, "A");
        assert_true(round < 40);
    }
    assert_int_equal(p.counters.tcp_timeouts, 1);
    peer_end(&p);
}

/* A FIN takes part: lost with the last octets, it goes again with them. */
static void lost_fin(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000 sackok");
    opened_writes(&p, socket, 5 * MSS, 0);
    assert_int_equal(tcp_shutdown(p.tcp, socket, BERTH_SHUT_WR, p.now), 0);
    for (unsigned i = 0; i < 4; i++)
        flown_gets(&p, i);
    peer_gets(&p, "AFP seq %u len %u", p.ack + 4 * MSS, MSS);
    peer_silent(&p);
    peer_waits(&p, BERTH_MS);
    peer_sends(&p, "A sack %u %u", p.ack + MSS, p.ack + 5 * MSS); /* without the FIN */
    flown_gets(&p, 0);
    peer_waits(&p, 5 * BERTH_MS);
    p.ack += 5 * MSS;
    peer_sends(&p, "A");
    peer_waits(&p, 300 * BERTH_MS);
    peer_gets(&p, "AF seq %u len 0", p.ack);
    p.ack++;
    peer_sends(&p, "A");
    assert_int_equal(peer_state(&p, socket), BERTH_FIN_WAIT_2);
    peer_end(&p);
}

/* A window that closes over what is lost: probed, and all goes once it opens (MUST-34). */
static void window_closes(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = in_flight(&p, 4, 20 * BERTH_MS);
    peer_sends(&p, "A win 0 sack %u %u", p.ack + MSS, p.ack + 4 * MSS);
    opened_drains(&p);
    for (unsigned i = 0; i < 3; i++) {
        peer_waits(&p, 20 * BERTH_SECOND);
        assert_true(opened_drains(&p) > 0);
    }
    uint32_t base = p.ack;
    for (unsigned i = 0; i < 40; i++) {
        while (peer_pull(&p))
            if (p.got.length && p.got.seq == p.ack)
                p.ack += p.got.length;
        peer_sends(&p, "A");
        peer_waits(&p, 400 * BERTH_MS);
    }
    assert_true(seq_gt(p.ack, base + 10 * MSS));
    assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
    peer_end(&p);
}

/* The sums are those of the ranges, and none waits before the hint. */
static void sums(const struct score *s) {
    const struct score_range *ranges = s->many ? s->many : s->few;
    uint32_t pipe = 0, sacked = 0, waiting = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t end = i + 1 < s->count ? ranges[i + 1].seq : s->end, flags = ranges[i].flags;
        uint32_t length = end - ranges[i].seq;
        bool waits = (flags & (SCORE_SACKED | SCORE_LOST | SCORE_RESENT)) == SCORE_LOST;
        assert_in_range(length, 1, 1 << 20);
        pipe +=
            flags & SCORE_SACKED ? 0 : length * (!(flags & SCORE_LOST) + !!(flags & SCORE_RESENT));
        sacked += flags & SCORE_SACKED ? length : 0;
        waiting += waits ? length : 0;
        assert_false(waits && seq_lt(ranges[i].seq, s->hint) && seq_le(end, s->hint));
    }
    assert_int_equal(s->pipe, pipe);
    assert_int_equal(s->sacked, sacked);
    assert_int_equal(s->waiting, waiting);
}

/* Hostile: SACKs of every kind in every state. Nothing is sent that was not written, no window
 * grows beyond what was delivered, and memory stays bounded. */
static void hostile(void **state) {
    (void)state;
    uint64_t mix = 1;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000 sackok");
    for (unsigned i = 0; i < 30000; i++) {
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        uint32_t edges[6];
        for (unsigned e = 0; e < 6; e++) {
            mix = mix * 6364136223846793005u + 1442695040888963407u;
            uint32_t at = (uint32_t)(mix >> 33);
            edges[e] = c->snd_una + (at % 7 == 0 ? at << 4 : at % 14000 - 1000);
        }
        peer_sends(&p, "A ack %u sack %u %u sack %u %u sack %u %u",
                   i % 50 == 0 ? c->snd_una + edges[0] % 900 : c->snd_una, edges[0], edges[1],
                   edges[2], edges[3], edges[4], edges[5]);
        if (c->active)
            sums(&c->active->loss.score);
        if (!c->active || c->active->send.length < 50 * MSS)
            opened_writes(&p, socket, 50 * MSS, 0);
        while (peer_pull(&p))
            sums(&c->active->loss.score);
        if (i % 20 == 0)
            peer_waits(&p, 7 * BERTH_MS);
        sums(&c->active->loss.score);
        assert_true(c->cwnd < 100 * MSS);
        assert_true(c->active->loss.score.count <= SCORE_MAX);
        assert_int_equal(c->state, BERTH_ESTABLISHED);
    }
    peer_end(&p);
}

/* Without memory for the scoreboard: some goes again for nothing, but all arrives. */
static void no_memory(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = in_flight(&p, 4, 20 * BERTH_MS);
    uint32_t base = p.ack, end = base + 100 * MSS;
    p.counting.fail_from = p.counting.calls + 1;
    for (uint32_t n = 1; n < 10; n += 2)
        flown_holds(&p, n, n + 1);
    bool have[100] = {false};
    for (unsigned round = 0; p.ack != end && round < 2000; round++) {
        while (peer_pull(&p))
            if (p.got.length) {
                assert_int_equal((p.got.seq - base) % MSS, 0);
                have[(p.got.seq - base) / MSS] = true;
            }
        while (p.ack != end && have[(p.ack - base) / MSS])
            p.ack += MSS;
        uint32_t next = (p.ack - base) / MSS + 1 + round % 3;
        if (next < 99 && have[next])
            flown_holds(&p, next - (p.ack - base) / MSS, next + 1 - (p.ack - base) / MSS);
        peer_sends(&p, "A");
        peer_waits(&p, 10 * BERTH_MS);
    }
    p.counting.fail_from = 0;
    assert_int_equal(p.ack, end);
    (void)socket;
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holes_alone),
        cmocka_unit_test(told),
        cmocka_unit_test(proportional),
        cmocka_unit_test(after_heavy_losses),
        cmocka_unit_test(lost_again),
        cmocka_unit_test(time_tells),
        cmocka_unit_test(reordering_is_waited_for),
        cmocka_unit_test(duplicates_lengthen_the_window),
        cmocka_unit_test(timeout),
        cmocka_unit_test(reneging),
        cmocka_unit_test(lost_fin),
        cmocka_unit_test(window_closes),
        cmocka_unit_test(hostile),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
