#include "test/unit/port/port_helper.h"
#include <stdio.h>

enum { A = 0x0a000001, B = 0x0a000002 };
enum { R = PORTS_REUSEADDR, P = PORTS_REUSEPORT, V = PORTS_V6ONLY, T = PORTS_STREAM };

static int bind_at_port(struct world *world, struct berth_ip ip, uint16_t port, unsigned flags,
                        uint32_t owner, uint32_t *bind) {
    struct berth_endpoint local = {ip, port};
    return ports_bind(world->ports, &local, flags, owner, bind);
}

/* ---- two binds to one address and port ---- */

static void reuse_options_decide_as_on_linux(void **state) {
    (void)state;
    const struct {
        unsigned first, second;
        bool listening; /* the first one listens before the second binds */
        int expected;
    } cases[] = {
        {T, T, false, -EADDRINUSE},
        {T | R, T, false, -EADDRINUSE},
        {T, T | R, false, -EADDRINUSE},
        {T | R, T | R, false, 0},
        {T | R, T | R, true, -EADDRINUSE},
        {T | P, T | P, false, 0},
        {T | P, T | P, true, 0},
        {T | P, T | R, false, -EADDRINUSE},
        {T | R | P, T | R, false, 0},
        {T | R | P, T | R, true, -EADDRINUSE},
        {T | R | P, T | P, true, 0},
        {T | R | P, T | R | P, true, 0},
        {0, 0, false, -EADDRINUSE},
        {R, 0, false, -EADDRINUSE},
        {0, R, false, -EADDRINUSE},
        {R, R, false, 0}, /* UDP: receiving does not matter */
        {P, P, false, 0},
        {P, R, false, -EADDRINUSE},
        {R | P, P, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        world_init(&world, 1, 1);
        uint32_t first, second;
        assert_int_equal(bind_at_port(&world, v4(A), 80, cases[i].first, 7, &first), 0);
        if (cases[i].listening)
            assert_int_equal(ports_listen(world.ports, first, true), 0);
        int result = bind_at_port(&world, v4(A), 80, cases[i].second, 8, &second);
        if (result != cases[i].expected)
            fail_msg("case %zu: %d", i, result);
        struct berth_endpoint local = {v4(A), 80};
        if (result)
            assert_int_equal(ports_conflict(world.ports, &local, cases[i].second), 7);
        ports_unbind(world.ports, first);
        if (!result)
            ports_unbind(world.ports, second);
        assert_int_equal(world.counting.octets, world_base());
        world_clear(&world);
    }
}

static void only_one_listens_unless_reuseport(void **state) {
    (void)state;
    struct world world;
    world_init(&world, 1, 1);
    uint32_t first, second;
    assert_int_equal(bind_at_port(&world, v4(A), 80, T | R, 7, &first), 0);
    assert_int_equal(bind_at_port(&world, v4(A), 80, T | R, 8, &second), 0);
    assert_int_equal(ports_listen(world.ports, second, true), 0);
    assert_int_equal(ports_listen(world.ports, second, true), 0); /* a new backlog */
    assert_int_equal(ports_listen(world.ports, first, true), -EADDRINUSE);
    struct berth_ip local = v4(A);
    assert_int_equal(ports_lookup(world.ports, &local, 80, 0), 8);
    ports_listen(world.ports, second, false);
    assert_int_equal(ports_lookup(world.ports, &local, 80, 0), 0);
    assert_int_equal(ports_listen(world.ports, first, true), 0);
    assert_int_equal(ports_lookup(world.ports, &local, 80, 0), 7);
    world_clear(&world);
}

static void later_options_count(void **state) {
    (void)state;
    struct world world;
    world_init(&world, 1, 1);
    uint32_t first, second;
    bind_at_port(&world, v4(A), 80, T, 7, &first);
    assert_int_equal(bind_at_port(&world, v4(A), 80, T | R, 8, &second), -EADDRINUSE);
    ports_set_flags(world.ports, first, R);
    assert_int_equal(bind_at_port(&world, v4(A), 80, T | R, 8, &second), 0);
    ports_set_flags(world.ports, second, 0); /* now they do not agree: neither may listen */
    assert_int_equal(ports_listen(world.ports, first, true), -EADDRINUSE);
    world_clear(&world);
}

/* ---- overlapping addresses ---- */

static void wildcards_cover_what_they_cover(void **state) {
    (void)state;
    const struct berth_ip v4_any = v4(0);
    const struct {
        struct berth_ip first, second;
        unsigned first_flags, second_flags;
        bool conflict;
    } cases[] = {
        {v4(A), v4(B), T, T, false},       {v4(A), v4_any, T, T, true},
        {v4_any, v4(A), T, T, true},       {v4_any, v4_any, T, T, true},
        {v4_any, v6(1), T, T, false},      {v6(1), v4_any, T, T, false},
        {v6(1), v6(2), T, T, false},       {v6(1), v6(1), T, T, true},
        {v6_any, v6(1), T, T, true},       {v6(1), v6_any, T, T, true},
        {v6_any, v6(1), T | V, T, true},   {v6(1), v6_any, T, T | V, true},
        {v6_any, v4(A), T, T, true},       {v4(A), v6_any, T, T, true},
        {v6_any, v4_any, T, T, true},      {v4_any, v6_any, T, T, true},
        {v6_any, v4(A), T | V, T, false},  {v4(A), v6_any, T, T | V, false},
        {v6_any, v4_any, T | V, T, false}, {v4_any, v6_any, T, T | V, false},
        {v6_any, v6_any, T | V, T, true},  {v6_any, v6_any, T | V, T | V, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        world_init(&world, 1, 1);
        uint32_t first, second;
        assert_int_equal(bind_at_port(&world, cases[i].first, 80, cases[i].first_flags, 7, &first),
                         0);
        int result = bind_at_port(&world, cases[i].second, 80, cases[i].second_flags, 8, &second);
        if (result != (cases[i].conflict ? -EADDRINUSE : 0))
            fail_msg("case %zu: %d", i, result);
        /* Another port is another matter; so is SO_REUSEADDR on both. */
        assert_int_equal(
            bind_at_port(&world, cases[i].second, 81, cases[i].second_flags, 9, &second), 0);
        ports_set_flags(world.ports, first, R);
        if (cases[i].conflict)
            assert_int_equal(
                bind_at_port(&world, cases[i].second, 80, cases[i].second_flags | R, 10, &second),
                0);
        world_clear(&world);
    }
}

/* [MUST-42] */
static void the_most_specific_listener_wins(void **state) {
    (void)state;
    struct world world;
    world_init(&world, 1, 1);
    struct berth_ip a = v4(A), b = v4(B), six = v6(1);
    uint32_t exact, any4, any6, only6;
    bind_at_port(&world, v6_any, 53, R, 60, &any6); /* UDP, so that all can stand together */
    assert_int_equal(ports_lookup(world.ports, &a, 53, 0), 60);
    assert_int_equal(ports_lookup(world.ports, &six, 53, 0), 60);
    bind_at_port(&world, v6_any, 53, R | V, 61, &only6);
    assert_int_equal(ports_lookup(world.ports, &a, 53, 0), 60);
    assert_int_equal(ports_lookup(world.ports, &six, 53, 0), 61);
    bind_at_port(&world, v4(0), 53, R, 40, &any4);
    assert_int_equal(ports_lookup(world.ports, &a, 53, 0), 40);
    bind_at_port(&world, a, 53, R, 41, &exact);
    assert_int_equal(ports_lookup(world.ports, &a, 53, 0), 41);
    assert_int_equal(ports_lookup(world.ports, &b, 53, 0), 40);
    assert_int_equal(ports_lookup(world.ports, &a, 54, 0), 0);
    ports_unbind(world.ports, exact);
    ports_unbind(world.ports, any4);
    assert_int_equal(ports_lookup(world.ports, &a, 53, 0), 60);
    ports_unbind(world.ports, any6);
    assert_int_equal(ports_lookup(world.ports, &a, 53, 0), 0); /* what is left is IPv6 only */
    assert_int_equal(ports_lookup(world.ports, &six, 53, 0), 61);
    world_clear(&world);
}

/* ---- groups ---- */

static void a_group_shares_by_flow(void **state) {
    (void)state;
    enum { MEMBERS = 37, FLOWS = 37000 };
    struct world world;
    world_init(&world, 1, 1);
    struct berth_ip a = v4(A);
    uint32_t binds[MEMBERS];
    static uint32_t first[FLOWS], seen[MEMBERS + 1];
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        assert_int_equal(bind_at_port(&world, v4(0), 80, T | P, i + 1, &binds[i]), 0);
        assert_int_equal(ports_listen(world.ports, binds[i], true), 0);
    }
    for (uint64_t flow = 0; flow < FLOWS; flow++) {
        first[flow] = ports_lookup(world.ports, &a, 80, flow);
        assert_int_equal(ports_lookup(world.ports, &a, 80, flow), first[flow]); /* and stays */
        seen[first[flow]]++;
    }
    for (uint32_t i = 1; i <= MEMBERS; i++)
        assert_in_range(seen[i], 800, 1200);
    ports_unbind(world.ports, binds[10]);
    for (uint64_t flow = 0; flow < FLOWS; flow++) {
        uint32_t owner = ports_lookup(world.ports, &a, 80, flow);
        assert_in_range(owner, 1, MEMBERS);
        assert_int_not_equal(owner, 11);
    }
    for (uint32_t i = 0; i < MEMBERS; i++) { /* backwards, so that those that moved go next */
        uint32_t gone = MEMBERS - i;
        if (gone == 11)
            continue;
        ports_unbind(world.ports, binds[gone - 1]);
        for (uint64_t flow = 0; flow < 100; flow++) {
            uint32_t owner = ports_lookup(world.ports, &a, 80, flow);
            assert_true(owner < gone && owner != 11 && (owner != 0 || gone == 1));
        }
    }
    assert_int_equal(ports_lookup(world.ports, &a, 80, 5), 0);
    assert_int_equal(world.counting.octets, world_base());
    world_clear(&world);
}

static void the_newest_of_reuseaddr_receivers_gets_it(void **state) {
    (void)state;
    struct world world;
    world_init(&world, 1, 1);
    struct berth_ip a = v4(A);
    uint32_t binds[3];
    for (uint32_t i = 0; i < 3; i++)
        bind_at_port(&world, a, 5353, R, i + 1, &binds[i]);
    assert_int_equal(ports_lookup(world.ports, &a, 5353, 0), 3);
    ports_unbind(world.ports, binds[1]);
    assert_int_equal(ports_lookup(world.ports, &a, 5353, 0), 3);
    ports_unbind(world.ports, binds[2]);
    assert_int_equal(ports_lookup(world.ports, &a, 5353, 0), 1);
    world_clear(&world);
}

/* ---- connections in the way of binds ---- */

static void connections_block_binds_without_reuse(void **state) {
    (void)state;
    struct world world;
    world_init(&world, 2, 1);
    uint32_t bind;
    uint16_t port = 80;
    world_connect(&world, 1, v4(A), &port, v4(B), 999); /* accepted once, TIME-WAIT perhaps */
    struct berth_endpoint local = {v4(A), 80};
    assert_int_equal(bind_at_port(&world, v4(A), 80, T, 7, &bind), -EADDRINUSE);
    assert_int_equal(bind_at_port(&world, v4(0), 80, T, 7, &bind), -EADDRINUSE);
    assert_int_equal(bind_at_port(&world, v6_any, 80, T, 7, &bind), -EADDRINUSE);
    assert_int_equal(ports_conflict(world.ports, &local, T), 0);
    assert_int_equal(ports_conflict_connection(world.ports, &local, T), 1);
    assert_int_equal(ports_conflict_connection(world.ports, &local, T | R), 0);
    assert_int_equal(bind_at_port(&world, v4(B), 80, T, 7, &bind), 0);
    ports_unbind(world.ports, bind);
    assert_int_equal(bind_at_port(&world, v6_any, 80, T | V, 7, &bind), 0);
    ports_unbind(world.ports, bind);
    assert_int_equal(bind_at_port(&world, v4(0), 80, T | R, 7, &bind), 0);
    assert_int_equal(ports_listen(world.ports, bind, true), 0);
    ports_unbind(world.ports, bind);
    world_disconnect(&world, 1);
    assert_int_equal(ports_conflict(world.ports, &local, T), 0);
    assert_int_equal(bind_at_port(&world, v4(A), 80, T, 7, &bind), 0);
    world_clear(&world);
}

/* ---- many ---- */

/* Ten thousand listeners, and two thousand addresses on one port: found without walking, gone
 * without a trace. */
static void many_listeners(void **state) {
    (void)state;
    enum { PORTS = 10000, ADDRESSES = 2000 };
    struct world world;
    static uint32_t binds[PORTS + ADDRESSES];
    world_init(&world, 1, 1);
    for (uint32_t i = 0; i < PORTS; i++)
        assert_int_equal(bind_at_port(&world, v4(0), (uint16_t)(i + 1), T, i + 1, &binds[i]), 0);
    for (uint32_t i = 0; i < ADDRESSES; i++)
        assert_int_equal(
            bind_at_port(&world, v4(A + i), 60000, T, PORTS + i + 1, &binds[PORTS + i]), 0);
    for (uint32_t i = 0; i < PORTS + ADDRESSES; i++)
        assert_int_equal(ports_listen(world.ports, binds[i], true), 0);
    for (uint32_t i = 0; i < PORTS; i++) {
        struct berth_ip local = v4(A + i);
        assert_int_equal(ports_lookup(world.ports, &local, (uint16_t)(i + 1), i), i + 1);
    }
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        struct berth_ip local = v4(A + i);
        assert_int_equal(ports_lookup(world.ports, &local, 60000, i), PORTS + i + 1);
    }
    uint32_t more;
    assert_int_equal(bind_at_port(&world, v4(0), 60000, T, 1, &more), -EADDRINUSE);
    assert_int_equal(bind_at_port(&world, v4(A + 1999), 60000, T, 1, &more), -EADDRINUSE);
    for (uint32_t i = 0; i < PORTS + ADDRESSES; i++) {
        uint32_t j =
            i * 7 % (PORTS + ADDRESSES); /* out of order: 7 and 12,000 have no common divisor */
        ports_unbind(world.ports, binds[j]);
    }
    assert_int_equal(world.counting.octets, world_base());
    world_clear(&world);
}

/* Random binds and connections at few addresses and ports beside the rules written down naively. */
struct naive {
    bool used, listening;
    struct berth_ip ip;
    uint16_t port;
    unsigned flags;
    uint32_t bind;
};

static bool naive_overlap(const struct naive *a, const struct naive *b) {
    bool four[2] = {berth_ip_is_v4(&a->ip), berth_ip_is_v4(&b->ip)};
    bool any[2] = {berth_ip_is_any(&a->ip), berth_ip_is_any(&b->ip)};
    if (a->port != b->port)
        return false;
    if (four[0] == four[1])
        return any[0] || any[1] || berth_ip_equal(&a->ip, &b->ip);
    const struct naive *six = four[0] ? b : a;
    return berth_ip_is_any(&six->ip) && !(six->flags & V);
}

static bool naive_refuses(const struct naive *list, size_t count, const struct naive *mine) {
    for (size_t i = 0; i < count; i++) {
        const struct naive *other = &list[i];
        if (!other->used || !naive_overlap(other, mine))
            continue;
        bool reuse = (other->flags & mine->flags & R) && !other->listening;
        if (!reuse && !(other->flags & mine->flags & P))
            return true;
    }
    return false;
}

static void agrees_with_naive_rules(void **state) {
    (void)state;
    enum { BINDS = 40 };
    static struct naive list[BINDS];
    memset(list, 0, sizeof list);
    struct world world;
    struct random dice;
    const uint8_t seed[32] = {5};
    random_init(&dice, seed, 0);
    world_init(&world, 1, 1);
    for (int step = 0; step < 100000; step++) {
        struct naive *mine = &list[random_below(&dice, BINDS)];
        const struct berth_ip ips[] = {v4(0), v4(A), v4(B), v4(A + 2), v4(A + 3), v4(A + 4),
                                       v6(1), v6(2), v6(3), v6_any,    v6_any,    v4(A + 5)};
        if (mine->used && random_below(&dice, 2)) {
            ports_unbind(world.ports, mine->bind);
            mine->used = mine->listening = false;
        } else if (mine->used) {
            mine->used = false; /* not in its own way */
            bool refused = !mine->listening && naive_refuses(list, BINDS, mine);
            mine->used = true;
            assert_int_equal(ports_listen(world.ports, mine->bind, true),
                             refused ? -EADDRINUSE : 0);
            mine->listening = mine->listening || !refused;
        } else {
            mine->ip = ips[random_below(&dice, sizeof ips / sizeof *ips)];
            mine->port = (uint16_t)(1 + random_below(&dice, 2));
            mine->flags = T | (random_below(&dice, 4) ? R : 0u) |
                          (random_below(&dice, 3) ? 0u : P) | (random_below(&dice, 2) ? V : 0u);
            bool refused = naive_refuses(list, BINDS, mine);
            int result = bind_at_port(&world, mine->ip, mine->port, mine->flags,
                                      (uint32_t)(mine - list) + 1, &mine->bind);
            assert_int_equal(result, refused ? -EADDRINUSE : 0);
            mine->used = !refused;
        }
        assert_int_equal(ports_memory(world.ports), world.counting.octets);
    }
    world_clear(&world);
}

static void survives_failing_allocations(void **state) {
    (void)state;
    for (uint64_t n = 1; n < 40; n++) {
        struct world world;
        uint32_t binds[200];
        bool bound[200];
        world_init(&world, 1, 1);
        counting_fail_nth(&world.counting, n, n % 2);
        for (uint32_t i = 0; i < 200; i++) {
            uint16_t port = (uint16_t)(1 + i / 20 * 100);
            unsigned flags = i % 2 ? P : R | P; /* UDP: groups, made at the bind */
            int result = bind_at_port(&world, v4(i % 10), port, flags, i + 1, &binds[i]);
            assert_true(result == 0 || result == -ENOMEM);
            bound[i] = result == 0;
        }
        for (uint32_t i = 0; i < 200; i++)
            if (bound[i])
                ports_unbind(world.ports, binds[i]);
        /* Without memory for it the set of the free ports was never made. */
        assert_in_range(world.counting.octets, 1, world_base());
        world_clear(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reuse_options_decide_as_on_linux),
        cmocka_unit_test(only_one_listens_unless_reuseport),
        cmocka_unit_test(later_options_count),
        cmocka_unit_test(wildcards_cover_what_they_cover),
        cmocka_unit_test(the_most_specific_listener_wins),
        cmocka_unit_test(a_group_shares_by_flow),
        cmocka_unit_test(the_newest_of_reuseaddr_receivers_gets_it),
        cmocka_unit_test(connections_block_binds_without_reuse),
        cmocka_unit_test(many_listeners),
        cmocka_unit_test(agrees_with_naive_rules),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
