#define _GNU_SOURCE
#include "tool/daemon/conduit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

enum { FIRST_SLOTS = 64 };

/* ---- the table ---- */

int conduit_table_init(struct conduit_table *table) {
    *table = (struct conduit_table){.bucket_count = FIRST_SLOTS};
    table->buckets = calloc(FIRST_SLOTS, sizeof(struct conduit *));
    return table->buckets ? 0 : -ENOMEM;
}

void conduit_table_clear(struct conduit_table *table) {
    for (uint32_t i = 0; i < table->slot_count; i++)
        if (table->slots[i])
            conduit_free(table->slots[i]);
    free(table->slots);
    free(table->generations);
    free(table->free_slots);
    free(table->buckets);
    *table = (struct conduit_table){0};
}

static int slots_grow(struct conduit_table *table) {
    uint32_t count = table->slot_count ? table->slot_count * 2 : FIRST_SLOTS;
    void *slots = realloc(table->slots, count * sizeof(struct conduit *));
    if (slots)
        table->slots = slots;
    void *generations = realloc(table->generations, count * sizeof *table->generations);
    if (generations)
        table->generations = generations;
    void *free_slots = realloc(table->free_slots, count * sizeof *table->free_slots);
    if (free_slots)
        table->free_slots = free_slots;
    if (!slots || !generations || !free_slots)
        return -ENOMEM;
    for (uint32_t i = count; i > table->slot_count; i--) {
        table->slots[i - 1] = NULL;
        table->generations[i - 1] = 0;
        table->free_slots[table->free_count++] = i - 1;
    }
    table->slot_count = count;
    return 0;
}

static struct conduit **bucket_of(const struct conduit_table *table, uint64_t cookie) {
    return &table->buckets[(cookie * UINT64_C(0x9E3779B97F4A7C15) >> 32) &
                           (table->bucket_count - 1)];
}

/* A table that cannot grow goes on with longer chains. */
static void buckets_grow(struct conduit_table *table) {
    struct conduit **larger = calloc(table->bucket_count * 2, sizeof(struct conduit *));
    if (!larger)
        return;
    free(table->buckets);
    table->buckets = larger;
    table->bucket_count *= 2;
    for (uint32_t i = 0; i < table->slot_count; i++) {
        struct conduit *conduit = table->slots[i];
        if (conduit) {
            struct conduit **bucket = bucket_of(table, conduit->cookie);
            conduit->cookie_next = *bucket;
            *bucket = conduit;
        }
    }
}

int conduit_table_insert(struct conduit_table *table, struct conduit *conduit) {
    if (table->free_count == 0 && slots_grow(table) < 0)
        return -ENOMEM;
    if (table->count >= table->bucket_count)
        buckets_grow(table);
    uint32_t slot = table->free_slots[--table->free_count];
    uint32_t generation = ++table->generations[slot];
    table->slots[slot] = conduit;
    conduit->id = slot | (uint64_t)generation << 32;
    struct conduit **bucket = bucket_of(table, conduit->cookie);
    conduit->cookie_next = *bucket;
    *bucket = conduit;
    table->count++;
    return 0;
}

void conduit_table_remove(struct conduit_table *table, struct conduit *conduit) {
    struct conduit **at = bucket_of(table, conduit->cookie);
    while (*at && *at != conduit)
        at = &(*at)->cookie_next;
    if (!*at)
        return;
    *at = conduit->cookie_next;
    uint32_t slot = (uint32_t)conduit->id;
    table->slots[slot] = NULL;
    table->free_slots[table->free_count++] = slot;
    table->count--;
}

struct conduit *conduit_find(const struct conduit_table *table, uint64_t id) {
    uint32_t slot = (uint32_t)id;
    struct conduit *conduit = slot < table->slot_count ? table->slots[slot] : NULL;
    return conduit && conduit->id == id ? conduit : NULL;
}

struct conduit *conduit_find_cookie(const struct conduit_table *table, uint64_t cookie) {
    struct conduit *conduit = *bucket_of(table, cookie);
    while (conduit && conduit->cookie != cookie)
        conduit = conduit->cookie_next;
    return conduit;
}

/* ---- one conduit ---- */

uint64_t descriptor_cookie(int fd) {
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

void descriptor_resize(int fd, int size) {
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

/* A stream becomes a stream. Datagrams need boundaries and a sign of the other end's close, which
 * SOCK_DGRAM pairs do not give: SEQPACKET. The urgent octet of a stream must stay in its place
 * among the others: SO_OOBINLINE on the held end. A stream's buffers get their size when it is
 * known that it is used (calls_connect.c, calls_accept.c, data_out.c). */
static int pair_make(struct conduit *conduit, bool nonblocking, int most) {
    bool stream = conduit->protocol == BERTH_TCP;
    int type = (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC;
    int ends[2];
    if (socketpair(AF_UNIX, type | (nonblocking ? SOCK_NONBLOCK : 0), 0, ends) < 0)
        return errno == EMFILE ? -ENFILE : -errno;
    conduit->held = ends[0];
    conduit->spare_end = ends[1];
    if (ends[1] >= most)
        return -ENFILE;
    if (!stream) {
        descriptor_resize(ends[0], CONDUIT_DATAGRAM_BUFFER);
        descriptor_resize(ends[1], CONDUIT_DATAGRAM_BUFFER);
    }
    conduit->cookie = descriptor_cookie(ends[1]);
    struct stat status;
    if (fstat(ends[1], &status) == 0)
        conduit->inode = status.st_ino;
    return conduit->cookie ? 0 : -ENOTSOCK;
}

struct conduit *conduit_new(enum berth_protocol protocol, bool nonblocking, int most, int *error) {
    struct conduit *conduit = calloc(1, sizeof *conduit);
    if (!conduit) {
        *error = -ENOMEM;
        return NULL;
    }
    conduit->protocol = (uint8_t)protocol;
    conduit->state = CONDUIT_FRESH;
    conduit->held = conduit->spare_end = conduit->fd = -1;
    *error = pair_make(conduit, nonblocking, most);
    if (*error < 0) {
        conduit_free(conduit);
        return NULL;
    }
    return conduit;
}

void conduit_free(struct conduit *conduit) {
    if (conduit->held >= 0)
        close(conduit->held);
    if (conduit->spare_end >= 0)
        close(conduit->spare_end);
    free(conduit->datagrams.notes);
    free(conduit->datagram_returned);
    free(conduit->report_returned);
    options_forget(conduit);
    free(conduit);
}
