#include "engine/port/space.h"
#include "engine/port/ports.h"
#include <string.h>

enum { SPARSE_SAMPLE = 1024 };

static bool is_for_bind(const struct space_purpose *purpose) {
    return purpose->remote_port == 0;
}

static bool purpose_equal(const struct space_purpose *a, const struct space_purpose *b) {
    return a->remote_port == b->remote_port && a->v6only == b->v6only &&
           berth_ip_equal(&a->remote, &b->remote) && berth_ip_equal(&a->local, &b->local);
}

static struct space **chain_of(struct ports *ports, const struct space_purpose *purpose) {
    uint64_t words[5];
    memcpy(words, purpose->local.bytes, 16);
    memcpy(words + 2, purpose->remote.bytes, 16);
    words[4] = purpose->remote_port;
    return &ports->spaces.heads[siphash13_words(&ports->spaces.key, words, 5) % SPACE_HEADS];
}

void spaces_init(struct ports *ports) {
    memset(&ports->spaces, 0, sizeof ports->spaces);
    ports->spaces.key = random_key(ports->random);
}

/* ---- the lists ---- */

static struct space_list *list_of(struct ports *ports, const struct space *space) {
    return is_for_bind(&space->purpose) ? &ports->spaces.bind : &ports->spaces.connect;
}

static void list_push(struct space_list *list, struct space *space) {
    space->previous = NULL;
    space->next = list->first;
    if (list->first)
        list->first->previous = space;
    else
        list->last = space;
    list->first = space;
    list->count++;
}

static void list_remove(struct space_list *list, struct space *space) {
    if (space->previous)
        space->previous->next = space->next;
    else
        list->first = space->next;
    if (space->next)
        space->next->previous = space->previous;
    else
        list->last = space->previous;
    list->count--;
}

static void space_free(struct ports *ports, struct space *space) {
    struct spaces *spaces = &ports->spaces;
    if (!is_for_bind(&space->purpose)) {
        struct space **at = chain_of(ports, &space->purpose);
        while (*at != space)
            at = &(*at)->next_hashed;
        *at = space->next_hashed;
    }
    list_remove(list_of(ports, space), space);
    ports_release(ports, space, sizeof *space);
    if (spaces->heads && spaces->connect.count == 0) {
        ports_release(ports, spaces->heads, SPACE_HEADS * sizeof(struct space *));
        spaces->heads = NULL;
    }
}

void spaces_clear(struct ports *ports) {
    while (ports->spaces.connect.first)
        space_free(ports, ports->spaces.connect.first);
    while (ports->spaces.bind.first)
        space_free(ports, ports->spaces.bind.first);
}

struct space *space_find(struct ports *ports, const struct space_purpose *purpose) {
    struct space *space;
    if (is_for_bind(purpose)) {
        for (space = ports->spaces.bind.first; space; space = space->next)
            if (purpose_equal(&space->purpose, purpose))
                return space;
        return NULL;
    }
    if (!ports->spaces.heads)
        return NULL;
    space = *chain_of(ports, purpose);
    while (space && !purpose_equal(&space->purpose, purpose))
        space = space->next_hashed;
    return space;
}

static bool heads_need(struct ports *ports) {
    size_t octets = SPACE_HEADS * sizeof(struct space *);
    struct spaces *spaces = &ports->spaces;
    if (spaces->heads)
        return true;
    spaces->heads = ports_allocate(ports, octets);
    if (!spaces->heads)
        return false;
    memset(spaces->heads, 0, octets);
    return true;
}

struct space *space_need(struct ports *ports, const struct space_purpose *purpose) {
    struct space *space = space_find(ports, purpose);
    if (space)
        return space;
    bool bind = is_for_bind(purpose);
    struct space_list *list = bind ? &ports->spaces.bind : &ports->spaces.connect;
    if (list->count >= (bind ? (uint32_t)SPACES_BIND_MAX : (uint32_t)SPACES_CONNECT_MAX))
        space_free(ports, list->last);
    space = ports_allocate(ports, sizeof *space);
    if (!space || (!bind && !heads_need(ports))) {
        if (space)
            ports_release(ports, space, sizeof *space);
        return NULL;
    }
    memset(space, 0, sizeof *space);
    space->purpose = *purpose;
    space->start = ports->first;
    list_push(list, space);
    if (!bind) {
        struct space **chain = chain_of(ports, purpose);
        space->next_hashed = *chain;
        *chain = space;
    }
    return space;
}

/* ---- is a port free? ---- */

static bool free_for_bind(const struct ports *ports, const struct space_purpose *purpose,
                          uint16_t port) {
    const struct place_table *table = &ports->places;
    struct place_name name = {purpose->local, port, purpose->v6only}, names[3];
    uint32_t at = place_first(table, port);
    if (berth_ip_is_any(&name.ip)) {
        for (; at; at = place_at(table, at)->next)
            if (place_overlaps(&name, &place_at(table, at)->ip, place_at(table, at)->v6only))
                return false;
        return true;
    }
    int count = at ? place_covering(&name, names) : 0;
    for (int i = 0; i < count; i++)
        if (place_find(table, &names[i]))
            return false;
    return true;
}

static struct tuple tuple_from(const struct space_purpose *purpose, uint16_t port) {
    return (struct tuple){purpose->local, purpose->remote, port, purpose->remote_port};
}

static bool port_is_free(struct ports *ports, const struct space_purpose *purpose, uint16_t port) {
    if (port == 0)
        return false; /* RFC 6335, section 6 */
    if (is_for_bind(purpose))
        return free_for_bind(ports, purpose, port);
    struct tuple tuple = tuple_from(purpose, port);
    return !place_is_bound(&ports->places, &purpose->local, port) && !ports_find(ports, &tuple);
}

/* ---- filling and drawing ---- */

bool space_knows_range(const struct ports *ports, const struct space *space) {
    uint32_t before = (uint16_t)(ports->first - space->start);
    return space->filled >= PORT_COUNT ||
           before + (uint32_t)(ports->last - ports->first) < space->filled;
}

/* The next few ports toward a destination: all cache lines are on their way before the first is
 * needed. */
static void fill_toward(struct ports *ports, struct space *space, uint16_t from) {
    uint64_t hashes[SPACE_STEP];
    struct tuple tuple = tuple_from(&space->purpose, from);
    for (uint16_t i = 0; i < SPACE_STEP; i++, tuple.local_port++) {
        hashes[i] = ports_hash(ports, &tuple);
        ports_prefetch(ports, hashes[i]);
    }
    tuple.local_port = from;
    for (uint16_t i = 0; i < SPACE_STEP; i++, tuple.local_port++)
        port_set_put(&space->free, tuple.local_port,
                     tuple.local_port != 0 &&
                         !place_is_bound(&ports->places, &tuple.local, tuple.local_port) &&
                         !ports_find_hashed(ports, &tuple, hashes[i]));
}

void space_fill(struct ports *ports, struct space *space) {
    if (space_knows_range(ports, space))
        return;
    uint16_t from = (uint16_t)(space->start + space->filled);
    if (!is_for_bind(&space->purpose))
        fill_toward(ports, space, from);
    for (uint16_t i = 0; i < SPACE_STEP && is_for_bind(&space->purpose); i++)
        port_set_put(&space->free, (uint16_t)(from + i),
                     port_is_free(ports, &space->purpose, (uint16_t)(from + i)));
    space->filled += SPACE_STEP; /* which divides PORT_COUNT */
}

uint16_t space_draw(struct ports *ports, struct space *space) {
    for (;;) {
        space_fill(ports, space);
        uint32_t count;
        uint16_t port =
            port_set_draw(&space->free, ports->first, ports->last, ports->random, &count);
        if (port || space_knows_range(ports, space))
            return port;
    }
}

/* ---- kept true ---- */

static bool is_filled(const struct space *space, uint16_t port) {
    return (uint16_t)(port - space->start) < space->filled;
}

static void space_note(struct ports *ports, struct space *space, uint16_t port) {
    if (is_filled(space, port))
        port_set_put(&space->free, port, port_is_free(ports, &space->purpose, port));
}

/* Most ports of the filled part are free, and it is large enough to tell. A space is made where
 * about a quarter of the ports are used or more, so the two are apart. */
static bool is_sparse(const struct ports *ports, const struct space *space) {
    uint32_t used = space->filled - port_set_rank(&space->free, PORT_COUNT);
    return used <= space->filled / 8 &&
           (space->filled >= SPARSE_SAMPLE || space_knows_range(ports, space));
}

void spaces_note_connection(struct ports *ports, const struct tuple *tuple, bool made) {
    if (!ports->spaces.connect.count)
        return;
    struct space_purpose purpose = {tuple->local, tuple->remote, tuple->remote_port, false};
    struct space *space = space_find(ports, &purpose);
    if (!space)
        return;
    uint16_t port = tuple->local_port;
    if (is_filled(
            space,
            port)) /* without a look-up: a new connection's record may not be ready to be asked */
        port_set_put(&space->free, port,
                     !made && !place_is_bound(&ports->places, &tuple->local, port));
    if (!made && is_sparse(ports, space))
        space_free(ports, space);
}

void spaces_note_place(struct ports *ports, const struct place_name *name) {
    for (struct space *space = ports->spaces.bind.first, *next; space; space = next) {
        next = space->next;
        if (!place_overlaps(name, &space->purpose.local, space->purpose.v6only))
            continue;
        space_note(ports, space, name->port);
        if (is_sparse(ports, space))
            space_free(ports, space);
    }
}

void spaces_note_bind(struct ports *ports, const struct place_name *name) {
    for (struct space *space = ports->spaces.connect.first; space; space = space->next)
        if (place_overlaps(name, &space->purpose.local, false))
            space_note(ports, space, name->port);
}
