#include "engine/port/port_set.h"
#include <string.h>

/* Bits set in each octet of `word`. */
static uint64_t octet_counts(uint64_t word) {
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    return (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
}

static uint32_t bit_count(uint64_t word) {
    return (uint32_t)(octet_counts(word) * UINT64_C(0x0101010101010101) >> 56);
}

/* The place of the bit that has `n` set bits below it. */
static uint32_t bit_select(uint64_t word, uint32_t n) {
    uint64_t counts = octet_counts(word);
    uint32_t shift = 0;
    for (; n >= (counts & 0xff); counts >>= 8, shift += 8)
        n -= (uint32_t)(counts & 0xff);
    uint32_t octet = (uint32_t)(word >> shift) & 0xff;
    for (; n > 0; n--)
        octet &= octet - 1;
    return shift + (uint32_t)__builtin_ctz(octet);
}

void port_set_clear(struct port_set *set) {
    memset(set, 0, sizeof *set);
}

void port_set_fill(struct port_set *set) {
    memset(set->words, 0xff, sizeof set->words);
    for (int i = 0; i < 256; i++)
        set->groups[i] = 256;
    for (int i = 0; i < 16; i++)
        set->tops[i] = 4096;
    port_set_put(set, 0, false);
}

void port_set_put(struct port_set *set, uint16_t port, bool member) {
    if (port_set_has(set, port) == member)
        return;
    uint16_t step = member ? 1 : UINT16_MAX; /* minus one, modulo 2^16 */
    set->words[port / 64] ^= UINT64_C(1) << (port % 64);
    set->groups[port / 256] = (uint16_t)(set->groups[port / 256] + step);
    set->tops[port / 4096] = (uint16_t)(set->tops[port / 4096] + step);
}

uint32_t port_set_rank(const struct port_set *set, uint32_t port) {
    uint32_t rank = 0, group = port / 256, word = port / 64;
    for (uint32_t i = 0; i < port / 4096; i++)
        rank += set->tops[i];
    for (uint32_t i = group / 16 * 16; i < group; i++)
        rank += set->groups[i];
    for (uint32_t i = group * 4; i < word; i++)
        rank += bit_count(set->words[i]);
    if (port % 64)
        rank += bit_count(set->words[word] << (64 - port % 64));
    return rank;
}

uint16_t port_set_nth(const struct port_set *set, uint32_t n) {
    uint32_t top = 0;
    while (n >= set->tops[top])
        n -= set->tops[top++];
    uint32_t group = top * 16;
    while (n >= set->groups[group])
        n -= set->groups[group++];
    uint32_t word = group * 4;
    for (uint32_t count; n >= (count = bit_count(set->words[word])); word++)
        n -= count;
    return (uint16_t)(word * 64 + bit_select(set->words[word], n));
}

uint16_t port_set_draw(const struct port_set *set, uint16_t first, uint16_t last,
                       struct random *random, uint32_t *count) {
    uint32_t below = port_set_rank(set, first);
    *count = port_set_rank(set, (uint32_t)last + 1) - below;
    return *count ? port_set_nth(set, below + random_below(random, *count)) : 0;
}
