/* A queue of 32-bit numbers that grows by doubling and gives memory back when it empties. */
#ifndef ENGINE_BASE_RING_H
#define ENGINE_BASE_RING_H

#include <berth/frame.h>
#include <stdbool.h>
#include <stdint.h>

struct ring {
    struct berth_allocator allocator;
    uint32_t *items;
    uint32_t size, head, count; /* size is a power of two or 0 */
};

void ring_init(struct ring *ring, struct berth_allocator allocator);
void ring_clear(struct ring *ring);
/* False when memory is out. */
bool ring_push(struct ring *ring, uint32_t item);
/* The oldest; 0 when empty (callers never push 0). */
uint32_t ring_pop(struct ring *ring);

#endif
