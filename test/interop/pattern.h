/* A stream of octets that both ends can make for themselves: a shifted, lost or doubled octet
 * shows. */
#ifndef TEST_INTEROP_PATTERN_H
#define TEST_INTEROP_PATTERN_H

#include <stdint.h>
#include <string.h>

static inline uint64_t pattern_word(uint64_t seed, uint64_t number) {
    uint64_t z = (seed * UINT64_C(0xd1342543de82ef95)) ^ (number * UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 32) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ z >> 29;
}

/* Octets [offset, offset + length) of the stream `seed`. */
static inline void pattern_fill(uint64_t seed, uint64_t offset, uint8_t *to, size_t length) {
    while (length > 0) {
        uint64_t word = pattern_word(seed, offset / 8);
        size_t skip = (size_t)(offset % 8), run = 8 - skip < length ? 8 - skip : length;
        uint8_t octets[8];
        memcpy(octets, &word, sizeof octets);
        memcpy(to, octets + skip, run);
        to += run;
        offset += run;
        length -= run;
    }
}

/* How many of data[0..length) are as the stream has them at `offset`, from the first on. */
static inline size_t pattern_check(uint64_t seed, uint64_t offset, const uint8_t *data,
                                   size_t length) {
    size_t good = 0;
    while (good < length) {
        uint8_t expected[512];
        size_t run = length - good < sizeof expected ? length - good : sizeof expected;
        pattern_fill(seed, offset + good, expected, run);
        if (memcmp(expected, data + good, run) != 0) {
            for (size_t i = 0; expected[i] == data[good + i]; i++)
                good++;
            return good;
        }
        good += run;
    }
    return good;
}

/* The services, on both sides: port, and what is spoken there.
 * echo: what comes goes back. sink: a stream comes; when it ends, "ok COUNT\n" or "bad at OFFSET\n"
 * goes back. source: "COUNT\n" comes, that much of the stream goes back. */
enum { PORT_ECHO = 7, PORT_SINK = 9, PORT_SOURCE = 19, PORT_HTTP = 80 };
enum { PATTERN_SEED = 1 };

#endif
