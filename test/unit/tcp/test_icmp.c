/* ICMP errors that reach TCP: RFC 9293 3.9.2.2, RFC 5927, RFC 1191. */
#include "test/unit/tcp/opened.h"

/* MUST-56: an error, hard or soft, ends no synchronized connection; what it says is told if the
 * connection times out (SHLD-9). [SHLD-25, SHLD-26, 5927-2] */
static void synchronized(void **state) {
    (void)state;
    for (unsigned hard = 0; hard < 2; hard++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "");
        opened_writes(&p, socket, 10, 0);
        peer_gets(&p, "PA");
        tcp_icmp_error(p.tcp, &p.tuple, p.ack, EHOSTUNREACH, hard, 0, p.now);
        assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
        assert_int_equal(peer_error(&p, socket), 0);
        for (; tcp_deadline(p.tcp) != BERTH_NEVER; opened_drains(&p))
            peer_waits_until(&p, tcp_deadline(p.tcp));
        assert_int_equal(peer_error(&p, socket), EHOSTUNREACH);
        peer_end(&p);
    }
}

/* Only what quotes octets in flight counts. [MUST-54, 5927-1] */
static void quotes(void **state) {
    (void)state;
    static const struct {
        int32_t seq; /* beside SND.UNA */
        bool counts;
    } cases[] = {{0, true}, {99, true}, {100, false}, {-1, false}, {1 << 30, false}};
    for (unsigned i = 0; i < 5; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 6, "mss 1440");
        opened_writes(&p, socket, 100, 0);
        peer_gets(&p, "PA");
        tcp_icmp_error(p.tcp, &p.tuple, p.ack + (uint32_t)cases[i].seq, EMSGSIZE, false, 1300,
                       p.now);
        assert_int_equal(tcp_at(p.tcp, socket)->mss, cases[i].counts ? 1240 : 1440);
        peer_end(&p);
    }
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1460"); /* nothing is in flight */
    tcp_icmp_error(p.tcp, &p.tuple, p.ack, EMSGSIZE, false, 600, p.now);
    assert_int_equal(tcp_at(p.tcp, socket)->mss, 1460);
    p.tuple.remote_port++;
    tcp_icmp_error(p.tcp, &p.tuple, p.ack, EMSGSIZE, false, 600, p.now);
    p.tuple.remote_port--;
    opened_writes(&p, socket, 100, 0); /* nor does one about another connection */
    peer_gets(&p, "PA");
    for (unsigned i = 0; i < 4; i++) {
        struct tuple other = p.tuple;
        other.remote_port ^= i == 0;
        other.local_port ^= i == 1;
        other.remote.bytes[15] ^= i == 2;
        other.local.bytes[15] ^= i == 3;
        tcp_icmp_error(p.tcp, &other, p.ack, EMSGSIZE, false, 600, p.now);
        assert_int_equal(tcp_at(p.tcp, socket)->mss, 1460);
    }
    peer_end(&p);
}

/* 1191-1: never up, never below 552 (1280); what was too large goes again, smaller, at once.
 * [5927-3] */
static void path_mtu(void **state) {
    (void)state;
    static const struct {
        int family;
        uint32_t mtu, length;
    } cases[] = {{4, 1000, 960},  {4, 68, 512},    {4, 1, 512},     {4, 1500, 1460},
                 {4, 9000, 1460}, {6, 1400, 1340}, {6, 1000, 1220}, {6, 1500, 1440}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        uint32_t socket = opened(&p, cases[i].family, "mss 9000");
        uint32_t whole = cases[i].family == 4 ? 1460 : 1440, cwnd;
        opened_writes(&p, socket, 20000, 0);
        while (peer_pull(&p))
            assert_int_equal(p.got.length, whole);
        cwnd = tcp_at(p.tcp, socket)->cwnd;
        tcp_icmp_error(p.tcp, &p.tuple, p.ack, EMSGSIZE, false, cases[i].mtu, p.now);
        if (cases[i].length < whole)
            peer_gets(&p, "A seq %u len %u", p.ack, cases[i].length);
        else
            peer_silent(&p);
        assert_int_equal(tcp_at(p.tcp, socket)->cwnd, cwnd);
        peer_end(&p);
    }
}

/* SHLD-26 and RFC 5927 5: before the connection is open a hard error ends the attempt, a soft one
 * does not, and is told in the end. [MUST-54, SHLD-9] */
static void connecting(void **state) {
    (void)state;
    for (unsigned hard = 0; hard < 2; hard++) {
        struct peer p;
        peer_setup(&p, 4);
        uint32_t socket = peer_connects(&p);
        peer_gets(&p, "S");
        peer_silent(&p);
        tcp_icmp_error(p.tcp, &p.tuple, p.got.seq + 1, ECONNREFUSED, true, 0, p.now);
        assert_int_equal(peer_state(&p, socket), BERTH_SYN_SENT);
        tcp_icmp_error(p.tcp, &p.tuple, p.got.seq, hard ? ECONNREFUSED : EHOSTUNREACH, hard, 0,
                       p.now);
        if (!hard)
            for (unsigned i = 0; i < 7; i++) {
                assert_int_equal(peer_state(&p, socket), BERTH_SYN_SENT);
                peer_waits(&p, BERTH_SECOND << i);
                opened_drains(&p);
            }
        assert_int_equal(peer_state(&p, socket), BERTH_TCP_CLOSED);
        assert_int_equal(peer_error(&p, socket), hard ? ECONNREFUSED : EHOSTUNREACH);
        peer_end(&p);
    }
}

/* A path whose routers do not say what is too large: from the fourth timeout on smaller segments
 * are tried; what is acknowledged so stays small. [8899-1] */
static void black_hole(void **state) {
    (void)state;
    static const struct {
        int family;
        uint32_t lengths[8]; /* of the retransmissions */
        uint32_t arrives;    /* from this size on */
    } cases[] = {{4, {1460, 1460, 1460, 1024, 0}, 1024},
                 {4, {1460, 1460, 1460, 1024, 536, 0}, 536},
                 {4, {1460, 1460, 1460, 1024, 536, 1460, 1460, 1460}, 0},
                 {6, {1440, 1440, 1440, 1220, 0}, 1220},
                 {6, {1440, 1440, 1440, 1220, 1440, 1440, 1440, 1440}, 0}};
    for (unsigned i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct peer p;
        uint32_t socket = opened(&p, cases[i / 2].family, i % 2 ? "mss 9000 sackok" : "mss 9000");
        uint64_t rto = 200 * BERTH_MS;
        uint32_t all = tcp_at(p.tcp, socket)->snd_una + 5000;
        opened_writes(&p, socket, 5000, 0);
        opened_drains(&p);
        for (unsigned j = 0; j < 8 && cases[i / 2].lengths[j]; j++, rto *= 2) {
            /* A tail loss probe may go first, once. */
            do
                peer_waits_until(&p, tcp_deadline(p.tcp));
            while (!peer_pull(&p) || p.got.seq != p.ack);
            assert_int_equal(p.got.length, cases[i / 2].lengths[j]);
            opened_drains(&p);
        }
        if (cases[i / 2].arrives) {
            unsigned count = 0;
            for (p.ack += cases[i / 2].arrives; p.ack != all && count < 100; count++) {
                peer_sends(&p, "A");
                while (peer_pull(&p)) {
                    assert_true(p.got.length <= cases[i / 2].arrives);
                    if (p.got.seq == p.ack)
                        p.ack += p.got.length;
                }
            }
            assert_int_equal(p.ack, all);
        }
        peer_end(&p);
    }
}

/* Switched off, for SYNs, and where the octets in flight are few, the size is not touched. */
static void no_black_hole(void **state) {
    (void)state;
    for (unsigned off = 0; off < 2; off++) {
        struct peer p;
        peer_config(&p);
        p.config.tcp_mtu_probing = !off;
        uint32_t socket = opened_start(&p, 4, "mss 9000");
        opened_writes(&p, socket, off ? 5000 : 1000, 0);
        opened_drains(&p);
        for (unsigned i = 0; i < 7; i++) {
            peer_waits_until(&p, tcp_deadline(p.tcp));
            while (peer_pull(&p))
                assert_int_equal(p.got.length, off ? 1460 : 1000);
            assert_int_equal(tcp_at(p.tcp, socket)->mss, 1460);
        }
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synchronized), cmocka_unit_test(quotes),
        cmocka_unit_test(path_mtu),     cmocka_unit_test(connecting),
        cmocka_unit_test(black_hole),   cmocka_unit_test(no_black_hole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
