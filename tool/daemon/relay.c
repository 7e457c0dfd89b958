/* TCP through the gateway: a connection of the gateway's host joined to one of this machine.
 *
 *   outward: KNOCKING, a SYN waits inside while the machine's socket connects; ADMITTED, the SYN
 *            has gone on to a listener at the address it was for (a *door*), and the handshake
 *            inside runs; OPEN.
 *   inward:  REACHING, a client of a published port is here, and the gateway's host connects to the
 *            computer; OPEN.
 *
 * Octets are taken only as fast as the other side takes them: both sides' windows do the rest. The
 * end of one direction is passed on as such, an error as a RST. */
#define _GNU_SOURCE
#include "tool/daemon/gateway_state.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CHUNKS = 4, PARTS = 16, DOOR_BACKLOG = 4096, HANDSHAKE_LIFE = 120 };

enum relay_state { KNOCKING, ADMITTED, REACHING, OPEN };

/* A listener of the gateway's host at an address outside, for as long as handshakes run there. */
struct door {
    struct door *next;
    struct berth_endpoint at;
    berth_handle listener;
    unsigned users;
};

struct relay {
    struct outlet outlet;       /* first; the machine's socket */
    struct relay *next, **link; /* until it is OPEN */
    enum relay_state state;
    struct berth_stray stray;              /* KNOCKING */
    struct berth_endpoint inside, outside; /* outward: the SYN's source and destination */
    struct door *door;                     /* ADMITTED */
    berth_handle socket;                   /* of the gateway's host; 0: none yet */
    uint16_t port;                         /* REACHING: the computer's */
    struct berth_endpoint client;
    bool other_family;        /* REACHING: the client's family has been tried */
    bool out_full;            /* the machine's socket takes no more now */
    bool in_full;             /* the host's socket takes no more now */
    bool out_ended, in_ended; /* the end was passed on: outward, inward */
};

/* ---- beginning and end ---- */

static void door_leave(struct server *server, struct door *door) {
    struct door **link = &server->gateway->doors;
    if (--door->users > 0)
        return;
    while (*link != door)
        link = &(*link)->next;
    *link = door->next;
    berth_socket_close(gateway_engine(server), door->listener, server->gateway->now);
    free(door);
}

/* The door at that address, opened if need be; NULL: it cannot be. */
static struct door *door_enter(struct server *server, const struct berth_endpoint *at,
                               uint64_t now) {
    struct berth_host *host = gateway_engine(server);
    struct door *door = server->gateway->doors;
    while (door && !(door->at.port == at->port && berth_ip_equal(&door->at.ip, &at->ip)))
        door = door->next;
    if (door) {
        door->users++;
        return door;
    }
    door = calloc(1, sizeof *door);
    if (!door)
        return NULL;
    int result =
        berth_socket_open(host, berth_ip_is_v4(&at->ip) ? 4 : 6, BERTH_TCP, &door->listener);
    if (result == 0) {
        berth_socket_set_option(host, door->listener, BERTH_SO_REUSEADDR, 1, now);
        result = berth_socket_bind(host, door->listener, at);
        if (result == 0)
            result = berth_socket_listen(host, door->listener, DOOR_BACKLOG);
        if (result < 0)
            berth_socket_close(host, door->listener, now);
    }
    if (result < 0) {
        free(door);
        return NULL;
    }
    door->at = *at;
    door->users = 1;
    door->next = server->gateway->doors;
    server->gateway->doors = door;
    return door;
}

static void pending_leave(struct relay *relay) {
    if (!relay->link)
        return;
    *relay->link = relay->next;
    if (relay->next)
        relay->next->link = relay->link;
    relay->link = NULL;
}

static void relay_free(struct server *server, struct relay *relay) {
    pending_leave(relay);
    outlet_close(server, &relay->outlet);
    if (relay->door)
        door_leave(server, relay->door);
    berth_stray_drop(&relay->stray);
    gateway_touch(server);
    free(relay);
}

/* Both sides hear that it broke. */
static void relay_break(struct server *server, struct relay *relay) {
    const struct linger at_once = {1, 0};
    if (relay->outlet.fd >= 0)
        setsockopt(relay->outlet.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (relay->socket)
        berth_socket_abort(gateway_engine(server), relay->socket, server->gateway->now);
    relay_free(server, relay);
}

static void relay_drop(struct server *server, struct outlet *outlet) {
    relay_break(server, (struct relay *)(void *)outlet);
}

static void relay_ready(struct server *server, struct outlet *outlet, uint32_t events,
                        uint64_t now);

/* A new one that waits; `fd` is given, whatever becomes of it. */
static struct relay *relay_new(struct server *server, int fd, enum relay_state state,
                               uint32_t events, int host, uint64_t now) {
    struct gateway *gateway = server->gateway;
    struct relay *relay = calloc(1, sizeof *relay);
    int on = 1;
    if (!relay) {
        close(fd);
        return NULL;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    relay->outlet = (struct outlet){.ready = relay_ready,
                                    .drop = relay_drop,
                                    .fd = fd,
                                    .host = host,
                                    .expires = now + HANDSHAKE_LIFE * BERTH_SECOND};
    relay->state = state;
    if (outlet_add(server, &relay->outlet, events) < 0) {
        free(relay);
        return NULL;
    }
    relay->next = gateway->relays;
    relay->link = &gateway->relays;
    if (relay->next)
        relay->next->link = &relay->next;
    gateway->relays = relay;
    return relay;
}

/* ---- octets ---- */

static void relay_interest(struct server *server, struct relay *relay) {
    uint32_t events = 0;
    if (!relay->in_full && !relay->in_ended)
        events |= EPOLLIN;
    if (relay->out_full)
        events |= EPOLLOUT;
    outlet_watch(server, &relay->outlet, events);
}

/* From the computer to the machine's socket. False when that is broken. */
static bool carry_out(struct server *server, struct relay *relay, uint64_t now) {
    struct berth_host *host = gateway_engine(server);
    while (!relay->out_full && !relay->out_ended) {
        struct berth_part parts[PARTS];
        struct iovec pieces[PARTS];
        int count = berth_socket_borrow(host, relay->socket, parts, PARTS);
        if (count < 0)
            return count == -EAGAIN;
        if (count == 0) {
            relay->out_ended = true;
            shutdown(relay->outlet.fd, SHUT_WR);
            break;
        }
        for (int i = 0; i < count; i++)
            pieces[i] = (struct iovec){(void *)(uintptr_t)parts[i].data, parts[i].length};
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
        ssize_t sent = sendmsg(relay->outlet.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            relay->out_full = true;
        else if (sent < 0)
            return false;
        else
            berth_socket_give_back(host, relay->socket, (size_t)sent, now);
    }
    return true;
}

/* One read, as much as the computer's side takes. 1: there may be more; 0: not now; -1: broken. */
static int carry_in_once(struct server *server, struct relay *relay, uint64_t now) {
    struct berth_host *host = gateway_engine(server);
    ssize_t room = berth_socket_send_space(host, relay->socket);
    if (room <= 0) {
        relay->in_full = room == 0 || room == -EAGAIN;
        return relay->in_full ? 0 : -1;
    }
    uint8_t *buffer = server->gateway->buffer;
    size_t size = room < DATAGRAM_MAX ? (size_t)room : DATAGRAM_MAX;
    ssize_t got = recv(relay->outlet.fd, buffer, size, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (got == 0) {
        relay->in_ended = true;
        berth_socket_shutdown(host, relay->socket, BERTH_SHUT_WR, now);
        return 0;
    }
    /* There was room: else it has just ended. */
    if (berth_socket_send(host, relay->socket, buffer, (size_t)got, 0, now) != got)
        return -1;
    return got == (ssize_t)size;
}

/* Carries what it can both ways, and ends what has ended. */
static void relay_carry(struct server *server, struct relay *relay, uint64_t now) {
    bool whole = carry_out(server, relay, now);
    for (int i = 0; whole && i < CHUNKS && !relay->in_full && !relay->in_ended; i++) {
        int more = carry_in_once(server, relay, now);
        whole = more >= 0;
        if (more <= 0)
            break;
    }
    gateway_touch(server);
    if (!whole) {
        relay_break(server, relay);
        return;
    }
    if (relay->in_ended && relay->out_ended) {
        berth_socket_close(gateway_engine(server), relay->socket, now);
        relay_free(server, relay);
        return;
    }
    relay_interest(server, relay);
}

static void relay_open(struct server *server, struct relay *relay, uint64_t now) {
    pending_leave(relay);
    relay->state = OPEN;
    relay->outlet.expires = BERTH_NEVER;
    berth_socket_set_option(gateway_engine(server), relay->socket, BERTH_TCP_NODELAY, 1, now);
    relay_carry(server, relay, now);
}

/* ---- outward ---- */

static void stray_answer(struct server *server, struct berth_stray *stray, int error,
                         uint64_t now) {
    if (error == ECONNREFUSED) /* nobody listens there: a RST, as outside */
        berth_host_admit_stray(gateway_engine(server), stray, now);
    else if (error == EMFILE || error == ENOMEM || error == ENOBUFS)
        berth_stray_drop(stray); /* it will be sent again */
    else
        berth_host_refuse_stray(gateway_engine(server), stray, refusal_of(error), now);
    gateway_touch(server);
}

static bool is_knocking(const struct server *server, const struct berth_stray *stray) {
    const struct relay *relay = server->gateway->relays;
    for (; relay; relay = relay->next)
        if (relay->state == KNOCKING && relay->inside.port == stray->source.port &&
            relay->outside.port == stray->destination.port &&
            berth_ip_equal(&relay->inside.ip, &stray->source.ip) &&
            berth_ip_equal(&relay->outside.ip, &stray->destination.ip))
            return true;
    return false;
}

void relay_stray(struct server *server, struct berth_stray *stray, uint64_t now) {
    struct berth_endpoint target = address_outward(server, &stray->destination);
    union address address;
    socklen_t length = address_of(&target, &address);
    if (is_knocking(server, stray)) {
        berth_stray_drop(stray);
        return;
    }
    if (!gateway_allows(server, &stray->destination)) {
        berth_host_refuse_stray(gateway_engine(server), stray,
                                server->gateway->open ? BERTH_REFUSE_PROHIBITED : BERTH_REFUSE_NET,
                                now);
        return;
    }
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error =
        fd < 0 || (connect(fd, &address.any, length) < 0 && errno != EINPROGRESS) ? errno : 0;
    if (error) {
        if (fd >= 0)
            close(fd);
        stray_answer(server, stray, error, now);
        return;
    }
    int host = berth_network_find_address(server->network, &stray->source.ip);
    struct relay *relay = relay_new(server, fd, KNOCKING, EPOLLOUT, host, now);
    if (!relay) {
        stray_answer(server, stray, EMFILE, now);
        return;
    }
    relay->inside = stray->source;
    relay->outside = stray->destination;
    relay->stray = *stray;
}

/* The outside has answered. */
static void knock_end(struct server *server, struct relay *relay, uint64_t now) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(relay->outlet.fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (!error && !(relay->door = door_enter(server, &relay->outside, now)))
        error = ENOMEM;
    if (error) {
        stray_answer(server, &relay->stray, error, now);
        relay_free(server, relay);
        return;
    }
    relay->state = ADMITTED;
    outlet_watch(server, &relay->outlet, 0);
    berth_host_admit_stray(gateway_engine(server), &relay->stray, now);
    gateway_touch(server);
}

/* Handshakes at a door are over. */
static void door_serve(struct server *server, struct door *door, uint64_t now) {
    struct berth_host *host = gateway_engine(server);
    berth_handle connection;
    door->users++; /* while we are at it */
    while (berth_socket_accept(host, door->listener, &connection) == 0) {
        struct berth_endpoint inside;
        struct relay *relay = server->gateway->relays;
        if (berth_socket_remote(host, connection, &inside) < 0)
            relay = NULL;
        while (relay && !(relay->state == ADMITTED && relay->door == door &&
                          relay->inside.port == inside.port &&
                          berth_ip_equal(&relay->inside.ip, &inside.ip)))
            relay = relay->next;
        if (!relay) {
            berth_socket_abort(host, connection, now);
            continue;
        }
        relay->socket = connection;
        berth_socket_set_user(host, connection, relay->outlet.key);
        relay->door = NULL;
        door->users--;
        relay_open(server, relay, now);
    }
    door_leave(server, door);
}

/* ---- inward ---- */

/* From the client's own numbers where they are free. */
static int connect_from(struct server *server, struct relay *relay,
                        const struct berth_endpoint *from, const struct berth_endpoint *to,
                        uint64_t now) {
    struct berth_host *host = gateway_engine(server);
    int result =
        berth_socket_open(host, berth_ip_is_v4(&to->ip) ? 4 : 6, BERTH_TCP, &relay->socket);
    if (result < 0) {
        relay->socket = 0;
        return result;
    }
    berth_socket_set_user(host, relay->socket, relay->outlet.key);
    berth_socket_set_option(host, relay->socket, BERTH_SO_REUSEADDR, 1, now);
    result = berth_socket_bind(host, relay->socket, from);
    if (result == 0)
        result = berth_socket_connect(host, relay->socket, to, now);
    if (result == 0 || result == -EINPROGRESS)
        return 0;
    berth_socket_abort(host, relay->socket, now);
    relay->socket = 0;
    return result;
}

/* Connects to the computer by one family. */
static int reach(struct server *server, struct relay *relay, bool v4, uint64_t now) {
    struct berth_endpoint to = {.port = relay->port};
    if (!computer_address(server, relay->outlet.host, v4, &to.ip))
        return -EHOSTUNREACH;
    struct berth_endpoint from = address_inward(server, &relay->client, &to.ip);
    int result = connect_from(server, relay, &from, &to, now);
    if (result == -EADDRINUSE || result == -EADDRNOTAVAIL) {
        from.port = 0;
        result = connect_from(server, relay, &from, &to, now);
    }
    gateway_touch(server);
    return result;
}

void relay_client(struct server *server, const struct published *published, int fd,
                  const struct berth_endpoint *client, uint64_t now) {
    struct relay *relay = relay_new(server, fd, REACHING, 0, published->port.host, now);
    if (!relay)
        return;
    bool v4 = berth_ip_is_v4(&client->ip);
    relay->port = published->port.inside;
    relay->client = *client;
    if (reach(server, relay, v4, now) == 0)
        return;
    relay->other_family = true;
    if (reach(server, relay, !v4, now) < 0)
        relay_break(server, relay);
}

/* The computer did not want it; perhaps it listens with the other family only. */
static void reach_failed(struct server *server, struct relay *relay, uint64_t now) {
    berth_socket_abort(gateway_engine(server), relay->socket, now);
    relay->socket = 0;
    bool tried = relay->other_family;
    relay->other_family = true;
    if (tried || reach(server, relay, !berth_ip_is_v4(&relay->client.ip), now) < 0)
        relay_break(server, relay);
}

/* ---- what happens ---- */

static void relay_ready(struct server *server, struct outlet *outlet, uint32_t events,
                        uint64_t now) {
    struct relay *relay = (struct relay *)(void *)outlet;
    server->gateway->now = now;
    if (relay->state == KNOCKING) {
        knock_end(server, relay, now);
        return;
    }
    if (events & (EPOLLHUP | EPOLLERR) && relay->state != OPEN) {
        relay_break(server, relay); /* the client has gone */
        return;
    }
    if (relay->state != OPEN)
        return;
    if (events & EPOLLOUT)
        relay->out_full = false;
    if (events & EPOLLERR || (events & EPOLLHUP && relay->in_ended)) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(outlet->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error || !relay->out_ended) {
            relay_break(server, relay);
            return;
        }
    }
    relay_carry(server, relay, now);
}

void relay_event(struct server *server, const struct berth_event *event, uint64_t now) {
    server->gateway->now = now;
    for (struct door *door = server->gateway->doors; door; door = door->next)
        if (door->listener == event->socket) {
            door_serve(server, door, now);
            return;
        }
    struct outlet *outlet = outlet_find(server, event->user);
    struct relay *relay = (struct relay *)(void *)outlet;
    if (!outlet || outlet->ready != relay_ready || relay->socket != event->socket)
        return;
    if (relay->state == REACHING) {
        if (event->bits & BERTH_CONNECTED)
            relay_open(server, relay, now);
        else if (event->bits & (BERTH_ERROR | BERTH_CLOSED))
            reach_failed(server, relay, now);
        return;
    }
    if (relay->state != OPEN)
        return;
    if (event->bits & BERTH_WRITABLE)
        relay->in_full = false;
    if (event->bits & BERTH_CLOSED) {
        int error = 0;
        berth_socket_get_option(gateway_engine(server), relay->socket, BERTH_SO_ERROR, &error);
        if (error) {
            relay_break(server, relay);
            return;
        }
    }
    relay_carry(server, relay, now);
}
