/* Memory: allocation failing at every call of a whole exchange, what is left after it, and what an
 * idle connection holds. */
#include "test/unit/tcp/opened.h"

/* A peer that does as it should, whatever it gets; what it could not get it asks for again. Plays
 * a whole life of a connection. Everything may fail, but cleanly. Returns true if all went well. */
static bool exchange(struct peer *p, bool active) {
    uint32_t listener = 0, socket = 0, generation;
    uint8_t octets[3000] = {0};
    struct berth_endpoint local = {p->tuple.local, 80}, remote = {p->tuple.remote, 40000};
    bool accepted = false;
    int result = tcp_open(p->tcp, 4, active ? &socket : &listener, &generation);
    if (result != 0) {
        assert_int_equal(result, -ENOMEM);
        return false;
    }
    if (active) {
        result = tcp_connect(p->tcp, socket, &p->tuple.local, 1, &remote, p->now);
        if (result != -EINPROGRESS) {
            assert_true(result == -ENOMEM || result == -EADDRNOTAVAIL);
            tcp_close(p->tcp, socket, p->now);
            return false;
        }
        tcp_local(p->tcp, socket, &local);
        p->tuple.local_port = local.port;
        for (unsigned i = 0; i < 4 && !peer_pull(p); i++)
            peer_waits(p, BERTH_SECOND);
        p->ack = p->got.seq + 1;
        peer_sends(p, "SA seq 100 mss 1000");
    } else {
        if (tcp_bind(p->tcp, listener, &local) != 0 || tcp_listen(p->tcp, listener, 5) != 0) {
            tcp_close(p->tcp, listener, p->now);
            return false;
        }
        for (unsigned i = 0; i < 3 && p->got.seq == 0; i++) {
            peer_sends(p, "S seq 100 ack 0 mss 1000");
            opened_drains(p);
        }
        p->ack = p->got.seq + 1;
        peer_sends(p, "A seq 101");
        accepted = tcp_accept(p->tcp, listener, &socket) == 0;
        if (!accepted) {
            tcp_close(p->tcp, listener, p->now);
            return false;
        }
    }
    p->seq = 101;
    opened_drains(p);
    ssize_t sent = tcp_send(p->tcp, socket, octets, sizeof octets, 0, p->now);
    assert_true(sent == -ENOMEM || sent == sizeof octets || sent == -EAGAIN || sent == -EPIPE ||
                sent == -ECONNREFUSED);
    peer_sends(p, "UPA seq 1101 urg 3 len 1000");
    peer_sends(p, "FA seq 2101 len 500");
    opened_drains(p);
    peer_sends(p, "PA seq 101 len 1000");
    opened_drains(p);
    struct berth_part parts[4];
    tcp_borrow(p->tcp, socket, parts, 4);
    while (tcp_receive(p->tcp, socket, octets, sizeof octets, 0, p->now) > 0)
        ;
    peer_sends(p, "FA seq 101 len 2500");
    opened_drains(p);
    tcp_set_option(p->tcp, socket, BERTH_IP_TOS, 8, p->now);
    peer_waits(p, 2 * BERTH_SECOND);
    opened_drains(p);
    while (tcp_receive(p->tcp, socket, octets, sizeof octets, 0, p->now) > 0)
        ;
    if (tcp_at(p->tcp, socket)->state != BERTH_TCP_CLOSED)
        peer_sends(p, "A seq 2602 ack %u", tcp_snd_max(tcp_at(p->tcp, socket)));
    tcp_close(p->tcp, socket, p->now);
    opened_drains(p);
    if (listener)
        tcp_close(p->tcp, listener, p->now);
    return true;
}

/* However the call ends, time passes without a hang, and in the end nothing is held. */
static void failing(void **state) {
    (void)state;
    for (unsigned active = 0; active < 2; active++)
        for (size_t n = 0;; n++) {
            struct peer p;
            assert_true(n < 500);
            peer_setup(&p, 4);
            size_t calls = p.counting.calls;
            counting_fail_after(&p.counting, n);
            bool went_well = exchange(&p, active);
            bool all = p.counting.calls - calls < n;
            peer_waits(&p, BERTH_SECOND);
            counting_recover(&p.counting);
            for (unsigned i = 0; i < 30; i++) {
                peer_waits(&p, 100 * BERTH_SECOND);
                opened_drains(&p);
            }
            assert_int_equal(p.tcp->connections.used, 0);
            assert_int_equal(p.tcp->actives.used, 0);
            assert_int_equal(p.tcp->half_opens.used, 0);
            assert_int_equal(ports_connections(tcp_ports(p.tcp)), 0);
            assert_int_equal(p.tcp->memory, 0);
            peer_end(&p);
            if (all) {
                assert_true(went_well);
                break;
            }
        }
}

/* A write that was taken is sent, even if there was no memory to remember that it should be. */
static void taken_is_sent(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    connection_activate(p.tcp, tcp_at(p.tcp, socket));
    for (size_t n = 0; n < 6; n++) {
        ring_clear(&p.tcp->output);
        counting_fail_after(&p.counting, n);
        ssize_t sent = tcp_send(p.tcp, socket, "octets", 6, 0, p.now);
        counting_recover(&p.counting);
        if (sent < 0)
            continue;
        uint64_t end = p.now + BERTH_SECOND;
        while (!peer_pull(&p)) {
            assert_true(p.now < end);
            peer_waits(&p, 10 * BERTH_MS);
        }
        assert_int_equal(p.got.length, 6);
        opened_acks(&p, socket);
        opened_drains(&p);
    }
    peer_end(&p);
}

/* A keep-alive that is due when memory is out waits; time goes on. [MUST-29] */
static void keepalive_without_memory(void **state) {
    (void)state;
    struct peer p;
    uint32_t socket = opened(&p, 4, "");
    pool_clear(&p.tcp->actives);
    tcp_set_option(p.tcp, socket, BERTH_SO_KEEPALIVE, 1, p.now);
    counting_fail_after(&p.counting, 0);
    size_t before = p.counting.calls;
    peer_waits(&p, 7300 * BERTH_SECOND);
    peer_silent(&p);
    assert_in_range(p.counting.calls - before, 50, 200); /* it is tried once a second */
    counting_recover(&p.counting);
    peer_waits(&p, 2 * BERTH_SECOND);
    peer_gets(&p, "A seq %u", p.ack - 1);
    peer_end(&p);
}

/* numbers: 144 octets idle, 64 half-open, 64 in TIME-WAIT; an idle connection holds nothing more,
 * also after a busy life. */
static void idle(void **state) {
    (void)state;
    struct peer p;
    assert_int_equal(sizeof(struct tcp_connection), 144);
    assert_int_equal(sizeof(struct tcp_half_open), 64);
    assert_int_equal(sizeof(struct tcp_time_wait), 64);
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        uint32_t socket = opened(&p, 4, timestamps ? "mss 1000 ts 1 0" : "mss 1000");
        const char *ts = timestamps ? " ts 5 0" : "";
        for (unsigned i = 0; i < 20; i++) {
            opened_writes(&p, socket, 100000, 0);
            while (peer_pull(&p)) {
                p.ack = p.got.seq + p.got.length;
                peer_sends(&p, "A%s", ts);
            }
            uint32_t start = p.seq;
            for (unsigned j = 0; j < 30; j++) {
                peer_sends(&p, "PA len 1000%s", ts);
                p.seq += 1000;
                opened_drains(&p);
            }
            assert_int_equal(opened_reads(&p, socket, start, 100000), 30000);
            opened_drains(&p);
        }
        peer_waits(&p, BERTH_SECOND);
        opened_drains(&p);
        assert_null(opened_active(&p, socket));
        assert_null(tcp_at(p.tcp, socket)->extra);
        assert_int_equal(p.tcp->memory, 0);
        assert_true(tcp_deadline(p.tcp) == BERTH_NEVER);
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing),
        cmocka_unit_test(taken_is_sent),
        cmocka_unit_test(keepalive_without_memory),
        cmocka_unit_test(idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
