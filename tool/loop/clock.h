/* The one clock that the daemon reads. */
#ifndef TOOL_LOOP_CLOCK_H
#define TOOL_LOOP_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
static inline uint64_t clock_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

static inline struct timespec clock_span(uint64_t nanoseconds) {
    return (struct timespec){.tv_sec = (time_t)(nanoseconds / UINT64_C(1000000000)),
                             .tv_nsec = (long)(nanoseconds % UINT64_C(1000000000))};
}

#endif
