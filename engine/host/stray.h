/* What comes to a gateway and no socket is there for: kept until the caller has found out what
 * becomes of it. */
#ifndef ENGINE_HOST_STRAY_H
#define ENGINE_HOST_STRAY_H

#include "engine/ip/ip.h"

enum { STRAYS_MAX = 4096 };

struct stray_node;

struct strays {
    struct stray_node *head, *tail;
    uint32_t count;
    bool on;
    bool admitting; /* what is handed in now is for the host itself */
};

/* Keeps a copy of a packet for the caller; data: its first octet that is not a header. False when
 * this host is no gateway. Dropped when too many wait or memory is out. */
bool stray_put(struct strays *strays, struct berth_allocator allocator,
               const struct ip_packet *packet, uint16_t source_port, uint16_t destination_port,
               uint32_t data);
void strays_clear(struct strays *strays, struct berth_allocator allocator);

#endif
