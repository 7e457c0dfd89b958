/* ACKs that may not wait: RFC 5681 4.2. */
#include "test/unit/tcp/opened.h"

/* One segment alone is acknowledged late: no quick ACKs are left from the beginning. */
static void delays(struct peer *p) {
    do {
        peer_sends(p, "A len 10");
        p->seq += 10;
    } while (peer_pull(p));
    peer_waits(p, 40 * BERTH_MS);
    peer_gets(p, "A ack %u", p->seq);
}

/* 5681-7: what comes ahead of a gap, what fills the gap, in all or in part, and what comes again is
 * acknowledged at once. */
static void at_once(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct peer p;
        opened(&p, family, "mss 1000");
        delays(&p);
        uint32_t start = p.seq;
        peer_sends(&p, "A seq %u len 100", start + 100); /* ahead */
        peer_gets(&p, "A ack %u", start);
        peer_sends(&p, "A seq %u len 100", start + 300); /* further ahead */
        peer_gets(&p, "A ack %u", start);
        peer_sends(&p, "A seq %u len 50", start); /* fills a part of the first gap */
        peer_gets(&p, "A ack %u", start + 50);
        peer_sends(&p, "A seq %u len 50", start + 50); /* and the rest */
        peer_gets(&p, "A ack %u", start + 200);
        peer_sends(&p, "A seq %u len 100", start + 200); /* and the second */
        peer_gets(&p, "A ack %u", start + 400);
        peer_sends(&p, "A seq %u len 100", start + 100); /* again */
        peer_gets(&p, "A ack %u", start + 400);
        peer_silent(&p);
        peer_end(&p);
    }
}

/* SHLD-18, SHLD-19: after a gap some ACKs go at once, as Linux does it (the peer's window is small
 * then), but not for ever: then a small segment's waits again. */
static void delayed_again(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "mss 1000");
    delays(&p);
    peer_sends(&p, "A seq %u len 10", p.seq + 10);
    peer_gets(&p, "A ack %u", p.seq);
    peer_sends(&p, "A len 10");
    p.seq += 20;
    peer_gets(&p, "A ack %u", p.seq);
    unsigned quick = 0;
    for (bool late = false; !late; quick++) {
        peer_sends(&p, "A len 10");
        p.seq += 10;
        late = !peer_pull(&p);
        assert_true(quick < 20);
    }
    assert_true(quick > 1);
    peer_silent_until(&p, p.now + 40 * BERTH_MS);
    peer_gets(&p, "A ack %u", p.seq);
    assert_int_equal(peer_state(&p, socket), BERTH_ESTABLISHED);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(at_once), cmocka_unit_test(delayed_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
