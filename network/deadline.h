/* The hosts by the time of their next timer: a heap that knows each port's place in it, so that a
 * change costs O(log n) and the earliest is at hand. */
#ifndef NETWORK_DEADLINE_H
#define NETWORK_DEADLINE_H

#include <berth/frame.h>
#include <stdint.h>

/* Part of the record that waits. */
struct deadline {
    uint64_t at;    /* UINT64_MAX: never; then it is not in the heap */
    uint32_t place; /* in the heap */
};

struct deadlines {
    struct berth_allocator allocator;
    struct deadline **heap;
    uint32_t count, size;
};

void deadlines_init(struct deadlines *deadlines, struct berth_allocator allocator);
void deadlines_clear(struct deadlines *deadlines);
/* Makes room for `records` in all, so that a change never fails. 0 or -ENOMEM. */
int deadlines_reserve(struct deadlines *deadlines, uint32_t records);
static inline void deadline_init(struct deadline *deadline) {
    deadline->at = UINT64_MAX;
}
void deadlines_change(struct deadlines *deadlines, struct deadline *deadline, uint64_t at);
/* The earliest; NULL if none is set. */
static inline struct deadline *deadlines_first(const struct deadlines *deadlines) {
    return deadlines->count ? deadlines->heap[0] : (struct deadline *)0;
}

#endif
