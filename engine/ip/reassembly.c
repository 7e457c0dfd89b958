#include "engine/ip/reassembly.h"
#include "engine/ip/ip.h"
#include "engine/wire/icmp.h"

struct fragment {
    struct fragment *next;
    uint32_t start, length;
    uint8_t data[];
};

static uint32_t reassembly_bucket(const struct reassembly *reassembly,
                                  const struct berth_ip *source, const struct berth_ip *destination,
                                  uint32_t id_protocol) {
    uint64_t words[5];
    memcpy(words, source->bytes, 16);
    memcpy(words + 2, destination->bytes, 16);
    words[4] = id_protocol;
    return (uint32_t)siphash13_words(&reassembly->key, words, 5) % REASSEMBLY_BUCKETS;
}

static uint32_t datagram_bucket(const struct reassembly *reassembly, const struct datagram *at) {
    return reassembly_bucket(reassembly, &at->source, &at->destination,
                             (uint32_t)at->id << 8 | at->protocol);
}

static void datagram_free(struct ip *ip, struct datagram *datagram) {
    struct reassembly *reassembly = &ip->reassembly;
    struct datagram **link = &reassembly->buckets[datagram_bucket(reassembly, datagram)];
    while (*link != datagram)
        link = &(*link)->chain;
    *link = datagram->chain;
    if (datagram->older)
        datagram->older->newer = datagram->newer;
    else
        reassembly->oldest = datagram->newer;
    if (datagram->newer)
        datagram->newer->older = datagram->older;
    else
        reassembly->newest = datagram->older;
    while (datagram->fragments) {
        struct fragment *fragment = datagram->fragments;
        datagram->fragments = fragment->next;
        ip->allocator.release(ip->allocator.context, fragment, sizeof *fragment + fragment->length);
    }
    reassembly->charge -= datagram->charge;
    ip->allocator.release(ip->allocator.context, datagram, sizeof *datagram);
}

void reassembly_clear(struct ip *ip) {
    while (ip->reassembly.oldest)
        datagram_free(ip, ip->reassembly.oldest);
}

/* Memory for `size` octets more; older datagrams than `keep` go for it. */
static bool reassembly_reserve(struct ip *ip, uint32_t size, const struct datagram *keep) {
    struct reassembly *reassembly = &ip->reassembly;
    while (reassembly->charge + size > reassembly->limit) {
        struct datagram *victim = reassembly->oldest;
        if (victim && victim == keep)
            victim = victim->newer;
        if (!victim)
            return false;
        ip->counters->ip_reasm_fails++;
        datagram_free(ip, victim);
    }
    return true;
}

static struct datagram *datagram_get(struct ip *ip, const struct ipv4_header *header,
                                     unsigned interface, uint64_t now) {
    struct reassembly *reassembly = &ip->reassembly;
    struct berth_ip source = berth_ip_v4(header->source);
    struct berth_ip destination = berth_ip_v4(header->destination);
    uint32_t bucket = reassembly_bucket(reassembly, &source, &destination,
                                        (uint32_t)header->id << 8 | header->protocol);
    for (struct datagram *at = reassembly->buckets[bucket]; at; at = at->chain)
        if (at->id == header->id && at->protocol == header->protocol &&
            berth_ip_equal(&at->source, &source) && berth_ip_equal(&at->destination, &destination))
            return at;
    if (!reassembly_reserve(ip, sizeof(struct datagram), NULL))
        return NULL;
    struct datagram *made = ip->allocator.allocate(ip->allocator.context, sizeof *made);
    if (!made)
        return NULL;
    memset(made, 0, sizeof *made);
    made->source = source;
    made->destination = destination;
    made->id = header->id;
    made->protocol = header->protocol;
    made->interface = (uint8_t)interface;
    made->expires = now + reassembly->timeout;
    made->charge = sizeof *made;
    made->chain = reassembly->buckets[bucket];
    reassembly->buckets[bucket] = made;
    made->older = reassembly->newest;
    if (made->older)
        made->older->newer = made;
    else
        reassembly->oldest = made;
    reassembly->newest = made;
    reassembly->charge += made->charge;
    return made;
}

static bool units_overlap(const struct datagram *datagram, uint32_t first, uint32_t count) {
    for (uint32_t i = first; i < first + count; i++)
        if (datagram->bitmap[i / 64] >> (i % 64) & 1)
            return true;
    return false;
}

static bool fragment_is_duplicate(const struct datagram *datagram, uint32_t start,
                                  uint32_t length) {
    for (const struct fragment *at = datagram->fragments; at; at = at->next)
        if (at->start == start)
            return at->length == length;
    return false;
}

/* The ends that fragments claim must agree. */
static bool ends_agree(struct datagram *datagram, uint32_t end, bool more) {
    if (more)
        return datagram->length == 0 || end <= datagram->length;
    if ((datagram->length != 0 && datagram->length != end) || end < datagram->highest)
        return false;
    datagram->length = end;
    return true;
}

static bool fragment_store(struct ip *ip, struct datagram *datagram, const struct frame_view *view,
                           uint32_t at, uint32_t start, uint32_t length) {
    uint32_t size = (uint32_t)sizeof(struct fragment) + length;
    if (datagram->fragment_count == REASSEMBLY_FRAGMENTS || !reassembly_reserve(ip, size, datagram))
        return false;
    struct fragment *fragment = ip->allocator.allocate(ip->allocator.context, size);
    if (!fragment)
        return false;
    fragment->start = start;
    fragment->length = length;
    view_read(view, at, length, fragment->data);
    fragment->next = datagram->fragments;
    datagram->fragments = fragment;
    datagram->fragment_count++;
    datagram->charge += size;
    ip->reassembly.charge += size;
    uint32_t first = start / 8, count = (length + 7) / 8;
    for (uint32_t i = first; i < first + count; i++)
        datagram->bitmap[i / 64] |= UINT64_C(1) << (i % 64);
    datagram->units += count;
    if (start + length > datagram->highest)
        datagram->highest = start + length;
    return true;
}

/* Keeps the first fragment's header as that of the whole datagram. */
static void header_store(struct datagram *datagram, const struct ip_packet *packet) {
    memcpy(datagram->header, packet->header, packet->header_length);
    datagram->header_length = packet->header_length;
}

static void header_complete(const struct datagram *datagram, uint8_t *header) {
    memcpy(header, datagram->header, datagram->header_length);
    store_be16(header + 2, (uint16_t)(datagram->header_length + datagram->length));
    store_be16(header + 6, 0);
    store_be16(header + 10, 0);
    struct checksum sum = {0};
    checksum_add(&sum, header, datagram->header_length);
    store_be16(header + 10, checksum_finish(&sum));
}

static struct berth_block *datagram_join(struct ip *ip, const struct datagram *datagram) {
    struct berth_block *block = berth_block_new(ip->allocator, datagram->length);
    if (!block)
        return NULL;
    for (const struct fragment *at = datagram->fragments; at; at = at->next)
        memcpy(block->data + at->start, at->data, at->length);
    return block;
}

/* What to do with a fragment of a datagram. */
enum fragment_fate { FRAGMENT_KEPT, FRAGMENT_IGNORED, FRAGMENT_FATAL };

static enum fragment_fate datagram_add(struct ip *ip, struct datagram *datagram,
                                       const struct ipv4_header *header,
                                       const struct ip_packet *packet) {
    uint32_t start = header->fragment_offset, length = packet->length;
    if (!ends_agree(datagram, start + length, header->more_fragments))
        return FRAGMENT_FATAL;
    if (units_overlap(datagram, start / 8, (length + 7) / 8))
        return fragment_is_duplicate(datagram, start, length) ? FRAGMENT_IGNORED : FRAGMENT_FATAL;
    if (!fragment_store(ip, datagram, &packet->view, packet->at, start, length))
        return FRAGMENT_FATAL;
    if (start == 0)
        header_store(datagram, packet);
    return FRAGMENT_KEPT;
}

bool reassembly_add(struct ip *ip, const struct ipv4_header *fragment, struct ip_packet *packet,
                    struct berth_block **block, uint8_t header[IPV4_HEADER_MAX], uint64_t now) {
    ip->counters->ip_reasm_requireds++;
    /* RFC 791 3.2, 791-1: all but the last are multiples of 8 octets; and none is empty. */
    if (packet->length == 0 || (fragment->more_fragments && packet->length % 8 != 0)) {
        ip->counters->ip_reasm_fails++;
        return false;
    }
    struct datagram *datagram = datagram_get(ip, fragment, packet->interface, now);
    if (!datagram) {
        ip->counters->ip_reasm_fails++;
        return false;
    }
    enum fragment_fate fate = datagram_add(ip, datagram, fragment, packet);
    if (fate == FRAGMENT_IGNORED)
        return false;
    bool whole = fate == FRAGMENT_KEPT && datagram->length != 0 &&
                 datagram->units == (datagram->length + 7) / 8;
    if (fate == FRAGMENT_KEPT && !whole)
        return false;
    *block = NULL;
    /* The ping of death: header and payload together must fit a datagram. */
    if (whole && datagram->header_length + datagram->length <= IPV4_LENGTH_MAX)
        *block = datagram_join(ip, datagram);
    if (*block) {
        header_complete(datagram, header);
        packet->header = header;
        packet->header_length = datagram->header_length;
        packet->length = datagram->length;
        packet->at = 0;
        packet->flags = 0;
        packet->segment_size = 0;
        view_of_block(&packet->view, *block, datagram->length);
        ip->counters->ip_reasm_oks++;
    } else {
        ip->counters->ip_reasm_fails++;
    }
    datagram_free(ip, datagram);
    return *block != NULL;
}

/* RFC 1122 3.3.2, 1122-IP8: the sender hears of it if the first fragment, which it can recognise,
 * has come.
 */
static void datagram_report(struct ip *ip, const struct datagram *datagram, uint64_t now) {
    const struct fragment *first = datagram->fragments;
    while (first && first->start != 0)
        first = first->next;
    if (!first || datagram->header_length == 0)
        return;
    struct ip_packet packet = {
        .source = datagram->source,
        .destination = datagram->destination,
        .view = {.head = first->data, .head_length = first->length},
        .length = first->length,
        .header = datagram->header,
        .header_length = datagram->header_length,
        .protocol = datagram->protocol,
        .interface = datagram->interface,
        .group = !ip_has_address(ip, &datagram->destination),
    };
    icmp_send_error(ip, &packet, ICMP_TIME_EXCEEDED, 1, now);
}

void reassembly_advance(struct ip *ip, uint64_t now) {
    while (ip->reassembly.oldest && ip->reassembly.oldest->expires <= now) {
        datagram_report(ip, ip->reassembly.oldest, now);
        ip->counters->ip_reasm_timeouts++;
        ip->counters->ip_reasm_fails++;
        datagram_free(ip, ip->reassembly.oldest);
    }
}

uint64_t reassembly_deadline(const struct reassembly *reassembly) {
    return reassembly->oldest ? reassembly->oldest->expires : BERTH_NEVER;
}
