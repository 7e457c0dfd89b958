/* HyStart++ (RFC 9406): the first slow start, played round by round. */
#include "test/unit/tcp/opened.h"

enum { MSS = 1000 };

struct flow {
    struct peer p;
    uint32_t socket;
    const struct tcp_connection *c;
};

/* A connection with timestamps or, without them, SACK; in slow start, with more to send than fits.
 */
static void flow_start_with(struct flow *f, bool timestamps) {
    peer_config(&f->p);
    f->p.config.tcp_congestion = BERTH_CUBIC;
    f->p.config.tcp_send_buffer = f->p.config.tcp_send_buffer_default = 8u << 20;
    f->p.config.tcp_sack = !timestamps;
    f->socket = opened_start(
        &f->p, 4, timestamps ? "mss 1012 wscale 10 ts 1 0" : "mss 1000 wscale 10 sackok");
    f->c = tcp_at(f->p.tcp, f->socket);
    tcp_at(f->p.tcp, f->socket)->cwnd = 10 * MSS; /* of payload: without the options' octets */
    opened_writes(&f->p, f->socket, 8u << 20, 0);
    opened_drains(&f->p);
}

static void flow_start(struct flow *f) {
    flow_start_with(f, true);
}

/* A round: after `rtt` ms, an ACK of each segment in flight. */
static void round_trip(struct flow *f, unsigned rtt) {
    struct peer *p = &f->p;
    uint32_t end = tcp_snd_max(f->c), stamp = tcp_ts_now(p->tcp, f->c);
    peer_waits(p, rtt * BERTH_MS);
    while (seq_lt(p->ack, end)) {
        p->ack += MSS;
        if (f->c->flags & TCP_F_TIMESTAMPS)
            peer_sends(p, "A ts 1 %u", stamp);
        else
            peer_sends(p, "A");
        opened_drains(p);
    }
}

/* Steady round trips: cwnd doubles, across 2^32. */
static void doubles(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f);
    for (unsigned i = 0, window = 10; i < 6; i++, window *= 2) {
        assert_int_equal(f.c->cwnd, window * MSS);
        round_trip(&f, 40);
    }
    assert_int_equal(f.c->ssthresh, UINT32_MAX);
    peer_end(&f.p);
}

/* RFC 9406 4.2: round trips that grow by the threshold (max(4 ms, an eighth)) begin conservative
 * slow start, a quarter of the pace; after five rounds of it slow start is over, without a loss.
 * [9406-1] */
static void ends_before_loss(void **state) {
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct flow f;
        flow_start_with(&f, timestamps);
        round_trip(&f, 40);
        round_trip(&f, 40);
        assert_int_equal(f.c->cwnd, 40 * MSS);
        round_trip(&f, 45); /* an eighth of 40 more; but its first sample was of the round before */
        assert_int_equal(f.c->cwnd, 80 * MSS);
        round_trip(&f, 45);
        uint32_t window = f.c->cwnd;
        assert_true(window > 80 * MSS && window < 120 * MSS); /* from its eighth sample on */
        assert_true(opened_active(&f.p, f.socket)->congestion.hystart.baseline);
        for (unsigned i = 0; i < 3; i++) { /* the part of a round in which it began counts */
            round_trip(&f, 46);
            assert_true(f.c->cwnd > window + window / 5 && f.c->cwnd <= window + window / 4);
            assert_int_equal(f.c->ssthresh, UINT32_MAX);
            window = f.c->cwnd;
        }
        round_trip(&f, 46);
        assert_true(f.c->ssthresh != UINT32_MAX && f.c->cwnd >= f.c->ssthresh);
        assert_int_equal(f.p.counters.tcp_retrans_segs, 0);
        peer_end(&f.p);
    }
}

/* 4.2: round trips that go on growing do not begin it anew: it is over after its five rounds.
 * [9406-1] */
static void growing_on(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f);
    round_trip(&f, 40);
    round_trip(&f, 40);
    for (unsigned i = 0, rtt = 60; i < 6; i++, rtt += rtt / 3)
        round_trip(&f, rtt);
    assert_true(f.c->ssthresh != UINT32_MAX);
    peer_end(&f.p);
}

/* 4.2: rounds of it that ended with a false alarm do not count for the next time. [9406-1] */
static void counts_anew(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f);
    const struct hystart *h = &opened_active(&f.p, f.socket)->congestion.hystart;
    round_trip(&f, 40);
    round_trip(&f, 60);
    assert_true(h->baseline);
    for (unsigned i = 0; i < 2; i++)
        round_trip(&f, 60);
    assert_true(h->rounds >= 2);
    round_trip(&f, 45);
    assert_int_equal(h->baseline, 0);
    for (unsigned i = 0; i < 4 && !h->baseline; i++)
        round_trip(&f, 45 + 20 * (i + 1));
    assert_true(h->baseline);
    assert_in_range(h->rounds, 0, 1);
    assert_int_equal(f.c->ssthresh, UINT32_MAX);
    peer_end(&f.p);
}

/* 4.2: a round trip shorter than the one that began it was a false alarm. [9406-1] */
static void false_alarm(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f);
    round_trip(&f, 40);
    round_trip(&f, 60);
    assert_true(opened_active(&f.p, f.socket)->congestion.hystart.baseline);
    uint32_t window = f.c->cwnd;
    round_trip(&f, 50);
    assert_int_equal(opened_active(&f.p, f.socket)->congestion.hystart.baseline, 0);
    assert_true(f.c->cwnd > window + window / 2);
    peer_end(&f.p);
}

/* 4.3: less than the threshold, or fewer than eight samples, say nothing. [9406-1] */
static void small_changes(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f);
    round_trip(&f, 10);
    round_trip(&f, 13);
    round_trip(&f, 16);
    assert_int_equal(opened_active(&f.p, f.socket)->congestion.hystart.baseline, 0);
    assert_int_equal(f.c->cwnd, 80 * MSS);
    struct hystart h = {.running = true, .last_min = 10000};
    for (unsigned i = 0; i < 7; i++)
        hystart_sample(&h, 90000);
    assert_int_equal(h.samples, 7);
    peer_end(&f.p);
}

/* 4.3: once ssthresh is known slow start needs no guess. [9406-1] */
static void only_the_first(void **state) {
    (void)state;
    struct flow f;
    flow_start(&f);
    tcp_at(f.p.tcp, f.socket)->ssthresh = 1 << 20;
    round_trip(&f, 40);
    round_trip(&f, 90);
    round_trip(&f, 200);
    assert_int_equal(f.c->cwnd, 80 * MSS);
    assert_false(opened_active(&f.p, f.socket)->congestion.hystart.running);
    peer_end(&f.p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles),        cmocka_unit_test(ends_before_loss),
        cmocka_unit_test(false_alarm),    cmocka_unit_test(small_changes),
        cmocka_unit_test(growing_on),     cmocka_unit_test(counts_anew),
        cmocka_unit_test(only_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
