/* Blind attacks: RFC 5961 sections 3 to 5 and 7, in every synchronized state. */
#include "test/unit/tcp/opened.h"

static const uint8_t states[] = {BERTH_ESTABLISHED, BERTH_FIN_WAIT_1, BERTH_FIN_WAIT_2,
                                 BERTH_CLOSE_WAIT,  BERTH_LAST_ACK,   BERTH_CLOSING};
enum { STATES = sizeof states };

/* An open connection brought to `state`; both ends know all that was sent. */
static uint32_t brought_to(struct peer *p, int family, unsigned state, const char *options) {
    uint32_t socket = opened(p, family, options);
    bool ours = state != BERTH_ESTABLISHED && state != BERTH_CLOSE_WAIT;
    bool first = state != BERTH_LAST_ACK;
    bool theirs = state == BERTH_CLOSE_WAIT || state == BERTH_LAST_ACK || state == BERTH_CLOSING;
    if (ours && first)
        assert_int_equal(tcp_shutdown(p->tcp, socket, BERTH_SHUT_WR, p->now), 0);
    opened_drains(p);
    if (state == BERTH_FIN_WAIT_2)
        opened_acks(p, socket);
    if (theirs) {
        peer_sends(p, "FA");
        p->seq++;
    }
    if (ours && !first)
        assert_int_equal(tcp_shutdown(p->tcp, socket, BERTH_SHUT_WR, p->now), 0);
    opened_drains(p);
    assert_int_equal(peer_state(p, socket), state);
    return socket;
}

/* 5961-1: exactly RCV.NXT resets; elsewhere in the window a challenge; outside nothing. [5961-5,
 * MUST-12, MAY-12] */
static void reset_zones(void **state) {
    (void)state;
    static const struct {
        int32_t at;
        bool resets, challenged;
    } zones[] = {{0, true, false},       {1, false, true},       {60000, false, true},
                 {-1, false, false},     {-60000, false, false}, {1 << 24, false, false},
                 {1 << 30, false, false}};
    for (unsigned i = 0; i < STATES; i++)
        for (unsigned j = 0; j < sizeof zones / sizeof *zones; j++) {
            struct peer p;
            uint32_t socket = brought_to(&p, i % 2 ? 6 : 4, states[i], "");
            struct tcp_connection *c = tcp_at(p.tcp, socket);
            uint32_t nxt = tcp_snd_max(c);
            if (zones[j].at == 60000)
                assert_true(c->rcv_edge - c->rcv_nxt > 60000);
            peer_sends(&p, "R seq %u ack 0", p.seq + (uint32_t)zones[j].at);
            if (zones[j].challenged) /* 5961-5 */
                peer_gets(&p, "A seq %u ack %u", nxt, p.seq);
            peer_silent(&p);
            assert_int_equal(peer_state(&p, socket),
                             zones[j].resets ? BERTH_TCP_CLOSED : states[i]);
            if (zones[j].resets) { /* MUST-12: no normal end */
                assert_int_equal(peer_error(&p, socket),
                                 states[i] == BERTH_CLOSE_WAIT ? EPIPE : ECONNRESET);
                assert_int_equal(ports_connections(tcp_ports(p.tcp)), 0);
            }
            peer_end(&p);
        }
}

/* SHLD-2: a RST may carry octets; 7323-P2: and old timestamps, or none. */
static void reset_with_more(void **state) {
    (void)state;
    static const char *const words[] = {"R len 10", "R ts 0 0", "R", "RA", "RPA len 1"};
    for (unsigned i = 0; i < 5; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "ts 1 0");
        peer_sends(&p, "%s", words[i]);
        peer_silent(&p);
        assert_int_equal(peer_state(&p, socket), BERTH_TCP_CLOSED);
        peer_end(&p);
    }
}

/* 5961-2: a SYN, wherever it lies, resets nothing and is challenged. [5961-5, MAY-12] */
static void syn_zones(void **state) {
    (void)state;
    static const int32_t zones[] = {0, 1, 60000, -1, -60000, 1 << 24, INT32_MIN};
    static const char *const flags[] = {"S", "SA", "SPA", "SFA"};
    for (unsigned i = 0; i < STATES; i++)
        for (unsigned j = 0; j < 7; j++) {
            struct peer p;
            uint32_t socket = brought_to(&p, 4, states[i], "");
            uint32_t nxt = tcp_snd_max(tcp_at(p.tcp, socket));
            peer_sends(&p, "%s seq %u", flags[(i + j) % 4], p.seq + (uint32_t)zones[j]);
            peer_gets(&p, "A seq %u ack %u len 0", nxt, p.seq);
            peer_silent(&p);
            assert_int_equal(peer_state(&p, socket), states[i]);
            peer_end(&p);
        }
}

/* 5961-3: an ACK counts in [SND.UNA - MAX.SND.WND, SND.NXT]; octets with another are dropped, and
 * answered. [9293-E7, MAY-12] */
static void ack_range(void **state) {
    (void)state;
    static const struct {
        int32_t ack; /* beside SND.NXT; 100 octets are in flight */
        bool taken;
    } cases[] = {{0, true},     {-100, true},     {-101, true},    {-60000, true},    {1, false},
                 {1000, false}, {1 << 30, false}, {-70000, false}, {INT32_MIN, false}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 6, "");
        opened_writes(&p, socket, 100, 0);
        peer_gets(&p, "PA len 100");
        uint32_t nxt = p.got.seq + 100;
        peer_sends(&p, "PA ack %u len 10", nxt + (uint32_t)cases[i].ack);
        if (cases[i].taken) {
            assert_int_equal(opened_reads(&p, socket, p.seq, 100), 10);
        } else {
            peer_gets(&p, "A seq %u ack %u", nxt, p.seq);
            assert_int_equal(opened_end(&p, socket), -EAGAIN);
        }
        peer_end(&p);
    }
}

/* 5961-3: the largest window is what the peer has said, not what its scale would let it say; and it
 * stays so when the window closes. */
static void ack_range_scaled(void **state) {
    (void)state;
    enum { WINDOW = 1000 << 14 };
    static const struct {
        int32_t ack; /* beside SND.UNA */
        bool taken;
    } cases[] = {{0, true},
                 {-WINDOW, true},
                 {-WINDOW - 1, false},
                 {-2 * WINDOW, false},
                 {-(1 << 29), false},
                 {-65535 * (1 << 14) + 1, false}};
    for (unsigned i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct peer p;
        peer_setup(&p, i % 2 ? 6 : 4);
        p.win = 1000;
        uint32_t listener = peer_listener(&p, 5);
        opened_wait_for_wrap(&p);
        uint32_t socket = peer_establishes(&p, listener, 0xfffff800u, "wscale 14");
        peer_silent(&p);
        opened_writes(&p, socket, 100, 0);
        peer_gets(&p, "PA len 100");
        peer_sends(&p, "A win 0");
        assert_int_equal(tcp_at(p.tcp, socket)->snd_wnd, 0);
        peer_sends(&p, "PA ack %u len 10", p.ack + (uint32_t)cases[i / 2].ack);
        assert_int_equal(opened_reads(&p, socket, p.seq, 100), cases[i / 2].taken ? 10 : 0);
        peer_end(&p);
    }
}

/* 5961-4: at most one challenge in half a second for a connection, and no counter that one
 * connection could watch for what happens on another (CVE-2016-5696). */
static void challenges_throttled(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    struct tuple first = p.tuple;
    uint32_t seq = p.seq, ack = p.ack, answers = 0;
    p.tuple.remote_port++;
    peer_sends(&p, "S seq 100");
    peer_gets(&p, "SA");
    p.seq = 101;
    p.ack = p.got.seq + 1;
    peer_sends(&p, "A");
    peer_silent(&p);
    struct tuple second = p.tuple;
    for (unsigned i = 0; i < 1000; i++) {
        p.tuple = first;
        peer_sends(&p, "R seq %u", seq + 1 + i);
        peer_sends(&p, "S seq %u", seq + 100 + i);
        peer_sends(&p, "A seq %u ack %u", seq, ack + 1 + i);
        peer_sends(&p, "A seq %u ack %u", seq - 1, ack);
        answers += opened_drains(&p);
        if (i % 501 == 0) { /* the other one is not muted by it */
            p.tuple = second;
            peer_sends(&p, "R seq 200");
            peer_gets(&p, "A ack 101");
        }
        peer_waits(&p, BERTH_MS);
    }
    assert_in_range(answers, 2, 3);
    assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
    peer_end(&p);
}

/* A challenge leaves nothing behind: an idle connection holds no active state a second later,
 * whatever strangers send; its timer is gone too. */
static void nothing_stays(void **state) {
    (void)state;
    static const char *const words[] = {"R seq %u", "S seq %u", "A seq %u", "FA seq %u",
                                        "PA seq %u len 5"};
    for (unsigned i = 0; i < 5; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "");
        char text[64];
        snprintf(text, sizeof text, words[i], p.seq + 1u * (i == 0) - 100u * (i != 0));
        peer_sends(&p, "%s", text);
        peer_gets(&p, "A ack %u", p.seq);
        peer_silent(&p);
        peer_waits(&p, BERTH_SECOND);
        assert_null(opened_active(&p, socket));
        assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
        peer_end(&p);
    }
}

/* An ACK storm (two ends that disagree answer each other): fewer than three in a second. [5961-4]
 */
static void no_storm(void **state) {
    (void)state;
    struct peer p;
    opened(&p, 4, "");
    unsigned answers = 0;
    uint64_t end = p.now + 10 * BERTH_SECOND;
    peer_sends(&p, "A seq %u", p.seq - 50);
    while (p.now < end) {
        while (peer_pull(&p)) {
            answers++;
            peer_sends(&p, "A seq %u", p.seq - 50); /* at once, every time */
        }
        peer_waits(&p, BERTH_MS);
        peer_sends(&p, "A seq %u ack %u", p.seq, p.ack + 50);
    }
    assert_true(answers <= 30);
    peer_end(&p);
}

/* A segment without ACK, SYN and RST means nothing (3.10.7.4, fifth check). [9293-E6] */
static void no_ack(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    peer_sends(&p, "P len 10");
    peer_sends(&p, "F");
    peer_sends(&p, "-");
    peer_silent(&p);
    assert_int_equal(opened_end(&p, socket), -EAGAIN);
    assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reset_zones),      cmocka_unit_test(reset_with_more),
        cmocka_unit_test(syn_zones),        cmocka_unit_test(ack_range),
        cmocka_unit_test(ack_range_scaled), cmocka_unit_test(challenges_throttled),
        cmocka_unit_test(nothing_stays),    cmocka_unit_test(no_storm),
        cmocka_unit_test(no_ack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
