/* Hosts on several switches: interfaces, addresses, names and routes of each, and their removal. */
#include "engine/base/bytes.h"
#include "test/unit/network/world.h"

enum { LAN, OFFICE };

/* `both` is on the switches lan (10.0.0.0/16) and office (10.9.0.0/24), the others on one each. */
struct plugged {
    struct world world;
    int both, near, far;
};

static const struct berth_ip office6 = {{0xfd, 9}};

static void plugged_open(struct plugged *p) {
    world_open(&p->world, 3);
    struct berth_network *network = p->world.network;
    struct berth_ip subnet = berth_ip_v4(0x0a090000);
    assert_int_equal(berth_network_add_switch(network, "office", &subnet, 24, 1400), OFFICE);
    assert_int_equal(berth_network_set_ipv6(network, OFFICE, &office6), 0);
    p->both = world_host(&p->world, "both");
    p->near = world_host(&p->world, "near");
    p->far = berth_network_add_host(network, "far", OFFICE, NULL, NULL);
    assert_int_equal(berth_network_plug(network, p->both, OFFICE, NULL, NULL), 2);
}

static void each_link_has_its_addresses(void **state) {
    (void)state;
    struct plugged p;
    struct berth_link links[3];
    plugged_open(&p);
    assert_int_equal(berth_network_links(p.world.network, p.both, links, 3), 2);
    assert_int_equal(berth_network_links(p.world.network, p.both, links, 1), 2);
    assert_int_equal(berth_network_links(p.world.network, 77, links, 3), 0);
    assert_int_equal(links[0].switch_number, LAN);
    assert_int_equal(berth_ip_to_v4(&links[0].address), 0x0a000001);
    assert_true(berth_ip_is_any(&links[0].ipv6));
    assert_int_equal(links[1].switch_number, OFFICE);
    assert_int_equal(links[1].interface, 2);
    assert_int_equal(links[1].prefix, 24);
    assert_int_equal(berth_ip_to_v4(&links[1].address), 0x0a090002);
    assert_int_equal(load_be32(links[1].ipv6.bytes + 12), 2);
    assert_int_equal(berth_network_find_address(p.world.network, &links[1].address), p.both);
    assert_int_equal(berth_network_find_address(p.world.network, &links[1].ipv6), p.both);
    assert_int_equal(berth_network_find_switch(p.world.network, "office"), OFFICE);
    assert_int_equal(berth_network_find_switch(p.world.network, "attic"), -ENOENT);
    assert_string_equal(berth_network_switch_name(p.world.network, OFFICE), "office");
    assert_null(berth_network_switch_name(p.world.network, 2));
    world_close(&p.world);
}

static void a_wrong_plug_says_why(void **state) {
    (void)state;
    struct plugged p;
    plugged_open(&p);
    struct berth_network *network = p.world.network;
    const struct berth_ip taken = berth_ip_v4(0x0a090001), lan = berth_ip_v4(0x0a000009);
    assert_int_equal(berth_network_plug(network, p.both, OFFICE, NULL, NULL), -EEXIST);
    assert_int_equal(berth_network_plug(network, p.near, 7, NULL, NULL), -EINVAL);
    assert_int_equal(berth_network_plug(network, 77, OFFICE, NULL, NULL), -ENOENT);
    assert_int_equal(berth_network_plug(network, p.near, OFFICE, &taken, NULL), -EADDRINUSE);
    assert_int_equal(berth_network_plug(network, p.near, OFFICE, &lan, NULL), -EADDRNOTAVAIL);
    struct berth_link links[2];
    assert_int_equal(berth_network_links(network, p.near, links, 2), 1);
    world_close(&p.world);
}

static void it_talks_on_both(void **state) {
    (void)state;
    struct plugged p;
    plugged_open(&p);
    struct berth_link own[2];
    berth_network_links(p.world.network, p.both, own, 2);
    int peers[2] = {p.near, p.far};
    for (int i = 0; i < 2; i++) {
        struct transfer transfer;
        transfer_start(&p.world, &transfer, p.both, peers[i], 80, 100000);
        transfer_finish(&p.world, &transfer, 10 * BERTH_SECOND);
        struct berth_endpoint at = {own[i].address, 80};
        transfer_start_to(&p.world, &transfer, peers[i], p.both, at, 100000);
        transfer_finish(&p.world, &transfer, 10 * BERTH_SECOND);
    }
    world_close(&p.world);
}

static void plain_is_a_way_over_one_switch(void **state) {
    (void)state;
    struct plugged p;
    plugged_open(&p);
    struct berth_network *network = p.world.network;
    struct berth_link own[2], near[1], far[1];
    berth_network_links(network, p.both, own, 2);
    berth_network_links(network, p.near, near, 1);
    berth_network_links(network, p.far, far, 1);
    assert_true(berth_network_is_plain(network, p.both, &near->address));
    assert_true(berth_network_is_plain(network, p.both, &far->address));
    assert_true(berth_network_is_plain(network, p.both, &far->ipv6));
    assert_true(berth_network_is_plain(network, p.near, &own[0].address));
    assert_false(berth_network_is_plain(network, p.near, &own[1].address));
    assert_false(berth_network_is_plain(network, p.near, &far->address));
    /* Only that link is impaired. */
    const struct berth_impairment slow = {.delay = BERTH_MS}, none = {0};
    struct berth_impairment got = {0};
    assert_int_equal(berth_network_impair_link(network, p.both, OFFICE, BERTH_BOTH, &slow), 0);
    assert_int_equal(berth_network_impair_link(network, p.near, OFFICE, BERTH_BOTH, &slow),
                     -ENOENT);
    assert_true(berth_network_is_plain(network, p.both, &near->address));
    assert_false(berth_network_is_plain(network, p.both, &far->address));
    assert_int_equal(berth_network_link_impairment(network, p.both, OFFICE, BERTH_EGRESS, &got), 0);
    assert_int_equal(got.delay, BERTH_MS);
    assert_int_equal(berth_network_link_impairment(network, p.both, LAN, BERTH_EGRESS, &got), 0);
    assert_int_equal(got.delay, 0);
    assert_int_equal(berth_network_impair(network, p.both, BERTH_BOTH, &none), 0);
    assert_true(berth_network_is_plain(network, p.both, &far->address));
    /* A neighbour that a longer prefix sends by way of a router. */
    assert_int_equal(berth_network_add_route(network, p.both, &near->address, 32, &far->address),
                     0);
    assert_false(berth_network_is_plain(network, p.both, &near->address));
    world_close(&p.world);
}

static void routes_go_by_the_links_that_the_gateway_is_on(void **state) {
    (void)state;
    struct plugged p;
    plugged_open(&p);
    struct berth_network *network = p.world.network;
    const struct berth_ip any = berth_ip_v4(0), gateway = berth_ip_v4(0x0a090001),
                          nowhere = berth_ip_v4(0xc0a80001), remote = berth_ip_v4(0x08080808);
    const struct berth_ip any6 = {{0}}, gateway6 = {{0xfd, 9, [15] = 1}};
    struct berth_host *host = berth_network_host(network, p.both);
    struct berth_route route, routes[16];
    assert_int_equal(berth_host_find_route(host, &remote, &route), -ENETUNREACH);
    assert_int_equal(berth_network_add_route(network, p.both, &any, 0, &nowhere), -ENETUNREACH);
    assert_int_equal(berth_network_add_route(network, p.both, &any, 0, NULL), -EINVAL);
    assert_int_equal(berth_network_add_route(network, p.both, &any, 33, &gateway), -EINVAL);
    assert_int_equal(berth_network_add_route(network, 77, &any, 0, &gateway), -ENOENT);
    assert_int_equal(berth_network_add_route(network, p.both, &any, 0, &gateway), 0);
    assert_int_equal(berth_network_add_route(network, p.both, &any6, 0, &gateway6), 0);
    assert_int_equal(berth_host_find_route(host, &remote, &route), 0);
    assert_int_equal(route.interface, 2);
    assert_int_equal(route.length, 0);
    assert_true(berth_ip_equal(&route.gateway, &gateway));
    size_t count = berth_host_routes(host, routes, 16);
    assert_true(count <= 16);
    assert_true(berth_ip_equal(&routes[count - 1].gateway, &gateway6));
    assert_int_equal(routes[count - 1].length, 0);
    struct berth_link links[2];
    berth_network_links(network, p.both, links, 2);
    assert_int_equal(berth_host_find_route(host, &links[1].address, &route), 0);
    assert_int_equal(route.interface, 0);
    world_close(&p.world);
}

/* The address that `host` gets when it asks for the name in `query`. 0: none. */
static uint32_t ask(struct plugged *p, int host, const uint8_t *query, size_t length) {
    struct berth_host *engine = berth_network_host(p->world.network, host);
    struct berth_endpoint server = {berth_ip_v4(0x7f000035), 53};
    berth_handle socket;
    uint8_t reply[600];
    assert_int_equal(berth_socket_open(engine, 4, BERTH_UDP, &socket), 0);
    assert_int_equal(berth_socket_send_to(engine, socket, query, length, &server, p->world.now),
                     length);
    berth_network_touch(p->world.network, host);
    world_settle(&p->world);
    ssize_t got = berth_socket_receive_from(engine, socket, reply, sizeof reply, NULL, 0);
    assert_true(got >= (ssize_t)length);
    assert_int_equal(berth_socket_close(engine, socket, p->world.now), 0);
    return got > (ssize_t)length ? load_be32(reply + got - 4) : 0;
}
#define ASK(p, host, query) ask(p, host, (const uint8_t *)(query), sizeof(query) - 1)

static void a_name_is_the_address_next_to_who_asks(void **state) {
    (void)state;
    struct plugged p;
    plugged_open(&p);
    static const char plain[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\4both\0\0\1\0\1",
                      there[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\4both\6office\0\0\1\0\1",
                      far[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3far\0\0\1\0\1",
                      wrong[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3far\3lan\0\0\1\0\1";
    assert_int_equal(ASK(&p, p.near, plain), 0x0a000001);
    assert_int_equal(ASK(&p, p.far, plain), 0x0a090002);
    assert_int_equal(ASK(&p, p.both, plain), 0x0a000001);
    assert_int_equal(ASK(&p, p.near, there), 0x0a090002);
    assert_int_equal(ASK(&p, p.near, far), 0x0a090001);
    assert_int_equal(ASK(&p, p.near, wrong), 0);
    world_close(&p.world);
}

static void what_is_removed_leaves_all_its_places(void **state) {
    (void)state;
    struct plugged p;
    plugged_open(&p);
    struct berth_network *network = p.world.network;
    struct berth_link links[2];
    berth_network_links(network, p.both, links, 2);
    assert_int_equal(berth_network_remove_host(network, p.both), 0);
    assert_int_equal(berth_network_find_address(network, &links[0].address), -ENOENT);
    assert_int_equal(berth_network_find_address(network, &links[1].address), -ENOENT);
    assert_int_equal(berth_network_find_address(network, &links[1].ipv6), -ENOENT);
    int next = berth_network_add_host(network, "both", OFFICE, NULL, NULL);
    assert_true(next > p.far);
    berth_network_links(network, next, links, 1);
    assert_int_equal(berth_ip_to_v4(&links[0].address), 0x0a090002);
    world_close(&p.world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_link_has_its_addresses),
        cmocka_unit_test(a_wrong_plug_says_why),
        cmocka_unit_test(it_talks_on_both),
        cmocka_unit_test(plain_is_a_way_over_one_switch),
        cmocka_unit_test(routes_go_by_the_links_that_the_gateway_is_on),
        cmocka_unit_test(a_name_is_the_address_next_to_who_asks),
        cmocka_unit_test(what_is_removed_leaves_all_its_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
