/* TCP's and UDP's events in one list. */
#include "engine/host/host.h"

static size_t udp_part(struct berth_host *host, struct berth_event *events, size_t max) {
    size_t count = udp_events(host->sockets.udp, events, max);
    for (size_t i = 0; i < count; i++)
        events[i].socket |= SOCKET_UDP;
    if (!host->sockets.echo)
        return count;
    size_t all = count + udp_events(host->sockets.echo->sockets, events + count, max - count);
    for (size_t i = count; i < all; i++)
        events[i].socket |= SOCKET_ECHO;
    return all;
}

size_t berth_host_events(struct berth_host *host, struct berth_event *events, size_t max) {
    size_t count = 0;
    if (host->udp_events_first)
        count = udp_part(host, events, max);
    count += tcp_events(host->sockets.tcp, events + count, max - count);
    if (!host->udp_events_first)
        count += udp_part(host, events + count, max - count);
    /* Neither keeps the other waiting when the caller's room is short. */
    host->udp_events_first = !host->udp_events_first;
    return count;
}
