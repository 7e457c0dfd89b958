#include "bench/pair.h"
#include "bench/bench.h"
#include <string.h>

enum { BATCH = 64 };

static void host_open(struct pair *pair, int side) {
    struct berth_host_config config;
    struct berth_interface_config link = {.link = BERTH_LINK_RAW_IP, .mtu = 1500};
    struct berth_ip address = berth_ip_v4(0x0a000001 + (uint32_t)side);
    berth_host_config_init(&config);
    memset(config.seed, side + 1, sizeof config.seed);
    pair->hosts[side] = berth_host_new(&config);
    if (!pair->hosts[side])
        bench_fail("no host");
    pair->interfaces[side] = berth_host_add_interface(pair->hosts[side], &link);
    if (pair->interfaces[side] < 0 ||
        berth_host_add_address(pair->hosts[side], pair->interfaces[side], &address, 24))
        bench_fail("no interface");
}

void pair_open(struct pair *pair) {
    pair->now = BERTH_SECOND;
    host_open(pair, PAIR_CLIENT);
    host_open(pair, PAIR_SERVER);
}

void pair_close(struct pair *pair) {
    berth_host_free(pair->hosts[0]);
    berth_host_free(pair->hosts[1]);
}

bool pair_carry(struct pair *pair, int from) {
    static struct berth_frame frames[BATCH];
    int to = !from;
    size_t count =
        berth_host_output(pair->hosts[from], pair->interfaces[from], frames, BATCH, pair->now);
    if (count)
        berth_host_input(pair->hosts[to], pair->interfaces[to], frames, count, pair->now);
    for (size_t i = 0; i < count; i++)
        berth_frame_clear(&frames[i]);
    return count > 0;
}

void pair_settle(struct pair *pair) {
    bool any;
    do {
        any = pair_carry(pair, PAIR_CLIENT);
        any = pair_carry(pair, PAIR_SERVER) || any;
    } while (any);
}

void pair_advance(struct pair *pair, uint64_t by) {
    pair->now += by;
    for (int side = 0; side < 2; side++)
        if (berth_host_deadline(pair->hosts[side]) <= pair->now)
            berth_host_advance(pair->hosts[side], pair->now);
}
