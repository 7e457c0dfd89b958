/* Octets between the application and the streams: send, receive, and the pairs that do not copy. */
#include "engine/tcp/connection.h"

/* ---- sending ---- */

static int take_error(struct tcp_connection *c) {
    int error = tcp_error(c);
    c->timer.kind = 0;
    return error;
}

/* TCP_NOTSENT_LOWAT: so many octets unsent and no more; 0: it was not set. */
static uint32_t unsent_limit(const struct tcp_connection *c) {
    return (uint32_t)tcp_option(c, BERTH_TCP_NOTSENT_LOWAT, 0);
}

uint32_t transfer_room(const struct tcp *tcp, const struct tcp_connection *c) {
    uint32_t limit = tuning_send_limit(tcp, c), held = c->active ? c->active->send.length : 0;
    uint32_t room = limit > held ? limit - held : 0, unsent = connection_unsent(c);
    uint32_t low = unsent_limit(c);
    if (low && unsent + room > low)
        room = low > unsent ? low - unsent : 0;
    return room;
}

void transfer_tell_of_room(struct tcp *tcp, struct tcp_connection *c) {
    uint32_t limit = tuning_send_limit(tcp, c), low = unsent_limit(c);
    if (!(c->flags & TCP_F_WAS_FULL) || c->active->send.length > limit - limit / 3 ||
        (low && connection_unsent(c) >= low - low / 2)) /* half of it, as Linux */
        return;
    c->flags &= (uint16_t)~TCP_F_WAS_FULL;
    connection_raise(tcp, c, BERTH_WRITABLE);
}

/* Room in the send buffer, or why nothing can be sent. */
static ssize_t may_send(struct tcp *tcp, struct tcp_connection *c) {
    if (tcp_error(c))
        return -take_error(c);
    if (c->flags & TCP_F_SND_SHUT)
        return -EPIPE;
    if (c->state == BERTH_SYN_SENT || c->state == BERTH_SYN_RECEIVED)
        return -EAGAIN;
    if (c->state != BERTH_ESTABLISHED && c->state != BERTH_CLOSE_WAIT)
        return -EPIPE; /* as Linux: never connected, or no more */
    return transfer_room(tcp, c);
}

ssize_t tcp_send_space(struct tcp *tcp, uint32_t socket) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    ssize_t space = may_send(tcp, c);
    if (space == 0)
        c->flags |= TCP_F_WAS_FULL;
    return space;
}

/* `length` octets have been appended: what they mean for PSH, Nagle and the urgent pointer. */
static void appended(struct tcp *tcp, struct tcp_connection *c, unsigned flags) {
    struct tcp_active *a = c->active;
    uint32_t end = c->snd_una + a->send.length;
    if (flags & BERTH_MSG_MORE) {
        a->more_seq = end;
        a->flags |= TCP_A_MORE;
    } else {
        a->push_seq = end; /* RFC 9293 MUST-61 */
        a->flags &= (uint16_t)~TCP_A_MORE;
    }
    if (flags & BERTH_MSG_OOB) {
        a->urgent_seq = end;
        a->flags |= TCP_A_SND_URGENT;
    }
    connection_owes(tcp, c);
}

/* False: no memory. */
static bool ready_to_send(struct tcp *tcp, struct tcp_connection *c) {
    bool idle = tcp_flight(c) == 0 && (!c->active || c->active->send.length == 0);
    struct tcp_active *a = connection_activate(tcp, c);
    if (a && idle && timers_rest_at(tcp, c) <= tcp->now)
        congestion_on_idle(tcp, c); /* RFC 5681 4.1 */
    return a != NULL;
}

/* What both ways to send begin with: how many of `length` octets are taken (0 only of 0), with the
 * active state that they go to, or a negative errno. */
static ssize_t send_begin(struct tcp *tcp, struct tcp_connection *c, size_t length,
                          unsigned *flags) {
    ssize_t space = may_send(tcp, c);
    if (space < 0 || length == 0)
        return space < 0 ? space : 0;
    if (space == 0) {
        c->flags |= TCP_F_WAS_FULL;
        return -EAGAIN;
    }
    if (!ready_to_send(tcp, c))
        return -ENOMEM;
    if (length <= (size_t)space)
        return (ssize_t)length;
    *flags &= ~(unsigned)BERTH_MSG_OOB; /* the last octet is not in it */
    c->flags |= TCP_F_WAS_FULL;
    return space;
}

/* And end with. error: of the stream that the octets were appended to. */
static ssize_t send_end(struct tcp *tcp, struct tcp_connection *c, ssize_t length, unsigned flags,
                        int error) {
    if (error != 0) {
        connection_settle(tcp, c);
        return -ENOMEM;
    }
    appended(tcp, c, flags);
    return length;
}

ssize_t tcp_send(struct tcp *tcp, uint32_t socket, const void *data, size_t length, unsigned flags,
                 uint64_t now) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    tcp_clock(tcp, now);
    ssize_t taken = send_begin(tcp, c, length, &flags);
    if (taken <= 0)
        return taken;
    int error = stream_append_copy(&c->active->send, tcp->config.allocator, data, (uint32_t)taken);
    return send_end(tcp, c, taken, flags, error);
}

ssize_t tcp_send_block(struct tcp *tcp, uint32_t socket, struct berth_block *block, size_t offset,
                       size_t length, unsigned flags, uint64_t now) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    tcp_clock(tcp, now);
    if (offset > block->size || length > block->size - offset)
        return -EINVAL;
    ssize_t taken = send_begin(tcp, c, length, &flags);
    if (taken <= 0)
        return taken;
    struct berth_part part = {block, block->data + offset, (uint32_t)taken};
    int error = stream_append(&c->active->send, tcp->config.allocator, &part);
    return send_end(tcp, c, taken, flags, error);
}

/* ---- receiving ---- */

/* Octets that may be borrowed in one go: up to the urgent one, which is alone, so that whoever
 * hands them on can tell it (tcp_urgent), in line or not. */
static uint32_t readable(const struct tcp_connection *c) {
    const struct tcp_active *a = c->active;
    if (!a || a->receive.length == 0)
        return 0;
    if ((a->flags & TCP_A_RCV_URGENT) && seq_in(a->rcv_urgent, a->read_seq, a->receive.length)) {
        uint32_t before = a->rcv_urgent - a->read_seq;
        return before ? before : 1;
    }
    return a->receive.length;
}

/* What a read says when there is nothing to read: 0 at the end of the stream. */
static int nothing(struct tcp_connection *c) {
    if (tcp_error(c))
        return -take_error(c);
    if (c->flags & (TCP_F_FIN_READ | TCP_F_RCV_SHUT))
        return 0;
    switch (c->state) {
    case BERTH_LISTEN:
        return -ENOTCONN;
    case BERTH_TCP_CLOSED:
        return c->tuple.remote_port ? 0 : -ENOTCONN; /* it was connected once */
    default:
        return -EAGAIN;
    }
}

static void consume(struct tcp *tcp, struct tcp_connection *c, uint32_t length) {
    struct tcp_active *a = c->active;
    stream_drop(&a->receive, tcp->config.allocator, length);
    a->read_seq += length;
    tuning_read(tcp, c);
    if ((a->flags & TCP_A_RCV_URGENT) && seq_lt(a->rcv_urgent, a->read_seq))
        a->flags &= (uint16_t) ~(TCP_A_RCV_URGENT | TCP_A_URGENT_READ);
    bool open = c->state == BERTH_ESTABLISHED || c->state == BERTH_FIN_WAIT_1 ||
                c->state == BERTH_FIN_WAIT_2;
    if (open && (window_update_due(tcp, c) || receive_read_acks(c))) {
        c->flags |= TCP_F_ACK_NOW;
        connection_owes(tcp, c);
    }
    if (c->state == BERTH_TCP_CLOSED && a->receive.length == 0)
        connection_drop_active(tcp, c);
    if (c->state != BERTH_TCP_CLOSED)
        connection_settle(tcp, c);
}

/* The urgent octet, read out of band. */
static ssize_t receive_urgent_octet(struct tcp *tcp, struct tcp_connection *c, void *data,
                                    unsigned flags) {
    struct tcp_active *a = c->active;
    if ((c->flags & TCP_F_OOBINLINE) || !a || !(a->flags & TCP_A_RCV_URGENT) ||
        (a->flags & TCP_A_URGENT_READ))
        return -EINVAL;
    if (!seq_in(a->rcv_urgent, a->read_seq, a->receive.length))
        return -EAGAIN; /* announced, not here yet */
    stream_read(&a->receive, a->rcv_urgent - a->read_seq, data, 1);
    if (flags & BERTH_MSG_PEEK)
        return 1;
    a->flags |= TCP_A_URGENT_READ;
    if (a->rcv_urgent == a->read_seq)
        consume(tcp, c, 1);
    return 1;
}

ssize_t tcp_receive(struct tcp *tcp, uint32_t socket, void *data, size_t length, unsigned flags,
                    uint64_t now) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    tcp_clock(tcp, now);
    if (flags & BERTH_MSG_OOB)
        return receive_urgent_octet(tcp, c, data, flags);
    uint32_t there = readable(c);
    if (there == 0)
        return nothing(c);
    struct tcp_active *a = c->active;
    uint32_t skip = 0;
    bool at_mark = (a->flags & TCP_A_RCV_URGENT) && a->rcv_urgent == a->read_seq;
    if (at_mark && c->flags & TCP_F_OOBINLINE) {
        there = a->receive.length; /* with what follows it, as on Linux */
    } else if (at_mark) {
        /* Read past the mark without having asked for the urgent octet: it is skipped. */
        if (!(flags & BERTH_MSG_PEEK)) {
            consume(tcp, c, 1);
            return tcp_receive(tcp, socket, data, length, flags, now);
        }
        skip = 1;
        there = a->receive.length - 1;
        if (there == 0)
            return nothing(c);
    }
    if (length > there)
        length = there;
    stream_read(&a->receive, skip, data, (uint32_t)length);
    if (!(flags & BERTH_MSG_PEEK) && length)
        consume(tcp, c, (uint32_t)length);
    return (ssize_t)length;
}

int tcp_borrow(struct tcp *tcp, uint32_t socket, struct berth_part *parts, int max) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    uint32_t there = readable(c), got;
    (void)tcp;
    if (there == 0)
        return nothing(c);
    return stream_view(&c->active->receive, 0, there, parts, max, &got);
}

int tcp_give_back(struct tcp *tcp, uint32_t socket, size_t length, uint64_t now) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    tcp_clock(tcp, now);
    if (length == 0)
        return 0;
    if (!c->active || length > c->active->receive.length)
        return -EINVAL;
    consume(tcp, c, (uint32_t)length);
    return 0;
}

ssize_t tcp_urgent(struct tcp *tcp, uint32_t socket) {
    const struct tcp_connection *c = tcp_at(tcp, socket);
    const struct tcp_active *a = c->active;
    if (!a || !(a->flags & TCP_A_RCV_URGENT))
        return -EINVAL;
    return (ssize_t)(a->rcv_urgent - a->read_seq);
}
