/* Blocks whose octets have not come: hosts and plain links pass them on untouched, and what a plain
 * way is. The octets of a sealed block are poisoned here: whoever reads them is found out. */
#include "test/unit/network/world.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(data, size) ASAN_POISON_MEMORY_REGION(data, size)
#define UNPOISON(data, size) ASAN_UNPOISON_MEMORY_REGION(data, size)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define POISON(data, size) ASAN_POISON_MEMORY_REGION(data, size)
#define UNPOISON(data, size) ASAN_UNPOISON_MEMORY_REGION(data, size)
#endif
#endif
#ifndef POISON
#define POISON(data, size) (void)(data)
#define UNPOISON(data, size) (void)(data)
#endif

struct way {
    struct world world;
    int a, b;
    berth_handle listener, near, far;
};

static struct berth_host *host_of(struct way *way, int host) {
    return berth_network_host(way->world.network, host);
}

static void way_open(struct way *way) {
    world_open(&way->world, 1);
    way->a = world_host(&way->world, "a");
    way->b = world_host(&way->world, "b");
    struct berth_host *a = host_of(way, way->a), *b = host_of(way, way->b);
    struct berth_endpoint at = {world_address(&way->world, way->b), 80};
    assert_int_equal(berth_socket_open(b, 4, BERTH_TCP, &way->listener), 0);
    assert_int_equal(berth_socket_bind(b, way->listener, &at), 0);
    assert_int_equal(berth_socket_listen(b, way->listener, 1), 0);
    assert_int_equal(berth_socket_open(a, 4, BERTH_TCP, &way->near), 0);
    berth_socket_connect(a, way->near, &at, way->world.now);
    berth_host_set_sysctl(a, "net.ipv4.tcp_wmem", "4096 1048576 4194304");
    berth_host_set_sysctl(b, "net.ipv4.tcp_rmem", "4096 1048576 6291456");
    berth_network_touch(way->world.network, way->a);
    world_settle(&way->world);
    assert_int_equal(berth_socket_accept(b, way->listener, &way->far), 0);
}

static struct berth_block *sealed_send(struct way *way, uint32_t size) {
    struct berth_block *block = berth_block_new(berth_allocator_default(), size);
    assert_non_null(block);
    block->sealed = 1;
    POISON(block->data, size);
    assert_int_equal(
        berth_socket_send_block(host_of(way, way->a), way->near, block, 0, size, 0, way->world.now),
        size);
    berth_network_touch(way->world.network, way->a);
    world_settle(&way->world);
    return block;
}

/* The next octets at the reader are these, in the block itself. */
static void sealed_comes(struct way *way, const struct berth_block *block) {
    struct berth_part parts[16];
    uint32_t at = 0;
    while (at < block->size) {
        int count = berth_socket_borrow(host_of(way, way->b), way->far, parts, 16);
        assert_true(count > 0);
        uint32_t taken = 0;
        for (int i = 0; i < count && at + taken < block->size; i++) {
            assert_ptr_equal(parts[i].block, block);
            assert_ptr_equal(parts[i].data, block->data + at + taken);
            taken += parts[i].length;
        }
        assert_int_equal(
            berth_socket_give_back(host_of(way, way->b), way->far, taken, way->world.now), 0);
        berth_network_touch(way->world.network, way->b);
        world_settle(&way->world);
        at += taken;
    }
}

/* Also lengths that would otherwise be copied: behind the headers, into a stream's own blocks. */
static void sealed_blocks_are_passed_on_untouched(void **state) {
    (void)state;
    static const uint32_t sizes[] = {1,    40,    100,   1000,  1459,  2047,
                                     2048, 20000, 65160, 65161, 66000, 300000};
    struct way way;
    way_open(&way);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct berth_block *block = sealed_send(&way, sizes[i]);
        sealed_comes(&way, block);
        world_run_until(&way.world, way.world.now + BERTH_SECOND);
        assert_int_equal(block->references, 1);
        UNPOISON(block->data, block->size);
        berth_block_drop(block);
    }
    world_close(&way.world);
}

static void a_way_is_plain_while_nobody_looks(void **state) {
    (void)state;
    struct way way;
    way_open(&way);
    struct berth_network *network = way.world.network;
    struct berth_ip a = world_address(&way.world, way.a), b = world_address(&way.world, way.b),
                    nobody = berth_ip_v4(0x0a00ffee);
    assert_true(berth_network_is_plain(network, way.a, &b));
    assert_true(berth_network_is_plain(network, way.a, &a));
    assert_false(berth_network_is_plain(network, way.a, &nobody));
    assert_false(berth_network_is_plain(network, 99, &b));
    for (int end = 0; end < 2; end++) {
        for (int direction = BERTH_EGRESS; direction <= BERTH_INGRESS; direction++) {
            const struct berth_impairment slow = {.delay = 1}, none = {0};
            int host = end ? way.a : way.b;
            assert_int_equal(
                berth_network_impair(network, host, (enum berth_direction)direction, &slow), 0);
            assert_false(berth_network_is_plain(network, way.a, &b));
            assert_int_equal(
                berth_network_impair(network, host, (enum berth_direction)direction, &none), 0);
            assert_true(berth_network_is_plain(network, way.a, &b));
        }
    }
    assert_true(berth_network_add_outside(network, 0, "tap", 0) >= 0);
    assert_false(berth_network_is_plain(network, way.a, &b));
    world_close(&way.world);
}

static void captured(void *context, const void *data, size_t length) {
    (void)context;
    (void)data;
    (void)length;
}

static void a_captured_way_is_not_plain(void **state) {
    (void)state;
    struct way way;
    way_open(&way);
    struct berth_ip b = world_address(&way.world, way.b);
    assert_int_equal(berth_network_capture(way.world.network, captured, NULL, 0), 0);
    assert_false(berth_network_is_plain(way.world.network, way.a, &b));
    assert_int_equal(berth_network_capture(way.world.network, NULL, NULL, 0), 0);
    assert_true(berth_network_is_plain(way.world.network, way.a, &b));
    world_close(&way.world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_blocks_are_passed_on_untouched),
        cmocka_unit_test(a_way_is_plain_while_nobody_looks),
        cmocka_unit_test(a_captured_way_is_not_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
