/* Bulk data that is never read: theory of operation.
 *
 * Between two computers whose links decide nothing, the daemon would receive octets into its memory
 * only to send them again. Instead it asks how many wait in the writer's socket, and hands the
 * engine a *sealed* block of that length: memory whose octets have not come. Sequence numbers,
 * windows, segments and acknowledgements go their way as ever, by reference; the reader's TCP has
 * the block in its queue a moment later, and the octets go from the writer's socket to the reader's
 * by splice(), through a pipe, as pages that nobody copies.
 *
 *   writer's queue: | gone | sealed block 1 | sealed block 2 | not yet seen |
 *                          `-- splice(), in the order of the stream
 *
 * A stream is delivered in its order, once, and a socket's queue is read in its order, once: that
 * is why the octets at the head of the writer's queue are always those of the first sealed block
 * that is not gone. A segment that is lost or sent twice changes nothing.
 *
 * Whatever needs the octets *opens* the blocks first, which is to receive them into their memory at
 * last; then they are as any other. So do: all requests of the control half (which may start a
 * capture or impair a link), an end of stream, urgent data, a close, a reader that takes less than
 * it was said to. Once octets are gone their memory stays empty: it is referred to until the
 * acknowledgement, and could be seen only if a link became impaired in that moment and lost it. */
#define _GNU_SOURCE
#include "tool/daemon/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SEALED_MOST = 512 * 1024, /* octets of one block; also the pipe's size */
    SEALED_FROM = 32 * 1024,  /* fewer are received: that is cheaper than it looks */
    ROOM_LEAST = 48 * 1024,   /* of the reader's queue, as the kernel counts it */
};

struct sealed {
    struct sealed *next, *previous; /* in the order of all */
    struct conduit *source;
    struct berth_block *block;
    uint32_t gone; /* octets that have been moved on */
};

/* ---- the list ---- */

static void sealed_unlink(struct server *server, struct sealed *sealed) {
    *(sealed->previous ? &sealed->previous->next : &server->sealed) = sealed->next;
    *(sealed->next ? &sealed->next->previous : &server->sealed_end) = sealed->previous;
}

static void sealed_link(struct server *server, struct sealed *sealed) {
    sealed->next = NULL;
    sealed->previous = server->sealed_end;
    *(sealed->previous ? &sealed->previous->next : &server->sealed) = sealed;
    server->sealed_end = sealed;
}

/* The oldest of a writer that is not gone. */
static struct sealed *sealed_of(const struct server *server, const struct conduit *source) {
    struct sealed *sealed = server->sealed;
    while (sealed && sealed->source != source)
        sealed = sealed->next;
    return sealed;
}

/* It is no longer one: all gone, or open. */
static void sealed_end(struct server *server, struct sealed *sealed) {
    sealed->source->sealed -= sealed->block->size - sealed->gone;
    sealed_unlink(server, sealed);
    sealed->source = NULL;
}

/* ---- blocks ---- */

struct sealed_memory {
    struct server *server;
    struct sealed sealed;
};

static void *sealed_allocate(void *context, size_t size) {
    (void)context;
    return malloc(size);
}

static void sealed_release(void *context, void *memory, size_t size) {
    (void)size;
    struct sealed_memory *own = context;
    if (own->sealed.source)
        sealed_end(own->server, &own->sealed);
    free(memory);
    free(own);
}

static struct sealed *sealed_new(struct server *server, struct conduit *source, uint32_t size) {
    struct sealed_memory *own = malloc(sizeof *own);
    if (!own)
        return NULL;
    struct berth_allocator allocator = {sealed_allocate, sealed_release, own};
    struct berth_block *block = berth_block_new(allocator, size);
    if (!block) {
        free(own);
        return NULL;
    }
    block->sealed = 1;
    own->server = server;
    own->sealed = (struct sealed){.source = source, .block = block};
    source->sealed += size;
    sealed_link(server, &own->sealed);
    return &own->sealed;
}

static struct sealed *sealed_behind(const struct berth_part *part) {
    return &((struct sealed_memory *)part->block->allocator.context)->sealed;
}

bool sealed_first(const struct berth_part *parts, int count) {
    return count > 0 && parts[0].block && parts[0].block->sealed;
}

/* ---- opening ---- */

static ssize_t octets_receive(const struct conduit *source, int pipe, uint8_t *to, size_t length) {
    ssize_t n = pipe >= 0 ? read(pipe, to, length) : -1;
    return n > 0 ? n : recv(source->held, to, length, MSG_DONTWAIT);
}

/* Octets that were there cannot be had any more: the connection is broken, not silently wrong. */
static void sealed_lost(struct server *server, struct conduit *source) {
    struct berth_host *host = conduit_host(server, source);
    if (!host)
        return;
    berth_socket_abort(host, source->socket, server->sealed_now);
    server_touch(server, source);
    source->socket = 0;
    conduit_doom(server, source, ECONNABORTED);
}

/* pipe: holds octets that come before those in the writer's queue; or -1. */
static void sealed_open_from(struct server *server, struct conduit *source, int pipe) {
    struct sealed *sealed;
    bool lost = false;
    while ((sealed = sealed_of(server, source))) {
        struct berth_block *block = berth_block_hold(sealed->block);
        uint32_t at = sealed->gone;
        while (at < block->size && !lost) {
            ssize_t n = octets_receive(source, pipe, block->data + at, block->size - at);
            lost = n <= 0;
            at += n > 0 ? (uint32_t)n : 0;
        }
        memset(block->data + at, 0, block->size - at);
        block->sealed = 0;
        sealed_end(server, sealed);
        berth_block_drop(block);
    }
    if (lost)
        sealed_lost(server, source);
}

void sealed_open(struct server *server, struct conduit *source) {
    if (source->sealed > 0)
        sealed_open_from(server, source, -1);
}

void sealed_open_all(struct server *server) {
    while (server->sealed)
        sealed_open_from(server, server->sealed->source, -1);
}

/* ---- from the writer ---- */

static bool sealed_may(struct server *server, const struct conduit *conduit,
                       struct berth_host *host) {
    struct berth_endpoint remote;
    return !server->sealed_off && !conduit->urgent_in && !conduit->hung_up && !conduit->readable &&
           berth_socket_remote(host, conduit->socket, &remote) == 0 &&
           remote.port != 53 && /* the network itself may answer there */
           berth_network_is_plain(server->network, conduit->host, &remote.ip);
}

bool sealed_take(struct server *server, struct conduit *conduit, struct berth_host *host,
                 size_t room, uint64_t now) {
    int waiting = 0;
    if (!sealed_may(server, conduit, host) || ioctl(conduit->held, FIONREAD, &waiting) < 0) {
        sealed_open(server, conduit);
        return false;
    }
    size_t fresh = (size_t)waiting - conduit->sealed;
    if (conduit->sealed == 0 && fresh < SEALED_FROM)
        return false;
    if (fresh == 0)
        return true;
    size_t size = fresh < room ? fresh : room;
    if (size > SEALED_MOST)
        size = SEALED_MOST;
    struct sealed *sealed = sealed_new(server, conduit, (uint32_t)size);
    if (!sealed) {
        sealed_open(server, conduit);
        return false;
    }
    struct berth_block *block = sealed->block;
    server->sealed_now = now;
    ssize_t taken = berth_socket_send_block(host, conduit->socket, block, 0, size, 0, now);
    server_touch(server, conduit);
    if (taken != (ssize_t)size)
        sealed_lost(server, conduit);
    berth_block_drop(block);
    if (size < fresh)
        conduit_ready(server, conduit);
    return true;
}

/* ---- to the reader ---- */

static bool pipe_prepare(struct server *server) {
    if (server->pipe[0] >= 0)
        return true;
    if (pipe2(server->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    /* With fewer places than this splice() moves less at a time. */
    fcntl(server->pipe[1], F_SETPIPE_SZ, SEALED_MOST);
    return true;
}

/* splice() waits for room in a socket unless the socket itself says not to. */
static void reader_prepare(struct conduit *to) {
    int yes = 1;
    if (!to->unblocked)
        ioctl(to->held, FIONBIO, &yes);
    to->unblocked = true;
}

/* What the reader's queue takes, near enough: what it does not take has to be copied after all. */
static size_t reader_room(const struct conduit *to) {
    int size = 0, used = 0;
    socklen_t length = sizeof size;
    getsockopt(to->held, SOL_SOCKET, SO_SNDBUF, &size, &length);
    ioctl(to->held, SIOCOUTQ, &used);
    return size > used ? (size_t)(size - used) : 0;
}

/* Octets at the start of the parts that are the next in their writer's queue. */
static size_t run_length(const struct berth_part *parts, int count, size_t most) {
    const struct sealed *first = sealed_behind(&parts[0]);
    size_t length = 0;
    for (int i = 0; i < count && length < most && parts[i].block && parts[i].block->sealed &&
                    sealed_behind(&parts[i])->source == first->source;
         i++)
        length += parts[i].length;
    return length < most ? length : most;
}

static void octets_gone(struct server *server, struct conduit *source, size_t length) {
    while (length > 0) {
        struct sealed *sealed = sealed_of(server, source);
        uint32_t left = sealed->block->size - sealed->gone;
        uint32_t gone = length < left ? (uint32_t)length : left;
        sealed->gone += gone;
        source->sealed -= gone;
        length -= gone;
        if (gone == left)
            sealed_end(server, sealed);
    }
}

ssize_t sealed_move(struct server *server, struct conduit *to, const struct berth_part *parts,
                    int count) {
    const struct sealed *first = sealed_behind(&parts[0]);
    struct conduit *source = first->source;
    bool next = source && sealed_of(server, source) == first &&
                parts[0].data == first->block->data + first->gone;
    if (!next) { /* cannot be; and to give wrong octets would be worse than to break */
        conduit_doom(server, to, ECONNABORTED);
        return -EIO;
    }
    if (to->discarding || !pipe_prepare(server)) {
        sealed_open(server, source);
        return 0;
    }
    reader_prepare(to);
    size_t room = reader_room(to);
    if (room < ROOM_LEAST)
        return -EAGAIN;
    size_t length = run_length(parts, count, room < SEALED_MOST ? room : SEALED_MOST);
    unsigned flags = SPLICE_F_NONBLOCK | SPLICE_F_MOVE;
    ssize_t taken = splice(source->held, NULL, server->pipe[1], NULL, length, flags);
    if (taken <= 0) {
        sealed_open(server, source);
        return 0;
    }
    ssize_t given = splice(server->pipe[0], NULL, to->held, NULL, (size_t)taken, flags);
    int error = given < 0 ? errno : 0;
    if (given < 0)
        given = 0;
    server->counters.sends++;
    octets_gone(server, source, (size_t)given);
    if (given < taken)
        sealed_open_from(server, source, server->pipe[0]);
    if (error == EINVAL)
        server->sealed_off = true; /* this kernel does not */
    return given > 0 || error == EINVAL ? given : -error;
}
