/* Keep-alive: RFC 9293 3.8.4. */
#include "test/unit/tcp/opened.h"

/* [MUST-25] */
static void off_by_default(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
    peer_waits(&p, 24 * 3600 * BERTH_SECOND);
    peer_silent(&p);
    assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
    peer_end(&p);
}

/* The first after 7200 s, then each 75 s; after 9 without an answer a RST and ETIMEDOUT. [MUST-24,
 * MUST-28, SHLD-12, MAY-5, 2525-9, 2525-11, MUST-29] */
static void defaults(void **state) {
    (void)state;
    for (unsigned family = 4; family <= 6; family += 2) {
        struct peer p;
        uint32_t socket = opened(&p, (int)family, "ts 1 0");
        tcp_set_option(p.tcp, socket, BERTH_SO_KEEPALIVE, 1, p.now);
        assert_null(opened_active(&p, socket));
        peer_silent_until(&p, p.now + 7200 * BERTH_SECOND);
        for (unsigned i = 0; i < 9; i++) {
            peer_gets(&p, "A seq %u ack %u len 0", p.ack - 1, p.seq);
            peer_silent(&p);
            peer_silent_until(&p, p.now + 75 * BERTH_SECOND);
        }
        peer_gets(&p, "RA seq %u", p.ack);
        assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
        assert_int_equal(p.counters.tcp_keepalive_probes, 9);
        peer_end(&p);
    }
}

/* MUST-29: an answer to the last one is enough; MUST-26: whatever comes starts the time anew. The
 * connection holds nothing between probes. [MUST-27, 7323-P3] */
static void answered(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    opened_keeps_alive(&p, socket, 100, 10, 3);
    for (unsigned round = 0; round < 4; round++) {
        peer_silent_until(&p, p.now + 100 * BERTH_SECOND);
        for (unsigned i = 0; i < 3; i++) {
            peer_gets(&p, "A seq %u len 0", p.ack - 1);
            peer_silent(&p);
            peer_silent_until(&p, p.now + 9 * BERTH_SECOND + (i == 2 ? 0 : BERTH_SECOND));
        }
        peer_sends(&p, "A");
        peer_silent(&p);
        assert_null(opened_active(&p, socket));
        if (round == 2) {
            peer_waits(&p, 50 * BERTH_SECOND);
            peer_sends(&p, "PA len 10");
            opened_reads(&p, socket, p.seq, 10);
            p.seq += 10;
            peer_waits(&p, BERTH_SECOND);
            peer_gets(&p, "A");
            peer_silent(&p);
            peer_silent_until(&p, p.now + 99 * BERTH_SECOND);
            peer_gets(&p, "A seq %u len 0", p.ack - 1);
            peer_sends(&p, "A");
            peer_silent(&p);
        }
    }
    assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
    peer_end(&p);
}

/* No probe while octets are outstanding: they are retransmitted. [MUST-26] */
static void not_while_busy(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    tcp_set_option(p.tcp, socket, BERTH_SO_KEEPALIVE, 1, p.now);
    tcp_set_option(p.tcp, socket, BERTH_TCP_KEEPIDLE, 1, p.now);
    opened_writes(&p, socket, 10, 0);
    for (uint64_t next; (next = tcp_deadline(p.tcp)) != BERTH_NEVER;) {
        while (peer_pull(&p))
            assert_int_equal(p.got.length, 10);
        peer_waits_until(&p, tcp_deadline(p.tcp) < next ? next : tcp_deadline(p.tcp));
    }
    assert_int_equal(p.counters.tcp_keepalive_probes, 0);
    peer_end(&p);
    /* Nor while a closed window is probed. */
    socket = opened(&p, 4, "");
    tcp_set_option(p.tcp, socket, BERTH_SO_KEEPALIVE, 1, p.now);
    tcp_set_option(p.tcp, socket, BERTH_TCP_KEEPIDLE, 1, p.now);
    peer_sends(&p, "A win 0");
    opened_writes(&p, socket, 10, 0);
    for (unsigned i = 0; i < 100; i++, peer_waits(&p, BERTH_SECOND))
        while (peer_pull(&p))
            peer_sends(&p, "A win 0");
    assert_int_equal(p.counters.tcp_keepalive_probes, 0);
    peer_end(&p);
}

/* MUST-24: off again. The peer's probes are answered, with an octet of rubbish (MAY-6) or none. */
static void peers_probes(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    tcp_set_option(p.tcp, socket, BERTH_SO_KEEPALIVE, 1, p.now);
    tcp_set_option(p.tcp, socket, BERTH_SO_KEEPALIVE, 0, p.now);
    assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
    for (unsigned i = 0; i < 10; i++) {
        peer_waits(&p, 10 * BERTH_SECOND);
        peer_sends(&p, "A seq %u len %u", p.seq - 1, i % 2);
        peer_gets(&p, "A seq %u ack %u", p.ack, p.seq);
        peer_silent(&p);
    }
    peer_waits(&p, BERTH_SECOND);
    assert_null(opened_active(&p, socket));
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_by_default), cmocka_unit_test(defaults),
        cmocka_unit_test(answered),       cmocka_unit_test(not_while_busy),
        cmocka_unit_test(peers_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
