/* bind(), listen(), shutdown(), and what a person is told when a port is taken. */
#define _GNU_SOURCE
#include "tool/daemon/addresses.h"
#include "tool/daemon/call.h"
#include "tool/daemon/gateway.h"
#include "tool/daemon/waiters.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

/* ---- the note ---- */

enum { NOTES_MOST = 4 };

struct obstacle {
    enum berth_protocol protocol;
    struct berth_endpoint wanted;
    uint64_t inode;
    struct timespec since;
    bool found;
};

/* The conduit that holds the port. */
static struct conduit *obstacle_owner(struct call *call, const struct conduit *conduit,
                                      const struct obstacle *obstacle) {
    struct berth_host *host = conduit_host(call->server, conduit);
    berth_handle owner = berth_socket_port_owner(host, obstacle->protocol, &obstacle->wanted);
    const struct conduit_table *table = &call->server->conduits;
    for (uint32_t i = 0; owner && i < table->slot_count; i++) {
        struct conduit *other = table->slots[i];
        if (other && other->socket == owner && other->host == conduit->host)
            return other;
    }
    return NULL;
}

/* True if the one in the way has just been closed, and the port is free now. */
static bool obstacle_gone(struct call *call, const struct conduit *conduit,
                          struct obstacle *obstacle) {
    struct conduit *owner = obstacle_owner(call, conduit, obstacle);
    obstacle->found = owner != NULL;
    if (!owner)
        return false;
    if (owner != conduit && conduit_left(call->server, owner, call->now))
        return true;
    obstacle->inode = owner->inode;
    obstacle->since = owner->bound;
    return false;
}

/* A few a second: a program may try one port after another until it finds a free one. */
static bool note_may(struct run *run, uint64_t now) {
    if (now - run->taken_noted >= BERTH_SECOND) {
        run->taken_noted = now;
        run->taken_notes = 0;
    }
    return run->ops.note && run->taken_notes++ < NOTES_MOST;
}

/* Without the lock: looking for the owner takes a walk over /proc. */
static void obstacle_note(struct call *call, const struct obstacle *obstacle) {
    if (!note_may(call->run, call->now))
        return;
    char text[200], since[16] = "", who[64] = "a connection that is ending";
    const char *protocol = obstacle->protocol == BERTH_TCP ? "tcp" : "udp";
    if (obstacle->found) {
        struct tm time;
        owner_describe(obstacle->inode, who, sizeof who);
        localtime_r(&obstacle->since.tv_sec, &time);
        strftime(since, sizeof since, "%H:%M:%S", &time);
    }
    snprintf(text, sizeof text, "port %u/%s is taken by %s%s%s", obstacle->wanted.port, protocol,
             who, since[0] ? " since " : "", since);
    call->run->ops.note(call->run->ops.context, text);
}

/* ---- bind ---- */

static void bound_now(struct conduit *conduit) {
    if (conduit->bound.tv_sec == 0)
        clock_gettime(CLOCK_REALTIME, &conduit->bound);
}

static long conduit_bind(struct call *call, struct conduit *conduit, const union address *address,
                         socklen_t length, struct obstacle *obstacle) {
    struct berth_host *host = conduit_host(call->server, conduit);
    if (!host)
        return -EINVAL;
    int r = address_to_endpoint(address, length, conduit->family, ADDRESS_BIND, &obstacle->wanted);
    if (r < 0)
        return r;
    obstacle->protocol = conduit->protocol;
    do
        r = berth_socket_bind(host, conduit->socket, &obstacle->wanted);
    while (r == -EADDRINUSE && obstacle->wanted.port && obstacle_gone(call, conduit, obstacle));
    server_touch(call->server, conduit);
    if (r == 0)
        bound_now(conduit);
    if (r == 0 && conduit_is_datagram(conduit))
        port_enter(call->server, conduit);
    return r;
}

long call_bind(struct call *call) {
    union address address = {0};
    socklen_t length = (socklen_t)call->arguments[2];
    if (length > sizeof address)
        return -EINVAL;
    int r = reach_read(call->run->reach, call->thread, call->arguments[1], &address, length);
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    struct obstacle obstacle = {0};
    long result = r < 0 ? r : conduit_bind(call, conduit, &address, length, &obstacle);
    call_unlock(call);
    if (result == -EADDRINUSE && obstacle.wanted.port)
        obstacle_note(call, &obstacle);
    return result;
}

/* ---- listen ---- */

long call_listen(struct call *call) {
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    struct berth_host *host = conduit_host(call->server, conduit);
    struct obstacle obstacle = {.protocol = BERTH_TCP};
    long result = conduit->protocol == BERTH_TCP ? -EINVAL : -EOPNOTSUPP;
    if (host && conduit->protocol == BERTH_TCP) {
        berth_socket_local(host, conduit->socket, &obstacle.wanted);
        do
            result = berth_socket_listen(host, conduit->socket, (int)call->arguments[1]);
        while (result == -EADDRINUSE && obstacle_gone(call, conduit, &obstacle));
    }
    if (result == 0) {
        if (conduit->state != CONDUIT_LISTENING) {
            end_stuff(conduit, call->end); /* never writable, and a write is EPIPE */
            shutdown(call->end, SHUT_WR);
            port_enter(call->server, conduit);
        }
        conduit->state = CONDUIT_LISTENING;
        bound_now(conduit);
        gateway_listeners_changed(call->server, conduit->host);
    }
    if (host)
        server_touch(call->server, conduit);
    call_unlock(call);
    if (result == -EADDRINUSE && obstacle.found)
        obstacle_note(call, &obstacle);
    return result;
}

/* ---- shutdown ---- */

/* A stream's own shutdown is done by the kernel on the program's end, from where the data thread
 * hears of it, behind all octets that were written before. Only that both directions were shut down
 * must be known, as the held end hangs up then. */
static long stream_shutdown(struct call *call, struct conduit *conduit, int how) {
    struct berth_host *host = conduit_host(call->server, conduit);
    if (conduit->state == CONDUIT_LISTENING && !conduit->shut) {
        if (how == SHUT_WR)
            return 0;
        /* Linux: the listener is closed, and who waits in accept() is told. */
        conduit->shut = true;
        waiters_fail(conduit, EINVAL);
        if (host)
            berth_socket_shutdown(host, conduit->socket, BERTH_SHUT_RD, call->now);
        gateway_listeners_changed(call->server, conduit->host);
        shutdown(call->end, SHUT_RDWR);
        end_unstuff(call->server, conduit);
        return 0;
    }
    if (conduit->state != CONDUIT_CONNECTING && conduit->state != CONDUIT_CONNECTED)
        return -ENOTCONN;
    if (how == SHUT_RDWR)
        conduit->shut = true;
    return CALL_CONTINUE;
}

/* As on Linux it is done also to a socket that is not connected, which is told that it is not. */
static long datagram_shutdown(struct call *call, struct conduit *conduit, int how, long result) {
    if (result < 0 && how == SHUT_RDWR)
        return result;
    conduit->shut_read |= how != SHUT_WR;
    conduit->shut_write |= how != SHUT_RD;
    struct waiter *waiter;
    while (conduit->shut_read && (waiter = waiter_first(conduit, WAITER_RECEIVE)))
        waiter_answer(waiter, 0);
    if (result < 0)
        shutdown(call->end, how);
    return result < 0 ? result : CALL_CONTINUE;
}

long call_shutdown(struct call *call) {
    int how = (int)call->arguments[1];
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    long result = CALL_CONTINUE;
    struct berth_endpoint peer;
    struct berth_host *host = conduit_host(call->server, conduit);
    if (how < SHUT_RD || how > SHUT_RDWR)
        result = -EINVAL;
    else if (conduit->protocol == BERTH_TCP)
        result = stream_shutdown(call, conduit, how);
    else
        result = host ? berth_socket_remote(host, conduit->socket, &peer) : -ENOTCONN;
    if (conduit_is_datagram(conduit) && (result == 0 || result == -ENOTCONN))
        result = datagram_shutdown(call, conduit, how, result);
    if (host)
        server_touch(call->server, conduit);
    call_unlock(call);
    return result;
}
