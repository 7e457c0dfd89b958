/* A hash table from short keys (names, addresses) to numbers, keyed against chosen collisions. */
#ifndef NETWORK_DIRECTORY_H
#define NETWORK_DIRECTORY_H

#include "engine/base/siphash.h"
#include <berth/frame.h>
#include <stdint.h>

struct directory_entry;

struct directory {
    struct berth_allocator allocator;
    struct siphash_key key;
    struct directory_entry **buckets;
    uint32_t count, size; /* size: a power of two or 0 */
};

void directory_init(struct directory *directory, struct berth_allocator allocator,
                    struct siphash_key key);
void directory_clear(struct directory *directory);
/* 0, -EEXIST, -ENOMEM. The key is copied. */
int directory_put(struct directory *directory, const void *key, uint32_t length, int value);
/* The value, or -ENOENT. */
int directory_find(const struct directory *directory, const void *key, uint32_t length);
/* Takes away every key that stands for `value`. */
void directory_remove_value(struct directory *directory, int value);

#endif
