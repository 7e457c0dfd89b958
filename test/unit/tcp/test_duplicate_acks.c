/* The receiver's half of fast retransmit: the peer counts duplicate ACKs, so a batch of segments
 * must not shrink them to one (RFC 5681 4.2). */
#include "test/unit/tcp/peer.h"

/* [5681-7, MAY-13] */
static void one_for_each_segment_of_a_batch(void **state) {
    (void)state;
    static const uint32_t isns[] = {1000, 0xfffff000};
    for (unsigned i = 0; i < 2; i++) {
        struct peer p;
        peer_setup(&p, 4);
        uint32_t listener = peer_listener(&p, 5);
        peer_establishes(&p, listener, isns[i], "mss 1000");
        for (uint32_t n = 1; n <= 5; n++)
            peer_sends(&p, "A seq %u len 1000", p.seq + n * 1000);
        for (int n = 0; n < 5; n++)
            peer_gets(&p, "A ack %u len 0", p.seq);
        peer_silent(&p);
        peer_end(&p);
    }
}

static void none_once_the_gap_is_filled(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    peer_establishes(&p, listener, 1000, "mss 1000");
    for (uint32_t n = 1; n <= 3; n++)
        peer_sends(&p, "A seq %u len 1000", p.seq + n * 1000);
    peer_sends(&p, "A seq %u len 1000", p.seq);
    peer_gets(&p, "A ack %u len 0", p.seq + 4000);
    peer_silent(&p);
    /* a second gap in the same batch starts its own count */
    p.seq += 4000;
    peer_sends(&p, "A seq %u len 1000", p.seq + 1000);
    peer_sends(&p, "A seq %u len 1000", p.seq);
    peer_sends(&p, "A seq %u len 1000", p.seq + 3000);
    peer_sends(&p, "A seq %u len 1000", p.seq + 4000);
    for (int n = 0; n < 3; n++) /* the first of them is no duplicate */
        peer_gets(&p, "A ack %u len 0", p.seq + 2000);
    peer_silent(&p);
    peer_end(&p);
}

/* What came in order before the gap is acknowledged first, and that is no duplicate. */
static void the_first_ack_does_not_count(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5);
    peer_establishes(&p, listener, 1000, "mss 1000");
    for (uint32_t n = 0; n < 5; n++)
        if (n != 2)
            peer_sends(&p, "A seq %u len 1000", p.seq + n * 1000);
    for (int n = 0; n < 3; n++)
        peer_gets(&p, "A ack %u len 0", p.seq + 2000);
    peer_silent(&p);
    peer_end(&p);
}

/* Data carries an ACK, but the peer counts only bare ones. */
static void data_does_not_take_their_place(void **state) {
    (void)state;
    struct peer p;
    peer_setup(&p, 4);
    uint32_t listener = peer_listener(&p, 5),
             socket = peer_establishes(&p, listener, 1000, "mss 1000");
    peer_sends(&p, "A seq %u len 1000", p.seq + 1000);
    peer_sends(&p, "A seq %u len 1000", p.seq + 2000);
    assert_int_equal(tcp_send(p.tcp, socket, "octets", 6, 0, p.now), 6);
    peer_gets(&p, "AP ack %u len 6", p.seq);
    peer_gets(&p, "A ack %u len 0", p.seq);
    peer_gets(&p, "A ack %u len 0", p.seq);
    peer_silent(&p);
    peer_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_each_segment_of_a_batch),
        cmocka_unit_test(none_once_the_gap_is_filled),
        cmocka_unit_test(the_first_ack_does_not_count),
        cmocka_unit_test(data_does_not_take_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
