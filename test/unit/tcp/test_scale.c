/* The shift of our windows is the one that our SYN said, whatever becomes of net.ipv4.tcp_rmem
 * before the handshake is complete (RFC 7323 2.2, 2.3). */
#include "test/unit/tcp/opened.h"

/* The usual 6 MiB ask for a shift of 7. */
enum { SHIFT = 7 };
static const uint32_t changed[] = {60000, 256u << 20};

/* What we say on the wire, by the shift that the peer heard, is what we take: not an octet more.
 * The peer's next octet has the number `seq`, which we expect; ours is `ack`. */
static void windows_agree(struct peer *p, uint32_t socket, uint32_t seq, uint32_t ack) {
    const struct tcp_connection *c = tcp_at(p->tcp, socket);
    struct berth_tcp_info info;
    assert_int_equal(tcp_info(p->tcp, socket, &info), 0);
    assert_int_equal(info.receive_wscale, SHIFT);
    assert_int_equal(info.send_wscale, 2);
    peer_sends(p, "PA seq %u ack %u win 500 len 1000 ts 80 0", seq, ack);
    assert_int_equal(opened_reads(p, socket, seq, 1000), 1000);
    peer_waits(p, 50 * BERTH_MS);
    assert_true(peer_pull(p));
    assert_int_equal(p->got.ack, seq + 1000);
    uint32_t said = (uint32_t)p->got.window << SHIFT; /* what a SYN offers is no multiple of it */
    assert_in_range(c->rcv_edge - c->rcv_nxt, said, said + (1u << SHIFT) - 1);
    assert_int_equal(c->snd_wnd, 500u << 2);
}

static void a_clients(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
        struct peer p;
        struct berth_tcp_info info;
        peer_setup(&p, 4);
        uint32_t socket = peer_connects(&p);
        peer_gets(&p, "S wscale 7");
        p.tcp->config.tcp_receive_buffer = changed[i];
        assert_int_equal(tcp_info(p.tcp, socket, &info), 0);
        assert_int_equal(info.options & 4, 0);
        assert_int_equal(info.send_wscale + info.receive_wscale, 0);
        peer_silent(&p);
        peer_waits(&p, BERTH_SECOND);
        peer_gets(&p, "S wscale 7");
        peer_sends(&p, "SA seq 4294967200 ack %u mss 1460 wscale 2 ts 79 %u", p.got.seq + 1,
                   p.got.options.ts_value);
        peer_gets(&p, "A");
        windows_agree(&p, socket, 4294967201u, p.got.seq);
        peer_end(&p);
    }
}

/* Both ends open at once: our SYN-ACK says what our SYN said. */
static void of_both(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t socket = peer_connects(&p);
    peer_gets(&p, "S wscale 7");
    p.tcp->config.tcp_receive_buffer = changed[0];
    peer_sends(&p, "S seq 4294967200 mss 1460 wscale 2 ts 79 0");
    peer_gets(&p, "SA wscale 7");
    uint32_t next = p.got.seq + 1;
    peer_sends(&p, "A seq 4294967201 ack %u ts 80 %u", next, p.got.options.ts_value);
    peer_silent(&p);
    windows_agree(&p, socket, 4294967201u, next);
    peer_end(&p);
}

static void a_servers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
        struct peer p;
        peer_setup(&p, 6);
        uint32_t listener = peer_listener(&p, 5);
        peer_sends(&p, "S seq 4294967200 mss 1440 wscale 2 ts 79 0");
        peer_gets(&p, "SA wscale 7");
        p.tcp->config.tcp_receive_buffer = changed[i];
        peer_silent(&p);
        peer_waits(&p, BERTH_SECOND);
        peer_gets(&p, "SA wscale 7");
        uint32_t next = p.got.seq + 1;
        peer_sends(&p, "A seq 4294967201 ack %u ts 80 %u", next, p.got.options.ts_value);
        windows_agree(&p, peer_accepts(&p, listener), 4294967201u, next);
        peer_end(&p);
    }
}

/* Settings that are switched off meanwhile: what the SYN-ACK agreed to is kept. [7323-W1] */
static void what_was_agreed(void **state) {
    (void)state;
    struct peer p;
    struct berth_tcp_info info;
    peer_config(&p);
    p.config.tcp_sack = 1;
    peer_start(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    peer_sends(&p, "S seq 100 mss 1460 wscale 2 ts 79 0 sackok");
    peer_gets(&p, "SA wscale 7 sackok");
    p.tcp->config.tcp_window_scaling = p.tcp->config.tcp_timestamps = p.tcp->config.tcp_sack = 0;
    uint32_t next = p.got.seq + 1;
    peer_sends(&p, "A seq 101 ack %u ts 80 %u", next, p.got.options.ts_value);
    uint32_t socket = peer_accepts(&p, listener);
    assert_int_equal(tcp_info(p.tcp, socket, &info), 0);
    assert_int_equal(info.options, 1 | 2 | 4);
    windows_agree(&p, socket, 101, next);
    peer_end(&p);
}

/* A cookie is one of the shift that it offered, or of no connection. */
static void a_cookies(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
        struct peer p;
        peer_config(&p);
        p.config.tcp_syncookies = 2;
        peer_start(&p, 4);
        uint32_t listener = peer_listener(&p, 5);
        peer_sends(&p, "S seq 4294967200 mss 1460 wscale 2 ts 79 0");
        peer_gets(&p, "SA wscale 7");
        struct peer_segment first = p.got;
        p.tcp->config.tcp_receive_buffer = changed[i];
        p.tuple.remote_port++; /* another's cookie has the new one */
        peer_sends(&p, "S seq 1 mss 1460 wscale 2 ts 79 0");
        assert_true(peer_pull(&p));
        assert_int_not_equal(p.got.options.wscale, SHIFT);
        p.tuple.remote_port--;
        peer_sends(&p, "A seq 4294967201 ack %u ts 80 %u", first.seq + 1, first.options.ts_value);
        windows_agree(&p, peer_accepts(&p, listener), 4294967201u, first.seq + 1);
        assert_int_equal(p.counters.tcp_cookies_failed, 0);
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clients),       cmocka_unit_test(of_both),   cmocka_unit_test(a_servers),
        cmocka_unit_test(what_was_agreed), cmocka_unit_test(a_cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
