/* Quick ACKs as Linux sends them: at a connection's beginning, and wherever no answers go that an
 * ACK could ride on. Two small writes and then a read (with Nagle's algorithm the second waits for
 * the first one's ACK) must not cost 40 ms where they do not on Linux. */
#include "test/unit/tcp/opened.h"

/* A new connection, its handshake over and no more. */
static uint32_t fresh(struct peer *p, int family) {
    peer_config(p);
    peer_start(p, family);
    uint32_t socket = peer_establishes(p, peer_listener(p, 5), 0xfffffff0u, "mss 1460 ts 1 0");
    peer_silent(p);
    return socket;
}

static void come(struct peer *p, unsigned length) {
    peer_sends(p, "PA ts 1 %u len %u", tcp_ts_now(p->tcp, tcp_at(p->tcp, 2)), length);
    p->seq += length;
}

/* Write, write, read: both parts of the first request are acknowledged at once. From the answer on
 * ACKs wait for answers; one that waited in vain ends that. SHLD-18 */
static void write_write_read(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct peer p;
        uint32_t socket = fresh(&p, family);
        assert_int_equal(socket, 2);
        for (unsigned part = 0; part < 2; part++) {
            come(&p, 10);
            peer_gets(&p, "A ack %u", p.seq);
            peer_waits(&p, BERTH_MS);
        }
        opened_reads(&p, socket, p.seq - 20, 100);
        opened_writes(&p, socket, 100, 0);
        peer_gets(&p, "PA len 100");
        p.ack += 100;
        /* The second request: its first part waits for an answer, as on Linux. */
        come(&p, 10);
        opened_reads(&p, socket, p.seq - 10, 100);
        peer_silent(&p);
        peer_silent_until(&p, p.now + 40 * BERTH_MS);
        peer_gets(&p, "A ack %u", p.seq);
        come(&p, 10); /* in vain: the other part goes at once */
        peer_gets(&p, "A ack %u", p.seq);
        opened_reads(&p, socket, p.seq - 10, 100);
        opened_writes(&p, socket, 100, 0);
        peer_gets(&p, "PA len 100");
        p.ack += 100;
        /* Two parts without Nagle's algorithm: reading both acknowledges them. */
        come(&p, 10);
        come(&p, 10);
        peer_silent(&p);
        opened_reads(&p, socket, p.seq - 20, 100);
        peer_gets(&p, "A ack %u", p.seq);
        peer_end(&p);
    }
}

/* Sixteen ACKs; then the usual ones: each second full segment, a small one late, or when it is
 * read. SHLD-18, SHLD-19 */
static void sixteen(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = fresh(&p, 4), start = p.seq;
    for (unsigned i = 0; i < 16; i++) {
        come(&p, 1448);
        peer_gets(&p, "A ack %u", p.seq);
    }
    for (unsigned i = 0; i < 4; i++) {
        come(&p, 1448);
        peer_silent(&p);
        come(&p, 1448);
        peer_gets(&p, "A ack %u", p.seq);
    }
    come(&p, 100);
    peer_silent(&p);
    opened_reads(&p, socket, start, 1000); /* not all */
    peer_silent(&p);
    opened_reads(&p, socket, start + 1000, 100000);
    peer_gets(&p, "A ack %u", p.seq);
    come(&p, 100);
    peer_silent(&p);
    come(&p, 1448); /* more than a full segment in all */
    peer_gets(&p, "A ack %u", p.seq);
    /* Without PSH more is to come. */
    opened_reads(&p, socket, p.seq - 1548, 100000);
    opened_drains(&p);
    peer_sends(&p, "A ts 1 1 len 100");
    p.seq += 100;
    opened_reads(&p, socket, p.seq - 100, 1000);
    peer_silent(&p);
    peer_silent_until(&p, p.now + 40 * BERTH_MS);
    peer_gets(&p, "A ack %u", p.seq);
    /* A rest of more than an RTO: it begins as at first. */
    peer_waits(&p, BERTH_SECOND);
    come(&p, 100);
    peer_gets(&p, "A ack %u", p.seq);
    peer_end(&p);
}

/* An answer long after the request is none for an ACK to ride on; nor are writes to a peer that has
 * sent nothing. */
static void late_answers(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = fresh(&p, 4);
    come(&p, 10);
    peer_gets(&p, "A ack %u", p.seq);
    opened_reads(&p, socket, p.seq - 10, 100);
    peer_waits(&p, 41 * BERTH_MS);
    opened_writes(&p, socket, 100, 0);
    peer_gets(&p, "PA ack %u len 100", p.seq);
    p.ack += 100;
    peer_sends(&p, "A ts 1 %u", tcp_ts_now(p.tcp, tcp_at(p.tcp, socket)));
    opened_writes(&p, socket, 100, 0);
    peer_gets(&p, "PA ack %u len 100", p.seq);
    p.ack += 100;
    come(&p, 10);
    peer_gets(&p, "A ack %u", p.seq);
    peer_end(&p);
}

/* TCP_QUICKACK reads as what is done, and is not for ever. */
static void option(void **state) {
    (void)state;
    struct peer p;
    int quick;
    uint32_t socket = fresh(&p, 4);
    tcp_get_option(p.tcp, socket, BERTH_TCP_QUICKACK, &quick);
    assert_int_equal(quick, 1);
    assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_TCP_QUICKACK, 0, p.now), 0);
    tcp_get_option(p.tcp, socket, BERTH_TCP_QUICKACK, &quick);
    assert_int_equal(quick, 0);
    come(&p, 10);
    peer_silent(&p);
    assert_int_equal(tcp_set_option(p.tcp, socket, BERTH_TCP_QUICKACK, 7, p.now), 0);
    peer_gets(&p, "A ack %u", p.seq); /* the one that was owed */
    come(&p, 10);
    peer_gets(&p, "A ack %u", p.seq);
    opened_writes(&p, socket, 100, 0); /* an answer */
    peer_gets(&p, "PA len 100");
    p.ack += 100;
    tcp_get_option(p.tcp, socket, BERTH_TCP_QUICKACK, &quick);
    assert_int_equal(quick, 0);
    come(&p, 10);
    peer_silent(&p);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_write_read),
        cmocka_unit_test(sixteen),
        cmocka_unit_test(late_answers),
        cmocka_unit_test(option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
