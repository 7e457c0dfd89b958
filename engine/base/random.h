/* Unpredictable numbers from a seed: SipHash-2-4 in counter mode. The same seed gives the same
 * numbers. */
#ifndef ENGINE_BASE_RANDOM_H
#define ENGINE_BASE_RANDOM_H

#include "engine/base/siphash.h"

struct random {
    struct siphash_key key;
    uint64_t counter;
};

/* `purpose` keeps the streams of one seed apart. */
void random_init(struct random *random, const uint8_t seed[32], uint64_t purpose);
uint64_t random_u64(struct random *random);
/* Uniform in 0..bound-1; bound > 0. */
uint32_t random_below(struct random *random, uint32_t bound);
/* A key of its own for another table or hash. */
struct siphash_key random_key(struct random *random);

#endif
