/* A computer that comes back at the address of one that has gone: its neighbours find it at once,
 * and its connections are not taken for old ones, though a peer still has the same four numbers in
 * TIME-WAIT (RFC 6191, RFC 826). */
#include <berth/network.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void run(struct berth_network *network, uint64_t now) {
    while (berth_network_run(network, now)) {
    }
}

/* Connects from port 5000 of `client` to port 80 of `server`; the server closes first, so that
 * TIME-WAIT is its own. */
static void exchange(struct berth_network *network, int client, int server, berth_handle listener,
                     uint64_t now) {
    struct berth_host *here = berth_network_host(network, client),
                      *there = berth_network_host(network, server);
    struct berth_endpoint from = {berth_ip_v4(0), 5000}, to = {berth_ip_v4(0x0a000001), 80};
    berth_handle socket, accepted;
    assert_int_equal(berth_socket_open(here, 4, BERTH_TCP, &socket), 0);
    assert_int_equal(berth_socket_bind(here, socket, &from), 0);
    berth_socket_connect(here, socket, &to, now);
    berth_network_touch(network, client);
    run(network, now);
    assert_int_equal(berth_socket_accept(there, listener, &accepted), 0);
    assert_true(berth_socket_readiness(here, socket) & BERTH_WRITABLE);
    berth_socket_close(there, accepted, now);
    berth_network_touch(network, server);
    run(network, now);
    berth_socket_close(here, socket, now);
    berth_network_touch(network, client);
    run(network, now);
}

static void comes_back(void **state) {
    (void)state;
    struct berth_network *network = berth_network_new(NULL);
    struct berth_ip subnet = berth_ip_v4(0x0a000000), address = berth_ip_v4(0x0a000002);
    struct berth_endpoint local = {berth_ip_v4(0), 80};
    berth_handle listener;
    uint64_t now = BERTH_SECOND;
    int lan = berth_network_add_switch(network, "lan", &subnet, 24, 1500);
    int server = berth_network_add_host(network, "server", lan, NULL, NULL);
    struct berth_host *there = berth_network_host(network, server);
    assert_int_equal(berth_socket_open(there, 4, BERTH_TCP, &listener), 0);
    assert_int_equal(berth_socket_bind(there, listener, &local), 0);
    assert_int_equal(berth_socket_listen(there, listener, 16), 0);
    for (int time = 0; time < 5; time++) {
        int client = berth_network_add_host(network, "pc", lan, &address, NULL);
        assert_true(client >= 0);
        exchange(network, client, server, listener, now);
        assert_int_equal(berth_network_remove_host(network, client), 0);
        now += 3 * BERTH_MS;
    }
    berth_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(comes_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
