/* The sum is one's complement, so it may be taken in the machine's own byte order and in 64-bit
 * words and be folded at the end (RFC 1071, section 2). A piece that starts at an odd place counts
 * with its octets swapped. */
#include "engine/wire/checksum.h"

#include "engine/base/bytes.h"
#include <string.h>

static inline uint64_t add_carry(uint64_t a, uint64_t b) {
    a += b;
    return a + (a < b);
}

static inline uint64_t load_word(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Halves are summed apart, so no carry is lost in fewer than 2^32 words, and a compiler may use
 * vector registers. */
static uint64_t sum_words(const uint8_t *p, size_t words) {
    uint64_t low[4] = {0}, high[4] = {0};
    size_t i = 0;
    for (; i + 4 <= words; i += 4) {
        for (size_t j = 0; j < 4; j++) {
            uint64_t word = load_word(p + 8 * (i + j));
            low[j] += word & 0xffffffff;
            high[j] += word >> 32;
        }
    }
    for (; i < words; i++) {
        uint64_t word = load_word(p + 8 * i);
        low[0] += word & 0xffffffff;
        high[0] += word >> 32;
    }
    uint64_t sum = 0;
    for (size_t j = 0; j < 4; j++)
        sum = add_carry(add_carry(sum, low[j]), high[j]);
    return sum;
}

/* The last 1..7 octets, in moves of fixed size: nearly every header has some. A shorter word counts
 * as a longer one does, modulo 2^16 - 1. */
static uint64_t sum_rest(const uint8_t *p, size_t length) {
    uint64_t sum = 0;
    if (length & 4) {
        uint32_t word;
        memcpy(&word, p, sizeof word);
        sum += word;
        p += sizeof word;
    }
    if (length & 2) {
        uint16_t half;
        memcpy(&half, p, sizeof half);
        sum += half;
        p += sizeof half;
    }
    if (length & 1) {
        uint8_t octets[2] = {*p, 0};
        uint16_t half;
        memcpy(&half, octets, sizeof half);
        sum += half;
    }
    return sum;
}

static uint16_t fold(uint64_t sum) {
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)sum;
}

static uint16_t swap(uint16_t x) {
    return (uint16_t)(x << 8 | x >> 8);
}

void checksum_add(struct checksum *sum, const void *data, size_t length) {
    const uint8_t *p = data;
    size_t words = length / 8;
    uint64_t piece = sum_words(p, words);
    if (length % 8 != 0)
        piece = add_carry(piece, sum_rest(p + words * 8, length % 8));
    if (sum->odd)
        piece = swap(fold(piece));
    sum->sum = add_carry(sum->sum, piece);
    sum->odd ^= length & 1;
}

uint16_t checksum_finish(const struct checksum *sum) {
    uint16_t folded = fold(sum->sum);
    uint8_t octets[2];
    memcpy(octets, &folded, sizeof folded);
    return (uint16_t)~load_be16(octets);
}

void checksum_add_pseudo(struct checksum *sum, const struct berth_ip *source,
                         const struct berth_ip *destination, uint8_t protocol, uint32_t length) {
    uint8_t rest[8] = {0, 0, 0, 0, 0, 0, 0, protocol};
    size_t skip = berth_ip_is_v4(source) ? 12 : 0;
    store_be32(rest, length);
    checksum_add(sum, source->bytes + skip, 16 - skip);
    checksum_add(sum, destination->bytes + skip, 16 - skip);
    checksum_add(sum, rest, sizeof rest);
}

void checksum_add_parts(struct checksum *sum, const struct berth_part *parts, size_t count) {
    for (size_t i = 0; i < count; i++)
        checksum_add(sum, parts[i].data, parts[i].length);
}
