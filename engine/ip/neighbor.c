#include "engine/ip/neighbor.h"
#include "engine/ip/ip.h"

static const uint64_t first_probe_delay = 5 * BERTH_SECOND; /* RFC 4861 10 */

static struct neighbor *neighbor_at(const struct neighbors *neighbors, uint32_t index) {
    return pool_at(&neighbors->pool, index);
}

static struct timer_link *neighbor_timer(void *context, uint32_t record) {
    return &neighbor_at(context, record)->timer;
}

void neighbors_init(struct ip *ip, uint32_t limit, uint64_t now) {
    struct neighbors *neighbors = &ip->neighbors;
    pool_init(&neighbors->pool, ip->allocator, sizeof(struct neighbor), limit + 1);
    timer_wheel_init(&neighbors->wheel, neighbor_timer, neighbors, now);
    neighbors->key = random_key(ip->random);
    neighbors->limit = limit;
    neighbors->bucket_count = 1;
    while (neighbors->bucket_count < limit)
        neighbors->bucket_count *= 2;
}

static uint32_t *neighbor_bucket(struct neighbors *neighbors, uint8_t interface,
                                 const struct berth_ip *address) {
    uint64_t words[3] = {0, 0, interface};
    memcpy(words, address->bytes, 16);
    uint64_t hash = siphash13_words(&neighbors->key, words, 3);
    return &neighbors->buckets[hash & (neighbors->bucket_count - 1)];
}

static void list_remove(struct neighbors *neighbors, struct neighbor *entry) {
    if (entry->previous)
        neighbor_at(neighbors, entry->previous)->next = entry->next;
    else
        neighbors->heads[entry->list] = entry->next;
    if (entry->next)
        neighbor_at(neighbors, entry->next)->previous = entry->previous;
    else
        neighbors->tails[entry->list] = entry->previous;
}

static void list_insert(struct neighbors *neighbors, struct neighbor *entry,
                        enum neighbor_list list) {
    entry->list = (uint8_t)list;
    entry->previous = 0;
    entry->next = neighbors->heads[list];
    if (entry->next)
        neighbor_at(neighbors, entry->next)->previous = entry->index;
    else
        neighbors->tails[list] = entry->index;
    neighbors->heads[list] = entry->index;
}

static void list_move(struct neighbors *neighbors, struct neighbor *entry,
                      enum neighbor_list list) {
    if (entry->list == list)
        return;
    list_remove(neighbors, entry);
    list_insert(neighbors, entry, list);
}

/* Takes the entry out of everything. Whoever cached a pointer to it learns by the version. */
static void neighbor_forget(struct ip *ip, struct neighbor *entry) {
    struct neighbors *neighbors = &ip->neighbors;
    uint32_t *link = neighbor_bucket(neighbors, entry->interface, &entry->ip);
    while (*link != entry->index)
        link = &neighbor_at(neighbors, *link)->chain;
    *link = entry->chain;
    list_remove(neighbors, entry);
    timer_cancel(&neighbors->wheel, entry->index);
    ip->counters->ip_out_discards += entry->queue.count;
    frame_queue_clear(&entry->queue, ip->allocator);
    neighbors->used--;
    ip->version++;
    pool_give(&neighbors->pool, entry->index);
}

void neighbors_clear(struct ip *ip) {
    struct neighbors *neighbors = &ip->neighbors;
    for (int list = 0; list < NEIGHBOR_LISTS; list++)
        while (neighbors->heads[list])
            neighbor_forget(ip, neighbor_at(neighbors, neighbors->heads[list]));
    pool_clear(&neighbors->pool);
    if (neighbors->buckets)
        ip->allocator.release(ip->allocator.context, neighbors->buckets,
                              neighbors->bucket_count * sizeof *neighbors->buckets);
}

static uint32_t oldest_active(const struct neighbors *neighbors) {
    uint32_t oldest = neighbors->heads[NEIGHBOR_LIST_ACTIVE];
    for (uint32_t i = oldest; i; i = neighbor_at(neighbors, i)->next)
        if (neighbor_at(neighbors, i)->used_at < neighbor_at(neighbors, oldest)->used_at)
            oldest = i;
    return oldest;
}

/* Makes room for one entry. `own`: we want it, not someone who sent us something. */
static bool neighbor_evict(struct ip *ip, bool own) {
    struct neighbors *neighbors = &ip->neighbors;
    uint32_t victim = neighbors->tails[NEIGHBOR_LIST_PASSIVE];
    if (!victim && own)
        victim = neighbors->tails[NEIGHBOR_LIST_INCOMPLETE];
    if (!victim && own)
        victim = oldest_active(neighbors);
    if (!victim)
        return false;
    ip->counters->neighbor_evicted++;
    neighbor_forget(ip, neighbor_at(neighbors, victim));
    return true;
}

struct neighbor *neighbor_find(struct ip *ip, uint8_t interface, const struct berth_ip *address) {
    struct neighbors *neighbors = &ip->neighbors;
    if (!neighbors->buckets)
        return NULL;
    uint32_t index = *neighbor_bucket(neighbors, interface, address);
    while (index) {
        struct neighbor *entry = neighbor_at(neighbors, index);
        if (entry->interface == interface && berth_ip_equal(&entry->ip, address))
            return entry;
        index = entry->chain;
    }
    return NULL;
}

static bool neighbors_start(struct ip *ip) {
    struct neighbors *neighbors = &ip->neighbors;
    size_t size = neighbors->bucket_count * sizeof *neighbors->buckets;
    if (!neighbors->buckets) {
        neighbors->buckets = ip->allocator.allocate(ip->allocator.context, size);
        if (neighbors->buckets)
            memset(neighbors->buckets, 0, size);
    }
    return neighbors->buckets != NULL;
}

static struct neighbor *neighbor_new(struct ip *ip, uint8_t interface,
                                     const struct berth_ip *address, bool own) {
    struct neighbors *neighbors = &ip->neighbors;
    if (!neighbors_start(ip) || (neighbors->used >= neighbors->limit && !neighbor_evict(ip, own)))
        return NULL;
    uint32_t index = pool_take(&neighbors->pool);
    if (!index)
        return NULL;
    struct neighbor *entry = neighbor_at(neighbors, index);
    *entry = (struct neighbor){.index = index, .interface = interface, .ip = *address};
    timer_link_init(&entry->timer);
    uint32_t *bucket = neighbor_bucket(neighbors, interface, address);
    entry->chain = *bucket;
    *bucket = index;
    entry->state = own ? NEIGHBOR_INCOMPLETE : NEIGHBOR_STALE;
    list_insert(neighbors, entry, own ? NEIGHBOR_LIST_INCOMPLETE : NEIGHBOR_LIST_PASSIVE);
    neighbors->used++;
    return entry;
}

/* RFC 1122 2.3.2.1, 826-2, RFC 4861 7.2.2, 4861-2: one request a second at most, and not for ever.
 */
static void neighbor_request(struct ip *ip, struct neighbor *entry, uint64_t now) {
    struct ip_hop hop = {.kind = IP_UNICAST, .interface = entry->interface, .next = entry->ip};
    struct berth_ip source;
    entry->requests++;
    bool v4 = berth_ip_is_v4(&entry->ip);
    uint64_t interval = v4 ? BERTH_SECOND : ip->interfaces[entry->interface].retransmit;
    timer_set(&ip->neighbors.wheel, entry->index, now + interval, 0);
    if (ip_source(ip, &hop, &entry->ip, &source) != 0)
        return;
    const uint8_t *target = entry->state == NEIGHBOR_PROBE ? entry->mac : NULL;
    if (v4)
        arp_send(ip, entry->interface, ARP_REQUEST, berth_ip_to_v4(&source), target,
                 berth_ip_to_v4(&entry->ip));
    else
        nd_solicit(ip, entry->interface, &source, target, &entry->ip);
}

struct neighbor *neighbor_get(struct ip *ip, uint8_t interface, const struct berth_ip *address,
                              uint64_t now) {
    struct neighbor *entry = neighbor_find(ip, interface, address);
    if (!entry) {
        entry = neighbor_new(ip, interface, address, true);
        if (entry)
            neighbor_request(ip, entry, now);
    }
    return entry;
}

/* An entry that is in use and not confirmed. Neighbour discovery waits a little before it asks (RFC
 * 4861 7.3.3): most talks are over by then. */
static void neighbor_doubt(struct ip *ip, struct neighbor *entry, uint64_t now) {
    entry->requests = 0;
    if (berth_ip_is_v4(&entry->ip)) {
        entry->state = NEIGHBOR_PROBE;
        neighbor_request(ip, entry, now);
    } else {
        entry->state = NEIGHBOR_DELAY;
        timer_set(&ip->neighbors.wheel, entry->index, now + first_probe_delay, 0);
    }
}

bool neighbor_use(struct ip *ip, struct neighbor *entry, uint64_t now) {
    entry->used_at = now;
    if (entry->state == NEIGHBOR_INCOMPLETE)
        return false;
    list_move(&ip->neighbors, entry, NEIGHBOR_LIST_ACTIVE);
    bool confirmed = entry->state == NEIGHBOR_REACHABLE && now < entry->reachable_until;
    if (!confirmed && entry->state != NEIGHBOR_DELAY && entry->state != NEIGHBOR_PROBE)
        neighbor_doubt(ip, entry, now);
    return true;
}

void neighbor_wait(struct ip *ip, struct neighbor *entry, struct berth_frame *frame) {
    if (!frame_queue_push(&entry->queue, ip->allocator, frame)) {
        ip->counters->ip_out_discards++;
        return;
    }
    while (entry->queue.count > NEIGHBOR_QUEUE_FRAMES ||
           (entry->queue.octets > NEIGHBOR_QUEUE_OCTETS && entry->queue.count > 1)) {
        frame_queue_drop(&entry->queue, ip->allocator);
        ip->counters->ip_out_discards++;
    }
}

/* Nobody answered: the senders of what waits hear of it (RFC 1122 2.3.2.2, 3.2.2.1). */
static void neighbor_fail(struct ip *ip, struct neighbor *entry, uint64_t now) {
    struct frame_queue queue = entry->queue;
    entry->queue = (struct frame_queue){0};
    ip->counters->neighbor_failed++;
    router_unreachable(ip, entry->interface, &entry->ip);
    neighbor_forget(ip, entry);
    while (queue.head) {
        icmp_host_unreachable(ip, queue.head, now);
        frame_queue_drop(&queue, ip->allocator);
        ip->counters->ip_out_discards++;
    }
}

void neighbors_advance(struct ip *ip, uint64_t now) {
    uint8_t kind;
    uint32_t index;
    while ((index = timer_expired(&ip->neighbors.wheel, now, &kind)) != 0) {
        struct neighbor *entry = neighbor_at(&ip->neighbors, index);
        if (entry->state == NEIGHBOR_DELAY)
            entry->state = NEIGHBOR_PROBE;
        if (entry->requests < ip->neighbor_requests[!berth_ip_is_v4(&entry->ip)])
            neighbor_request(ip, entry, now);
        else
            neighbor_fail(ip, entry, now);
    }
}

/* ---- what neighbours say ---- */

static void neighbor_release_queue(struct ip *ip, struct neighbor *entry) {
    for (struct waiting_frame *at = entry->queue.head; at; at = at->next)
        memcpy(waiting_header(at), entry->mac, ETHERNET_MAC);
    ip->ready += entry->queue.count;
    frame_queue_join(&ip->interfaces[entry->interface].ready, &entry->queue);
}

struct neighbor *neighbor_learn(struct ip *ip, uint8_t interface, const struct berth_ip *address,
                                const uint8_t *mac, uint64_t now) {
    struct neighbor *entry = neighbor_new(ip, interface, address, false);
    if (entry) {
        memcpy(entry->mac, mac, ETHERNET_MAC);
        entry->updated_at = now;
    }
    return entry;
}

static uint64_t reachable_time(const struct ip *ip, const struct neighbor *entry) {
    uint64_t said = ip->interfaces[entry->interface].reachable;
    return said && !berth_ip_is_v4(&entry->ip) ? said : ip->neighbor_reachable;
}

void neighbor_set(struct ip *ip, struct neighbor *entry, const uint8_t *mac,
                  enum neighbor_state state, uint64_t now) {
    /* Passive entries stay so until they are used: others' words make none of them ACTIVE. */
    if (entry->state == NEIGHBOR_INCOMPLETE || state == NEIGHBOR_REACHABLE)
        list_move(&ip->neighbors, entry, NEIGHBOR_LIST_ACTIVE);
    memcpy(entry->mac, mac, ETHERNET_MAC);
    entry->state = (uint8_t)state;
    entry->updated_at = now;
    if (state == NEIGHBOR_REACHABLE)
        entry->reachable_until = now + reachable_time(ip, entry);
    timer_cancel(&ip->neighbors.wheel, entry->index);
    neighbor_release_queue(ip, entry);
}

struct neighbor *neighbor_hear(struct ip *ip, uint8_t interface, const struct berth_ip *address,
                               const uint8_t *mac, uint64_t now) {
    struct neighbor *entry = neighbor_find(ip, interface, address);
    if (!entry)
        return neighbor_learn(ip, interface, address, mac, now);
    if (entry->state == NEIGHBOR_INCOMPLETE || memcmp(entry->mac, mac, ETHERNET_MAC) != 0)
        neighbor_set(ip, entry, mac, NEIGHBOR_STALE, now);
    return entry;
}

/* ---- what is shown ---- */

static enum berth_neighbor_state state_shown(const struct neighbor *entry, uint64_t now) {
    switch (entry->state) {
    case NEIGHBOR_INCOMPLETE:
        return BERTH_NEIGHBOR_INCOMPLETE;
    case NEIGHBOR_REACHABLE: /* what has aged is seen to at its next use */
        return now < entry->reachable_until ? BERTH_NEIGHBOR_REACHABLE : BERTH_NEIGHBOR_STALE;
    case NEIGHBOR_DELAY:
        return BERTH_NEIGHBOR_DELAY;
    case NEIGHBOR_PROBE:
        return BERTH_NEIGHBOR_PROBE;
    default:
        return BERTH_NEIGHBOR_STALE;
    }
}

size_t neighbors_list(const struct ip *ip, struct berth_neighbor *list, size_t max, uint64_t now) {
    const struct neighbors *neighbors = &ip->neighbors;
    size_t count = 0;
    for (int kind = NEIGHBOR_LISTS; kind-- > 0;)
        for (uint32_t at = neighbors->heads[kind]; at; at = neighbor_at(neighbors, at)->next) {
            const struct neighbor *entry = neighbor_at(neighbors, at);
            if (count < max) {
                list[count] = (struct berth_neighbor){.interface = entry->interface,
                                                      .state = state_shown(entry, now),
                                                      .ip = entry->ip};
                memcpy(list[count].mac, entry->mac, ETHERNET_MAC);
            }
            count++;
        }
    return count;
}
