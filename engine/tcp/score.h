/* What of the send queue is where: sent when, held by the peer, lost, sent again. See score.c. */
#ifndef ENGINE_TCP_SCORE_H
#define ENGINE_TCP_SCORE_H

#include "engine/base/seq.h"
#include <berth/frame.h>

enum score_flags {
    SCORE_SACKED = 1, /* the peer holds it, though it may think better of it (RFC 2018 section 8) */
    SCORE_LOST = 2,
    SCORE_RESENT = 4, /* sent again since it was found lost */
    SCORE_AGAIN = 8,  /* was ever sent again: which sending an ACK means is not sure (Karn) */
};

struct score_range { /* up to the next one's seq */
    uint32_t seq;
    uint8_t flags; /* enum score_flags */
    uint64_t at;   /* ns: when it was sent last */
};

enum {
    SCORE_FEW = 8,    /* ranges that need no memory of their own */
    SCORE_QUIET = 64, /* ranges for times of sending alone */
    SCORE_MAX = 1024,
};

/* Zeroes: nothing is in flight. */
struct score {
    struct score_range *many; /* NULL: `few` holds them */
    uint32_t count, size;     /* in use; room of `many` */
    uint32_t end;             /* SND.MAX: where the last one ends */
    uint32_t pipe;            /* octets that are thought to be in the network (RFC 6675) */
    uint32_t sacked;          /* octets that the peer holds */
    uint32_t waiting;         /* octets that are lost and have not been sent again */
    uint32_t hint;            /* none before this waits */
    struct score_range few[SCORE_FEW];
};

/* What an ACK says that was not known. */
struct score_news {
    /* in */
    uint64_t credible; /* of octets sent more than once, what was sent later than this is not what
                          the ACK means */
    uint32_t fack;     /* the highest sequence number delivered so far, + 1 */
    /* in and out */
    uint32_t high; /* the same, with this ACK */
    /* out */
    uint32_t delivered; /* octets */
    uint32_t sacked;    /* of them, by SACK */
    uint64_t at;        /* what was sent last of it: when, 0 none; and where it ends */
    uint32_t end;
    uint64_t fresh_at; /* the same of octets that were sent once only */
    uint32_t fresh;    /* where the lowest of these begins, with fresh_at */
    uint32_t
        reordered; /* some sent once only came after higher ones, so many octets at most; 0: none */
};

void score_clear(struct score *score, struct berth_allocator allocator);
/* The octets up to `end` were sent for the first time; una: where the first range begins if there
 * is none yet. */
void score_sent(struct score *score, struct berth_allocator allocator, uint32_t una, uint32_t end,
                uint64_t now);
/* Octets [seq, end), which are in it, were sent again. False: no memory to note it. */
bool score_resent(struct score *score, struct berth_allocator allocator, uint32_t seq, uint32_t end,
                  uint64_t now);
/* All below `ack` is acknowledged. */
void score_ack(struct score *score, struct berth_allocator allocator, uint32_t ack,
               struct score_news *news);
/* The peer says that it holds [left, right). What lies outside of what is in flight says nothing.
 */
void score_sack(struct score *score, struct berth_allocator allocator, uint32_t left,
                uint32_t right, struct score_news *news);
/* Makes one of neighbours that do not differ; after a batch of the above. */
void score_tidy(struct score *score);

/* The first octets that are lost and were not sent again; false: there are none. */
bool score_next(struct score *score, uint32_t *seq, uint32_t *end);
/* True if what was sent at `at1` and ends at `end1` was sent after the other. */
static inline bool score_sent_after(uint64_t at1, uint32_t end1, uint64_t at2, uint32_t end2) {
    return at1 > at2 || (at1 == at2 && seq_gt(end1, end2));
}
/* RFC 8985 6.2 step 5: what was sent before (at, end), and before `limit` too, is lost; the rest of
 * it becomes so later: *wait, ns from `limit` on, for the last of it. Returns octets. */
uint32_t score_lose_before(struct score *score, uint64_t at, uint32_t end, uint64_t limit,
                           uint64_t *wait);
/* The first range, and all that was sent at or before `limit`, is lost, even if it was sent again.
 */
void score_lose_old(struct score *score, uint64_t limit);
/* The peer has thought better of it: what it held is lost. */
void score_renege(struct score *score);
/* Nothing is lost after all. */
void score_find_all(struct score *score);
/* Octets in flight that were sent again since they were found lost. */
uint32_t score_out_again(const struct score *score);
/* True if the peer holds what it should have acknowledged. */
bool score_is_reneged(const struct score *score);

#endif
