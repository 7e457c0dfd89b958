#include "tool/cli/timers.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

uint64_t timers_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A binary heap; places count from 1. */
static void put(struct timers *timers, size_t place, struct timer *timer) {
    timers->heap[place - 1] = timer;
    timer->place = place;
}

static void settle(struct timers *timers, struct timer *timer) {
    size_t place = timer->place;
    while (place > 1 && timers->heap[place / 2 - 1]->at > timer->at) {
        put(timers, place, timers->heap[place / 2 - 1]);
        place /= 2;
    }
    for (;;) {
        size_t child = 2 * place;
        if (child < timers->count && timers->heap[child]->at < timers->heap[child - 1]->at)
            child++;
        if (child > timers->count || timers->heap[child - 1]->at >= timer->at)
            break;
        put(timers, place, timers->heap[child - 1]);
        place = child;
    }
    put(timers, place, timer);
}

bool timer_set(struct timers *timers, struct timer *timer, uint64_t at,
               void (*due)(void *context, struct timer *timer)) {
    timer->at = at;
    timer->due = due;
    if (timer->place == 0) {
        if (timers->count == timers->size) {
            size_t size = 2 * timers->size + 16;
            struct timer **larger = realloc(timers->heap, size * sizeof(struct timer *));
            if (larger == NULL)
                return false;
            timers->heap = larger;
            timers->size = size;
        }
        put(timers, ++timers->count, timer);
    }
    settle(timers, timer);
    return true;
}

void timer_stop(struct timers *timers, struct timer *timer) {
    size_t place = timer->place;
    if (place == 0)
        return;
    timer->place = 0;
    struct timer *last = timers->heap[--timers->count];
    if (last == timer)
        return;
    put(timers, place, last);
    settle(timers, last);
}

int timers_run(struct timers *timers, void *context) {
    uint64_t now = timers_now();
    while (timers->count > 0 && timers->heap[0]->at <= now) {
        struct timer *first = timers->heap[0];
        timer_stop(timers, first);
        first->due(context, first);
    }
    if (timers->count == 0)
        return -1;
    now = timers_now();
    uint64_t wait = timers->heap[0]->at > now ? (timers->heap[0]->at - now) / 1000000 + 1 : 0;
    return wait < INT_MAX ? (int)wait : INT_MAX;
}

void timers_clear(struct timers *timers) {
    free(timers->heap);
    *timers = (struct timers){.heap = NULL};
}
