/* An allocator for tests: counts what is out, checks sizes, spoils what is not initialized or no
 * longer owned, and fails when told to. */
#ifndef TEST_COUNTING_ALLOCATOR_H
#define TEST_COUNTING_ALLOCATOR_H

#include <berth/frame.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct counting {
    size_t blocks, octets; /* held now */
    size_t calls;          /* of allocate so far, those that failed too */
    size_t fail_at;        /* the call that fails, counted from 1; 0: none */
    size_t fail_from;      /* it and all after it fail; 0: none */
};

enum { COUNTING_HEAD = 16, COUNTING_NEW = 0xa5, COUNTING_OLD = 0x5a };

static void *counting_allocate(void *context, size_t size) {
    struct counting *counting = context;
    counting->calls++;
    if (counting->calls == counting->fail_at ||
        (counting->fail_from && counting->calls >= counting->fail_from))
        return NULL;
    uint8_t *start = malloc(COUNTING_HEAD + size);
    if (!start)
        abort();
    memcpy(start, &size, sizeof size);
    memset(start + COUNTING_HEAD, COUNTING_NEW, size);
    counting->blocks++;
    counting->octets += size;
    return start + COUNTING_HEAD;
}

static void counting_release(void *context, void *memory, size_t size) {
    struct counting *counting = context;
    uint8_t *start = (uint8_t *)memory - COUNTING_HEAD;
    if (memcmp(start, &size, sizeof size) != 0)
        abort();
    counting->blocks--;
    counting->octets -= size;
    memset(memory, COUNTING_OLD, size);
    free(start);
}

/* Counts from nothing; no call fails. */
static inline struct berth_allocator counting_allocator(struct counting *counting) {
    *counting = (struct counting){0};
    return (struct berth_allocator){counting_allocate, counting_release, counting};
}

/* After `allowed` more calls all fail, until counting_recover(). */
static inline void counting_fail_after(struct counting *counting, size_t allowed) {
    counting->fail_from = counting->calls + allowed + 1;
}

/* The `nth` call from now on (1: the next) fails, and only it or all after it too. */
static inline void counting_fail_nth(struct counting *counting, size_t nth, bool only_it) {
    *(only_it ? &counting->fail_at : &counting->fail_from) = counting->calls + nth;
}

static inline void counting_recover(struct counting *counting) {
    counting->fail_at = counting->fail_from = 0;
}

#endif
