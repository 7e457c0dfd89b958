#include "engine/socket/reports.h"
#include <string.h>

enum { BUCKETS = 256, BUCKETS_SIZE = BUCKETS * sizeof(struct report_queue *) };

struct report_queue {
    struct report_queue *next; /* of the bucket */
    berth_handle socket;
    struct report *first, *last;
    uint32_t charged;
};

static uint32_t report_size(const struct report *report) {
    return (uint32_t)(sizeof *report + report->what.length);
}

/* Where the pointer to that socket's queue is, or would be. */
static struct report_queue **place_of(const struct reports *reports, berth_handle socket) {
    struct report_queue **at = &reports->buckets[(socket ^ socket >> 32) % BUCKETS];
    while (*at && (*at)->socket != socket)
        at = &(*at)->next;
    return at;
}

static bool buckets_make(struct reports *reports, struct berth_allocator allocator) {
    if (reports->buckets)
        return true;
    reports->buckets = allocator.allocate(allocator.context, BUCKETS_SIZE);
    if (reports->buckets)
        memset(reports->buckets, 0, BUCKETS_SIZE);
    return reports->buckets != NULL;
}

static struct report_queue *queue_of(struct reports *reports, struct berth_allocator allocator,
                                     berth_handle socket) {
    if (!buckets_make(reports, allocator))
        return NULL;
    struct report_queue **at = place_of(reports, socket), *queue = *at;
    if (queue)
        return queue;
    struct report_queue *made = allocator.allocate(allocator.context, sizeof *made);
    if (!made)
        return NULL;
    *made = (struct report_queue){.socket = socket};
    *at = made;
    reports->queues++;
    return made;
}

/* Takes the queue at *at, which is empty, out. */
static void queue_remove(struct reports *reports, struct berth_allocator allocator,
                         struct report_queue **at) {
    struct report_queue *queue = *at;
    *at = queue->next;
    reports->queues--;
    allocator.release(allocator.context, queue, sizeof *queue);
}

struct report *reports_add(struct reports *reports, struct berth_allocator allocator,
                           berth_handle socket, const struct berth_error_report *what,
                           uint32_t limit) {
    uint32_t size = (uint32_t)(sizeof(struct report) + what->length);
    struct report_queue *queue = queue_of(reports, allocator, socket);
    if (!queue)
        return NULL;
    struct report *report = NULL;
    if (size <= limit && queue->charged <= limit - size)
        report = allocator.allocate(allocator.context, size);
    if (!report) {
        if (!queue->first)
            queue_remove(reports, allocator, place_of(reports, socket));
        return NULL;
    }
    report->next = NULL;
    report->what = *what;
    if (queue->last)
        queue->last->next = report;
    else
        queue->first = report;
    queue->last = report;
    queue->charged += size;
    return report;
}

const struct report *reports_first(const struct reports *reports, berth_handle socket) {
    if (reports->queues == 0)
        return NULL;
    const struct report_queue *queue = *place_of(reports, socket);
    return queue ? queue->first : NULL;
}

void reports_drop(struct reports *reports, struct berth_allocator allocator, berth_handle socket) {
    struct report_queue **at = place_of(reports, socket);
    struct report_queue *queue = *at;
    if (!queue)
        return;
    struct report *report = queue->first;
    queue->first = report->next;
    queue->charged -= report_size(report);
    allocator.release(allocator.context, report, report_size(report));
    if (!queue->first)
        queue_remove(reports, allocator, at);
}

void reports_forget(struct reports *reports, struct berth_allocator allocator,
                    berth_handle socket) {
    while (reports_first(reports, socket))
        reports_drop(reports, allocator, socket);
}

void reports_clear(struct reports *reports, struct berth_allocator allocator) {
    if (!reports->buckets)
        return;
    for (unsigned i = 0; i < BUCKETS; i++)
        while (reports->buckets[i])
            reports_forget(reports, allocator, reports->buckets[i]->socket);
    allocator.release(allocator.context, reports->buckets, BUCKETS_SIZE);
    reports->buckets = NULL;
}
