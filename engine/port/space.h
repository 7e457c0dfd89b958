/* Spaces: the set of ports that are free for one purpose, kept only while such ports are scarce.
 *
 * A port for a connection must be unique in its four numbers, so "free" means something else for
 * each (local address, remote address, remote port); a port for a bind must be in nobody's way at
 * its address. Whether one port is free costs one or two look-ups, so as long as most are free,
 * nothing more is needed than to try ports at random. When tries fail, a space is made: a port_set
 * of 8.7 KiB of the ports of the range that are free for that purpose. It is filled a few ports at
 * each call, from a random port on, so that no call stalls; the ports in its filled part are kept
 * true by every connection, bind and end that touches them. Once all of the range is filled in, one
 * draw gives a free port or says that there is none, at any occupancy, at the same cost.
 *
 * A space is dropped when its purpose has become sparse again, when the range changes, or when
 * there are too many (the oldest goes). */
#ifndef ENGINE_PORT_SPACE_H
#define ENGINE_PORT_SPACE_H

#include "engine/port/place.h"

enum {
    SPACE_HEADS = 256,
    /* Ports looked at in a call; toward a destination each may cost a cache miss or two. */
    SPACE_STEP_CONNECT = 4,
    SPACE_STEP_BIND = 8,
    SPACES_CONNECT_MAX = 1024,
    SPACES_BIND_MAX = 8,
};

/* What the ports are for. A bind's has no remote; remote_port 0 tells. */
struct space_purpose {
    struct berth_ip local, remote;
    uint16_t remote_port;
    bool v6only; /* of a bind to `::` */
};

struct space {
    struct space *next_hashed;     /* connect spaces */
    struct space *next, *previous; /* all of that kind, the newest first */
    struct space_purpose purpose;
    uint32_t start;  /* the filled part: from the start-th port of the range on, */
    uint32_t filled; /* so many, round and round */
    struct port_set free;
};

struct space_list {
    struct space *first, *last;
    uint32_t count;
};

struct spaces {
    struct space **heads; /* SPACE_HEADS chains of connect spaces; NULL while there is none */
    struct siphash_key key;
    struct space_list connect, bind;
};

void spaces_init(struct ports *ports);
void spaces_clear(struct ports *ports);

/* The space of that purpose, or NULL. */
struct space *space_find(struct ports *ports, const struct space_purpose *purpose);
/* The same, made if it is not there; NULL when memory is out. */
struct space *space_need(struct ports *ports, const struct space_purpose *purpose);
/* True when every port of the range is in the filled part. */
bool space_is_full(const struct ports *ports, const struct space *space);
/* Fills a few ports more, if there are any left. */
void space_fill(struct ports *ports, struct space *space);
/* A free port of the range; 0 if there is none. Fills on as far as it must to be sure. */
uint16_t space_search(struct ports *ports, struct space *space);

/* Whether a tuple's local port can be had, in three steps, so that several can be asked about at
 * once, their cache lines on the way together: hash all, prefetch all, then ask. */
uint64_t candidate_hash(struct ports *ports, const struct tuple *tuple);
void candidate_prefetch(struct ports *ports, const struct tuple *tuple, uint64_t hash);
bool candidate_is_free(struct ports *ports, const struct tuple *tuple, uint64_t hash);

/* A connection was made, or one went. */
void spaces_note_connection(struct ports *ports, const struct tuple *tuple, bool made);
/* A place was made or dropped: spaces for binds change. */
void spaces_note_place(struct ports *ports, const struct place_name *name);
/* A place got its first bind or lost its last: spaces for connections change. */
void spaces_note_bind(struct ports *ports, const struct place_name *name);

#endif
