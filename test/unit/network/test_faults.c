/* Faults beyond a link's own: partitions, cables, computers that stand still or lose their power,
 * and links that treat some frames only. */
#include "test/unit/network/world.h"
#include <stdio.h>

/* What most tests have. */
struct three {
    struct world world;
    int a, b, c;
};

static int three_open(void **state) {
    static struct three three;
    world_open(&three.world, 5);
    three.a = world_host(&three.world, "a");
    three.b = world_host(&three.world, "b");
    three.c = world_host(&three.world, "c");
    *state = &three;
    return 0;
}

static int three_close(void **state) {
    struct three *three = *state;
    world_close(&three->world);
    return 0;
}

#define WITH_THREE(test) cmocka_unit_test_setup_teardown(test, three_open, three_close)

/* True if a connection comes about within 3 s. */
static bool reaches_on(struct three *three, int from, int to, uint16_t port) {
    struct transfer transfer;
    struct world *world = &three->world;
    transfer_start(world, &transfer, from, to, port, 1);
    world_run_until(world, world->now + 3 * BERTH_SECOND);
    struct berth_host *near = berth_network_host(world->network, from);
    struct berth_host *far = berth_network_host(world->network, to);
    bool there = berth_socket_accept(far, transfer.listener, &transfer.far) == 0;
    if (there)
        berth_socket_abort(far, transfer.far, world->now);
    berth_socket_abort(near, transfer.near, world->now);
    berth_socket_abort(far, transfer.listener, world->now);
    berth_network_touch(world->network, from);
    berth_network_touch(world->network, to);
    world_settle(world);
    return there;
}

static bool reaches(struct three *three, int from, int to) {
    return reaches_on(three, from, to, 80);
}

static void groups_keep_hosts_apart_and_healing_brings_them_together(void **state) {
    struct three *three = *state;
    struct berth_network *network = three->world.network;
    assert_int_equal(berth_network_set_group(network, three->a, 1), 0);
    assert_true(reaches(three, three->a, three->b)); /* b is in none */
    assert_int_equal(berth_network_set_group(network, three->b, 2), 0);
    assert_false(reaches(three, three->a, three->b));
    assert_false(berth_network_reaches(network, three->b, three->a));
    assert_true(reaches(three, three->a, three->c));
    assert_true(reaches(three, three->b, three->c));
    assert_int_equal(berth_network_set_group(network, three->b, 1), 0);
    assert_true(reaches(three, three->a, three->b));
    assert_int_equal(berth_network_set_group(network, three->b, 2), 0);
    berth_network_heal(network);
    assert_true(reaches(three, three->a, three->b));
    assert_int_equal(berth_network_set_group(network, 99, 2), -ENOENT);
}

static void a_path_is_closed_for_two_alone(void **state) {
    struct three *three = *state;
    struct berth_network *network = three->world.network;
    assert_int_equal(berth_network_set_path(network, three->a, three->b, false), 0);
    assert_int_equal(berth_network_set_path(network, three->b, three->a, false), 0);
    assert_false(reaches(three, three->a, three->b));
    assert_false(reaches(three, three->b, three->a));
    assert_true(reaches(three, three->a, three->c));
    struct berth_ip b = world_address(&three->world, three->b),
                    c = world_address(&three->world, three->c);
    assert_false(berth_network_is_plain(network, three->a, &b));
    assert_int_equal(berth_network_set_path(network, three->b, three->a, true), 0);
    assert_true(reaches(three, three->a, three->b));
    assert_true(berth_network_is_plain(network, three->a, &c));
    assert_int_equal(berth_network_set_path(network, three->a, three->a, false), -EINVAL);
    assert_int_equal(berth_network_set_path(network, three->a, 99, false), -ENOENT);
    /* Who goes takes the walls along. */
    for (int i = 0; i < 40; i++) {
        char name[8];
        snprintf(name, sizeof name, "h%d", i);
        assert_int_equal(
            berth_network_set_path(network, three->a, world_host(&three->world, name), false), 0);
    }
    assert_int_equal(berth_network_set_group(network, three->a, 4), 0);
    assert_int_equal(berth_network_remove_host(network, three->a), 0);
    assert_true(berth_network_is_plain(network, three->b, &c));
}

/* By the addresses in the datagrams, too: a router's port is between others. */
static void a_router_does_not_lead_around_a_partition(void **state) {
    struct three *three = *state;
    struct world *world = &three->world;
    struct berth_network *network = world->network;
    struct berth_ip subnet = berth_ip_v4(0x0a010000), all = berth_ip_v4(0);
    assert_int_equal(berth_network_add_switch(network, "far", &subnet, 16, 0), 1);
    int far = berth_network_add_host(network, "d", 1, NULL, NULL);
    assert_true(berth_network_plug(network, three->c, 1, NULL, NULL) > 0);
    struct berth_host *router = berth_network_host(network, three->c);
    assert_int_equal(berth_host_set_sysctl(router, "net.ipv4.ip_forward", "1"), 0);
    struct berth_link links[2];
    assert_int_equal(berth_network_links(network, three->c, links, 2), 2);
    assert_int_equal(berth_network_add_route(network, three->a, &all, 0, &links[0].address), 0);
    assert_int_equal(berth_network_add_route(network, far, &all, 0, &links[1].address), 0);
    assert_true(reaches(three, three->a, far));
    assert_int_equal(berth_network_set_path(network, three->a, far, false), 0);
    assert_false(reaches(three, three->a, far));
    assert_true(reaches(three, three->a, three->c));
    assert_int_equal(berth_network_set_path(network, three->a, far, true), 0);
    assert_true(reaches(three, three->a, far));
}

static void a_cable_is_one_of_several(void **state) {
    struct three *three = *state;
    struct berth_network *network = three->world.network;
    struct berth_ip subnet = berth_ip_v4(0x0a010000);
    assert_int_equal(berth_network_add_switch(network, "far", &subnet, 16, 0), 1);
    assert_true(berth_network_plug(network, three->c, 1, NULL, NULL) > 0);
    assert_int_equal(berth_network_set_link(network, three->c, 1, false), 0);
    assert_false(berth_network_link_is_up(network, three->c, 1));
    assert_true(berth_network_link_is_up(network, three->c, 0));
    assert_true(reaches(three, three->a, three->c));
    assert_int_equal(berth_network_set_link(network, three->c, 0, false), 0);
    assert_false(reaches(three, three->a, three->c));
    berth_network_heal(network);
    assert_true(berth_network_link_is_up(network, three->c, 1));
    assert_true(reaches(three, three->a, three->c));
}

static void what_is_under_way_on_a_cable_that_goes_is_lost(void **state) {
    struct three *three = *state;
    struct world *world = &three->world;
    const struct berth_impairment slow = {.delay = 10 * BERTH_MS};
    assert_int_equal(berth_network_impair(world->network, three->a, BERTH_BOTH, &slow), 0);
    struct transfer transfer;
    transfer_start(world, &transfer, three->a, three->b, 80, 100000);
    world_run_until(world, world->now + 5 * BERTH_MS); /* the SYN is half way (or its ARP is) */
    assert_int_equal(berth_network_set_link(world->network, three->a, -1, false), 0);
    world_run_until(world, world->now + 20 * BERTH_MS);
    assert_int_equal(berth_network_set_link(world->network, three->a, -1, true), 0);
    world_run_until(world, world->now + 100 * BERTH_MS);
    /* Nothing came; it is sent again after a second. */
    assert_int_equal(berth_socket_accept(berth_network_host(world->network, three->b),
                                         transfer.listener, &transfer.far),
                     -EAGAIN);
    assert_true(transfer_finish(world, &transfer, 10 * BERTH_SECOND) >= BERTH_SECOND / 2);
    assert_int_equal(berth_network_set_link(world->network, 99, -1, true), -ENOENT);
    assert_int_equal(berth_network_set_link(world->network, three->a, 7, true), -ENOENT);
}

/* A connection for tests that stop in the middle of it. */
static void connect_them(struct three *three, struct transfer *transfer, uint64_t total) {
    struct world *world = &three->world;
    transfer_start(world, transfer, three->a, three->b, 80, total);
    world_run_until(world, world->now + BERTH_SECOND);
    assert_int_equal(berth_socket_accept(berth_network_host(world->network, three->b),
                                         transfer->listener, &transfer->far),
                     0);
}

static void a_computer_that_stood_still_has_missed_nothing_of_its_own_time(void **state) {
    struct three *three = *state;
    struct world *world = &three->world;
    struct berth_network *network = world->network;
    struct transfer transfer;
    connect_them(three, &transfer, 1000000);
    struct berth_host *a = berth_network_host(network, three->a);
    assert_int_equal(berth_socket_set_option(a, transfer.near, BERTH_TCP_USER_TIMEOUT, 30000, 0),
                     0);
    transfer_send(world, &transfer); /* some of it is queued, and not yet sent */
    assert_int_equal(berth_network_suspend(network, three->a, world->now), 0);
    assert_true(berth_host_is_suspended(a));
    uint64_t hour = 3600 * BERTH_SECOND;
    world_run_until(world, world->now + hour);
    assert_false(reaches(three, three->c, three->a));
    assert_int_equal(berth_network_resume(network, three->a, world->now), 0);
    assert_int_equal(berth_network_resume(network, three->a, world->now), 0);
    /* An hour is more than the connection's patience of 30 s, but it was not an hour for it. */
    transfer_finish(world, &transfer, 10 * BERTH_SECOND);
    assert_true(reaches(three, three->c, three->a));
    assert_int_equal(berth_network_suspend(network, 99, 0), -ENOENT);
    assert_int_equal(berth_network_resume(network, 99, 0), -ENOENT);
}

static void timers_go_on_where_they_stood(void **state) {
    struct three *three = *state;
    struct world *world = &three->world;
    struct berth_network *network = world->network;
    const struct berth_impairment cut = {.loss = 1};
    assert_int_equal(berth_network_impair(network, three->b, BERTH_BOTH, &cut), 0);
    struct transfer transfer;
    transfer_start(world, &transfer, three->a, three->b, 80, 1);
    world_settle(world);
    uint64_t first = berth_network_deadline(network); /* the SYN (or its ARP) again */
    world->now += (first - world->now) / 2;
    uint64_t left = first - world->now;
    assert_int_equal(berth_network_suspend(network, three->a, world->now), 0);
    assert_int_equal(berth_network_deadline(network), BERTH_NEVER);
    world_run_until(world, world->now + 77 * BERTH_SECOND);
    assert_int_equal(berth_network_resume(network, three->a, world->now), 0);
    world_settle(world);
    assert_int_equal(berth_network_deadline(network), world->now + left);
}

/* RFC 9293 3.5.1: the peer finds out by itself that the other side has forgotten. */
static void power_that_goes_takes_the_sockets_along_without_a_word(void **state) {
    struct three *three = *state;
    struct world *world = &three->world;
    struct berth_network *network = world->network;
    struct transfer transfer;
    connect_them(three, &transfer, 100);
    struct berth_host *a = berth_network_host(network, three->a);
    struct berth_host *b = berth_network_host(network, three->b);
    berth_handle udp;
    assert_int_equal(berth_socket_open(b, 4, BERTH_UDP, &udp), 0);
    assert_int_equal(berth_host_set_port_range(b, 5000, 5000), 0);
    assert_int_equal(berth_network_suspend(network, three->b, world->now), 0);
    assert_int_equal(berth_network_reset_host(network, three->b, world->now), 0);
    world_run_until(world, world->now + BERTH_SECOND);
    /* No FIN and no RST came to the peer. */
    assert_int_equal(berth_socket_readiness(a, transfer.near) & (BERTH_READABLE | BERTH_ERROR), 0);
    assert_int_equal(berth_network_resume(network, three->b, world->now), 0);
    assert_int_equal(berth_socket_close(b, transfer.far, world->now), -EBADF);
    assert_int_equal(berth_socket_close(b, transfer.listener, world->now), -EBADF);
    assert_int_equal(berth_socket_close(b, udp, world->now), -EBADF);
    /* New sockets have other handles than any before. */
    berth_handle again, again_udp;
    assert_int_equal(berth_socket_open(b, 4, BERTH_TCP, &again), 0);
    assert_int_equal(berth_socket_open(b, 4, BERTH_UDP, &again_udp), 0);
    assert_true(again != transfer.far && again != transfer.listener && again_udp != udp);
    assert_int_equal(berth_socket_close(b, udp, world->now), -EBADF);
    /* Settings stay. */
    struct berth_endpoint there = {world_address(world, three->c), 9}, local;
    assert_int_equal(berth_socket_connect(b, again, &there, world->now), -EINPROGRESS);
    assert_int_equal(berth_socket_local(b, again, &local), 0);
    assert_int_equal(local.port, 5000);
    berth_socket_abort(b, again, world->now);
    berth_socket_close(b, again_udp, world->now);
    berth_network_touch(network, three->b);
    /* What the peer sends now is answered with a reset. */
    transfer_send(world, &transfer);
    world_run_until(world, world->now + 5 * BERTH_SECOND);
    uint8_t octet;
    if (transfer.near)
        assert_int_equal(berth_socket_receive(a, transfer.near, &octet, 1, 0, world->now),
                         -ECONNRESET);
    assert_true(reaches(three, three->a, three->b));
    assert_int_equal(berth_network_reset_host(network, 99, 0), -ENOENT);
}

static void a_reset_without_memory_changes_nothing(void **state) {
    struct three *three = *state;
    struct world *world = &three->world;
    struct transfer transfer;
    connect_them(three, &transfer, 5000);
    bool done = false;
    for (unsigned n = 0; !done && n < 100; n++) {
        world->counting.fail_at = world->counting.calls + 1 + n;
        int error = berth_network_reset_host(world->network, three->c, world->now);
        world->counting.fail_at = 0;
        done = error == 0;
        assert_true(done || error == -ENOMEM);
    }
    assert_true(done);
    transfer_finish(world, &transfer, 10 * BERTH_SECOND);
}

static void a_match_is_treated_alone(void **state) {
    struct three *three = *state;
    struct world *world = &three->world;
    struct berth_network *network = world->network;
    const struct berth_impairment lost = {.loss = 1};
    struct berth_match match = {
        .protocol = 6, .port = 5432, .peer = world_address(world, three->b)};
    assert_int_equal(berth_network_impair_match(network, three->a, -1, BERTH_EGRESS, &match, &lost),
                     0);
    assert_false(reaches_on(three, three->a, three->b, 5432));
    assert_true(reaches_on(three, three->a, three->b, 5433));
    assert_true(reaches_on(three, three->a, three->c, 5432));
    assert_false(reaches_on(three, three->b, three->a, 5432)); /* the answers are lost */
    /* The other direction by itself. */
    assert_int_equal(berth_network_impair_match(network, three->a, 0, BERTH_EGRESS, &match, NULL),
                     0);
    assert_true(reaches_on(three, three->a, three->b, 5432));
    assert_int_equal(berth_network_impair_match(network, three->a, 0, BERTH_INGRESS, &match, &lost),
                     0);
    assert_false(reaches_on(three, three->a, three->b, 5432));
    struct berth_match got = {0};
    struct berth_impairment does = {0};
    assert_int_equal(berth_network_match(network, three->a, 0, BERTH_INGRESS, 0, &got, &does), 0);
    assert_true(got.port == 5432 && got.protocol == 6 && does.loss == 1);
    assert_int_equal(berth_network_match(network, three->a, 0, BERTH_INGRESS, 1, &got, &does),
                     -ENOENT);
    assert_int_equal(berth_network_match(network, three->a, 0, BERTH_EGRESS, 0, &got, &does),
                     -ENOENT);
}

static void matches_are_bounded_and_checked(void **state) {
    struct three *three = *state;
    struct berth_network *network = three->world.network;
    const struct berth_impairment lost = {.loss = 1}, wrong = {.loss = 2};
    struct berth_match match = {.protocol = 0};
    assert_int_equal(berth_network_impair_match(network, three->a, -1, BERTH_BOTH, &match, &lost),
                     -EINVAL);
    match = (struct berth_match){.protocol = 1, .port = 80}; /* ICMP has no ports */
    assert_int_equal(berth_network_impair_match(network, three->a, -1, BERTH_BOTH, &match, &lost),
                     -EINVAL);
    match = (struct berth_match){.port = 80};
    assert_int_equal(berth_network_impair_match(network, three->a, -1, BERTH_BOTH, &match, &wrong),
                     -EINVAL);
    assert_int_equal(berth_network_impair_match(network, 9, -1, BERTH_BOTH, &match, &lost),
                     -ENOENT);
    for (uint16_t port = 1; port <= 8; port++) {
        match.port = port;
        assert_int_equal(
            berth_network_impair_match(network, three->a, -1, BERTH_BOTH, &match, &lost), 0);
    }
    match.port = 9;
    assert_int_equal(berth_network_impair_match(network, three->a, -1, BERTH_BOTH, &match, &lost),
                     -ENOSPC);
    match.port = 3;
    assert_int_equal(berth_network_impair_match(network, three->a, -1, BERTH_BOTH, &match, NULL),
                     0);
    assert_true(reaches_on(three, three->b, three->a, 3));
    assert_false(reaches_on(three, three->b, three->a, 8));
}

/* Both families: the peer is a computer, not one of its addresses. */
static void a_peer_is_meant_with_all_its_addresses(void **state) {
    (void)state;
    struct world world;
    world_open(&world, 1);
    struct berth_network *network = world.network;
    struct berth_ip subnet6;
    assert_int_equal(berth_ip_parse("fd00:7::", &subnet6), 0);
    assert_int_equal(berth_network_set_ipv6(network, 0, &subnet6), 0);
    int a = world_host(&world, "a"), b = world_host(&world, "b");
    struct berth_link link;
    assert_int_equal(berth_network_links(network, b, &link, 1), 1);
    struct berth_match match = {.peer = link.address};
    const struct berth_impairment slow = {.delay = 50 * BERTH_MS};
    assert_int_equal(berth_network_impair_match(network, a, -1, BERTH_BOTH, &match, &slow), 0);
    const struct berth_ip addresses[] = {link.address, link.ipv6};
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct transfer transfer;
        struct berth_endpoint at = {addresses[i], 80};
        transfer_start_to(&world, &transfer, a, b, at, 10);
        assert_true(transfer_finish(&world, &transfer, BERTH_SECOND) >= 100 * BERTH_MS);
    }
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_THREE(groups_keep_hosts_apart_and_healing_brings_them_together),
        WITH_THREE(a_path_is_closed_for_two_alone),
        WITH_THREE(a_router_does_not_lead_around_a_partition),
        WITH_THREE(a_cable_is_one_of_several),
        WITH_THREE(what_is_under_way_on_a_cable_that_goes_is_lost),
        WITH_THREE(a_computer_that_stood_still_has_missed_nothing_of_its_own_time),
        WITH_THREE(timers_go_on_where_they_stood),
        WITH_THREE(power_that_goes_takes_the_sockets_along_without_a_word),
        WITH_THREE(a_reset_without_memory_changes_nothing),
        WITH_THREE(a_match_is_treated_alone),
        WITH_THREE(matches_are_bounded_and_checked),
        cmocka_unit_test(a_peer_is_meant_with_all_its_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
