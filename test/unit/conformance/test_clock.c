/* The clock of timestamps, and when they are looked at. */
#include "test/unit/tcp/opened.h"

/* 7323-T4: one tick a millisecond on all that is sent, SYN, octets, ACK and RST, for days; it never
 * goes back, also across 2^32. */
static void ticks(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "ts 1 0");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    c->ts_offset += 0u - 5000u - tcp_ts_now(p.tcp, c); /* 5 s before 2^32 */
    uint32_t first = tcp_ts_now(p.tcp, c), value = 1;
    uint64_t start = p.now;
    static const uint64_t waits[] = {1, 2, 10, 999, 4000, 60000, 24u * 3600 * 1000, 7};
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++) {
        peer_waits(&p, waits[i] * BERTH_MS);
        opened_writes(&p, socket, 1, 0);
        uint32_t passed = (uint32_t)((p.now - start) / BERTH_MS);
        peer_gets(&p, "PA ts %u %u", first + passed, value);
        p.ack++;
        peer_sends(&p, "A ts %u %u", ++value, first + passed);
        peer_silent(&p);
    }
    peer_sends(&p, "R seq %u", p.seq + 5);
    peer_gets(&p, "A ts %u %u", first + (uint32_t)((p.now - start) / BERTH_MS), value);
    peer_end(&p);
}

/* 7323-P4: a segment that is old by its timestamp and outside the window as well is old: it is
 * counted as that, and its sequence number is not looked at. A FIN among them ends nothing. */
static void before_sequence(void **state) {
    (void)state;
    static const int32_t places[] = {0, 1, 100000, -1, -1000, 1 << 30};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "ts 1 0");
        tcp_at(p.tcp, socket)->ts_recent = 100;
        peer_sends(&p, "FPA seq %u ts 99 0 len 10", p.seq + (uint32_t)places[i]);
        assert_int_equal(p.counters.tcp_paws_drops, 1);
        peer_gets(&p, "A ack %u", p.seq);
        peer_silent(&p);
        assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ticks), cmocka_unit_test(before_sequence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
