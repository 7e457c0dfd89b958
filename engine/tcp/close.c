/* The end of a connection by the application: shutdown, close, abort (RFC
 * 9293 3.10.4, 3.10.5, 3.6.1). */
#include "engine/tcp/connection.h"

/* No more octets will be queued: a FIN follows what is. */
static void stop_sending(struct tcp *tcp, struct tcp_connection *c) {
    if (c->flags & TCP_F_SND_SHUT)
        return;
    c->flags |= TCP_F_SND_SHUT;
    if (c->state == BERTH_ESTABLISHED) /* in SYN-RECEIVED it waits for the opening (3.10.4) */
        c->state = BERTH_FIN_WAIT_1;
    else if (c->state == BERTH_CLOSE_WAIT)
        c->state = BERTH_LAST_ACK;
    else
        return;
    if (connection_activate(tcp, c)) {
        c->active->flags &= (uint16_t)~TCP_A_MORE;
        connection_owes(tcp, c);
        return;
    }
    /* No memory even to end well: tell the peer at least. */
    reply_abort(tcp, c);
    connection_abort(tcp, c, ENOMEM);
}

/* A listener ends: half-open records are forgotten, connections that nobody accepted are reset (RFC
 * 9293 3.10.4). */
static void stop_listening(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_listener *listener = c->extra->listener;
    struct berth_allocator *allocator = &tcp->config.allocator;
    uint32_t index;
    half_open_forget(tcp, c);
    while ((index = ring_pop(&listener->accept)) != 0) {
        struct tcp_connection *waiting = tcp_at(tcp, index);
        if (waiting->state != BERTH_TCP_CLOSED)
            reply_abort(tcp, waiting);
        connection_free(tcp, waiting);
    }
    ring_clear(&listener->accept);
    allocator->release(allocator->context, listener, sizeof *listener);
    c->extra->listener = NULL;
    ports_listen(tcp->ports, c->extra->bind, false);
    c->state = BERTH_TCP_CLOSED;
}

int tcp_shutdown(struct tcp *tcp, uint32_t socket, enum berth_how how, uint64_t now) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    tcp_clock(tcp, now);
    if (c->state == BERTH_LISTEN && how != BERTH_SHUT_WR) {
        stop_listening(tcp, c); /* as Linux: a listener whose reading is shut listens no more */
        connection_raise(tcp, c, BERTH_CLOSED);
        return 0;
    }
    if (c->state == BERTH_LISTEN)
        return 0;
    if (c->state == BERTH_SYN_SENT) { /* the attempt ends, as in Linux */
        connection_abort(tcp, c, ECONNRESET);
        return 0;
    }
    if (c->state == BERTH_TCP_CLOSED)
        return -ENOTCONN;
    if (how != BERTH_SHUT_WR)
        c->flags |= TCP_F_RCV_SHUT; /* what is there, or comes, may be read still: see receive.c */
    if (how != BERTH_SHUT_RD)
        stop_sending(tcp, c);
    if (c->state != BERTH_TCP_CLOSED) {
        /* Who waits hears of it, as on Linux. */
        connection_raise(tcp, c,
                         (how != BERTH_SHUT_WR ? (unsigned)BERTH_READABLE : 0u) |
                             (how != BERTH_SHUT_RD ? (unsigned)BERTH_WRITABLE : 0u));
        connection_settle(tcp, c);
    }
    return 0;
}

int tcp_abort(struct tcp *tcp, uint32_t socket, uint64_t now) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    tcp_clock(tcp, now);
    if (c->state == BERTH_LISTEN)
        stop_listening(tcp, c);
    else if (c->state != BERTH_TCP_CLOSED && c->state != BERTH_SYN_SENT)
        reply_abort(tcp, c);
    connection_free(tcp, c);
    return 0;
}

/* True if a close would lose octets that the peer believes delivered (SHLD-3), or was asked to be
 * hard (SO_LINGER with 0 s). */
static bool must_reset(struct tcp *tcp, const struct tcp_connection *c) {
    if (c->active && c->active->receive.length) {
        tcp->counters->tcp_abort_on_data++;
        return true;
    }
    return tcp_option(c, BERTH_SO_LINGER, -1) == 0;
}

/* RFC 9293 3.10.5, 9293-E14: in CLOSING and LAST-ACK the peer has been told that all is over, and
 * a hard close has nothing to add; unless octets are lost, or, as on Linux, our FIN was not sent
 * yet. Who aborts has his reasons, and is heard in any state. */
static bool is_over(const struct tcp_connection *c) {
    const struct tcp_active *a = c->active;
    if (c->state != BERTH_CLOSING && c->state != BERTH_LAST_ACK)
        return false;
    return !a || (a->receive.length == 0 && a->snd_max - c->snd_una > a->send.length);
}

int tcp_close(struct tcp *tcp, uint32_t socket, uint64_t now) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    tcp_clock(tcp, now);
    if (c->state == BERTH_LISTEN || c->state == BERTH_SYN_SENT || c->state == BERTH_TCP_CLOSED ||
        must_reset(tcp, c)) {
        if (!is_over(c))
            return tcp_abort(tcp, socket, now);
        connection_free(tcp, c);
        return 0;
    }
    c->flags |= TCP_F_ORPHAN;
    stop_sending(tcp, c);
    if (c->state == BERTH_FIN_WAIT_2)
        c->last_heard = tcp_ms(tcp); /* the wait for the peer's FIN is bounded from now on */
    if (c->state != 0)
        connection_settle(tcp, c);
    return 0;
}
