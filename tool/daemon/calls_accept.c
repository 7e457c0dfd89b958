/* accept(), and what makes a listener readable.
 *
 * A program that polls its listener, or waits in select(), must see that a connection waits: the
 * held end sends it one octet for each, so that every connection is an edge, for programs that ask
 * for edges and for servers whose processes share the listener. The octets are taken back when the
 * queue has become empty. While somebody is blocked in accept() none is sent: the connection is
 * his. */
#define _GNU_SOURCE
#include "tool/daemon/addresses.h"
#include "tool/daemon/call.h"
#include "tool/daemon/waiters.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READY_OCTETS = 64 };

/* ---- connections ---- */

/* A conduit for a connection that the listener's queue gave. */
static struct conduit *connection_enter(struct server *server, const struct conduit *listener,
                                        berth_handle socket, bool nonblocking, uint64_t now,
                                        int *error) {
    struct berth_host *host = conduit_host(server, listener);
    struct conduit *conduit = conduit_new(BERTH_TCP, nonblocking, server->descriptors, error);
    if (conduit) {
        conduit->host = listener->host;
        conduit->family = listener->family;
        conduit->socket = socket;
        conduit->state = CONDUIT_CONNECTED;
        conduit->connected = true;
        conduit->send_buffer_asked = listener->send_buffer_asked;
        conduit->receive_buffer_asked = listener->receive_buffer_asked;
        stream_end_widen(conduit, conduit->spare_end);
        *error = conduit_enter(server, conduit);
        if (*error < 0) {
            conduit_free(conduit);
            conduit = NULL;
        }
    }
    if (!conduit) {
        berth_socket_abort(host, socket, now);
        server_touch(server, listener);
        return NULL;
    }
    berth_socket_set_user(host, socket, conduit->id);
    /* What came before it had a name. */
    struct berth_network_event event = {.host = conduit->host,
                                        .event = {.socket = socket, .user = conduit->id}};
    event.event.bits = (uint32_t)berth_socket_readiness(host, socket) | BERTH_URGENT;
    event_handle(server, &event, now);
    return conduit;
}

/* The next connection, or NULL with *error a negative errno: -EAGAIN when none waits. */
static struct conduit *listener_take(struct server *server, struct conduit *listener,
                                     bool nonblocking, uint64_t now, int *error) {
    struct conduit *returned = listener->returned;
    if (returned) {
        listener->returned = returned->returned_next;
        int flag = nonblocking;
        ioctl(returned->spare_end, FIONBIO, &flag);
        return returned;
    }
    struct berth_host *host = conduit_host(server, listener);
    berth_handle socket;
    *error = host ? berth_socket_accept(host, listener->socket, &socket) : -EINVAL;
    if (host)
        server_touch(server, listener);
    return *error < 0 ? NULL : connection_enter(server, listener, socket, nonblocking, now, error);
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

/* The same as whether that is 0, for less: each accept() asks. */
static bool listener_is_empty(struct server *server, const struct conduit *listener) {
    const struct berth_host *host = conduit_host(server, listener);
    if (listener->returned)
        return false;
    int bits = host ? berth_socket_readiness(host, listener->socket) : 0;
    return bits < 0 || !(bits & BERTH_ACCEPTABLE);
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

/* With the lock: what becomes of the connection after that. */
static void connection_given(struct server *server, struct conduit *listener,
                             struct conduit *conduit, const struct acceptance *to, int number,
                             uint64_t now) {
    if (number >= 0) {
        close(conduit->spare_end);
        conduit->spare_end = -1;
        conduit->run = to->run;
        conduit->thread = to->thread;
        conduit->fd = number;
    } else if (listener && number != -EFAULT && number != -EINVAL) {
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
    struct conduit *conduit = listener_take(server, listener, flags & SOCK_NONBLOCK, now, &error);
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
    connection_given(server, listener, conduit, &to, number, now);
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
    unsigned waiting = listener_waiting(server, listener);
    while (listener->ready_octets < waiting &&
           send(listener->held, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
        listener->ready_octets++;
}

/* ---- the calls ---- */

/* Takes back what made the listener readable, when nothing waits any more. */
static void listener_quiet(struct call *call, struct conduit *listener) {
    if (listener->ready_octets == 0 || !listener_is_empty(call->server, listener))
        return;
    char octets[READY_OCTETS];
    ssize_t n;
    while (listener->ready_octets && (n = recv(call->end, octets, sizeof octets, MSG_DONTWAIT)) > 0)
        listener->ready_octets -=
            (unsigned)n < listener->ready_octets ? (unsigned)n : listener->ready_octets;
    listener->ready_octets = 0;
}

static long accept_check(const struct conduit *listener) {
    if (listener->protocol != BERTH_TCP)
        return -EOPNOTSUPP;
    return listener->state == CONDUIT_LISTENING && !listener->shut ? 0 : -EINVAL;
}

/* With the lock; lets go of it. */
static long accept_start(struct call *call, struct conduit *listener, int flags,
                         struct conduit **taken, struct berth_endpoint *peer) {
    int error = 0;
    long result = accept_check(listener);
    if (result == 0) {
        *taken = listener_take(call->server, listener, flags & SOCK_NONBLOCK, call->now, &error);
        if (*taken)
            peer_of(call->server, *taken, peer);
        else
            result = error;
        listener_quiet(call, listener);
    }
    if (result == -EAGAIN && !call_nonblocking(call))
        result = waiter_add(call, listener, WAITER_ACCEPT, SO_RCVTIMEO, EAGAIN);
    call_unlock(call);
    return result;
}

static long accept_with(struct call *call, int flags) {
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    struct conduit *listener = call_lock(call), *taken = NULL;
    if (!listener)
        return CALL_CONTINUE;
    struct berth_endpoint peer;
    long result = accept_start(call, listener, flags, &taken, &peer);
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
    int number = connection_give(&to, &peer, taken->family, taken->spare_end);
    call->now = server_enter(call->server);
    listener = conduit_find_cookie(&call->server->conduits, call->cookie);
    connection_given(call->server, listener, taken, &to, number, call->now);
    if (number < 0 && listener)
        listener_serve(call->server, listener, call->now);
    call_unlock(call);
    return number >= 0 || number == -ENOENT ? CALL_ANSWERED : number;
}

long call_accept(struct call *call) {
    return accept_with(call, 0);
}

long call_accept4(struct call *call) {
    return accept_with(call, (int)call->arguments[3]);
}
