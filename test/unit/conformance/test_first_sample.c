/* The round trip of the handshake, and timestamps in TIME-WAIT. */
#include "test/unit/tcp/opened.h"

/* 6298-2: an active open's first sample is the SYN's; MUST-18, 6298-7: but not if it was sent
 * twice, unless the echo says which (7323-T5). The first retransmission then comes at SRTT + 4
 * RTTVAR. */
static void of_our_syn(void **state) {
    (void)state;
    for (unsigned lost = 0; lost < 2; lost++)
        for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
            struct peer p;
            peer_setup(&p, 4);
            uint32_t socket = peer_connects(&p);
            peer_gets(&p, "S");
            peer_silent(&p);
            if (lost) {
                peer_waits(&p, BERTH_SECOND);
                peer_gets(&p, "S");
                peer_silent(&p);
            }
            peer_waits(&p, 300 * BERTH_MS);
            p.ack = p.got.seq + 1;
            p.seq = 101;
            if (timestamps)
                peer_sends(&p, "SA seq 100 mss 1000 ts 1 %u", p.got.options.ts_value);
            else
                peer_sends(&p, "SA seq 100 mss 1000");
            peer_gets(&p, "A");
            bool known = !lost || timestamps;
            assert_int_equal(tcp_at(p.tcp, socket)->srtt, known ? 300000u << 3 : 0);
            opened_writes(&p, socket, 10, 0);
            peer_gets(&p, "PA");
            peer_silent(&p);
            opened_expires(&p, known ? 900 * BERTH_MS : 3 * BERTH_SECOND); /* 6298-6 */
            peer_gets(&p, "PA");
            peer_end(&p);
        }
}

/* 6298-2: one segment is timed at a time, and the ACK of it ends that: later ACKs of what was sent
 * meanwhile give no sample. */
static void one_at_a_time(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    opened_writes(&p, socket, 5000, 0);
    assert_int_equal(opened_drains(&p), 5);
    peer_waits(&p, 100 * BERTH_MS);
    p.ack += 1000;
    peer_sends(&p, "A");
    uint32_t srtt = c->srtt;
    assert_true(srtt > 0);
    for (unsigned i = 0; i < 3; i++) {
        peer_waits(&p, 50 * BERTH_MS);
        p.ack += 1000;
        peer_sends(&p, "A");
        assert_int_equal(c->srtt, srtt);
    }
    peer_end(&p);
}

/* 7323-T1: what TIME-WAIT answers has timestamps, too; 7323-T2: and the last echo. */
static void in_time_wait(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "ts 1 0");
    assert_int_equal(tcp_close(p.tcp, socket, p.now), 0);
    peer_gets(&p, "FA");
    uint32_t value = p.got.options.ts_value;
    p.ack++;
    peer_sends(&p, "FA ts 7 %u", value);
    peer_gets(&p, "A ts %u 7", value);
    peer_waits(&p, 100 * BERTH_MS);
    peer_sends(&p, "FA ts 9 %u", value);
    peer_gets(&p, "A");
    assert_true(p.got.options.has_timestamps);
    assert_int_equal(p.got.options.ts_value, value + 100);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_our_syn),
                                       cmocka_unit_test(one_at_a_time),
                                       cmocka_unit_test(in_time_wait)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
