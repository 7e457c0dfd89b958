/* Delay, loss, rate and reordering as two computers measure them with datagrams, in virtual time:
 * within 2 % of what was asked of the link between them. */
#include "test/unit/network/world.h"
#include <stdlib.h>

enum { DATAGRAMS = 60000, OCTETS = 1250, PAYLOAD = OCTETS - 14 - 20 - 8, PORT = 7000 };

struct measured {
    struct world world;
    int from, to;
    berth_handle sender, receiver;
    unsigned sent, received;
    uint64_t left[DATAGRAMS], came[DATAGRAMS]; /* when; 0: never */
};

static void assert_near(double got, double want) {
    if (got < want * 0.98 || got > want * 1.02)
        fail_msg("%g is not within 2%% of %g", got, want);
}

static void receive(struct measured *m) {
    uint8_t octets[PAYLOAD];
    uint32_t number;
    struct berth_host *host = berth_network_host(m->world.network, m->to);
    while (berth_socket_receive_from(host, m->receiver, octets, sizeof octets, NULL, 0) ==
           PAYLOAD) {
        memcpy(&number, octets, sizeof number);
        assert_true(number < m->sent && m->came[number] == 0);
        m->came[number] = m->world.now;
        m->received++;
        berth_network_touch(m->world.network, m->to);
    }
}

static void run_until(struct measured *m, uint64_t until) {
    while (world_step(&m->world, until))
        receive(m);
    m->world.now = until;
    world_settle(&m->world);
    receive(m);
}

static void send_one(struct measured *m) {
    uint8_t octets[PAYLOAD] = {0};
    uint32_t number = m->sent;
    memcpy(octets, &number, sizeof number);
    const struct berth_endpoint to = {world_address(&m->world, m->to), PORT};
    m->left[m->sent++] = m->world.now;
    assert_int_equal(berth_socket_send_to(berth_network_host(m->world.network, m->from), m->sender,
                                          octets, PAYLOAD, &to, m->world.now),
                     PAYLOAD);
    berth_network_touch(m->world.network, m->from);
    world_settle(&m->world);
    receive(m);
}

/* Sends all of them, one each `interval`, over a link that does that to what the sender sends. */
static struct measured *measure(const struct berth_impairment *what, uint64_t interval) {
    struct measured *m = calloc(1, sizeof *m);
    assert_non_null(m);
    world_open(&m->world, 7);
    m->from = world_host(&m->world, "a");
    m->to = world_host(&m->world, "b");
    struct berth_endpoint local = {.ip = berth_ip_v4(0), .port = PORT};
    struct berth_host *from = berth_network_host(m->world.network, m->from);
    struct berth_host *to = berth_network_host(m->world.network, m->to);
    assert_int_equal(berth_socket_open(from, 4, BERTH_UDP, &m->sender), 0);
    assert_int_equal(berth_socket_open(to, 4, BERTH_UDP, &m->receiver), 0);
    assert_int_equal(berth_socket_bind(to, m->receiver, &local), 0);
    m->world.now = BERTH_SECOND;
    send_one(m); /* asks for the link address, too */
    assert_int_equal(m->received, 1);
    assert_int_equal(berth_network_impair_link(m->world.network, m->from, 0, BERTH_EGRESS, what),
                     0);
    m->sent = m->received = 0;
    m->came[0] = 0;
    while (m->sent < DATAGRAMS) {
        send_one(m);
        run_until(m, m->world.now + interval);
    }
    run_until(m, m->world.now + 20 * BERTH_SECOND);
    return m;
}

static void measured_free(struct measured *m) {
    world_close(&m->world);
    free(m);
}

static double mean_delay(const struct measured *m) {
    double sum = 0;
    for (unsigned i = 0; i < DATAGRAMS; i++)
        sum += m->came[i] > 0 ? (double)(m->came[i] - m->left[i]) : 0;
    return sum / m->received;
}

static void delay(void **state) {
    (void)state;
    struct measured *m = measure(&(struct berth_impairment){.delay = 50 * BERTH_MS}, BERTH_MS);
    assert_int_equal(m->received, DATAGRAMS);
    for (unsigned i = 0; i < DATAGRAMS; i++)
        assert_near((double)(m->came[i] - m->left[i]), 50 * BERTH_MS);
    measured_free(m);
    m = measure(&(struct berth_impairment){.delay = 50 * BERTH_MS,
                                           .jitter = 10 * BERTH_MS,
                                           .distribution = BERTH_NORMAL,
                                           .delay_correlation = 0.25},
                BERTH_MS);
    assert_int_equal(m->received, DATAGRAMS);
    double mean = mean_delay(m), squares = 0;
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        double off = (double)(m->came[i] - m->left[i]) - mean;
        squares += off * off;
    }
    assert_near(mean, 50 * BERTH_MS);
    assert_near(squares / DATAGRAMS, 100.0 * BERTH_MS * BERTH_MS);
    measured_free(m);
}

static void loss(void **state) {
    (void)state;
    struct measured *m = measure(&(struct berth_impairment){.loss = 0.2}, BERTH_MS);
    assert_near(DATAGRAMS - m->received, 0.2 * DATAGRAMS);
    measured_free(m);
    /* Good and bad times of 45 and 5 frames: a tenth of all time is bad, and all is lost then. */
    m = measure(&(struct berth_impairment){.loss_model = BERTH_LOSS_GEMODEL,
                                           .chain = {1 / 45.0, 0.2, 1, 0}},
                BERTH_MS);
    unsigned bursts = 0;
    for (unsigned i = 1; i < DATAGRAMS; i++)
        bursts += m->came[i] == 0 && m->came[i - 1] != 0;
    assert_near(DATAGRAMS - m->received, 0.1 * DATAGRAMS);
    assert_near((DATAGRAMS - m->received) / (double)bursts, 5);
    measured_free(m);
}

/* Twice as much is sent as the link takes; a frame's octets count with its Ethernet header. */
static void rate(void **state) {
    (void)state;
    struct measured *m =
        measure(&(struct berth_impairment){.rate = 10000000, .limit = 100}, BERTH_MS / 2);
    uint64_t first = 0, last = 0;
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        first = first == 0 ? m->came[i] : first;
        last = m->came[i] > last ? m->came[i] : last;
    }
    assert_near((m->received - 1) * 8.0 * OCTETS / ((double)(last - first) / 1e9), 10e6);
    assert_near(m->received, DATAGRAMS / 2.0);
    measured_free(m);
}

/* A datagram is ahead if one that was sent before it comes after it. */
static void reordering(void **state) {
    (void)state;
    static const struct {
        uint32_t gap;
        double ahead; /* of all */
    } of[] = {{0, 0.25}, {5, 0.25 / (4 * 0.25 + 1)}};
    for (size_t k = 0; k < 2; k++) {
        struct measured *m = measure(
            &(struct berth_impairment){.delay = 20 * BERTH_MS, .reorder = 0.25, .gap = of[k].gap},
            BERTH_MS);
        unsigned ahead = 0;
        uint64_t latest = 0;
        assert_int_equal(m->received, DATAGRAMS);
        for (unsigned i = 0; i < DATAGRAMS; i++) {
            ahead += m->came[i] < latest;
            latest = m->came[i] > latest ? m->came[i] : latest;
        }
        assert_near(ahead, of[k].ahead * DATAGRAMS);
        measured_free(m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delay),
        cmocka_unit_test(loss),
        cmocka_unit_test(rate),
        cmocka_unit_test(reordering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
