/* The active side: SYN-SENT, simultaneous open, and what an outsider cannot foresee. */
#include "test/unit/tcp/peer.h"

static const uint32_t isns[] = {0, 1000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
enum { ISNS = sizeof isns / sizeof *isns };

/* RFC 9293 3.5 figure 6, 3.10.7.3; RFC 7323 2.2: the SYN,ACK's window is not scaled [MUST-14,
 * 7323-W1] */
static void handshake(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2)
        for (unsigned i = 0; i < ISNS; i++) {
            struct peer p;
            peer_setup(&p, family);
            uint32_t socket = peer_connects(&p);
            assert_int_equal(peer_state(&p, socket), BERTH_SYN_SENT);
            peer_gets(&p, "S ack 0 mss %d wscale 7", family == 4 ? 1460 : 1440);
            assert_true(p.got.options.has_timestamps);
            assert_int_equal(p.got.options.ts_echo, 0);
            uint32_t iss = p.got.seq, value = p.got.options.ts_value;
            peer_silent(&p);
            peer_waits(&p, 20 * BERTH_MS);
            peer_sends(&p, "SA seq %u ack %u win 5000 mss 1300 wscale 3 ts 9 %u", isns[i], iss + 1,
                       value);
            peer_gets(&p, "A seq %u ack %u ts %u 9", iss + 1, isns[i] + 1, value + 20);
            peer_silent(&p);
            const struct tcp_connection *c = tcp_at(p.tcp, socket);
            assert_int_equal(c->state, BERTH_ESTABLISHED);
            assert_int_equal(c->snd_wnd, 5000);
            assert_int_equal(c->mss, 1300);
            assert_int_equal(c->scales, 3 | 7 << 4);
            assert_int_equal(c->srtt, 20000 << 3);
            assert_int_equal(c->cwnd, 13000);
            assert_int_equal(peer_events(&p, socket), BERTH_CONNECTED | BERTH_WRITABLE);
            assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
            peer_end(&p);
        }
}

/* RFC 7323 2.2, 3.2, MUST-15: what the SYN,ACK lacks is not used. [7323-W1] */
static void bare_syn_ack(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket = peer_connects(&p);
    peer_gets(&p, "S");
    peer_sends(&p, "SA seq 100 ack %u", p.got.seq + 1);
    peer_gets(&p, "A ack 101 nots nomss nowscale");
    assert_int_equal(tcp_at(p.tcp, socket)->mss, 536);
    assert_int_equal(tcp_at(p.tcp, socket)->scales, 0);
    peer_end(&p);
}

/* 9293-E3: every combination of flags with every kind of ACK number. */
static void flag_sweep(void **state) {
    (void)state;
    static const int32_t acks[] = {0, 1, 2, -1, INT32_MIN};
    for (unsigned i = 0; i < 5; i++)
        for (uint16_t flags = 0; flags < 64; flags++) {
            struct peer p;
            char text[12];
            peer_setup(&p, 4);
            uint32_t socket = peer_connects(&p);
            peer_gets(&p, "S");
            uint32_t iss = p.got.seq, ack = iss + (uint32_t)acks[i];
            bool acknowledges = (flags & TCP_ACK) && acks[i] == 1;
            peer_flags_text(flags, text);
            peer_sends(&p, "%s seq 4294967295 ack %u", flags ? text : "-", ack);
            unsigned expected = BERTH_SYN_SENT;
            if ((flags & TCP_ACK) && !acknowledges) {
                if (!(flags & TCP_RST))
                    peer_gets(&p, "R seq %u ack 0", ack);
            } else if (flags & TCP_RST) {
                if (acknowledges)
                    expected = BERTH_TCP_CLOSED;
            } else if (flags & TCP_SYN) {
                if (acknowledges) {
                    bool fin = flags & TCP_FIN;
                    expected = fin ? BERTH_CLOSE_WAIT : BERTH_ESTABLISHED;
                    peer_gets(&p, "A seq %u ack %u", iss + 1, fin);
                } else if (!(flags & TCP_FIN)) {
                    expected = BERTH_SYN_RECEIVED;
                    peer_gets(&p, "SA seq %u ack 0", iss);
                }
            }
            peer_silent(&p);
            assert_int_equal(peer_state(&p, socket), expected);
            assert_int_equal(peer_error(&p, socket),
                             expected == BERTH_TCP_CLOSED ? ECONNREFUSED : 0);
            peer_end(&p);
        }
}

/* RFC 6298, Linux's tcp_syn_retries: 1, 3, 7, 15, 31, 63 s, ETIMEDOUT at 127 s. [6298-1, MUST-22,
 * MUST-23, MUST-19, 2525-10] */
static void retransmissions(void **state) {
    (void)state;
    static const unsigned seconds[] = {1, 3, 7, 15, 31, 63};
    struct peer p;
    peer_setup(&p, 4);
    uint64_t start = p.now;
    uint32_t socket = peer_connects(&p);
    peer_gets(&p, "S");
    peer_silent(&p);
    struct peer_segment first = p.got;
    for (unsigned i = 0; i < 6; i++) {
        assert_true(tcp_deadline(p.tcp) == start + seconds[i] * BERTH_SECOND);
        peer_silent_until(&p, start + seconds[i] * BERTH_SECOND);
        peer_gets(&p, "S seq %u ack 0 mss %u ts %u 0", first.seq, first.options.mss,
                  first.options.ts_value + seconds[i] * 1000);
        peer_silent(&p);
    }
    assert_int_equal(peer_events(&p, socket), 0);
    peer_silent_until(&p, start + 127 * BERTH_SECOND);
    peer_silent(&p);
    assert_int_equal(peer_state(&p, socket), BERTH_TCP_CLOSED);
    assert_true(peer_events(&p, socket) & BERTH_ERROR);
    assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
    assert_int_equal(ports_connections(tcp_ports(p.tcp)), 0);
    assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
    peer_end(&p);
}

/* Karn and RFC 5681 3.1: after a lost SYN one segment, and no sample but the echo's. [MUST-18,
 * 6298-7, 5681-1] */
static void lost_syn(void **state) {
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct peer p;
        peer_setup(&p, 4);
        uint32_t socket = peer_connects(&p);
        peer_gets(&p, "S");
        peer_silent(&p);
        peer_waits(&p, BERTH_SECOND);
        peer_gets(&p, "S");
        peer_waits(&p, 50 * BERTH_MS);
        if (timestamps)
            peer_sends(&p, "SA seq 9 ack %u mss 1000 ts 4 %u", p.got.seq + 1,
                       p.got.options.ts_value);
        else
            peer_sends(&p, "SA seq 9 ack %u mss 1000", p.got.seq + 1);
        peer_gets(&p, "A ack 10");
        const struct tcp_connection *c = tcp_at(p.tcp, socket);
        assert_int_equal(c->srtt, timestamps ? 50000 << 3 : 0);
        assert_int_equal(c->cwnd, 1000);
        assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
        peer_end(&p);
    }
}

/* Octets and FIN may come with the SYN,ACK. */
static void data_with_syn_ack(void **state) {
    (void)state;
    struct peer p;
    uint8_t octets[32];
    peer_setup(&p, 4);
    uint32_t socket = peer_connects(&p);
    peer_gets(&p, "S");
    peer_sends(&p, "FSA seq 4294967290 ack %u len 10", p.got.seq + 1);
    peer_gets(&p, "A ack 6");
    assert_int_equal(peer_state(&p, socket), BERTH_CLOSE_WAIT);
    assert_int_equal(tcp_receive(p.tcp, socket, octets, sizeof octets, 0, p.now), 10);
    assert_int_equal(octets[0], 250); /* peer.h counts them from the segment's number */
    assert_int_equal(tcp_receive(p.tcp, socket, octets, sizeof octets, 0, p.now), 0);
    peer_end(&p);
}

/* RFC 9293 3.5 figure 8, MUST-10: both SYNs cross. The SYN,ACK repeats our ISN; the peer's SYN,ACK
 * or its bare ACK opens. */
static void simultaneous_open(void **state) {
    (void)state;
    for (unsigned way = 0; way < 2; way++)
        for (unsigned i = 0; i < ISNS; i++) {
            struct peer p;
            peer_setup(&p, 4);
            uint32_t socket = peer_connects(&p);
            peer_gets(&p, "S");
            uint32_t iss = p.got.seq, value = p.got.options.ts_value;
            peer_sends(&p, "S seq %u win 3000 mss 1200 wscale 2 ts 50 0", isns[i]);
            assert_int_equal(peer_state(&p, socket), BERTH_SYN_RECEIVED);
            peer_gets(&p, "SA seq %u ack %u mss 1460 wscale 7 ts %u 50", iss, isns[i] + 1, value);
            peer_silent(&p);
            assert_int_equal(peer_events(&p, socket), 0);
            if (way == 0)
                peer_sends(&p, "SA seq %u ack %u win 4000 mss 1200 wscale 2 ts 51 %u", isns[i],
                           iss + 1, value);
            else
                peer_sends(&p, "A seq %u ack %u win 1000 ts 51 %u", isns[i] + 1, iss + 1, value);
            const struct tcp_connection *c = tcp_at(p.tcp, socket);
            assert_int_equal(c->state, BERTH_ESTABLISHED);
            assert_int_equal(c->snd_wnd, 4000); /* 4000 in the SYN, 1000 << 2 in the ACK */
            assert_int_equal(c->mss, 1200);
            assert_int_equal(c->rcv_nxt, isns[i] + 1);
            assert_int_equal(peer_events(&p, socket), BERTH_CONNECTED | BERTH_WRITABLE);
            while (peer_pull(&p))
                assert_int_equal(p.got.seq, iss + 1);
            assert_int_equal(tcp_send(p.tcp, socket, "hello", 5, 0, p.now), 5);
            peer_gets(&p, "PA seq %u ack %u len 5", iss + 1, isns[i] + 1);
            peer_end(&p);
        }
}

/* The SYN,ACK of a simultaneous open is retransmitted with the same ISN. [MUST-10, MUST-22] */
static void simultaneous_retransmission(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket = peer_connects(&p);
    peer_gets(&p, "S");
    peer_silent(&p);
    uint32_t iss = p.got.seq;
    peer_waits(&p, 300 * BERTH_MS);
    peer_sends(&p, "S seq 77");
    peer_gets(&p, "SA seq %u ack 78", iss);
    peer_silent(&p);
    uint64_t sent = p.now;
    peer_silent_until(&p, sent + BERTH_SECOND);
    peer_gets(&p, "SA seq %u ack 78", iss);
    peer_silent_until(&p, sent + 3 * BERTH_SECOND);
    peer_gets(&p, "SA seq %u ack 78", iss);
    assert_int_equal(peer_state(&p, socket), BERTH_SYN_RECEIVED);
    for (unsigned i = 3; i <= 5; i++) {
        peer_silent_until(&p, sent + ((BERTH_SECOND << i) - BERTH_SECOND));
        peer_gets(&p, "SA seq %u ack 78", iss);
    }
    peer_silent_until(&p, sent + 63 * BERTH_SECOND); /* tcp_synack_retries: 5 */
    assert_int_equal(peer_state(&p, socket), BERTH_TCP_CLOSED);
    assert_int_equal(peer_error(&p, socket), ETIMEDOUT);
    peer_silent(&p);
    peer_end(&p);
}

/* MUST-11: a RST in SYN-RECEIVED after an active open is a refusal. */
static void simultaneous_reset(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket = peer_connects(&p);
    peer_gets(&p, "S");
    peer_sends(&p, "S seq 77");
    peer_gets(&p, "SA ack 78");
    peer_sends(&p, "R seq 78");
    peer_silent(&p);
    assert_int_equal(peer_state(&p, socket), BERTH_TCP_CLOSED);
    assert_int_equal(peer_error(&p, socket), ECONNREFUSED);
    peer_end(&p);
}

/* RFC 9293 3.5: a socket that connects to itself opens simultaneously with itself (as on Linux).
 * [MUST-10] */
static void to_itself(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    p.tuple.remote = p.tuple.local;
    p.tuple.remote_port = 80;
    uint32_t socket = peer_open(&p);
    struct berth_endpoint self = {p.tuple.local, 80};
    assert_int_equal(tcp_bind(p.tcp, socket, &self), 0);
    assert_int_equal(tcp_connect(p.tcp, socket, &self.ip, 1, &self, p.now), -EINPROGRESS);
    struct tcp_emit emit;
    unsigned segments = 0;
    for (; tcp_output(p.tcp, &emit, p.now); segments++) {
        struct tcp_header header;
        assert_int_equal(tcp_header_parse(emit.header, emit.header_length, &header), 0);
        struct tcp_segment back = {.tuple = p.tuple,
                                   .seq = header.seq,
                                   .ack = header.ack,
                                   .flags = header.flags,
                                   .window = header.window,
                                   .options = header.options,
                                   .options_length = header.options_length,
                                   .interface = 1,
                                   .hash = ports_hash(tcp_ports(p.tcp), &p.tuple)};
        assert_true(segments < 20);
        tcp_input(p.tcp, &back, p.now);
    }
    assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
    peer_end(&p);
}

/* MUST-8, RFC 6528: the ISNs of four numbers rise by one each 4 us; another seed changes all; other
 * ports' ISNs look unrelated. RFC 7323 7.1: so do the timestamps. [MUST-9, SHLD-1, 6528-1, 6528-2,
 * 7323-T6] */
static void isn(void **state) {
    (void)state;
    struct peer p, q;
    peer_setup(&p, 4);
    peer_config(&q);
    q.config.seed[31] ^= 1;
    peer_start(&q, 4);
    uint32_t first = isn_of(p.tcp, &p.tuple), offset = isn_ts_offset(p.tcp, &p.tuple);
    assert_int_not_equal(first, isn_of(q.tcp, &p.tuple));
    assert_int_not_equal(offset, isn_ts_offset(q.tcp, &p.tuple));
    tcp_advance(p.tcp, p.now + BERTH_SECOND);
    assert_int_equal(isn_of(p.tcp, &p.tuple) - first, 250000);
    assert_int_equal(isn_ts_offset(p.tcp, &p.tuple), offset);
    unsigned buckets[16] = {0}, high[16] = {0};
    for (unsigned port = 0; port < 16000; port++) {
        struct tuple tuple = p.tuple;
        tuple.remote_port = (uint16_t)port;
        buckets[isn_of(p.tcp, &tuple) & 15]++;
        high[isn_of(p.tcp, &tuple) >> 28]++;
    }
    double chi = 0;
    for (unsigned i = 0; i < 16; i++) {
        double low_off = buckets[i] - 1000.0, high_off = high[i] - 1000.0;
        chi += (low_off * low_off + high_off * high_off) / 1000.0;
    }
    assert_true(chi < 70); /* 30 degrees of freedom: one seed in ten thousand exceeds 67 */
    peer_end(&p);
    peer_end(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake),
        cmocka_unit_test(bare_syn_ack),
        cmocka_unit_test(flag_sweep),
        cmocka_unit_test(retransmissions),
        cmocka_unit_test(lost_syn),
        cmocka_unit_test(data_with_syn_ack),
        cmocka_unit_test(simultaneous_open),
        cmocka_unit_test(simultaneous_retransmission),
        cmocka_unit_test(simultaneous_reset),
        cmocka_unit_test(to_itself),
        cmocka_unit_test(isn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
