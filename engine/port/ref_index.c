#include "engine/port/ref_index.h"
#include <string.h>

enum {
    LOAD_MAX = 9, /* entries a bucket before one is split */
    LOAD_MIN =
        5, /* and below which one is merged: apart, so that the two do not chase each other */
    /* More entries than this in one chain, 16 at the worst on average: never, with a keyed hash. If
     * it were so, the index would stay as large as it is, and be slow, not wrong. */
    CHAIN_MAX = 96,
};

struct entry {
    uint32_t reference;
    uint8_t tag;
};

/* Where an entry is. */
struct place_in_chain {
    struct bucket *bucket;
    unsigned slot;
};

static uint8_t hash_tag(uint64_t hash) {
    uint8_t tag = (uint8_t)(hash >> 56);
    return tag ? tag : 1;
}

/* Bit 8i + 7 is set where octet i of `word` is 0. */
static uint64_t zero_octets(uint64_t word) {
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    return ~(((word & low) + low) | word | low);
}

/* p[0] is the lowest octet. */
static uint64_t eight_octets(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Bit i is set where slot i has that tag. */
static uint32_t tag_matches(const struct bucket *bucket, uint8_t tag) {
    uint64_t pattern = tag * UINT64_C(0x0101010101010101);
    uint64_t first = zero_octets(eight_octets(bucket->tags) ^ pattern);
    uint64_t rest = zero_octets(eight_octets(bucket->tags + 4) ^ pattern) >> 32;
    /* Gathers the eight marks into the upper octet (each lands on a bit of its own). */
    first = (first >> 7) * UINT64_C(0x0102040810204080) >> 56;
    rest = (rest >> 7) * UINT64_C(0x0102040810204080) >> 56;
    return (uint32_t)(first | rest << 8);
}

static unsigned bucket_used(const struct bucket *bucket) {
    unsigned used = 0;
    while (used < BUCKET_SLOTS && bucket->tags[used])
        used++;
    return used;
}

/* The last slot in use of a bucket that is not empty. */
static unsigned bucket_last(const struct bucket *bucket) {
    unsigned slot = BUCKET_SLOTS - 1;
    while (slot > 0 && !bucket->tags[slot])
        slot--;
    return slot;
}

static struct bucket *chain_next(const struct ref_index *index, const struct bucket *bucket) {
    return bucket->link ? bucket_at(&index->overflow, bucket->link - 1) : NULL;
}

void ref_index_init(struct ref_index *index, struct berth_allocator allocator,
                    const struct ref_index_ops *ops) {
    memset(index, 0, sizeof *index);
    index->ops = *ops;
    bucket_array_init(&index->main, allocator);
    bucket_array_init(&index->overflow, allocator);
}

void ref_index_clear(struct ref_index *index) {
    bucket_array_clear(&index->main);
    bucket_array_clear(&index->overflow);
    index->mask = 0;
    index->entries = 0;
}

size_t ref_index_memory(const struct ref_index *index) {
    return index->main.memory + index->overflow.memory;
}

uint32_t ref_index_find(const struct ref_index *index, uint64_t hash, const void *key) {
    if (!index->entries)
        return 0;
    uint8_t tag = hash_tag(hash);
    const struct bucket *bucket = bucket_at(&index->main, ref_index_bucket(index, hash));
    for (; bucket; bucket = chain_next(index, bucket)) {
        for (uint32_t match = tag_matches(bucket, tag); match; match &= match - 1) {
            uint32_t reference = bucket->references[__builtin_ctz(match)];
            if (index->ops.equal(index->ops.context, reference, key))
                return reference;
        }
    }
    return 0;
}

void ref_index_prefetch_records(const struct ref_index *index, uint64_t hash) {
    if (!index->entries || !index->ops.prefetch)
        return;
    const struct bucket *bucket = bucket_at(&index->main, ref_index_bucket(index, hash));
    for (uint32_t match = tag_matches(bucket, hash_tag(hash)); match; match &= match - 1)
        index->ops.prefetch(index->ops.context, bucket->references[__builtin_ctz(match)]);
}

/* ---- chains ---- */

static bool chain_append(struct ref_index *index, struct bucket *bucket, struct entry entry) {
    while (bucket->link)
        bucket = chain_next(index, bucket);
    unsigned slot = bucket_used(bucket);
    if (slot == BUCKET_SLOTS) {
        if (!bucket_array_reserve(&index->overflow, index->overflow.count + 1))
            return false;
        uint32_t more = bucket_array_push(&index->overflow);
        bucket->link = more + 1;
        bucket = bucket_at(&index->overflow, more);
        slot = 0;
    }
    bucket->tags[slot] = entry.tag;
    bucket->references[slot] = entry.reference;
    return true;
}

/* The link that leads to an overflow bucket: in the chain of any entry that it holds. */
static uint32_t *overflow_link(struct ref_index *index, uint32_t overflow) {
    uint32_t reference = bucket_at(&index->overflow, overflow)->references[0];
    uint64_t hash = index->ops.hash(index->ops.context, reference);
    struct bucket *bucket = bucket_at(&index->main, ref_index_bucket(index, hash));
    while (bucket->link != overflow + 1)
        bucket = chain_next(index, bucket);
    return &bucket->link;
}

/* Takes the last bucket, an overflow one, out of a chain: `before` links to it. The overflow bucket
 * with the highest number moves into the gap. */
static void overflow_release(struct ref_index *index, struct bucket *before) {
    uint32_t gap = before->link - 1, last = index->overflow.count - 1;
    before->link = 0;
    if (gap != last) {
        *overflow_link(index, last) = gap + 1;
        *bucket_at(&index->overflow, gap) = *bucket_at(&index->overflow, last);
    }
    index->overflow.count--;
}

/* The last bucket of a chain, and the one before it (NULL if the chain is one bucket). */
static struct bucket *chain_last(const struct ref_index *index, struct bucket *bucket,
                                 struct bucket **before) {
    *before = NULL;
    while (bucket->link) {
        *before = bucket;
        bucket = chain_next(index, bucket);
    }
    return bucket;
}

static uint32_t chain_length(const struct ref_index *index, const struct bucket *bucket,
                             uint32_t *overflows) {
    uint32_t length = 0;
    *overflows = 0;
    for (; bucket->link; bucket = chain_next(index, bucket)) {
        length += BUCKET_SLOTS;
        ++*overflows;
    }
    return length + bucket_used(bucket);
}

/* Takes all entries out of a chain of at most CHAIN_MAX; its overflow buckets are given back. */
static uint32_t chain_take(struct ref_index *index, struct bucket *bucket,
                           struct entry entries[CHAIN_MAX]) {
    uint32_t count = 0;
    for (const struct bucket *at = bucket; at; at = chain_next(index, at)) {
        for (unsigned slot = 0; slot < BUCKET_SLOTS && at->tags[slot]; slot++) {
            entries[count].reference = at->references[slot];
            entries[count++].tag = at->tags[slot];
        }
    }
    while (bucket->link) {
        struct bucket *before;
        chain_last(index, bucket, &before);
        overflow_release(index, before);
    }
    memset(bucket, 0, sizeof *bucket);
    return count;
}

/* ---- growing and shrinking ---- */

static void mask_update(struct ref_index *index) {
    uint32_t highest = index->main.count - 1;
    while (index->mask < highest)
        index->mask = index->mask * 2 + 1;
    while (index->mask >> 1 >= highest && index->mask)
        index->mask >>= 1;
}

/* Makes the next bucket and moves to it the entries of its buddy that are its own. Two chains of
 * the same entries need no more overflow buckets than one did, so nothing can fail once the bucket
 * is there. */
static void index_split(struct ref_index *index) {
    struct entry entries[CHAIN_MAX];
    uint32_t overflows, next = index->main.count;
    uint32_t old = next & (next > index->mask ? index->mask : index->mask >> 1);
    if (next >= UINT32_MAX / 2 || !bucket_array_reserve(&index->main, next + 1))
        return;
    struct bucket *bucket = bucket_at(&index->main, old);
    if (chain_length(index, bucket, &overflows) > CHAIN_MAX)
        return;
    for (struct bucket *at = bucket; at && index->ops.prefetch; at = chain_next(index, at))
        for (unsigned slot = 0; slot < BUCKET_SLOTS && at->tags[slot]; slot++)
            index->ops.prefetch(index->ops.context, at->references[slot]);
    uint32_t count = chain_take(index, bucket, entries);
    bucket_array_push(&index->main);
    mask_update(index);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash = index->ops.hash(index->ops.context, entries[i].reference);
        chain_append(index, bucket_at(&index->main, ref_index_bucket(index, hash)), entries[i]);
    }
}

/* Moves the last bucket's entries to its buddy. Tags stay, so no hash is asked for. */
static void index_merge(struct ref_index *index) {
    struct entry entries[CHAIN_MAX];
    uint32_t last = index->main.count - 1, last_overflows, buddy_overflows;
    struct bucket *bucket = bucket_at(&index->main, last);
    struct bucket *buddy = bucket_at(&index->main, last & index->mask >> 1);
    uint32_t length = chain_length(index, bucket, &last_overflows);
    uint32_t total = length + chain_length(index, buddy, &buddy_overflows);
    uint32_t needed = total > BUCKET_SLOTS ? (total - 1) / BUCKET_SLOTS : 0;
    uint32_t kept = index->overflow.count - last_overflows - buddy_overflows;
    if (length > CHAIN_MAX || !bucket_array_reserve(&index->overflow, kept + needed))
        return;
    uint32_t count = chain_take(index, bucket, entries);
    index->main.count--;
    mask_update(index);
    for (uint32_t i = 0; i < count; i++)
        chain_append(index, buddy, entries[i]);
    bucket_array_trim(&index->main);
}

bool ref_index_add(struct ref_index *index, uint64_t hash, uint32_t reference) {
    if (index->main.count == 0) {
        if (!bucket_array_reserve(&index->main, 1)) {
            ref_index_clear(index);
            return false;
        }
        bucket_array_push(&index->main);
    } else if (index->entries >= (size_t)index->main.count * LOAD_MAX) {
        index_split(
            index); /* before the new entry is in: its record may not be ready to be asked */
    }
    struct entry entry = {reference, hash_tag(hash)};
    if (!chain_append(index, bucket_at(&index->main, ref_index_bucket(index, hash)), entry))
        return false;
    index->entries++;
    return true;
}

/* Where a reference is; bucket NULL if nowhere. */
static struct place_in_chain reference_place(struct ref_index *index, uint64_t hash,
                                             uint32_t reference) {
    struct place_in_chain none = {NULL, 0};
    if (!index->entries)
        return none;
    struct bucket *bucket = bucket_at(&index->main, ref_index_bucket(index, hash));
    for (; bucket; bucket = chain_next(index, bucket)) {
        for (uint32_t match = tag_matches(bucket, hash_tag(hash)); match; match &= match - 1) {
            unsigned slot = (unsigned)__builtin_ctz(match);
            if (bucket->references[slot] == reference)
                return (struct place_in_chain){bucket, slot};
        }
    }
    return none;
}

bool ref_index_remove(struct ref_index *index, uint64_t hash, uint32_t reference) {
    struct place_in_chain at = reference_place(index, hash, reference);
    if (!at.bucket)
        return false;
    struct bucket *before, *last = chain_last(index, at.bucket, &before);
    unsigned slot = bucket_last(last);
    at.bucket->tags[at.slot] = last->tags[slot];
    at.bucket->references[at.slot] = last->references[slot];
    last->tags[slot] = 0;
    if (slot == 0) {
        chain_last(index, bucket_at(&index->main, ref_index_bucket(index, hash)), &before);
        if (before)
            overflow_release(index, before);
    }
    index->entries--;
    if (index->entries == 0) {
        ref_index_clear(index);
        return true;
    }
    if (index->main.count > 1 && index->entries < (size_t)index->main.count * LOAD_MIN)
        index_merge(index);
    bucket_array_trim(&index->overflow);
    return true;
}

bool ref_index_rename(struct ref_index *index, uint64_t hash, uint32_t from, uint32_t to) {
    struct place_in_chain at = reference_place(index, hash, from);
    if (at.bucket)
        at.bucket->references[at.slot] = to;
    return at.bucket != NULL;
}
