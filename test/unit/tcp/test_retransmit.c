/* The retransmission timer: RFC 6298, RFC 9293 3.8.1 and 3.8.3. All times are exact to a tick. */
#include "test/unit/tcp/opened.h"

static const int families[] = {4, 6};

/* One octet out, and its ACK after `rtt`. */
static void round_trip(struct peer *p, uint32_t socket, uint64_t rtt) {
    opened_writes(p, socket, 1, 0);
    peer_gets(p, "PA seq %u len 1", p->ack);
    peer_silent(p);
    peer_waits(p, rtt);
    opened_acks(p, socket);
    peer_silent(p);
}

/* 6298-2: RTTVAR first, with the old SRTT; the variance's part at least 200 ms, as Linux has it.
 * The handshake gave a sample of 0 (counted as 1 us). [6298-3] */
static void rto_of_samples(void **state) {
    (void)state;
    static const struct {
        unsigned rtts[4]; /* ms; 0 ends */
    } cases[] = {{{100}}, {{190}}, {{100, 100, 100, 100}}, {{190, 10, 220, 3}}, {{2, 3, 2, 3}}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        uint32_t socket = opened(&p, i % 2 ? 6 : 4, "");
        double srtt = 1, rttvar = 0.5;
        for (unsigned j = 0; j < 4 && cases[i].rtts[j]; j++) {
            double r = cases[i].rtts[j] * 1000.0;
            rttvar = 0.75 * rttvar + 0.25 * (r > srtt ? r - srtt : srtt - r);
            srtt = 0.875 * srtt + 0.125 * r;
            round_trip(&p, socket, cases[i].rtts[j] * BERTH_MS);
        }
        double rto = srtt + (4 * rttvar > 200000 ? 4 * rttvar : 200000);
        opened_writes(&p, socket, 1, 0);
        peer_gets(&p, "PA seq %u", p.ack);
        peer_silent(&p);
        uint64_t due = p.now + (uint64_t)(rto / 1000) * BERTH_MS;
        peer_waits_until(&p, due - 2 * BERTH_MS);
        peer_silent(&p);
        peer_waits_until(&p, due + 2 * BERTH_MS);
        peer_gets(&p, "PA seq %u len 1", p.ack);
        peer_end(&p);
    }
}

/* RFC 6298 5.5, 2525-10: 200 ms doubling to 120 s; MUST-20, SHLD-11: after 15 of them the
 * connection ends with ETIMEDOUT, and nothing more is sent. [6298-4, 6298-5, 2525-4, MUST-19] */
static void backoff_to_the_end(void **state) {
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        struct peer p;
        uint32_t socket = opened(&p, families[f], "mss 1000");
        uint64_t start = p.now, rto = 200 * BERTH_MS;
        opened_writes(&p, socket, 500, 0);
        peer_gets(&p, "PA seq %u len 500", p.ack);
        peer_silent(&p);
        for (unsigned i = 0; i < 15; i++) {
            opened_expires(&p, rto);
            peer_gets(&p, "PA seq %u len 500", p.ack);
            for (uint32_t at = 0; at < 500; at++) /* 2525-4: the same octets */
                assert_int_equal(p.payload[at], (uint8_t)(p.got.seq + at));
            peer_silent(&p);
            rto = rto * 2 < 120 * BERTH_SECOND ? rto * 2 : 120 * BERTH_SECOND;
        }
        opened_expires(&p, rto);
        peer_silent(&p);
        assert_true(p.now - start >= 100 * BERTH_SECOND);
        assert_int_equal(peer_state(&p, socket), BERTH_TCP_CLOSED);
        assert_true(peer_events(&p, socket) & BERTH_ERROR);
        assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
        assert_int_equal(p.tcp->actives.used, 0);
        peer_end(&p);
    }
}

/* MUST-18, Karn: without timestamps an ACK of what was sent twice is no sample, and the timer stays
 * backed off until there is one. With timestamps the echo says which was meant. [6298-7] */
static void karn(void **state) {
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, timestamps ? "ts 1 0" : "");
        uint32_t srtt = tcp_at(p.tcp, socket)->srtt;
        opened_writes(&p, socket, 1, 0);
        peer_gets(&p, "PA");
        peer_silent(&p);
        for (unsigned i = 0; i < 3; i++) {
            opened_expires(&p, 200 * BERTH_MS << i);
            peer_gets(&p, "PA seq %u", p.ack);
            peer_silent(&p);
        }
        uint32_t echo = p.got.options.ts_value;
        p.ack++;
        if (timestamps)
            peer_sends(&p, "A ts 2 %u", echo);
        else
            peer_sends(&p, "A");
        peer_silent(&p);
        if (!timestamps)
            assert_int_equal(tcp_at(p.tcp, socket)->srtt, srtt);
        opened_writes(&p, socket, 1, 0);
        peer_gets(&p, "PA seq %u", p.ack);
        peer_silent(&p);
        opened_expires(&p, (timestamps ? 200 : 1600) * BERTH_MS);
        peer_gets(&p, "PA seq %u", p.ack);
        peer_end(&p);
    }
}

/* A sample ends the backoff. [MUST-18] */
static void karn_ends(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    opened_writes(&p, socket, 1, 0);
    peer_gets(&p, "PA");
    peer_silent(&p);
    opened_expires(&p, 200 * BERTH_MS);
    peer_gets(&p, "PA");
    opened_acks(&p, socket);
    peer_silent(&p);
    round_trip(&p, socket, 0);
    opened_writes(&p, socket, 1, 0);
    peer_gets(&p, "PA");
    peer_silent(&p);
    opened_expires(&p, 200 * BERTH_MS);
    peer_gets(&p, "PA");
    opened_acks(&p, socket);
    peer_end(&p);
}

/* RFC 6298 5.2, 5.3: an ACK of new octets starts the timer anew; the last one stops it. [6298-4] */
static void restart_and_stop(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 3000, 0);
    assert_int_equal(opened_drains(&p), 3);
    peer_waits(&p, 150 * BERTH_MS);
    p.ack += 1000;
    peer_sends(&p, "A");
    peer_silent(&p);
    /* SRTT is 150 ms / 8 now, and RTTVAR 37.5 ms. */
    opened_expires(&p, 218 * BERTH_MS);
    peer_gets(&p, "A seq %u len 1000", p.ack);
    peer_silent(&p); /* 2525-14: one */
    p.ack += 2000;
    peer_sends(&p, "A");
    peer_silent(&p);
    assert_true(p.tcp->wheel.count == 0 || tcp_at(p.tcp, socket)->active);
    peer_waits(&p, 1000 * BERTH_SECOND);
    peer_silent(&p);
    assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
    peer_end(&p);
}

/* RFC 6298 5.7: after a SYN that was lost, and without a sample, the first octets wait for 3 s.
 * [6298-6] */
static void after_lost_syn(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket = peer_connects(&p);
    peer_gets(&p, "S");
    peer_silent(&p);
    peer_silent_until(&p, p.now + BERTH_SECOND);
    peer_gets(&p, "S");
    p.ack = p.got.seq + 1;
    p.seq = 101;
    peer_silent(&p);
    peer_sends(&p, "SA seq 100");
    peer_gets(&p, "A");
    peer_silent(&p);
    opened_writes(&p, socket, 1, 0);
    peer_gets(&p, "PA seq %u", p.ack);
    peer_silent(&p);
    peer_silent_until(&p, p.now + 3 * BERTH_SECOND);
    peer_gets(&p, "PA seq %u", p.ack);
    peer_end(&p);
}

/* The same for one that we accepted. [6298-6] */
static void after_lost_syn_ack(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    peer_sends(&p, "S seq 100 ack 0");
    peer_gets(&p, "SA");
    peer_silent(&p);
    peer_silent_until(&p, p.now + BERTH_SECOND);
    peer_gets(&p, "SA");
    p.ack = p.got.seq + 1;
    p.seq = 101;
    peer_sends(&p, "A");
    uint32_t socket = peer_accepts(&p, listener);
    opened_writes(&p, socket, 1, 0);
    peer_gets(&p, "PA seq %u", p.ack);
    peer_silent(&p);
    peer_silent_until(&p, p.now + 3 * BERTH_SECOND);
    peer_gets(&p, "PA seq %u", p.ack);
    peer_end(&p);
}

/* MUST-21: the user timeout ends the connection when its time has come, not when the next
 * retransmission would. */
static void user_timeout(void **state) {
    (void)state;
    static const int limits[] = {100, 1000, 5000, 700000};
    for (unsigned i = 0; i < 4; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "");
        uint64_t start = p.now;
        assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_TCP_USER_TIMEOUT, limits[i], p.now),
                         0);
        opened_writes(&p, socket, 1, 0);
        while (p.now < start + (uint64_t)limits[i] * BERTH_MS - BERTH_MS) {
            uint64_t end = start + (uint64_t)limits[i] * BERTH_MS - BERTH_MS;
            opened_drains(&p);
            uint64_t next = tcp_deadline(p.tcp);
            peer_waits_until(&p, next < end ? next : end);
            assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
        }
        opened_drains(&p);
        peer_waits(&p, 2 * BERTH_MS);
        assert_int_equal(peer_state(&p, socket), BERTH_TCP_CLOSED);
        assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
        peer_end(&p);
    }
}

/* An orphan gives up earlier, as on Linux: after 8; and nothing of it stays. */
static void orphan(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    opened_writes(&p, socket, 10, 0);
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    peer_gets(&p, "FPA seq %u len 10", p.ack); /* 2525-15: the FIN goes with the last octets */
    peer_silent(&p);
    for (unsigned i = 0; i < 8; i++) {
        opened_expires(&p, 200 * BERTH_MS << i);
        peer_gets(&p, "FPA seq %u len 10", p.ack);
        peer_silent(&p);
    }
    opened_expires(&p, 200 * BERTH_MS << 8);
    peer_silent(&p);
    assert_int_equal(p.tcp->connections.used, 1);
    assert_int_equal(ports_connections(tcp_ports(p.tcp)), 0);
    assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
    peer_end(&p);
}

/* MUST-22, MUST-23 as Linux has it: a SYN at 0, 1, 3, 7, ... s, six more than once. */
static void syn(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 6);
    uint32_t socket = peer_connects(&p);
    peer_gets(&p, "S");
    uint32_t seq = p.got.seq;
    peer_silent(&p);
    for (unsigned i = 0; i < 6; i++) {
        peer_silent_until(&p, p.now + (BERTH_SECOND << i));
        peer_gets(&p, "S seq %u", seq);
        peer_silent(&p);
    }
    peer_silent_until(&p, p.now + (BERTH_SECOND << 6));
    peer_silent(&p);
    assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
    peer_end(&p);
}

/* An ACK in the past, and one of nothing new, do not touch the timer. */
static void old_acks(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    opened_writes(&p, socket, 100, 0);
    peer_gets(&p, "PA");
    peer_silent(&p);
    for (unsigned i = 0; i < 19; i++) {
        peer_silent_until(&p, p.now + 10 * BERTH_MS);
        peer_sends(&p, i % 2 ? "A ack %u" : "A ack %u win 70", p.ack - i % 3);
    }
    opened_expires(&p, 10 * BERTH_MS);
    peer_gets(&p, "A seq %u len 70", p.ack);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rto_of_samples),
        cmocka_unit_test(backoff_to_the_end),
        cmocka_unit_test(karn),
        cmocka_unit_test(karn_ends),
        cmocka_unit_test(restart_and_stop),
        cmocka_unit_test(after_lost_syn),
        cmocka_unit_test(after_lost_syn_ack),
        cmocka_unit_test(user_timeout),
        cmocka_unit_test(orphan),
        cmocka_unit_test(syn),
        cmocka_unit_test(old_acks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
