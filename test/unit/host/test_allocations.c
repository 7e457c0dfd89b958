/* Memory runs out in the middle of a conversation: two hosts, and each allocation of either fails
 * in its turn. What fails says so and does no more harm than that: no octet is wrong, nothing
 * leaks, and a conversation that began before goes on when memory is back. */
#include "test/unit/host/pair.h"

enum { TALK = 40000 };

static uint8_t said[TALK], heard[2][TALK];

/* A fragment of a datagram, one behind the other, and the middle one last. */
static void fragments_give(struct peer *peer) {
    uint8_t message[2408];
    size_t made = make_udp(message, PEER_IP, HOST_IP, 600, 400, said, sizeof message - UDP_HEADER);
    for (size_t i = 0; i < 3; i++) {
        size_t at = (i == 0 ? 0 : 3 - i) * 800;
        struct ipv4_header ip = {.protocol = IPV4_UDP,
                                 .id = 5,
                                 .more_fragments = at < 1600,
                                 .fragment_offset = (uint16_t)at};
        give_ip(peer, ip, message + at, at < 1600 ? 800 : made - 1600);
    }
}

static bool is_clean(ssize_t r) {
    return r >= 0 || r == -ENOMEM || r == -ENOBUFS || r == -EAGAIN || r == -EBADF ||
           r == -EINPROGRESS || r == -ENOTCONN || r == -EINVAL || r == -EPIPE || r == -ECONNRESET ||
           r == -ECONNREFUSED || r == -EADDRINUSE || r == -EDESTADDRREQ;
}

static size_t talk(struct peer *peer, berth_handle socket, size_t from, uint64_t now) {
    ssize_t r = berth_socket_send(peer->host, socket, said + from, TALK - from, 0, now);
    assert_true(is_clean(r));
    return r > 0 ? (size_t)r : 0;
}

static size_t listen_to(struct peer *peer, berth_handle socket, uint8_t *to, size_t from,
                        uint64_t now) {
    ssize_t r = berth_socket_receive(peer->host, socket, to + from, TALK - from, 0, now);
    assert_true(is_clean(r));
    if (r > 0)
        assert_memory_equal(to + from, said + from, (size_t)r);
    return r > 0 ? (size_t)r : 0;
}

/* Both ways at once; one frame of seven is lost at first, so that there are holes. Returns whether
 * all came. */
static bool converse(struct pair *pair, berth_handle client, berth_handle server) {
    size_t sent[2] = {0}, got[2] = {0};
    for (int i = 0; i < 400 && (got[0] < TALK || got[1] < TALK); i++) {
        sent[0] += talk(&pair->a, client, sent[0], pair->a.now);
        sent[1] += talk(&pair->b, server, sent[1], pair->a.now);
        pair->cut = i < 30 && i % 7 == 3;
        pair_wait(pair, 100 * BERTH_MS);
        pair->cut = false;
        got[0] += listen_to(&pair->b, server, heard[0], got[0], pair->a.now);
        got[1] += listen_to(&pair->a, client, heard[1], got[1], pair->a.now);
    }
    return got[0] == TALK && got[1] == TALK;
}

struct conversation {
    berth_handle listener, client, server, datagram;
    bool all_came, datagram_came;
};

static void open_both(struct pair *pair, struct conversation *c) {
    struct berth_endpoint local = endpoint(0, 80), remote = endpoint(PEER_IP, 80);
    if (berth_socket_open(pair->b.host, 4, BERTH_TCP, &c->listener) == 0) {
        assert_true(is_clean(berth_socket_bind(pair->b.host, c->listener, &local)));
        assert_true(is_clean(berth_socket_listen(pair->b.host, c->listener, 5)));
    }
    if (berth_socket_open(pair->a.host, 4, BERTH_TCP, &c->client) == 0)
        assert_true(is_clean(berth_socket_connect(pair->a.host, c->client, &remote, pair->a.now)));
    pair_wait(pair, 5 * BERTH_SECOND);
    int r = berth_socket_accept(pair->b.host, c->listener, &c->server);
    assert_true(is_clean(r));
}

static void datagrams(struct pair *pair, struct conversation *c) {
    static uint8_t got[TALK];
    struct berth_endpoint local = endpoint(0, 400), remote = endpoint(PEER_IP, 400);
    if (berth_socket_open(pair->a.host, 4, BERTH_UDP, &c->datagram) < 0 ||
        berth_socket_bind(pair->a.host, c->datagram, &local) < 0)
        return;
    fragments_give(&pair->a);
    ssize_t r = berth_socket_receive(pair->a.host, c->datagram, got, sizeof got, 0, pair->a.now);
    assert_true(r == 2400 || r == -EAGAIN);
    c->datagram_came = r > 0;
    if (r > 0)
        assert_memory_equal(got, said, 2400);
    assert_true(is_clean(
        berth_socket_send_to(pair->a.host, c->datagram, said, 5000, &remote, pair->a.now)));
    pair_settle(pair);
}

static void close_all(struct pair *pair, const struct conversation *c) {
    berth_socket_close(pair->a.host, c->client, pair->a.now);
    pair_wait(pair, BERTH_SECOND);
    berth_socket_close(pair->b.host, c->server, pair->a.now);
    berth_socket_close(pair->b.host, c->listener, pair->a.now);
    berth_socket_close(pair->a.host, c->datagram, pair->a.now);
    pair_wait(pair, 70 * BERTH_SECOND);
}

/* The nth allocation from the start of the conversation fails, of host a or b; only it, or it and
 * the next ones up to when the opening is over, or up to the end. True if it came to that. */
enum kind { ONLY_IT, THEN_BACK, TO_THE_END, KINDS };

static bool run(bool of_b, size_t nth, enum kind kind) {
    struct pair pair;
    struct conversation c = {0};
    pair_start(&pair, 1500, 0);
    struct counting *counting = of_b ? &pair.b.counting : &pair.a.counting;
    size_t before = counting->calls;
    counting_fail_nth(counting, nth, kind == ONLY_IT);
    datagrams(&pair, &c);
    open_both(&pair, &c);
    if (c.server)
        c.all_came = converse(&pair, c.client, c.server);
    if (kind == THEN_BACK && c.server && !c.all_came) {
        counting_recover(counting);
        pair_wait(&pair, 10 * BERTH_SECOND);
    }
    close_all(&pair, &c);
    bool reached = counting->calls - before >= nth;
    if (!reached)
        assert_true(c.datagram_came);
    /* One that fails costs time at most. */
    if (!reached || (kind == ONLY_IT && c.server))
        assert_true(c.all_came);
    pair_stop(&pair);
    return reached;
}

static void run_all(bool of_b, enum kind kind) {
    size_t nth = 1;
    while (run(of_b, nth, kind))
        assert_true(nth++ < 5000);
    assert_true(nth > 20);
}

static void test_client_only_it(void **state) {
    (void)state;
    run_all(false, ONLY_IT);
}

static void test_server_only_it(void **state) {
    (void)state;
    run_all(true, ONLY_IT);
}

static void test_client_then_all(void **state) {
    (void)state;
    run_all(false, THEN_BACK);
    run_all(false, TO_THE_END);
}

static void test_server_then_all(void **state) {
    (void)state;
    run_all(true, THEN_BACK);
    run_all(true, TO_THE_END);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_only_it),
        cmocka_unit_test(test_server_only_it),
        cmocka_unit_test(test_client_then_all),
        cmocka_unit_test(test_server_then_all),
    };
    for (size_t i = 0; i < TALK; i++)
        said[i] = (uint8_t)(i * 31 + i / 251);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
