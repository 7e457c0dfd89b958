#include "engine/base/ring.h"

#include <string.h>

/* A ring that empties keeps up to RING_KEEP places: one that is filled and emptied by turns does
 * not go to the allocator each time. Above that, growing again is paid for by as many pushes. */
enum { RING_FIRST = 8, RING_KEEP = 64 };

void ring_init(struct ring *ring, struct berth_allocator allocator) {
    memset(ring, 0, sizeof *ring);
    ring->allocator = allocator;
}

void ring_clear(struct ring *ring) {
    if (ring->items)
        ring->allocator.release(ring->allocator.context, ring->items,
                                (size_t)ring->size * sizeof *ring->items);
    ring_init(ring, ring->allocator);
}

static bool ring_grow(struct ring *ring) {
    if (ring->size > UINT32_MAX / 2)
        return false;
    uint32_t size = ring->size ? ring->size * 2 : RING_FIRST;
    uint32_t *items = ring->allocator.allocate(ring->allocator.context, size * sizeof *items);
    if (!items)
        return false;
    uint32_t before_wrap = ring->size - ring->head;
    if (before_wrap > ring->count)
        before_wrap = ring->count;
    if (ring->items) {
        memcpy(items, ring->items + ring->head, before_wrap * sizeof *items);
        memcpy(items + before_wrap, ring->items, (ring->count - before_wrap) * sizeof *items);
        ring->allocator.release(ring->allocator.context, ring->items,
                                (size_t)ring->size * sizeof *items);
    }
    ring->items = items;
    ring->size = size;
    ring->head = 0;
    return true;
}

bool ring_push(struct ring *ring, uint32_t item) {
    if (ring->count == ring->size && !ring_grow(ring))
        return false;
    ring->items[(ring->head + ring->count++) & (ring->size - 1)] = item;
    return true;
}

uint32_t ring_pop(struct ring *ring) {
    if (ring->count == 0)
        return 0;
    uint32_t item = ring->items[ring->head];
    ring->head = (ring->head + 1) & (ring->size - 1);
    if (--ring->count == 0 && ring->size > RING_KEEP)
        ring_clear(ring);
    return item;
}
