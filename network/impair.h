/* What one direction of a link does to the frames that cross it, in the words and with the meaning
 * of Linux's netem: for each frame a verdict is drawn, and the link carries it out. */
#ifndef NETWORK_IMPAIR_H
#define NETWORK_IMPAIR_H

#include "engine/base/random.h"
#include <berth/network.h>
#include <stdbool.h>

enum { IMPAIR_LIMIT_DEFAULT = 1000 };

struct impair {
    struct berth_impairment what;
    struct random random; /* of this direction alone: links do not disturb each other's luck */
    uint64_t last;        /* when the last frame of the queue leaves, for the rate */
    uint32_t queued;      /* frames that wait; the link counts them */
};

struct impair_verdict {
    const char *dropped; /* the cause as a capture shows it; NULL: it arrives */
    uint64_t at;         /* when it arrives; of a dropped one, when it would have but for jitter */
    bool corrupt;        /* with one bit flipped */
    bool duplicate;      /* and a second copy is to be judged */
};

/* 0; -EINVAL for a probability outside 0..1, reordering without a delay, or times past 2^62 ns. */
int impair_check(const struct berth_impairment *what);
/* True if the link does anything at all. */
bool impair_any(const struct berth_impairment *what);
/* True if it treats frames one by one, so that they must be of MTU size: all but delay and jitter.
 */
bool impair_small(const struct berth_impairment *what);
/* Judges a frame of `length` octets that comes at `now`. `copy`: it is a duplicate, which is not
 * duplicated again. */
struct impair_verdict impair_judge(struct impair *impair, size_t length, uint64_t now, bool copy);

#endif
