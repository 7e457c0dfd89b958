#include "engine/port/ports.h"
#include <string.h>

enum {
    WALK_MAX = 4, /* places of a port that are looked at before the index is */
    PLACES_MAX = 1 << 24,
};

static bool name_is(const struct place *place, const struct place_name *name) {
    return place->port == name->port && place->v6only == name->v6only &&
           berth_ip_equal(&place->ip, &name->ip);
}

static uint64_t name_hash(const struct place_table *table, const struct berth_ip *ip, uint16_t port,
                          bool v6only) {
    uint64_t words[3];
    memcpy(words, ip->bytes, 16);
    words[2] = (uint64_t)port << 1 | v6only;
    return siphash13_words(&table->key, words, 3);
}

static uint64_t place_hash(void *context, uint32_t reference) {
    const struct place_table *table = context;
    const struct place *place = place_at(table, reference);
    return name_hash(table, &place->ip, place->port, place->v6only);
}

static bool place_equal(void *context, uint32_t reference, const void *key) {
    return name_is(place_at(context, reference), key);
}

static void place_prefetch(void *context, uint32_t reference) {
    __builtin_prefetch(place_at(context, reference));
}

void places_init(struct ports *ports) {
    struct place_table *table = &ports->places;
    struct ref_index_ops ops = {place_hash, place_equal, place_prefetch, table};
    table->usage = NULL;
    table->key = random_key(ports->random);
    pool_init(&table->pool, ports->allocator, sizeof(struct place), PLACES_MAX);
    ref_index_init(&table->index, ports->allocator, &ops);
}

static void usage_free(struct ports *ports) {
    struct port_usage *usage = ports->places.usage;
    if (!usage)
        return;
    for (int i = 0; i < PORT_SET_WORDS; i++)
        if (usage->pages[i])
            ports_release(ports, usage->pages[i], sizeof *usage->pages[i]);
    ports_release(ports, usage, sizeof *usage);
    ports->places.usage = NULL;
}

void places_clear(struct ports *ports) {
    usage_free(ports);
    ref_index_clear(&ports->places.index);
    pool_clear(&ports->places.pool);
}

uint32_t place_find(const struct place_table *table, const struct place_name *name) {
    uint32_t at = place_first(table, name->port);
    for (int i = 0; at && i < WALK_MAX; i++) {
        const struct place *place = place_at(table, at);
        if (name_is(place, name))
            return at;
        at = place->next;
    }
    if (!at)
        return 0;
    return ref_index_find(&table->index, name_hash(table, &name->ip, name->port, name->v6only),
                          name);
}

/* ---- coming and going ---- */

/* The head of a port's list, in a page made for it if need be; NULL when memory is out. */
static uint32_t *head_need(struct ports *ports, uint16_t port) {
    struct port_usage *usage = ports->places.usage;
    if (!usage) {
        usage = ports_allocate(ports, sizeof *usage);
        if (!usage)
            return NULL;
        port_set_fill(&usage->free);
        memset(usage->pages, 0, sizeof usage->pages);
        ports->places.usage = usage;
    }
    struct port_page **page = &usage->pages[port / 64];
    if (!*page) {
        *page = ports_allocate(ports, sizeof **page);
        if (!*page)
            return NULL;
        memset(*page, 0, sizeof **page);
    }
    return &(*page)->heads[port % 64];
}

/* Gives back the port's page when nothing is left in it, and with the last one the records. The set
 * of the free ports, 16 KiB, is kept: a client whose connections follow each other comes by here
 * each time, and filling it anew was two fifths of its connect(). */
static void usage_trim(struct ports *ports, uint16_t port) {
    struct place_table *table = &ports->places;
    struct port_usage *usage = table->usage;
    uint64_t whole = port < 64 ? ~UINT64_C(1) : ~UINT64_C(0); /* port 0 is never free */
    if (usage && usage->pages[port / 64] && usage->free.words[port / 64] == whole) {
        ports_release(ports, usage->pages[port / 64], sizeof(struct port_page));
        usage->pages[port / 64] = NULL;
    }
    if (table->pool.used > 0)
        return;
    ref_index_clear(&table->index);
    pool_clear(&table->pool);
}

static bool list_is_long(const struct place_table *table, uint32_t at) {
    int length = 0;
    for (; at && length < WALK_MAX; length++)
        at = place_at(table, at)->next;
    return length == WALK_MAX;
}

/* A record that stands in no list yet, in the index if its port's list is long. */
static uint32_t place_take(struct ports *ports, const struct place_name *name, uint32_t first) {
    struct place_table *table = &ports->places;
    uint32_t at = pool_take(&table->pool);
    if (!at)
        return 0;
    struct place *place = place_at(table, at);
    *place = (struct place){.ip = name->ip, .port = name->port, .v6only = name->v6only};
    place->indexed = list_is_long(table, first);
    uint64_t hash = name_hash(table, &name->ip, name->port, name->v6only);
    if (place->indexed && !ref_index_add(&table->index, hash, at)) {
        pool_give(&table->pool, at);
        return 0;
    }
    return at;
}

static void list_append(struct place_table *table, uint32_t *head, uint32_t at) {
    if (!*head) {
        *head = at;
        place_at(table, at)->previous = at;
        return;
    }
    struct place *first = place_at(table, *head);
    place_at(table, first->previous)->next = at;
    place_at(table, at)->previous = first->previous;
    first->previous = at;
}

static void list_remove(struct place_table *table, uint32_t *head, uint32_t at) {
    struct place *place = place_at(table, at);
    if (*head == at)
        *head = place->next;
    else
        place_at(table, place->previous)->next = place->next;
    if (place->next)
        place_at(table, place->next)->previous = place->previous;
    else if (*head)
        place_at(table, *head)->previous = place->previous;
}

uint32_t place_need(struct ports *ports, const struct place_name *name) {
    struct place_table *table = &ports->places;
    uint32_t at = place_find(table, name);
    if (at)
        return at;
    uint32_t *head = head_need(ports, name->port);
    at = head ? place_take(ports, name, *head) : 0;
    if (!at) {
        usage_trim(ports, name->port);
        return 0;
    }
    list_append(table, head, at);
    table->v6_places += !berth_ip_is_v4(&name->ip);
    port_set_put(&table->usage->free, name->port, false);
    spaces_note_place(ports, name);
    return at;
}

void place_drop_unused(struct ports *ports, uint32_t at) {
    struct place_table *table = &ports->places;
    struct place *place = place_at(table, at);
    if (place->connections || place->binds)
        return;
    struct place_name name = {place->ip, place->port, place->v6only};
    uint32_t *head = &table->usage->pages[name.port / 64]->heads[name.port % 64];
    if (place->indexed)
        ref_index_remove(&table->index, place_hash(table, at), at);
    list_remove(table, head, at);
    table->v6_places -= !berth_ip_is_v4(&name.ip);
    port_set_put(&table->usage->free, name.port, *head == 0);
    pool_give(&table->pool, at);
    usage_trim(ports, name.port);
    spaces_note_place(ports, &name);
}

/* ---- what covers what ---- */

static bool is_v6_any(const struct berth_ip *ip) {
    return berth_ip_is_any(ip) && !berth_ip_is_v4(ip);
}

bool place_overlaps(const struct place_name *a, const struct berth_ip *ip, bool v6only) {
    bool a_v4 = berth_ip_is_v4(&a->ip), b_v4 = berth_ip_is_v4(ip);
    if (is_v6_any(&a->ip) && !(a->v6only && b_v4))
        return true;
    if (is_v6_any(ip) && !(v6only && a_v4))
        return true;
    if (a_v4 && b_v4 && (berth_ip_is_any(&a->ip) || berth_ip_is_any(ip)))
        return true;
    return berth_ip_equal(&a->ip, ip);
}

int place_covering(const struct place_name *name, struct place_name names[3]) {
    static const struct berth_ip v6_any;
    names[0] = *name;
    if (berth_ip_is_any(&name->ip))
        return 1;
    bool v4 = berth_ip_is_v4(&name->ip);
    names[1] = (struct place_name){v4 ? berth_ip_v4(0) : v6_any, name->port, !v4};
    names[2] = (struct place_name){v6_any, name->port, false};
    return 3;
}

bool place_is_bound(const struct place_table *table, const struct berth_ip *ip, uint16_t port) {
    if (!place_first(table, port))
        return false;
    struct place_name name = {*ip, port, false}, names[3];
    int count = place_covering(&name, names);
    for (int i = 0; i < count; i++) {
        uint32_t at = place_find(table, &names[i]);
        if (at && place_at(table, at)->binds)
            return true;
    }
    return false;
}
