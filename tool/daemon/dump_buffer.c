#include "tool/daemon/dump_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 256 << 10 };

struct dump_chunk {
    struct dump_chunk *next;
    size_t start, end;
    char data[CHUNK];
};

void dump_buffer_init(struct dump_buffer *buffer, size_t limit) {
    *buffer = (struct dump_buffer){.limit = limit};
    pthread_mutex_init(&buffer->mutex, NULL);
}

static void head_drop(struct dump_buffer *buffer) {
    struct dump_chunk *chunk = buffer->head;
    buffer->head = chunk->next;
    if (buffer->head == NULL)
        buffer->tail = NULL;
    free(chunk);
}

void dump_buffer_clear(struct dump_buffer *buffer) {
    while (buffer->head != NULL)
        head_drop(buffer);
    pthread_mutex_destroy(&buffer->mutex);
}

bool dump_buffer_has_room(struct dump_buffer *buffer, size_t length) {
    pthread_mutex_lock(&buffer->mutex);
    bool room = !buffer->broken && buffer->waiting + length <= buffer->limit;
    pthread_mutex_unlock(&buffer->mutex);
    return room;
}

static bool tail_add(struct dump_buffer *buffer) {
    struct dump_chunk *chunk = malloc(sizeof *chunk);
    if (chunk == NULL)
        return false;
    chunk->next = NULL;
    chunk->start = chunk->end = 0;
    if (buffer->tail != NULL)
        buffer->tail->next = chunk;
    else
        buffer->head = chunk;
    buffer->tail = chunk;
    return true;
}

bool dump_buffer_put(struct dump_buffer *buffer, const void *data, size_t length) {
    const char *from = data;
    pthread_mutex_lock(&buffer->mutex);
    bool first = buffer->waiting == 0;
    while (length > 0 && !buffer->broken) {
        if ((buffer->tail == NULL || buffer->tail->end == CHUNK) && !tail_add(buffer)) {
            buffer->broken = true; /* half a block: nothing can follow it */
            break;
        }
        struct dump_chunk *chunk = buffer->tail;
        size_t count = length < CHUNK - chunk->end ? length : CHUNK - chunk->end;
        memcpy(chunk->data + chunk->end, from, count);
        chunk->end += count;
        buffer->waiting += count;
        from += count;
        length -= count;
    }
    pthread_mutex_unlock(&buffer->mutex);
    return first;
}

/* The oldest octets that wait; they stay where they are until they are taken. */
static size_t oldest(struct dump_buffer *buffer, const char **data) {
    pthread_mutex_lock(&buffer->mutex);
    while (buffer->head != NULL && buffer->head->start == CHUNK)
        head_drop(buffer);
    size_t length = 0;
    if (buffer->head != NULL) {
        *data = buffer->head->data + buffer->head->start;
        length = buffer->head->end - buffer->head->start;
    }
    pthread_mutex_unlock(&buffer->mutex);
    return length;
}

static void take(struct dump_buffer *buffer, size_t length) {
    pthread_mutex_lock(&buffer->mutex);
    buffer->head->start += length;
    buffer->waiting -= length;
    pthread_mutex_unlock(&buffer->mutex);
}

int dump_buffer_flush(struct dump_buffer *buffer, int fd) {
    const char *data;
    size_t length;
    while ((length = oldest(buffer, &data)) > 0) {
        ssize_t written = write(fd, data, length);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0)
            take(buffer, (size_t)written);
    }
    return 0;
}
