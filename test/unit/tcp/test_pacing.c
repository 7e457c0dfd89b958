/* SO_MAX_PACING_RATE: octets leave at a rate. */
#include "test/unit/tcp/opened.h"

enum { MSS = 1000 };

static uint32_t paced(struct peer *p, int rate, uint32_t segment_max) {
    uint32_t socket = opened(p, 4, "mss 1000 wscale 7");
    struct tcp_interface interface = {1500, segment_max, 0};
    tcp_set_interface(p->tcp, 1, &interface);
    tcp_at(p->tcp, socket)->cwnd = 1 << 20;
    assert_int_equal(tcp_set_option(p->tcp, socket, BERTH_SO_MAX_PACING_RATE, rate, p->now), 0);
    return socket;
}

/* What comes in so many ms, each segment acknowledged at once, with timers as they fire. */
static uint32_t pulled(struct peer *p, unsigned ms, uint32_t *largest) {
    uint64_t end = p->now + ms * BERTH_MS;
    uint32_t octets = 0;
    for (;;) {
        while (peer_pull(p)) {
            octets += p->got.length;
            *largest = p->got.length > *largest ? p->got.length : *largest;
            p->ack = p->got.seq + p->got.length;
            peer_sends(p, "A");
        }
        uint64_t next = tcp_deadline(p->tcp);
        if (next >= end)
            break;
        p->now = next > p->now ? next : p->now;
        tcp_advance(p->tcp, p->now);
    }
    p->now = end;
    return octets;
}

/* The rate is kept within a segment or two, be segments large or not, slow or fast, over 2^32. */
static void rates(void **state) {
    (void)state;
    static const int cases[] = {5000, 100000, 1000000, 50000000};
    for (unsigned i = 0; i < 8; i++) {
        struct peer p;
        int rate = cases[i % 4];
        uint32_t largest = 0, socket = paced(&p, rate, i < 4 ? 1500 : 65535);
        p.win = 65535;
        tcp_at(p.tcp, socket)->snd_wnd = 65535 << 7;
        opened_writes(&p, socket, 4000000, 0);
        uint32_t octets = pulled(&p, rate > 1000000 ? 50 : 2000, &largest);
        uint32_t want = (uint32_t)(rate / 1000) * (rate > 1000000 ? 50 : 2000);
        /* and what 2 ms may be caught up on, and one burst */
        assert_true(octets >= want && octets <= want + (uint32_t)rate / 500 + 2 * largest);
        uint32_t burst = (uint32_t)rate / 1000 > 2 * MSS ? (uint32_t)rate / 1000 : 2 * MSS;
        assert_true(largest <= (i < 4 ? MSS : burst));
        peer_end(&p);
    }
}

/* By default, and at -1 (all ones) and 0, nothing is held back. */
static void off(void **state) {
    (void)state;
    for (int i = -2; i <= 0; i++) {
        struct peer p;
        int value;
        uint32_t socket = opened(&p, 4, "mss 1000 wscale 7");
        tcp_get_option(p.tcp, socket, BERTH_SO_MAX_PACING_RATE, &value);
        assert_int_equal(value, -1);
        if (i > -2)
            assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_SO_MAX_PACING_RATE, i, p.now), 0);
        opened_writes(&p, socket, 20 * MSS, 0);
        assert_int_equal(opened_drains(&p), 10);
        peer_end(&p);
    }
}

/* No more than cwnd asks for: 1.2 times a round trip, twice in slow start. */
static void by_window(void **state) {
    (void)state;
    for (unsigned slow = 0; slow < 2; slow++) {
        struct peer p;
        uint32_t socket = paced(&p, 1 << 30, 1500), octets = 0;
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        c->cwnd = 100 * MSS;
        c->ssthresh = slow ? UINT32_MAX : c->cwnd;
        c->srtt = 100000 << 3;
        opened_writes(&p, socket, 400 * MSS, 0);
        for (unsigned ms = 0; ms <= 40; ms++) {
            while (peer_pull(&p))
                octets += p.got.length;
            peer_waits(&p, BERTH_MS);
        }
        unsigned want = slow ? 80 : 48;
        assert_in_range(octets, want * MSS, (want + 5) * MSS);
        peer_end(&p);
    }
}

/* What is retransmitted goes at once, and is counted; a debt outlives idleness, and no longer. */
static void debts(void **state) {
    (void)state;
    struct peer p;
    uint32_t largest = 0, socket = paced(&p, 10000, 1500);
    opened_writes(&p, socket, MSS, 0);
    assert_int_equal(pulled(&p, 0, &largest), MSS);
    assert_non_null(opened_active(&p, socket)); /* all is acknowledged: it owes 98 ms */
    tcp_at(p.tcp, socket)->cwnd = 10 * MSS;
    opened_writes(&p, socket, MSS, 0);
    peer_silent(&p);
    peer_waits(&p, 90 * BERTH_MS);
    peer_silent(&p);
    peer_waits(&p, 10 * BERTH_MS);
    assert_true(peer_pull(&p));
    peer_silent(&p);
    uint64_t at = opened_active(&p, socket)->pacing.at;
    opened_expires(&p, 200 * BERTH_MS);
    peer_gets(&p, "PA seq %u len 1000", p.ack);
    assert_true(opened_active(&p, socket)->pacing.at > at);
    peer_end(&p);

    socket = paced(&p, 10000, 1500);
    tcp_at(p.tcp, socket)->cwnd = 10 * MSS;
    opened_writes(&p, socket, MSS, 0);
    assert_int_equal(pulled(&p, 90, &largest), MSS);
    assert_non_null(opened_active(&p, socket));
    peer_waits(&p, 10 * BERTH_MS);
    assert_null(opened_active(&p, socket));
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),
        cmocka_unit_test(off),
        cmocka_unit_test(by_window),
        cmocka_unit_test(debts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
