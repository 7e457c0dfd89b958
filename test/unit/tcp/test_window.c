/* Flow control: RFC 9293 3.8.6 (probes, silly windows, shrunk windows), RFC 5961 section 5. */
#include "test/unit/tcp/opened.h"

/* MUST-35, MUST-36, SHLD-29, SHLD-30: the first probe after an RTO, then each interval twice the
 * last, up to 120 s; MUST-37: answered, they go on for ever (here: more than a day). [2525-12] */
static void probes(void **state) {
    (void)state;
    for (unsigned family = 4; family <= 6; family += 2) {
        struct peer p;
        uint32_t socket = opened(&p, (int)family, "mss 1000");
        uint64_t interval = 200 * BERTH_MS;
        p.win = 0;
        peer_sends(&p, "A");
        opened_writes(&p, socket, 5000, 0);
        peer_silent(&p);
        for (unsigned i = 0; i < 800; i++) {
            opened_expires(&p, interval);
            peer_gets(&p, "A seq %u len 0", p.ack - 1);
            peer_silent(&p);
            peer_sends(&p, "A");
            peer_silent(&p);
            interval = interval * 2 < 120 * BERTH_SECOND ? interval * 2 : 120 * BERTH_SECOND;
        }
        assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
        peer_sends(&p, "A win 60000"); /* 2525-12 */
        peer_gets(&p, "A seq %u len 1000", p.ack);
        assert_int_equal(opened_drains(&p), 4);
        peer_end(&p);
    }
}

/* Unanswered probes end the connection at R2, as retransmissions do. */
static void unanswered_probes(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    p.win = 0;
    peer_sends(&p, "A");
    opened_writes(&p, socket, 5000, 0);
    peer_silent(&p);
    unsigned sent = 0;
    for (uint64_t next; (next = tcp_deadline(p.tcp)) != BERTH_NEVER; sent += opened_drains(&p))
        peer_waits_until(&p, next);
    assert_int_equal(sent, 15);
    assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
    peer_end(&p);
}

/* RFC 6429: the application's policy, TCP_USER_TIMEOUT, and the host's, for orphans, end what a
 * peer pins with a window that stays closed, though it answers. [6429-1] */
static void pinned(void **state) {
    (void)state;
    for (unsigned orphan = 0; orphan < 2; orphan++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "mss 1000");
        uint64_t start = p.now;
        p.win = 0;
        peer_sends(&p, "A");
        opened_writes(&p, socket, 5000, 0);
        if (orphan)
            assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
        else
            tcp_set_option(p.tcp, socket, BERTH_TCP_USER_TIMEOUT, 30000, p.now);
        peer_silent(&p);
        while (tcp_deadline(p.tcp) != BERTH_NEVER && p.now < start + 1000 * BERTH_SECOND) {
            peer_waits_until(&p, tcp_deadline(p.tcp));
            while (peer_pull(&p))
                peer_sends(&p, "A");
        }
        assert_int_equal(ports_connections(tcp_ports(p.tcp)), 0);
        assert_int_equal(p.tcp->actives.used, 0);
        if (!orphan) {
            assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
            assert_in_range((p.now - start) / BERTH_MS, 29999, 30002);
        } else {
            assert_true(p.now < start + 400 * BERTH_SECOND);
        }
        peer_end(&p);
    }
}

/* MUST-34, SHLD-15, SHLD-17: the peer closes its window over what is in flight. Nothing goes
 * beyond, it is probed for as long as it answers, and what was lost goes again when the window
 * opens. */
static void closed_over_flight(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 8000, 0);
    assert_int_equal(opened_drains(&p), 8);
    p.ack += 3000;
    peer_sends(&p, "A win 0");
    peer_silent(&p);
    for (unsigned i = 0; i < 40; i++) {
        peer_waits_until(&p, tcp_deadline(p.tcp));
        peer_gets(&p, "A seq %u len 0", p.ack - 1);
        peer_silent(&p);
        peer_sends(&p, "A win 0");
        peer_silent(&p);
    }
    assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
    peer_sends(&p, "A");
    for (unsigned i = 0; i < 5; i++)
        peer_gets(&p, "%s seq %u len 1000", i < 4 ? "A" : "PA", p.ack + 1000 * i);
    peer_silent(&p);
    opened_acks(&p, socket);
    peer_silent(&p);
    peer_waits(&p, 1000 * BERTH_SECOND);
    assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
    peer_end(&p);
}

/* SHLD-15, SHLD-16: shrunk to half a segment: nothing new; what is inside goes again. [MAY-7] */
static void shrunk(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 20000, 0);
    assert_int_equal(opened_drains(&p), 10);
    peer_sends(&p, "A win 500");
    peer_silent(&p);
    opened_expires(&p, 200 * BERTH_MS);
    peer_gets(&p, "A seq %u len 500", p.ack);
    peer_silent(&p);
    p.ack += 500;
    peer_sends(&p, "A win 0");
    peer_silent(&p);
    peer_sends(&p, "A win 65535");
    while (peer_pull(&p))
        assert_true(seq_ge(p.got.seq, p.ack));
    peer_end(&p);
}

/* A FIN goes through a closed window at once (it is no octet); a peer that does not take it, but
 * answers, is not given up. */
static void fin_at_closed_window(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    p.win = 0;
    peer_sends(&p, "A");
    assert_int_equal(tcp_shutdown(p.tcp, socket, BERTH_SHUT_WR, p.now), 0);
    peer_gets(&p, "FA seq %u", p.ack);
    peer_silent(&p);
    for (unsigned i = 0; i < 30; i++) {
        peer_waits_until(&p, tcp_deadline(p.tcp));
        assert_int_equal(opened_drains(&p), 1);
        peer_sends(&p, "A");
        peer_silent(&p);
    }
    assert_int_equal(peer_state(&p, socket), BERTH_FIN_WAIT_1);
    peer_sends(&p, "A win 100");
    peer_gets(&p, "FA seq %u", p.ack);
    p.ack++;
    peer_sends(&p, "A win 0");
    assert_int_equal(peer_state(&p, socket), BERTH_FIN_WAIT_2);
    peer_end(&p);
}

/* MUST-38: what fits is neither a segment nor half of the largest window nor all there is: it waits
 * for 200 ms (0.1 to 1 s). */
static void sender_silly_window(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 20000, 0);
    assert_int_equal(opened_drains(&p), 10);
    p.ack += 10000;
    peer_sends(&p, "A win 900");
    peer_silent(&p);
    opened_expires(&p, 199 * BERTH_MS);
    peer_gets(&p, "A seq %u len 900", p.ack);
    peer_silent(&p);
    p.ack += 900;
    peer_sends(&p, "A win 1900");
    peer_gets(&p, "A seq %u len 1000", p.ack);
    peer_silent(&p);
    opened_acks(&p, socket);
    opened_drains(&p);
    peer_end(&p);

    /* Half of the largest window is worth a segment, less is not. */
    for (unsigned window = 1100; window <= 1300; window += 200) {
        peer_setup(&p, 4);
        p.win = 2400;
        socket = peer_establishes(&p, peer_listener(&p, 5), 100, "mss 1460");
        opened_writes(&p, socket, 20000, 0);
        opened_drains(&p);
        p.ack = tcp_snd_max(tcp_at(p.tcp, socket));
        peer_sends(&p, "A win %u", window);
        if (window == 1300)
            peer_gets(&p, "A len 1300");
        peer_silent(&p);
        peer_end(&p);
    }

    /* A small window at its full size is not silly. */
    p.win = 300;
    peer_config(&p);
    peer_start(&p, 4);
    p.win = 300;
    socket = peer_establishes(&p, peer_listener(&p, 5), 100, "mss 1000");
    opened_writes(&p, socket, 1000, 0);
    peer_gets(&p, "A len 300");
    peer_silent(&p);
    p.ack += 300;
    peer_sends(&p, "A");
    peer_gets(&p, "A len 300");
    peer_end(&p);
}

/* The same after a time of rest with the window closed: its size is not taken for the largest. */
static void silly_window_after_rest(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    peer_sends(&p, "A win 0");
    peer_silent(&p);
    peer_waits(&p, 10 * BERTH_SECOND);
    assert_null(opened_active(&p, socket));
    opened_writes(&p, socket, 5000, 0);
    peer_silent(&p);
    peer_sends(&p, "A win 7");
    peer_silent(&p);
    peer_waits(&p, 100 * BERTH_MS);
    peer_silent(&p);
    peer_end(&p);
}

/* MUST-39: reading octet by octet from a full buffer tells of no window before a segment (or half
 * of the buffer) is free. */
static void receiver_silly_window(void **state) {
    (void)state;
    struct peer p;
    uint8_t octet;
    peer_config(&p);
    p.config.tcp_receive_buffer = 16000;
    uint32_t socket = opened_start(&p, 4, "mss 1000");
    uint32_t read = 0;
    for (unsigned i = 0; i < 7; i++) {
        peer_sends(&p, "PA len 1000");
        p.seq += 1000;
    }
    peer_gets(&p, "A ack %u", p.seq);
    peer_silent(&p);
    uint32_t window = p.got.window;
    assert_true(window < 1000);
    while (!peer_pull(&p)) {
        assert_int_equal(tcp_receive(p.tcp, socket, &octet, 1, 0, p.now), 1);
        assert_true(++read <= 4000);
    }
    assert_true(read >= 1000 - window);
    assert_true(p.got.window >= window + 1000);
    peer_end(&p);
}

/* A peer that probes our closed window with an octet is answered (MUST-37, and MUST-66: RST, URG
 * and ACK count even then). [MAY-8] */
static void our_window_is_closed(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.tcp_receive_buffer = 8192;
    uint32_t socket = opened_start(&p, 4, "mss 1000");
    uint32_t start = p.seq;
    for (unsigned i = 0; i < 5; i++) {
        peer_sends(&p, "PA len 1000");
        p.seq += 1000;
        opened_drains(&p);
    }
    p.seq = tcp_at(p.tcp, socket)->rcv_nxt;
    uint32_t there = p.seq - start;
    assert_int_equal(tcp_at(p.tcp, socket)->rcv_edge, p.seq);
    for (unsigned i = 0; i < 3; i++) {
        peer_waits(&p, BERTH_SECOND);
        peer_sends(&p, "PA len 1");
        peer_gets(&p, "A ack %u win 0", p.seq);
        peer_silent(&p);
        peer_waits(&p, BERTH_SECOND);
        peer_sends(&p, "A seq %u", p.seq - 1);
        peer_gets(&p, "A ack %u win 0", p.seq);
        peer_silent(&p);
    }
    opened_writes(&p, socket, 100, 0);
    peer_gets(&p, "PA len 100");
    p.ack += 100;
    peer_sends(&p, "UPA urg 1 len 1");
    peer_gets(&p, "A ack %u win 0", p.seq);
    assert_int_equal(tcp_at(p.tcp, socket)->snd_una, p.ack);
    assert_true(peer_events(&p, socket) & BERTH_URGENT);
    peer_silent(&p);
    assert_int_equal(opened_reads(&p, socket, start, 10000), there);
    peer_gets(&p, "A ack %u", p.seq);
    assert_true(p.got.window > 1000);
    peer_sends(&p, "R");
    assert_int_equal(peer_error(&p, socket), ECONNRESET);
    peer_end(&p);
}

/* SHLD-14, 7323-W3: whatever comes and is read, the right edge stays or moves right; on the wire it
 * may lose no more than the scale cannot say. */
static void edge_never_left(void **state) {
    (void)state;
    for (unsigned seed = 0; seed < 60; seed++) {
        struct peer p;
        uint32_t random = seed * 2654435761u + 1, edge, told;
        peer_config(&p);
        p.config.tcp_receive_buffer = seed % 3 == 0 ? 20000 : seed % 3 == 1 ? 300000 : 5000000;
        if (seed % 5) /* else it begins with 64 KiB and tunes itself */
            p.config.tcp_receive_buffer_default = p.config.tcp_receive_buffer;
        bool scaled = seed % 2;
        uint32_t socket = opened_start(&p, 4, scaled ? "mss 1460 wscale 7" : "mss 1460");
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        unsigned shift = c->scales >> 4;
        told = edge = c->rcv_edge;
        for (unsigned i = 0; i < 2000; i++) {
            random = random * 1664525 + 1013904223;
            unsigned what = random >> 24;
            if (what < 160) {
                uint32_t length = 1 + (random >> 8 & 2047);
                uint32_t room = c->rcv_edge - c->rcv_nxt;
                peer_sends(&p, "A seq %u len %u", c->rcv_nxt, length < room ? length : room);
            } else if (what < 190) {
                peer_sends(&p, "A seq %u len %u", c->rcv_nxt + (random >> 8 & 8191),
                           1 + (random >> 10 & 1023));
            } else if (what < 250) {
                uint8_t octets[8192];
                tcp_receive(p.tcp, socket, octets, random >> 8 & 8191, 0, p.now);
            } else if (what < 253) {
                tcp_set_option(p.tcp, socket, BERTH_SO_RCVBUF, 2048 + (int)(random >> 12 & 65535),
                               p.now);
            } else {
                peer_waits(&p, 50 * BERTH_MS);
            }
            uint32_t before = c->rcv_edge;
            while (peer_pull(&p)) {
                uint32_t now = p.got.ack + ((uint32_t)p.got.window << shift);
                if (c->rcv_edge != before) /* what is promised anew is what the wire says */
                    assert_int_equal(now, c->rcv_edge);
                before = c->rcv_edge;
                assert_true(seq_gt(now + (1u << shift), told));
                told = seq_gt(now, told) ? now : told;
            }
            assert_true(seq_ge(c->rcv_edge, edge));
            edge = c->rcv_edge;
        }
        peer_end(&p);
    }
}

/* RFC 9293 3.10.7.4: which segment's window counts. [9293-E8] */
static void window_updates(void **state) {
    (void)state;
    static const struct {
        int32_t seq, ack; /* beside the newest */
        unsigned window;
        unsigned after;
    } cases[] = {
        {0, 0, 5000, 5000},  /* as new: the later one */
        {0, 0, 100, 100},    /* smaller too */
        {-1, 0, 6000, 5000}, /* older by its sequence number (and not acceptable) */
        {0, -1, 6000, 5000}, /* older by its ACK */
    };
    for (unsigned i = 0; i < 4; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "mss 1000");
        opened_writes(&p, socket, 10, 0);
        peer_gets(&p, "PA");
        p.ack += 10;
        peer_sends(&p, "A win 5000");
        peer_sends(&p, "A seq %u ack %u win %u", p.seq + (uint32_t)cases[i].seq,
                   p.ack + (uint32_t)cases[i].ack, cases[i].window);
        assert_int_equal(tcp_at(p.tcp, socket)->snd_wnd, cases[i].after);
        peer_end(&p);
    }
}

/* MUST-1, REC-1: 65535 unscaled; up to 2^30 scaled. */
static void large_windows(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000 wscale 14");
    peer_sends(&p, "A win 65535");
    assert_int_equal(tcp_at(p.tcp, socket)->snd_wnd, 65535u << 14);
    tcp_at(p.tcp, socket)->cwnd = 1u << 30;
    opened_writes(&p, socket, 1000000, 0);
    assert_int_equal(opened_drains(&p), 1000);
    peer_end(&p);
    socket = opened(&p, 4, "mss 1000");
    tcp_at(p.tcp, socket)->cwnd = 1u << 30;
    opened_writes(&p, socket, 1000000, 0);
    assert_int_equal(opened_drains(&p), 65); /* and the rest of 535 is silly */
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes),
        cmocka_unit_test(unanswered_probes),
        cmocka_unit_test(pinned),
        cmocka_unit_test(closed_over_flight),
        cmocka_unit_test(shrunk),
        cmocka_unit_test(fin_at_closed_window),
        cmocka_unit_test(sender_silly_window),
        cmocka_unit_test(silly_window_after_rest),
        cmocka_unit_test(receiver_silly_window),
        cmocka_unit_test(our_window_is_closed),
        cmocka_unit_test(edge_never_left),
        cmocka_unit_test(window_updates),
        cmocka_unit_test(large_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
