/* Hosts of a network: names, addresses, coming and going, and many of them. */
#include "test/unit/network/world.h"
#include <stdio.h>

static int find(struct world *world, uint32_t v4) {
    struct berth_ip ip = berth_ip_v4(v4);
    return berth_network_find_address(world->network, &ip);
}

static void addresses_are_the_lowest_free_ones(void **state) {
    (void)state;
    struct world world;
    world_open(&world, 1);
    struct berth_ip second = berth_ip_v4(0x0a000002), outside = berth_ip_v4(0x0a010001),
                    broadcast = berth_ip_v4(0x0a00ffff), net = berth_ip_v4(0x0a000000);
    assert_int_equal(berth_network_add_host(world.network, "a", 0, &second, NULL), 0);
    assert_int_equal(world_host(&world, "b"), 1);
    assert_int_equal(world_host(&world, "c"), 2);
    assert_int_equal(find(&world, 0x0a000001), 1);
    assert_int_equal(find(&world, 0x0a000002), 0);
    assert_int_equal(find(&world, 0x0a000003), 2);
    assert_int_equal(find(&world, 0x0a000004), -ENOENT);
    assert_int_equal(berth_network_add_host(world.network, "d", 0, &second, NULL), -EADDRINUSE);
    assert_int_equal(berth_network_add_host(world.network, "d", 0, &outside, NULL), -EADDRNOTAVAIL);
    assert_int_equal(berth_network_add_host(world.network, "d", 0, &broadcast, NULL),
                     -EADDRNOTAVAIL);
    assert_int_equal(berth_network_add_host(world.network, "d", 0, &net, NULL), -EADDRNOTAVAIL);
    assert_int_equal(berth_network_remove_host(world.network, 1), 0);
    assert_int_equal(find(&world, 0x0a000001), -ENOENT);
    assert_int_equal(world_host(&world, "d"), 3); /* a number is never used again, an address is */
    assert_int_equal(find(&world, 0x0a000001), 3);
    world_close(&world);
}

static void a_subnet_can_be_full(void **state) {
    (void)state;
    struct world world;
    world_open(&world, 1);
    struct berth_ip subnet = berth_ip_v4(0xc0a80105);
    int small = berth_network_add_switch(world.network, "small", &subnet, 30, 0);
    assert_int_equal(small, 1);
    assert_int_equal(berth_network_add_host(world.network, "a", small, NULL, NULL), 0);
    assert_int_equal(berth_network_add_host(world.network, "b", small, NULL, NULL), 1);
    assert_int_equal(berth_network_add_host(world.network, "c", small, NULL, NULL), -EADDRNOTAVAIL);
    assert_int_equal(find(&world, 0xc0a80105), 0);
    assert_int_equal(find(&world, 0xc0a80106), 1);
    assert_int_equal(berth_network_remove_host(world.network, 0), 0);
    assert_int_equal(berth_network_add_host(world.network, "c", small, NULL, NULL), 2);
    world_close(&world);
}

static void names_are_unique_and_any_case(void **state) {
    (void)state;
    struct world world;
    world_open(&world, 1);
    struct berth_network *network = world.network;
    int web = world_host(&world, "Web");
    int db = world_host(&world, "db");
    assert_int_equal(berth_network_find_host(network, "web"), web);
    assert_int_equal(berth_network_find_host(network, "WEB."), web);
    assert_int_equal(berth_network_find_host(network, "we"), -ENOENT);
    assert_int_equal(berth_network_find_host(network, ""), -ENOENT);
    assert_string_equal(berth_network_host_name(network, web), "Web");
    assert_int_equal(berth_network_add_host(network, "WEB", 0, NULL, NULL), -EEXIST);
    assert_int_equal(berth_network_add_host(network, "localhost", 0, NULL, NULL), -EEXIST);
    static const char *const bad[] = {"", "a b", "-..-", "a..b", "\xc3\xa4", "a/b"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(berth_network_add_host(network, bad[i], 0, NULL, NULL), -EINVAL);
    char name[66];
    memset(name, 'a', 64);
    name[64] = '\0';
    assert_int_equal(berth_network_add_host(network, name, 0, NULL, NULL), -EINVAL);
    name[63] = '\0';
    assert_true(berth_network_add_host(network, name, 0, NULL, NULL) > db);
    assert_int_equal(berth_network_add_name(network, "www.example.com", web), 0);
    assert_int_equal(berth_network_add_name(network, "DB", web), -EEXIST);
    assert_int_equal(berth_network_add_name(network, "x", 99), -ENOENT);
    assert_int_equal(berth_network_find_host(network, "www.EXAMPLE.com"), web);
    assert_int_equal(berth_network_remove_host(network, web), 0);
    assert_int_equal(berth_network_find_host(network, "www.example.com"), -ENOENT);
    assert_int_equal(berth_network_find_host(network, "web"), -ENOENT);
    assert_null(berth_network_host(network, web));
    assert_null(berth_network_host_name(network, web));
    assert_int_equal(berth_network_remove_host(network, web), -ENOENT);
    assert_int_equal(berth_network_remove_host(network, -1), -ENOENT);
    berth_network_touch(network, web);
    assert_int_equal(berth_network_host_count(network), 3);
    world_close(&world);
}

static void hosts_leave_in_the_middle_of_everything(void **state) {
    (void)state;
    for (int round = 0; round < 60; round++) {
        uint64_t when = (uint64_t)round * 5 * BERTH_MS;
        struct world world;
        struct transfer transfer;
        world_open(&world, 1);
        int client = world_host(&world, "client"), server = world_host(&world, "server");
        int other = world_host(&world, "other");
        struct berth_impairment line = {.delay = 10 * BERTH_MS};
        for (int host = 0; host < 3; host++)
            assert_int_equal(berth_network_impair(world.network, host, BERTH_BOTH, &line), 0);
        transfer_start(&world, &transfer, client, server, 80, 10000000);
        while (world.now < when) {
            world_settle(&world);
            transfer_pump(&world, &transfer);
            if (!world_step(&world, when))
                world.now = when;
        }
        assert_int_equal(berth_network_remove_host(world.network, round % 2 ? client : server), 0);
        assert_int_equal(transfer_run(&world, other, round % 2 ? server : client, 81, 1000,
                                      10 * BERTH_SECOND) > 0,
                         1);
        world_close(&world);
    }
}

static void a_thousand_hosts_call_one(void **state) {
    (void)state;
    enum { HOSTS = 1000 };
    struct world world;
    world_open(&world, 1);
    static berth_handle calls[HOSTS];
    int server = world_host(&world, "server");
    struct berth_host *far = berth_network_host(world.network, server);
    struct berth_endpoint at = {world_address(&world, server), 80};
    berth_handle listener;
    assert_int_equal(berth_socket_open(far, 4, BERTH_TCP, &listener), 0);
    assert_int_equal(berth_socket_bind(far, listener, &at), 0);
    assert_int_equal(berth_socket_listen(far, listener, HOSTS), 0);
    for (int i = 0; i < HOSTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "pc%d", i);
        int host = world_host(&world, name);
        struct berth_host *near = berth_network_host(world.network, host);
        assert_int_equal(berth_socket_open(near, 4, BERTH_TCP, &calls[i]), 0);
        assert_int_equal(berth_socket_connect(near, calls[i], &at, 0), -EINPROGRESS);
        berth_network_touch(world.network, host);
    }
    world_settle(&world);
    unsigned connected = 0, accepted = 0;
    struct berth_network_event events[100];
    for (size_t got; (got = berth_network_events(world.network, events, 100)) > 0;)
        for (size_t i = 0; i < got; i++)
            connected += (events[i].event.bits & BERTH_CONNECTED) != 0;
    berth_handle connection;
    while (berth_socket_accept(far, listener, &connection) == 0)
        accepted++;
    assert_int_equal(connected, HOSTS);
    assert_int_equal(accepted, HOSTS);
    for (int i = 1; i <= HOSTS; i += 3)
        assert_int_equal(berth_network_remove_host(world.network, i), 0);
    world_settle(&world);
    assert_true(berth_network_deadline(world.network) > world.now);
    world_close(&world);
}

/* More than a batch, and nothing that answers. */
static void a_burst_arrives_whole(void **state) {
    (void)state;
    struct world world;
    world_open(&world, 1);
    int from = world_host(&world, "from"), to = world_host(&world, "to");
    struct berth_host *sender = berth_network_host(world.network, from);
    struct berth_host *receiver = berth_network_host(world.network, to);
    struct berth_endpoint at = {world_address(&world, to), 7};
    berth_handle out, in;
    assert_int_equal(berth_socket_open(sender, 4, BERTH_UDP, &out), 0);
    assert_int_equal(berth_socket_open(receiver, 4, BERTH_UDP, &in), 0);
    assert_int_equal(berth_socket_bind(receiver, in, &at), 0);
    for (int round = 0; round < 2; round++) { /* the first one finds the neighbour */
        unsigned burst = round ? 200 : 1, got = 0;
        for (unsigned i = 0; i < burst; i++)
            assert_int_equal(berth_socket_send_to(sender, out, &i, sizeof i, &at, 0), sizeof i);
        berth_network_touch(world.network, from);
        world_settle(&world);
        for (unsigned i; berth_socket_receive_from(receiver, in, &i, sizeof i, NULL, 0) > 0; got++)
            assert_int_equal(i, got);
        assert_int_equal(got, burst);
    }
    world_close(&world);
}

/* A station outside that sends under a host's address does not get what is the host's. */
static void nobody_takes_a_hosts_place(void **state) {
    (void)state;
    struct world world;
    world_open(&world, 1);
    world_host(&world, "victim");
    int thief = berth_network_add_outside(world.network, 0, "thief", 0);
    int other = berth_network_add_outside(world.network, 0, "other", 0);
    struct berth_address addresses[4];
    size_t count =
        berth_host_addresses(berth_network_host(world.network, 0), addresses, COUNT(addresses));
    uint8_t octets[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 0x88, 0xb5};
    memcpy(octets + 6, addresses[count - 1].mac, 6);
    struct berth_frame frame = {.part_count = 1, .parts = {{NULL, octets, sizeof octets}}};
    assert_int_equal(berth_network_outside_input(world.network, thief, &frame, 1, 0), 0);
    struct berth_frame got;
    assert_int_equal(berth_network_outside_output(world.network, other, &got, 1), 1);
    berth_frame_clear(&got);
    memcpy(octets, octets + 6, 6);
    octets[6] = 4;
    assert_int_equal(berth_network_outside_input(world.network, other, &frame, 1, 0), 0);
    assert_int_equal(berth_network_outside_output(world.network, thief, &got, 1), 0);
    world_close(&world);
}

static bool all_of_it(struct berth_network *network) {
    struct berth_ip subnet = berth_ip_v4(0x0a000000);
    int lan = berth_network_add_switch(network, "lan", &subnet, 24, 0);
    int outside = lan == 0 ? berth_network_add_outside(network, 0, "out", 0) : -ENOMEM;
    int host = lan == 0 ? berth_network_add_host(network, "a", 0, NULL, NULL) : -ENOMEM;
    int name = host == 0 ? berth_network_add_name(network, "b", 0) : -ENOMEM;
    assert_true(lan == 0 || lan == -ENOMEM);
    assert_true(outside == 0 || outside == -ENOMEM);
    assert_true(host == 0 || host == -ENOMEM);
    assert_true(name == 0 || name == -ENOMEM);
    berth_network_run(network, 1);
    return outside == 0 && name == 0;
}

/* Whatever allocation fails: a clean error, and nothing is lost or left. */
static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    world_without_memory(all_of_it);
}

static const struct berth_counters *heard(struct world *world, int host) {
    return berth_host_counters(berth_network_host(world->network, host));
}

/* Who is asked for an address hears it, and nobody else; for one that nobody has all are asked. */
static void a_question_goes_to_who_can_answer(void **state) {
    (void)state;
    enum { HOSTS = 10 };
    struct world world;
    world_open(&world, 1);
    struct berth_ip subnet6 = {{0xfd, 1}};
    assert_int_equal(berth_network_set_ipv6(world.network, 0, &subnet6), 0);
    for (int i = 0; i < HOSTS; i++)
        world_host(&world, (const char[]){'p', (char)('0' + i), '\0'});
    struct berth_link link[1];
    struct transfer transfer;
    berth_network_links(world.network, 1, link, 1);
    for (int v6 = 0; v6 < 2; v6++) {
        struct berth_endpoint at = {v6 ? link->ipv6 : link->address, 80};
        transfer_start_to(&world, &transfer, 0, 1, at, 1000);
        transfer_finish(&world, &transfer, BERTH_SECOND);
    }
    assert_true(heard(&world, 1)->arp_in > 0);
    assert_true(heard(&world, 1)->icmp_in_msgs > 0);
    for (int i = 2; i < HOSTS; i++) {
        assert_int_equal(heard(&world, i)->arp_in, 0);
        assert_int_equal(heard(&world, i)->icmp_in_msgs, 0);
    }
    struct berth_host *host = berth_network_host(world.network, 0);
    struct berth_endpoint nobody = {berth_ip_v4(0x0a000099), 9};
    berth_handle socket;
    assert_int_equal(berth_socket_open(host, 4, BERTH_UDP, &socket), 0);
    assert_int_equal(berth_socket_send_to(host, socket, "x", 1, &nobody, world.now), 1);
    berth_network_touch(world.network, 0);
    world_settle(&world);
    for (int i = 2; i < HOSTS; i++)
        assert_int_equal(heard(&world, i)->arp_in, 1);
    world_close(&world);
}

/* Who wants an address that is its own in the network asks those outside, too (RFC 4862 5.4). */
static void who_wants_an_address_asks_all(void **state) {
    (void)state;
    struct world world;
    world_open(&world, 1);
    struct berth_ip subnet6 = {{0xfd, 1}};
    struct berth_host_config config;
    struct berth_link link;
    assert_int_equal(berth_network_set_ipv6(world.network, 0, &subnet6), 0);
    berth_host_config_init(&config);
    config.dad_transmits = 1;
    int outside = berth_network_add_outside(world.network, 0, "out", 0);
    assert_true(berth_network_add_host(world.network, "a", 0, NULL, &config) >= 0);
    assert_int_equal(berth_network_links(world.network, 0, &link, 1), 1);
    world_settle(&world);
    for (int i = 0; i < 40; i++)
        berth_network_run(world.network, world.now += 100 * BERTH_MS);
    bool asked = false;
    struct berth_frame frame;
    while (berth_network_outside_output(world.network, outside, &frame, 1) == 1) {
        uint8_t octets[14 + 40 + 24] = {0};
        berth_frame_read(&frame, 0, octets, sizeof octets);
        asked |= octets[54] == 135 && memcmp(octets + 62, link.ipv6.bytes, 16) == 0;
        berth_frame_clear(&frame);
    }
    assert_true(asked);
    world_close(&world);
}

/* Whatever a host's configuration brings along: berth_host_config_init() puts malloc there. */
static void a_host_takes_its_memory_from_the_networks(void **state) {
    (void)state;
    struct world world;
    struct berth_host_config config;
    world_open(&world, 1);
    assert_true(world_host(&world, "first") >= 0);
    size_t before = world.counting.octets;
    assert_true(world_host(&world, "second") >= 0);
    size_t usual = world.counting.octets - before;
    berth_host_config_init(&config);
    assert_true(berth_network_add_host(world.network, "third", 0, NULL, &config) >= 0);
    assert_true(world.counting.octets - before >= 2 * usual - usual / 4);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_the_lowest_free_ones),
        cmocka_unit_test(a_subnet_can_be_full),
        cmocka_unit_test(names_are_unique_and_any_case),
        cmocka_unit_test(hosts_leave_in_the_middle_of_everything),
        cmocka_unit_test(a_thousand_hosts_call_one),
        cmocka_unit_test(a_burst_arrives_whole),
        cmocka_unit_test(nobody_takes_a_hosts_place),
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(a_question_goes_to_who_can_answer),
        cmocka_unit_test(who_wants_an_address_asks_all),
        cmocka_unit_test(a_host_takes_its_memory_from_the_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
