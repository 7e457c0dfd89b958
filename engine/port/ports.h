/* The inside of struct ports, for the files of engine/port/ only.
 *
 * What is kept, and who keeps it:
 *
 * - connections (demux.c): the four numbers of every connection lead to its reference, in a
 *   ref_index.
 * - places (place.c): one record for every address and port that a bind or a connection uses, in a
 *   list for each port; from the fifth place of a port on also in a ref_index.
 * - binds (table.c): one record for every bind, in its place's list, and Linux's rules. listen.c
 *   knows which of them listen, and who gets what arrives.
 * - spaces (space.c): while ports are scarce, the set of ports that are free toward one
 *   destination, or for a bind at one address. ephemeral.c draws a port: blindly while most are
 *   free, from a space when few are.
 *
 * All of it is taken as it is needed and given back as it is not: a host without sockets holds this
 * struct alone. */
#ifndef ENGINE_PORT_PORTS_H
#define ENGINE_PORT_PORTS_H

#include "engine/base/pool.h"
#include "engine/port/place.h"
#include "engine/port/port.h"
#include "engine/port/ref_index.h"
#include "engine/port/space.h"

/* Several binds of one place that all listen with SO_REUSEPORT: what arrives is spread over them.
 */
struct listen_group {
    uint32_t *members; /* bind records */
    uint32_t count, capacity;
};

struct bind {
    uint32_t next; /* of the place's list, the newest first */
    uint32_t previous;
    uint32_t place;
    uint32_t owner;             /* 0: the record is not in use */
    struct listen_group *group; /* NULL: in none */
    uint32_t slot;              /* in group->members */
    uint8_t flags;              /* enum ports_flags */
    bool listening;
};

enum { PORTS_RECENT = 64 };

struct ports {
    struct berth_allocator allocator;
    struct random *random; /* the host's */
    struct ports_owner_ops ops;
    uint16_t first, last;          /* the ephemeral range */
    uint16_t recent[PORTS_RECENT]; /* drawn for connections, the newest at recent_next - 1 */
    uint32_t recent_next;

    struct ref_index connections;
    struct siphash_key connection_key;

    struct place_table places;
    struct pool binds;
    struct spaces spaces;

    size_t memory; /* octets taken with ports_allocate */
};

void *ports_allocate(struct ports *ports, size_t size);
void ports_release(struct ports *ports, void *memory, size_t size);

/* ---- demux.c ---- */
void demux_init(struct ports *ports);
void demux_clear(struct ports *ports);
/* The reference of any connection with that local address and port, for messages; 0 if none was
 * found. */
uint32_t demux_any_at(struct ports *ports, const struct berth_ip *local, uint16_t port);

/* ---- table.c ---- */
void table_init(struct ports *ports);
void table_clear(struct ports *ports);

static inline struct bind *bind_at(const struct ports *ports, uint32_t bind) {
    return pool_at(&ports->binds, bind);
}

/* ---- listen.c ---- */
/* Nothing stands in the way of it. 0 or -ENOMEM. */
int listen_start(struct ports *ports, uint32_t bind);
void listen_stop(struct ports *ports, uint32_t bind);

/* ---- ephemeral.c ---- */
/* A port of the range for a connection to tuple->remote: unique in its four numbers, not bound.
 * Written to the tuple. -EADDRNOTAVAIL. */
int ephemeral_for_connect(struct ports *ports, struct tuple *tuple);
/* A port of the range that nothing uses in conflict with a bind to `name`; 0 if there is none. */
uint16_t ephemeral_for_bind(struct ports *ports, const struct place_name *name);
/* A client's connection from a port of its own choice is about to be added: notes how dense its
 * destination is. */
void ephemeral_watch(struct ports *ports, const struct tuple *tuple);

#endif
