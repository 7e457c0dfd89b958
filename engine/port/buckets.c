#include "engine/port/buckets.h"
#include <assert.h>
#include <string.h>

static_assert(sizeof(struct bucket) == 64, "a bucket is one cache line");

static uint32_t segment_buckets(uint32_t segment) {
    return bucket_segment_start(segment + 1) - bucket_segment_start(segment);
}

static size_t segment_octets(uint32_t segment) {
    return (size_t)segment_buckets(segment) * sizeof(struct bucket) + sizeof(struct bucket);
}

/* The allocator aligns for any type, not for a cache line: one line more is taken, and what the
 * allocator gave is noted just before the first bucket. */
static struct bucket *segment_new(struct bucket_array *array, uint32_t segment) {
    size_t octets = segment_octets(segment), line = sizeof(struct bucket);
    uint8_t *memory = array->allocator.allocate(array->allocator.context, octets);
    if (!memory)
        return NULL;
    uint8_t *first = memory + line - (uintptr_t)memory % line;
    memcpy(first - sizeof memory, &memory, sizeof memory);
    array->memory += octets;
    return (struct bucket *)(void *)first;
}

static void segment_free(struct bucket_array *array, uint32_t segment) {
    uint8_t *memory;
    memcpy(&memory, (uint8_t *)array->segments[segment] - sizeof memory, sizeof memory);
    array->allocator.release(array->allocator.context, memory, segment_octets(segment));
    array->memory -= segment_octets(segment);
}

void bucket_array_init(struct bucket_array *array, struct berth_allocator allocator) {
    memset(array, 0, sizeof *array);
    array->allocator = allocator;
}

static void directory_free(struct bucket_array *array) {
    size_t octets = array->directory_size * sizeof(struct bucket *);
    if (array->segments)
        array->allocator.release(array->allocator.context, array->segments, octets);
    array->memory -= octets;
}

void bucket_array_clear(struct bucket_array *array) {
    while (array->segment_count > 0)
        segment_free(array, --array->segment_count);
    directory_free(array);
    bucket_array_init(array, array->allocator);
}

/* Pointers only: 41 KB of them lead to ten million entries, so doubling is no stall. */
static bool directory_grow(struct bucket_array *array) {
    uint32_t size = array->directory_size ? array->directory_size * 2 : 4;
    size_t octets = size * sizeof(struct bucket *);
    struct bucket **segments = array->allocator.allocate(array->allocator.context, octets);
    if (!segments)
        return false;
    if (array->segment_count)
        memcpy(segments, array->segments, array->segment_count * sizeof(struct bucket *));
    directory_free(array);
    array->segments = segments;
    array->directory_size = size;
    array->memory += octets;
    return true;
}

bool bucket_array_reserve(struct bucket_array *array, uint32_t count) {
    while (bucket_segment_start(array->segment_count) < count) {
        if (array->segment_count == array->directory_size && !directory_grow(array))
            return false;
        struct bucket *segment = segment_new(array, array->segment_count);
        if (!segment)
            return false;
        array->segments[array->segment_count++] = segment;
    }
    return true;
}

uint32_t bucket_array_push(struct bucket_array *array) {
    memset(bucket_at(array, array->count), 0, sizeof(struct bucket));
    return array->count++;
}

void bucket_array_trim(struct bucket_array *array) {
    while (array->segment_count > 0) {
        uint32_t last = array->segment_count - 1;
        if (array->count + segment_buckets(last) / 2 > bucket_segment_start(last))
            break;
        segment_free(array, last);
        array->segment_count--;
    }
    if (array->segment_count == 0)
        bucket_array_clear(array);
}
