/* What arrives, in whatever order: RFC 9293 3.10.7.4, RFC 5681 4.2, RFC 2525 2.5. */
#include "test/unit/tcp/opened.h"

/* Pieces of the stream, by offset and length, and what is acknowledged after each: SHLD-31, MUST-59
 * (a gap that is filled gives one ACK, for all). [9293-E5, 2525-5] */
static void pieces(void **state) {
    (void)state;
    enum { END = -1 };
    static const struct {
        struct {
            int at;
            unsigned length;
        } pieces[8];
        unsigned acks[8];
    } cases[] = {
        {{{0, 10}, {10, 10}, {END, 0}}, {10, 20}},
        {{{10, 10}, {0, 10}, {END, 0}}, {0, 20}},
        {{{20, 10}, {10, 10}, {0, 10}, {END, 0}}, {0, 0, 30}},
        {{{0, 20}, {10, 20}, {END, 0}}, {20, 30}},             /* overlap to the left */
        {{{10, 10}, {5, 20}, {0, 5}, {END, 0}}, {0, 0, 25}},   /* around what is there */
        {{{10, 10}, {30, 10}, {0, 50}, {END, 0}}, {0, 0, 50}}, /* over all */
        {{{10, 10}, {30, 10}, {5, 40}, {0, 5}, {END, 0}}, {0, 0, 0, 45}},
        {{{0, 10}, {0, 10}, {END, 0}}, {10, 10}},  /* again */
        {{{0, 30}, {10, 10}, {END, 0}}, {30, 30}}, /* a part of it again */
        {{{10, 10}, {10, 10}, {10, 5}, {0, 10}, {END, 0}}, {0, 0, 0, 20}},
        {{{10, 1}, {12, 1}, {14, 1}, {0, 11}, {11, 1}, {13, 1}, {END, 0}}, {0, 0, 0, 11, 13, 15}},
        {{{5, 3}, {0, 4}, {4, 1}, {END, 0}}, {0, 4, 8}},
        {{{1000, 1460}, {0, 1460}, {END, 0}}, {0, 2460}},
    };
    for (unsigned family = 4; family <= 6; family += 2)
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct peer p;
            uint32_t socket = opened(&p, (int)family, "mss 1460"), start = p.seq, last = 0;
            for (unsigned j = 0; cases[i].pieces[j].at != END; j++) {
                peer_sends(&p, "A seq %u len %u", start + (uint32_t)cases[i].pieces[j].at,
                           cases[i].pieces[j].length);
                if (!peer_pull(&p)) {
                    peer_waits(&p, 40 * BERTH_MS);
                    peer_gets(&p, "A");
                }
                assert_int_equal(p.got.ack, start + cases[i].acks[j]);
                peer_silent(&p);
                last = cases[i].acks[j];
            }
            assert_int_equal(opened_reads(&p, socket, start, 100000), last);
            assert_int_equal(opened_end(&p, socket), -EAGAIN);
            peer_silent(&p);
            peer_waits(&p, 3 * BERTH_SECOND);
            assert_null(opened_active(&p, socket)); /* and nothing stays behind */
            peer_end(&p);
        }
}

/* What came first stays: a peer, or somebody else, cannot change octets by sending them again
 * (2525-5; insertion and evasion). */
static void first_wins(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1460"), start = p.seq;
    uint8_t wrong[100], octets[200];
    struct berth_part part = {NULL, wrong, sizeof wrong};
    memset(wrong, 0xee, sizeof wrong);
    peer_sends(&p, "A seq %u len 20", start + 50);
    struct tcp_segment segment = {
        .tuple = p.tuple,
        .seq = start + 1,
        .ack = p.ack,
        .flags = TCP_ACK,
        .window = p.win,
        .interface = 1,
        .part_count = 1,
        .length = sizeof wrong,
        .parts = &part,
        .hash = ports_hash(tcp_ports(p.tcp), &p.tuple),
    };
    tcp_input(p.tcp, &segment, p.now);
    peer_sends(&p, "A len 70");
    opened_drains(&p);
    assert_int_equal(tcp_receive(p.tcp, socket, octets, sizeof octets, 0, p.now), 101);
    for (unsigned i = 0; i < 101; i++) /* the first octet came last, with copies of others */
        assert_int_equal(octets[i], i == 0 || (i >= 50 && i < 70) ? (uint8_t)(start + i) : 0xee);
    peer_end(&p);
}

/* Octets beyond the window are cut off; a segment beyond it is answered and dropped. [9293-E5] */
static void beyond_window(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.tcp_receive_buffer = 8000;
    static const struct tcp_interface small = {1040, 1040, 0};
    peer_start(&p, 4);
    tcp_set_interface(p.tcp, 1, &small);
    uint32_t listener = peer_listener(&p, 5);
    opened_wait_for_wrap(&p);
    uint32_t socket = peer_establishes(&p, listener, 0xfffff800u, "mss 1000"), start = p.seq;
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    assert_int_equal(c->rcv_edge - c->rcv_nxt, 4000);
    peer_sends(&p, "A seq %u len 1000", start + 4000);
    peer_gets(&p, "A ack %u", start);
    peer_sends(&p, "FA seq %u len 1000", start + 3500);
    peer_gets(&p, "A ack %u", start);
    assert_int_equal(c->active->run_octets, 500);
    assert_false(c->active->flags & TCP_A_FIN_AHEAD);
    for (unsigned i = 0; i < 4; i++)
        peer_sends(&p, "A seq %u len 1000", start + 1000 * i);
    assert_int_equal(c->rcv_nxt, start + 4000);
    opened_drains(&p);
    assert_int_equal(opened_reads(&p, socket, start, 10000), 4000);
    peer_end(&p);
}

/* A FIN that comes ahead of a gap counts when the gap is filled, and not before. [9293-E11,
 * 9293-E10] */
static void fin_ahead(void **state) {
    (void)state;
    for (unsigned bare = 0; bare < 2; bare++) {
        struct peer p;
        uint32_t socket = opened(&p, 6, "mss 1000"), start = p.seq;
        if (bare) {
            peer_sends(&p, "A seq %u len 10", start + 10);
            peer_sends(&p, "FA seq %u", start + 20);
        } else {
            peer_sends(&p, "FPA seq %u len 10", start + 10);
        }
        opened_drains(&p);
        assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
        assert_false(peer_events(&p, socket) & BERTH_PEER_CLOSED);
        assert_int_equal(opened_end(&p, socket), -EAGAIN);
        peer_sends(&p, "A len 10");
        peer_gets(&p, "A ack %u", start + 21);
        peer_silent(&p);
        assert_int_equal(peer_state(&p, socket), BERTH_CLOSE_WAIT);
        assert_true(peer_events(&p, socket) & BERTH_PEER_CLOSED);
        assert_int_equal(opened_reads(&p, socket, start, 100), 20);
        assert_int_equal(opened_end(&p, socket), 0);
        assert_null(opened_active(&p, socket));
        /* What follows a FIN does not exist. */
        peer_sends(&p, "A seq %u len 10", start + 21);
        opened_drains(&p);
        assert_int_equal(opened_end(&p, socket), 0);
        peer_end(&p);
    }
}

/* Octets that lie beyond a FIN and came before it are forgotten with it. [9293-E10, 9293-E11] */
static void octets_beyond_fin(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    peer_sends(&p, "A seq %u len 10", p.seq + 20);
    peer_sends(&p, "FA len 10");
    opened_drains(&p);
    assert_int_equal(opened_reads(&p, socket, p.seq, 100), 10);
    assert_int_equal(opened_end(&p, socket), 0);
    assert_null(opened_active(&p, socket));
    peer_end(&p);
}

/* One octet in each 1460: at most so many runs are kept, and their memory is bounded by the window
 * (CVE-2018-5390's class); all of it comes back. */
static void runs_bounded(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1460 wscale 7"), start = p.seq;
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    opened_drains(&p);
    for (uint32_t at = 2; at < 60000; at += 2) {
        peer_sends(&p, "A seq %u len 1", start + at);
        if (at % 256 == 0)
            opened_drains(&p);
    }
    assert_true(c->active->run_count <= 8192);
    assert_true(p.counting.octets < 4 << 20);
    opened_drains(&p);
    peer_sends(&p, "R");
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    assert_int_equal(p.tcp->memory, 0);
    peer_end(&p);
}

/* Over the host's limit out-of-order octets go first; the stream stays whole. */
static void memory_pressure(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.memory_limit = 50000;
    uint32_t socket = opened_start(&p, 4, "mss 1000"), start = p.seq, got = 0;
    for (uint32_t at = 1000; at < 60000; at += 2000)
        peer_sends(&p, "A seq %u len 1000", start + at);
    opened_drains(&p);
    assert_true(p.tcp->memory < 55000);
    for (unsigned round = 0; got < 60000; round++) {
        assert_true(round < 100);
        for (uint32_t at = 0; at < 60000; at += 1000)
            peer_sends(&p, "A seq %u len 1000", start + at);
        opened_drains(&p);
        got += opened_reads(&p, socket, start + got, 100000);
        opened_drains(&p);
    }
    assert_int_equal(got, 60000);
    assert_int_equal(p.tcp->memory, 0);
    peer_end(&p);
}

/* MUST-58: a batch gives one ACK; MUST-40: one segment waits for 40 ms; SHLD-19, 2525-13: each
 * second one is acknowledged at once, and so is one in place after a gap (quick ACKs). [SHLD-18] */
static void ack_policy(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000"), start = p.seq;
    for (unsigned i = 0; i < 9; i++) {
        peer_sends(&p, "A len 1000");
        p.seq += 1000;
    }
    peer_gets(&p, "A ack %u", p.seq);
    peer_silent(&p);
    for (unsigned i = 0; i < 3; i++) {
        peer_sends(&p, "A len 1000");
        p.seq += 1000;
        peer_silent(&p);
        peer_sends(&p, "A len 1000");
        p.seq += 1000;
        peer_gets(&p, "A ack %u", p.seq);
    }
    peer_sends(&p, "A len 100");
    p.seq += 100;
    peer_silent(&p);
    peer_silent_until(&p, p.now + 40 * BERTH_MS);
    peer_gets(&p, "A ack %u", p.seq);
    assert_int_equal(opened_reads(&p, socket, start, 100000), 15100);
    opened_drains(&p);
    /* An ACK that is owed rides on octets. */
    tcp_at(p.tcp, socket)->pingpong = 1;
    peer_sends(&p, "A len 100");
    p.seq += 100;
    peer_silent(&p);
    opened_writes(&p, socket, 10, 0);
    peer_gets(&p, "PA ack %u len 10", p.seq);
    peer_waits(&p, 100 * BERTH_MS);
    peer_silent(&p);
    peer_sends(&p, "A len 1");
    peer_silent(&p);
    tcp_set_option(p.tcp, socket, BERTH_TCP_QUICKACK, 1, p.now);
    peer_gets(&p, "A ack %u", p.seq + 1); /* the one that was owed, too */
    p.seq++;
    peer_sends(&p, "A len 1");
    peer_gets(&p, "A ack %u", p.seq + 1);
    peer_end(&p);
}

/* shutdown(RD) ends no more than waiting: what is there, and what comes, can be read, urgent or
 * not, and fills the window if nobody does; as on Linux. */
static void shut_reading(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct peer p;
        uint32_t socket = opened(&p, family, "mss 1000"), first = p.seq;
        peer_sends(&p, "PA len 10");
        p.seq += 10;
        assert_int_equal(tcp_shutdown(p.tcp, socket, BERTH_SHUT_RD, p.now), 0);
        assert_true(peer_events(&p, socket) & BERTH_READABLE);
        assert_int_equal(opened_reads(&p, socket, first, 100), 10);
        assert_int_equal(opened_end(&p, socket), 0); /* and not -EAGAIN */
        peer_sends(&p, "UPA urg 5 len 1000");
        assert_true(peer_events(&p, socket) & BERTH_URGENT);
        assert_int_equal(tcp_urgent(p.tcp, socket), 4);
        assert_int_equal(opened_reads(&p, socket, p.seq, 4), 4);
        p.seq += 1000;
        assert_int_equal(opened_reads(&p, socket, p.seq - 995, 2000), 995);
        const struct tcp_connection *c = tcp_at(p.tcp, socket);
        for (unsigned i = 0; c->rcv_edge != c->rcv_nxt; i++) {
            assert_true(i < 1000);
            peer_sends(&p, "A seq %u len 1000", c->rcv_nxt);
            opened_drains(&p);
        }
        peer_waits(&p, BERTH_SECOND);
        opened_drains(&p);
        assert_int_equal(p.got.window, 0);
        assert_int_equal(opened_reads(&p, socket, p.seq, 1 << 20), c->rcv_nxt - p.seq);
        assert_int_equal(opened_end(&p, socket), 0);
        peer_end(&p);
    }
}

/* Both directions shut are as good as closed (SHLD-3): what is there can be read, what comes is
 * lost, and the peer is told; as on Linux. */
static void shut_both(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct peer p;
        uint32_t socket = opened(&p, i & 1 ? 6 : 4, ""), first = p.seq;
        peer_sends(&p, "PA len 10");
        p.seq += 10;
        assert_int_equal(tcp_shutdown(p.tcp, socket, BERTH_SHUT_RDWR, p.now), 0);
        peer_gets(&p, "FA ack %u", p.seq);
        assert_int_equal(opened_reads(&p, socket, first, 100), 10);
        assert_int_equal(opened_end(&p, socket), 0);
        if (i & 2) { /* FIN-WAIT-2 */
            p.ack++;
            peer_sends(&p, "A");
        }
        peer_sends(&p, "A seq %u len 10", first); /* nothing new: no reason */
        peer_gets(&p, "A ack %u", p.seq);
        peer_sends(&p, "PA len 1");
        peer_gets(&p, "RA seq %u ack %u", p.got.seq, p.seq);
        assert_int_equal(peer_state(&p, socket), BERTH_TCP_CLOSED);
        assert_int_equal(opened_end(&p, socket), -ECONNRESET);
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces),
        cmocka_unit_test(first_wins),
        cmocka_unit_test(beyond_window),
        cmocka_unit_test(fin_ahead),
        cmocka_unit_test(octets_beyond_fin),
        cmocka_unit_test(runs_bounded),
        cmocka_unit_test(memory_pressure),
        cmocka_unit_test(ack_policy),
        cmocka_unit_test(shut_reading),
        cmocka_unit_test(shut_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
