#include "tool/daemon/log_ring.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 4096 };

static void copy_in(struct log_ring *ring, const char *data, size_t length) {
    size_t at = (size_t)(ring->end & (ring->capacity - 1));
    size_t first = ring->capacity - at < length ? ring->capacity - at : length;
    memcpy(ring->data + at, data, first);
    memcpy(ring->data, data + first, length - first);
    ring->end += length;
}

static void ring_grow(struct log_ring *ring, size_t length) {
    size_t held = (size_t)(ring->end - ring->begin), capacity = ring->capacity;
    if (capacity == 0)
        capacity = FIRST_CAPACITY;
    while (capacity < LOG_RING_MAX && capacity < held + length)
        capacity *= 2;
    if (capacity == ring->capacity)
        return;
    struct log_ring larger = {malloc(capacity), capacity, ring->begin, ring->begin};
    if (larger.data == NULL)
        return;
    while (larger.end < ring->end) {
        const char *piece;
        size_t count = log_ring_piece(ring, larger.end, &piece);
        copy_in(&larger, piece, count);
    }
    free(ring->data);
    *ring = larger;
}

void log_ring_put(struct log_ring *ring, const char *data, size_t length) {
    ring_grow(ring, length);
    if (length > ring->capacity) {
        ring->end += length - ring->capacity;
        data += length - ring->capacity;
        length = ring->capacity;
    }
    if (length > 0)
        copy_in(ring, data, length);
    if (ring->end - ring->begin > ring->capacity)
        ring->begin = ring->end - ring->capacity;
}

size_t log_ring_piece(const struct log_ring *ring, uint64_t at, const char **data) {
    if (at == ring->end)
        return 0;
    size_t offset = (size_t)(at & (ring->capacity - 1)), length = (size_t)(ring->end - at);
    *data = ring->data + offset;
    return ring->capacity - offset < length ? ring->capacity - offset : length;
}

uint64_t log_ring_line_end(const struct log_ring *ring, uint64_t at) {
    while (at < ring->end) {
        const char *piece;
        size_t length = log_ring_piece(ring, at, &piece);
        const char *newline = memchr(piece, '\n', length);
        if (newline != NULL)
            return at + (uint64_t)(newline - piece) + 1;
        at += length;
    }
    return 0;
}

void log_ring_clear(struct log_ring *ring) {
    free(ring->data);
    *ring = (struct log_ring){.data = NULL};
}
