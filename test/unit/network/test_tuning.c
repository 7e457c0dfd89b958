/* Buffers that tune themselves, over a link of 1 Gbit/s with a round trip of 100 ms: 12.5 MB are on
 * their way when it is full. */
#include "test/unit/network/world.h"

enum { RTT_MS = 100, BLOCK = 64 << 10 };
#define RATE UINT64_C(1000000000)

struct flow {
    struct world world;
    int client, server;
    berth_handle listener, near, far;
    struct berth_block *block;
    uint64_t received;
};

static void flow_open(struct flow *f, const char *sizes, int asked) {
    static const struct berth_impairment way = {
        .delay = RTT_MS / 2 * BERTH_MS, .rate = RATE, .limit = 100000};
    memset(f, 0, sizeof *f);
    world_open(&f->world, 1);
    f->client = world_host(&f->world, "client");
    f->server = world_host(&f->world, "server");
    berth_network_impair(f->world.network, f->client, BERTH_EGRESS, &way);
    berth_network_impair(f->world.network, f->server, BERTH_EGRESS, &way);
    struct berth_host *near = berth_network_host(f->world.network, f->client);
    struct berth_host *far = berth_network_host(f->world.network, f->server);
    struct berth_endpoint at = {world_address(&f->world, f->server), 80};
    if (sizes) {
        assert_int_equal(berth_host_set_sysctl(near, "net.ipv4.tcp_wmem", sizes), 0);
        assert_int_equal(berth_host_set_sysctl(far, "net.ipv4.tcp_rmem", sizes), 0);
    }
    berth_socket_open(far, 4, BERTH_TCP, &f->listener);
    if (asked)
        berth_socket_set_option(far, f->listener, BERTH_SO_RCVBUF, asked, 0);
    assert_int_equal(berth_socket_bind(far, f->listener, &at), 0);
    assert_int_equal(berth_socket_listen(far, f->listener, 1), 0);
    berth_socket_open(near, 4, BERTH_TCP, &f->near);
    assert_int_equal(berth_socket_connect(near, f->near, &at, 0), -EINPROGRESS);
    berth_network_touch(f->world.network, f->client);
    world_run_until(&f->world, 5 * RTT_MS * BERTH_MS);
    assert_int_equal(berth_socket_accept(far, f->listener, &f->far), 0);
    f->block = berth_block_new(berth_allocator_default(), BLOCK);
    memset(f->block->data, 7, BLOCK);
}

static void flow_close(struct flow *f) {
    berth_block_drop(f->block);
    world_close(&f->world);
}

/* The applications write and read as soon as they can. */
static bool flow_pump(struct flow *f) {
    struct berth_host *near = berth_network_host(f->world.network, f->client);
    struct berth_host *far = berth_network_host(f->world.network, f->server);
    struct berth_part parts[16];
    bool moved = false;
    int count;
    while (berth_socket_send_block(near, f->near, f->block, 0, BLOCK, 0, f->world.now) > 0)
        moved = true;
    while ((count = berth_socket_borrow(far, f->far, parts, 16)) > 0) {
        size_t length = 0;
        for (int i = 0; i < count; i++)
            length += parts[i].length;
        berth_socket_give_back(far, f->far, length, f->world.now);
        f->received += length;
        moved = true;
    }
    berth_network_touch(f->world.network, f->client);
    berth_network_touch(f->world.network, f->server);
    return moved;
}

/* Octets that arrive in `duration`. */
static uint64_t flow_run(struct flow *f, uint64_t duration) {
    uint64_t end = f->world.now + duration, before = f->received;
    struct berth_network_event events[16];
    do {
        world_settle(&f->world);
        while (berth_network_events(f->world.network, events, 16) > 0)
            ;
    } while (flow_pump(f) || world_step(&f->world, end));
    f->world.now = end;
    return f->received - before;
}

static struct berth_tcp_info flow_info(struct flow *f, bool far) {
    struct berth_tcp_info info;
    struct berth_host *host = berth_network_host(f->world.network, far ? f->server : f->client);
    assert_int_equal(berth_socket_tcp_info(host, far ? f->far : f->near, &info), 0);
    return info;
}

/* With sizes that allow it (the same numbers that Linux needs) the link's rate is reached in the
 * third second, from buffers of 16 and 128 KiB; a fixed receive buffer stays at what it allows. */
static void reaches_the_links_rate(void **state) {
    (void)state;
    struct flow f;
    uint64_t all = RATE / 8 * 1448 / 1514; /* octets of a stream in a second */
    flow_open(&f, "4096 131072 67108864", 0);
    assert_in_range(flow_info(&f, true).receive_window, 60000, 65536);
    flow_run(&f, 2 * BERTH_SECOND);
    uint64_t tuned = flow_run(&f, BERTH_SECOND);
    print_message("tuned: %.1f of %.1f MB/s, window %.1f MB, rcv_rtt %llu us\n",
                  (double)tuned / 1e6, (double)all / 1e6, flow_info(&f, true).receive_window / 1e6,
                  (unsigned long long)flow_info(&f, true).receive_rtt / 1000);
    assert_true(tuned >= all / 100 * 99 && tuned <= all / 100 * 101);
    /* With the time in the link's queue, which is as long as the window makes it. */
    uint64_t rtt = flow_info(&f, true).receive_window * BERTH_SECOND / tuned;
    assert_in_range(flow_info(&f, true).receive_rtt, rtt / 10 * 9, rtt / 10 * 11);
    flow_close(&f);

    flow_open(&f, NULL, 65536); /* a window of so much */
    flow_run(&f, 2 * BERTH_SECOND);
    uint64_t fixed = flow_run(&f, BERTH_SECOND);
    print_message("fixed: %.1f MB/s\n", (double)fixed / 1e6);
    assert_in_range(fixed, 65536 * 8, 65536 * 10);
    flow_close(&f);
}

/* Linux's usual sizes: up to 6 MiB, a window of 3 MiB a round trip. */
static void usual_sizes(void **state) {
    (void)state;
    struct flow f;
    flow_open(&f, NULL, 0);
    flow_run(&f, 3 * BERTH_SECOND);
    uint64_t tuned = flow_run(&f, BERTH_SECOND);
    print_message("usual sizes: %.1f MB/s\n", (double)tuned / 1e6);
    assert_in_range(tuned, (28u << 20), (31u << 20));
    flow_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reaches_the_links_rate),
        cmocka_unit_test(usual_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
