/* Which segments an open connection takes: the first check of RFC 9293 3.10.7.4. */
#include "test/unit/tcp/opened.h"

enum { BUFFER = 1400 }; /* octets of window; below a segment it is not rounded to whole ones */

/* A segment of `length` octets at RCV.NXT + `at`, and whether any of it lies in the window. */
struct probe {
    int32_t at;
    uint32_t length;
    bool taken;
};

/* Gives it to an open connection. What is not acceptable is acknowledged, and leaves no trace. */
static void check(struct peer *p, uint32_t socket, const struct probe *probe) {
    struct tcp_connection *c = tcp_at(p->tcp, socket);
    uint32_t next = c->rcv_nxt, window = c->snd_wnd;
    uint32_t held = c->active ? c->active->run_octets + c->active->receive.length : 0;
    peer_sends(p, "A seq %u len %u win 7777", next + (uint32_t)probe->at, probe->length);
    uint32_t holds = c->active ? c->active->run_octets + c->active->receive.length : 0;
    if (probe->taken) {
        if (probe->length == 0)
            assert_int_equal(c->snd_wnd, 7777);
        else
            assert_true(holds > held);
    } else {
        assert_int_equal(c->snd_wnd, window);
        assert_int_equal(holds, held);
        assert_int_equal(c->rcv_nxt, next);
        peer_gets(p, "A seq %u ack %u", p->ack, next);
    }
}

/* 9293-E4: with an open window, segments of no octet, of one and of many, at both of its edges. */
static void open_window(void **state) {
    (void)state;
    static const struct probe probes[] = {
        {0, 0, true},           {1, 0, true},          {BUFFER - 1, 0, true},
        {-1, 0, false},         {BUFFER, 0, false},    {BUFFER + 1, 0, false},
        {INT32_MIN, 0, false},  {0, 1, true},          {-1, 1, false},
        {-1, 2, true},          {-10, 10, false},      {-10, 11, true},
        {BUFFER - 1, 1, true},  {BUFFER - 1, 9, true}, {BUFFER, 1, false},
        {BUFFER + 5, 5, false}, {-100, 50, false},     {INT32_MIN, 100, false},
    };
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
        for (int family = 4; family <= 6; family += 2) {
            struct peer p;
            peer_config(&p);
            p.config.tcp_receive_buffer = 2 * BUFFER;
            uint32_t socket = opened_start(&p, family, "mss 1000");
            assert_int_equal(tcp_at(p.tcp, socket)->rcv_edge - p.seq, BUFFER);
            check(&p, socket, &probes[i]);
            peer_end(&p);
        }
}

/* The peer fills the window; nobody reads. */
static uint32_t closed_window(struct peer *p, int family) {
    peer_config(p);
    p->config.tcp_receive_buffer = 2 * BUFFER;
    uint32_t socket = opened_start(p, family, "mss 1000");
    struct tcp_connection *c = tcp_at(p->tcp, socket);
    while (c->rcv_edge != c->rcv_nxt) {
        peer_sends(p, "A seq %u len %u", c->rcv_nxt, c->rcv_edge - c->rcv_nxt);
        opened_drains(p);
    }
    peer_waits(p, BERTH_SECOND);
    opened_drains(p);
    p->seq = c->rcv_nxt;
    return socket;
}

/* 9293-E4: with a closed one, only what has no octet and lies at RCV.NXT; of octets there the ACK
 * counts, but none is taken. */
static void closed(void **state) {
    (void)state;
    static const struct probe probes[] = {
        {0, 0, true}, {1, 0, false}, {-1, 0, false}, {1, 1, false}, {-1, 1, false}, {100, 9, false},
    };
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        struct peer p;
        uint32_t socket = closed_window(&p, i % 2 ? 6 : 4);
        check(&p, socket, &probes[i]);
        peer_end(&p);
    }
    struct peer p;
    uint32_t socket = closed_window(&p, 4);
    uint32_t held = opened_active(&p, socket)->receive.length;
    peer_sends(&p, "A len 1");
    peer_gets(&p, "A ack %u win 0", p.seq);
    assert_int_equal(opened_active(&p, socket)->receive.length, held);
    peer_end(&p);
}

/* SHLD-14, MUST-66: a FIN is taken at a closed window, for it needs no room; the window stays
 * closed. */
static void fin_at_closed(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = closed_window(&p, 4);
    peer_sends(&p, "FA");
    peer_gets(&p, "A ack %u win 0", p.seq + 1);
    assert_int_equal(peer_state(&p, socket), BERTH_CLOSE_WAIT);
    peer_end(&p);
}

/* 9293-E5: what a segment has too much, on either side, is cut off, and the rest is used; its FIN,
 * if that lies beyond, too. */
static void trimmed(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.tcp_receive_buffer = 2 * BUFFER;
    uint32_t socket = opened_start(&p, 4, "mss 9000"), start = p.seq;
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    peer_sends(&p, "A len 100");
    peer_sends(&p, "A seq %u len 100", start + 50);
    assert_int_equal(c->rcv_nxt, start + 150);
    peer_sends(&p, "FA seq %u len %u", start + 150, BUFFER);
    assert_int_equal(c->rcv_nxt, start + BUFFER);
    assert_int_equal(c->state, BERTH_ESTABLISHED);
    opened_drains(&p);
    assert_int_equal(opened_reads(&p, socket, start, 10000), BUFFER);
    assert_int_equal(opened_end(&p, socket), -EAGAIN);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(open_window), cmocka_unit_test(closed),
                                       cmocka_unit_test(fin_at_closed), cmocka_unit_test(trimmed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
