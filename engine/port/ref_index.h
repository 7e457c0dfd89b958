/* An index from keyed hashes to 32-bit references: the demultiplexer's table.
 *
 * Linear hashing (Litwin, 1980): n buckets, n growing by one bucket at a time. With 2^L < n <=
 * 2^(L+1) an entry lies in bucket `hash mod 2^(L+1)`, or, where that bucket does not exist yet, in
 * bucket `hash mod 2^L`. To grow, the next bucket in turn is made and takes from its buddy the
 * entries that are its own; to shrink, the last bucket gives its entries back. So no call ever
 * moves more than one bucket's entries, and memory is never held twice.
 *
 * A bucket is one cache line: 12 entries of an 8-bit tag (the hash's upper octet) and a reference,
 * and a link to an overflow bucket. With 7 to 9 entries a bucket on average, an entry costs 8.3 to
 * 8.8 octets, and one of eight has to be looked for in an overflow bucket. Tags filter, so a search
 * reads as a rule one line here and, when something is found, the record that it names. The index
 * stores no keys: it asks its owner for an entry's hash when it splits (after prefetching the
 * records) and whether an entry is the one wanted.
 *
 * Invariants: in a chain, all buckets but the last are full and the last is not empty (but for a
 * main bucket alone); overflow buckets are numbered without gaps, so their memory can be given
 * back. */
#ifndef ENGINE_PORT_REF_INDEX_H
#define ENGINE_PORT_REF_INDEX_H

#include "engine/port/buckets.h"

struct ref_index_ops {
    uint64_t (*hash)(void *context, uint32_t reference);
    bool (*equal)(void *context, uint32_t reference, const void *key);
    void (*prefetch)(void *context, uint32_t reference); /* may be NULL */
    void *context;
};

struct ref_index {
    struct ref_index_ops ops;
    struct bucket_array main, overflow;
    uint32_t mask; /* the least 2^k - 1 that is >= main.count - 1 */
    size_t entries;
};

void ref_index_init(struct ref_index *index, struct berth_allocator allocator,
                    const struct ref_index_ops *ops);
void ref_index_clear(struct ref_index *index);
/* The reference with that hash for which ops.equal(key) holds; 0 if none. */
uint32_t ref_index_find(const struct ref_index *index, uint64_t hash, const void *key);
/* Adds a reference (not 0) whose key is in no entry yet. ops are not asked about the new reference.
 * False when memory is out. */
bool ref_index_add(struct ref_index *index, uint64_t hash, uint32_t reference);
/* True if the reference was there. */
bool ref_index_remove(struct ref_index *index, uint64_t hash, uint32_t reference);
/* Puts `to` in the place of `from`. True if `from` was there. */
bool ref_index_rename(struct ref_index *index, uint64_t hash, uint32_t from, uint32_t to);
/* Octets held. */
size_t ref_index_memory(const struct ref_index *index);

/* Prefetches the records that a search for that hash would look at first; reads the bucket. */
void ref_index_prefetch_records(const struct ref_index *index, uint64_t hash);

static inline uint32_t ref_index_bucket(const struct ref_index *index, uint64_t hash) {
    uint32_t bucket = (uint32_t)hash & index->mask;
    return bucket < index->main.count ? bucket : bucket & index->mask >> 1;
}

static inline void ref_index_prefetch(const struct ref_index *index, uint64_t hash) {
    if (index->main.count)
        __builtin_prefetch(bucket_at(&index->main, ref_index_bucket(index, hash)));
}

#endif
