/* A network with a virtual clock, and TCP transfers over it. */
#ifndef TEST_NETWORK_WORLD_H
#define TEST_NETWORK_WORLD_H

#include "test/unit/network/unit.h"
#include <berth/network.h>
#include <berth/socket.h>
#include <errno.h>
#include <string.h>

struct world {
    struct berth_network *network;
    struct counting counting;
    uint64_t now;
};

static inline void world_open(struct world *world, uint8_t seed) {
    struct berth_network_config config;
    berth_network_config_init(&config);
    config.allocator = counting_allocator(&world->counting);
    config.seed[0] = seed;
    world->network = berth_network_new(&config);
    assert_non_null(world->network);
    world->now = 0;
    struct berth_ip subnet = berth_ip_v4(0x0a000000);
    assert_int_equal(berth_network_add_switch(world->network, "lan", &subnet, 16, 0), 0);
}

static inline void world_close(struct world *world) {
    berth_network_free(world->network);
    assert_int_equal(world->counting.blocks, 0);
}

/* Builds a network whose allocations fail after 0, 1, 2 ... calls, until `build` says that all of
 * it is there. Nothing is ever left. */
static inline void world_without_memory(bool (*build)(struct berth_network *network)) {
    bool done = false;
    for (size_t calls = 0; !done; calls++) {
        struct counting counting;
        struct berth_network_config config;
        berth_network_config_init(&config);
        config.allocator = counting_allocator(&counting);
        counting_fail_after(&counting, calls);
        struct berth_network *network = berth_network_new(&config);
        done = network && build(network);
        berth_network_free(network);
        assert_int_equal(counting.blocks, 0);
    }
}

static inline int world_host(struct world *world, const char *name) {
    int host = berth_network_add_host(world->network, name, 0, NULL, NULL);
    assert_true(host >= 0);
    return host;
}

static inline struct berth_ip world_address(struct world *world, int host) {
    struct berth_address addresses[4];
    size_t count = berth_host_addresses(berth_network_host(world->network, host), addresses, 4);
    for (size_t i = 0; i < count && i < 4; i++)
        if (!berth_ip_is_loopback(&addresses[i].ip))
            return addresses[i].ip;
    fail_msg("host %d has no address", host);
    return berth_ip_v4(0);
}

/* All that can happen now. */
static inline void world_settle(struct world *world) {
    for (int rounds = 0; berth_network_run(world->network, world->now); rounds++)
        assert_true(rounds < 100000);
}

/* And then on to the next time at which something does. False when nothing ever will before
 * `until`. */
static inline bool world_step(struct world *world, uint64_t until) {
    world_settle(world);
    uint64_t next = berth_network_deadline(world->network);
    assert_true(next > world->now);
    if (next > until)
        return false;
    world->now = next;
    world_settle(world);
    return true;
}

static inline void world_run_until(struct world *world, uint64_t until) {
    while (world_step(world, until))
        ;
    world->now = until;
    world_settle(world);
}

/* One connection, client to server, that carries `total` octets of a pattern and ends. */
struct transfer {
    int client, server;
    berth_handle listener, near, far;
    uint64_t total, sent, received;
    bool ended;
};

static inline uint8_t transfer_octet(uint64_t at) {
    return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static inline void transfer_start_to(struct world *world, struct transfer *transfer, int client,
                                     int server, struct berth_endpoint at, uint64_t total) {
    int family = berth_ip_is_v4(&at.ip) ? 4 : 6;
    *transfer = (struct transfer){.client = client, .server = server, .total = total};
    struct berth_host *near = berth_network_host(world->network, client);
    struct berth_host *far = berth_network_host(world->network, server);
    assert_int_equal(berth_socket_open(far, family, BERTH_TCP, &transfer->listener), 0);
    assert_int_equal(berth_socket_bind(far, transfer->listener, &at), 0);
    assert_int_equal(berth_socket_listen(far, transfer->listener, 10), 0);
    assert_int_equal(berth_socket_open(near, family, BERTH_TCP, &transfer->near), 0);
    assert_int_equal(berth_socket_connect(near, transfer->near, &at, world->now), -EINPROGRESS);
    berth_network_touch(world->network, client);
    berth_network_touch(world->network, server);
}

static inline void transfer_start(struct world *world, struct transfer *transfer, int client,
                                  int server, uint16_t port, uint64_t total) {
    struct berth_endpoint at = {world_address(world, server), port};
    transfer_start_to(world, transfer, client, server, at, total);
}

static inline void transfer_send(struct world *world, struct transfer *transfer) {
    uint8_t octets[8192];
    struct berth_host *host = berth_network_host(world->network, transfer->client);
    while (transfer->sent < transfer->total) {
        uint64_t left = transfer->total - transfer->sent;
        size_t length = left < sizeof octets ? (size_t)left : sizeof octets;
        for (size_t i = 0; i < length; i++)
            octets[i] = transfer_octet(transfer->sent + i);
        ssize_t took = berth_socket_send(host, transfer->near, octets, length, 0, world->now);
        if (took == -EAGAIN)
            return;
        assert_true(took > 0);
        transfer->sent += (uint64_t)took;
        berth_network_touch(world->network, transfer->client);
    }
    if (transfer->near) {
        assert_int_equal(berth_socket_close(host, transfer->near, world->now), 0);
        berth_network_touch(world->network, transfer->client);
        transfer->near = 0;
    }
}

static inline void transfer_receive(struct world *world, struct transfer *transfer) {
    uint8_t octets[8192];
    struct berth_host *host = berth_network_host(world->network, transfer->server);
    if (!transfer->far && berth_socket_accept(host, transfer->listener, &transfer->far) == -EAGAIN)
        return;
    while (!transfer->ended) {
        ssize_t got =
            berth_socket_receive(host, transfer->far, octets, sizeof octets, 0, world->now);
        if (got == -EAGAIN)
            return;
        assert_true(got >= 0);
        for (ssize_t i = 0; i < got; i++)
            if (octets[i] != transfer_octet(transfer->received + (uint64_t)i))
                fail_msg("octet %llu differs", (unsigned long long)transfer->received);
        transfer->received += (uint64_t)got;
        berth_network_touch(world->network, transfer->server);
        if (got == 0) {
            assert_int_equal(berth_socket_close(host, transfer->far, world->now), 0);
            assert_int_equal(berth_socket_close(host, transfer->listener, world->now), 0);
            transfer->ended = true;
        }
    }
}

static inline void transfer_pump(struct world *world, struct transfer *transfer) {
    struct berth_network_event events[16];
    while (berth_network_events(world->network, events, 16) > 0)
        ;
    if (berth_socket_readiness(berth_network_host(world->network, transfer->client),
                               transfer->near) &
        BERTH_WRITABLE)
        transfer_send(world, transfer);
    transfer_receive(world, transfer);
}

/* The time it took; fails if it is not done within `limit`. */
static inline uint64_t transfer_finish(struct world *world, struct transfer *transfer,
                                       uint64_t limit) {
    uint64_t start = world->now;
    for (;;) {
        world_settle(world);
        uint64_t moved = transfer->sent + transfer->received;
        transfer_pump(world, transfer);
        if (transfer->ended)
            break;
        if (transfer->sent + transfer->received == moved && !world_step(world, start + limit))
            fail_msg("stuck at %llu of %llu octets", (unsigned long long)transfer->received,
                     (unsigned long long)transfer->total);
    }
    assert_int_equal(transfer->received, transfer->total);
    return world->now - start;
}

static inline uint64_t transfer_run(struct world *world, int client, int server, uint16_t port,
                                    uint64_t total, uint64_t limit) {
    struct transfer transfer;
    transfer_start(world, &transfer, client, server, port, total);
    return transfer_finish(world, &transfer, limit);
}

#endif
