/* Readiness: edges noted on the connection, reported once (<berth/host.h>); and the output ring. */
#include "engine/tcp/connection.h"

/* Memory for a ring is out: time brings it back to what a busy connection has to say. An idle one
 * says nothing but ACKs, which the peer asks for again. */
static void retry_soon(struct tcp *tcp, struct tcp_connection *c) {
    if (!c->active)
        return;
    c->active->retry_at = tcp->now + 100 * BERTH_MS;
    connection_wake(tcp, c);
}

void connection_raise(struct tcp *tcp, struct tcp_connection *c, unsigned bits) {
    if (c->flags & TCP_F_ORPHAN)
        return;
    c->events |= (uint8_t)bits;
    if (c->flags & TCP_F_EVENT)
        return;
    if (ring_push(&tcp->events, c->self))
        c->flags |= TCP_F_EVENT;
    else
        retry_soon(tcp, c);
}

void connection_owes(struct tcp *tcp, struct tcp_connection *c) {
    if (c->flags & TCP_F_OUTPUT)
        return;
    if (ring_push(&tcp->output, c->self))
        c->flags |= TCP_F_OUTPUT;
    else
        retry_soon(tcp, c);
}

size_t tcp_events(struct tcp *tcp, struct berth_event *events, size_t max) {
    size_t count = 0;
    uint32_t index;
    while (count < max && (index = ring_pop(&tcp->events)) != 0) {
        struct tcp_connection *c = tcp_at(tcp, index);
        if (!(c->flags & TCP_F_EVENT))
            continue; /* freed meanwhile */
        c->flags &= (uint16_t)~TCP_F_EVENT;
        events[count].socket = (uint64_t)c->generation << 32 | index;
        events[count].user = c->user;
        events[count].bits = c->events;
        c->events = 0;
        count++;
    }
    return count;
}

int tcp_readiness(const struct tcp *tcp, uint32_t socket) {
    const struct tcp_connection *c = tcp_at(tcp, socket);
    const struct tcp_active *a = c->active;
    unsigned bits = 0;
    if (c->state == BERTH_LISTEN)
        return c->extra->listener->accept.count ? BERTH_ACCEPTABLE : 0;
    if ((a && a->receive.length) || (c->flags & (TCP_F_FIN_READ | TCP_F_RCV_SHUT)))
        bits |= BERTH_READABLE;
    if (c->flags & TCP_F_FIN_READ)
        bits |= BERTH_PEER_CLOSED;
    if (tcp_error(c))
        bits |= BERTH_ERROR | BERTH_READABLE | BERTH_WRITABLE;
    bool open = c->state == BERTH_ESTABLISHED || c->state == BERTH_CLOSE_WAIT;
    /* As on Linux: who has shut down sending need not wait to hear EPIPE. */
    if ((open && transfer_room(tcp, c) > 0) || (c->flags & TCP_F_SND_SHUT))
        bits |= BERTH_WRITABLE;
    if (c->state == BERTH_TCP_CLOSED ||
        ((c->flags & TCP_F_FIN_READ) && (c->flags & TCP_F_SND_SHUT)))
        bits |= BERTH_CLOSED;
    return (int)bits;
}
