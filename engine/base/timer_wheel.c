/* Theory of operation.
 *
 * A tick is a number of 30 bits and more; each level of the wheel stands for 6 of those bits. A
 * timer sits at the level of the highest 6 bits in which its tick differs from now_tick, in the
 * slot that those bits of its tick name. So
 *
 *   - all timers at level L are due before all timers at level L + 1;
 *   - at a level, slots are due in the order of their numbers, and none before the current one is
 * in use (the top level goes round: there the order starts after the current slot; what lies more
 * than one turn ahead waits in the slot that comes last and is looked at again when its time
 * comes);
 *   - all timers of a slot at level 0 have the same tick.
 *
 * The earliest timer is thus found by one bit scan per level, and a walk through its slot; what was
 * found is remembered until that timer goes or that time comes, for it is asked for at each turn.
 * When time reaches a slot above level 0, its timers are put in anew: each moves down at least one
 * level (at the top level, or stays), so each timer moves at most WHEEL_LEVELS times. */
#include "engine/base/timer_wheel.h"

#include <stddef.h>
#include <string.h>

enum { SLOT_BITS = 6, TOP = WHEEL_LEVELS - 1, TOP_BITS = TOP * SLOT_BITS, NOT_SET = 0xff };
#define TICK_NS UINT64_C(1000000)
#define TICK_FAR (UINT64_C(1) << 39) /* no timer is set further ahead: 17 years */

void timer_wheel_init(struct timer_wheel *wheel,
                      struct timer_link *(*link)(void *context, uint32_t record), void *context,
                      uint64_t now) {
    memset(wheel, 0, sizeof *wheel);
    wheel->link = link;
    wheel->context = context;
    wheel->now_tick = now / TICK_NS;
}

/* The tick of a set timer: the only one at or after now_tick with these low 40 bits. */
static uint64_t link_tick(const struct timer_wheel *wheel, const struct timer_link *link) {
    uint64_t low = (uint64_t)link->tick_high << 32 | link->tick;
    uint64_t ahead = (low - wheel->now_tick) & ((UINT64_C(1) << 40) - 1);
    return wheel->now_tick + ahead;
}

static unsigned slot_at(uint64_t tick, unsigned level) {
    return (unsigned)(tick >> (level * SLOT_BITS)) & (WHEEL_SLOTS - 1);
}

static void wheel_insert(struct timer_wheel *wheel, uint32_t record, struct timer_link *link,
                         uint64_t tick) {
    uint64_t differ = tick ^ wheel->now_tick;
    unsigned level = differ ? (unsigned)(63 - __builtin_clzll(differ)) / SLOT_BITS : 0;
    if (level > TOP)
        level = TOP;
    unsigned slot = slot_at(tick, level);
    uint64_t turns = (tick >> TOP_BITS) - (wheel->now_tick >> TOP_BITS);
    if (turns >= WHEEL_SLOTS)
        slot = (slot_at(wheel->now_tick, TOP) + WHEEL_SLOTS - 1) & (WHEEL_SLOTS - 1);
    link->tick = (uint32_t)tick;
    link->tick_high = (uint8_t)(tick >> 32);
    link->level = (uint8_t)level;
    link->slot = (uint8_t)slot;
    link->previous = 0;
    link->next = wheel->heads[level][slot];
    if (link->next)
        wheel->link(wheel->context, link->next)->previous = record;
    wheel->heads[level][slot] = record;
    wheel->occupied[level] |= UINT64_C(1) << slot;
    if (tick < wheel->earliest)
        wheel->earliest = tick;
}

static void wheel_remove(struct timer_wheel *wheel, struct timer_link *link) {
    if (link_tick(wheel, link) == wheel->earliest)
        wheel->earliest = 0;
    if (link->previous)
        wheel->link(wheel->context, link->previous)->next = link->next;
    else
        wheel->heads[link->level][link->slot] = link->next;
    if (link->next)
        wheel->link(wheel->context, link->next)->previous = link->previous;
    if (wheel->heads[link->level][link->slot] == 0)
        wheel->occupied[link->level] &= ~(UINT64_C(1) << link->slot);
    link->level = NOT_SET;
}

void timer_set(struct timer_wheel *wheel, uint32_t record, uint64_t when, uint8_t kind) {
    struct timer_link *link = wheel->link(wheel->context, record);
    uint64_t tick = when / TICK_NS + (when % TICK_NS != 0);
    if (tick <= wheel->now_tick)
        tick = wheel->now_tick + 1;
    else if (tick - wheel->now_tick > TICK_FAR)
        tick = wheel->now_tick + TICK_FAR;
    link->kind = kind;
    if (timer_is_set(link)) {
        if (link_tick(wheel, link) == tick)
            return;
        wheel_remove(wheel, link);
    } else if (wheel->count++ == 0) {
        wheel->earliest = 0; /* it may be a slot's, whose timers were cancelled */
    }
    wheel_insert(wheel, record, link, tick);
}

void timer_cancel(struct timer_wheel *wheel, uint32_t record) {
    struct timer_link *link = wheel->link(wheel->context, record);
    if (!timer_is_set(link))
        return;
    wheel_remove(wheel, link);
    wheel->count--;
}

uint64_t timer_when(const struct timer_wheel *wheel, const struct timer_link *link) {
    return link_tick(wheel, link) * TICK_NS;
}

/* The slot that is due first, and the tick at which it begins; the wheel is not empty. */
static uint64_t earliest_slot(const struct timer_wheel *wheel, unsigned *level, unsigned *slot) {
    unsigned l = 0;
    while (wheel->occupied[l] == 0)
        l++;
    unsigned shift = l * SLOT_BITS, current = slot_at(wheel->now_tick, l);
    /* Seen from the current slot. Only at the top level can bits wrap round. */
    uint64_t bits = wheel->occupied[l];
    uint64_t turned = current ? bits >> current | bits << (WHEEL_SLOTS - current) : bits;
    unsigned ahead = (unsigned)__builtin_ctzll(turned);
    *level = l;
    *slot = (current + ahead) & (WHEEL_SLOTS - 1);
    return ((wheel->now_tick >> shift) + ahead) << shift;
}

/* The tick of the earliest timer, or an earlier one at which to look again. */
static uint64_t earliest_tick(const struct timer_wheel *wheel) {
    unsigned level, slot;
    uint64_t start = earliest_slot(wheel, &level, &slot), earliest = UINT64_MAX;
    if (level == 0)
        return start;
    uint32_t record = wheel->heads[level][slot];
    for (unsigned seen = 0; record; seen++) {
        if (seen == WHEEL_SCAN)
            return start;
        const struct timer_link *link = wheel->link(wheel->context, record);
        uint64_t tick = link_tick(wheel, link);
        if ((tick - start) >> TOP_BITS)
            return start; /* more than a turn ahead: others may come before it */
        earliest = tick < earliest ? tick : earliest;
        record = link->next;
    }
    return earliest;
}

uint64_t timer_deadline(const struct timer_wheel *wheel) {
    if (wheel->count == 0)
        return UINT64_MAX;
    return (wheel->earliest ? wheel->earliest : earliest_tick(wheel)) * TICK_NS;
}

uint64_t timer_deadline_kept(struct timer_wheel *wheel) {
    if (wheel->count > 0 && wheel->earliest == 0)
        wheel->earliest = earliest_tick(wheel);
    return timer_deadline(wheel);
}

/* Puts the timers of a slot whose time has come in anew, relative to now_tick. */
static void wheel_cascade(struct timer_wheel *wheel, unsigned level, unsigned slot) {
    uint32_t record = wheel->heads[level][slot];
    wheel->heads[level][slot] = 0;
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    while (record) {
        struct timer_link *link = wheel->link(wheel->context, record);
        uint32_t next = link->next;
        wheel_insert(wheel, record, link, link_tick(wheel, link));
        record = next;
    }
}

uint32_t timer_expired(struct timer_wheel *wheel, uint64_t now, uint8_t *kind) {
    uint64_t target = now / TICK_NS;
    if (wheel->earliest <= target)
        wheel->earliest = 0;
    while (wheel->count) {
        unsigned level, slot;
        uint64_t start = earliest_slot(wheel, &level, &slot);
        if (start > target)
            break;
        wheel->now_tick = start;
        if (level > 0) {
            wheel_cascade(wheel, level, slot);
            continue;
        }
        uint32_t record = wheel->heads[0][slot];
        struct timer_link *link = wheel->link(wheel->context, record);
        wheel_remove(wheel, link);
        wheel->count--;
        *kind = link->kind;
        return record;
    }
    if (target > wheel->now_tick)
        wheel->now_tick = target;
    return 0;
}
