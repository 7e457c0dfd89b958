#include "network/deadline.h"
#include <errno.h>
#include <string.h>

void deadlines_init(struct deadlines *deadlines, struct berth_allocator allocator) {
    *deadlines = (struct deadlines){.allocator = allocator};
}

void deadlines_clear(struct deadlines *deadlines) {
    if (deadlines->heap)
        deadlines->allocator.release(deadlines->allocator.context, deadlines->heap,
                                     deadlines->size * sizeof(struct deadline *));
    deadlines_init(deadlines, deadlines->allocator);
}

int deadlines_reserve(struct deadlines *deadlines, uint32_t records) {
    if (records <= deadlines->size)
        return 0;
    uint32_t size = deadlines->size ? deadlines->size : 16;
    while (size < records)
        size *= 2;
    struct berth_allocator *a = &deadlines->allocator;
    struct deadline **heap = a->allocate(a->context, size * sizeof(struct deadline *));
    if (!heap)
        return -ENOMEM;
    if (deadlines->heap) {
        memcpy(heap, deadlines->heap, deadlines->count * sizeof(struct deadline *));
        a->release(a->context, deadlines->heap, deadlines->size * sizeof(struct deadline *));
    }
    deadlines->heap = heap;
    deadlines->size = size;
    return 0;
}

static void put(struct deadlines *deadlines, uint32_t place, struct deadline *deadline) {
    deadlines->heap[place] = deadline;
    deadline->place = place;
}

static void rise(struct deadlines *deadlines, struct deadline *deadline) {
    uint32_t place = deadline->place;
    while (place > 0 && deadline->at < deadlines->heap[(place - 1) / 2]->at) {
        put(deadlines, place, deadlines->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(deadlines, place, deadline);
}

static void sink(struct deadlines *deadlines, struct deadline *deadline) {
    uint32_t place = deadline->place;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= deadlines->count)
            break;
        if (child + 1 < deadlines->count &&
            deadlines->heap[child + 1]->at < deadlines->heap[child]->at)
            child++;
        if (deadlines->heap[child]->at >= deadline->at)
            break;
        put(deadlines, place, deadlines->heap[child]);
        place = child;
    }
    put(deadlines, place, deadline);
}

static void take_out(struct deadlines *deadlines, struct deadline *deadline) {
    struct deadline *last = deadlines->heap[--deadlines->count];
    if (last == deadline)
        return;
    put(deadlines, deadline->place, last);
    rise(deadlines, last);
    sink(deadlines, last);
}

void deadlines_change(struct deadlines *deadlines, struct deadline *deadline, uint64_t at) {
    if (at == deadline->at)
        return;
    if (deadline->at == UINT64_MAX)
        put(deadlines, deadlines->count++, deadline);
    deadline->at = at;
    if (at == UINT64_MAX) {
        take_out(deadlines, deadline);
        return;
    }
    rise(deadlines, deadline);
    sink(deadlines, deadline);
}
