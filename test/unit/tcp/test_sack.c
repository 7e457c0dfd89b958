/* Selective acknowledgment, the receiver's half: RFC 2018 sections 2 to 4, D-SACK of RFC 2883. */
#include "test/unit/tcp/opened.h"

/* The peer sends segment n (of 1000 octets, counted from p.seq). */
static void segment(struct peer *p, uint32_t n) {
    peer_sends(p, "A seq %u len 1000", p->seq + n * 1000);
}

/* RFC 2018 section 2: permitted in a SYN,ACK only if the SYN permitted it; not at all when it is
 * switched off (Linux net.ipv4.tcp_sack). [2018-1] */
static void negotiated(void **state) {
    (void)state;
    for (unsigned ours = 0; ours < 2; ours++)
        for (unsigned theirs = 0; theirs < 2; theirs++) {
            struct peer p;
            peer_config(&p);
            p.config.tcp_sack = (uint8_t)ours;
            peer_start(&p, 4);
            uint32_t listener = peer_listener(&p, 5);
            peer_sends(&p, "S seq 100 mss 1000%s", theirs ? " sackok" : "");
            peer_gets(&p, ours && theirs ? "SA sackok" : "SA nosackok");
            p.seq = 101;
            p.ack = p.got.seq + 1;
            peer_sends(&p, "A");
            uint32_t accepted = peer_accepts(&p, listener);
            assert_int_equal(tcp_at(p.tcp, accepted)->sack, ours && theirs);
            segment(&p, 1);
            if (ours && theirs)
                peer_gets(&p, "A ack 101 sack 1101 2101");
            else
                peer_gets(&p, "A ack 101 nosack");

            p.tuple.remote_port++;
            uint32_t socket = peer_connects(&p);
            peer_gets(&p, ours ? "S sackok" : "S nosackok");
            peer_sends(&p, "SA seq 100 ack %u mss 1000%s", p.got.seq + 1, theirs ? " sackok" : "");
            assert_int_equal(tcp_at(p.tcp, socket)->sack, ours && theirs);
            peer_gets(&p, "A");
            peer_end(&p);
        }
}

/* RFC 2018 section 4: the first block holds the segment that triggered the ACK, whole; the others
 * repeat those reported most recently; as many as fit: 4, or 3 beside timestamps. [2018-2] */
static void blocks(void **state) {
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct peer p;
        opened(&p, timestamps ? 6 : 4, timestamps ? "mss 1000 sackok ts 1 0" : "mss 1000 sackok");
        uint32_t s = p.seq;
        const char *ts = timestamps ? " ts 1 0" : "";
        peer_sends(&p, "A seq %u len 1000%s", s + 1000, ts);
        peer_gets(&p, "A ack %u sack %u %u", s, s + 1000, s + 2000);
        peer_sends(&p, "A seq %u len 1000%s", s + 3000, ts);
        peer_gets(&p, "A ack %u sack %u %u sack %u %u", s, s + 3000, s + 4000, s + 1000, s + 2000);
        peer_sends(&p, "A seq %u len 1000%s", s + 7000, ts);
        peer_gets(&p, "A sack %u %u sack %u %u sack %u %u", s + 7000, s + 8000, s + 3000, s + 4000,
                  s + 1000, s + 2000);
        peer_sends(&p, "A seq %u len 1000%s", s + 5000, ts);
        if (timestamps)
            peer_gets(&p, "A sack %u %u sack %u %u sack %u %u", s + 5000, s + 6000, s + 7000,
                      s + 8000, s + 3000, s + 4000);
        else
            peer_gets(&p, "A sack %u %u sack %u %u sack %u %u sack %u %u", s + 5000, s + 6000,
                      s + 7000, s + 8000, s + 3000, s + 4000, s + 1000, s + 2000);
        /* A segment between two blocks makes one of them. */
        peer_sends(&p, "A seq %u len 1000%s", s + 2000, ts);
        peer_gets(&p, "A sack %u %u sack %u %u sack %u %u", s + 1000, s + 4000, s + 5000, s + 6000,
                  s + 7000, s + 8000);
        /* What is in order now is not reported any more. */
        peer_sends(&p, "A seq %u len 1000%s", s, ts);
        peer_gets(&p, "A ack %u sack %u %u sack %u %u", s + 4000, s + 5000, s + 6000, s + 7000,
                  s + 8000);
        peer_sends(&p, "A seq %u len 1000%s", s + 4000, ts);
        peer_gets(&p, "A ack %u sack %u %u", s + 6000, s + 7000, s + 8000);
        peer_sends(&p, "A seq %u len 1000%s", s + 6000, ts);
        peer_gets(&p, "A ack %u nosack", s + 8000);
        peer_silent(&p);
        peer_end(&p);
    }
}

/* One pull answers a batch, and each of its ACKs begins with its own segment's block, so that none
 * is reported too seldom. [2018-2] */
static void a_batch(void **state) {
    (void)state;
    struct peer p;
    opened(&p, 4, "mss 1000 sackok");
    uint32_t s = p.seq;
    for (uint32_t n = 1; n <= 11; n += 2)
        segment(&p, n);
    for (uint32_t n = 1; n <= 11; n += 2) {
        assert_true(peer_pull(&p));
        assert_int_equal(p.got.ack, s);
        assert_int_equal(p.got.options.sack_count, 4);
        assert_int_equal(p.got.options.sack[0].left, s + n * 1000);
    }
    peer_silent(&p);
    peer_end(&p);
}

/* A FIN ahead of a gap is held too, and reported like an octet. */
static void fin_ahead(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000 sackok");
    uint32_t s = p.seq;
    peer_sends(&p, "AF seq %u len 1000", s + 1000);
    peer_gets(&p, "A ack %u sack %u %u", s, s + 1000, s + 2001);
    segment(&p, 0);
    peer_gets(&p, "A ack %u nosack", s + 2001);
    assert_int_equal(peer_state(&p, socket), BERTH_CLOSE_WAIT);
    peer_silent(&p);
    peer_end(&p);

    opened(&p, 4, "mss 1000 sackok");
    s = p.seq;
    peer_sends(&p, "AF seq %u", s + 1000);
    peer_gets(&p, "A ack %u sack %u %u", s, s + 1000, s + 1001);
    peer_end(&p);
}

/* RFC 2883 section 4: octets that came twice are the first block of one ACK, and of one only:
 * below the cumulative ACK (4.1), partly below it, and within a block, which is the second (4.1.2).
 * [2883-1] */
static void duplicates(void **state) {
    (void)state;
    struct peer p;
    opened(&p, 4, "mss 1000 sackok");
    uint32_t s = p.seq;
    segment(&p, 0);
    peer_silent(&p);
    segment(&p, 0);
    peer_gets(&p, "A ack %u sack %u %u", s + 1000, s, s + 1000);
    peer_sends(&p, "A seq %u len 1000", s + 500);
    peer_gets(&p, "A ack %u sack %u %u", s + 1500, s + 500, s + 1000);
    peer_sends(&p, "A seq %u len 1000", s + 3000);
    peer_gets(&p, "A ack %u sack %u %u", s + 1500, s + 3000, s + 4000);
    peer_sends(&p, "A seq %u len 1000", s + 5000);
    peer_gets(&p, "A sack %u %u sack %u %u", s + 5000, s + 6000, s + 3000, s + 4000);
    peer_sends(&p, "A seq %u len 500", s + 3000);
    peer_gets(&p, "A ack %u sack %u %u sack %u %u sack %u %u", s + 1500, s + 3000, s + 3500,
              s + 3000, s + 4000, s + 5000, s + 6000);
    /* 4.1.1 with a gap: part of it new, and reported in what it has grown to. */
    peer_sends(&p, "A seq %u len 1000", s + 3500);
    peer_gets(&p, "A ack %u sack %u %u sack %u %u sack %u %u", s + 1500, s + 3500, s + 4000,
              s + 3000, s + 4500, s + 5000, s + 6000);
    peer_sends(&p, "A seq %u len 10", s + 7000);
    peer_gets(&p, "A sack %u %u sack %u %u sack %u %u", s + 7000, s + 7010, s + 3000, s + 4500,
              s + 5000, s + 6000);
    peer_silent(&p);
    peer_end(&p);
}

/* RFC 2018 section 4: segments with octets report too; their octets make room, and no segment
 * grows beyond the MSS (RFC 6691). [MUST-16, 2525-18] */
static void beside_octets(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000 sackok ts 1 0");
    uint32_t s = p.seq;
    peer_sends(&p, "A seq %u len 1000 ts 1 0", s + 1000);
    peer_sends(&p, "A seq %u len 1000 ts 1 0", s + 3000);
    opened_writes(&p, socket, 3000, 0);
    uint32_t ack = p.ack;
    for (unsigned i = 0; i < 3; i++) {
        peer_gets(&p, "A seq %u len %u sack %u %u sack %u %u", ack, 1000 - 12 - 20,
                  s + (i ? 3000 : 1000), s + (i ? 4000 : 2000), s + (i ? 1000 : 3000),
                  s + (i ? 2000 : 4000));
        ack += p.got.length;
        if (i == 0) { /* two bare ACKs are owed; this segment took none of them */
            assert_int_equal(opened_active(&p, socket)->duplicates, 2);
            opened_active(&p, socket)->duplicates = 0;
        }
    }
    peer_gets(&p, "AP seq %u len %u", ack, 3000 - 3 * 968);
    peer_silent(&p);
    peer_end(&p);

    /* The smallest segments keep half of their room for octets. */
    socket = opened(&p, 4, "mss 48 sackok ts 1 0");
    s = p.seq;
    peer_sends(&p, "A seq %u len 10 ts 1 0", s + 1000);
    peer_sends(&p, "A seq %u len 10 ts 1 0", s + 2000);
    opened_writes(&p, socket, 24, 0);
    peer_gets(&p, "AP len 24 sack %u %u", s + 1000, s + 1010);
    peer_end(&p);
}

/* What is dropped under memory pressure is not reported any more (RFC 2018 section 8). [2018-3] */
static void pruned(void **state) {
    (void)state;
    struct peer p;
    peer_config(&p);
    p.config.memory_limit = 100000;
    uint32_t socket = opened_start(&p, 4, "mss 1000 sackok");
    uint32_t s = p.seq;
    segment(&p, 1);
    segment(&p, 3);
    peer_gets(&p, "A sack %u %u sack %u %u", s + 1000, s + 2000, s + 3000, s + 4000);
    peer_gets(&p, "A sack %u %u sack %u %u", s + 3000, s + 4000, s + 1000, s + 2000);
    p.tcp->memory += 200000;
    segment(&p, 5);
    p.tcp->memory -= 200000;
    peer_gets(&p, "A ack %u nosack", s);
    assert_int_equal(opened_active(&p, socket)->run_count, 0);
    peer_end(&p);
}

/* Hostile: thousands of tiny segments apart from one another. The blocks stay few and true. */
static void crumbs(void **state) {
    (void)state;
    struct peer p;
    opened(&p, 4, "mss 1000 sackok");
    uint32_t s = p.seq;
    for (uint32_t n = 1; n < 20000; n++) {
        uint32_t at = s + n * 7919 % 65000 / 3 * 3 + 1;
        peer_sends(&p, "A seq %u len 1", at);
        while (peer_pull(&p)) {
            assert_in_range(p.got.options.sack_count, 1, 4);
            for (unsigned b = 0; b < p.got.options.sack_count; b++) {
                assert_int_equal(p.got.options.sack[b].right, p.got.options.sack[b].left + 1);
                assert_true(seq_gt(p.got.options.sack[b].left, s));
            }
        }
    }
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negotiated), cmocka_unit_test(blocks),     cmocka_unit_test(a_batch),
        cmocka_unit_test(fin_ahead),  cmocka_unit_test(duplicates), cmocka_unit_test(beside_octets),
        cmocka_unit_test(pruned),     cmocka_unit_test(crumbs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
