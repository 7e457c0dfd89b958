/* Reports of errors that wait for their sockets (Linux's sk_error_queue). Few sockets ever have
 * one, so they hang off the host, by handle, and cost a socket's record nothing. */
#ifndef ENGINE_SOCKET_REPORTS_H
#define ENGINE_SOCKET_REPORTS_H

#include <berth/frame.h>
#include <berth/socket.h>

struct report {
    struct report *next;
    struct berth_error_report what;
    uint8_t quote[]; /* what.length octets */
};

struct report_queue;

struct reports {
    struct report_queue **buckets; /* NULL before the first report */
    uint32_t queues;
};

/* A new last report of that socket with room for what->length octets, which the caller fills in;
 * NULL: memory is out, or its reports would be more than `limit` octets. */
struct report *reports_add(struct reports *reports, struct berth_allocator allocator,
                           berth_handle socket, const struct berth_error_report *what,
                           uint32_t limit);
/* The oldest of that socket; NULL: none. */
const struct report *reports_first(const struct reports *reports, berth_handle socket);
/* Takes out the oldest, which is there. */
void reports_drop(struct reports *reports, struct berth_allocator allocator, berth_handle socket);
/* The socket is gone. */
void reports_forget(struct reports *reports, struct berth_allocator allocator, berth_handle socket);
void reports_clear(struct reports *reports, struct berth_allocator allocator);

#endif
