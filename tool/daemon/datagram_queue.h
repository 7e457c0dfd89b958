/* Notes about the datagrams that lie in a program's queue: a ring in their order. */
#ifndef TOOL_DAEMON_DATAGRAM_QUEUE_H
#define TOOL_DAEMON_DATAGRAM_QUEUE_H

#include "tool/daemon/conduit.h"

/* Makes room for one more. 0 or -ENOMEM. */
int datagram_queue_reserve(struct datagram_queue *queue);
/* Room must have been reserved. */
void datagram_queue_push(struct datagram_queue *queue, const struct datagram_note *note);
/* The oldest; NULL when empty. */
struct datagram_note *datagram_queue_first(struct datagram_queue *queue);
void datagram_queue_pop(struct datagram_queue *queue);
/* The program took datagrams by calls that are not notified: only `octets` are left in its queue.
 * Forgets the notes of those that are gone. */
void datagram_queue_sync(struct datagram_queue *queue, size_t octets);

#endif
