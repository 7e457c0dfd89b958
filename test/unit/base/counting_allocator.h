/* An allocator for tests: counts what is out, checks sizes, and fails when told to. */
#ifndef TEST_COUNTING_ALLOCATOR_H
#define TEST_COUNTING_ALLOCATOR_H

#include <berth/frame.h>
#include <stdint.h>
#include <stdlib.h>

struct counting {
    size_t blocks, octets; /* held now */
    size_t calls;          /* of allocate, in all */
    size_t fail_after;     /* successful calls left; SIZE_MAX: no end */
};

static void *counting_allocate(void *context, size_t size) {
    struct counting *counting = context;
    if (counting->fail_after == 0)
        return NULL;
    if (counting->fail_after != SIZE_MAX)
        counting->fail_after--;
    size_t *memory = malloc(size + 16);
    if (!memory)
        abort();
    memory[0] = size;
    counting->blocks++;
    counting->calls++;
    counting->octets += size;
    return memory + 2;
}

static void counting_release(void *context, void *memory, size_t size) {
    struct counting *counting = context;
    size_t *start = (size_t *)memory - 2;
    if (start[0] != size)
        abort();
    counting->blocks--;
    counting->octets -= size;
    free(start);
}

static inline struct berth_allocator counting_allocator(struct counting *counting) {
    *counting = (struct counting){0, 0, 0, SIZE_MAX};
    struct berth_allocator allocator = {counting_allocate, counting_release, counting};
    return allocator;
}

#endif
