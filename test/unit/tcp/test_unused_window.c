/* Congestion window validation (RFC 2861 as Linux has it; RFC 5681 4.1). */
#include "test/unit/tcp/opened.h"

enum { MSS = 1000 };

/* A connection that has used a window of 80 segments and sends nothing any more. */
static uint32_t rested(struct peer *p) {
    uint32_t socket = opened_start(p, 4, "mss 1000 wscale 5");
    tcp_at(p->tcp, socket)->cwnd = 80 * MSS;
    opened_writes(p, socket, 10, 0);
    opened_drains(p);
    opened_acks(p, socket);
    peer_silent(p);
    tcp_at(p->tcp, socket)->srtt = 40000 << 3;
    tcp_at(p->tcp, socket)->rttvar = 1000 << 2;
    return socket;
}

/* RFC 2861 3.1: a half for each RTO (240 ms) without a segment, down to RFC 5681's restart window;
 * 3/4 stays as ssthresh; and only then the connection is idle in memory too. [5681-8] */
static void halves_in_each_rto(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    uint32_t socket = rested(&p);
    const struct tcp_connection *c = tcp_at(p.tcp, socket);
    tcp_at(p.tcp, socket)->ssthresh = 20 * MSS;
    uint64_t sent = opened_active(&p, socket)->sent_at;
    static const unsigned windows[] = {80, 40, 20, 10};
    for (unsigned i = 0; i < 4; i++) {
        peer_waits_until(&p, sent + i * 240 * BERTH_MS + 100 * BERTH_MS);
        assert_int_equal(c->cwnd, windows[i] * MSS);
    }
    assert_int_equal(c->ssthresh, 60 * MSS);
    assert_null(c->active);
    peer_waits(&p, 10 * BERTH_SECOND);
    assert_int_equal(c->cwnd, 10 * MSS);
    peer_end(&p);
}

/* A segment in between begins the time anew; ssthresh that knows nothing stays so. */
static void sending_begins_anew(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    uint32_t socket = rested(&p);
    const struct tcp_connection *c = tcp_at(p.tcp, socket);
    peer_waits(&p, 300 * BERTH_MS);
    assert_int_equal(c->cwnd, 40 * MSS);
    opened_writes(&p, socket, 10, 0);
    opened_drains(&p);
    opened_acks(&p, socket);
    peer_waits(&p, 200 * BERTH_MS);
    assert_int_equal(c->cwnd, 40 * MSS);
    peer_waits(&p, 50 * BERTH_MS);
    assert_int_equal(c->cwnd, 20 * MSS);
    assert_int_equal(c->ssthresh, UINT32_MAX);
    peer_end(&p);
}

/* A write that comes before any timer finds the window that time has left. [5681-8] */
static void write_after_long(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    uint32_t socket = rested(&p);
    p.now += 600 * BERTH_MS;
    opened_writes(&p, socket, 100 * MSS, 0);
    assert_int_equal(tcp_at(p.tcp, socket)->cwnd, 20 * MSS);
    assert_int_equal(opened_drains(&p), 20);
    peer_end(&p);
}

/* RFC 2861 3.2: a window of which a part was used goes halfway to it each RTO; and the initial
 * window is never too much. */
static void partly_used(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    uint32_t socket = rested(&p);
    const struct tcp_connection *c = tcp_at(p.tcp, socket);
    for (unsigned i = 0; i < 6; i++) { /* 50 ms each, 40 segments */
        opened_writes(&p, socket, 40 * MSS, 0);
        opened_drains(&p);
        peer_waits(&p, 50 * BERTH_MS);
        opened_acks(&p, socket);
    }
    assert_int_equal(c->cwnd, 60 * MSS);
    for (unsigned i = 0; i < 200; i++) {
        opened_writes(&p, socket, MSS, 0);
        opened_drains(&p);
        peer_waits(&p, 50 * BERTH_MS);
        opened_acks(&p, socket);
    }
    assert_true(c->cwnd >= 10 * MSS && c->cwnd < 10 * MSS + 100);
    peer_end(&p);
}

/* net.ipv4.tcp_slow_start_after_idle = 0 */
static void switched_off(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.tcp_slow_start_after_idle = 0;
    uint32_t socket = rested(&p);
    const struct tcp_connection *c = tcp_at(p.tcp, socket);
    assert_null(c->active);
    for (unsigned i = 0; i < 20; i++) {
        peer_waits(&p, 50 * BERTH_MS);
        opened_writes(&p, socket, MSS, 0);
        opened_drains(&p);
        opened_acks(&p, socket);
    }
    peer_waits(&p, 10 * BERTH_SECOND);
    assert_int_equal(c->cwnd, 80 * MSS);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_in_each_rto), cmocka_unit_test(sending_begins_anew),
        cmocka_unit_test(write_after_long),   cmocka_unit_test(partly_used),
        cmocka_unit_test(switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
