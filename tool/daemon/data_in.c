/* From the programs to the engine.
 *
 * Three steps, so that the copying is done without the lock: plan (who, and how much the engine can
 * take), receive, commit. Only who has the turn does this, and only he closes held ends and frees
 * conduits, so what was planned is still there at the commit.
 *
 * Octets are received into blocks that the engine then refers to. Small messages are put one after
 * another into one block (an arena); where the engine copied them, as it does with short ones, the
 * arena is used again from its start, while it is still in the processor's cache. A bulk flow gets
 * a block of its own for each receive.
 *
 * Edges: one recv() per turn; a full one may have left something, so the conduit is put back in the
 * line. A short one has emptied the queue, except at an urgent mark, or when the edge told of the
 * end too: octets and an end of stream that come together make one edge only. Then the end is
 * looked for at once, so that a server's last octets and its FIN are one segment. */
#define _GNU_SOURCE
#include "tool/daemon/call.h"
#include "tool/daemon/sealed.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    INLETS = 64,
    ARENA = 64 * 1024,
    ARENA_LEAST = 4 * 1024, /* an arena with less room left is given up */
    BULK = 128 * 1024,      /* two of the largest segments; more costs more than it saves */
    BULK_FROM = 32 * 1024,  /* a receive of so much makes a flow a bulk flow */
};

struct inlet {
    struct conduit *conduit;
    struct berth_block *block;
    size_t offset, room;
    ssize_t length; /* received; 0: end of stream; or a negative errno */
    bool urgent;    /* the one octet is urgent */
    bool at_mark;   /* an urgent octet may be next: short does not mean empty */
    bool at_end;    /* epoll has told of the end: it is next when the octets are */
    bool ended;     /* ... and has been found behind them, as an end of stream */
    bool reset;     /* ... or as ECONNRESET */
    bool own_block;
};

struct inlets {
    struct inlet list[INLETS];
    int count;
    struct berth_block *arena;
    size_t used;                         /* octets of the arena */
    struct berth_block *retired[INLETS]; /* arenas that were full, until the commit */
    int retired_count;
};

struct inlets *inlets_new(void) {
    return calloc(1, sizeof(struct inlets));
}

void inlets_free(struct inlets *inlets) {
    if (inlets && inlets->arena)
        berth_block_drop(inlets->arena);
    free(inlets);
}

/* ---- plan ---- */

static void inlet_add(struct inlets *inlets, struct conduit *conduit, size_t room) {
    struct inlet *inlet = &inlets->list[inlets->count++];
    *inlet = (struct inlet){.conduit = conduit,
                            .room = room,
                            .at_mark = conduit->urgent_in,
                            .at_end = conduit->hung_up || conduit->readable};
}

/* What the engine takes is known before anything is received: what it cannot take stays in the
 * program's own send buffer, and the program waits there as it would in TCP's. */
static void stream_plan(struct inlets *inlets, struct server *server, struct conduit *conduit,
                        struct berth_host *host, uint64_t now) {
    ssize_t space = conduit->finished ? 0 : berth_socket_send_space(host, conduit->socket);
    if (space > 0 && conduit->bulk && sealed_take(server, conduit, host, (size_t)space, now))
        return;
    if (space > 0)
        inlet_add(inlets, conduit, (size_t)space);
    else if (conduit->hung_up && (space < 0 || conduit->finished))
        conduit_close(server, conduit, false, now);
    else
        conduit->in_full = space == 0 && !conduit->finished;
}

static void conduit_plan(struct inlets *inlets, struct server *server, struct conduit *conduit,
                         uint64_t now) {
    struct berth_host *host = conduit_host(server, conduit);
    if (conduit->state == CONDUIT_GHOST)
        return;
    if (conduit->reset) {
        conduit_close(server, conduit, true, now);
        return;
    }
    if (host && conduit->state == CONDUIT_LISTENING && !conduit->hung_up)
        listener_serve(server, conduit, now);
    if (!host || (conduit->protocol == BERTH_TCP && conduit->state != CONDUIT_CONNECTED)) {
        if (conduit->hung_up)
            conduit_close(server, conduit, false, now);
    } else if (conduit->protocol == BERTH_TCP) {
        stream_plan(inlets, server, conduit, host, now);
    } else {
        inlet_add(inlets, conduit, MESSAGE_MAX);
    }
}

int inlets_plan(struct inlets *inlets, struct server *server, uint64_t now) {
    inlets->count = 0;
    while (server->ready && inlets->count < INLETS) {
        struct conduit *conduit = server->ready;
        server->ready = conduit->ready_next;
        conduit->ready = false;
        conduit_plan(inlets, server, conduit, now);
    }
    if (inlets->arena && inlets->arena->references == 1)
        inlets->used = 0;
    return inlets->count;
}

/* ---- receive ---- */

static bool arena_prepare(struct inlets *inlets, size_t wanted) {
    if (inlets->arena && ARENA - inlets->used >= (wanted < ARENA_LEAST ? wanted : ARENA_LEAST))
        return true;
    if (inlets->arena)
        inlets->retired[inlets->retired_count++] = inlets->arena;
    inlets->arena = berth_block_new(berth_allocator_default(), ARENA);
    inlets->used = 0;
    return inlets->arena != NULL;
}

static bool inlet_prepare(struct inlets *inlets, struct inlet *inlet) {
    if (inlet->conduit->bulk && inlet->room > ARENA) {
        if (inlet->room > BULK)
            inlet->room = BULK;
        inlet->block = berth_block_new(berth_allocator_default(), BULK);
        inlet->own_block = true;
        return inlet->block != NULL;
    }
    /* A datagram may need a whole arena. */
    size_t wanted = conduit_is_datagram(inlet->conduit) ? ARENA : inlet->room;
    if (conduit_is_datagram(inlet->conduit) && inlets->used > 0) {
        inlets->used = ARENA;
        wanted = ARENA_LEAST;
    }
    if (!arena_prepare(inlets, wanted))
        return false;
    inlet->block = inlets->arena;
    inlet->offset = inlets->used;
    if (inlet->room > ARENA - inlets->used)
        inlet->room = ARENA - inlets->used;
    return true;
}

/* Octets up to the urgent mark, or the urgent octet alone, which is taken as such: some kernels
 * drop it when it is read over. Once it is taken, newer kernels keep the mark for a while, without
 * an octet (EINVAL), and a plain receive may stop there with nothing, which is not the end of the
 * stream; Linux 6.1 says EAGAIN there, once, whatever follows. */
static ssize_t marked_receive(struct inlet *inlet, uint8_t *to) {
    int held = inlet->conduit->held, mark = 0;
    if (ioctl(held, SIOCATMARK, &mark) == 0 && mark) {
        ssize_t n = recv(held, to, 1, MSG_OOB | MSG_DONTWAIT);
        inlet->urgent = n == 1;
        if (n >= 0 || errno != EINVAL)
            return n;
    }
    ssize_t n = recv(held, to, inlet->room, MSG_DONTWAIT);
    struct pollfd poll_held = {.fd = held, .events = POLLRDHUP};
    if ((n < 0 && errno == EAGAIN) || (n == 0 && poll(&poll_held, 1, 0) == 0))
        n = recv(held, to, inlet->room, MSG_DONTWAIT);
    return n;
}

static ssize_t held_receive(struct inlet *inlet) {
    uint8_t *to = inlet->block->data + inlet->offset;
    ssize_t n = inlet->at_mark ? marked_receive(inlet, to)
                               : recv(inlet->conduit->held, to, inlet->room, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

/* What comes after a stream's last octets. */
static void end_receive(struct inlet *inlet) {
    if (!inlet->at_end || inlet->at_mark || inlet->length <= 0 ||
        (size_t)inlet->length == inlet->room || conduit_is_datagram(inlet->conduit))
        return;
    uint8_t *to = inlet->block->data + inlet->offset + inlet->length;
    ssize_t n = recv(inlet->conduit->held, to, inlet->room - (size_t)inlet->length, MSG_DONTWAIT);
    inlet->ended = n == 0;
    inlet->reset = n < 0 && errno == ECONNRESET;
    if (n > 0)
        inlet->length += n;
}

void inlets_receive(struct inlets *inlets) {
    for (int i = 0; i < inlets->count; i++) {
        struct inlet *inlet = &inlets->list[i];
        if (!inlet_prepare(inlets, inlet)) {
            inlet->length = -ENOMEM;
            continue;
        }
        inlet->length = held_receive(inlet);
        end_receive(inlet);
        if (inlet->length > 0 && !inlet->own_block)
            inlets->used += ((size_t)inlet->length + 63) & ~(size_t)63;
    }
}

/* ---- commit ---- */

/* The engine said that it had room: when it takes less now, memory is out, and octets in the middle
 * of a stream are lost. */
static void stream_send(struct server *server, struct inlet *inlet, struct berth_host *host,
                        uint64_t now) {
    struct conduit *conduit = inlet->conduit;
    ssize_t taken =
        berth_socket_send_block(host, conduit->socket, inlet->block, inlet->offset,
                                (size_t)inlet->length, inlet->urgent ? BERTH_MSG_OOB : 0, now);
    if (taken != inlet->length && (taken >= 0 || taken == -ENOMEM || taken == -EAGAIN)) {
        berth_socket_abort(host, conduit->socket, now);
        conduit->socket = 0;
        conduit_doom(server, conduit, ENOBUFS);
    }
    berth_network_touch(server->network, conduit->host);
}

static void stream_finish(struct server *server, struct conduit *conduit, struct berth_host *host,
                          uint64_t now) {
    if (conduit->hung_up) {
        conduit_close(server, conduit, false, now);
        return;
    }
    conduit->finished = true;
    berth_socket_shutdown(host, conduit->socket, BERTH_SHUT_WR, now);
    server_touch(server, conduit);
}

static void stream_commit(struct server *server, struct inlet *inlet, struct berth_host *host,
                          uint64_t now) {
    struct conduit *conduit = inlet->conduit;
    ssize_t length = inlet->length;
    if (length > 0) {
        stream_send(server, inlet, host, now);
        conduit->bulk = length >= BULK_FROM;
        conduit->reset = inlet->reset;
        if (inlet->ended && !conduit->doomed)
            stream_finish(server, conduit, host, now);
        else if ((size_t)length == inlet->room || inlet->at_mark || conduit->readable ||
                 conduit->hung_up)
            conduit_ready(server, conduit);
    } else if (length == 0) {
        stream_finish(server, conduit, host, now);
    } else if (length == -ECONNRESET) {
        /* RFC 9293 3.10.4: closed with unread data. The program is told nothing; its peer gets a
         * RST, after what was written before. */
        conduit_close(server, conduit, true, now);
    } else if (length == -ENOMEM) {
        conduit_ready(server, conduit);
    } else if (conduit->hung_up) {
        conduit_close(server, conduit, false, now);
    }
}

/* The program has shut down writing: nothing received is then the end, and no empty datagram,
 * unless more follows. */
static bool datagrams_ended(const struct conduit *conduit) {
    char octet;
    return conduit->readable && recv(conduit->held, &octet, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* A datagram that came through the pair: the program wrote it by a call that is not notified, to
 * its connected peer. Errors have nobody to be told to. */
static void datagram_commit(struct server *server, struct inlet *inlet, struct berth_host *host,
                            uint64_t now) {
    struct conduit *conduit = inlet->conduit;
    if (inlet->length == 0 && conduit->hung_up) {
        conduit_close(server, conduit, false, now);
        return;
    }
    if (inlet->length < 0 && inlet->length != -ECONNRESET)
        return;
    if (inlet->length == 0 && datagrams_ended(conduit))
        return;
    if (inlet->length >= 0) {
        berth_socket_send_to(host, conduit->socket, inlet->block->data + inlet->offset,
                             (size_t)inlet->length, NULL, now);
        server_touch(server, conduit);
    }
    conduit_ready(server, conduit);
}

static void inlet_commit(struct server *server, struct inlet *inlet, uint64_t now) {
    struct conduit *conduit = inlet->conduit;
    struct berth_host *host = conduit_host(server, conduit);
    server->counters.receives++;
    if (conduit->state == CONDUIT_GHOST)
        return;
    if (!host) {
        if (conduit->hung_up)
            conduit_close(server, conduit, false, now);
    } else if (conduit->protocol == BERTH_TCP) {
        stream_commit(server, inlet, host, now);
    } else {
        datagram_commit(server, inlet, host, now);
    }
}

void inlets_commit(struct inlets *inlets, struct server *server, uint64_t now) {
    for (int i = 0; i < inlets->count; i++) {
        struct inlet *inlet = &inlets->list[i];
        inlet_commit(server, inlet, now);
        if (inlet->own_block && inlet->block)
            berth_block_drop(inlet->block);
        now = server_give_way(server, now);
    }
    for (int i = 0; i < inlets->retired_count; i++)
        berth_block_drop(inlets->retired[i]);
    inlets->count = inlets->retired_count = 0;
}
