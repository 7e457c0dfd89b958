/* CUBIC (RFC 9438): its curve against the one that floating point gives, its regions, and the
 * choice of an algorithm. */
#include "test/unit/tcp/opened.h"

#include <math.h>

enum { MSS = 1000 };

struct flow {
    struct peer p;
    uint32_t socket;
    struct tcp_connection *c;
    unsigned rtt; /* ms */
};

static double segments(uint32_t octets) {
    return octets / (double)MSS;
}

/* A busy connection with a cwnd of so many segments, at the end of slow start. */
static void flow_start(struct flow *f, unsigned window, unsigned rtt) {
    struct peer *p = &f->p;
    peer_config(p);
    p->config.tcp_congestion = BERTH_CUBIC;
    f->socket = opened_start(p, 4, "mss 1000 wscale 14");
    f->c = tcp_at(p->tcp, f->socket);
    opened_writes(p, f->socket, 40 * MSS, 0);
    opened_drains(p);
    f->rtt = rtt;
    f->c->srtt = rtt * 1000 << 3;
    f->c->cwnd = f->c->ssthresh = window * MSS;
}

/* A round trip in which all of cwnd is acknowledged, two segments an ACK. */
static void round_trip(struct flow *f, bool limited) {
    uint32_t acks = f->c->cwnd / MSS / 2;
    uint64_t begin = f->p.tcp->now;
    for (uint32_t i = 1; i <= acks; i++) {
        f->p.tcp->now = begin + i * (f->rtt * BERTH_MS / acks);
        congestion_on_ack(f->p.tcp, f->c, 2 * MSS, limited);
    }
    f->p.now = f->p.tcp->now = begin + f->rtt * BERTH_MS;
}

static void loses(struct flow *f) {
    congestion_on_loss(f->c, f->c->cwnd);
    f->c->cwnd = f->c->ssthresh;
}

static struct cubic *cubic_of(const struct flow *f) {
    return &f->c->active->congestion.cubic;
}

/* RFC 9438 4.2-4.5: up to W_max, past it, and on, on both sides of the plateau, or as Reno would
 * where that is more, at round trips of 1, 10 and 100 ms. [9438-1] */
static void follows_the_curve(void **state) {
    (void)state;
    for (unsigned rtt = 1; rtt <= 100; rtt *= 10) {
        struct flow f;
        flow_start(&f, 1000, rtt);
        loses(&f);
        assert_int_equal(f.c->cwnd, 700 * MSS); /* 4.6: beta is 0.7 */
        double k = cbrt(300 / 0.4), before = 700, reno = 700;
        for (unsigned round = 1; round < 20000 / rtt && round < 2000; round++) {
            round_trip(&f, false);
            double t = round * rtt / 1e3, curve = 0.4 * pow(t - k, 3) + 1000;
            double ahead = 0.4 * pow(t + rtt / 1e3 - k, 3) + 1000, now = segments(f.c->cwnd);
            reno += reno < 1000 ? 9 / 17.0 : 1;
            assert_true(now > fmax(curve, reno) * 0.99 - 2);
            assert_true(now < fmax(ahead, reno) * 1.01 + 2);
            assert_true(now >= before);
            before = now;
        }
        peer_end(&f.p);
    }
}

/* 4.2: on the way to W_max what cwnd holds in whole segments is never behind the curve. [9438-1] */
static void reaches_the_curve(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f, 100, 100);
    loses(&f);
    uint32_t epoch_window = f.c->cwnd;
    double k = cbrt(segments(100 * MSS - epoch_window) / 0.4);
    for (unsigned round = 1; round * 0.1 < k; round++) {
        round_trip(&f, false);
        double curve = 0.4 * pow(round * 0.1 - k, 3) + 100;
        uint32_t whole = f.c->cwnd / MSS;
        assert_true(whole >= floor(curve));
    }
    assert_in_range(f.c->cwnd, 100 * MSS, 101 * MSS);
    peer_end(&f.p);
}

/* 4.2: the stage, and with it the curve, begins with the ACK that ends the recovery, not with the
 * next one, a round trip later. [9438-1] */
static void begins_with_the_recoverys_end(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.tcp_congestion = BERTH_CUBIC;
    uint32_t socket = opened_start(&p, 4, "mss 1000 sackok wscale 7");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    p.win = 4096;
    peer_sends(&p, "A");
    c->cwnd = 40 * MSS;
    opened_writes(&p, socket, 200 * MSS, 0);
    assert_int_equal(opened_drains(&p), 40);
    p.now += 100 * BERTH_MS;
    for (uint32_t n = 2; n <= 40; n++) { /* the first is lost */
        peer_sends(&p, "A sack %u %u", p.ack + MSS, p.ack + n * MSS);
        opened_drains(&p);
    }
    assert_true(c->active->flags & TCP_A_RECOVERY);
    p.now += 100 * BERTH_MS;
    p.ack = c->active->recover;
    peer_sends(&p, "A");
    assert_false(c->active->flags & TCP_A_RECOVERY);
    assert_int_equal(c->active->congestion.cubic.epoch, p.now);
    assert_int_equal(c->cwnd / MSS, c->ssthresh / MSS);
    peer_end(&p);
}

/* 4.3: where Reno is faster, cwnd follows it: 9/17 of a segment a round trip up to what cwnd was
 * before, then one. [9438-1] */
static void reno_friendly(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f, 40, 10);
    loses(&f);
    for (unsigned i = 0; i < 20; i++)
        round_trip(&f, false);
    assert_true(fabs(segments(f.c->cwnd) - (28 + 20 * 9 / 17.0)) < 1);
    for (unsigned i = 0; i < 60; i++)
        round_trip(&f, false);
    /* 40 is reached after 22.7 round trips. */
    assert_true(fabs(segments(f.c->cwnd) - (40 + 57.3)) < 3);
    peer_end(&f.p);
}

/* 4.5: at most half as much again in a round trip, however far away the curve is. [9438-1] */
static void growth_is_bounded(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f, 100, 100);
    round_trip(&f, false);
    cubic_of(&f)->epoch -= 500 * BERTH_SECOND;
    for (unsigned i = 0; i < 30; i++) {
        uint32_t before = f.c->cwnd;
        round_trip(&f, false);
        /* Each ACK within it sees the cwnd that the ones before made: e^0.5 in all. */
        assert_true(f.c->cwnd <= before / 100 * 166);
    }
    assert_int_equal(f.c->cwnd, 1 << 30);
    /* Nothing overflows at the ends of all ranges. */
    cubic_of(&f)->epoch = 1;
    f.c->mss = 65495;
    for (unsigned i = 0; i < 3; i++)
        round_trip(&f, false);
    assert_int_equal(f.c->cwnd, 1 << 30);
    f.c->mss = 48;
    loses(&f);
    assert_int_equal(f.c->ssthresh, (UINT64_C(1) << 30) * 7 / 10);
    round_trip(&f, false);
    assert_true(f.c->cwnd >= f.c->ssthresh && f.c->cwnd < 1 << 30);
    peer_end(&f.p);
}

/* 4.2: nor so far away that its cube overflows: 2^21 ms, four times whose cube is 0 modulo 2^64.
 * [9438-1] */
static void far_away(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f, 100, 100);
    round_trip(&f, false);
    struct cubic *q = cubic_of(&f);
    assert_int_equal(q->k, 0);
    q->quiet = false;
    f.p.tcp->now = q->epoch + ((UINT64_C(1) << 21) - f.rtt) * BERTH_MS;
    uint32_t before = f.c->cwnd;
    congestion_on_ack(f.p.tcp, f.c, 2 * MSS, false);
    assert_in_range(f.c->cwnd, before + MSS - 1, before + MSS);
    peer_end(&f.p);
}

/* 4.4: a window beyond where the curve will be stays. [9438-1] */
static void beyond_the_curve(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f, 1000, 100);
    loses(&f);
    round_trip(&f, false);
    f.c->cwnd = 900 * MSS;
    for (unsigned i = 0; i < 3; i++)
        round_trip(&f, false);
    assert_int_equal(f.c->cwnd, 900 * MSS);
    peer_end(&f.p);
}

/* 5.8: once an ACK has left nothing in flight the time up to the next one does not count. [9438-2]
 */
static void nothing_in_flight(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f, 40, 100);
    peer_sends(&f.p, "PA len 10"); /* not read: it stays busy */
    f.p.seq += 10;
    opened_drains(&f.p);
    while (tcp_flight(f.c)) {
        opened_acks(&f.p, f.socket);
        opened_drains(&f.p);
    }
    f.c->srtt = 100000 << 3;
    f.c->cwnd = f.c->ssthresh = 1000 * MSS;
    loses(&f);
    for (unsigned i = 0; i < 10; i++)
        round_trip(&f, false);
    assert_true(cubic_of(&f)->quiet);
    f.p.tcp->now += 20 * BERTH_SECOND;
    round_trip(&f, false);
    double k = cbrt(300 / 0.4), curve = 0.4 * pow(1.3 - k, 3) + 1000;
    assert_true(segments(f.c->cwnd) < curve + 2);
    peer_end(&f.p);
}

/* 4.7: fast convergence. [9438-2] */
static void fast_convergence(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f, 100, 100);
    loses(&f);
    assert_int_equal(cubic_of(&f)->w_max, 100 * MSS);
    loses(&f); /* at 70 */
    assert_int_equal(cubic_of(&f)->w_max, 70 * MSS * 17 / 20);
    assert_int_equal(f.c->ssthresh, 49 * MSS);
    f.c->cwnd = 2500; /* 4.6: never below two segments */
    loses(&f);
    assert_int_equal(f.c->ssthresh, 2 * MSS);
    peer_end(&f.p);
}

/* 4.8: a timeout: one segment, ssthresh by beta; then the curve begins at where avoidance does.
 * [9438-2] */
static void timeout(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f, 100, 100);
    congestion_on_timeout(f.c, 100 * MSS, true);
    assert_int_equal(f.c->cwnd, MSS);
    assert_int_equal(f.c->ssthresh, 70 * MSS);
    congestion_on_timeout(f.c, MSS, false);
    assert_int_equal(f.c->ssthresh, 70 * MSS); /* RFC 5681 3.1: once */
    f.c->cwnd = 10 * MSS;
    round_trip(&f, false);
    assert_int_equal(f.c->cwnd, 20 * MSS); /* slow start */
    f.c->cwnd = 70 * MSS;
    round_trip(&f, false);
    assert_int_equal(cubic_of(&f)->k, 0);
    assert_int_equal(cubic_of(&f)->origin, 70 * MSS);
    peer_end(&f.p);
}

/* 5.8: time in which the window was not used, or nothing was in flight, does not count. [9438-2] */
static void rest_does_not_count(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f, 1000, 100);
    f.p.tcp->config.tcp_slow_start_after_idle = 0; /* or an unused window shrinks */
    loses(&f);
    for (unsigned i = 0; i < 10; i++)
        round_trip(&f, false);
    uint32_t window = f.c->cwnd;
    for (unsigned i = 0; i < 100; i++)
        round_trip(&f, true);
    assert_int_equal(f.c->cwnd, window);
    round_trip(&f, false);
    double k = cbrt(300 / 0.4), curve = 0.4 * pow(1.2 - k, 3) + 1000;
    assert_true(segments(f.c->cwnd) < curve + 2);

    window = f.c->cwnd;
    cubic_of(&f)->quiet = true; /* as when that was the ACK of everything */
    f.p.tcp->now += 20 * BERTH_SECOND;
    round_trip(&f, false);
    curve = 0.4 * pow(1.4 - k, 3) + 1000;
    assert_true(f.c->cwnd > window && segments(f.c->cwnd) < curve + 2);
    peer_end(&f.p);
}

/* Where a window's ACKs are heard at once, before anything is sent for them, it is still the window
 * that is reduced, not what happens to be left of it in the network (4.6). A window that was not
 * used up is no measure: then it is what was in flight. [9438-2] */
static void reduces_what_was_used(void **state) {
    (void)state;
    for (unsigned used = 0; used < 2; used++) {
        struct flow f;
        flow_start(&f, used ? 40 : 60, 100);
        opened_writes(&f.p, f.socket, used ? 100 * MSS : MSS, 0);
        opened_drains(&f.p);
        f.c->cwnd = used ? 40 * MSS : 60 * MSS;
        for (unsigned i = 0; i < 30; i++) {
            f.p.ack += MSS;
            peer_sends(&f.p, "A");
        }
        uint32_t window = f.c->cwnd, flight = tcp_flight(f.c);
        assert_true(flight < window - 20 * MSS);
        for (unsigned i = 0; i < 3; i++)
            peer_sends(&f.p, "A");
        assert_true(opened_active(&f.p, f.socket)->flags & TCP_A_RECOVERY);
        assert_int_equal(f.c->ssthresh, (used ? window : flight) * 7 / 10);
        peer_end(&f.p);
    }
}

/* The choice: Linux's names; the default is the host's; a listener's goes to what it accepts; it
 * outlives idleness; a change leaves cwnd. [MAY-18] */
static void choice(void **state) {
    (void)state;
    struct peer p;
    int value;
    assert_string_equal(berth_congestion_name(BERTH_CUBIC), "cubic");
    assert_string_equal(berth_congestion_name(BERTH_NEWRENO), "reno");
    assert_null(berth_congestion_name(2));
    assert_null(berth_congestion_name(-1));
    assert_int_equal(berth_congestion_find("reno"), BERTH_NEWRENO);
    assert_int_equal(berth_congestion_find("vegas"), -ENOENT);
    peer_config(&p);
    berth_host_config_init(&p.config);
    assert_int_equal(p.config.tcp_congestion, BERTH_CUBIC);
    p.config.allocator = counting_allocator(&p.counting);
    p.config.tcp_send_buffer_default = 200 * MSS;
    peer_start(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    tcp_get_option(p.tcp, listener, BERTH_TCP_CONGESTION, &value);
    assert_int_equal(value, BERTH_CUBIC);
    assert_int_equal(tcp_set_option(p.tcp, listener, BERTH_TCP_CONGESTION, 2, p.now), -ENOENT);
    assert_int_equal(tcp_set_option(p.tcp, listener, BERTH_TCP_CONGESTION, BERTH_NEWRENO, p.now),
                     0);
    uint32_t socket = peer_establishes(&p, listener, 100, "mss 1000");
    const struct tcp_connection *c = tcp_at(p.tcp, socket);
    assert_null(c->active); /* idle */
    tcp_get_option(p.tcp, socket, BERTH_TCP_CONGESTION, &value);
    assert_int_equal(value, BERTH_NEWRENO);
    opened_writes(&p, socket, 100 * MSS, 0);
    opened_drains(&p);
    uint32_t window = c->cwnd;
    c->active->congestion.newreno.acked = 5;
    assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_TCP_CONGESTION, BERTH_CUBIC, p.now), 0);
    assert_int_equal(c->cwnd, window);
    assert_int_equal(c->active->congestion.cubic.epoch, 0);
    opened_acks(&p, socket);
    assert_true(c->cwnd > window);
    opened_drains(&p);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_curve),
        cmocka_unit_test(reaches_the_curve),
        cmocka_unit_test(begins_with_the_recoverys_end),
        cmocka_unit_test(reno_friendly),
        cmocka_unit_test(growth_is_bounded),
        cmocka_unit_test(far_away),
        cmocka_unit_test(beyond_the_curve),
        cmocka_unit_test(nothing_in_flight),
        cmocka_unit_test(fast_convergence),
        cmocka_unit_test(timeout),
        cmocka_unit_test(rest_does_not_count),
        cmocka_unit_test(reduces_what_was_used),
        cmocka_unit_test(choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
