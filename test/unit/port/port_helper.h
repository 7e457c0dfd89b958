/* What the port tests share: records that hold tuples, and memory that is counted and can fail. */
#ifndef TEST_UNIT_PORT_HELPER_H
#define TEST_UNIT_PORT_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/port/port.h"
#include "test/unit/base/counting_allocator.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Connections are numbered from 1; their tuples stand in records[]. */
struct world {
    struct counting counting;
    struct random random;
    struct tuple *records;
    uint32_t count;
    uint64_t asked; /* calls of tuple_of */
    uint64_t prefetched;
    struct ports *ports;
};

static inline void world_tuple_of(void *context, uint32_t reference, struct tuple *tuple) {
    struct world *world = context;
    assert_true(reference >= 1 && reference < world->count);
    world->asked++;
    *tuple = world->records[reference];
}

static inline void world_prefetch(void *context, uint32_t reference) {
    struct world *world = context;
    assert_true(reference >= 1 && reference < world->count);
    world->prefetched++;
}

static inline void world_init(struct world *world, uint32_t records, uint8_t seed) {
    uint8_t octets[32];
    memset(world, 0, sizeof *world);
    memset(octets, seed, sizeof octets);
    random_init(&world->random, octets, 1);
    world->records = calloc(records + 1, sizeof *world->records);
    world->count = records + 1;
    struct ports_owner_ops ops = {world_tuple_of, world_prefetch, world};
    world->ports = ports_new(counting_allocator(&world->counting), &world->random, &ops);
    assert_non_null(world->ports);
}

/* Whatever was done, nothing may be left. */
static inline void world_clear(struct world *world) {
    ports_free(world->ports);
    assert_int_equal(world->counting.octets, 0);
    free(world->records);
}

static inline struct berth_ip v4(uint32_t address) {
    return berth_ip_v4(address);
}

static inline struct berth_ip v6(uint8_t last) {
    struct berth_ip ip = {{0xfd}};
    ip.bytes[15] = last;
    return ip;
}

static const struct berth_ip v6_any;

/* A connection with that reference; *port 0: chosen, and told. */
static inline int world_connect(struct world *world, uint32_t reference, struct berth_ip local,
                                uint16_t *port, struct berth_ip remote, uint16_t remote_port) {
    struct tuple tuple = {local, remote, *port, remote_port};
    memset(&world->records[reference], 0xff, sizeof tuple); /* not ready before the call is over */
    int result = ports_connect(world->ports, &tuple, reference);
    world->records[reference] = tuple;
    *port = tuple.local_port;
    return result;
}

static inline void world_disconnect(struct world *world, uint32_t reference) {
    ports_disconnect(world->ports, &world->records[reference], reference);
}

/* Octets that ports hold although nothing is open, once something was: the set of the free ports.
 */
static inline size_t world_base(void) {
    struct world world;
    uint16_t port = 80;
    world_init(&world, 1, 0);
    assert_in_range(world.counting.octets, 1, 1 << 10);
    world_connect(&world, 1, v4(1), &port, v4(2), 80);
    world_disconnect(&world, 1);
    assert_in_range(world.counting.octets, 16 << 10, 18 << 10);
    size_t base = ports_memory(world.ports);
    assert_int_equal(base, world.counting.octets);
    world_clear(&world);
    return base;
}

#endif
