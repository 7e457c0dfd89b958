/* Records of one size, named by a 32-bit index. Chunks never move and are taken as they are needed,
 * so a record's address holds while it lives. A freed record's first 4 octets hold the free list;
 * its other octets (its generation among them) stay. Index 0 is never given out: it means none. */
#ifndef ENGINE_BASE_POOL_H
#define ENGINE_BASE_POOL_H

#include <berth/frame.h>
#include <stdbool.h>
#include <stdint.h>

struct pool {
    struct berth_allocator allocator;
    uint8_t **chunks; /* directory, grows by doubling */
    uint32_t chunk_count, directory_size;
    uint32_t item_size, chunk_shift; /* items a chunk = 1 << chunk_shift */
    uint32_t used, high, limit, free_head;
};

/* item_size: a multiple of 4, at least 8. limit: records at most. */
void pool_init(struct pool *pool, struct berth_allocator allocator, uint32_t item_size,
               uint32_t limit);
void pool_clear(struct pool *pool);
/* Index of a record, or 0 when the limit or memory is reached. A record never used before is
 * zeroed; a used one keeps what pool_give left (all but its first 4 octets). */
uint32_t pool_take(struct pool *pool);
void pool_give(struct pool *pool, uint32_t index);

static inline void *pool_at(const struct pool *pool, uint32_t index) {
    uint32_t item = index & ((1u << pool->chunk_shift) - 1);
    return pool->chunks[index >> pool->chunk_shift] + (size_t)item * pool->item_size;
}
/* True if the index has ever been given out (its record can be looked at). */
static inline bool pool_has(const struct pool *pool, uint32_t index) {
    return index != 0 && index < pool->high;
}

#endif
