/* Moments that somebody waits for, the earliest first. */
#ifndef TOOL_CLI_TIMERS_H
#define TOOL_CLI_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Part of what waits; zeroes: it does not. */
struct timer {
    uint64_t at;  /* CLOCK_MONOTONIC, ns */
    size_t place; /* in the heap, from 1; 0: not waiting */
    void (*due)(void *context, struct timer *timer);
};

struct timers {
    struct timer **heap;
    size_t count, size;
};

/* False when memory is out. */
bool timer_set(struct timers *timers, struct timer *timer, uint64_t at,
               void (*due)(void *context, struct timer *timer));
void timer_stop(struct timers *timers, struct timer *timer);
/* Lets those be due whose time has come. How many milliseconds until the next, -1: none waits. */
int timers_run(struct timers *timers, void *context);
void timers_clear(struct timers *timers);

/* CLOCK_MONOTONIC, ns. */
uint64_t timers_now(void);

#endif
