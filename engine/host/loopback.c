/* The loopback: frames that a host sends to itself wait in an array and come in as one batch. They
 * are of up to 64 KiB, without checksums, and their blocks are shared, not copied. */
#include "engine/host/host.h"

void loop_add(struct berth_host *host, struct berth_frame *frame) {
    struct berth_allocator allocator = host->config.allocator;
    if (!host->loop)
        host->loop = allocator.allocate(allocator.context, LOOP_FRAMES * sizeof *host->loop);
    if (!host->loop || host->loop_count == LOOP_FRAMES) {
        berth_frame_clear(frame);
        host->counters.ip_out_discards++;
        return;
    }
    frame_move(&host->loop[host->loop_count++], frame);
}

void loop_round(struct berth_host *host, uint64_t now) {
    uint32_t count = host->loop_count;
    host_input(host, IP_LOOPBACK, host->loop, count, now);
    for (uint32_t i = 0; i < count; i++)
        berth_frame_clear(&host->loop[i]);
    host->loop_count = 0;
}

void loop_clear(struct berth_host *host) {
    struct berth_allocator allocator = host->config.allocator;
    for (uint32_t i = 0; i < host->loop_count; i++)
        berth_frame_clear(&host->loop[i]);
    if (host->loop)
        allocator.release(allocator.context, host->loop, LOOP_FRAMES * sizeof *host->loop);
    host->loop = NULL;
    host->loop_count = 0;
}
