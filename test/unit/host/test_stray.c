/* A gateway: host b stands for the world outside, and the test decides what that world says. */
#include "test/unit/host/pair.h"
#include <errno.h>
#include <string.h>

enum { WORLD = 0xc0000207 /* 192.0.2.7 */ };

static void gateway_start(struct pair *pair) {
    struct berth_ip any = berth_ip_v4(0), b = berth_ip_v4(0x0a000002);
    pair_start(pair, 1500, BERTH_OFFLOAD_CHECKSUM);
    berth_host_set_gateway(pair->b.host, true);
    assert_int_equal(berth_host_add_route(pair->a.host, 1, &any, 0, &b), 0);
}

static berth_handle connecting(struct pair *pair, uint32_t to, uint16_t port) {
    berth_handle client;
    struct berth_endpoint world = endpoint(to, port);
    assert_int_equal(berth_socket_open(pair->a.host, 4, BERTH_TCP, &client), 0);
    assert_int_equal(berth_socket_connect(pair->a.host, client, &world, pair->a.now), -EINPROGRESS);
    pair_settle(pair);
    return client;
}

static int pending_error(struct pair *pair, berth_handle socket) {
    int error = 0;
    berth_socket_get_option(pair->a.host, socket, BERTH_SO_ERROR, &error);
    return error;
}

static void take(struct pair *pair, struct berth_stray *stray, uint8_t protocol, uint16_t port) {
    assert_true(berth_host_take_stray(pair->b.host, stray));
    assert_int_equal(stray->protocol, protocol);
    assert_int_equal(berth_ip_to_v4(&stray->destination.ip), WORLD);
    assert_int_equal(berth_ip_to_v4(&stray->source.ip), 0x0a000001);
    if (port)
        assert_int_equal(stray->destination.port, port);
}

/* The handshake waits for the outside; then the connection's ends have the numbers of the world's.
 */
static void test_admitted(void **state) {
    (void)state;
    struct pair pair;
    struct berth_stray stray, again;
    struct berth_endpoint world = endpoint(WORLD, 80), at;
    berth_handle listener, server;
    gateway_start(&pair);
    berth_handle client = connecting(&pair, WORLD, 80);
    take(&pair, &stray, 6, 80);
    assert_int_equal(berth_socket_readiness(pair.a.host, client) & BERTH_WRITABLE, 0);

    assert_int_equal(berth_socket_open(pair.b.host, 4, BERTH_TCP, &listener), 0);
    assert_int_equal(berth_socket_bind(pair.b.host, listener, &world), 0);
    assert_int_equal(berth_socket_listen(pair.b.host, listener, 1), 0);
    /* Another SYN for the same place does not slip in by the listener. */
    connecting(&pair, WORLD, 80);
    take(&pair, &again, 6, 80);
    berth_stray_drop(&again);
    berth_host_admit_stray(pair.b.host, &stray, pair.a.now);
    pair_settle(&pair);
    assert_int_equal(berth_socket_accept(pair.b.host, listener, &server), 0);
    assert_int_equal(berth_socket_close(pair.b.host, listener, pair.a.now), 0);
    assert_int_equal(berth_socket_local(pair.b.host, server, &at), 0);
    assert_int_equal(berth_ip_to_v4(&at.ip), WORLD);
    assert_int_equal(berth_socket_send(pair.b.host, server, "hello", 5, 0, pair.a.now), 5);
    pair_settle(&pair);
    char got[8];
    assert_int_equal(berth_socket_receive(pair.a.host, client, got, 8, 0, pair.a.now), 5);
    assert_int_equal(berth_socket_send(pair.a.host, client, "you", 3, 0, pair.a.now), 3);
    pair_settle(&pair);
    assert_int_equal(berth_socket_receive(pair.b.host, server, got, 8, 0, pair.a.now), 3);
    assert_false(berth_host_take_stray(pair.b.host, &stray));
    pair_stop(&pair);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        enum berth_refusal why;
        int error;
    } refusals[] = {{BERTH_REFUSE_NET, ENETUNREACH},
                    {BERTH_REFUSE_HOST, EHOSTUNREACH},
                    {BERTH_REFUSE_PORT, ECONNREFUSED},
                    {BERTH_REFUSE_PROHIBITED, EHOSTUNREACH}};
    struct pair pair;
    struct berth_stray stray;
    gateway_start(&pair);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        berth_handle client = connecting(&pair, WORLD, 80);
        take(&pair, &stray, 6, 80);
        berth_host_refuse_stray(pair.b.host, &stray, refusals[i].why, pair.a.now);
        pair_settle(&pair);
        assert_int_equal(pending_error(&pair, client), refusals[i].error);
    }
    /* Nobody listens: a RST, from the address that was asked. */
    berth_handle client = connecting(&pair, WORLD, 81);
    take(&pair, &stray, 6, 81);
    berth_host_admit_stray(pair.b.host, &stray, pair.a.now);
    pair_settle(&pair);
    assert_int_equal(pending_error(&pair, client), ECONNREFUSED);
    pair_stop(&pair);
}

static void test_datagrams(void **state) {
    (void)state;
    struct pair pair;
    struct berth_stray stray;
    struct berth_datagram meta;
    struct berth_endpoint world = endpoint(WORLD, 53), other = endpoint(WORLD + 1, 7);
    static uint8_t octets[5000], got[5000];
    gateway_start(&pair);
    berth_handle socket = udp_socket(&pair.a, 0, 5000);
    octets[4999] = 9;
    for (size_t length = 0; length <= 5000; length += 2500) { /* in fragments, too */
        assert_int_equal(
            berth_socket_send_to(pair.a.host, socket, octets, length, &world, pair.a.now), length);
        pair_settle(&pair);
        take(&pair, &stray, 17, 53);
        assert_int_equal(stray.source.port, 5000);
        assert_int_equal(stray.length, length);
        if (length > 0)
            assert_memory_equal(stray.data, octets, length);
        berth_stray_drop(&stray);
        /* Its answer, and one from elsewhere. */
        const struct berth_endpoint *from = length == 2500 ? &other : &world;
        struct berth_endpoint to = endpoint(0x0a000001, 5000);
        berth_host_send_udp(pair.b.host, from, &to, octets, length, pair.a.now);
        pair_settle(&pair);
        assert_int_equal(berth_socket_receive_from(pair.a.host, socket, got, sizeof got, &meta, 0),
                         length);
        assert_true(berth_ip_equal(&meta.source.ip, &from->ip));
        assert_int_equal(meta.source.port, from->port);
    }
    assert_int_equal(berth_socket_connect(pair.a.host, socket, &world, pair.a.now), 0);
    berth_socket_send(pair.a.host, socket, "x", 1, 0, pair.a.now);
    pair_settle(&pair);
    take(&pair, &stray, 17, 53);
    berth_host_refuse_stray(pair.b.host, &stray, BERTH_REFUSE_PORT, pair.a.now);
    pair_settle(&pair);
    assert_int_equal(pending_error(&pair, socket), ECONNREFUSED);
    pair_stop(&pair);
}

/* More than may wait are dropped; what is left when the host goes, or is a gateway no more, is
 * freed. */
static void test_many(void **state) {
    (void)state;
    struct pair pair;
    struct berth_stray stray;
    struct berth_endpoint world = endpoint(WORLD, 9);
    gateway_start(&pair);
    berth_handle socket = udp_socket(&pair.a, 0, 0);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(berth_socket_send_to(pair.a.host, socket, "x", 1, &world, pair.a.now), 1);
        pair_settle(&pair);
    }
    int count = 0;
    for (; count < 4000; count++) {
        take(&pair, &stray, 17, 9);
        berth_stray_drop(&stray);
    }
    while (count < 4090 && berth_host_take_stray(pair.b.host, &stray)) {
        berth_stray_drop(&stray);
        count++;
    }
    assert_int_equal(count, 4090);
    berth_host_set_gateway(pair.b.host, false);
    assert_false(berth_host_take_stray(pair.b.host, &stray));
    struct berth_endpoint foreign = endpoint(WORLD, 9);
    berth_handle own;
    assert_int_equal(berth_socket_open(pair.b.host, 4, BERTH_UDP, &own), 0);
    assert_int_equal(berth_socket_bind(pair.b.host, own, &foreign), -EADDRNOTAVAIL);
    pair_stop(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admitted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
