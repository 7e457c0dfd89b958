/* accept().
 *
 * A program that polls its listener, or waits in select(), must see that a connection waits: the
 * held end sends it one octet for each (tells.c), so that every connection is an edge, for programs
 * that ask for edges and for servers whose processes share the listener. While somebody is blocked
 * in accept() none is sent: the connection is his. */
#define _GNU_SOURCE
#include "tool/daemon/addresses.h"
#include "tool/daemon/call.h"
#include "tool/daemon/waiters.h"
#include "tool/loop/clock.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- connections ---- */

/* A pair for a connection to come, which is made before the lock is taken; NULL: no descriptors. */
static struct conduit *connection_prepare(struct server *server, struct run *run,
                                          bool nonblocking) {
    int error;
    struct conduit *conduit = run->spare;
    int flag = nonblocking;
    run->spare = NULL;
    if (conduit && run->spare_nonblocking != nonblocking)
        ioctl(conduit->spare_end, FIONBIO, &flag);
    run->spare_nonblocking = nonblocking;
    if (conduit)
        return conduit;
    conduit = conduit_new(BERTH_TCP, nonblocking, server->descriptors, &error);
    if (conduit)
        stream_end_widen(conduit, conduit->spare_end);
    return conduit;
}

/* What came before the connection had a name. */
static void connection_catch_up(struct server *server, const struct conduit *conduit,
                                uint64_t now) {
    struct berth_host *host = conduit_host(server, conduit);
    struct berth_network_event event = {.host = conduit->host,
                                        .event = {.socket = conduit->socket, .user = conduit->id}};
    event.event.bits = (uint32_t)berth_socket_readiness(host, conduit->socket) | BERTH_URGENT;
    event_handle(server, &event, now);
}

/* `conduit` is for a connection that the listener's queue gave. 0 or a negative errno. */
static int connection_enter(struct server *server, const struct conduit *listener,
                            struct conduit *conduit, berth_handle socket, uint64_t now) {
    struct berth_host *host = conduit_host(server, listener);
    conduit->host = listener->host;
    conduit->family = listener->family;
    conduit->socket = socket;
    conduit->state = CONDUIT_CONNECTED;
    conduit->connected = true;
    conduit->send_buffer_asked = listener->send_buffer_asked;
    conduit->receive_buffer_asked = listener->receive_buffer_asked;
    int r = conduit_enter(server, conduit);
    if (r < 0) {
        berth_socket_abort(host, socket, now);
        server_touch(server, listener);
        conduit_free(conduit);
        return r;
    }
    berth_socket_set_user(host, socket, conduit->id);
    connection_catch_up(server, conduit, now);
    return 0;
}

/* The same as whether listener_waiting() is 0, for less: each accept() asks. */
static bool listener_is_empty(struct server *server, const struct conduit *listener) {
    const struct berth_host *host = conduit_host(server, listener);
    if (listener->returned)
        return false;
    int bits = host ? berth_socket_readiness(host, listener->socket) : 0;
    return bits < 0 || !(bits & BERTH_ACCEPTABLE);
}

/* The next connection, or NULL with *error a negative errno: -EAGAIN when none waits. *spare is
 * what was made ahead, and becomes NULL if it is used. */
static struct conduit *listener_take(struct server *server, struct conduit *listener,
                                     struct conduit **spare, bool nonblocking, uint64_t now,
                                     int *error) {
    struct conduit *returned = listener->returned, *conduit = *spare;
    *error = 0;
    if (returned) {
        listener->returned = returned->returned_next;
        int flag = nonblocking;
        ioctl(returned->spare_end, FIONBIO, &flag);
        return returned;
    }
    struct berth_host *host = conduit_host(server, listener);
    berth_handle socket;
    if (!host || !conduit) { /* without a pair a connection stays in the queue */
        *error = !host ? -EINVAL : listener_is_empty(server, listener) ? -EAGAIN : -ENFILE;
        return NULL;
    }
    *error = berth_socket_accept(host, listener->socket, &socket);
    server_touch(server, listener);
    if (*error < 0)
        return NULL;
    *spare = NULL;
    *error = connection_enter(server, listener, conduit, socket, now);
    return *error < 0 ? NULL : conduit;
}

static unsigned listener_waiting(struct server *server, const struct conduit *listener) {
    struct berth_tcp_info info = {0};
    struct berth_host *host = conduit_host(server, listener);
    if (host)
        berth_socket_tcp_info(host, listener->socket, &info);
    unsigned waiting = info.receive_queue;
    for (const struct conduit *c = listener->returned; c; c = c->returned_next)
        waiting++;
    return waiting;
}

/* ---- the answer ---- */

struct acceptance {
    struct run *run;
    uint64_t notification;
    pid_t thread;
    uint64_t address, length_address;
    bool close_on_exec;
};

static int peer_write(const struct acceptance *to, const struct berth_endpoint *peer, int family) {
    if (!to->address)
        return 0;
    union address address;
    socklen_t full = address_from_endpoint(&address, peer, family), room;
    int r = reach_read(to->run->reach, to->thread, to->length_address, &room, sizeof room);
    if (r < 0)
        return r;
    if ((int)room < 0)
        return -EINVAL;
    struct reach_piece pieces[] = {{to->address, &address, room < full ? room : full},
                                   {to->length_address, &full, sizeof full}};
    return reach_write(to->run->reach, to->thread, pieces, 2);
}

/* Hands the connection over, without the lock. The descriptor's number, or a negative errno:
 * -ENOENT when the caller has gone. */
static int connection_give(const struct acceptance *to, const struct berth_endpoint *peer,
                           int family, int end) {
    int r = peer_write(to, peer, family);
    if (r < 0)
        return r;
    return call_install(to->run, to->notification, end, -1, to->close_on_exec);
}

/* With the lock: nobody has it. */
static void connection_return(struct server *server, struct conduit *listener,
                              struct conduit *conduit, int number, uint64_t now) {
    if (listener && number != -EFAULT && number != -EINVAL) {
        struct conduit **at = &listener->returned;
        while (*at)
            at = &(*at)->returned_next;
        *at = conduit;
        conduit->returned_next = NULL;
    } else {
        conduit_forget(server, conduit, now);
    }
}

static void peer_of(struct server *server, const struct conduit *conduit,
                    struct berth_endpoint *peer) {
    struct berth_host *host = conduit_host(server, conduit);
    if (!host || berth_socket_remote(host, conduit->socket, peer) < 0)
        *peer = conduit->last_local;
}

/* ---- who waits ---- */

/* True if the connection has found its taker, or there is none to be had. */
static bool waiter_serve(struct server *server, struct conduit *listener, struct waiter *waiter,
                         uint64_t now) {
    int flags = waiter->number == SYS_accept4 ? (int)waiter->arguments[3] : 0;
    int error = 0;
    struct conduit *conduit =
        listener_take(server, listener, &waiter->spare, flags & SOCK_NONBLOCK, now, &error);
    if (!conduit) {
        if (error != -EAGAIN)
            waiter_answer(waiter, error);
        return false;
    }
    struct acceptance to = {.run = waiter->run,
                            .notification = waiter->notification,
                            .thread = waiter->thread,
                            .address = waiter->arguments[1],
                            .length_address = waiter->arguments[2],
                            .close_on_exec = flags & SOCK_CLOEXEC};
    struct berth_endpoint peer;
    peer_of(server, conduit, &peer);
    int number = connection_give(&to, &peer, conduit->family, conduit->spare_end);
    if (number >= 0) {
        close(conduit->spare_end);
        conduit->spare_end = -1;
        conduit->run = to.run;
        conduit->thread = to.thread;
        conduit->fd = number;
    } else {
        connection_return(server, listener, conduit, number, now);
    }
    if (number < 0 && number != -ENOENT)
        waiter_answer(waiter, number);
    else
        waiter_remove(waiter);
    return true;
}

void listener_serve(struct server *server, struct conduit *listener, uint64_t now) {
    struct waiter *waiter;
    while ((waiter = waiter_first(listener, WAITER_ACCEPT)))
        if (!waiter_serve(server, listener, waiter, now))
            break;
    if (waiter_first(listener, WAITER_ACCEPT))
        return;
    listener_tell(server, listener, listener_waiting(server, listener));
}

/* ---- the calls ---- */

static long accept_check(const struct conduit *listener) {
    if (listener->protocol != BERTH_TCP)
        return -EOPNOTSUPP;
    return listener->state == CONDUIT_LISTENING && !listener->shut ? 0 : -EINVAL;
}

/* With the lock: 0 and the connection's end, which is the caller's to give; or what to answer.
 * *spare becomes NULL if it is used. */
static long accept_start(struct call *call, struct conduit *listener, int flags,
                         struct conduit **spare, struct conduit **taken) {
    int error = 0;
    long result = accept_check(listener);
    if (result)
        return result;
    *taken = listener_take(call->server, listener, spare, flags & SOCK_NONBLOCK, call->now, &error);
    if (listener->ready_octets > 0 && listener_is_empty(call->server, listener))
        listener_hush(call->server, listener, call->end);
    if (*taken || error != -EAGAIN || call_nonblocking(call))
        return error;
    result = waiter_add(call, listener, WAITER_ACCEPT, SO_RCVTIMEO, EAGAIN);
    if (result == CALL_ANSWERED) {
        call->run->waiters->spare = *spare;
        *spare = NULL;
    }
    return result;
}

static long accept_finish(struct call *call, const struct acceptance *to,
                          const struct berth_endpoint *peer, int family, int end) {
    int number = connection_give(to, peer, family, end);
    if (number >= 0) {
        end_sent(call->run, number);
        return CALL_ANSWERED;
    }
    struct conduit *conduit = end_unsent(call->run);
    call->now = clock_now();
    struct conduit *listener = conduit_find_cookie(&call->server->conduits, call->cookie);
    if (conduit)
        connection_return(call->server, listener, conduit, number, call->now);
    if (listener)
        listener_serve(call->server, listener, call->now);
    call_unlock(call);
    return number == -ENOENT ? CALL_ANSWERED : number;
}

static long accept_with(struct call *call, int flags) {
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    int family = 0, end = -1;
    struct conduit *spare = connection_prepare(call->server, call->run, flags & SOCK_NONBLOCK);
    struct conduit *listener = call_lock(call), *taken = NULL;
    struct berth_endpoint peer;
    long result = listener ? accept_start(call, listener, flags, &spare, &taken) : CALL_CONTINUE;
    if (taken) {
        family = taken->family;
        peer_of(call->server, taken, &peer);
        taken->run = call->run;
        taken->thread = call->thread;
        end = end_send(call->run, taken);
    }
    if (listener)
        call_unlock(call);
    call->run->spare = spare;
    if (result == -ENFILE)
        descriptors_note(call);
    if (!taken)
        return result;
    struct acceptance to = {.run = call->run,
                            .notification = call->notification,
                            .thread = call->thread,
                            .address = call->arguments[1],
                            .length_address = call->arguments[2],
                            .close_on_exec = flags & SOCK_CLOEXEC};
    return accept_finish(call, &to, &peer, family, end);
}

long call_accept(struct call *call) {
    return accept_with(call, 0);
}

long call_accept4(struct call *call) {
    return accept_with(call, (int)call->arguments[3]);
}
