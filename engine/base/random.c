#include "engine/base/random.h"

#include <string.h>

void random_init(struct random *random, const uint8_t seed[32], uint64_t purpose) {
    /* Half of the seed keys the hash of the other half, the purpose and the half's number. */
    struct siphash_key outer;
    uint64_t input[4];
    memcpy(&outer, seed, sizeof outer);
    memcpy(input, seed + 16, 16);
    input[2] = purpose;
    input[3] = 0;
    random->key.k0 = siphash(&outer, input, sizeof input);
    input[3] = 1;
    random->key.k1 = siphash(&outer, input, sizeof input);
    random->counter = 0;
}

uint64_t random_u64(struct random *random) {
    uint64_t number = random->counter++;
    return siphash(&random->key, &number, sizeof number);
}

uint32_t random_below(struct random *random, uint32_t bound) {
    /* The high half of a product is uniform once the low halves that come up too often are thrown
     * away (Lemire, 2019). */
    uint32_t excess = (0u - bound) % bound;
    for (;;) {
        uint64_t product = (uint64_t)(uint32_t)random_u64(random) * bound;
        if ((uint32_t)product >= excess)
            return (uint32_t)(product >> 32);
    }
}

struct siphash_key random_key(struct random *random) {
    struct siphash_key key;
    key.k0 = random_u64(random);
    key.k1 = random_u64(random);
    return key;
}
