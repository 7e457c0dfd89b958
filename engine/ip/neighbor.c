#include "engine/ip/neighbor.h"
#include "engine/ip/ip.h"

static const uint64_t request_interval = BERTH_SECOND;

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

static struct neighbor *neighbor_find(struct ip *ip, uint8_t interface,
                                      const struct berth_ip *address) {
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

/* RFC 1122 2.3.2.1, 826-2: one request a second at most, and not for ever. */
static void neighbor_request(struct ip *ip, struct neighbor *entry, uint64_t now) {
    struct ip_hop hop = {.kind = IP_UNICAST, .interface = entry->interface, .next = entry->ip};
    struct berth_ip source;
    entry->requests++;
    timer_set(&ip->neighbors.wheel, entry->index, now + request_interval, 0);
    if (ip_source(ip, &hop, &entry->ip, &source) != 0)
        return;
    const uint8_t *target = entry->state == NEIGHBOR_PROBE ? entry->mac : NULL;
    arp_send(ip, entry->interface, ARP_REQUEST, berth_ip_to_v4(&source), target,
             berth_ip_to_v4(&entry->ip));
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

bool neighbor_use(struct ip *ip, struct neighbor *entry, uint64_t now) {
    entry->used_at = now;
    if (entry->state == NEIGHBOR_INCOMPLETE)
        return false;
    list_move(&ip->neighbors, entry, NEIGHBOR_LIST_ACTIVE);
    bool confirmed = entry->state == NEIGHBOR_REACHABLE && now < entry->reachable_until;
    if (!confirmed && entry->state != NEIGHBOR_PROBE) {
        entry->state = NEIGHBOR_PROBE;
        entry->requests = 0;
        neighbor_request(ip, entry, now);
    }
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
        if (entry->requests < NEIGHBOR_REQUESTS)
            neighbor_request(ip, entry, now);
        else
            neighbor_fail(ip, entry, now);
    }
}

/* ---- what ARP packets say ---- */

static void neighbor_release_queue(struct ip *ip, struct neighbor *entry) {
    for (struct waiting_frame *at = entry->queue.head; at; at = at->next)
        memcpy(waiting_header(at), entry->mac, ETHERNET_MAC);
    ip->ready += entry->queue.count;
    frame_queue_join(&ip->interfaces[entry->interface].ready, &entry->queue);
}

static void neighbor_confirm(struct ip *ip, struct neighbor *entry, const uint8_t *mac,
                             uint64_t now) {
    memcpy(entry->mac, mac, ETHERNET_MAC);
    entry->state = NEIGHBOR_REACHABLE;
    entry->reachable_until = now + ip->neighbor_reachable;
    entry->updated_at = now;
    timer_cancel(&ip->neighbors.wheel, entry->index);
    list_move(&ip->neighbors, entry, NEIGHBOR_LIST_ACTIVE);
    neighbor_release_queue(ip, entry);
}

/* Someone says where an entry's host is, unasked. That is believed, but not as a confirmation, and
 * not within a second of the last change (Linux's locktime): a forger has to win each time. */
static void neighbor_hear(struct ip *ip, struct neighbor *entry, const uint8_t *mac, uint64_t now) {
    if (entry->state == NEIGHBOR_INCOMPLETE) {
        timer_cancel(&ip->neighbors.wheel, entry->index);
        list_move(&ip->neighbors, entry, NEIGHBOR_LIST_ACTIVE);
    } else if (memcmp(entry->mac, mac, ETHERNET_MAC) == 0 ||
               now - entry->updated_at < BERTH_SECOND) {
        return;
    } else {
        timer_cancel(&ip->neighbors.wheel, entry->index);
    }
    memcpy(entry->mac, mac, ETHERNET_MAC);
    entry->state = NEIGHBOR_STALE;
    entry->updated_at = now;
    neighbor_release_queue(ip, entry);
}

/* RFC 826, "Packet Reception", 826-1: an entry that exists is updated; a new one is made only when
 * the packet is for us. */
static void neighbor_merge(struct ip *ip, uint8_t interface, const struct arp_packet *packet,
                           bool for_us, uint64_t now) {
    struct berth_ip sender = berth_ip_v4(packet->sender_ip);
    if (packet->sender_ip ==
        0) /* a probe for a free address claims none (RFC 5227 2.1.1, 5227-1) */
        return;
    struct neighbor *entry = neighbor_find(ip, interface, &sender);
    if (!entry && for_us && packet->operation == ARP_REQUEST &&
        ip_on_link(ip, interface, &sender)) {
        entry = neighbor_new(ip, interface, &sender, false);
        if (entry) {
            memcpy(entry->mac, packet->sender_mac, ETHERNET_MAC);
            entry->updated_at = now;
        }
        return;
    }
    if (!entry)
        return;
    bool asked = entry->state == NEIGHBOR_INCOMPLETE || entry->state == NEIGHBOR_PROBE;
    if (asked && for_us && packet->operation == ARP_REPLY)
        neighbor_confirm(ip, entry, packet->sender_mac, now);
    else
        neighbor_hear(ip, entry, packet->sender_mac, now);
}

void neighbor_input(struct ip *ip, uint8_t interface, const struct arp_packet *packet,
                    uint64_t now) {
    struct berth_ip sender = berth_ip_v4(packet->sender_ip);
    struct berth_ip target = berth_ip_v4(packet->target_ip);
    ip->counters->arp_in++;
    if (packet->operation != ARP_REQUEST && packet->operation != ARP_REPLY)
        return;
    /* A group address is no host's, and nobody else speaks for our addresses (RFC 5227 2.4,
     * 5227-2). */
    if (ethernet_is_group(packet->sender_mac) || packet->sender_ip >= 0xe0000000 ||
        ip_has_address(ip, &sender)) {
        ip->counters->ip_in_address_errors++;
        return;
    }
    bool for_us = !berth_ip_is_loopback(&target) && ip_has_address(ip, &target);
    neighbor_merge(ip, interface, packet, for_us, now);
    if (for_us && packet->operation == ARP_REQUEST)
        arp_send(ip, interface, ARP_REPLY, packet->target_ip, packet->sender_mac,
                 packet->sender_ip);
}

void arp_send(struct ip *ip, uint8_t interface, uint16_t operation, uint32_t sender_ip,
              const uint8_t *target_mac, uint32_t target_ip) {
    struct berth_frame frame;
    struct ethernet_header link = {.type = ETHERNET_ARP};
    struct arp_packet packet = {
        .operation = operation, .sender_ip = sender_ip, .target_ip = target_ip};
    memcpy(link.source, ip->interfaces[interface].mac, ETHERNET_MAC);
    memcpy(packet.sender_mac, ip->interfaces[interface].mac, ETHERNET_MAC);
    if (target_mac)
        memcpy(link.destination, target_mac, ETHERNET_MAC);
    else
        memset(link.destination, 0xff, ETHERNET_MAC);
    if (operation == ARP_REPLY && target_mac)
        memcpy(packet.target_mac, target_mac, ETHERNET_MAC);
    ethernet_header_write(frame.header, &link);
    arp_packet_write(frame.header + ETHERNET_HEADER, &packet);
    frame.header_length = ETHERNET_HEADER + ARP_LENGTH;
    frame.part_count = 0;
    frame.flags = 0;
    frame.segment_size = 0;
    frame.transport_offset = 0;
    ip->counters->arp_out++;
    ip_ready(ip, interface, &frame);
}
