/* Readiness: what changed (events), what holds (levels), and rows for looking. */
#include "engine/udp/internal.h"
#include <errno.h>

void udp_event(struct udp *udp, struct udp_socket *socket, unsigned bits) {
    socket->event_bits |= (uint8_t)bits;
    if (socket->in_events)
        return;
    socket->in_events = true;
    socket->event_next = 0;
    socket->event_previous = udp->events_tail;
    if (udp->events_tail)
        udp_at(udp, udp->events_tail)->event_next = socket->index;
    else
        udp->events_head = socket->index;
    udp->events_tail = socket->index;
}

void udp_event_remove(struct udp *udp, struct udp_socket *socket) {
    if (!socket->in_events)
        return;
    socket->in_events = false;
    socket->event_bits = 0;
    if (socket->event_previous)
        udp_at(udp, socket->event_previous)->event_next = socket->event_next;
    else
        udp->events_head = socket->event_next;
    if (socket->event_next)
        udp_at(udp, socket->event_next)->event_previous = socket->event_previous;
    else
        udp->events_tail = socket->event_previous;
}

static uint64_t socket_name(const struct udp_socket *socket) {
    return (uint64_t)socket->generation << 32 | socket->index;
}

size_t udp_events(struct udp *udp, struct berth_event *events, size_t max) {
    size_t count = 0;
    while (count < max && udp->events_head) {
        struct udp_socket *socket = udp_at(udp, udp->events_head);
        events[count].socket = socket_name(socket);
        events[count].user = socket->user;
        events[count].bits = socket->event_bits;
        udp_event_remove(udp, socket);
        count++;
    }
    return count;
}

int udp_readiness(const struct udp *udp, uint32_t socket) {
    const struct udp_socket *at = udp_at(udp, socket);
    unsigned bits = 0;
    if (at->count > 0 || at->shut_read)
        bits |= BERTH_READABLE;
    if (at->sending < at->send_buffer)
        bits |= BERTH_WRITABLE;
    if (at->error)
        bits |= BERTH_ERROR;
    if (at->shut_read)
        bits |= BERTH_PEER_CLOSED;
    if (at->shut_read && at->shut_write)
        bits |= BERTH_CLOSED;
    return (int)bits;
}

static void row_fill(const struct udp_socket *socket, struct berth_socket_row *row) {
    *row = (struct berth_socket_row){
        .socket = socket_name(socket),
        .user = socket->user,
        .protocol = BERTH_UDP,
        .family = socket->family,
        .state = socket->connected ? BERTH_ESTABLISHED : BERTH_TCP_CLOSED,
        .local = socket->local,
        .receive_queue = socket->queued,
        .send_queue = socket->sending,
    };
    if (socket->connected)
        row->remote = socket->way.remote;
    else
        row->remote.ip = berth_ip_is_v4(&socket->local.ip) ? berth_ip_v4(0) : row->remote.ip;
}

size_t udp_rows(const struct udp *udp, uint64_t *cursor, struct berth_socket_row *rows,
                size_t max) {
    size_t count = 0;
    uint64_t index = *cursor ? *cursor : 1;
    for (; index < udp->sockets.high && count < max; index++) {
        const struct udp_socket *socket = udp_at(udp, (uint32_t)index);
        /* One that has no port yet is no row of the table, as in Linux. */
        if (socket->open && socket->bind)
            row_fill(socket, &rows[count++]);
    }
    *cursor = index;
    return count;
}
