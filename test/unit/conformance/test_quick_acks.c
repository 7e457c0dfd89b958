/* ACKs that may not wait: RFC 5681 4.2. */
#include "test/unit/tcp/opened.h"

/* 5681-7: what comes ahead of a gap, what fills the gap, in all or in part, and what comes again is
 * acknowledged at once. */
static void at_once(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct peer p;
        opened(&p, family, "mss 1000");
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
