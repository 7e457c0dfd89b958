/* The last LOG_RING_MAX octets of a stream. Positions count from the stream's start. */
#ifndef TOOL_DAEMON_LOG_RING_H
#define TOOL_DAEMON_LOG_RING_H

#include <stddef.h>
#include <stdint.h>

enum { LOG_RING_MAX = 1 << 20 };

struct log_ring {
    char *data;
    size_t capacity;     /* a power of two, or 0; grows up to LOG_RING_MAX */
    uint64_t begin, end; /* what is held */
};

/* Adds octets; the oldest go when there is no room. What there is no memory for takes the place of
 * older octets too. */
void log_ring_put(struct log_ring *ring, const char *data, size_t length);
/* Points *data at what is held from `at` on, in one piece; returns its length (there may be more
 * after it). begin <= at <= end. */
size_t log_ring_piece(const struct log_ring *ring, uint64_t at, const char **data);
/* Where the line that starts at `at` ends, its newline included; 0: not within what is held. */
uint64_t log_ring_line_end(const struct log_ring *ring, uint64_t at);
void log_ring_clear(struct log_ring *ring);

#endif
