/* Places: (address, port) pairs that something uses, and how.
 *
 * A port leads to the list of its places. Nearly always that list is one or two long, so a place is
 * found by walking at most four; those that come fifth or later are in a hash index too (a thousand
 * addresses on port 80). New places go to the list's end, and what leaves lets the others move
 * forward: so a place that is not in the index is always among the first four. */
#ifndef ENGINE_PORT_PLACE_H
#define ENGINE_PORT_PLACE_H

#include "engine/base/pool.h"
#include "engine/port/port.h"
#include "engine/port/port_set.h"
#include "engine/port/ref_index.h"

/* An address as binds see it. `::` is two: the one that takes IPv4 too, and IPv6 only. */
struct place_name {
    struct berth_ip ip;
    uint16_t port;
    bool v6only; /* false unless ip is `::` */
};

struct place {
    uint32_t next;     /* of the port's list; 0 at its end */
    uint32_t previous; /* the first's is the last */
    uint32_t connections;
    uint32_t binds;    /* list of bind records, the newest first */
    uint32_t listener; /* the newest of them that listens; 0 none */
    struct berth_ip ip;
    uint16_t port;
    bool v6only, indexed;
};

struct port_page {
    uint32_t heads[64]; /* first place of each of 64 ports */
};

/* Taken with the first place, given back with the last. */
struct port_usage {
    struct port_set free; /* ports without a place */
    struct port_page *pages[PORT_SET_WORDS];
};

struct place_table {
    struct port_usage *usage;
    uint32_t v6_places; /* those of IPv6 addresses */
    struct pool pool;
    struct ref_index index;
    struct siphash_key key;
};

void places_init(struct ports *ports);
void places_clear(struct ports *ports);

static inline struct place *place_at(const struct place_table *table, uint32_t place) {
    return pool_at(&table->pool, place);
}
/* The first place of a port; 0 if it has none. */
static inline uint32_t place_first(const struct place_table *table, uint16_t port) {
    const struct port_page *page = table->usage ? table->usage->pages[port / 64] : NULL;
    return page ? page->heads[port % 64] : 0;
}

static inline void place_prefetch_head(const struct place_table *table, uint16_t port) {
    if (table->usage && table->usage->pages[port / 64])
        __builtin_prefetch(&table->usage->pages[port / 64]->heads[port % 64]);
}

uint32_t place_find(const struct place_table *table, const struct place_name *name);
/* The same, made if it is not there; 0 when memory is out. */
uint32_t place_need(struct ports *ports, const struct place_name *name);
/* Gives the place back if nothing uses it any more. */
void place_drop_unused(struct ports *ports, uint32_t place);

/* True if one socket at `a` and another at `b` would be in each other's way (the same port is
 * understood). */
bool place_overlaps(const struct place_name *a, const struct berth_ip *ip, bool v6only);
/* The names under which what is meant for `name` can be found, most specific first: the name, and
 * if it is a specific address, its family's wildcard and the dual-stack one. Returns how many
 * (1..3). Not for what a wildcard overlaps with: that is found by walking the port's places. */
int place_covering(const struct place_name *name, struct place_name names[3]);
/* True if a bind (not a mere connection) at that port covers the specific address. */
bool place_is_bound(const struct place_table *table, const struct berth_ip *ip, uint16_t port);

#endif
