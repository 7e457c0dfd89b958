/* What one direction of a link does to the frames that cross it, in the words and with the meaning
 * of Linux's netem: for each frame a verdict is drawn, and the link carries it out. */
#ifndef NETWORK_IMPAIR_H
#define NETWORK_IMPAIR_H

#include "engine/base/random.h"
#include <berth/network.h>
#include <stdbool.h>

enum { IMPAIR_LIMIT_DEFAULT = 1000 };

/* Of one word: the number that was drawn last, shared by the frames that follow with the word's
 * correlation. */
struct luck {
    uint64_t last;
    bool drawn;
};
/* What losses may be in: netem's names. The first is where a chain begins. */
enum loss_state { LOSS_GOOD, LOSS_BAD, LOSS_SENT_IN_BURST, LOSS_ALONE };

struct impair {
    struct berth_impairment what;
    struct random random; /* of this direction alone: links do not disturb each other's luck */
    uint64_t last;        /* when the last frame of the queue leaves, for the rate */
    uint64_t remainder;   /* of the time that frame takes, in parts of 1 / rate ns */
    uint32_t queued;      /* frames that wait; the link counts them */
    uint32_t waited;      /* frames since the last one that went ahead, for the gap */
    enum loss_state state;
    struct luck delay, loss, duplicate, corrupt, reorder;
};

struct impair_verdict {
    const char *dropped; /* the cause as a capture shows it; NULL: it arrives */
    uint64_t at;         /* when it arrives; of a dropped one, when it would have but for jitter */
    bool corrupt;        /* with one bit flipped */
    bool duplicate;      /* and a second copy is to be judged */
};

/* Takes what the caller's struct has, which may be of another version. */
struct berth_impairment impair_given(const struct berth_impairment *given);
/* And gives as much as it has room for. */
void impair_tell(const struct impair *impair, struct berth_impairment *wanted);
/* 0; -EINVAL for what makes no sense. */
int impair_check(const struct berth_impairment *what);
/* Begins to do that; luck and what is queued go on. */
void impair_set(struct impair *impair, const struct berth_impairment *what);
/* True if the link does anything at all. */
bool impair_any(const struct berth_impairment *what);
/* True if it treats frames one by one, so that they must be of MTU size: all but delay and jitter.
 */
bool impair_small(const struct berth_impairment *what);
/* Judges a frame of `length` octets that comes at `now`. `copy`: it is a duplicate, which is not
 * duplicated again. */
struct impair_verdict impair_judge(struct impair *impair, size_t length, uint64_t now, bool copy);

#endif
