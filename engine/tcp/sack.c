/* The receiver's half of selective acknowledgment: which blocks an ACK names (RFC 2018 section 4,
 * with the duplicates of RFC 2883).
 *
 * THEORY. The blocks reported are remembered as they grow, the latest first, rather than made from
 * the out-of-order runs each time: there may be thousands of those. A block that falls off the end
 * of the few is only not reported again; what is reported is always held. Since one pull of output
 * answers a whole batch of segments, the bare ACKs owed for them each begin with the block of their
 * own segment: with k of them left, that is the k-th latest. */
#include "engine/tcp/sack.h"

static bool touches(const struct sack_block *block, uint32_t left, uint32_t right) {
    return seq_le(block->left, right) && seq_le(left, block->right);
}

static void remove_at(struct sack_said *said, unsigned at) {
    said->count--;
    memmove(&said->blocks[at], &said->blocks[at + 1], (said->count - at) * sizeof said->blocks[0]);
}

void sack_keep(struct sack_said *said, uint32_t left, uint32_t right) {
    struct sack_block grown = {left, right};
    for (unsigned i = 0; i < said->count;) {
        if (touches(&said->blocks[i], grown.left, grown.right)) {
            grown.left = seq_min(grown.left, said->blocks[i].left);
            grown.right = seq_max(grown.right, said->blocks[i].right);
            remove_at(said, i);
            i = 0; /* it may touch one that was passed over */
        } else {
            i++;
        }
    }
    if (said->count == SACK_REMEMBERED)
        said->count--;
    memmove(&said->blocks[1], &said->blocks[0], said->count * sizeof grown);
    said->blocks[0] = grown;
    said->count++;
}

void sack_duplicate(struct sack_said *said, uint32_t left, uint32_t right) {
    struct sack_block *twice = &said->twice;
    if (twice->left != twice->right && touches(twice, left, right)) {
        twice->left = seq_min(twice->left, left);
        twice->right = seq_max(twice->right, right);
    } else {
        *twice = (struct sack_block){left, right};
    }
}

void sack_advance(struct sack_said *said, uint32_t rcv_nxt) {
    for (unsigned i = said->count; i-- > 0;)
        if (seq_le(said->blocks[i].left, rcv_nxt))
            remove_at(said, i);
}

static void put(struct tcp_options *options, const struct sack_block *block) {
    options->sack[options->sack_count].left = block->left;
    options->sack[options->sack_count].right = block->right;
    options->sack_count++;
}

void sack_say(const struct sack_said *said, unsigned duplicates, unsigned most,
              struct tcp_options *options) {
    unsigned first = duplicates > 1 ? duplicates - 1u : 0;
    const struct sack_block *twice = said->twice.left != said->twice.right ? &said->twice : NULL;
    options->sack_count = 0;
    if (first >= said->count && said->count)
        first = said->count - 1u;
    if (twice && most) /* RFC 2883 section 4 (1), 2883-1: the duplicate is the first block... */
        put(options, twice);
    /* ...and (4) the block it is part of is the second; RFC 2018 section 4: else the first is the
     * one that contains the segment which triggered this ACK. */
    for (unsigned i = 0; twice && i < said->count; i++)
        if (seq_ge(twice->left, said->blocks[i].left) &&
            seq_le(twice->right, said->blocks[i].right))
            first = i;
    if (said->count && options->sack_count < most)
        put(options, &said->blocks[first]);
    /* RFC 2018 section 4, 2018-2: as many as fit, repeating those reported most recently. */
    for (unsigned i = 0; i < said->count && options->sack_count < most; i++)
        if (i != first)
            put(options, &said->blocks[i]);
}
