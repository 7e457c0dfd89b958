/* From the engine to the programs.
 *
 * Octets are borrowed from the engine and go into the program's queue by one sendmsg(); what did
 * not fit stays in the engine, whose window closes, until epoll tells of room. The order at the end
 * of a stream: all octets, then the end (SHUT_WR), or the break.
 *
 * Datagrams lie in the program's own queue as datagrams, so that a plain read() takes one and
 * poll() tells the truth. Their addresses wait beside it, in the same order; calls_receive.c brings
 * the two together again. */
#define _GNU_SOURCE
#include "tool/daemon/call.h"
#include "tool/daemon/datagram_queue.h"
#include "tool/daemon/sealed.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { PARTS = 64 };

/* ---- streams ---- */

/* The program's end does not take anything any more: it is closed (the data thread will hear of it,
 * and what was not read makes the engine send a RST) or has shut down reading, and TCP goes on
 * acknowledging what nobody reads. */
static void stream_refused(struct conduit *conduit) {
    struct pollfd poll_held = {.fd = conduit->held};
    if (poll(&poll_held, 1, 0) > 0 && (poll_held.revents & POLLHUP))
        return;
    conduit->discarding = true;
}

/* One sendmsg of what is at the start of the parts and not sealed. Octets or a negative errno. */
static ssize_t parts_send(struct server *server, const struct conduit *conduit,
                          const struct berth_part *parts, int count, int flags) {
    struct iovec vectors[PARTS];
    size_t length = 0, used = 0;
    while (used < (size_t)count && !sealed_first(&parts[used], 1)) {
        vectors[used] = (struct iovec){(void *)(uintptr_t)parts[used].data, parts[used].length};
        length += parts[used++].length;
    }
    if (conduit->discarding)
        return (ssize_t)length;
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = used};
    server->counters.sends++;
    ssize_t sent = sendmsg(conduit->held, &message, flags);
    return sent < 0 ? -errno : sent;
}

/* One borrow and its sending. Octets moved; 0: nothing there; or a negative errno. */
static ssize_t stream_move(struct server *server, struct conduit *conduit, struct berth_host *host,
                           uint64_t now) {
    struct berth_part parts[PARTS];
    int count = berth_socket_borrow(host, conduit->socket, parts, PARTS);
    if (count < 0 && count != -EAGAIN)
        conduit->error = -count; /* it is told once, by whichever call comes first */
    if (count <= 0)
        return 0;
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    if (conduit->urgent_out && berth_socket_urgent(host, conduit->socket) == 0)
        flags |= MSG_OOB;
    ssize_t moved = 0;
    if (sealed_first(parts, count))
        moved = sealed_move(server, conduit, parts, count);
    if (moved == 0)
        moved = parts_send(server, conduit, parts, count, flags);
    if (moved > 0) {
        berth_socket_give_back(host, conduit->socket, (size_t)moved, now);
        server_touch(server, conduit);
    }
    return moved;
}

/* A flow that has filled the program's queue once gets a larger one. */
static bool stream_widen(struct conduit *conduit) {
    if (conduit->wide)
        return false;
    conduit->wide = true;
    descriptor_resize(conduit->held, conduit->receive_buffer_asked ? conduit->receive_buffer_asked
                                                                   : CONDUIT_STREAM_BUFFER);
    return true;
}

static void stream_end(struct server *server, struct conduit *conduit) {
    if (conduit->peer_closed && !conduit->fin_given) {
        conduit->fin_given = true;
        shutdown(conduit->held, SHUT_WR);
    }
    if (conduit->broken)
        conduit_doom(server, conduit, conduit->error);
}

void stream_deliver(struct server *server, struct conduit *conduit, uint64_t now) {
    struct berth_host *host = conduit_host(server, conduit);
    if (!host || conduit->held < 0 || conduit->out_full || conduit->fin_given)
        return;
    ssize_t moved;
    do {
        moved = stream_move(server, conduit, host, now);
        if (moved == -EPIPE) {
            stream_refused(conduit);
            if (!conduit->discarding)
                return;
            moved = 1;
        }
    } while (moved > 0 || (moved == -EAGAIN && stream_widen(conduit)));
    if (moved == -EAGAIN)
        conduit_watch_room(server, conduit, true);
    else
        stream_end(server, conduit);
}

/* ---- datagrams ---- */

/* Puts a datagram, or an empty one for an error, into the program's queue. */
static int datagram_give(struct conduit *conduit, const uint8_t *data, size_t length,
                         const struct datagram_note *note) {
    int r = datagram_queue_reserve(&conduit->datagrams);
    if (r < 0)
        return r;
    if (send(conduit->held, data, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return -errno;
    datagram_queue_push(&conduit->datagrams, note);
    return 0;
}

void datagrams_deliver(struct server *server, struct conduit *conduit, uint64_t now) {
    static const unsigned drop = 0;
    uint8_t data[MESSAGE_MAX];
    struct berth_host *host = conduit_host(server, conduit);
    while (host && conduit->held >= 0 && !conduit->out_full) {
        struct datagram_note note = {0};
        ssize_t length = berth_socket_receive_from(host, conduit->socket, data, sizeof data,
                                                   &note.meta, BERTH_MSG_PEEK);
        if (length < 0)
            break;
        if (conduit->options) /* SO_TIMESTAMP may be one */
            clock_gettime(CLOCK_REALTIME, &note.arrived);
        if (!datagram_offer(server, conduit, data, (size_t)length, &note)) {
            int r = datagram_give(conduit, data, (size_t)length, &note);
            if (r == -EAGAIN) {
                conduit_watch_room(server, conduit, true);
                break;
            }
        }
        berth_socket_receive_from(host, conduit->socket, data, 0, NULL, drop);
        server_touch(server, conduit);
    }
    (void)now;
}

/* An empty datagram, for what is told by the call that finds it. A reader that is not notified
 * would take it for one: only in the notified range. */
void datagram_wake(struct conduit *conduit) {
    struct datagram_note note = {.is_wake = true};
    if (conduit->in_range)
        datagram_give(conduit, NULL, 0, &note);
}

void datagram_error(struct conduit *conduit, int error, bool reported) {
    bool heard = false;
    if (error) {
        conduit->error = error;
        heard = datagram_error_answer(conduit);
    }
    if ((reported || (error && !heard)) && conduit->datagrams.wakes == 0)
        datagram_wake(conduit);
}
