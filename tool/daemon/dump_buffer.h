/* Octets that wait for a pipe: chunks of memory, as many as are needed and no more than allowed.
 * One thread puts, another flushes. */
#ifndef TOOL_DAEMON_DUMP_BUFFER_H
#define TOOL_DAEMON_DUMP_BUFFER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct dump_chunk;

struct dump_buffer {
    pthread_mutex_t mutex;
    struct dump_chunk *head, *tail;
    size_t waiting, limit; /* octets */
    bool broken;           /* memory was out: the stream ends there */
};

void dump_buffer_init(struct dump_buffer *buffer, size_t limit);
void dump_buffer_clear(struct dump_buffer *buffer);
/* True if `length` octets more are within the limit, and there is memory for them. */
bool dump_buffer_has_room(struct dump_buffer *buffer, size_t length);
/* Adds octets, past the limit if need be. True if none waited before. */
bool dump_buffer_put(struct dump_buffer *buffer, const void *data, size_t length);
/* Writes what the descriptor takes without waiting. 0 when all is written, -EAGAIN, or a negative
 * errno. */
int dump_buffer_flush(struct dump_buffer *buffer, int fd);

#endif
