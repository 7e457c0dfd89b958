/* What a connection counts (TCP_INFO, `ss -i`), and what becomes of that when it is idle. */
#include "test/unit/tcp/opened.h"

static struct berth_tcp_info info_of(struct peer *p, uint32_t socket) {
    struct berth_tcp_info info;
    assert_int_equal(tcp_info(p->tcp, socket, &info), 0);
    return info;
}

/* 2,500 octets go, the first segment again after a timeout, and all are acknowledged 50 ms later;
 * 700 come, and 100 ahead of a gap. */
static uint32_t talk(struct peer *p, uint8_t keep) {
    peer_config(p);
    p->config.tcp_keep_tallies = keep;
    p->config.tcp_slow_start_after_idle = 0;
    uint32_t socket = opened_start(p, 4, "mss 1000");
    opened_writes(p, socket, 2500, 0);
    assert_int_equal(opened_drains(p), 3);
    opened_expires(p, rtt_rto(p->tcp, tcp_at(p->tcp, socket)));
    assert_int_equal(opened_drains(p), 1);
    peer_waits(p, 50 * BERTH_MS);
    opened_acks(p, socket);
    peer_sends(p, "A len 700");
    p->seq += 700;
    opened_drains(p);
    return socket;
}

static void counters(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = talk(&p, 1);
    struct berth_tcp_info before = info_of(&p, socket);
    assert_int_equal(before.bytes_sent, 3500);
    assert_int_equal(before.bytes_retransmitted, 1000);
    assert_int_equal(before.bytes_acked, 2500);
    assert_int_equal(before.bytes_received, 700);
    assert_int_equal(before.data_segments_out, 4);
    assert_int_equal(before.retransmitted, 1);
    assert_int_equal(before.data_segments_in, 1);
    assert_int_equal(before.received_mss, 700);
    assert_int_equal(before.out_of_order, 0);
    assert_true(before.segments_in >= 2 && before.segments_out >= 4);
    assert_true(before.busy >= 50 * BERTH_MS && before.busy < 3 * BERTH_SECOND);
    peer_waits(&p, 300 * BERTH_MS);
    opened_drains(&p); /* the delayed ACK */
    struct berth_tcp_info after = info_of(&p, socket);
    assert_int_equal(after.busy, before.busy); /* nothing was outstanding */
    assert_true(after.since_received >= 300 * BERTH_MS && after.since_received < BERTH_SECOND);
    assert_true(after.since_sent >= 350 * BERTH_MS && after.since_heard >= 300 * BERTH_MS);
    peer_sends(&p, "A seq %u len 100", p.seq + 50);
    opened_drains(&p);
    assert_int_equal(info_of(&p, socket).out_of_order, 1);
    peer_end(&p);
}

/* Once all is read and acknowledged nothing hangs off the connection but, if asked for, the tally;
 * what comes then is added to it. */
static void idle(void **state) {
    (void)state;
    for (uint8_t keep = 0; keep < 2; keep++) {
        struct peer p;
        uint32_t socket = talk(&p, keep);
        assert_int_equal(opened_reads(&p, socket, p.seq - 700, 700), 700);
        opened_writes(&p, socket, 10, 0); /* whose round trip ends the backoff */
        opened_drains(&p);
        opened_acks(&p, socket);
        peer_waits(&p, 2 * BERTH_SECOND);
        opened_drains(&p);
        assert_null(opened_active(&p, socket));
        assert_int_equal(info_of(&p, socket).bytes_acked, keep ? 2510 : 0);
        assert_int_equal(info_of(&p, socket).since_sent == BERTH_NEVER, !keep);
        opened_writes(&p, socket, 10, 0);
        opened_drains(&p);
        assert_int_equal(info_of(&p, socket).bytes_sent, keep ? 3520 : 10);
        peer_end(&p);
    }
}

/* A rate is of one round trip: 10,000 octets in 100 ms; one that ended for want of octets does not
 * take its place, for it is lower. */
static void rate(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 50000, 0);
    assert_int_equal(opened_drains(&p), 10);
    peer_waits(&p, 100 * BERTH_MS);
    p.ack += 10000;
    peer_sends(&p, "A");
    struct berth_tcp_info info = info_of(&p, socket);
    assert_int_equal(info.delivery_rate, 100000);
    assert_int_equal(info.application_limited, 0);
    assert_int_equal(info.min_rtt, 100 * BERTH_MS);
    assert_true(info.pacing_rate > info.delivery_rate);
    assert_int_equal(info.pacing_rate_max, UINT32_MAX);
    while (info_of(&p, socket).send_queue > 0) {
        opened_drains(&p);
        opened_acks(&p, socket);
    }
    uint64_t best = info_of(&p, socket).delivery_rate;
    opened_writes(&p, socket, 500, 0);
    opened_drains(&p);
    peer_waits(&p, 100 * BERTH_MS);
    opened_acks(&p, socket);
    assert_int_equal(info_of(&p, socket).delivery_rate, best);
    peer_end(&p);
}

/* Of the time with octets unacknowledged it is told how long the peer's window was too small, and
 * how long the send buffer was: the application had found it full, and all of it was sent. */
static void limits(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.tcp_keep_tallies = 1;
    uint32_t socket = opened_start(&p, 4, "mss 1000");
    p.win = 3000;
    peer_sends(&p, "A");
    opened_writes(&p, socket, 5000, 0);
    assert_int_equal(opened_drains(&p), 3);
    peer_waits(&p, 50 * BERTH_MS); /* the window's fault */
    p.win = 60000;
    p.ack += 3000;
    peer_sends(&p, "A");
    assert_int_equal(opened_drains(&p), 2);
    peer_waits(&p, 30 * BERTH_MS); /* nobody's */
    opened_acks(&p, socket);
    opened_drains(&p);
    peer_waits(&p, 100 * BERTH_MS); /* nothing to be sent */
    struct berth_tcp_info info = info_of(&p, socket);
    assert_int_equal(info.busy, 80 * BERTH_MS);
    assert_int_equal(info.window_limited, 50 * BERTH_MS);
    assert_int_equal(info.buffer_limited, 0);
    tcp_set_option(p.tcp, socket, BERTH_SO_SNDBUF, 4000, p.now);
    uint8_t octets[10000] = {0};
    assert_int_equal(tcp_send(p.tcp, socket, octets, sizeof octets, 0, p.now), 8000);
    assert_int_equal(opened_drains(&p), 8);
    peer_waits(&p, 20 * BERTH_MS); /* the buffer's fault */
    opened_acks(&p, socket);
    opened_drains(&p);
    peer_waits(&p, 5 * BERTH_SECOND);
    opened_drains(&p);
    assert_null(opened_active(&p, socket)); /* kept, and at rest */
    info = info_of(&p, socket);
    assert_int_equal(info.busy, 100 * BERTH_MS);
    assert_int_equal(info.window_limited, 50 * BERTH_MS);
    assert_int_equal(info.buffer_limited, 20 * BERTH_MS);
    peer_end(&p);
}

/* What came after later octets: how often, and how late. */
static void reordering(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000 sackok");
    opened_writes(&p, socket, 10000, 0);
    assert_int_equal(opened_drains(&p), 10);
    assert_int_equal(info_of(&p, socket).reordering_degree, 3);
    peer_waits(&p, 50 * BERTH_MS);
    peer_sends(&p, "A sack %u %u", p.ack + 1000, p.ack + 2000);
    p.ack += 2000; /* one late */
    peer_sends(&p, "A");
    assert_int_equal(info_of(&p, socket).reordering_seen, 1);
    assert_int_equal(info_of(&p, socket).reordering_degree, 3);
    peer_sends(&p, "A sack %u %u", p.ack + 6000, p.ack + 7000);
    peer_sends(&p, "A sack %u %u sack %u %u", p.ack + 2000, p.ack + 3000, p.ack + 6000,
               p.ack + 7000); /* by five segments */
    assert_int_equal(info_of(&p, socket).reordering_seen, 2);
    assert_int_equal(info_of(&p, socket).reordering_degree, 5);
    peer_end(&p);
}

/* A large frame is counted as the segments that it becomes on the wire. */
static void large_frames(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    struct tcp_interface interface = {1500, 65535, 0};
    tcp_set_interface(p.tcp, 1, &interface);
    opened_writes(&p, socket, 9500, 0);
    unsigned frames = opened_drains(&p);
    assert_true(frames <= 2);
    struct berth_tcp_info info = info_of(&p, socket);
    assert_int_equal(info.data_segments_out, 10);
    assert_int_equal(info.segments_out, 10);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters), cmocka_unit_test(idle),       cmocka_unit_test(rate),
        cmocka_unit_test(limits),   cmocka_unit_test(reordering), cmocka_unit_test(large_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
