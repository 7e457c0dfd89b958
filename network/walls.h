/* What keeps hosts of a network apart: groups, and pairs that do not reach each other. */
#ifndef NETWORK_WALLS_H
#define NETWORK_WALLS_H

#include <berth/frame.h>
#include <stdbool.h>
#include <stdint.h>

struct berth_network;
struct network_port;

struct walls {
    uint64_t *pairs; /* the lower host's number above the other's */
    uint32_t count, size;
    uint32_t grouped; /* hosts that are in a group */
};

static inline bool walls_any(const struct walls *walls) {
    return walls->count > 0 || walls->grouped > 0;
}
/* True if a frame between these ports is between hosts that are kept apart: those at the ports, or,
 * behind routers, those whose addresses it bears. */
bool walls_between(const struct network_port *from, const struct network_port *to,
                   const struct berth_frame *frame);
/* A host is going. */
void walls_forget(struct berth_network *network, int host);
void walls_clear(struct berth_network *network);

#endif
