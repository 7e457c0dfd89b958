/* Explicit congestion notification (RFC 3168). */
#include "test/unit/tcp/opened.h"

enum { MSS = 1000, ECT_0 = 2, CE = 3 };

/* A connection that the peer opened with ECN, to the very numbers of opened.h. */
static uint32_t agreed(struct peer *p, const char *options) {
    peer_config(p);
    peer_start(p, 4);
    uint32_t listener = peer_listener(p, 5);
    opened_wait_for_wrap(p);
    peer_sends(p, "SEC seq 4294965248 ack 0 %s", options);
    peer_gets(p, "SAE ack 4294965249 tos 0");
    p->seq = 0xfffff801u;
    p->ack = p->got.seq + 1;
    peer_sends(p, "A");
    uint32_t socket = peer_accepts(p, listener);
    assert_int_equal(tcp_at(p->tcp, socket)->ecn, 1);
    return socket;
}

/* 6.1.1: answered for who asks rightly, by tcp_ecn = 2 and 1; nobody is asked by 2 and 0. [3168-1,
 * 3168-4, SHLD-8] */
static void negotiation_passive(void **state) {
    (void)state;
    static const struct {
        uint8_t knob;
        const char *syn;
        bool yes;
    } cases[] = {{2, "SEC", true},        {1, "SEC", true},        {0, "SEC", false},
                 {2, "SE", false},        {2, "SC", false},        {2, "S", false},
                 {2, "SEC tos 2", false}, {2, "SEC tos 184", true}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (unsigned cookies = 0; cookies <= 2; cookies += 2) {
            struct peer p;
            peer_config(&p);
            p.config.tcp_ecn = cases[i].knob;
            p.config.tcp_syncookies = (uint8_t)cookies;
            peer_start(&p, 4);
            uint32_t listener = peer_listener(&p, 5);
            peer_sends(&p, "%s seq 1 ts 9 0", cases[i].syn);
            peer_gets(&p, cases[i].yes ? "SAE ack 2 tos 0" : "SA ack 2 tos 0");
            peer_sends(&p, "A seq 2 ack %u ts 9 %u", p.got.seq + 1, p.got.options.ts_value);
            struct berth_tcp_info info;
            uint32_t socket = peer_accepts(&p, listener);
            assert_int_equal(tcp_at(p.tcp, socket)->ecn, cases[i].yes);
            tcp_info(p.tcp, socket, &info);
            assert_int_equal(info.options & 8, cases[i].yes ? 8 : 0);
            peer_end(&p);
        }
}

/* [3168-1, 3168-4, SHLD-8] */
static void negotiation_active(void **state) {
    (void)state;
    static const struct {
        uint8_t knob;
        const char *answer;
        bool asks, yes;
    } cases[] = {{1, "SAE", true, true},
                 {1, "SA", true, false},
                 {1, "SAEC", true, false},
                 {2, "SAE", false, false},
                 {0, "SAE", false, false}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer p;
        peer_config(&p);
        p.config.tcp_ecn = cases[i].knob;
        peer_start(&p, 4);
        uint32_t socket = peer_connects(&p);
        peer_gets(&p, cases[i].asks ? "SEC tos 0" : "S tos 0");
        peer_sends(&p, "%s seq 1 ack %u", cases[i].answer, p.got.seq + 1);
        peer_gets(&p, "A ack 2 tos 0");
        assert_int_equal(tcp_at(p.tcp, socket)->ecn, cases[i].yes);
        peer_end(&p);
    }
}

/* 6.1.1.1: a SYN that was lost is sent again without asking. [3168-3] */
static void fallback(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.tcp_ecn = 1;
    peer_start(&p, 4);
    peer_connects(&p);
    peer_gets(&p, "SEC");
    peer_silent(&p);
    peer_waits(&p, BERTH_SECOND);
    peer_gets(&p, "S");
    peer_end(&p);
}

/* 5, 6.1.4, 6.1.5, 6.1.6: new octets are ECT(0), whatever IP_TOS says; ACKs, retransmissions,
 * probes, FINs and RSTs are not. [3168-1] */
static void what_is_ect(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = agreed(&p, "mss 1000");
    int tos;
    assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_IP_TOS, 0xb9, p.now), 0);
    tcp_get_option(p.tcp, socket, BERTH_IP_TOS, &tos);
    assert_int_equal(tos, 0xb8);
    opened_writes(&p, socket, 5 * MSS, 0);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(peer_pull(&p));
        assert_int_equal(p.got.tos, 0xb8 | ECT_0);
    }
    opened_expires(&p, 200 * BERTH_MS);
    peer_gets(&p, "A seq %u len 1000 tos 184", p.ack);
    opened_acks(&p, socket);
    peer_sends(&p, "PA len 10");
    p.seq += 10;
    peer_waits(&p, 50 * BERTH_MS);
    peer_gets(&p, "A tos 184");
    peer_sends(&p, "A win 0");
    opened_writes(&p, socket, 10, 0);
    opened_drains(&p);
    peer_waits(&p, BERTH_SECOND);
    peer_gets(&p, "A len 0 tos 184"); /* a probe */
    peer_sends(&p, "A");
    opened_drains(&p);
    opened_acks(&p, socket);
    opened_reads(&p, socket, 0xfffff801u, 10);
    tcp_shutdown(p.tcp, socket, BERTH_SHUT_WR, p.now);
    peer_gets(&p, "FA tos 184");
    peer_end(&p);
}

/* 6.1.3: a mark is echoed in all that is sent until CWR comes; at once, not delayed; the mark of a
 * segment outside of the window (6.1.5) or of a bare ACK says nothing. [3168-2] */
static void echo(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = agreed(&p, "mss 1000");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    struct berth_tcp_info info;
    c->pingpong = 1; /* ACKs wait for answers */
    peer_sends(&p, "A tos 3");
    peer_silent(&p);
    tcp_info(p.tcp, socket, &info);
    assert_int_equal(info.options & 16, 0);
    peer_sends(&p, "PA seq %u len 10 tos 3", p.seq - 100000);
    peer_gets(&p, "A");
    peer_sends(&p, "PA len 10 tos 3");
    p.seq += 10;
    peer_gets(&p, "AE ack %u", p.seq);
    tcp_info(p.tcp, socket, &info);
    assert_int_equal(info.options & 16, 16); /* seen in use */
    opened_writes(&p, socket, 10, 0);
    peer_gets(&p, "PAE len 10");
    opened_acks(&p, socket);
    opened_reads(&p, socket, 0xfffff801u, 10);
    peer_waits(&p, 10 * BERTH_SECOND);
    assert_non_null(opened_active(&p, socket)); /* it is remembered */
    peer_sends(&p, "PA len 10 tos 2");
    p.seq += 10;
    peer_silent(&p);
    peer_waits(&p, 40 * BERTH_MS); /* not marked: as any */
    peer_gets(&p, "AE");
    c->pingpong = 1;
    peer_sends(&p, "PAC len 10 tos 2");
    p.seq += 10;
    peer_gets(&p, "A ack %u", p.seq);
    c->pingpong = 1;
    peer_sends(&p, "PAC len 10 tos 3"); /* marked anew */
    p.seq += 10;
    peer_gets(&p, "AE");
    peer_sends(&p, "PAC len 10 tos 2");
    p.seq += 10;
    peer_gets(&p, "A");
    opened_reads(&p, socket, 0xfffff80bu, 100);
    peer_silent(&p);
    peer_waits(&p, BERTH_SECOND);
    peer_silent(&p);
    assert_null(opened_active(&p, socket));
    peer_end(&p);
}

/* 6.1.2: an ECE reduces the window as a loss does, once a window, across 2^32; nothing is sent
 * again; the next new segment says CWR, once. [3168-2, SHLD-8] */
static void reduction(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = agreed(&p, "mss 1000 wscale 5");
    const struct tcp_connection *c = tcp_at(p.tcp, socket);
    opened_writes(&p, socket, 100 * MSS, 0);
    assert_int_equal(opened_drains(&p), 10);
    for (unsigned i = 0; i < 5; i++) {
        p.ack += MSS;
        peer_sends(&p, "AE");
    }
    assert_int_equal(c->cwnd, 5 * MSS); /* half of the ten that were out: NewReno */
    assert_int_equal(c->ssthresh, 5 * MSS);
    peer_silent(&p); /* five are out */
    p.ack += MSS;
    peer_sends(&p, "AE");
    peer_gets(&p, "AC len 1000 tos 2");
    peer_silent(&p);
    p.ack += MSS;
    peer_sends(&p, "AE");
    peer_gets(&p, "A len 1000 tos 2");
    p.ack += 3 * MSS; /* all that was out at the reduction */
    peer_sends(&p, "AE");
    opened_drains(&p);
    assert_int_equal(p.counters.tcp_ecn_reductions, 1);
    assert_int_equal(c->cwnd, 5 * MSS);
    p.ack += MSS; /* the first one of after it */
    peer_sends(&p, "AE");
    assert_int_equal(p.counters.tcp_ecn_reductions, 2);
    assert_int_equal(c->ssthresh, 5 * MSS / 2);
    struct berth_tcp_info info;
    tcp_info(p.tcp, socket, &info);
    assert_int_equal(info.marked, 11); /* segments that were acknowledged with an ECE */
    assert_int_equal(p.counters.tcp_retrans_segs, 0);
    assert_false(opened_active(&p, socket)->flags & TCP_A_RECOVERY);
    peer_end(&p);
}

/* A window of one segment, as after a lost SYN, cannot become smaller, and grows not (RFC 3168
 * 6.1.2). [3168-2] */
static void smallest_window(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = agreed(&p, "mss 1000 wscale 5");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    c->cwnd = MSS;
    opened_writes(&p, socket, 10 * MSS, 0);
    assert_int_equal(opened_drains(&p), 1);
    p.ack += MSS;
    peer_sends(&p, "AE");
    assert_int_equal(p.counters.tcp_ecn_reductions, 1);
    assert_int_equal(c->cwnd, MSS);
    assert_int_equal(opened_drains(&p), 1);
    p.ack += MSS;
    peer_sends(&p, "A");
    assert_int_equal(c->cwnd, 2 * MSS);
    peer_end(&p);
}

/* A mark for whose echo there is no memory is lost, and the octets with it; the next one makes up
 * for it. [3168-2] */
static void no_memory(void **state) {
    (void)state;
    struct peer p;
    agreed(&p, "mss 1000");
    peer_silent(&p);
    uint32_t limit = p.tcp->actives.limit;
    p.tcp->actives.limit = p.tcp->actives.used;
    peer_sends(&p, "PA len 10 tos 3");
    peer_silent(&p);
    p.tcp->actives.limit = limit;
    peer_sends(&p, "PA len 10 tos 3");
    peer_gets(&p, "AE ack %u", p.seq + 10);
    peer_end(&p);
}

/* A reduction long ago does not seem to be yet to come when half of the sequence numbers have
 * passed. [3168-2] */
static void reduced_long_ago(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = agreed(&p, "mss 1000 wscale 5");
    opened_writes(&p, socket, 100 * MSS, 0);
    assert_int_equal(opened_drains(&p), 10);
    struct tcp_active *a = opened_active(&p, socket);
    a->ecn.reduced_at = p.ack - (UINT32_C(1) << 31) + 2 * MSS;
    p.ack += MSS;
    peer_sends(&p, "A");
    p.ack += 4 * MSS; /* more than 2^31 beyond it */
    peer_sends(&p, "AE");
    assert_int_equal(p.counters.tcp_ecn_reductions, 1);
    peer_end(&p);
}

/* 6.1.2: a loss is a reduction too: CWR follows on new octets, not on the retransmission, and ECE
 * for octets of before does not reduce again. [3168-2] */
static void loss(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = agreed(&p, "mss 1000 wscale 5");
    opened_writes(&p, socket, 100 * MSS, 0);
    assert_int_equal(opened_drains(&p), 10);
    opened_expires(&p, 200 * BERTH_MS);
    peer_gets(&p, "A seq %u tos 0", p.ack);
    p.ack += 10 * MSS;
    peer_sends(&p, "AE");
    assert_int_equal(p.counters.tcp_ecn_reductions, 0);
    peer_gets(&p, "AC seq %u tos 2", p.ack);
    peer_silent(&p); /* nor does the window grow by such an ACK */
    peer_end(&p);
}

/* Without agreement none of it happens. [3168-1] */
static void without(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 100 * MSS, 0);
    peer_gets(&p, "A len 1000 tos 0");
    opened_drains(&p);
    p.ack += MSS;
    peer_sends(&p, "AE");
    assert_int_equal(p.counters.tcp_ecn_reductions, 0);
    opened_drains(&p);
    peer_sends(&p, "PA len 10 tos 3");
    peer_waits(&p, 50 * BERTH_MS);
    peer_gets(&p, "A len 0");
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negotiation_passive),
        cmocka_unit_test(negotiation_active),
        cmocka_unit_test(fallback),
        cmocka_unit_test(what_is_ect),
        cmocka_unit_test(echo),
        cmocka_unit_test(reduction),
        cmocka_unit_test(smallest_window),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(reduced_long_ago),
        cmocka_unit_test(loss),
        cmocka_unit_test(without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
