/* Buffers that tune themselves, segment by segment; the sizes are Linux's. */
#include "test/unit/tcp/opened.h"

static int option(struct peer *p, uint32_t socket, enum berth_option which) {
    int value = 0;
    assert_int_equal(tcp_get_option(p->tcp, socket, which, &value), 0);
    return value;
}

static uint32_t window(const struct peer *p, uint32_t socket) {
    const struct tcp_connection *c = tcp_at(p->tcp, socket);
    return c->rcv_edge - c->rcv_nxt;
}

/* `segments` of 1460 octets, each acknowledged and read when it comes. Timestamps: as of now, an
 * echo of `rtt` ms ago. */
static void arrive(struct peer *p, uint32_t socket, unsigned segments, unsigned rtt) {
    const struct tcp_connection *c = tcp_at(p->tcp, socket);
    for (unsigned i = 0; i < segments; i++) {
        if (c->flags & TCP_F_TIMESTAMPS)
            peer_sends(p, "A seq %u len 1448 ts 1 %u", c->rcv_nxt, tcp_ts_now(p->tcp, c) - rtt);
        else
            peer_sends(p, "A seq %u len 1460", c->rcv_nxt);
        opened_reads(p, socket, c->active->read_seq, 100000);
        opened_drains(p);
    }
}

/* A window of 64 KiB in whole segments, its scale made for the largest. */
static void first_window(void **state) {
    (void)state;
    static const struct {
        uint32_t usual, most, window;
        uint8_t scale;
    } cases[] = {
        {131072, 6u << 20, 44 * 1460, 7},  {131072, 64u << 20, 44 * 1460, 11},
        {40000, 6u << 20, 13 * 1460, 7},   {1 << 20, 1 << 20, 65535, 5},
        {131072, 20000, 6 * 1460, 0},      {2000, 4000, 1000, 0},
        {131072, 1u << 30, 44 * 1460, 14},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        peer_config(&p);
        p.config.tcp_receive_buffer_default = cases[i].usual;
        p.config.tcp_receive_buffer = cases[i].most;
        peer_start(&p, 4);
        (void)peer_listener(&p, 5);
        peer_sends(&p, "S seq 5 mss 1460 wscale 3");
        peer_gets(&p, "SA ack 6 win %u wscale %u", cases[i].window, cases[i].scale);
        peer_end(&p);
    }
}

/* Twice what was read in a round trip and 16 segments, and more by how much it has grown; at most
 * tcp_rmem's largest. */
static void follows_the_reader(void **state) {
    (void)state;
    for (unsigned stamps = 0; stamps < 2; stamps++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, stamps ? "mss 1460 wscale 7 ts 1 0" : "mss 1460 wscale 7");
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        uint32_t octets = stamps ? 1448 : 1460, before = 10 * 1460, buffer = 131072;
        arrive(&p, socket, 1, 50); /* the first measure begins */
        for (unsigned round = 0; round < 14; round++) {
            unsigned segments = 5u << round;
            if (segments * octets > window(&p, socket))
                segments = window(&p, socket) / octets;
            if (c->active->tuning.rtt == 0) /* without timestamps: when a window has come */
                segments = 45;
            struct tuning old = c->active->tuning;
            peer_waits(&p, 50 * BERTH_MS);
            arrive(&p, socket, 1, 50);
            uint32_t copied = c->active->tuning.space;
            if (old.rtt && copied > before) {
                uint64_t want = 2 * (uint64_t)copied + 16 * 1460;
                want += 2 * (want * (copied - before) / before);
                buffer = 2 * want > buffer ? (uint32_t)(2 * want < 6u << 20 ? 2 * want : 6u << 20)
                                           : buffer;
                before = copied;
            }
            assert_int_equal(c->active->tuning.buffer, buffer);
            assert_int_equal(option(&p, socket, BERTH_SO_RCVBUF), buffer);
            arrive(&p, socket, segments, 50);
        }
        assert_int_equal(buffer, 6u << 20);
        assert_true(window(&p, socket) > 2500000);
        assert_in_range(c->active->tuning.rtt >> 3, 49000, 51000);
        /* Idle: the record alone is left; what was promised stays, and says what was learned. */
        uint32_t edge = c->rcv_edge;
        assert_non_null(c->active);
        peer_waits(&p, 10 * BERTH_SECOND);
        assert_null(c->active);
        assert_int_equal(option(&p, socket, BERTH_SO_RCVBUF), 2 * window(&p, socket));
        arrive(&p, socket, 2, 50);
        assert_true(seq_ge(c->rcv_edge, edge));
        assert_true(window(&p, socket) > 2400000);
        peer_end(&p);
    }
}

/* SO_RCVBUF, doubled, and tcp_moderate_rcvbuf = 0 hold it where it is; a reader that rests does. */
static void held_where_it_is(void **state) {
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        struct peer p;
        peer_config(&p);
        p.config.tcp_moderate_rcvbuf = how != 1;
        uint32_t socket = opened_start(&p, 4, "mss 1460 wscale 7 ts 1 0");
        const struct tcp_connection *c = tcp_at(p.tcp, socket);
        if (how == 0)
            tcp_set_option(p.tcp, socket, BERTH_SO_RCVBUF, 50000, p.now);
        uint32_t most = 0;
        for (unsigned round = 0; round < 20; round++) {
            if (how == 2) { /* too little is read */
                peer_sends(&p, "A seq %u len 1448 ts 1 %u", c->rcv_nxt, tcp_ts_now(p.tcp, c) - 50);
                opened_drains(&p);
            } else {
                arrive(&p, socket, 30, 50);
            }
            peer_waits(&p, 50 * BERTH_MS);
            most = window(&p, socket) > most ? window(&p, socket) : most;
        }
        assert_in_range(most, how == 0 ? 48000 : 63000, 65536);
        assert_int_equal(option(&p, socket, BERTH_SO_RCVBUF), how == 0 ? 100000 : 131072);
        if (how == 0)
            assert_in_range(window(&p, socket), 48000, 50000);
        peer_end(&p);
    }
}

/* Where a segment is as large as the window, as over the loopback, the buffer grows by a read while
 * the window is closed, and what may be promised (the clamp) grows only with the next segment: the
 * window has to open all the same. */
static void opens_with_large_segments(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1460 wscale 7 ts 1 0");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    c->mss = 65483;
    while (window(&p, socket) > 0) {
        uint32_t left = window(&p, socket), octets = left < 1448 ? left : 1448;
        peer_sends(&p, "A seq %u len %u ts 1 %u", c->rcv_nxt, octets, tcp_ts_now(p.tcp, c) - 1);
        opened_drains(&p);
    }
    c->active->tuning.buffer = 6u << 20;
    opened_reads(&p, socket, c->active->read_seq, 100000);
    assert_true(c->flags & TCP_F_ACK_NOW); /* it is told at once */
    opened_drains(&p);
    assert_true(window(&p, socket) > 32000);
    peer_end(&p);
}

/* What setsockopt makes of a number. */
static void asked_sizes(void **state) {
    (void)state;
    static const struct {
        int asked, send, receive;
    } cases[] = {
        {10000, 20000, 20000},    {1, 4608, 2304},           {0, 4608, 2304},
        {212992, 425984, 425984}, {1 << 30, 425984, 425984}, {-1, 425984, 425984},
    };
    struct peer p;
    peer_setup(&p, 4);
    p.tcp->config.tcp_send_buffer_default = 16384;
    uint32_t socket, generation;
    assert_int_equal(tcp_open(p.tcp, 4, &socket, &generation), 0);
    assert_int_equal(option(&p, socket, BERTH_SO_SNDBUF), 16384);
    assert_int_equal(option(&p, socket, BERTH_SO_RCVBUF), 131072);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        tcp_set_option(p.tcp, socket, BERTH_SO_SNDBUF, cases[i].asked, p.now);
        tcp_set_option(p.tcp, socket, BERTH_SO_RCVBUF, cases[i].asked, p.now);
        assert_int_equal(option(&p, socket, BERTH_SO_SNDBUF), cases[i].send);
        assert_int_equal(option(&p, socket, BERTH_SO_RCVBUF), cases[i].receive);
    }
    peer_end(&p);
}

/* The send buffer is 87040 octets when a connection with segments of 1460 begins, and grows with
 * cwnd up to tcp_wmem's largest; SO_SNDBUF holds it. */
static void follows_cwnd(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.tcp_send_buffer_default = 16384;
    p.config.tcp_send_buffer = 1 << 20;
    uint32_t socket = opened_start(&p, 4, "mss 1460 wscale 7");
    struct tcp_connection *c = tcp_at(p.tcp, socket);
    uint8_t *octets = calloc(1, 4u << 20);
    assert_int_equal(tcp_send_space(p.tcp, socket), 87040);
    assert_int_equal(tcp_send(p.tcp, socket, octets, 4u << 20, 0, p.now), 87040);
    assert_int_equal(tcp_send(p.tcp, socket, octets, 1, 0, p.now), -EAGAIN);
    p.win = 60000;
    for (unsigned round = 0; round < 8; round++) {
        peer_waits(&p, 20 * BERTH_MS);
        opened_drains(&p);
        opened_acks(&p, socket);
        uint32_t segments = c->cwnd / c->mss, want = 2 * segments * 4352;
        want = want < 1 << 20 ? want : 1 << 20;
        assert_int_equal(option(&p, socket, BERTH_SO_SNDBUF), want);
        if (want < 1 << 20) /* (then as much is written as acknowledged, not a third of it) */
            assert_true(peer_events(&p, socket) & BERTH_WRITABLE);
        assert_true(tcp_send(p.tcp, socket, octets, 4u << 20, 0, p.now) > 0);
        assert_int_equal(c->active->send.length, want);
    }
    assert_int_equal(option(&p, socket, BERTH_SO_SNDBUF), 1 << 20);
    tcp_set_option(p.tcp, socket, BERTH_SO_SNDBUF, 30000, p.now);
    assert_int_equal(option(&p, socket, BERTH_SO_SNDBUF), 60000);
    assert_int_equal(tcp_send(p.tcp, socket, octets, 1, 0, p.now), -EAGAIN);
    free(octets);
    peer_end(&p);
}

/* Memory is short: windows and send buffers go down to tcp_rmem's and tcp_wmem's least, and when
 * there is none left to nothing. */
static void under_pressure(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.memory_limit = 400000;
    uint32_t socket = opened_start(&p, 4, "mss 1460 wscale 7");
    const struct tcp_connection *c = tcp_at(p.tcp, socket);
    assert_int_equal(tuning_receive_limit(p.tcp, c), 65536);
    p.tcp->memory += 310000;
    assert_int_equal(tuning_receive_limit(p.tcp, c), 8192);
    tcp_set_option(p.tcp, socket, BERTH_SO_RCVBUF, 5000, p.now);
    assert_int_equal(tuning_receive_limit(p.tcp, c), 2048);
    tcp_set_option(p.tcp, socket, BERTH_SO_SNDBUF, 10000, p.now);
    assert_int_equal(tuning_send_limit(p.tcp, c), 4096);
    p.tcp->memory += 90000;
    assert_int_equal(tuning_receive_limit(p.tcp, c), 0);
    assert_int_equal(tuning_send_limit(p.tcp, c), 0);
    p.tcp->memory -= 400000;
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_window),
        cmocka_unit_test(follows_the_reader),
        cmocka_unit_test(held_where_it_is),
        cmocka_unit_test(asked_sizes),
        cmocka_unit_test(follows_cwnd),
        cmocka_unit_test(under_pressure),
        cmocka_unit_test(opens_with_large_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
