/* Options in segments other than SYNs, and what they do not do there. */
#include "test/unit/tcp/opened.h"

/* MUST-5: a data segment's options are read, wherever in it they begin and whatever else is there
 * (MUST-6, MUST-64): the timestamp is taken, the octets too. MUST-65: an MSS there counts for
 * nothing. MUST-7: an impossible length does no harm, to the octets either. */
static void on_data(void **state) {
    (void)state;
    static const struct {
        const char *raw;
        bool stamped; /* the timestamp of 50 is found */
    } cases[] = {
        {"0101080a0000003200000000", true},
        {"080a00000032000000000101", true},
        {"01080a0000003200000000010000", true},
        {"010101080a000000320000000000", true},
        {"fd04abcd080a00000032000000000000", true},
        {"c80a0102030405060708080a0000003200000000", true},
        {"02040200080a00000032000000000000", true},
        {"080a0000003200000000fe00", true},
        {"080a000000320000000005", true},
        {"fe00080a0000003200000000", false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        uint32_t socket = opened(&p, i % 2 ? 6 : 4, "mss 1000 ts 1 0");
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        uint16_t mss = c->mss;
        peer_sends(&p, "PA len 10 raw %s", cases[i].raw);
        assert_int_equal(opened_reads(&p, socket, p.seq, 100), cases[i].stamped ? 10 : 0);
        assert_int_equal(c->ts_recent, cases[i].stamped ? 50 : 1);
        assert_int_equal(c->mss, mss);
        peer_end(&p);
    }
    static const char *const harmless[] = {"fd04abcd", "fe00", "0101", "02040001",
                                           "fd",       "0303", "00ff"};
    for (unsigned i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        struct peer p;
        uint32_t socket = opened(&p, 4, "mss 1000");
        peer_sends(&p, "PA len 10 raw %s", harmless[i]);
        assert_int_equal(opened_reads(&p, socket, p.seq, 100), 10);
        assert_int_equal(tcp_at(p.tcp, socket)->mss, 1000);
        assert_int_equal(tcp_at(p.tcp, socket)->scales, 0);
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
