/* How conduits come into the daemon's sight and leave it. */
#define _GNU_SOURCE
#include "tool/daemon/gateway.h"
#include "tool/daemon/sealed.h"
#include "tool/daemon/waiters.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- epoll ---- */

/* Edge-triggered, each descriptor added once. Room is asked for only while something waits for it:
 * AF_UNIX tells of it with every read. */
static uint32_t watch_bits(const struct conduit *conduit) {
    uint32_t bits = EPOLLET | EPOLLIN | EPOLLRDHUP | EPOLLPRI;
    return conduit->out_full ? bits | EPOLLOUT : bits;
}

static int watch_set(struct server *server, struct conduit *conduit, int operation) {
    struct epoll_event event = {.events = watch_bits(conduit), .data.u64 = conduit->id};
    return epoll_ctl(server->epoll, operation, conduit->held, &event) < 0 ? -errno : 0;
}

int conduit_enter(struct server *server, struct conduit *conduit) {
    int r = conduit_table_insert(&server->conduits, conduit);
    if (r < 0)
        return r;
    r = watch_set(server, conduit, EPOLL_CTL_ADD);
    if (r < 0)
        conduit_table_remove(&server->conduits, conduit);
    return r;
}

void conduit_watch_room(struct server *server, struct conduit *conduit, bool wanted) {
    if (conduit->out_full == wanted || conduit->held < 0)
        return;
    conduit->out_full = wanted;
    watch_set(server, conduit, EPOLL_CTL_MOD);
}

void conduit_ready(struct server *server, struct conduit *conduit) {
    if (conduit->ready)
        return;
    conduit->ready = true;
    conduit->ready_next = server->ready;
    server->ready = conduit;
}

/* ---- the end ---- */

static void ready_remove(struct server *server, struct conduit *conduit) {
    struct conduit **at = &server->ready;
    while (*at && *at != conduit)
        at = &(*at)->ready_next;
    if (*at)
        *at = conduit->ready_next;
    conduit->ready = false;
}

static void doomed_remove(struct server *server, struct conduit *conduit) {
    struct conduit **at = &server->doomed;
    while (*at && *at != conduit)
        at = &(*at)->doomed_next;
    if (*at)
        *at = conduit->doomed_next;
    conduit->doomed = false;
}

static void conduit_remove(struct server *server, struct conduit *conduit) {
    if (conduit->ready)
        ready_remove(server, conduit);
    conduit_table_remove(&server->conduits, conduit);
    conduit_free(conduit);
}

/* The program may still have its descriptor, and ask. */
static void conduit_haunt(struct server *server, struct conduit *conduit) {
    conduit->state = CONDUIT_GHOST;
    uint64_t *place = &server->ghosts[server->next_ghost];
    server->next_ghost = (server->next_ghost + 1) % GHOSTS_MAX;
    struct conduit *oldest = conduit_find(&server->conduits, *place);
    *place = conduit->id;
    if (oldest && oldest->state == CONDUIT_GHOST)
        conduit_remove(server, oldest);
}

static void held_close(struct server *server, struct conduit *conduit) {
    sealed_open(server, conduit);
    listener_told(server, conduit);
    if (conduit->held >= 0)
        close(conduit->held);
    conduit->held = -1;
}

/* To be closed after the turn: that frees what another processor may have made, which takes
 * microseconds, and not under the lock. */
static void held_leave(struct server *server, struct conduit *conduit) {
    if (conduit->held < 0 || server->closing_count == CLOSING_MAX) {
        held_close(server, conduit);
        return;
    }
    sealed_open(server, conduit);
    listener_told(server, conduit);
    server->closing[server->closing_count++] = conduit->held;
    conduit->held = -1;
}

void held_close_all(struct server *server) {
    for (int i = 0; i < server->closing_count; i++)
        close(server->closing[i]);
    server->closing_count = 0;
}

/* Lets the engine's socket go. */
static void socket_release(struct server *server, struct conduit *conduit, bool abort,
                           uint64_t now) {
    struct berth_host *host = conduit_host(server, conduit);
    if (host) {
        berth_socket_local(host, conduit->socket, &conduit->last_local);
        if (abort)
            berth_socket_abort(host, conduit->socket, now);
        else
            berth_socket_close(host, conduit->socket, now);
        server_touch(server, conduit);
        if (conduit->state == CONDUIT_LISTENING)
            gateway_listeners_changed(server, conduit->host);
    }
    conduit->socket = 0;
}

static void returned_close(struct server *server, struct conduit *listener, uint64_t now) {
    while (listener->returned) {
        struct conduit *conduit = listener->returned;
        listener->returned = conduit->returned_next;
        socket_release(server, conduit, true, now);
        close(conduit->spare_end); /* its held end hangs up: the data thread frees it */
        conduit->spare_end = -1;
    }
}

/* ---- who has a port ---- */

static struct conduit **port_chain(struct server *server, uint16_t port) {
    return &server->ports[port % PORT_CHAINS];
}

void port_enter(struct server *server, struct conduit *conduit) {
    struct berth_endpoint local = {0};
    berth_socket_local(conduit_host(server, conduit), conduit->socket, &local);
    if (conduit->port || local.port == 0)
        return;
    struct conduit **chain = port_chain(server, local.port);
    conduit->port = local.port;
    conduit->port_next = *chain;
    *chain = conduit;
}

static void port_remove(struct server *server, struct conduit *conduit) {
    struct conduit **at = port_chain(server, conduit->port);
    while (*at && *at != conduit)
        at = &(*at)->port_next;
    if (*at)
        *at = conduit->port_next;
    conduit->port = 0;
}

void conduit_close(struct server *server, struct conduit *conduit, bool abort, uint64_t now) {
    if (conduit->doomed)
        doomed_remove(server, conduit);
    if (conduit->port)
        port_remove(server, conduit);
    waiters_fail(conduit, EINVAL);
    returned_close(server, conduit, now);
    socket_release(server, conduit, abort, now);
    held_leave(server, conduit);
    if (conduit->fin_given || conduit->shut)
        conduit_haunt(server, conduit); /* a program may have the other end all the same */
    else
        conduit_remove(server, conduit);
}

bool conduit_left(struct server *server, struct conduit *conduit, uint64_t now) {
    struct pollfd end = {.fd = conduit->held};
    bool quiet = conduit->state == CONDUIT_FRESH || conduit->state == CONDUIT_LISTENING;
    if (!quiet || conduit->shut || conduit->held < 0 || poll(&end, 1, 0) <= 0 ||
        !(end.revents & POLLHUP))
        return false;
    socket_release(server, conduit, false, now);
    conduit->hung_up = true;
    conduit_ready(server, conduit);
    return true;
}

void port_leave(struct server *server, int host, const struct berth_endpoint *remote,
                uint64_t now) {
    struct berth_host *own = berth_network_host(server->network, host);
    int there = own && berth_host_has_address(own, &remote->ip)
                    ? host
                    : berth_network_find_address(server->network, &remote->ip);
    for (struct conduit *c = *port_chain(server, remote->port); c; c = c->port_next)
        if (c->port == remote->port && c->host == there)
            conduit_left(server, c, now);
}

void conduit_forget(struct server *server, struct conduit *conduit, uint64_t now) {
    socket_release(server, conduit, true, now);
    if (conduit->spare_end >= 0)
        close(conduit->spare_end);
    conduit->spare_end = -1;
}

/* ---- breaking a connection under a program ---- */

void conduit_doom(struct server *server, struct conduit *conduit, int error) {
    conduit->error = error;
    if (conduit->doomed || conduit->held < 0)
        return;
    conduit->doomed = true;
    conduit->doomed_next = server->doomed;
    server->doomed = conduit;
}

/* ---- ends on their way to programs ---- */

int end_send(struct run *run, struct conduit *conduit) {
    int end = conduit->spare_end;
    end_note(run);
    conduit->spare_end = -1;
    run->given.end = end;
    run->given.fd = -1;
    run->given.id = conduit->id;
    return end;
}

void end_sent(struct run *run, int fd) {
    int end = run->given.end;
    run->given.fd = fd;
    run->given.end = -1;
    close(end);
}

struct conduit *end_unsent(struct run *run) {
    server_take(run->server);
    struct conduit *conduit = conduit_find(&run->server->conduits, run->given.id);
    if (conduit && conduit->held >= 0)
        conduit->spare_end = run->given.end;
    else
        close(run->given.end);
    run->given.id = 0;
    return conduit;
}

void end_note(struct run *run) {
    struct conduit *conduit = NULL;
    if (run->given.id)
        conduit = conduit_find(&run->server->conduits, run->given.id);
    if (conduit && conduit->fd < 0)
        conduit->fd = run->given.fd;
    run->given.id = 0;
}

/* A duplicate of a descriptor, if it is the conduit's end. */
static int end_confirm(const struct conduit *conduit, int end) {
    if (end < 0 || descriptor_cookie(end) == conduit->cookie)
        return end;
    close(end);
    return -ENOENT;
}

int conduit_program_end(struct server *server, const struct conduit *conduit) {
    struct run *run = conduit->run;
    int end = -ENOENT, fd = conduit->fd;
    if (conduit->spare_end >= 0)
        return fcntl(conduit->spare_end, F_DUPFD_CLOEXEC, 0);
    if (!run)
        return -ENOENT;
    if (run->given.id == conduit->id) {
        end = end_confirm(conduit, fcntl(run->given.end, F_DUPFD_CLOEXEC, 0));
        fd = fd < 0 ? run->given.fd : fd;
    }
    if (end < 0 && fd >= 0)
        end = end_confirm(conduit, reach_descriptor(run->reach, conduit->thread, fd));
    pid_t process;
    (void)server;
    if (end < 0 && owner_find(conduit->inode, &process, &fd))
        end = end_confirm(conduit, reach_descriptor(run->reach, process, fd));
    return end;
}

/* A held end that is closed with unread octets in its queue breaks the program's: queued data, then
 * ECONNRESET, then the end. When the queue is empty an octet is put there through the program's own
 * end; after the program's SHUT_WR that is impossible, and it sees a plain end. */
static void held_soil(struct server *server, struct conduit *conduit) {
    int waiting = 0;
    if (conduit->fin_given) /* the end of the stream stays what the program reads */
        return;
    if (conduit->junk || (ioctl(conduit->held, FIONREAD, &waiting) == 0 && waiting > 0))
        return;
    int end = conduit_program_end(server, conduit);
    if (end < 0)
        return;
    send(end, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(end);
}

void conduits_break(struct server *server, uint64_t now) {
    while (server->doomed) {
        struct conduit *conduit = server->doomed;
        server->doomed = conduit->doomed_next;
        conduit->doomed = false;
        socket_release(server, conduit, true, now);
        sealed_open(server, conduit); /* or these octets would count as soil, and then be gone */
        held_soil(server, conduit);
        int waiting = 0;
        conduit->soiled = ioctl(conduit->held, FIONREAD, &waiting) == 0 && waiting > 0;
        held_close(server, conduit);
        conduit_haunt(server, conduit);
    }
}
