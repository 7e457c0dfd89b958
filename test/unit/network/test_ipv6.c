/* Hosts with addresses of both families: which they get, that they find each other, and names. */
#include "engine/base/bytes.h"
#include "test/unit/network/world.h"

static const struct berth_ip subnet6 = {{0xfd, 0, 0, 0x10}};

static struct berth_ip at6(uint32_t high, uint32_t low) {
    struct berth_ip ip = subnet6;
    store_be32(ip.bytes + 8, high);
    store_be32(ip.bytes + 12, low);
    return ip;
}

static void world_open6(struct world *world, uint8_t seed) {
    world_open(world, seed);
    assert_int_equal(berth_network_set_ipv6(world->network, 0, &subnet6), 0);
}

static bool has(struct world *world, int host, struct berth_ip ip) {
    return berth_host_has_address(berth_network_host(world->network, host), &ip) &&
           berth_network_find_address(world->network, &ip) == host;
}

static void subnets(void **state) {
    (void)state;
    struct world world;
    struct berth_ip small = berth_ip_v4(0x0b000000);
    world_open(&world, 1);
    static const struct berth_ip wrong[] = {{{0}},
                                            {{0xff, 2}},
                                            {{0xfe, 0x80}},
                                            {{0xfd, [8] = 1}},
                                            {{0xfd, [15] = 1}},
                                            {{[10] = 0xff, [11] = 0xff, 10}}};
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(berth_network_set_ipv6(world.network, 0, &wrong[i]), -EINVAL);
    assert_int_equal(berth_network_set_ipv6(world.network, 1, &subnet6), -EINVAL);
    assert_int_equal(berth_network_add_switch(world.network, "small", &small, 24, 1279), 1);
    assert_int_equal(berth_network_set_ipv6(world.network, 1, &subnet6), -EINVAL);
    assert_int_equal(berth_network_set_ipv6(world.network, 0, &subnet6), 0);
    assert_int_equal(berth_network_set_ipv6(world.network, 0, &subnet6), -EEXIST);
    world_close(&world);
}

/* The IPv4 address's number, unless one was chosen or somebody has it. */
static void addresses(void **state) {
    (void)state;
    struct world world;
    struct berth_ip v4 = berth_ip_v4(0x0a000105), chosen = at6(0, 3), far = at6(1, 1);
    struct berth_ip none = at6(0, 0), other = {{0xfd, 0, 0, 0x11, [15] = 9}};
    world_open6(&world, 1);
    int first = world_host(&world, "first");
    assert_true(has(&world, first, at6(0, 1)));
    int placed = berth_network_add_host(world.network, "placed", 0, &v4, NULL);
    assert_true(has(&world, placed, at6(0, 0x105)));
    int taker = berth_network_add_host_dual(world.network, "taker", 0, NULL, &chosen, NULL);
    assert_true(has(&world, taker, chosen));
    assert_true(has(&world, taker, berth_ip_v4(0x0a000002)));
    int moved = world_host(&world, "moved"); /* 10.0.0.3, whose IPv6 address is taken */
    assert_true(has(&world, moved, berth_ip_v4(0x0a000003)));
    assert_true(has(&world, moved, at6(1, 3)));
    assert_int_equal(berth_network_add_host_dual(world.network, "x", 0, NULL, &chosen, NULL),
                     -EADDRINUSE);
    assert_int_equal(berth_network_add_host_dual(world.network, "x", 0, NULL, &none, NULL),
                     -EADDRNOTAVAIL);
    assert_int_equal(berth_network_add_host_dual(world.network, "x", 0, NULL, &other, NULL),
                     -EADDRNOTAVAIL);
    assert_int_equal(berth_network_add_host_dual(world.network, "x", 0, NULL, &v4, NULL),
                     -EADDRNOTAVAIL);
    int both = berth_network_add_host_dual(world.network, "both", 0, NULL, &far, NULL);
    assert_true(has(&world, both, far));
    /* Whoever leaves leaves both. */
    assert_int_equal(berth_network_remove_host(world.network, taker), 0);
    assert_int_equal(berth_network_find_address(world.network, &chosen), -ENOENT);
    int next = berth_network_add_host_dual(world.network, "next", 0, NULL, &chosen, NULL);
    assert_true(has(&world, next, chosen));
    world_close(&world);
}

/* Without such a subnet there is none. */
static void none_without_a_subnet(void **state) {
    (void)state;
    struct world world;
    struct berth_ip chosen = at6(0, 3);
    struct berth_address listed[8];
    world_open(&world, 1);
    int host = world_host(&world, "a");
    assert_int_equal(berth_host_addresses(berth_network_host(world.network, host), listed, 8), 3);
    assert_int_equal(berth_network_add_host_dual(world.network, "x", 0, NULL, &chosen, NULL),
                     -EADDRNOTAVAIL);
    world_close(&world);
}

/* Segments of 64 KiB by pointer, and cut up and lost on the way. */
static void streams(void **state) {
    (void)state;
    static const struct berth_impairment lines[] = {
        {0}, {.loss = 0.02, .delay = 5 * BERTH_MS}, {.corrupt = 0.02, .delay = BERTH_MS}};
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct world world;
        struct transfer transfer;
        world_open6(&world, (uint8_t)i);
        int a = world_host(&world, "a"), b = world_host(&world, "b");
        assert_int_equal(berth_network_impair(world.network, a, BERTH_BOTH, &lines[i]), 0);
        struct berth_endpoint to = {at6(0, 2), 80};
        transfer_start_to(&world, &transfer, a, b, to, i ? 300000 : 20000000);
        uint64_t took = transfer_finish(&world, &transfer, 60 * BERTH_SECOND);
        assert_true(i > 0 || took == 0);
        world_close(&world);
    }
}

/* A flood of hosts: each finds the one that all ask for. */
static void many(void **state) {
    (void)state;
    struct world world;
    world_open6(&world, 1);
    int server = world_host(&world, "server");
    struct berth_host *host = berth_network_host(world.network, server);
    struct berth_endpoint at = {at6(0, 1), 7};
    berth_handle receiver;
    assert_int_equal(berth_socket_open(host, 6, BERTH_UDP, &receiver), 0);
    assert_int_equal(berth_socket_bind(host, receiver, &at), 0);
    for (int i = 0; i < 300; i++) {
        char name[16] = {'h', (char)('a' + i / 100), (char)('a' + i / 10 % 10),
                         (char)('a' + i % 10)};
        int number = world_host(&world, name);
        struct berth_host *client = berth_network_host(world.network, number);
        berth_handle socket;
        assert_int_equal(berth_socket_open(client, 6, BERTH_UDP, &socket), 0);
        assert_int_equal(berth_socket_send_to(client, socket, "hi", 2, &at, world.now), 2);
        berth_network_touch(world.network, number);
    }
    world_run_until(&world, BERTH_SECOND);
    for (uint32_t i = 0; i < 300; i++) {
        struct berth_datagram meta;
        struct berth_ip from = at6(0, i + 2);
        uint8_t octets[4];
        assert_int_equal(berth_socket_receive_from(host, receiver, octets, 4, &meta, 0), 2);
        assert_true(berth_ip_equal(&meta.source.ip, &from));
    }
    world_close(&world);
}

static const uint8_t web_query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3web\0\0\34\0\1";
static const uint8_t localhost_query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\11localhost\0\0\34\0\1";

/* AAAA, from a nameserver of either family, whatever it is. */
static void names(void **state) {
    (void)state;
    static const struct berth_ip servers[] = {{{[15] = 1}},
                                              {{0x20, 1, [15] = 0x53}},
                                              {{0xfd, 0, 0, 0x10, [15] = 2}},
                                              {{[10] = 0xff, [11] = 0xff, 8, 8, 8, 8}}};
    struct world world;
    world_open6(&world, 1);
    int asker = world_host(&world, "pc");
    world_host(&world, "web");
    struct berth_host *host = berth_network_host(world.network, asker);
    for (size_t i = 0; i < COUNT(servers); i++) {
        for (int local = 0; local < 2; local++) {
            uint8_t reply[600];
            struct berth_datagram meta;
            struct berth_endpoint to = {servers[i], 53};
            struct berth_ip wanted = local ? (struct berth_ip){{[15] = 1}} : at6(0, 2);
            const uint8_t *query = local ? localhost_query : web_query;
            size_t length = local ? sizeof localhost_query - 1 : sizeof web_query - 1;
            berth_handle socket;
            assert_int_equal(berth_socket_open(host, 6, BERTH_UDP, &socket), 0);
            assert_int_equal(berth_socket_send_to(host, socket, query, length, &to, world.now),
                             length);
            berth_network_touch(world.network, asker);
            world_settle(&world);
            ssize_t got = berth_socket_receive_from(host, socket, reply, sizeof reply, &meta, 0);
            assert_int_equal(got, length + 28);
            assert_memory_equal(reply + got - 16, wanted.bytes, 16);
            assert_true(berth_ip_equal(&meta.source.ip, &servers[i]));
            assert_int_equal(berth_socket_close(host, socket, world.now), 0);
        }
    }
    world_close(&world);
}

static bool host_with_ipv6(struct berth_network *network) {
    struct berth_ip subnet = berth_ip_v4(0x0a000000), ip = at6(0, 1);
    if (berth_network_add_switch(network, "lan", &subnet, 24, 0) != 0)
        return false;
    assert_int_equal(berth_network_set_ipv6(network, 0, &subnet6), 0);
    int host = berth_network_add_host(network, "a", 0, NULL, NULL);
    assert_true(host == 0 || host == -ENOMEM);
    assert_int_equal(berth_network_find_address(network, &ip), host == 0 ? 0 : -ENOENT);
    return host == 0;
}

/* Whatever allocation fails: a clean error, and nothing is lost or left. */
static void memory(void **state) {
    (void)state;
    world_without_memory(host_with_ipv6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subnets),
        cmocka_unit_test(addresses),
        cmocka_unit_test(none_without_a_subnet),
        cmocka_unit_test(streams),
        cmocka_unit_test(many),
        cmocka_unit_test(names),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
