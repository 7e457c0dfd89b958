/* Numbers for property tests: the same on every run (splitmix64). */
#ifndef TEST_MIX_H
#define TEST_MIX_H

#include <stdint.h>

struct mix {
    uint64_t state;
};

static inline uint64_t mix_u64(struct mix *mix) {
    uint64_t z = mix->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0..bound-1 */
static inline uint32_t mix_below(struct mix *mix, uint32_t bound) {
    return (uint32_t)(mix_u64(mix) % bound);
}

#endif
