/* An array of 64-octet buckets that grows and shrinks at its end and never moves what it holds.
 *
 * Its segments hold 1, 1, 2, 4, .. 128 buckets and from there on 256 (16 KiB) each, so an array of
 * a few buckets costs a few buckets, and one of millions takes memory in steps that nobody notices.
 * Every bucket is one cache line. */
#ifndef ENGINE_PORT_BUCKETS_H
#define ENGINE_PORT_BUCKETS_H

#include <berth/frame.h>
#include <stdbool.h>
#include <stdint.h>

enum { BUCKET_SLOTS = 12, BUCKET_SEGMENT = 256 };

/* Entries fill the slots from the first on. A slot is empty when its tag is 0. */
struct bucket {
    uint8_t tags[BUCKET_SLOTS];
    uint32_t link; /* overflow bucket + 1 that goes on; 0 none */
    uint32_t references[BUCKET_SLOTS];
};

struct bucket_array {
    struct berth_allocator allocator;
    struct bucket **segments;
    uint32_t segment_count, directory_size;
    uint32_t count; /* buckets in use */
    size_t memory;  /* octets held */
};

void bucket_array_init(struct bucket_array *array, struct berth_allocator allocator);
/* Gives all memory back. */
void bucket_array_clear(struct bucket_array *array);
/* Sees to it that `count` buckets can be in use without more memory. False when memory is out. */
bool bucket_array_reserve(struct bucket_array *array, uint32_t count);
/* One more bucket, empty; there must be room. Returns its index. */
uint32_t bucket_array_push(struct bucket_array *array);
/* Gives back the segments that are not needed, but for some slack. */
void bucket_array_trim(struct bucket_array *array);

/* Where bucket `index` is: in which segment, and the first index of that segment. */
static inline uint32_t bucket_segment(uint32_t index) {
    if (index >= BUCKET_SEGMENT)
        return 8 + index / BUCKET_SEGMENT;
    return index ? 32 - (uint32_t)__builtin_clz(index) : 0;
}
static inline uint32_t bucket_segment_start(uint32_t segment) {
    if (segment > 8)
        return (segment - 8) * BUCKET_SEGMENT;
    return segment ? 1u << (segment - 1) : 0;
}
static inline struct bucket *bucket_at(const struct bucket_array *array, uint32_t index) {
    uint32_t segment = bucket_segment(index);
    return &array->segments[segment][index - bucket_segment_start(segment)];
}

#endif
