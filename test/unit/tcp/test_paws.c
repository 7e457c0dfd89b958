/* Timestamps: RFC 7323 sections 3 to 5. */
#include "test/unit/tcp/opened.h"

enum { DAY = 24 * 3600 };

/* 7323-T1: on every segment; RSTs too; one without them is dropped, unless it is a RST. [MUST-16]
 */
static void on_every_segment(void **state) {
    (void)state;
    for (unsigned family = 4; family <= 6; family += 2) {
        struct peer p;
        uint32_t socket = opened(&p, (int)family, "mss 1012 ts 1 0");
        uint32_t value = tcp_ts_now(p.tcp, tcp_at(p.tcp, socket));
        opened_writes(&p, socket, 1000, 0);
        peer_gets(&p, "PA ts %u 1 len 1000", value); /* MUST-16: options make room */
        peer_waits(&p, 5 * BERTH_MS);
        peer_sends(&p, "PA len 10");
        peer_silent(&p);
        peer_waits(&p, 50 * BERTH_MS);
        peer_silent(&p);
        peer_sends(&p, "PA ts 2 %u len 10", value);
        peer_waits(&p, 40 * BERTH_MS);
        peer_gets(&p, "A ts %u 2", value + 95);
        tcp_close(p.tcp, socket, p.now); /* with unread octets */
        peer_gets(&p, "RA ts %u 2", value + 95);
        peer_end(&p);
    }
}

/* 7323-T2, 7323-T3: the echo is of the last segment that began at or before the last ACK sent. */
static void echo(void **state) {
    (void)state;
    struct peer p;
    opened(&p, 4, "ts 1 0");
    peer_sends(&p, "PA ts 10 0 len 10"); /* a delayed ACK echoes the earliest */
    peer_sends(&p, "PA seq %u ts 20 0 len 10", p.seq + 10);
    peer_silent(&p);
    peer_waits(&p, 40 * BERTH_MS);
    peer_gets(&p, "A ack %u", p.seq + 20);
    assert_int_equal(p.got.options.ts_echo, 10);
    p.seq += 20;
    peer_sends(&p, "PA seq %u ts 30 0 len 10", p.seq + 10); /* beyond a hole */
    peer_gets(&p, "A ack %u", p.seq);
    assert_int_equal(p.got.options.ts_echo, 10);
    peer_sends(&p, "PA ts 40 0 len 10"); /* fills it */
    peer_gets(&p, "A ack %u", p.seq + 20);
    assert_int_equal(p.got.options.ts_echo, 40);
    peer_end(&p);
}

/* 7323-P1, 7323-P5: an older timestamp: answered and dropped, also where the sequence number would
 * do; modulo 2^32. */
static void old_segments(void **state) {
    (void)state;
    static const uint32_t recents[] = {1000, 0x7fffffff, 0x80000000, 0xffffffff, 0, 5};
    static const struct {
        int32_t age;
        bool taken;
    } cases[] = {{0, true},   {1, true},    {100000, true},     {INT32_MAX, true},
                 {-1, false}, {-10, false}, {-INT32_MAX, false}};
    for (unsigned i = 0; i < 6; i++)
        for (unsigned j = 0; j < 7; j++) {
            struct peer p;
            uint32_t socket = opened(&p, 4, "ts 1 0");
            tcp_at(p.tcp, socket)->ts_recent = recents[i];
            peer_sends(&p, "PA ts %u 0 len 10", recents[i] + (uint32_t)cases[j].age);
            if (cases[j].taken) {
                assert_int_equal(opened_reads(&p, socket, p.seq, 100), 10);
                assert_int_equal(tcp_at(p.tcp, socket)->ts_recent,
                                 recents[i] + (uint32_t)cases[j].age);
            } else {
                peer_gets(&p, "A ack %u", p.seq);
                assert_int_equal(p.got.options.ts_echo, recents[i]);
                assert_int_equal(opened_end(&p, socket), -EAGAIN);
                assert_int_equal(p.counters.tcp_paws_drops, 1);
            }
            peer_end(&p);
        }
}

/* 7323-P3: TS.Recent is worth nothing after 24 days of silence. */
static void twenty_four_days(void **state) {
    (void)state;
    for (unsigned days = 23; days <= 25; days += 2) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "ts 1 0");
        peer_waits(&p, (uint64_t)days * DAY * BERTH_SECOND);
        peer_sends(&p, "PA ts 4294967200 0 len 10");
        if (days == 25) {
            assert_int_equal(opened_reads(&p, socket, p.seq, 100), 10);
            assert_int_equal(tcp_at(p.tcp, socket)->ts_recent, 4294967200u);
        } else {
            peer_gets(&p, "A");
            assert_int_equal(opened_end(&p, socket), -EAGAIN);
        }
        peer_end(&p);
    }
}

/* A retransmission has a new timestamp: it is taken, though later segments came with older ones. */
static void retransmission(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "ts 1 0");
    for (uint32_t i = 1; i < 5; i++)
        peer_sends(&p, "PA seq %u ts %u 0 len 10", p.seq + 10 * i, 10 + i);
    peer_sends(&p, "PA ts 20 0 len 10");
    assert_int_equal(opened_reads(&p, socket, p.seq, 100), 50);
    peer_end(&p);
}

/* 7323-T6: values of two connections have nothing in common but the pace. */
static void offsets(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    peer_listener(&p, 5);
    uint32_t values[3];
    for (unsigned i = 0; i < 3; i++) {
        p.tuple.remote_port = (uint16_t)(4000 + i);
        peer_sends(&p, "S seq 1 ts 1 0");
        peer_gets(&p, "SA");
        values[i] = p.got.options.ts_value;
    }
    assert_true(values[0] != values[1] && values[1] != values[2]);
    assert_true(values[1] - values[0] != values[2] - values[1]);
    peer_end(&p);
}

/* 7323-T5: an echo gives a sample if new octets are acknowledged, also after a retransmission; a
 * duplicate ACK gives none, nor does an echo from the future or of 0. */
static void samples(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "ts 1 0");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    opened_writes(&p, socket, 10, 0);
    peer_gets(&p, "PA");
    peer_silent(&p);
    uint32_t srtt = c->srtt, value = p.got.options.ts_value;
    peer_waits(&p, 100 * BERTH_MS);
    peer_sends(&p, "A ts 1 %u", value);
    assert_int_equal(c->srtt, srtt);
    opened_expires(&p, 100 * BERTH_MS);
    peer_gets(&p, "PA");
    peer_silent(&p);
    p.ack += 4;
    peer_sends(&p, "A ts 1 %u", value + 1000);
    assert_int_equal(c->srtt, srtt);
    p.ack += 3;
    peer_sends(&p, "A ts 1 0");
    assert_int_equal(c->srtt, srtt);
    peer_waits(&p, 30 * BERTH_MS);
    p.ack += 3;
    peer_sends(&p, "A ts 1 %u", value);
    assert_true(c->srtt > srtt);
    peer_end(&p);
}

/* Timestamps and scaling only if both offered them (7323-W1); a shift beyond 14 is 14 (7323-W2). */
static void negotiation(void **state) {
    (void)state;
    static const struct {
        const char *options;
        unsigned scale;
        bool timestamps, scaling;
    } cases[] = {{"", 0, false, false},          {"wscale 3", 3, false, true},
                 {"ts 1 0", 0, true, false},     {"ts 1 0 wscale 14", 14, true, true},
                 {"wscale 15", 14, false, true}, {"wscale 255", 14, false, true},
                 {"wscale 0", 0, false, true}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, cases[i].options);
        const struct tcp_connection *c = tcp_at(p.tcp, socket);
        peer_sends(&p, cases[i].timestamps ? "A win 1000 ts 1 0" : "A win 1000");
        assert_int_equal(c->snd_wnd, 1000u << cases[i].scale);
        assert_int_equal((c->flags & TCP_F_TIMESTAMPS) != 0, cases[i].timestamps);
        assert_int_equal(c->scales >> 4 != 0, cases[i].scaling);
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_every_segment), cmocka_unit_test(echo),
        cmocka_unit_test(old_segments),     cmocka_unit_test(twenty_four_days),
        cmocka_unit_test(retransmission),   cmocka_unit_test(offsets),
        cmocka_unit_test(samples),          cmocka_unit_test(negotiation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
