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

/* Carries are counted apart: an addition and one with carry for each word. Two sums, so that one
 * need not wait for the other. */
static uint64_t sum_words(const uint8_t *p, size_t words) {
    uint64_t even = 0, odd = 0, carries = 0;
    size_t i = 0;
    for (; i + 2 <= words; i += 2) {
        uint64_t first = load_word(p + 8 * i), second = load_word(p + 8 * i + 8);
        even += first;
        carries += even < first;
        odd += second;
        carries += odd < second;
    }
    if (i < words)
        even = add_carry(even, load_word(p + 8 * i));
    return add_carry(add_carry(even, odd), carries);
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

/* Adds the sum of `length` octets. */
static void piece_add(struct checksum *sum, uint64_t piece, size_t length) {
    if (sum->odd)
        piece = swap(fold(piece));
    sum->sum = add_carry(sum->sum, piece);
    sum->odd ^= length & 1;
}

void checksum_add(struct checksum *sum, const void *data, size_t length) {
    const uint8_t *p = data;
    size_t words = length / 8;
    uint64_t piece = sum_words(p, words);
    if (length % 8 != 0)
        piece = add_carry(piece, sum_rest(p + words * 8, length % 8));
    piece_add(sum, piece, length);
}

uint16_t checksum_finish(const struct checksum *sum) {
    uint16_t folded = fold(sum->sum);
    uint8_t octets[2];
    memcpy(octets, &folded, sizeof folded);
    return (uint16_t)~load_be16(octets);
}

/* All its pieces are of even length, so it changes nothing for what comes after it. */
void checksum_add_pseudo(struct checksum *sum, const struct berth_ip *source,
                         const struct berth_ip *destination, uint8_t protocol, uint32_t length) {
    uint8_t rest[8] = {0, 0, 0, 0, 0, 0, 0, protocol};
    store_be32(rest, length);
    uint64_t piece = load_word(rest);
    if (berth_ip_is_v4(source)) {
        uint64_t addresses = sum_rest(source->bytes + 12, 4) + sum_rest(destination->bytes + 12, 4);
        piece = add_carry(piece, addresses);
    } else {
        piece = add_carry(piece, sum_words(source->bytes, 2));
        piece = add_carry(piece, sum_words(destination->bytes, 2));
    }
    piece_add(sum, piece, 0);
}

void checksum_add_parts(struct checksum *sum, const struct berth_part *parts, size_t count) {
    for (size_t i = 0; i < count; i++)
        checksum_add(sum, parts[i].data, parts[i].length);
}
