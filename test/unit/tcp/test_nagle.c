/* What is sent when: Nagle, CORK, MSG_MORE, PSH, segment sizes. RFC 9293 3.7, 3.9.1.2. */
#include "test/unit/tcp/opened.h"

/* SHLD-7 as Minshall changed it: one small segment at a time; MUST-17: NODELAY sends at once, and
 * what was held when it is set. [SHLD-27] */
static void nagle(void **state) {
    (void)state;
    for (unsigned family = 4; family <= 6; family += 2) {
        struct peer p;
        uint32_t socket = opened(&p, (int)family, "mss 1000");
        opened_writes(&p, socket, 10, 0);
        peer_gets(&p, "PA len 10");
        opened_writes(&p, socket, 20, 0);
        opened_writes(&p, socket, 30, 0);
        peer_silent(&p);
        p.ack += 10;
        peer_sends(&p, "A");
        peer_gets(&p, "PA len 50"); /* SHLD-27 */
        opened_writes(&p, socket, 60, 0);
        peer_silent(&p);
        opened_writes(&p, socket, 1000, 0); /* a full one goes */
        peer_gets(&p, "A len 1000");
        peer_silent(&p);
        tcp_set_option(p.tcp, socket, BERTH_TCP_NODELAY, 1, p.now);
        peer_gets(&p, "PA len 60");
        opened_writes(&p, socket, 1, 0);
        peer_gets(&p, "PA len 1");
        opened_writes(&p, socket, 1, 0);
        peer_gets(&p, "PA len 1");
        peer_end(&p);
    }
}

/* Full segments in flight do not hold a small one (Minshall), also across 2^32. */
static void full_segments_hold_nothing(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    for (unsigned i = 0; i < 8; i++) {
        opened_writes(&p, socket, 1000, 0);
        peer_gets(&p, "PA len 1000");
    }
    opened_writes(&p, socket, 7, 0);
    peer_gets(&p, "PA len 7");
    peer_end(&p);
}

/* A FIN that follows lets the last segment go. [2525-15] */
static void fin_ends_waiting(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 10, 0);
    peer_gets(&p, "PA len 10");
    opened_writes(&p, socket, 10, 0);
    peer_silent(&p);
    tcp_shutdown(p.tcp, socket, BERTH_SHUT_WR, p.now);
    peer_gets(&p, "FPA len 10");
    peer_end(&p);
}

/* CORK and MSG_MORE: only full segments, until taken off, until the rest comes, or for 200 ms. */
static void corked(void **state) {
    (void)state;
    for (unsigned more = 0; more < 2; more++)
        for (unsigned end = 0; end < 3; end++) {
            struct peer p;
            uint32_t socket = opened(&p, 4, "mss 1000");
            unsigned flags = more ? BERTH_MSG_MORE : 0;
            if (!more)
                tcp_set_option(p.tcp, socket, BERTH_TCP_CORK, 1, p.now);
            tcp_set_option(p.tcp, socket, BERTH_TCP_NODELAY, 1, p.now);
            opened_writes(&p, socket, 400, flags);
            peer_silent(&p);
            opened_writes(&p, socket, 800, flags);
            peer_gets(&p, "A len 1000");
            peer_silent(&p);
            opened_acks(&p, socket);
            peer_silent(&p);
            if (end == 0) {
                opened_expires(&p, 200 * BERTH_MS);
                peer_gets(&p, "PA len 200");
            } else if (more) {
                opened_writes(&p, socket, 50, 0);
                peer_gets(&p, "PA len 250");
            } else if (end == 1) {
                tcp_set_option(p.tcp, socket, BERTH_TCP_CORK, 0, p.now);
                peer_gets(&p, "PA len 200");
            } else {
                tcp_close(p.tcp, socket, p.now);
                peer_gets(&p, "FPA len 200");
            }
            peer_end(&p);
        }
}

/* MUST-61, SHLD-28: full segments, and PSH on the last. [MUST-60, MAY-16] */
static void push(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 3500, 0);
    for (unsigned i = 0; i < 3; i++)
        peer_gets(&p, "A len 1000");
    peer_gets(&p, "PA len 500");
    peer_silent(&p);
    opened_acks(&p, socket);
    /* More was announced with the last write: PSH where the one before it ended. */
    opened_writes(&p, socket, 1500, 0);
    opened_writes(&p, socket, 2500, BERTH_MSG_MORE);
    peer_gets(&p, "A len 1000");
    peer_gets(&p, "PA len 1000");
    peer_gets(&p, "A len 1000");
    peer_end(&p);
}

/* MUST-14, MUST-15, MUST-16, 2525-18: the largest segment for what the peer said, or did not say.
 * [MUST-65] */
static void sizes(void **state) {
    (void)state;
    static const struct {
        int family;
        const char *options;
        unsigned mtu, length;
    } cases[] = {
        {4, "", 1500, 536},
        {6, "", 1500, 1220},
        {4, "mss 1460", 1500, 1460},
        {6, "mss 1440", 1500, 1440},
        {4, "mss 9000", 1500, 1460},
        {4, "mss 9000 ts 1 0", 1500, 1448},
        {4, "mss 536 ts 1 0", 1500, 524},
        {4, "mss 1", 1500, 48},
        {4, "mss 65535", 9000, 8960},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        struct tcp_interface interface = {cases[i].mtu, cases[i].mtu, 0};
        peer_setup(&p, cases[i].family);
        tcp_set_interface(p.tcp, 1, &interface);
        uint32_t socket = peer_establishes(&p, peer_listener(&p, 5), 100, cases[i].options);
        opened_writes(&p, socket, 100000, 0);
        assert_true(peer_pull(&p));
        assert_int_equal(p.got.length, cases[i].length);
        assert_true(p.got.options.has_mss == false); /* MUST-65 */
        peer_end(&p);
    }
}

/* Large segments for an interface that cuts them: a multiple of the size, and the small rest under
 * Nagle's rule. */
static void large(void **state) {
    (void)state;
    struct peer p;
    struct tcp_interface interface = {1500, 65535, 0};
    struct tcp_emit emit;
    peer_setup(&p, 4);
    tcp_set_interface(p.tcp, 1, &interface);
    uint32_t socket = peer_establishes(&p, peer_listener(&p, 5), 100, "mss 1460 ts 1 0 wscale 7");
    peer_sends(&p, "A ts 1 0");
    tcp_at(p.tcp, socket)->cwnd = 1 << 20;
    opened_writes(&p, socket, 200000, 0);
    uint32_t sent = 0;
    while (tcp_output(p.tcp, &emit, p.now)) {
        assert_int_equal(emit.segment_size, 1448);
        assert_true(emit.length + emit.header_length + 20 <= 65535);
        sent += emit.length;
        if (sent < 200000)
            assert_int_equal(emit.length % 1448, 0);
    }
    assert_int_equal(sent, 200000);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nagle),
        cmocka_unit_test(full_segments_hold_nothing),
        cmocka_unit_test(fin_ends_waiting),
        cmocka_unit_test(corked),
        cmocka_unit_test(push),
        cmocka_unit_test(sizes),
        cmocka_unit_test(large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
