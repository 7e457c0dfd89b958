/* Theory of operation.
 *
 * A chunk is at most POOL_CHUNK octets, and one directory entry names it. Chunks are taken from the
 * allocator in runs of 1, 1, 2, 4, 8, 8, 8 ... chunks, so that a host with ten records holds a few
 * KiB, while ten million records cost one allocation per 64 KiB and 8 octets of directory per
 * chunk. The length of a run follows from the number of its first chunk, so nothing needs to be
 * kept to free it. */
#include "engine/base/pool.h"

#include <string.h>

enum { POOL_CHUNK = 8192, POOL_RUN = 8, POOL_DIRECTORY = 8 };

void pool_init(struct pool *pool, struct berth_allocator allocator, uint32_t item_size,
               uint32_t limit) {
    memset(pool, 0, sizeof *pool);
    pool->allocator = allocator;
    pool->item_size = item_size;
    while ((uint64_t)item_size << (pool->chunk_shift + 1) <= POOL_CHUNK)
        pool->chunk_shift++;
    pool->high = 1;
    pool->limit = limit < UINT32_MAX ? limit : UINT32_MAX - 1;
}

static size_t chunk_octets(const struct pool *pool) {
    return (size_t)pool->item_size << pool->chunk_shift;
}

/* Chunks in the run that begins with this one. */
static uint32_t run_length(uint32_t first) {
    if (first == 0)
        return 1;
    return first < POOL_RUN ? first : POOL_RUN;
}

void pool_clear(struct pool *pool) {
    for (uint32_t first = 0; first < pool->chunk_count; first += run_length(first))
        pool->allocator.release(pool->allocator.context, pool->chunks[first],
                                run_length(first) * chunk_octets(pool));
    if (pool->chunks)
        pool->allocator.release(pool->allocator.context, pool->chunks,
                                pool->directory_size * sizeof *pool->chunks);
    pool_init(pool, pool->allocator, pool->item_size, pool->limit);
}

/* Makes room in the directory for `more` entries. */
static bool directory_grow(struct pool *pool, uint32_t more) {
    if (pool->directory_size - pool->chunk_count >= more)
        return true;
    uint32_t size = pool->directory_size ? pool->directory_size * 2 : POOL_DIRECTORY;
    uint8_t **chunks = pool->allocator.allocate(pool->allocator.context, size * sizeof *chunks);
    if (!chunks)
        return false;
    if (pool->chunks) {
        memcpy(chunks, pool->chunks, pool->chunk_count * sizeof *chunks);
        pool->allocator.release(pool->allocator.context, pool->chunks,
                                pool->directory_size * sizeof *chunks);
    }
    pool->chunks = chunks;
    pool->directory_size = size;
    return true;
}

static bool pool_grow(struct pool *pool) {
    uint32_t run = run_length(pool->chunk_count);
    if (!directory_grow(pool, run))
        return false;
    uint8_t *memory = pool->allocator.allocate(pool->allocator.context, run * chunk_octets(pool));
    if (!memory)
        return false;
    for (uint32_t i = 0; i < run; i++)
        pool->chunks[pool->chunk_count++] = memory + i * chunk_octets(pool);
    return true;
}

uint32_t pool_take(struct pool *pool) {
    if (pool->used >= pool->limit)
        return 0;
    uint32_t index = pool->free_head;
    if (index) {
        memcpy(&pool->free_head, pool_at(pool, index), sizeof pool->free_head);
    } else {
        while (pool->high >> pool->chunk_shift >= pool->chunk_count)
            if (!pool_grow(pool))
                return 0;
        index = pool->high++;
        memset(pool_at(pool, index), 0, pool->item_size);
    }
    pool->used++;
    return index;
}

void pool_give(struct pool *pool, uint32_t index) {
    memcpy(pool_at(pool, index), &pool->free_head, sizeof pool->free_head);
    pool->free_head = index;
    pool->used--;
}
