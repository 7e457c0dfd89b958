/* The demultiplexer: four numbers -> connection.
 *
 * A ref_index (see ref_index.h) over SipHash-1-3 of the four numbers, keyed by the host's seed: an
 * outsider can choose addresses and ports, but not the buckets that they fall into. */
#include "engine/port/ports.h"
#include <assert.h>
#include <errno.h>

static_assert(sizeof(struct tuple) == 36, "a tuple has no holes: it is compared as octets");

enum { SEARCH_BUCKETS = 65536 };

uint64_t ports_hash(const struct ports *ports, const struct tuple *tuple) {
    uint64_t words[5];
    memcpy(words, tuple->local.bytes, 16);
    memcpy(words + 2, tuple->remote.bytes, 16);
    words[4] = (uint64_t)tuple->local_port << 16 | tuple->remote_port;
    return siphash13_words(&ports->connection_key, words, 5);
}

static uint64_t connection_hash(void *context, uint32_t reference) {
    const struct ports *ports = context;
    struct tuple tuple;
    ports->ops.tuple_of(ports->ops.context, reference, &tuple);
    return ports_hash(ports, &tuple);
}

static bool connection_equal(void *context, uint32_t reference, const void *key) {
    const struct ports *ports = context;
    struct tuple tuple;
    ports->ops.tuple_of(ports->ops.context, reference, &tuple);
    return memcmp(&tuple, key, sizeof tuple) == 0;
}

static void connection_prefetch(void *context, uint32_t reference) {
    const struct ports *ports = context;
    if (ports->ops.prefetch)
        ports->ops.prefetch(ports->ops.context, reference);
}

void demux_init(struct ports *ports) {
    struct ref_index_ops ops = {connection_hash, connection_equal, connection_prefetch, ports};
    ports->connection_key = random_key(ports->random);
    ref_index_init(&ports->connections, ports->allocator, &ops);
}

void demux_clear(struct ports *ports) {
    ref_index_clear(&ports->connections);
}

/* ---- finding ---- */

void ports_prefetch(const struct ports *ports, uint64_t hash) {
    ref_index_prefetch(&ports->connections, hash);
}

void ports_prefetch_record(const struct ports *ports, uint64_t hash) {
    ref_index_prefetch_records(&ports->connections, hash);
}

uint32_t ports_find_hashed(struct ports *ports, const struct tuple *tuple, uint64_t hash) {
    return ref_index_find(&ports->connections, hash, tuple);
}

uint32_t ports_find(struct ports *ports, const struct tuple *tuple) {
    return ref_index_find(&ports->connections, ports_hash(ports, tuple), tuple);
}

size_t ports_connections(const struct ports *ports) {
    return ports->connections.entries;
}

uint32_t ports_used_toward(struct ports *ports, const struct berth_ip *local,
                           const struct berth_ip *remote, uint16_t remote_port) {
    uint32_t used = 0;
    for (uint32_t port = ports->first; port <= ports->last; port++) {
        struct tuple tuple = {*local, *remote, (uint16_t)port, remote_port};
        used += ports_find(ports, &tuple) != 0;
    }
    return used;
}

uint32_t demux_any_at(struct ports *ports, const struct berth_ip *local, uint16_t port) {
    const struct bucket_array *main = &ports->connections.main;
    for (uint32_t i = 0; i < main->count && i < SEARCH_BUCKETS; i++) {
        const struct bucket *bucket = bucket_at(main, i);
        for (unsigned slot = 0; slot < BUCKET_SLOTS && bucket->tags[slot]; slot++) {
            struct tuple tuple;
            ports->ops.tuple_of(ports->ops.context, bucket->references[slot], &tuple);
            if (tuple.local_port == port && berth_ip_equal(&tuple.local, local))
                return bucket->references[slot];
        }
    }
    return 0;
}

/* ---- coming and going ---- */

/* A client that bound its socket to a port of its choice: a server's accepted connections, whose
 * port is listened at, are none of the allocator's business. */
static bool is_own_choice(const struct ports *ports, const struct tuple *tuple) {
    struct place_name name = {tuple->local, tuple->local_port, false}, names[3];
    bool bound = false;
    int count = place_covering(&name, names);
    for (int i = 0; i < count; i++) {
        uint32_t at = place_find(&ports->places, &names[i]);
        if (at && place_at(&ports->places, at)->listener)
            return false;
        bound = bound || (at && place_at(&ports->places, at)->binds);
    }
    return bound;
}

/* The connection's place, with its count raised; 0 when memory is out. */
static uint32_t place_hold(struct ports *ports, const struct tuple *tuple) {
    struct place_name name = {tuple->local, tuple->local_port, false};
    uint32_t at = place_need(ports, &name);
    if (at)
        place_at(&ports->places, at)->connections++;
    return at;
}

static void place_let_go(struct ports *ports, uint32_t at) {
    place_at(&ports->places, at)->connections--;
    place_drop_unused(ports, at);
}

int ports_connect(struct ports *ports, struct tuple *tuple, uint32_t reference) {
    bool chosen = tuple->local_port == 0;
    if (chosen) {
        int error = ephemeral_for_connect(ports, tuple);
        if (error)
            return error;
    }
    uint64_t hash = ports_hash(ports, tuple);
    if (!chosen && ports_find_hashed(ports, tuple, hash))
        return -EADDRINUSE;
    if (!chosen && is_own_choice(ports, tuple))
        ephemeral_watch(ports, tuple);
    uint32_t place = place_hold(ports, tuple);
    if (place && ref_index_add(&ports->connections, hash, reference)) {
        spaces_note_connection(ports, tuple, true);
        return 0;
    }
    if (place)
        place_let_go(ports, place);
    if (chosen)
        tuple->local_port = 0;
    return -ENOMEM;
}

void ports_disconnect(struct ports *ports, const struct tuple *tuple, uint32_t reference) {
    if (!ref_index_remove(&ports->connections, ports_hash(ports, tuple), reference))
        return;
    struct place_name name = {tuple->local, tuple->local_port, false};
    place_let_go(ports, place_find(&ports->places, &name));
    spaces_note_connection(ports, tuple, false);
}

void ports_rename(struct ports *ports, const struct tuple *tuple, uint32_t from, uint32_t to) {
    ref_index_rename(&ports->connections, ports_hash(ports, tuple), from, to);
}
