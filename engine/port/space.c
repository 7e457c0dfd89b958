#include "engine/port/space.h"
#include "engine/port/ports.h"
#include <string.h>

enum { SPARSE_SAMPLE = 1024, FILLS_A_DRAW = 4 };

static uint32_t range_size(const struct ports *ports) {
    return (uint32_t)(ports->last - ports->first) + 1;
}

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
    space->start = random_below(ports->random, range_size(ports));
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

uint64_t candidate_hash(struct ports *ports, const struct tuple *tuple) {
    uint64_t hash = ports_hash(ports, tuple);
    ports_prefetch(ports, hash);
    place_prefetch_head(&ports->places, tuple->local_port);
    return hash;
}

void candidate_prefetch(struct ports *ports, const struct tuple *tuple, uint64_t hash) {
    uint32_t place = place_first(&ports->places, tuple->local_port);
    ports_prefetch_record(ports, hash);
    if (place)
        __builtin_prefetch(place_at(&ports->places, place));
}

bool candidate_is_free(struct ports *ports, const struct tuple *tuple, uint64_t hash) {
    return !ports_find_hashed(ports, tuple, hash) &&
           !place_is_bound(&ports->places, &tuple->local, tuple->local_port);
}

/* ---- filling and drawing ---- */

bool space_is_full(const struct ports *ports, const struct space *space) {
    return space->filled == range_size(ports);
}

/* The `ahead`-th port after the filled part. */
static uint16_t next_port(const struct ports *ports, const struct space *space, uint32_t ahead) {
    uint32_t place = (space->start + space->filled + ahead) % range_size(ports);
    return (uint16_t)(ports->first + place);
}

static void fill_toward(struct ports *ports, struct space *space, uint32_t count) {
    struct tuple tuples[SPACE_STEP_CONNECT];
    uint64_t hashes[SPACE_STEP_CONNECT];
    for (uint32_t i = 0; i < count; i++) {
        tuples[i] = tuple_from(&space->purpose, next_port(ports, space, i));
        hashes[i] = candidate_hash(ports, &tuples[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        candidate_prefetch(ports, &tuples[i], hashes[i]);
    for (uint32_t i = 0; i < count; i++)
        port_set_put(&space->free, tuples[i].local_port,
                     candidate_is_free(ports, &tuples[i], hashes[i]));
}

void space_fill(struct ports *ports, struct space *space) {
    bool bind = is_for_bind(&space->purpose);
    uint32_t left = range_size(ports) - space->filled;
    uint32_t step = bind ? SPACE_STEP_BIND : SPACE_STEP_CONNECT;
    uint32_t count = step < left ? step : left;
    if (!bind)
        fill_toward(ports, space, count);
    for (uint32_t i = 0; i < count && bind; i++) {
        uint16_t port = next_port(ports, space, i);
        port_set_put(&space->free, port, free_for_bind(ports, &space->purpose, port));
    }
    space->filled += count;
}

/* A port that is known to be free; 0 if none is. */
static uint16_t space_draw(struct ports *ports, struct space *space) {
    uint32_t count;
    return port_set_draw(&space->free, ports->first, ports->last, ports->random, &count);
}

uint16_t space_search(struct ports *ports, struct space *space) {
    uint16_t port;
    while (!(port = space_draw(ports, space)) && !space_is_full(ports, space))
        for (int i = 0; i < FILLS_A_DRAW; i++)
            space_fill(ports, space);
    return port;
}

/* ---- kept true ---- */

static bool is_filled(const struct ports *ports, const struct space *space, uint16_t port) {
    uint32_t size = range_size(ports), place = (uint32_t)(port - ports->first);
    if (port < ports->first || port > ports->last)
        return false;
    return (place + size - space->start) % size < space->filled;
}

/* Most ports of the filled part are free, and it is large enough to tell. Spaces are
 * rarely made where less than an eighth is used, so the two are apart. */
static bool is_sparse(const struct ports *ports, const struct space *space) {
    uint32_t used = space->filled - port_set_rank(&space->free, PORT_COUNT);
    return used <= space->filled / 10 &&
           (space->filled >= SPARSE_SAMPLE || space_is_full(ports, space));
}

void spaces_note_connection(struct ports *ports, const struct tuple *tuple, bool made) {
    if (!ports->spaces.connect.count)
        return;
    struct space_purpose purpose = {tuple->local, tuple->remote, tuple->remote_port, false};
    struct space *space = space_find(ports, &purpose);
    if (!space)
        return;
    uint16_t port = tuple->local_port;
    if (is_filled(ports, space, port)) /* no look-up: a new connection's record may not be ready */
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
        if (is_filled(ports, space, name->port))
            port_set_put(&space->free, name->port,
                         free_for_bind(ports, &space->purpose, name->port));
        if (is_sparse(ports, space))
            space_free(ports, space);
    }
}

void spaces_note_bind(struct ports *ports, const struct place_name *name) {
    for (struct space *space = ports->spaces.connect.first; space; space = space->next) {
        if (!is_filled(ports, space, name->port) ||
            !place_overlaps(name, &space->purpose.local, false))
            continue;
        struct tuple tuple = tuple_from(&space->purpose, name->port);
        port_set_put(&space->free, name->port,
                     candidate_is_free(ports, &tuple, ports_hash(ports, &tuple)));
    }
}
