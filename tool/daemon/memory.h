/* Where a network's memory comes from: what is given back waits to be taken again.
 *
 * The network's records live for a request or a connection, and what one thread of the daemon takes
 * another one gives back, which is what malloc is slowest at (it was a twentieth of the daemon's
 * time). A network is one lock's business, and so is this: no lock of its own. */
#ifndef TOOL_DAEMON_MEMORY_H
#define TOOL_DAEMON_MEMORY_H

#include <berth/frame.h>

/* Sizes up to MEMORY_LARGEST are kept, in lists by size, up to MEMORY_KEPT octets in all. */
enum { MEMORY_STEP = 64, MEMORY_LARGEST = 4096, MEMORY_KEPT = 4 << 20 };

struct memory {
    struct memory_piece *lists[MEMORY_LARGEST / MEMORY_STEP];
    size_t kept; /* octets in the lists */
};

/* `memory` starts as zeroes, and stays where it is. */
struct berth_allocator memory_allocator(struct memory *memory);
/* When everything has been given back. */
void memory_clear(struct memory *memory);

#endif
