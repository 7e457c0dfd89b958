#include "engine/port/ports.h"
#include "test/unit/port/port_helper.h"
#include <math.h>
#include <stdio.h>

enum { HOME = 0x0a000001, SERVER = 0x0a000002, FIRST = 1024, ALL = 64512 };

static struct world world;
static bool taken[PORT_COUNT];

/* Opens `count` connections to the server's port 80 from ports of the allocator's choice. */
static void fill(uint32_t first_reference, uint32_t count, struct berth_ip server) {
    memset(taken, 0, sizeof taken);
    for (uint32_t i = 0; i < count; i++) {
        uint16_t port = 0;
        assert_int_equal(world_connect(&world, first_reference + i, v4(HOME), &port, server, 80),
                         0);
        assert_in_range(port, FIRST, 65535);
        assert_false(taken[port]); /* unique in its four numbers */
        taken[port] = true;
    }
}

static int connect_once(uint32_t reference, struct berth_ip server, uint16_t server_port) {
    uint16_t port = 0;
    return world_connect(&world, reference, v4(HOME), &port, server, server_port);
}

/* RFC 6056 3.2: the range is as large as it can be; 2.2: no four numbers twice. [6056-2, 6056-5,
 * 6335-1] */
static void every_port_then_none(void **state) {
    (void)state;
    world_init(&world, 2 * ALL + 10, 1);
    fill(1, ALL, v4(SERVER));
    struct berth_ip home = v4(HOME), server = v4(SERVER);
    assert_int_equal(ports_used_toward(world.ports, &home, &server, 80), ALL);
    uint64_t asked = world.asked;
    for (int i = 0; i < 100; i++)
        assert_int_equal(connect_once(2 * ALL + 1, server, 80), -EADDRNOTAVAIL);
    assert_in_range(world.asked - asked, 0, 100); /* said at once, not after a search */
    /* The same ports serve another address and another port of the same address. */
    fill(ALL + 1, ALL, v4(SERVER + 1));
    assert_int_equal(connect_once(2 * ALL + 1, v4(SERVER + 1), 80), -EADDRNOTAVAIL);
    assert_int_equal(connect_once(2 * ALL + 2, server, 81), 0);
    /* One goes: that one is found again. */
    uint16_t gone = world.records[777].local_port, port = 0;
    world_disconnect(&world, 777);
    assert_int_equal(world_connect(&world, 777, home, &port, server, 80), 0);
    assert_int_equal(port, gone);
    for (uint32_t i = 1; i <= 2 * ALL; i++)
        world_disconnect(&world, i);
    world_disconnect(&world, 2 * ALL + 2);
    assert_int_equal(world.counting.octets, world_base());
    world_clear(&world);
}

/* Clients that bind to ports of their choice fill the range in order; whoever lets the host choose
 * still gets each of the rest, and nobody's first call has to search all ports. */
static void filled_in_order(void **state) {
    (void)state;
    world_init(&world, ALL + 2, 2);
    uint32_t bind;
    for (uint32_t i = 0; i < ALL - 3; i++) {
        struct berth_endpoint local = {v4(HOME), (uint16_t)(FIRST + i)};
        uint16_t port = local.port;
        assert_int_equal(ports_bind(world.ports, &local, PORTS_STREAM, 1, &bind), 0);
        assert_int_equal(world_connect(&world, i + 1, v4(HOME), &port, v4(SERVER), 80), 0);
    }
    uint64_t asked = world.asked;
    for (uint32_t i = 0; i < 3; i++) {
        uint16_t port = 0;
        assert_int_equal(world_connect(&world, ALL - 2 + i, v4(HOME), &port, v4(SERVER), 80), 0);
        assert_in_range(port, 65533, 65535);
    }
    assert_int_equal(connect_once(ALL + 1, v4(SERVER), 80), -EADDRNOTAVAIL);
    assert_in_range(world.asked - asked, 0, 60);
    world_clear(&world);
}

/* RFC 6191 2: whoever connects, ends and connects again within a tick of the clocks gets another
 * port, so that the server's TIME-WAIT does not take the SYN for an old one. */
static void no_port_twice_in_a_moment(void **state) {
    (void)state;
    enum { CALLS = 50000, MOMENT = 64 };
    static uint32_t last[PORT_COUNT];
    world_init(&world, 2, 7);
    memset(last, 0, sizeof last);
    for (uint32_t call = 1; call <= CALLS; call++) {
        uint16_t port = 0;
        assert_int_equal(world_connect(&world, 1, v4(HOME), &port, v4(SERVER), 80), 0);
        assert_true(last[port] == 0 || call - last[port] > MOMENT);
        last[port] = call;
        world_disconnect(&world, 1);
    }
    world_clear(&world);
}

static void random_opening_and_closing_stays_true(void **state) {
    (void)state;
    enum { FIRST_PORT = 20000, RANGE = 900 };
    world_init(&world, RANGE + 1, 3);
    assert_int_equal(ports_set_range(world.ports, FIRST_PORT, FIRST_PORT + RANGE - 1), 0);
    static bool open[RANGE + 2];
    memset(open, 0, sizeof open);
    memset(taken, 0, sizeof taken);
    struct random dice;
    const uint8_t seed[32] = {1};
    random_init(&dice, seed, 0);
    uint32_t count = 0, bind = 0, bound = 0;
    for (int step = 0; step < 150000; step++) {
        uint32_t i = 1 + random_below(&dice, RANGE);
        bool fills = step / 7000 % 2 == 0;
        if (step % 50 == 0) { /* a bind comes or goes at a port that is not used */
            struct berth_endpoint local = {random_below(&dice, 2) ? v4(HOME) : v4(0),
                                           (uint16_t)(FIRST_PORT + i)};
            if (bound)
                ports_unbind(world.ports, bind);
            bound = ports_bind(world.ports, &local, 0, 5, &bind) ? 0 : local.port;
        } else if (!open[i] && (fills || random_below(&dice, 9) == 0)) {
            uint16_t port = 0;
            int result = world_connect(&world, i, v4(HOME), &port, v4(SERVER), 80);
            uint32_t in_range = bound && bound < FIRST_PORT + RANGE;
            if (count + in_range == RANGE) {
                assert_int_equal(result, -EADDRNOTAVAIL);
            } else {
                assert_int_equal(result, 0);
                assert_in_range(port, FIRST_PORT, FIRST_PORT + RANGE - 1);
                assert_false(taken[port]);
                assert_int_not_equal(port, bound);
                taken[port] = open[i] = true;
                count++;
            }
        } else if (open[i] && (!fills || random_below(&dice, 9) == 0)) {
            taken[world.records[i].local_port] = open[i] = false;
            world_disconnect(&world, i);
            count--;
        }
        assert_int_equal(ports_memory(world.ports), world.counting.octets);
    }
    world_clear(&world);
}

/* RFC 6056 2.2: nor a port that somebody listens at. [6056-5] */
static void bound_ports_are_skipped(void **state) {
    (void)state;
    world_init(&world, 20, 4);
    assert_int_equal(ports_set_range(world.ports, 5000, 5009), 0);
    uint32_t bind;
    struct berth_endpoint any = {v4(0), 5001}, dual = {v6_any, 5002}, mine = {v4(HOME), 5003};
    struct berth_endpoint other = {v4(HOME + 100), 5004};
    assert_int_equal(ports_bind(world.ports, &any, PORTS_STREAM, 1, &bind), 0);
    assert_int_equal(ports_bind(world.ports, &dual, PORTS_STREAM, 1, &bind), 0);
    assert_int_equal(ports_bind(world.ports, &mine, PORTS_STREAM | PORTS_REUSEADDR, 1, &bind), 0);
    assert_int_equal(ports_bind(world.ports, &other, PORTS_STREAM, 1, &bind), 0);
    memset(taken, 0, sizeof taken);
    for (uint32_t i = 1; i <= 7; i++) {
        uint16_t port = 0;
        assert_int_equal(world_connect(&world, i, v4(HOME), &port, v4(SERVER), 80), 0);
        assert_false(taken[port]);
        taken[port] = true;
        assert_false(port >= 5001 && port <= 5003);
    }
    assert_int_equal(connect_once(8, v4(SERVER), 80), -EADDRNOTAVAIL);
    ports_unbind(world.ports, bind); /* at the other address: no difference */
    assert_int_equal(connect_once(8, v4(SERVER), 80), -EADDRNOTAVAIL);
    world_clear(&world);
}

/* A port that its owner bound, connected from and closes again stays its owner's. */
static void a_bound_port_stays_bound_when_its_connection_ends(void **state) {
    (void)state;
    enum { RANGE = 64 };
    world_init(&world, RANGE + 2, 14);
    assert_int_equal(ports_set_range(world.ports, 5000, 5000 + RANGE - 1), 0);
    uint32_t bind;
    struct berth_endpoint local = {v4(HOME), 5005};
    uint16_t port = 5005;
    assert_int_equal(ports_bind(world.ports, &local, PORTS_STREAM, 1, &bind), 0);
    assert_int_equal(world_connect(&world, 1, v4(HOME), &port, v4(SERVER), 80), 0);
    for (uint32_t i = 2; i <= RANGE; i++)
        assert_int_equal(connect_once(i, v4(SERVER), 80), 0);
    assert_int_equal(connect_once(RANGE + 1, v4(SERVER), 80), -EADDRNOTAVAIL);
    world_disconnect(&world, 1);
    assert_int_equal(connect_once(RANGE + 1, v4(SERVER), 80), -EADDRNOTAVAIL);
    ports_unbind(world.ports, bind);
    assert_int_equal(connect_once(RANGE + 1, v4(SERVER), 80), 0);
    assert_int_equal(world.records[RANGE + 1].local_port, 5005);
    world_clear(&world);
}

/* What was learned of one range is not believed of the next. */
static void a_range_that_moves(void **state) {
    (void)state;
    enum { RANGE = 100 };
    world_init(&world, 2 * RANGE, 15);
    assert_int_equal(ports_set_range(world.ports, 5000, 5000 + RANGE - 1), 0);
    for (uint32_t i = 1; i <= RANGE; i++)
        assert_int_equal(connect_once(i, v4(SERVER), 80), 0);
    assert_int_equal(connect_once(RANGE + 1, v4(SERVER), 80), -EADDRNOTAVAIL);
    assert_int_equal(ports_set_range(world.ports, 5050, 5050 + RANGE - 1), 0);
    for (uint32_t i = RANGE + 1; i <= RANGE + RANGE / 2; i++) {
        assert_int_equal(connect_once(i, v4(SERVER), 80), 0);
        assert_in_range(world.records[i].local_port, 5100, 5149);
    }
    assert_int_equal(connect_once(2 * RANGE, v4(SERVER), 80), -EADDRNOTAVAIL);
    world_clear(&world);
}

static void a_range_of_one_port(void **state) {
    (void)state;
    world_init(&world, 4, 5);
    assert_int_equal(ports_set_range(world.ports, 0, 10), -EINVAL);
    assert_int_equal(ports_set_range(world.ports, 11, 10), -EINVAL);
    assert_int_equal(ports_set_range(world.ports, 40000, 40000), 0);
    uint16_t port = 0;
    assert_int_equal(world_connect(&world, 1, v4(HOME), &port, v4(SERVER), 23), 0);
    assert_int_equal(port, 40000);
    assert_int_equal(connect_once(2, v4(SERVER), 23), -EADDRNOTAVAIL);
    assert_int_equal(connect_once(2, v4(SERVER), 21), 0);
    /* A range that is widened later is used at once. */
    assert_int_equal(ports_set_range(world.ports, 40000, 40001), 0);
    assert_int_equal(connect_once(3, v4(SERVER), 23), 0);
    assert_int_equal(world.records[3].local_port, 40001);
    world_clear(&world);
}

/* ---- bind to port 0 ---- */

static void bind_to_port_0_takes_each_port_once(void **state) {
    (void)state;
    world_init(&world, 2, 6);
    static uint32_t binds[ALL];
    memset(taken, 0, sizeof taken);
    for (uint32_t i = 0; i < ALL; i++) {
        struct berth_endpoint local = {v4(0), 0};
        assert_int_equal(
            ports_bind(world.ports, &local, PORTS_STREAM | PORTS_REUSEADDR, 1, &binds[i]), 0);
        assert_in_range(local.port, FIRST, 65535);
        assert_false(taken[local.port]);
        taken[local.port] = true;
    }
    struct berth_endpoint local = {v4(0), 0};
    uint32_t bind;
    assert_int_equal(ports_bind(world.ports, &local, PORTS_STREAM | PORTS_REUSEADDR, 1, &bind),
                     -EADDRINUSE);
    assert_int_equal(local.port, 0);
    for (uint32_t i = 0; i < ALL; i++)
        ports_unbind(world.ports, binds[i]);
    assert_int_equal(world.counting.octets, world_base());
    world_clear(&world);
}

static void bind_to_port_0_finds_a_free_address(void **state) {
    (void)state;
    world_init(&world, ALL + 1, 7);
    fill(1, ALL, v4(SERVER));
    uint32_t bind;
    struct berth_endpoint any = {v4(0), 0}, same = {v4(HOME), 0}, six = {v6_any, 0};
    assert_int_equal(ports_bind(world.ports, &any, PORTS_STREAM, 1, &bind), -EADDRINUSE);
    assert_int_equal(ports_bind(world.ports, &same, PORTS_STREAM, 1, &bind), -EADDRINUSE);
    assert_int_equal(ports_bind(world.ports, &six, PORTS_STREAM, 1, &bind), -EADDRINUSE);
    memset(taken, 0, sizeof taken);
    for (int i = 0; i < 1000; i++) { /* every port is used, but not at this address */
        struct berth_endpoint loopback = {v4(0x7f000001), 0};
        assert_int_equal(ports_bind(world.ports, &loopback, PORTS_STREAM, 1, &bind), 0);
        assert_in_range(loopback.port, FIRST, 65535);
        assert_false(taken[loopback.port]);
        taken[loopback.port] = true;
    }
    assert_int_equal(ports_bind(world.ports, &six, PORTS_STREAM | PORTS_V6ONLY, 1, &bind), 0);
    /* A port that loopback holds too gets free at home: whole it is not, but free there. */
    uint32_t freed = 1;
    while (!taken[world.records[freed].local_port])
        freed++;
    uint16_t gone = world.records[freed].local_port;
    world_disconnect(&world, freed);
    assert_int_equal(ports_bind(world.ports, &any, PORTS_STREAM, 1, &bind), -EADDRINUSE);
    assert_int_equal(ports_bind(world.ports, &same, PORTS_STREAM, 1, &bind), 0);
    assert_int_equal(same.port, gone);
    ports_unbind(world.ports, bind);
    same.port = 0;
    assert_int_equal(ports_bind(world.ports, &same, PORTS_STREAM, 1, &bind), 0);
    assert_int_equal(same.port, gone);
    same.port = 0;
    assert_int_equal(ports_bind(world.ports, &same, PORTS_STREAM, 1, &bind), -EADDRINUSE);
    world_clear(&world);
}

/* ---- unpredictable: RFC 6056, section 3 ---- */

/* Pearson's statistic of `counts` against the uniform distribution, in standard deviations from its
 * mean. */
static double chi_square(const uint32_t *counts, uint32_t cells, double expected) {
    double sum = 0;
    for (uint32_t i = 0; i < cells; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return (sum - cells) / sqrt(2.0 * cells);
}

/* Ports of one destination after the other's: uniform, and neither the next one nor the difference
 * nor another destination's port says anything. [6056-1, 6056-3] */
static void ports_are_uniform_and_independent(void **state) {
    (void)state;
    enum { CELLS = 256, DRAWS = 200000 };
    static uint32_t single[CELLS], pairs[CELLS], differences[CELLS], across[CELLS];
    memset(single, 0, sizeof single);
    memset(pairs, 0, sizeof pairs);
    memset(differences, 0, sizeof differences);
    memset(across, 0, sizeof across);
    world_init(&world, 4, 8);
    uint32_t before = 0;
    for (int i = 0; i < DRAWS; i++) {
        uint16_t one = 0, two = 0;
        world_connect(&world, 1, v4(HOME), &one, v4(SERVER), 80);
        world_connect(&world, 2, v4(HOME), &two, v4(SERVER + 1), 80);
        world_disconnect(&world, 1);
        world_disconnect(&world, 2);
        uint32_t cell = (uint32_t)(one - FIRST);
        single[cell / 252]++; /* 64,512 = 256 * 252 */
        pairs[before / 4032 * 16 + cell / 4032]++;
        differences[(cell + ALL - before) % ALL / 252]++;
        across[cell / 4032 * 16 + (uint32_t)(two - FIRST) / 4032]++;
        before = cell;
    }
    double expected = (double)DRAWS / CELLS;
    assert_true(fabs(chi_square(single, CELLS, expected)) < 5);
    assert_true(fabs(chi_square(pairs, CELLS, expected)) < 5);
    assert_true(fabs(chi_square(differences, CELLS, expected)) < 5);
    assert_true(fabs(chi_square(across, CELLS, expected)) < 5);
    world_clear(&world);
}

/* The same when few ports are left: each of them has the same chance, wherever the used ones lie.
 * [6056-1] */
static void the_last_ports_are_as_unpredictable(void **state) {
    (void)state;
    enum { FREE = 16, DRAWS = 16000 };
    world_init(&world, ALL + 1, 9);
    fill(1, ALL, v4(SERVER));
    /* Free again: 15 ports side by side and one far away. */
    uint32_t counts[FREE] = {0};
    for (uint32_t i = 1; i <= ALL; i++) {
        uint16_t port = world.records[i].local_port;
        if (port == 60000 || (port >= 2000 && port < 2000 + FREE - 1))
            world_disconnect(&world, i);
    }
    for (int i = 0; i < DRAWS; i++) {
        uint16_t port = 0;
        assert_int_equal(world_connect(&world, ALL + 1, v4(HOME), &port, v4(SERVER), 80), 0);
        counts[port == 60000 ? FREE - 1 : port - 2000]++;
        world_disconnect(&world, ALL + 1);
    }
    assert_true(chi_square(counts, FREE, (double)DRAWS / FREE) < 6);
    world_clear(&world);
}

/* [6056-1] */
static void binds_to_port_0_are_unpredictable(void **state) {
    (void)state;
    enum { CELLS = 256, DRAWS = 100000 };
    static uint32_t counts[CELLS];
    memset(counts, 0, sizeof counts);
    world_init(&world, 1, 10);
    for (int i = 0; i < DRAWS; i++) { /* UDP's source ports come from here: 6056-6 */
        struct berth_endpoint local = {v4(0), 0};
        uint32_t bind;
        assert_int_equal(ports_bind(world.ports, &local, 0, 1, &bind), 0);
        counts[(local.port - FIRST) / 252]++;
        ports_unbind(world.ports, bind);
    }
    assert_true(fabs(chi_square(counts, CELLS, (double)DRAWS / CELLS)) < 5);
    world_clear(&world);
}

/* ---- bounds ---- */

/* No call does more than a few look-ups, at any occupancy, on the way up and down. */
static void no_call_searches(void **state) {
    (void)state;
    world_init(&world, ALL + 1, 11);
    uint64_t most = 0;
    for (uint32_t i = 1; i <= ALL; i++) {
        uint64_t asked = world.asked;
        assert_int_equal(connect_once(i, v4(SERVER), 80), 0);
        most = world.asked - asked > most ? world.asked - asked : most;
    }
    for (uint32_t i = 1; i <= ALL; i++) {
        uint64_t asked = world.asked;
        world_disconnect(&world, i);
        most = world.asked - asked > most ? world.asked - asked : most;
    }
    assert_in_range(most, 1, 80);
    assert_int_equal(world.counting.octets, world_base());
    world_clear(&world);
}

static void works_without_memory_for_spaces(void **state) {
    (void)state;
    for (uint64_t n = 1; n < 30; n++) {
        world_init(&world, 400, 12);
        ports_set_range(world.ports, 3000, 3299);
        uint16_t port = 0;
        counting_fail_nth(&world.counting, n, n % 2);
        uint32_t open = 0;
        for (uint32_t i = 1; i <= 400; i++) {
            port = 0;
            int result = world_connect(&world, open + 1, v4(HOME), &port, v4(SERVER), 80);
            assert_true(result == 0 || result == -ENOMEM ||
                        (result == -EADDRNOTAVAIL && open == 300));
            assert_true((port == 0) == (result != 0));
            open += result == 0;
        }
        for (uint32_t i = 1; i <= open; i++)
            world_disconnect(&world, i);
        assert_int_equal(world.counting.octets, world_base());
        world_clear(&world);
    }
}

static void spaces_are_bounded(void **state) {
    (void)state;
    enum { DESTINATIONS = SPACES_CONNECT_MAX + 40, RANGE = 8 };
    world_init(&world, DESTINATIONS * RANGE + 1, 13);
    ports_set_range(world.ports, 3000, 3000 + RANGE - 1);
    for (uint32_t d = 0; d < DESTINATIONS; d++)
        for (uint32_t i = 0; i <= RANGE; i++)
            assert_int_equal(
                connect_once(d * RANGE + 1 + (i < RANGE ? i : 0) + (i == RANGE ? RANGE : 0),
                             v4(SERVER + d), 80),
                i < RANGE ? 0 : -EADDRNOTAVAIL);
    assert_in_range(world.ports->spaces.connect.count, 1, SPACES_CONNECT_MAX);
    /* The first destination's space was thrown out; the answer is still right. */
    assert_int_equal(connect_once(DESTINATIONS * RANGE + 1, v4(SERVER), 80), -EADDRNOTAVAIL);
    for (uint32_t i = 1; i <= DESTINATIONS * RANGE; i++)
        world_disconnect(&world, i);
    assert_int_equal(world.counting.octets, world_base());
    world_clear(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_then_none),
        cmocka_unit_test(filled_in_order),
        cmocka_unit_test(no_port_twice_in_a_moment),
        cmocka_unit_test(random_opening_and_closing_stays_true),
        cmocka_unit_test(bound_ports_are_skipped),
        cmocka_unit_test(a_bound_port_stays_bound_when_its_connection_ends),
        cmocka_unit_test(a_range_that_moves),
        cmocka_unit_test(a_range_of_one_port),
        cmocka_unit_test(bind_to_port_0_takes_each_port_once),
        cmocka_unit_test(bind_to_port_0_finds_a_free_address),
        cmocka_unit_test(ports_are_uniform_and_independent),
        cmocka_unit_test(the_last_ports_are_as_unpredictable),
        cmocka_unit_test(binds_to_port_0_are_unpredictable),
        cmocka_unit_test(no_call_searches),
        cmocka_unit_test(works_without_memory_for_spaces),
        cmocka_unit_test(spaces_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
