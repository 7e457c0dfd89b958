/* A hierarchical timer wheel over records named by 32-bit numbers: O(1) to set and cancel. A record
 * holds one struct timer_link; the wheel finds it through `link`. Ticks are 1 ms; a timer never
 * fires early and at most one tick late. A reported deadline is never late; it is exact to the tick
 * unless very many timers share the earliest slot of an upper level (see timer_deadline). */
#ifndef ENGINE_BASE_TIMER_WHEEL_H
#define ENGINE_BASE_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    WHEEL_LEVELS = 5,
    WHEEL_SLOTS = 64
}; /* 64^5 ms: 12 days; later ones wait in the last slot */
enum { WHEEL_SCAN = 64 };

struct timer_link {
    uint32_t next, previous; /* record numbers; 0 none */
    uint32_t tick;           /* when, in ticks: the low 32 bits */
    uint8_t level;           /* 0xff: not set */
    uint8_t slot;
    uint8_t kind;      /* the owner's: what it is for */
    uint8_t tick_high; /* the next 8 bits: 34 years before they come round */
};

struct timer_wheel {
    struct timer_link *(*link)(void *context, uint32_t record);
    void *context;
    uint64_t now_tick; /* all earlier ticks have fired */
    uint64_t occupied[WHEEL_LEVELS];
    uint32_t heads[WHEEL_LEVELS][WHEEL_SLOTS];
    uint32_t count;
    uint64_t earliest; /* the deadline's tick, once it was asked for; 0: not known */
};

void timer_wheel_init(struct timer_wheel *wheel,
                      struct timer_link *(*link)(void *context, uint32_t record), void *context,
                      uint64_t now);
/* Marks a new record's link as not set. */
static inline void timer_link_init(struct timer_link *link) {
    link->level = 0xff;
}
static inline bool timer_is_set(const struct timer_link *link) {
    return link->level != 0xff;
}
/* Sets or moves the record's timer to fire at `when` (ns, rounded up to a tick; the past means the
 * next tick). */
void timer_set(struct timer_wheel *wheel, uint32_t record, uint64_t when, uint8_t kind);
void timer_cancel(struct timer_wheel *wheel, uint32_t record);
/* When the record's timer fires, ns; only for one that is set. */
uint64_t timer_when(const struct timer_wheel *wheel, const struct timer_link *link);
/* The next time something fires, ns; BERTH_NEVER (UINT64_MAX) if nothing is set. It may be too
 * early, never too late, in two cases: more than WHEEL_SCAN timers share the earliest slot of an
 * upper level, or that slot holds one that is more than 12 days ahead. Then it is the slot's
 * beginning, and timer_expired() called at that time puts things right. */
uint64_t timer_deadline(const struct timer_wheel *wheel);
/* The same, remembered until it changes: for wheels that are asked often. */
uint64_t timer_deadline_kept(struct timer_wheel *wheel);
/* Takes one record whose time has come at `now`, unset, and its kind; 0 when there is none left.
 * Handling one may set or cancel others in between. */
uint32_t timer_expired(struct timer_wheel *wheel, uint64_t now, uint8_t *kind);

#endif
