/* Datagrams to one port that the caller answers, or lets pass: a network's names live behind it. */
#ifndef ENGINE_SOCKET_DIVERT_H
#define ENGINE_SOCKET_DIVERT_H

#include <berth/host.h>
#include <stdbool.h>

enum { DIVERT_MAX = 64, DIVERT_LENGTH_MAX = 1500 };

struct divert_node;

struct divert {
    struct divert_node *head, *tail;
    uint32_t count;
    uint16_t port; /* 0: off */
};

/* Keeps a datagram for the caller; drops it when too many wait or memory is out. */
void divert_put(struct divert *divert, struct berth_allocator allocator,
                const struct berth_endpoint *source, const struct berth_endpoint *destination,
                const void *data, size_t length);
bool divert_take(struct divert *divert, struct berth_allocator allocator,
                 struct berth_diverted *datagram);
void divert_clear(struct divert *divert, struct berth_allocator allocator);

#endif
