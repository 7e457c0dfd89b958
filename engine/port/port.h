/* Ports: who owns which, which one a client gets, and which connection four numbers name. THE
 * HEART.
 *
 * One struct ports per host and transport protocol holds three parts, one idea (and one or two
 * files) each: table      binds: port x address, with Linux's rules for SO_REUSEADDR, SO_REUSEPORT,
 * wildcard and dual stack; the most specific match wins ephemeral  a free port for a client:
 * unpredictable (RFC 6056) and constant time at any occupancy demux      four numbers ->
 * connection: keyed open addressing, 64-byte buckets, incremental growth Owners and connections are
 * 32-bit references of the protocol's own, never 0. */
#ifndef ENGINE_PORT_PORT_H
#define ENGINE_PORT_PORT_H

#include "engine/base/random.h"
#include <berth/addr.h>
#include <berth/frame.h>

/* The four numbers. */
struct tuple {
    struct berth_ip local, remote;
    uint16_t local_port, remote_port; /* host order */
};

/* How the demultiplexer sees what a reference names. */
struct ports_owner_ops {
    /* The four numbers of a reference that is in the demultiplexer. */
    void (*tuple_of)(void *context, uint32_t reference, struct tuple *tuple);
    void (*prefetch)(void *context, uint32_t reference); /* touches its record; may be NULL */
    void *context;
};

struct ports; /* opaque to the protocols: engine/port/ knows it */

struct ports *ports_new(struct berth_allocator allocator, struct random *random,
                        const struct ports_owner_ops *ops);
void ports_free(struct ports *ports);
/* The ephemeral range, inclusive. 0 or -EINVAL. */
int ports_set_range(struct ports *ports, uint16_t first, uint16_t last);

/* ---- the table ---- */

enum ports_flags {
    PORTS_REUSEADDR = 1u << 0,
    PORTS_REUSEPORT = 1u << 1,
    PORTS_V6ONLY = 1u << 2,
    PORTS_STREAM = 1u << 3, /* TCP's rule: two REUSEADDR binds conflict when one of them listens;
                               UDP's: they never do */
};

/* Binds `owner` to local->ip and local->port; port 0 picks one from the range (written to *local)
 * that conflicts with no bind and no connection. *bind gets the bind's reference. -EADDRINUSE,
 * -ENOMEM. */
int ports_bind(struct ports *ports, struct berth_endpoint *local, unsigned flags, uint32_t owner,
               uint32_t *bind);
void ports_unbind(struct ports *ports, uint32_t bind);
/* Later changes of the owner's options count as on Linux. */
void ports_set_flags(struct ports *ports, uint32_t bind, unsigned flags);
/* Marks the bind as listening (TCP) or receiving (UDP: done by bind itself for UDP through this
 * too). -EADDRINUSE: another one listens at that place and REUSEPORT does not allow both. */
int ports_listen(struct ports *ports, uint32_t bind, bool listening);
/* The owner of the bind that stands in the way of a bind with those flags; 0 if none does (a
 * connection may). */
uint32_t ports_conflict(struct ports *ports, const struct berth_endpoint *local, unsigned flags);
/* The reference of a connection that stands in the way of it; 0 if none was found in a bounded
 * search. For messages. */
uint32_t ports_conflict_connection(struct ports *ports, const struct berth_endpoint *local,
                                   unsigned flags);
/* The listening owner for what arrives at that address and port: the exact address before the
 * wildcard of its family before the dual-stack one; `flow` chooses among a REUSEPORT group. 0 if
 * none. */
uint32_t ports_lookup(struct ports *ports, const struct berth_ip *local, uint16_t port,
                      uint64_t flow);
/* True if anything (bind or connection) uses that port. */
bool ports_in_use(struct ports *ports, uint16_t port);

/* ---- connections ---- */

/* Puts a connection into the demultiplexer. local_port 0: chooses one from the range, unique in its
 * four numbers and in conflict with no bind to a specific use of that port, and writes it to
 * *tuple. -EADDRNOTAVAIL (all ports toward that destination are used), -EADDRINUSE (these four
 * numbers are), -ENOMEM. */
int ports_connect(struct ports *ports, struct tuple *tuple, uint32_t reference);
void ports_disconnect(struct ports *ports, const struct tuple *tuple, uint32_t reference);
/* The same four numbers now name another reference (a connection becomes its TIME-WAIT record, a
 * half-open record its connection). ops->tuple_of must hold for `to`. */
void ports_rename(struct ports *ports, const struct tuple *tuple, uint32_t from, uint32_t to);
/* The reference of these four numbers, or 0. */
uint32_t ports_find(struct ports *ports, const struct tuple *tuple);

/* The same in steps, for batches: hash all and prefetch, then perhaps prefetch the records that
 * were found (with ops->prefetch), then find. */
uint64_t ports_hash(const struct ports *ports, const struct tuple *tuple);
void ports_prefetch(const struct ports *ports, uint64_t hash);
void ports_prefetch_record(const struct ports *ports, uint64_t hash);
uint32_t ports_find_hashed(struct ports *ports, const struct tuple *tuple, uint64_t hash);

/* What is used, for EADDRNOTAVAIL's explanation and tests. */
size_t ports_connections(const struct ports *ports);
/* Ports in use toward one destination (counts by probing: slow, for messages). */
uint32_t ports_used_toward(struct ports *ports, const struct berth_ip *local,
                           const struct berth_ip *remote, uint16_t remote_port);
/* Octets of memory held. */
size_t ports_memory(const struct ports *ports);

#endif
