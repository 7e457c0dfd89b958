/* SipHash, the keyed hash behind port choice, demultiplexer, sequence numbers and random numbers
 * (Aumasson and Bernstein, 2012). */
#ifndef ENGINE_BASE_SIPHASH_H
#define ENGINE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

/* SipHash-2-4 of data[0..length). */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t length);
/* SipHash-1-3 of up to five words: for tables, whose answers an outsider sees only as time. */
uint64_t siphash13_words(const struct siphash_key *key, const uint64_t *words, size_t count);

#endif
