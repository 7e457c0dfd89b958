#include "network/directory.h"
#include <errno.h>
#include <string.h>

struct directory_entry {
    struct directory_entry *next;
    uint64_t hash;
    int value;
    uint32_t length;
    uint8_t key[];
};

void directory_init(struct directory *directory, struct berth_allocator allocator,
                    struct siphash_key key) {
    *directory = (struct directory){.allocator = allocator, .key = key};
}

static void release_entry(struct directory *directory, struct directory_entry *entry) {
    directory->allocator.release(directory->allocator.context, entry,
                                 sizeof *entry + entry->length);
}

static void release_buckets(struct directory *directory) {
    if (directory->buckets)
        directory->allocator.release(directory->allocator.context, directory->buckets,
                                     directory->size * sizeof(struct directory_entry *));
}

void directory_clear(struct directory *directory) {
    for (uint32_t i = 0; i < directory->size; i++) {
        while (directory->buckets[i]) {
            struct directory_entry *entry = directory->buckets[i];
            directory->buckets[i] = entry->next;
            release_entry(directory, entry);
        }
    }
    release_buckets(directory);
    directory_init(directory, directory->allocator, directory->key);
}

static int grow(struct directory *directory) {
    if (directory->count < directory->size)
        return 0;
    uint32_t size = directory->size ? 2 * directory->size : 16;
    size_t octets = size * sizeof(struct directory_entry *);
    struct directory_entry **buckets =
        directory->allocator.allocate(directory->allocator.context, octets);
    if (!buckets)
        return -ENOMEM;
    memset(buckets, 0, octets);
    for (uint32_t i = 0; i < directory->size; i++) {
        while (directory->buckets[i]) {
            struct directory_entry *entry = directory->buckets[i];
            directory->buckets[i] = entry->next;
            entry->next = buckets[entry->hash & (size - 1)];
            buckets[entry->hash & (size - 1)] = entry;
        }
    }
    release_buckets(directory);
    directory->buckets = buckets;
    directory->size = size;
    return 0;
}

int directory_find(const struct directory *directory, const void *key, uint32_t length) {
    if (directory->size == 0)
        return -ENOENT;
    uint64_t hash = siphash(&directory->key, key, length);
    const struct directory_entry *entry = directory->buckets[hash & (directory->size - 1)];
    for (; entry; entry = entry->next)
        if (entry->hash == hash && entry->length == length && memcmp(entry->key, key, length) == 0)
            return entry->value;
    return -ENOENT;
}

int directory_put(struct directory *directory, const void *key, uint32_t length, int value) {
    if (directory_find(directory, key, length) >= 0)
        return -EEXIST;
    if (grow(directory))
        return -ENOMEM;
    struct directory_entry *entry =
        directory->allocator.allocate(directory->allocator.context, sizeof *entry + length);
    if (!entry)
        return -ENOMEM;
    entry->hash = siphash(&directory->key, key, length);
    entry->value = value;
    entry->length = length;
    memcpy(entry->key, key, length);
    struct directory_entry **bucket = &directory->buckets[entry->hash & (directory->size - 1)];
    entry->next = *bucket;
    *bucket = entry;
    directory->count++;
    return 0;
}

void directory_remove_value(struct directory *directory, int value) {
    for (uint32_t i = 0; i < directory->size; i++) {
        struct directory_entry **at = &directory->buckets[i];
        while (*at) {
            struct directory_entry *entry = *at;
            if (entry->value != value) {
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            release_entry(directory, entry);
            directory->count--;
        }
    }
}
