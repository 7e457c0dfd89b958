/* What is in flight, over random losses: RFC 5681 3.1; what is sent again: RFC 2525 2.4. */
#include "test/unit/tcp/opened.h"

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

/* 5681-9: no new octet beyond the window that the peer has offered, and in flight never more than
 * the congestion window and what limited transmit adds (3042-1: two segments). 2525-4: the same
 * octets at the same place, however often. */
static void bounded(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 6; seed++) {
        struct peer p;
        uint32_t random = seed, edge, resent = 0;
        uint32_t socket = opened(&p, seed % 2 ? 4 : 6, "mss 1000");
        struct tcp_connection *c = tcp_at(p.tcp, socket);
        uint32_t first = p.ack, lost = 0;
        bool gap = false;
        edge = p.ack + 65535;
        for (unsigned i = 0; i < 3000; i++) {
            if (c->active && c->active->send.length < 100000)
                opened_writes(&p, socket, 50000, 0);
            else if (!c->active)
                opened_writes(&p, socket, 50000, 0);
            while (peer_pull(&p)) {
                uint32_t most = tcp_snd_max(c);
                if (p.got.length == 0)
                    continue;
                assert_true(seq_le(p.got.seq + p.got.length, edge));
                for (uint32_t j = 0; j < p.got.length; j++)
                    assert_int_equal(p.payload[j], (uint8_t)(p.got.seq + j));
                if (p.got.seq + p.got.length == most)
                    assert_true(most - c->snd_una <= c->cwnd + 2u * c->mss);
                else
                    resent++;
                if (!gap && p.got.seq == p.ack && next_random(&random) % 40 == 0) {
                    lost = p.got.seq;
                    gap = true;
                } else if (gap && p.got.seq == lost) {
                    gap = false;
                    p.ack = most;
                } else if (!gap) {
                    p.ack = seq_max(p.ack, p.got.seq + p.got.length);
                }
                uint32_t room = 3000 + next_random(&random) % 60000;
                room = seq_lt(p.ack + room, edge) ? edge - p.ack : room; /* it does not shrink */
                room = room > 65535 ? 65535 : room;
                edge = seq_max(edge, p.ack + room);
                if (next_random(&random) % 8)
                    peer_sends(&p, "A win %u", gap ? edge - p.ack : room);
            }
            peer_waits(&p, next_random(&random) % 50 * BERTH_MS);
        }
        assert_true(resent > 10);
        assert_true(p.ack - first > 1000000);
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
