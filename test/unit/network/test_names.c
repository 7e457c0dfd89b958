/* Names asked for by a host's own socket, whatever nameserver it asks. */
#include "engine/base/bytes.h"
#include "test/unit/network/world.h"

#include <errno.h>

struct asker {
    struct world world;
    int host;
    berth_handle socket;
};

static void asker_open(struct asker *asker) {
    world_open(&asker->world, 1);
    asker->host = world_host(&asker->world, "pc");
    assert_int_equal(berth_socket_open(berth_network_host(asker->world.network, asker->host), 4,
                                       BERTH_UDP, &asker->socket),
                     0);
}

static void ask(struct asker *asker, const uint8_t *query, size_t length, uint32_t server) {
    struct berth_host *host = berth_network_host(asker->world.network, asker->host);
    struct berth_endpoint to = {berth_ip_v4(server), 53};
    assert_int_equal(
        berth_socket_send_to(host, asker->socket, query, length, &to, asker->world.now), length);
    berth_network_touch(asker->world.network, asker->host);
    world_settle(&asker->world);
}

/* -EAGAIN, or the reply's length. */
static ssize_t reply_to(struct asker *asker, uint8_t reply[600], uint32_t server) {
    struct berth_datagram meta;
    ssize_t got = berth_socket_receive_from(berth_network_host(asker->world.network, asker->host),
                                            asker->socket, reply, 600, &meta, 0);
    if (got >= 0) {
        assert_int_equal(berth_ip_to_v4(&meta.source.ip), server);
        assert_int_equal(meta.source.port, 53);
    }
    return got;
}

static const uint8_t web_query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3wEb\0\0\1\0\1";
static const uint8_t localhost_query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\11localhost\0\0\1\0\1";
static const uint8_t reverse_query[] =
    "\x12\x34\1\0\0\1\0\0\0\0\0\0\0012\0010\0010\00210\7in-addr\4arpa\0\0\14\0\1";

static void any_nameserver_is_the_networks_own(void **state) {
    (void)state;
    static const uint32_t servers[] = {0x08080808, 0x7f000035, 0x0a000002, 0x0a0000fe, 0x0a000001};
    struct asker asker;
    asker_open(&asker);
    world_host(&asker.world, "web");
    for (size_t i = 0; i < COUNT(servers); i++) {
        uint8_t reply[600];
        ask(&asker, web_query, sizeof web_query - 1, servers[i]);
        ssize_t got = reply_to(&asker, reply, servers[i]);
        assert_int_equal(got, sizeof web_query - 1 + 16);
        assert_int_equal(load_be32(reply + got - 4), 0x0a000002);
        ask(&asker, localhost_query, sizeof localhost_query - 1, servers[i]);
        got = reply_to(&asker, reply, servers[i]);
        assert_true(got > 4);
        assert_int_equal(load_be32(reply + got - 4), 0x7f000001);
        ask(&asker, reverse_query, sizeof reverse_query - 1, servers[i]);
        got = reply_to(&asker, reply, servers[i]);
        assert_int_equal(got, sizeof reverse_query - 1 + 17);
        assert_memory_equal(reply + got - 5, "\3web", 5);
        ask(&asker, (const uint8_t *)"nonsense", 8, servers[i]);
        assert_int_equal(reply_to(&asker, reply, servers[i]), -EAGAIN);
    }
    world_close(&asker.world);
}

static void a_nameserver_of_the_network_is_asked_itself(void **state) {
    (void)state;
    struct asker asker;
    asker_open(&asker);
    int ns = world_host(&asker.world, "ns");
    struct berth_host *server = berth_network_host(asker.world.network, ns);
    struct berth_endpoint any = {berth_ip_v4(0), 53};
    berth_handle socket;
    assert_int_equal(berth_socket_open(server, 4, BERTH_UDP, &socket), 0);
    assert_int_equal(berth_socket_bind(server, socket, &any), 0);
    ask(&asker, web_query, sizeof web_query - 1, 0x0a000002);
    uint8_t got[600];
    assert_int_equal(reply_to(&asker, got, 0x0a000002), -EAGAIN);
    assert_int_equal(berth_socket_receive_from(server, socket, got, sizeof got, NULL, 0),
                     sizeof web_query - 1);
    assert_memory_equal(got, web_query, sizeof web_query - 1);
    assert_int_equal(berth_socket_close(server, socket, 0), 0);
    berth_network_touch(asker.world.network, ns);
    ask(&asker, web_query, sizeof web_query - 1, 0x0a000002);
    assert_true(reply_to(&asker, got, 0x0a000002) > 0);
    world_close(&asker.world);
}

static void names_of_elsewhere_are_asked_for_elsewhere(void **state) {
    (void)state;
    static const uint32_t server = 0x08080808;
    struct asker asker;
    struct berth_name_query query;
    uint8_t reply[600];
    asker_open(&asker);
    ask(&asker, web_query, sizeof web_query - 1, server); /* nobody is called that yet */
    assert_true(reply_to(&asker, reply, server) > 0);
    assert_int_equal(reply[3] & 15, 3);
    assert_false(berth_network_take_query(asker.world.network, &query));
    berth_network_forward_names(asker.world.network, true);
    ask(&asker, web_query, sizeof web_query - 1, server);
    assert_int_equal(reply_to(&asker, reply, server), -EAGAIN);
    assert_true(berth_network_take_query(asker.world.network, &query));
    assert_int_equal(query.query.length, sizeof web_query - 1);
    berth_host_inject_udp(berth_network_host(asker.world.network, query.host),
                          &query.query.destination, &query.query.source, (const uint8_t *)"answer",
                          6, 0);
    assert_int_equal(reply_to(&asker, reply, server), 6);
    ask(&asker, localhost_query, sizeof localhost_query - 1, server);
    assert_true(reply_to(&asker, reply, server) > 0); /* as ever */
    for (int i = 0; i < 1100; i++) {
        ask(&asker, web_query, sizeof web_query - 1, server);
        world_settle(&asker.world);
    }
    int count = 0;
    while (count < 1000 && berth_network_take_query(asker.world.network, &query))
        count++;
    assert_int_equal(count, 1000);
    world_close(&asker.world);
}

/* A name of the host's own comes before the network's; who has none of a family says nothing. */
static void names_of_ones_own_come_first(void **state) {
    (void)state;
    struct asker asker;
    uint8_t reply[600];
    asker_open(&asker);
    world_host(&asker.world, "web");
    struct berth_network *network = asker.world.network;
    const struct berth_ip v4 = berth_ip_v4(0x09090909), v6 = {.bytes = {0xfd, [15] = 9}};
    const struct berth_ip any = berth_ip_v4(0);
    assert_int_equal(berth_network_add_record(network, 7, "web", &v4), -ENOENT);
    assert_int_equal(berth_network_add_record(network, asker.host, "a b", &v4), -EINVAL);
    assert_int_equal(berth_network_add_record(network, asker.host, "web", &any), -EINVAL);
    assert_int_equal(berth_network_add_record(network, asker.host, "WEB.", &v6), 0);
    ask(&asker, web_query, sizeof web_query - 1, 0x08080808);
    assert_int_equal(reply_to(&asker, reply, 0x08080808), sizeof web_query - 1); /* no IPv4 one */
    assert_int_equal(berth_network_add_record(network, asker.host, "web", &v4), 0);
    ask(&asker, web_query, sizeof web_query - 1, 0x08080808);
    ssize_t got = reply_to(&asker, reply, 0x08080808);
    assert_int_equal(got, sizeof web_query - 1 + 16);
    assert_int_equal(load_be32(reply + got - 4), 0x09090909);
    world_close(&asker.world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_nameserver_is_the_networks_own),
        cmocka_unit_test(a_nameserver_of_the_network_is_asked_itself),
        cmocka_unit_test(names_of_elsewhere_are_asked_for_elsewhere),
        cmocka_unit_test(names_of_ones_own_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
