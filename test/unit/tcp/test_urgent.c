/* Urgent octets: RFC 9293 3.8.5, RFC 6093; Linux's sockets. */
#include "test/unit/tcp/opened.h"

static ssize_t out_of_band(struct peer *p, uint32_t socket, unsigned flags) {
    uint8_t octet = 0;
    ssize_t got = tcp_receive(p->tcp, socket, &octet, 1, BERTH_MSG_OOB | flags, p->now);
    return got == 1 ? octet : got;
}

static ssize_t reads(struct peer *p, uint32_t socket, unsigned flags) {
    uint8_t octets[256];
    return tcp_receive(p->tcp, socket, octets, sizeof octets, flags, p->now);
}

/* MUST-30, MUST-32, MUST-33: told at once; the octet before the pointer is urgent; a read stops
 * before it, and goes on behind it; it is read out of band, once. [MUST-62] */
static void one_octet(void **state) {
    (void)state;
    for (unsigned family = 4; family <= 6; family += 2) {
        struct peer p;
        uint32_t socket = opened(&p, (int)family, "");
        peer_sends(&p, "UPA urg 5 len 10");
        assert_true(peer_events(&p, socket) & BERTH_URGENT);
        assert_int_equal(tcp_urgent(p.tcp, socket), 4);
        assert_int_equal(out_of_band(&p, socket, BERTH_MSG_PEEK), (uint8_t)(p.seq + 4));
        assert_int_equal(out_of_band(&p, socket, 0), (uint8_t)(p.seq + 4));
        assert_int_equal(out_of_band(&p, socket, 0), -EINVAL);
        assert_int_equal(reads(&p, socket, BERTH_MSG_PEEK), 4);
        assert_int_equal(reads(&p, socket, 0), 4);
        assert_int_equal(tcp_urgent(p.tcp, socket), 0);
        assert_int_equal(reads(&p, socket, BERTH_MSG_PEEK), 5);
        assert_int_equal(tcp_urgent(p.tcp, socket), 0); /* a look moves nothing */
        assert_int_equal(reads(&p, socket, 0), 5);
        assert_int_equal(tcp_urgent(p.tcp, socket), -EINVAL);
        assert_int_equal(reads(&p, socket, 0), -EAGAIN);
        peer_end(&p);
    }
}

static void in_line(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    tcp_set_option(p.tcp, socket, BERTH_SO_OOBINLINE, 1, p.now);
    peer_sends(&p, "UPA urg 5 len 10");
    assert_int_equal(out_of_band(&p, socket, 0), -EINVAL);
    assert_int_equal(opened_reads(&p, socket, p.seq, 4), 4);
    assert_int_equal(tcp_urgent(p.tcp, socket), 0);
    assert_int_equal(reads(&p, socket, BERTH_MSG_PEEK), 6); /* it and what follows, in one go */
    assert_int_equal(opened_reads(&p, socket, p.seq + 4, 100), 6);
    assert_int_equal(tcp_urgent(p.tcp, socket), -EINVAL);
    peer_end(&p);
}

/* MUST-31: the pointer may be far ahead; the octet is waited for. It moves on, never back.
 * [MUST-32] */
static void far_ahead(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, ""), start = p.seq;
    peer_sends(&p, "UA urg 5000");
    assert_true(peer_events(&p, socket) & BERTH_URGENT);
    assert_int_equal(out_of_band(&p, socket, 0), -EAGAIN);
    for (unsigned i = 0; i < 4; i++) {
        peer_sends(&p, "UPA urg %u len 1000", 5000 - 1000 * i);
        p.seq += 1000;
    }
    assert_int_equal(peer_events(&p, socket) & BERTH_URGENT, 0);
    assert_int_equal(tcp_urgent(p.tcp, socket), 4999);
    peer_sends(&p, "UPA urg 10 len 10"); /* back: no */
    p.seq += 10;
    assert_int_equal(tcp_urgent(p.tcp, socket), 4999);
    peer_sends(&p, "UPA urg 2000 len 10"); /* on: yes */
    p.seq += 10;
    assert_true(peer_events(&p, socket) & BERTH_URGENT);
    assert_int_equal(tcp_urgent(p.tcp, socket), 4010 + 1999);
    assert_int_equal(opened_reads(&p, socket, start, 10000), 4020);
    peer_end(&p);
}

/* Pointers that mean nothing (WinNuke, URGENT/11): zero, behind what was read, with a FIN, after
 * one. */
static void strange_pointers(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, ""), start = p.seq;
    peer_sends(&p, "UPA urg 0 len 10");
    p.seq += 10;
    assert_int_equal(tcp_urgent(p.tcp, socket), -EINVAL);
    peer_sends(&p, "UPA seq %u urg 3 len 10", start);
    assert_int_equal(tcp_urgent(p.tcp, socket), -EINVAL);
    peer_sends(&p, "UPFA urg 65535 len 10");
    opened_drains(&p);
    assert_int_equal(opened_reads(&p, socket, start, 100), 20);
    assert_int_equal(opened_end(&p, socket), 0);
    peer_sends(&p, "UA seq %u urg 5", p.seq + 11);
    assert_int_equal(opened_end(&p, socket), 0);
    tcp_close(p.tcp, socket, p.now);
    opened_drains(&p);
    peer_end(&p);
}

/* A borrowed run ends before the urgent octet; the next holds it alone, in line or not. */
static void borrowed(void **state) {
    (void)state;
    for (int in_line = 0; in_line < 2; in_line++) {
        struct peer p;
        struct berth_part parts[8];
        uint32_t socket = opened(&p, 4, "");
        static const unsigned runs[] = {4, 1, 5};
        tcp_set_option(p.tcp, socket, BERTH_SO_OOBINLINE, in_line, p.now);
        peer_sends(&p, "UPA urg 5 len 10");
        for (unsigned i = 0; i < 3; i++) {
            uint32_t length = 0;
            int count = tcp_borrow(p.tcp, socket, parts, 8);
            for (int j = 0; j < count; j++)
                length += parts[j].length;
            assert_int_equal(length, runs[i]);
            assert_int_equal(tcp_urgent(p.tcp, socket), i == 0 ? 4 : i == 1 ? 0 : -EINVAL);
            assert_int_equal(tcp_give_back(p.tcp, socket, length, p.now), 0);
        }
        assert_int_equal(tcp_borrow(p.tcp, socket, parts, 8), -EAGAIN);
        assert_int_equal(tcp_give_back(p.tcp, socket, 1, p.now), -EINVAL);
        peer_end(&p);
    }
}

/* What we send: the pointer is just behind the octet (MUST-62), on all segments before it, and on
 * probes of a closed window; Nagle does not hold it. [MUST-30, SHLD-13] */
static void sent(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 10, 0);
    peer_gets(&p, "PA len 10");
    opened_writes(&p, socket, 3, BERTH_MSG_OOB);
    peer_gets(&p, "UPA urg 3 len 3");
    peer_silent(&p);
    opened_acks(&p, socket);
    opened_writes(&p, socket, 2500, BERTH_MSG_OOB);
    peer_gets(&p, "UA urg 2500 len 1000");
    peer_gets(&p, "UA urg 1500 len 1000");
    peer_gets(&p, "UPA urg 500 len 500");
    p.win = 0;
    opened_acks(&p, socket);
    peer_silent(&p);
    opened_writes(&p, socket, 100, 0);
    opened_writes(&p, socket, 1, BERTH_MSG_OOB);
    peer_silent(&p);
    peer_waits(&p, 300 * BERTH_MS);
    peer_gets(&p, "UA seq %u urg 102 len 0", p.ack - 1);
    peer_sends(&p, "A win 1000");
    peer_gets(&p, "UPA urg 101 len 101");
    p.win = 1000;
    opened_acks(&p, socket);
    opened_writes(&p, socket, 1, 0);
    peer_waits(&p, BERTH_SECOND);
    peer_gets(&p, "PA len 1");
    peer_end(&p);
    /* As far ahead as 16 bits can say. */
    socket = opened(&p, 4, "mss 1000");
    opened_writes(&p, socket, 66000, BERTH_MSG_OOB);
    peer_gets(&p, "UA urg 65535 len 1000");
    peer_gets(&p, "UA urg 65000 len 1000");
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_octet),        cmocka_unit_test(in_line),  cmocka_unit_test(far_ahead),
        cmocka_unit_test(strange_pointers), cmocka_unit_test(borrowed), cmocka_unit_test(sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
