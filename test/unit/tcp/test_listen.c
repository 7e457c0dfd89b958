/* The passive side: LISTEN and SYN-RECEIVED, packet by packet, in virtual time. */
#include "test/unit/tcp/peer.h"

/* ISNs of the peer around the places where arithmetic goes wrong. */
static const uint32_t isns[] = {0,          1,          1000,       0x7ffffffe,
                                0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
enum { ISNS = sizeof isns / sizeof *isns };

static uint32_t half_open(const struct peer *p, uint32_t listener) {
    return tcp_at(p->tcp, listener)->extra->listener->half_open;
}

/* RFC 9293 3.5 figure 6, MUST-14 [SHLD-5, MAY-3, MUST-67, 7323-W1] */
static void handshake(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2)
        for (unsigned i = 0; i < ISNS; i++) {
            struct peer p;
            peer_setup(&p, family);
            uint32_t listener = peer_listener(&p, 5);
            peer_sends(&p, "S seq %u mss 1400 sackok ts 77 0 wscale 7", isns[i]);
            peer_gets(&p, "SA ack %u mss %d wscale 7", isns[i] + 1, family == 4 ? 1460 : 1440);
            assert_true(p.got.options.has_timestamps);
            assert_int_equal(p.got.options.ts_echo, 77);
            assert_true(p.got.options.sack_permitted); /* RFC 2018 section 2 */
            /* RFC 7323 2.2: not scaled; as Linux 64 KiB in whole segments */
            assert_int_equal(p.got.window, family == 4 ? 45 * 1448 : 45 * 1428);
            assert_int_equal(p.got.interface, 1);
            peer_silent(&p);
            assert_int_equal(half_open(&p, listener), 1);
            uint32_t none;
            assert_int_equal(tcp_accept(p.tcp, listener, &none), -EAGAIN);
            peer_sends(&p, "A seq %u ack %u win 100 ts 78 %u", isns[i] + 1, p.got.seq + 1,
                       p.got.options.ts_value);
            peer_silent(&p);
            assert_int_equal(peer_events(&p, listener), BERTH_ACCEPTABLE);
            uint32_t socket = peer_accepts(&p, listener);
            const struct tcp_connection *c = tcp_at(p.tcp, socket);
            assert_int_equal(c->state, BERTH_ESTABLISHED);
            assert_int_equal(c->mss, family == 4 ? 1400 : 1400);
            assert_int_equal(c->snd_wnd, 100 << 7);
            assert_int_equal(c->rcv_nxt, isns[i] + 1);
            assert_int_equal(c->ts_recent, 78);
            assert_int_equal(half_open(&p, listener), 0);
            assert_int_equal(p.counters.tcp_passive_opens, 1);
            assert_true(tcp_deadline(p.tcp) == BERTH_NEVER); /* nothing is left to wait for */
            peer_end(&p);
        }
}

/* RFC 7323 2.2, 3.2: options are used only if the SYN had them; MUST-15 [7323-W1, MAY-3] */
static void bare_syn(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct peer p;
        peer_setup(&p, family);
        uint32_t socket = peer_establishes(&p, peer_listener(&p, 5), 1000, "");
        const struct tcp_connection *c = tcp_at(p.tcp, socket);
        assert_false(p.got.options.has_wscale);
        assert_false(p.got.options.has_timestamps);
        assert_true(p.got.options.has_mss);
        assert_int_equal(c->mss, family == 4 ? 536 : 1220);
        assert_int_equal(c->scales, 0);
        assert_int_equal(c->snd_wnd, 65535);
        peer_end(&p);
    }
}

/* RFC 9293 3.1 MUST-4, MUST-6, MUST-7, MUST-64, RFC 7323 2.3: whatever stands in the options, the
 * handshake goes on; what stands before the first impossible length counts. [7323-W2] */
static void odd_options(void **state) {
    (void)state;
    static const struct {
        const char *raw;
        unsigned mss, scale; /* of the connection: 536, 15 if not given */
    } cases[] = {
        {"0204057800000000", 1400, 15}, /* MSS, end */
        {"0101010204057800", 1400, 15}, /* at an odd place */
        {"fd04abcd02040578", 1400, 15}, /* an unknown one before it */
        {"0303ff0102040578", 1400, 14}, /* shift 255 counts as 14 */
        {"03030f0102040578", 1400, 14}, /* 15 too */
        {"02040578fe00", 1400, 15},     /* length 0 */
        {"fe0002040578", 536, 15},      /* before the MSS */
        {"fe0102040578", 536, 15},      /* length 1 */
        {"0204057803ff0702", 1400, 15}, /* past the end */
        {"0204057802", 1400, 15},       /* no length octet */
        {"02030502040578", 1400, 15},   /* an MSS of the wrong length */
        {"0002040578", 536, 15},        /* after the end */
        {"02040000", 536, 15},          /* an MSS of 0 says nothing */
        {"02040001", 48, 15},           /* an absurd one is taken as 48 */
        {"0204ffff", 1460, 15},         /* ours bounds it */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p;
        char options[64];
        peer_setup(&p, 4);
        snprintf(options, sizeof options, "raw %s", cases[i].raw);
        uint32_t socket = peer_establishes(&p, peer_listener(&p, 5), 1000, options);
        const struct tcp_connection *c = tcp_at(p.tcp, socket);
        assert_int_equal(c->mss, cases[i].mss);
        assert_int_equal(c->scales & 15, cases[i].scale == 15 ? 0 : cases[i].scale);
        assert_int_equal(c->state, BERTH_ESTABLISHED);
        peer_end(&p);
    }
}

/* RFC 9293 3.10.7.1 and 3.10.7.2 (9293-E1, 9293-E2), every combination of the six flags: to a
 * closed port, and to a listener. */
static void flag_sweep(void **state) {
    (void)state;
    for (unsigned listening = 0; listening < 2; listening++)
        for (uint16_t flags = 0; flags < 64; flags++) {
            struct peer p;
            char text[12];
            peer_setup(&p, 4);
            if (listening)
                peer_listener(&p, 5);
            peer_flags_text(flags, text);
            peer_sends(&p, "%s seq 4294967290 ack 700 len 10", flags ? text : "-");
            uint32_t end = 4294967290u + 10 + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
            if (flags & TCP_RST)
                peer_silent(&p);
            else if (flags & TCP_ACK)
                peer_gets(&p, "R seq 700 ack 0 win 0 nots");
            else if (!listening)
                peer_gets(&p, "RA seq 0 ack %u win 0", end);
            else if ((flags & (TCP_SYN | TCP_FIN)) == TCP_SYN)
                peer_gets(&p, "SA ack 4294967291"); /* the octets are not acknowledged */
            peer_silent(&p);
            peer_end(&p);
        }
}

/* RFC 6298 5.5 and Linux's tcp_synack_retries: 1, 3, 7, 15, 31 s; given up at 63 s. [6298-1,
 * 6298-4, MUST-19, 2525-7] */
static void retransmissions(void **state) {
    (void)state;
    static const unsigned seconds[] = {1, 3, 7, 15, 31};
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    uint64_t start = p.now;
    peer_sends(&p, "S seq 100 mss 1000 ts 5 0");
    peer_gets(&p, "SA ack 101");
    struct peer_segment first = p.got;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(tcp_deadline(p.tcp) == start + seconds[i] * BERTH_SECOND);
        peer_silent_until(&p, start + seconds[i] * BERTH_SECOND);
        peer_gets(&p, "SA seq %u ack 101 mss %u ts %u 5", first.seq, first.options.mss,
                  first.options.ts_value + seconds[i] * 1000);
        peer_silent(&p);
    }
    assert_int_equal(p.counters.tcp_retrans_segs, 5);
    peer_silent_until(&p, start + 63 * BERTH_SECOND);
    peer_silent(&p);
    assert_int_equal(half_open(&p, listener), 0);
    assert_int_equal(ports_connections(tcp_ports(p.tcp)), 0);
    assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
    peer_sends(&p, "A seq 101 ack %u", first.seq + 1); /* too late */
    peer_gets(&p, "R seq %u", first.seq + 1);
    peer_end(&p);
}

/* Times between milliseconds: never early, and the deadline is kept. */
static void odd_times(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    peer_listener(&p, 5);
    p.now += 123456;
    uint64_t start = p.now;
    peer_sends(&p, "S seq 100");
    peer_gets(&p, "SA");
    assert_true(tcp_deadline(p.tcp) >= start + BERTH_SECOND);
    assert_true(tcp_deadline(p.tcp) < start + BERTH_SECOND + BERTH_MS);
    peer_waits_until(&p, tcp_deadline(p.tcp));
    peer_gets(&p, "SA");
    peer_end(&p);
}

/* A SYN that comes again gets the same SYN-ACK at once (RFC 9293 3.8.1), and the clock goes on. */
static void syn_again(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    uint64_t start = p.now;
    peer_sends(&p, "S seq 100 ts 5 0");
    peer_gets(&p, "SA ack 101");
    uint32_t iss = p.got.seq;
    peer_waits(&p, 500 * BERTH_MS);
    peer_sends(&p, "S seq 100 ts 505 0");
    peer_gets(&p, "SA seq %u ack 101", iss);
    assert_int_equal(p.got.options.ts_echo, 505);
    assert_int_equal(half_open(&p, listener), 1);
    peer_silent_until(&p, start + BERTH_SECOND);
    peer_gets(&p, "SA seq %u", iss);
    peer_end(&p);
}

static void opened_nothing(struct peer *p, uint32_t listener) {
    uint32_t none;
    assert_int_equal(tcp_accept(p->tcp, listener, &none), -EAGAIN);
    assert_int_equal(half_open(p, listener), 1);
    while (peer_pull(p))
        assert_int_equal(p->got.flags, TCP_ACK);
}

/* RFC 5961 3.2, MUST-11: in SYN-RECEIVED an exact RST ends the record and tells nobody; one in the
 * window is challenged (5961-5), one outside ignored. [5961-1, 5961-2] */
static void reset_in_syn_received(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    peer_sends(&p, "S seq 4294967294 wscale 7");
    peer_gets(&p, "SA");
    uint32_t iss = p.got.seq;
    peer_sends(&p, "R seq 4294967294"); /* left of the window */
    peer_sends(&p, "R seq 65534");      /* right of it */
    peer_silent(&p);
    assert_int_equal(half_open(&p, listener), 1);
    peer_sends(&p, "R seq 3");
    peer_gets(&p, "A seq %u ack 4294967295", iss + 1);
    peer_sends(&p, "S seq 3"); /* 5961-2 */
    peer_gets(&p, "A seq %u ack 4294967295", iss + 1);
    assert_int_equal(half_open(&p, listener), 1);
    peer_sends(&p, "SA seq 3 ack %u", iss + 1); /* nor does it open */
    opened_nothing(&p, listener);
    peer_sends(&p, "R seq 4294967295");
    peer_silent(&p);
    assert_int_equal(half_open(&p, listener), 0);
    assert_int_equal(peer_events(&p, listener), 0);
    assert_int_equal(ports_connections(tcp_ports(p.tcp)), 0);
    peer_sends(&p, "S seq 9"); /* and a new SYN is welcome */
    peer_gets(&p, "SA ack 10");
    peer_sends(&p, "R seq 10"); /* which ends it without a word, too */
    peer_silent(&p);
    assert_int_equal(half_open(&p, listener), 0);
    peer_end(&p);
}

/* 9293-E13: a wrong ACK is reset with its own number, the record stays, a right one still opens. */
static void wrong_ack(void **state) {
    (void)state;
    static const int32_t offsets[] = {0, 2, -1, 1000, INT32_MIN};
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    peer_sends(&p, "S seq 100");
    peer_gets(&p, "SA");
    uint32_t iss = p.got.seq;
    for (unsigned i = 0; i < 5; i++) {
        uint32_t wrong = iss + (uint32_t)offsets[i];
        peer_sends(&p, "A seq 101 ack %u", wrong);
        peer_gets(&p, "R seq %u", wrong);
        assert_int_equal(half_open(&p, listener), 1);
    }
    peer_sends(&p, "- seq 101 len 5"); /* no ACK: dropped (9293-E6) */
    peer_sends(&p, "P seq 101 len 5");
    peer_silent(&p);
    peer_sends(&p, "A seq 101 ack %u", iss + 1);
    peer_silent(&p);
    peer_accepts(&p, listener);
    peer_end(&p);
}

/* Segments out of the window are answered, but not for ever (RFC 5961 7): two ends that disagree
 * must not keep one another busy. [5961-4, 9293-E4] */
static void challenges_end(void **state) {
    (void)state;
    struct peer p;
    unsigned answers = 0;
    peer_setup(&p, 4);
    peer_listener(&p, 5);
    peer_sends(&p, "S seq 100");
    peer_gets(&p, "SA");
    for (unsigned i = 0; i < 50; i++) {
        peer_sends(&p, "SA seq 9000000 ack 5");
        answers += peer_pull(&p);
    }
    assert_in_range(answers, 1, 5);
    peer_end(&p);
}

/* RFC 7323 5.3 R1: the third ACK is not from the past. [7323-P1] */
static void old_timestamp(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5), none;
    peer_sends(&p, "S seq 100 ts 5 0");
    peer_gets(&p, "SA");
    uint32_t iss = p.got.seq, value = p.got.options.ts_value;
    peer_sends(&p, "A seq 101 ack %u ts 4 %u", iss + 1, value);
    peer_gets(&p, "A seq %u ack 101 ts %u 5", iss + 1, value);
    assert_int_equal(tcp_accept(p.tcp, listener, &none), -EAGAIN);
    assert_int_equal(p.counters.tcp_paws_drops, 1);
    peer_sends(&p, "A seq 101 ack %u ts 5 %u", iss + 1, value);
    peer_accepts(&p, listener);
    peer_end(&p);
}

/* The third segment may carry octets and the FIN: both are in the connection when it is accepted.
 */
static void data_with_third(void **state) {
    (void)state;
    struct peer p;
    uint8_t octets[32];
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    peer_sends(&p, "S seq 4294967290 len 3"); /* octets of the SYN come again: RFC 9293 3.10.7.2 */
    peer_gets(&p, "SA ack 4294967291");
    peer_sends(&p, "FPA seq 4294967291 ack %u len 10", p.got.seq + 1);
    peer_gets(&p, "A ack 6");
    uint32_t socket = peer_accepts(&p, listener);
    assert_int_equal(peer_state(&p, socket), BERTH_CLOSE_WAIT);
    assert_int_equal(tcp_receive(p.tcp, socket, octets, sizeof octets, 0, p.now), 10);
    assert_int_equal(octets[0], 251);
    assert_int_equal(octets[9], 4);
    assert_int_equal(tcp_receive(p.tcp, socket, octets, sizeof octets, 0, p.now), 0);
    peer_end(&p);
}

/* RFC 6298 2.2, Karn: a round trip of 300 ms is known from the first exchange; a SYN-ACK that was
 * retransmitted says nothing without timestamps, and with them the truth. [6298-2, 6298-7, MUST-18,
 * 5681-1, 6928-1] */
static void round_trip(void **state) {
    (void)state;
    for (unsigned lost = 0; lost < 2; lost++)
        for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
            struct peer p;
            peer_setup(&p, 4);
            uint32_t listener = peer_listener(&p, 5);
            peer_sends(&p, timestamps ? "S seq 100 ts 5 0" : "S seq 100");
            peer_gets(&p, "SA");
            if (lost) {
                peer_waits(&p, BERTH_SECOND);
                peer_gets(&p, "SA");
            }
            peer_waits(&p, 300 * BERTH_MS);
            if (timestamps)
                peer_sends(&p, "A seq 101 ack %u ts 6 %u", p.got.seq + 1, p.got.options.ts_value);
            else
                peer_sends(&p, "A seq 101 ack %u", p.got.seq + 1);
            const struct tcp_connection *c = tcp_at(p.tcp, peer_accepts(&p, listener));
            assert_int_equal(c->srtt, lost && !timestamps ? 0 : 300000 << 3);
            assert_int_equal(c->cwnd, lost ? c->mss : 10 * c->mss); /* RFC 6928, RFC 5681 3.1 */
            peer_end(&p);
        }
}

/* An ICMP error counts only if it quotes the SYN-ACK, and only a hard one (RFC 5927 4). [5927-1] */
static void icmp(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    peer_sends(&p, "S seq 100");
    peer_gets(&p, "SA");
    tcp_icmp_error(p.tcp, &p.tuple, p.got.seq, EHOSTUNREACH, false, 0, p.now);
    tcp_icmp_error(p.tcp, &p.tuple, p.got.seq + 1, ECONNREFUSED, true, 0, p.now);
    assert_int_equal(half_open(&p, listener), 1);
    tcp_icmp_error(p.tcp, &p.tuple, p.got.seq, ECONNREFUSED, true, 0, p.now);
    assert_int_equal(half_open(&p, listener), 0);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake),       cmocka_unit_test(bare_syn),
        cmocka_unit_test(odd_options),     cmocka_unit_test(flag_sweep),
        cmocka_unit_test(retransmissions), cmocka_unit_test(odd_times),
        cmocka_unit_test(syn_again),       cmocka_unit_test(reset_in_syn_received),
        cmocka_unit_test(wrong_ack),       cmocka_unit_test(challenges_end),
        cmocka_unit_test(old_timestamp),   cmocka_unit_test(data_with_third),
        cmocka_unit_test(round_trip),      cmocka_unit_test(icmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
