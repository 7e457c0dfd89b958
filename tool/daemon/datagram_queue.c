#include "tool/daemon/datagram_queue.h"

#include <errno.h>
#include <stdlib.h>

/* Where the note is that `after` others stand before. */
static unsigned place(const struct datagram_queue *queue, unsigned after) {
    unsigned at = queue->first + after;
    return at < queue->capacity ? at : at - queue->capacity;
}

int datagram_queue_reserve(struct datagram_queue *queue) {
    if (queue->count < queue->capacity)
        return 0;
    unsigned capacity = queue->capacity ? queue->capacity * 2 : 8;
    struct datagram_note *notes = calloc(capacity, sizeof *notes);
    if (!notes)
        return -ENOMEM;
    for (unsigned i = 0; i < queue->count; i++)
        notes[i] = queue->notes[place(queue, i)];
    free(queue->notes);
    queue->notes = notes;
    queue->first = 0;
    queue->capacity = capacity;
    return 0;
}

void datagram_queue_push(struct datagram_queue *queue, const struct datagram_note *note) {
    queue->notes[place(queue, queue->count)] = *note;
    queue->count++;
    queue->wakes += note->is_wake;
    queue->octets += note->meta.length;
}

struct datagram_note *datagram_queue_first(struct datagram_queue *queue) {
    return queue->count ? &queue->notes[queue->first] : NULL;
}

void datagram_queue_pop(struct datagram_queue *queue) {
    queue->octets -= queue->notes[queue->first].meta.length;
    queue->wakes -= queue->notes[queue->first].is_wake;
    queue->first = place(queue, 1);
    queue->count--;
}

void datagram_queue_sync(struct datagram_queue *queue, size_t octets) {
    while (queue->count && queue->octets > octets)
        datagram_queue_pop(queue);
}
