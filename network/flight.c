#include "network/flight.h"
#include "network/parcel.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct flight {
    struct link *link;
    const char *lost;
    struct berth_frame frame;
};

void flights_init(struct flights *flights, struct berth_allocator allocator) {
    *flights = (struct flights){.allocator = allocator};
}

static void release(struct flights *flights, struct flight *flight) {
    flights->allocator.release(flights->allocator.context, flight, sizeof *flight);
}

void flights_clear(struct flights *flights) {
    for (uint32_t i = 0; i < flights->count; i++) {
        berth_frame_clear(&flights->heap[i].flight->frame);
        release(flights, flights->heap[i].flight);
    }
    if (flights->heap)
        flights->allocator.release(flights->allocator.context, flights->heap,
                                   flights->size * sizeof *flights->heap);
    flights_init(flights, flights->allocator);
}

static bool earlier(const struct flight_slot *a, const struct flight_slot *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void rise(struct flight_slot *heap, uint32_t at, struct flight_slot slot) {
    while (at > 0 && earlier(&slot, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = slot;
}

static void sink(struct flight_slot *heap, uint32_t count, uint32_t at, struct flight_slot slot) {
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && earlier(&heap[child + 1], &heap[child]))
            child++;
        if (!earlier(&heap[child], &slot))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = slot;
}

static bool make_room(struct flights *flights) {
    if (flights->count < flights->size)
        return true;
    uint32_t size = flights->size ? 2 * flights->size : 64;
    struct berth_allocator *a = &flights->allocator;
    struct flight_slot *heap = a->allocate(a->context, size * sizeof *heap);
    if (!heap)
        return false;
    if (flights->heap) {
        memcpy(heap, flights->heap, flights->count * sizeof *heap);
        a->release(a->context, flights->heap, flights->size * sizeof *heap);
    }
    flights->heap = heap;
    flights->size = size;
    return true;
}

int flights_add(struct flights *flights, struct link *link, struct berth_frame *frame, uint64_t at,
                const char *lost) {
    if (!make_room(flights))
        return -ENOMEM;
    struct flight *flight = flights->allocator.allocate(flights->allocator.context, sizeof *flight);
    if (!flight)
        return -ENOMEM;
    flight->link = link;
    flight->lost = lost;
    parcel_move(&flight->frame, frame);
    rise(flights->heap, flights->count++, (struct flight_slot){at, flights->order++, flight});
    return 0;
}

uint64_t flights_deadline(const struct flights *flights) {
    return flights->count ? flights->heap[0].at : UINT64_MAX;
}

uint32_t flights_take(struct flights *flights, uint64_t now, struct berth_frame *frames,
                      uint32_t max, struct link **link, const char **lost) {
    uint32_t taken = 0;
    *link = NULL;
    *lost = NULL;
    while (taken < max && flights->count > 0 && flights->heap[0].at <= now) {
        struct flight *flight = flights->heap[0].flight;
        if (taken > 0 && (*lost || flight->lost || flight->link != *link))
            break;
        *link = flight->link;
        *lost = flight->lost;
        parcel_move(&frames[taken++], &flight->frame);
        release(flights, flight);
        flights->count--;
        sink(flights->heap, flights->count, 0, flights->heap[flights->count]);
    }
    return taken;
}

void flights_forget(struct flights *flights, const struct link *one, const struct link *other) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < flights->count; i++) {
        struct flight *flight = flights->heap[i].flight;
        if (flight->link == one || flight->link == other) {
            berth_frame_clear(&flight->frame);
            release(flights, flight);
        } else {
            flights->heap[kept++] = flights->heap[i];
        }
    }
    flights->count = kept;
    for (uint32_t i = kept / 2; i-- > 0;)
        sink(flights->heap, kept, i, flights->heap[i]);
}
