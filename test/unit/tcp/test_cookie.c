/* SYN cookies (RFC 4987 3.6). */
#include "test/unit/tcp/opened.h"

static uint32_t start(struct peer *p, int family, uint8_t syncookies) {
    peer_config(p);
    p->config.tcp_syncookies = syncookies;
    p->config.tcp_syn_backlog_max = 64;
    p->config.tcp_sack = 1;
    peer_start(p, family);
    p->now = 3600 * BERTH_SECOND;
    tcp_advance(p->tcp, p->now);
    return peer_listener(p, 8);
}

static uint32_t half_open(const struct peer *p, uint32_t listener) {
    return tcp_at(p->tcp, listener)->extra->listener->half_open;
}

/* As many SYNs as fill the listener's share. */
static void fill(struct peer *p, uint32_t listener) {
    for (unsigned i = 0; half_open(p, listener) < 32; i++) {
        p->tuple.remote_port = (uint16_t)(1024 + i);
        peer_sends(p, "S seq %u", i);
        assert_true(peer_pull(p));
    }
}

/* No MSS is lost but to the next in the table; none is greater than the client's. [4987-2] */
static void sizes(void **state) {
    (void)state;
    static const unsigned cases[][2] = {{0, 536},     {40, 48},     {535, 48},    {536, 536},
                                        {1219, 536},  {1300, 1300}, {1400, 1300}, {1440, 1440},
                                        {1459, 1440}, {1460, 1460}, {8960, 1460}};
    struct peer p;
    uint32_t listener = start(&p, 4, 2);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        p.tuple.remote_port++;
        uint32_t isn = i % 2 ? 0xffffffffu : 12345;
        if (cases[i][0])
            peer_sends(&p, "S seq %u mss %u", isn, cases[i][0]);
        else
            peer_sends(&p, "S seq %u", isn);
        peer_gets(&p, "SA ack %u mss 1460 nots nowscale", isn + 1);
        assert_int_equal(half_open(&p, listener), 0);
        peer_sends(&p, "A seq %u ack %u", isn + 1, p.got.seq + 1);
        uint32_t socket = peer_accepts(&p, listener);
        assert_int_equal(tcp_at(p.tcp, socket)->mss, cases[i][1]);
        assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
    }
    assert_int_equal(p.counters.tcp_cookies_sent, sizeof cases / sizeof cases[0]);
    assert_int_equal(p.counters.tcp_cookies_received, p.counters.tcp_cookies_sent);
    assert_int_equal(p.counters.tcp_passive_opens, p.counters.tcp_cookies_sent);
    peer_end(&p);
}

/* What the timestamp carries: each scale, SACK, and neither; it is never ahead of our clock; and
 * the connection works, with the octets that came with the ACK. [4987-2, 4987-4] */
static void options(void **state) {
    (void)state;
    for (unsigned scale = 0; scale <= 15; scale++) {
        struct peer p;
        char words[64] = "mss 1460 ts 77 0";
        uint32_t listener = start(&p, scale % 2 ? 6 : 4, 2);
        p.now += scale * 5 * BERTH_MS;
        tcp_advance(p.tcp, p.now);
        if (scale < 15)
            snprintf(words, sizeof words, "mss 1460 wscale %u ts 77 0", scale);
        peer_sends(&p, "S seq 4294967295 %s%s", words, scale % 3 ? " sackok" : "");
        assert_true(peer_pull(&p));
        struct peer_segment answer = p.got;
        assert_int_equal(answer.options.has_wscale, scale < 15);
        assert_int_equal(answer.options.sack_permitted, scale % 3 != 0);
        assert_true(answer.options.has_timestamps);
        assert_int_equal(answer.options.ts_echo, 77);
        int32_t behind =
            (int32_t)(tcp_ms(p.tcp) + isn_ts_offset(p.tcp, &p.tuple) - answer.options.ts_value);
        assert_in_range(behind, 0, 63);
        peer_waits(&p, 30 * BERTH_MS);
        peer_sends(&p, "PA seq 0 ack %u len 10 win 100 ts 78 %u", answer.seq + 1,
                   answer.options.ts_value);
        uint32_t socket = peer_accepts(&p, listener);
        const struct tcp_connection *c = tcp_at(p.tcp, socket);
        assert_int_equal(c->scales & 15, scale < 15 ? scale : 0);
        assert_int_equal(c->snd_wnd, 100u << (scale < 15 ? scale : 0));
        assert_int_equal(c->sack, scale % 3 != 0);
        assert_true(c->flags & TCP_F_TIMESTAMPS);
        assert_int_equal(c->srtt, 0); /* the stamp is not the time of the SYN-ACK */
        assert_int_equal(c->cwnd, scale % 2 ? 14400 : 14600);
        peer_waits(&p, 50 * BERTH_MS);
        peer_gets(&p, "A seq %u ack 10 ts %u 78", answer.seq + 1,
                  tcp_ms(p.tcp) + isn_ts_offset(p.tcp, &p.tuple));
        assert_int_equal(opened_reads(&p, socket, 0, 100), 10);
        peer_end(&p);
    }
}

/* Two slots: an ACK up to a minute later counts, one of more than two does not; nor one that is
 * wrong in any number. All these are reset, as any stray ACK. [4987-2] */
static void validation(void **state) {
    (void)state;
    struct peer p;
    uint32_t listener = start(&p, 4, 2), none;
    peer_sends(&p, "S seq 100 mss 1460");
    peer_gets(&p, "SA ack 101");
    uint32_t ack = p.got.seq + 1;
    peer_sends(&p, "A seq 101 ack %u", ack + 8); /* an index that is none */
    peer_gets(&p, "R");
    peer_sends(&p, "A seq 101 ack %u", ack + (1u << 24)); /* a slot of the future */
    peer_gets(&p, "R");
    peer_sends(&p, "A seq 102 ack %u", ack);
    peer_gets(&p, "R");
    p.tuple.remote_port++;
    peer_sends(&p, "A seq 101 ack %u", ack);
    peer_gets(&p, "R");
    p.tuple.remote_port--;
    assert_int_equal(p.counters.tcp_cookies_failed, 4);
    peer_sends(&p, "SA seq 101 ack %u", ack);
    peer_gets(&p, "R");
    peer_sends(&p, "RA seq 101 ack %u", ack);
    peer_silent(&p);
    peer_waits(&p, 100 * BERTH_SECOND); /* the slot after, or the one after that */
    p.tuple.remote_port += 2;
    peer_sends(&p, "S seq 100"); /* so that the listener has sent one lately */
    peer_gets(&p, "SA");
    p.tuple.remote_port -= 2;
    peer_waits(&p, 50 * BERTH_SECOND);
    peer_sends(&p, "A seq 101 ack %u", ack);
    peer_gets(&p, "R");
    assert_int_equal(tcp_accept(p.tcp, listener, &none), -EAGAIN);
    p.tuple.remote_port++;
    for (unsigned seconds = 0; seconds <= 60; seconds += 20) {
        p.tuple.remote_port++;
        peer_sends(&p, "S seq 100");
        peer_gets(&p, "SA ack 101");
        peer_waits(&p, seconds * BERTH_SECOND);
        peer_sends(&p, "A seq 101 ack %u", p.got.seq + 1);
        peer_accepts(&p, listener);
    }
    peer_end(&p);
}

/* None is taken where none was sent lately, be it right: knob 1 and no flood for two minutes, or a
 * listener that never sent one. [4987-2] */
static void none_sent(void **state) {
    (void)state;
    struct peer p;
    uint32_t listener = start(&p, 4, 2), other;
    peer_sends(&p, "S seq 100");
    peer_gets(&p, "SA");
    uint32_t ack = p.got.seq + 1;
    p.tcp->config.tcp_syncookies = 0;
    peer_sends(&p, "A seq 101 ack %u", ack);
    peer_gets(&p, "R");
    p.tcp->config.tcp_syncookies = 1;
    peer_sends(&p, "A seq 101 ack %u", ack);
    peer_accepts(&p, listener);
    peer_end(&p);

    listener = start(&p, 4, 1);
    fill(&p, listener);
    p.tuple.remote_port = 50000;
    peer_sends(&p, "S seq 100");
    peer_gets(&p, "SA");
    ack = p.got.seq + 1;
    peer_waits(&p, 59 * BERTH_SECOND); /* 3600 s is a slot's begin */
    assert_int_equal(tcp_close(p.tcp, listener, p.now), 0);
    while (peer_pull(&p))
        ;
    other = peer_listener(&p, 8);
    peer_sends(&p, "A seq 101 ack %u", ack);
    peer_gets(&p, "R seq %u", ack);
    assert_int_equal(half_open(&p, other), 0);
    peer_end(&p);
}

/* A flood of 100,000 SYNs: memory stays what it was when the table was full, each SYN has one
 * answer and no more, none of which is larger than the SYN by more than an MSS option; and who is
 * there gets in, before, amid and after. [4987-1] */
static void flood(void **state) {
    (void)state;
    struct peer p;
    uint32_t listener = start(&p, 4, 1);
    fill(&p, listener);
    size_t octets = p.counting.octets, blocks = p.counting.blocks;
    uint32_t sent = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        p.tuple.remote = berth_ip_v4(0x0b000000u + i);
        p.tuple.remote_port = (uint16_t)(i | 1);
        peer_sends(&p, "S seq %u", i * 2654435761u);
        peer_gets(&p, "SA mss 1460 nots nowscale");
        peer_silent(&p);
        sent++;
        if (i % 10000 == 5000) { /* a client that is there */
            p.tuple.remote = berth_ip_v4(0x0a000002u);
            p.tuple.remote_port = (uint16_t)(20000 + i / 10000);
            peer_sends(&p, "S seq 9 mss 1400 wscale 7 sackok ts 5 0");
            peer_gets(&p, "SA mss 1460");
            peer_sends(&p, "PA seq 10 ack %u len 5 ts 6 %u", p.got.seq + 1, p.got.options.ts_value);
            uint32_t socket = peer_accepts(&p, listener);
            assert_int_equal(tcp_at(p.tcp, socket)->mss, 1300);
            peer_waits(&p, 50 * BERTH_MS);
            peer_gets(&p, "A ack 15");
            assert_int_equal(opened_reads(&p, socket, 10, 100), 5);
            assert_int_equal(tcp_abort(p.tcp, socket, p.now), 0);
            peer_events(&p, listener);
            peer_gets(&p, "RA");
            sent++;
        }
        if (i == 20000) /* what the pools keep for such a connection is theirs from now on */
            octets = p.counting.octets, blocks = p.counting.blocks;
    }
    assert_int_equal(p.counting.octets, octets);
    assert_int_equal(p.counting.blocks, blocks);
    assert_int_equal(half_open(&p, listener), 32);
    assert_int_equal(p.counters.tcp_cookies_sent, sent);
    assert_int_equal(p.counters.tcp_listen_drops, 0);
    assert_int_equal(p.counters.tcp_retrans_segs, 0);
    peer_end(&p);
}

/* The accept queue's bound holds for cookies as for others; memory that is out loses the ACK, no
 * more. */
static void bounds(void **state) {
    (void)state;
    struct peer p;
    uint32_t listener = start(&p, 4, 2);
    for (unsigned i = 0; i < 9; i++) {
        p.tuple.remote_port = (uint16_t)(1024 + i);
        peer_sends(&p, "S seq 1");
        peer_gets(&p, "SA");
        struct peer_segment answer = p.got;
        counting_fail_after(&p.counting, 0);
        if (i == 0) { /* no record could be made before */
            peer_sends(&p, "A seq 2 ack %u", answer.seq + 1);
            peer_silent(&p);
            assert_int_equal(p.counters.tcp_listen_drops, 1);
        }
        p.counting.fail_from = 0;
        peer_sends(&p, "A seq 2 ack %u", answer.seq + 1);
        peer_silent(&p);
    }
    p.tuple.remote_port = 3000;
    peer_sends(&p, "S seq 1");
    peer_silent(&p); /* full: dropped without a word, as without cookies */
    assert_int_equal(p.counters.tcp_listen_overflows, 1);
    for (unsigned i = 0; i < 9; i++)
        peer_accepts(&p, listener);
    peer_end(&p);
}

/* The numbers are keyed: another host's, of another seed, are others; and so are those of the next
 * minute and of another client. [4987-2] */
static void keyed(void **state) {
    (void)state;
    uint32_t seen[4];
    for (unsigned i = 0; i < 2; i++) {
        struct peer p;
        peer_config(&p);
        memset(p.config.seed, (int)i, sizeof p.config.seed);
        p.config.tcp_syncookies = 2;
        peer_start(&p, 4);
        peer_listener(&p, 8);
        for (unsigned k = 0; k < 2; k++) {
            peer_sends(&p, "S seq 1");
            peer_gets(&p, "SA");
            seen[2 * i + k] = p.got.seq;
            p.tuple.remote_port++;
        }
        peer_end(&p);
    }
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(seen[i] >> 8, seen[k] >> 8);
}

/* The first octets validate a cookie, with FIN or without; later ones that overtake them harm
 * nothing where timestamps show that they may have, and are reset where nothing does. */
static void overtaking(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct peer p;
        uint32_t listener = start(&p, family, 2);
        peer_sends(&p, "S seq 4294967290 mss 1400 ts 77 0");
        peer_gets(&p, "SA ack 4294967291");
        uint32_t ack = p.got.seq + 1, stamp = p.got.options.ts_value;
        peer_waits(&p, 900 * BERTH_MS);
        peer_sends(&p, "PA seq 4 ack %u len 10 ts 78 %u", ack, stamp);
        peer_sends(&p, "FA seq 14 ack %u ts 78 %u", ack, stamp);
        peer_silent(&p);
        assert_int_equal(p.counters.tcp_cookies_failed, 2);
        peer_sends(&p, "A seq 4294967291 ack %u len 9 ts 78 %u", ack, stamp);
        uint32_t socket = peer_accepts(&p, listener);
        peer_sends(&p, "PA seq 4 ack %u len 10 ts 78 %u", ack, stamp);
        peer_sends(&p, "FA seq 14 ack %u ts 78 %u", ack, stamp);
        assert_int_equal(opened_reads(&p, socket, 4294967291u, 100), 19);
        assert_int_equal(peer_state(&p, socket), BERTH_CLOSE_WAIT);
        peer_gets(&p, "A ack 15");

        p.tuple.remote_port++; /* that a client ends at once */
        peer_sends(&p, "S seq 100 mss 1400 ts 77 0");
        peer_gets(&p, "SA");
        peer_sends(&p, "FA seq 101 ack %u len 3 ts 78 %u", p.got.seq + 1, p.got.options.ts_value);
        socket = peer_accepts(&p, listener);
        assert_int_equal(opened_reads(&p, socket, 101, 100), 3);
        peer_gets(&p, "A ack 105");

        p.tuple.remote_port++; /* what was said to another client, or too long ago, or not at all */
        peer_sends(&p, "PA seq 4 ack %u len 10 ts 78 %u", ack, stamp);
        peer_gets(&p, "R");
        p.tuple.remote_port++;
        peer_sends(&p, "S seq 100 mss 1400 ts 77 0");
        peer_gets(&p, "SA");
        ack = p.got.seq + 1, stamp = p.got.options.ts_value;
        peer_sends(&p, "PA seq 111 ack %u len 10", ack);
        peer_gets(&p, "R seq %u", ack);
        peer_sends(&p, "PA seq 111 ack %u len 10 ts 78 %u", ack, stamp + 1000);
        peer_gets(&p, "R seq %u", ack);
        peer_waits(&p, BERTH_SECOND);
        peer_sends(&p, "PA seq 111 ack %u len 10 ts 78 %u", ack, stamp);
        peer_gets(&p, "R seq %u", ack);
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),     cmocka_unit_test(options),    cmocka_unit_test(validation),
        cmocka_unit_test(none_sent), cmocka_unit_test(flood),      cmocka_unit_test(bounds),
        cmocka_unit_test(keyed),     cmocka_unit_test(overtaking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
