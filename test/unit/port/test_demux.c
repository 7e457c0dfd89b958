#include "engine/port/ports.h"
#include "test/unit/port/port_helper.h"
#include <stdio.h>

enum { SERVER = 0x0a000001, MODEL = 6000 };

static void names_one_connection_by_four_numbers(void **state) {
    (void)state;
    struct world world;
    world_init(&world, 8, 1);
    uint16_t port = 80;
    assert_int_equal(world_connect(&world, 1, v4(SERVER), &port, v4(0x0a000002), 4000), 0);
    assert_int_equal(world_connect(&world, 2, v4(SERVER), &port, v4(0x0a000002), 4001), 0);
    assert_int_equal(world_connect(&world, 3, v4(SERVER), &port, v4(0x0a000003), 4000), 0);
    assert_int_equal(world_connect(&world, 4, v6(1), &port, v6(2), 4000), 0);
    uint16_t other = 81;
    assert_int_equal(world_connect(&world, 5, v4(SERVER), &other, v4(0x0a000002), 4000), 0);
    for (uint32_t i = 1; i <= 5; i++)
        assert_int_equal(ports_find(world.ports, &world.records[i]), i);
    struct tuple again = world.records[3];
    assert_int_equal(ports_connect(world.ports, &again, 6), -EADDRINUSE);
    struct tuple swapped = {again.remote, again.local, again.remote_port, again.local_port};
    assert_int_equal(ports_find(world.ports, &swapped), 0);
    assert_int_equal(ports_connections(world.ports), 5);
    world_clear(&world);
}

static void renames_in_place(void **state) {
    (void)state;
    struct world world;
    world_init(&world, 4, 1);
    uint16_t port = 80;
    world_connect(&world, 1, v4(SERVER), &port, v4(1), 1);
    world.records[2] = world.records[1];
    ports_rename(world.ports, &world.records[1], 1, 2);
    assert_int_equal(ports_find(world.ports, &world.records[1]), 2);
    ports_disconnect(world.ports, &world.records[1], 1); /* not there under that name any more */
    assert_int_equal(ports_connections(world.ports), 1);
    assert_true(ports_in_use(world.ports, 80));
    ports_disconnect(world.ports, &world.records[2], 2);
    assert_false(ports_in_use(world.ports, 80));
    assert_int_equal(world.counting.octets, world_base());
    world_clear(&world);
}

/* 200,000 random operations beside a table that is an array. */
static void agrees_with_a_naive_table(void **state) {
    (void)state;
    struct world world;
    struct random dice;
    const uint8_t seed[32] = {3};
    static bool open[MODEL + 1];
    memset(open, 0, sizeof open);
    random_init(&dice, seed, 0);
    world_init(&world, MODEL, 2);
    size_t count = 0;
    for (int step = 0; step < 200000; step++) {
        /* The number of open ones swings, so that buckets split and merge many times over. */
        bool grow = step / 20000 % 2 == 0;
        uint32_t i = 1 + random_below(&dice, MODEL);
        if (!open[i] && (grow || random_below(&dice, 8) == 0)) {
            uint16_t port = (uint16_t)(1 + i % 7);
            assert_int_equal(world_connect(&world, i, v4(i % 3), &port, v4(i), (uint16_t)i), 0);
            open[i] = true;
            count++;
        } else if (open[i] && (!grow || random_below(&dice, 8) == 0)) {
            world_disconnect(&world, i);
            open[i] = false;
            count--;
        }
        uint32_t asked = 1 + random_below(&dice, MODEL);
        struct tuple tuple = {v4(asked % 3), v4(asked), (uint16_t)(1 + asked % 7), (uint16_t)asked};
        assert_int_equal(ports_find(world.ports, &tuple), open[asked] ? asked : 0);
        assert_int_equal(ports_connections(world.ports), count);
        assert_int_equal(ports_memory(world.ports), world.counting.octets);
    }
    for (uint32_t i = 1; i <= MODEL; i++)
        if (open[i])
            world_disconnect(&world, i);
    assert_int_equal(world.counting.octets, world_base());
    world_clear(&world);
}

/* Entries of the longest chain of the index. */
static uint32_t longest_chain(const struct ref_index *index) {
    uint32_t longest = 0;
    for (uint32_t i = 0; i < index->main.count; i++) {
        uint32_t length = 1;
        for (const struct bucket *b = bucket_at(&index->main, i); b->link; length++)
            b = bucket_at(&index->overflow, b->link - 1);
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* No call does more than one bucket's work, however many entries there are: an insertion asks for
 * no more hashes than the chain it splits has entries, and takes no more memory than a few
 * segments. */
static void grows_and_shrinks_without_stalls(void **state) {
    (void)state;
    enum { COUNT = 150000 };
    struct world world;
    world_init(&world, COUNT, 4);
    uint64_t most_asked = 0, most_memory = 0;
    for (uint32_t i = 1; i <= COUNT; i++) {
        uint64_t asked = world.asked;
        size_t held = world.counting.octets;
        uint16_t port = 80;
        world_connect(&world, i, v4(SERVER), &port, v4(i / 50000), (uint16_t)(i % 50000 + 1));
        most_asked = world.asked - asked > most_asked ? world.asked - asked : most_asked;
        if (world.counting.octets > held && world.counting.octets - held > most_memory)
            most_memory = world.counting.octets - held;
    }
    assert_in_range(most_asked, 1, 60);
    assert_in_range(most_memory, 1, 64 << 10);
    /* The budget of a connection in the demultiplexer. */
    assert_in_range(ports_memory(world.ports) * 10 / COUNT, 75, 92);
    for (uint32_t i = 1; i <= COUNT; i++) {
        uint64_t asked = world.asked;
        world_disconnect(&world, i);
        most_asked = world.asked - asked > most_asked ? world.asked - asked : most_asked;
        if (i % 10000 == 0 && i < COUNT)
            assert_true(ports_memory(world.ports) < 20000 + 24 * (size_t)(COUNT - i));
    }
    assert_in_range(most_asked, 1, 60);
    assert_int_equal(world.counting.octets, world_base());
    world_clear(&world);
}

/* Neighbouring addresses and ports, which an attacker can choose, spread as well as any: chains
 * stay short. */
static void adversarial_tuples_do_not_collide(void **state) {
    (void)state;
    enum { COUNT = 120000 };
    struct world world;
    world_init(&world, COUNT, 5);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint16_t port = 443; /* one /24, adjacent ports */
        uint32_t remote = 0xc6336400 | (i & 0xff);
        world_connect(&world, i + 1, v4(SERVER), &port, v4(remote), (uint16_t)(1024 + (i >> 8)));
    }
    assert_in_range(longest_chain(&world.ports->connections), 1, 4);
    for (uint32_t i = 1; i <= COUNT; i++)
        assert_int_equal(ports_find(world.ports, &world.records[i]), i);
    world_clear(&world);
}

static void different_seeds_place_differently(void **state) {
    (void)state;
    struct world a, b;
    world_init(&a, 1, 1);
    world_init(&b, 1, 2);
    struct tuple tuple = {v4(1), v4(2), 3, 4};
    assert_true(ports_hash(a.ports, &tuple) != ports_hash(b.ports, &tuple));
    world_clear(&a);
    world_clear(&b);
}

static void finds_in_batches(void **state) {
    (void)state;
    struct world world;
    world_init(&world, 64, 6);
    uint64_t hashes[64];
    for (uint32_t i = 0; i < 64; i++) {
        uint16_t port = 7;
        world_connect(&world, i + 1, v4(SERVER), &port, v4(2), (uint16_t)(i + 1));
    }
    for (uint32_t i = 0; i < 64; i++) {
        hashes[i] = ports_hash(world.ports, &world.records[i + 1]);
        ports_prefetch(world.ports, hashes[i]);
    }
    uint64_t before = world.prefetched;
    for (uint32_t i = 0; i < 64; i++)
        ports_prefetch_record(world.ports, hashes[i]);
    assert_true(world.prefetched - before >= 64);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(ports_find_hashed(world.ports, &world.records[i + 1], hashes[i]), i + 1);
    world_clear(&world);
}

/* Every allocation in turn fails; what was there stays right, and nothing leaks. */
static void survives_failing_allocations(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    for (uint64_t n = 1; n < 60; n++) {
        struct world world;
        static bool open[COUNT + 1];
        world_init(&world, COUNT, 7);
        counting_fail_nth(&world.counting, n, n % 2);
        for (uint32_t i = 1; i <= COUNT; i++) {
            uint16_t port = (uint16_t)(i % 2000 + 1);
            int result = world_connect(&world, i, v4(SERVER), &port, v4(2), (uint16_t)i);
            assert_true(result == 0 || result == -ENOMEM);
            open[i] = result == 0;
        }
        for (uint32_t i = 1; i <= COUNT; i++)
            assert_int_equal(ports_find(world.ports, &world.records[i]), open[i] ? i : 0);
        for (uint32_t i = 1; i <= COUNT; i++)
            if (open[i])
                world_disconnect(&world, i);
        assert_int_equal(world.counting.octets, ports_memory(world.ports));
        assert_int_equal(world.counting.octets, world_base());
        world_clear(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_one_connection_by_four_numbers),
        cmocka_unit_test(renames_in_place),
        cmocka_unit_test(agrees_with_a_naive_table),
        cmocka_unit_test(grows_and_shrinks_without_stalls),
        cmocka_unit_test(adversarial_tuples_do_not_collide),
        cmocka_unit_test(different_seeds_place_differently),
        cmocka_unit_test(finds_in_batches),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
