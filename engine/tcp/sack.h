/* Which blocks a receiver's ACKs name: RFC 2018, RFC 2883. See sack.c. */
#ifndef ENGINE_TCP_SACK_H
#define ENGINE_TCP_SACK_H

#include "engine/base/seq.h"
#include "engine/wire/tcp_options.h"
#include <string.h>

enum { SACK_REMEMBERED = 8, SACK_BLOCKS_MAX = 4 };

struct sack_block { /* [left, right) */
    uint32_t left, right;
};

struct sack_said {
    struct sack_block blocks[SACK_REMEMBERED]; /* the latest first; none touches another */
    struct sack_block twice; /* came a second time and has not been told yet; empty: nothing */
    uint8_t count;
};

/* [left, right) came just now, ahead of a gap, and is held. */
void sack_keep(struct sack_said *said, uint32_t left, uint32_t right);
/* [left, right) came though it was there. */
void sack_duplicate(struct sack_said *said, uint32_t left, uint32_t right);
/* What begins at or before rcv_nxt is acknowledged in another way. */
void sack_advance(struct sack_said *said, uint32_t rcv_nxt);
/* The blocks of an ACK, at most `most`; duplicates: bare ACKs owed, this one counted. */
void sack_say(const struct sack_said *said, unsigned duplicates, unsigned most,
              struct tcp_options *options);

/* Octets that an option of so many blocks takes, with its padding. */
static inline unsigned sack_length(unsigned count) {
    return count ? 4 + 8 * count : 0;
}
/* How many blocks sack_say would give. */
static inline unsigned sack_count(const struct sack_said *said) {
    return said->count + (said->twice.left != said->twice.right);
}

#endif
