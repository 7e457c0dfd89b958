#include "engine/ip/reassembly.h"
#include "engine/ip/ip.h"
#include "engine/wire/ipv6.h"

/* RFC 3168 5: the lower two bits of the type of service. */
enum { ECN_NOT_ECT = 0, ECN_CE = 3, ECN_MASK = 3 };

struct fragment {
    struct fragment *next;
    uint32_t start, length;
    uint8_t data[];
};

static uint32_t reassembly_bucket(const struct reassembly *reassembly,
                                  const struct berth_ip *source, const struct berth_ip *destination,
                                  uint64_t id_protocol) {
    uint64_t words[5];
    memcpy(words, source->bytes, 16);
    memcpy(words + 2, destination->bytes, 16);
    words[4] = id_protocol;
    return (uint32_t)siphash13_words(&reassembly->key, words, 5) % REASSEMBLY_BUCKETS;
}

static uint32_t datagram_bucket(const struct reassembly *reassembly, const struct datagram *at) {
    return reassembly_bucket(reassembly, &at->source, &at->destination,
                             (uint64_t)at->id << 8 | at->protocol);
}

static void fragment_free(struct ip *ip, struct fragment *fragment) {
    ip->allocator.release(ip->allocator.context, fragment, sizeof *fragment + fragment->length);
}

/* Gives back what came of the datagram. */
static void datagram_empty(struct ip *ip, struct reassembly *reassembly,
                           struct datagram *datagram) {
    while (datagram->fragments) {
        struct fragment *fragment = datagram->fragments;
        datagram->fragments = fragment->next;
        fragment_free(ip, fragment);
    }
    if (datagram->header)
        fragment_free(ip, datagram->header);
    datagram->header = NULL;
    reassembly->charge -= datagram->charge - (uint32_t)sizeof *datagram;
    datagram->charge = sizeof *datagram;
}

static void datagram_free(struct ip *ip, struct reassembly *reassembly, struct datagram *datagram) {
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
    datagram_empty(ip, reassembly, datagram);
    reassembly->charge -= datagram->charge;
    ip->allocator.release(ip->allocator.context, datagram, sizeof *datagram);
}

void reassembly_clear(struct ip *ip, struct reassembly *reassembly) {
    while (reassembly->oldest)
        datagram_free(ip, reassembly, reassembly->oldest);
}

/* Memory for `size` octets more; older datagrams than `keep` go for it. */
static bool reassembly_reserve(struct ip *ip, struct reassembly *reassembly, uint32_t size,
                               const struct datagram *keep) {
    while (reassembly->charge + size > reassembly->limit) {
        struct datagram *victim = reassembly->oldest;
        if (victim && victim == keep)
            victim = victim->newer;
        if (!victim)
            return false;
        ip->counters->ip_reasm_fails += !victim->refused; /* else it is counted */
        datagram_free(ip, reassembly, victim);
    }
    return true;
}

static struct datagram *datagram_get(struct ip *ip, struct reassembly *reassembly,
                                     const struct piece *piece, const struct ip_packet *packet,
                                     uint64_t now) {
    uint32_t bucket = reassembly_bucket(reassembly, &packet->source, &packet->destination,
                                        (uint64_t)piece->id << 8 | piece->protocol);
    for (struct datagram *at = reassembly->buckets[bucket]; at; at = at->chain)
        if (at->id == piece->id && at->protocol == piece->protocol &&
            berth_ip_equal(&at->source, &packet->source) &&
            berth_ip_equal(&at->destination, &packet->destination))
            return at;
    if (!reassembly_reserve(ip, reassembly, sizeof(struct datagram), NULL))
        return NULL;
    struct datagram *made = ip->allocator.allocate(ip->allocator.context, sizeof *made);
    if (!made)
        return NULL;
    memset(made, 0, sizeof *made);
    made->source = packet->source;
    made->destination = packet->destination;
    made->id = piece->id;
    made->protocol = piece->protocol;
    made->interface = packet->interface;
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

/* Room for `length` octets more of that datagram, charged to it; NULL when there is none. */
static struct fragment *fragment_new(struct ip *ip, struct reassembly *reassembly,
                                     struct datagram *datagram, uint32_t length) {
    uint32_t size = (uint32_t)sizeof(struct fragment) + length;
    if (!reassembly_reserve(ip, reassembly, size, datagram))
        return NULL;
    struct fragment *fragment = ip->allocator.allocate(ip->allocator.context, size);
    if (!fragment)
        return NULL;
    fragment->length = length;
    datagram->charge += size;
    reassembly->charge += size;
    return fragment;
}

static bool fragment_store(struct ip *ip, struct reassembly *reassembly, struct datagram *datagram,
                           const struct ip_packet *packet, uint32_t start) {
    uint32_t length = packet->length;
    if (datagram->fragment_count == REASSEMBLY_FRAGMENTS)
        return false;
    struct fragment *fragment = fragment_new(ip, reassembly, datagram, length);
    if (!fragment)
        return false;
    fragment->start = start;
    view_read(&packet->view, packet->at, length, fragment->data);
    datagram->marks |= (uint8_t)(1u << (packet->tos & ECN_MASK));
    fragment->next = datagram->fragments;
    datagram->fragments = fragment;
    datagram->fragment_count++;
    uint32_t first = start / 8, count = (length + 7) / 8;
    for (uint32_t i = first; i < first + count; i++)
        datagram->bitmap[i / 64] |= UINT64_C(1) << (i % 64);
    datagram->units += count;
    if (start + length > datagram->highest)
        datagram->highest = start + length;
    return true;
}

/* Keeps the first fragment's header as that of the whole datagram. */
static bool header_store(struct ip *ip, struct reassembly *reassembly, struct datagram *datagram,
                         const struct piece *piece, const struct ip_packet *packet) {
    datagram->header = fragment_new(ip, reassembly, datagram, packet->header_length);
    if (!datagram->header)
        return false;
    memcpy(datagram->header->data, packet->header, packet->header_length);
    datagram->next_at = piece->next_at;
    datagram->tos = packet->tos;
    return true;
}

/* Octets of the whole datagram's header: IPv6's goes without the fragment header, its last. */
static uint32_t header_whole(const struct datagram *datagram) {
    return datagram->header->length - (datagram->next_at ? IPV6_FRAGMENT_HEADER : 0);
}

static void header_complete(const struct datagram *datagram, uint8_t *header) {
    uint32_t length = header_whole(datagram);
    memcpy(header, datagram->header->data, length);
    if (datagram->next_at) { /* RFC 8200 4.5: the first fragment's next header is the datagram's */
        header[datagram->next_at] = datagram->header->data[length];
        store_be16(header + 4, (uint16_t)(length - IPV6_HEADER + datagram->length));
        return;
    }
    store_be16(header + 2, (uint16_t)(length + datagram->length));
    store_be16(header + 6, 0);
    store_be16(header + 10, 0);
    struct checksum sum = {0};
    checksum_add(&sum, header, length);
    store_be16(header + 10, checksum_finish(&sum));
}

/* The datagram in one run; NULL when memory is out, or for a ping of death: header and payload
 * together must fit what the length field can say. */
static struct berth_block *datagram_join(struct ip *ip, const struct datagram *datagram) {
    uint32_t header = header_whole(datagram);
    if (header - (datagram->next_at ? IPV6_HEADER : 0) + datagram->length > UINT16_MAX)
        return NULL;
    struct berth_block *block = berth_block_new(ip->allocator, header + datagram->length);
    if (!block)
        return NULL;
    header_complete(datagram, block->data);
    for (const struct fragment *at = datagram->fragments; at; at = at->next)
        memcpy(block->data + header + at->start, at->data, at->length);
    return block;
}

/* What to do with a fragment of a datagram. */
enum fragment_fate { FRAGMENT_KEPT, FRAGMENT_IGNORED, FRAGMENT_FATAL };

static enum fragment_fate datagram_add(struct ip *ip, struct reassembly *reassembly,
                                       struct datagram *datagram, const struct piece *piece,
                                       const struct ip_packet *packet) {
    uint32_t start = piece->offset, length = packet->length;
    if (datagram->refused)
        return FRAGMENT_IGNORED;
    if (!ends_agree(datagram, start + length, piece->more))
        return FRAGMENT_FATAL;
    if (units_overlap(datagram, start / 8, (length + 7) / 8))
        return fragment_is_duplicate(datagram, start, length) ? FRAGMENT_IGNORED : FRAGMENT_FATAL;
    if (start == 0 && !header_store(ip, reassembly, datagram, piece, packet))
        return FRAGMENT_FATAL;
    return fragment_store(ip, reassembly, datagram, packet, start) ? FRAGMENT_KEPT : FRAGMENT_FATAL;
}

/* RFC 5722 4, 5722-1, 791-2: of an IPv6 datagram with overlaps the fragments that still come are
 * dropped, too. */
static void datagram_refuse(struct ip *ip, struct reassembly *reassembly,
                            struct datagram *datagram) {
    ip->counters->ip_reasm_fails++;
    if (berth_ip_is_v4(&datagram->source)) {
        datagram_free(ip, reassembly, datagram);
        return;
    }
    datagram_empty(ip, reassembly, datagram);
    datagram->refused = true;
}

/* RFC 3168 5.3, 3168-4: a mark of any fragment is the datagram's, but if another one says that its
 * sender knows no marks, somebody has forged or mangled them. */
static bool marks_agree(const struct datagram *datagram) {
    const unsigned both = 1u << ECN_CE | 1u << ECN_NOT_ECT;
    return (datagram->marks & both) != both;
}

/* Hands the whole datagram on in *block. False when it could not be joined. */
static bool datagram_deliver(struct ip *ip, struct reassembly *reassembly,
                             struct datagram *datagram, struct ip_packet *packet,
                             struct berth_block **block) {
    *block = marks_agree(datagram) ? datagram_join(ip, datagram) : NULL;
    if (*block) {
        packet->header = (*block)->data;
        packet->header_length = (uint16_t)header_whole(datagram);
        packet->length = datagram->length;
        packet->at = packet->header_length;
        packet->tos = datagram->tos | (datagram->marks & 1u << ECN_CE ? ECN_CE : 0);
        packet->flags = 0;
        packet->segment_size = 0;
        view_of_block(&packet->view, *block, packet->at + packet->length);
        ip->counters->ip_reasm_oks++;
    } else {
        ip->counters->ip_reasm_fails++;
    }
    datagram_free(ip, reassembly, datagram);
    return *block != NULL;
}

bool reassembly_add(struct ip *ip, struct reassembly *reassembly, const struct piece *piece,
                    struct ip_packet *packet, struct berth_block **block, uint64_t now) {
    ip->counters->ip_reasm_requireds++;
    /* RFC 791 3.2, 791-1: all but the last are multiples of 8 octets; and none is empty. */
    if (packet->length == 0 || (piece->more && packet->length % 8 != 0)) {
        ip->counters->ip_reasm_fails++;
        return false;
    }
    struct datagram *datagram = datagram_get(ip, reassembly, piece, packet, now);
    if (!datagram) {
        ip->counters->ip_reasm_fails++;
        return false;
    }
    switch (datagram_add(ip, reassembly, datagram, piece, packet)) {
    case FRAGMENT_FATAL:
        datagram_refuse(ip, reassembly, datagram);
        return false;
    case FRAGMENT_KEPT:
        return datagram->length != 0 && datagram->units == (datagram->length + 7) / 8 &&
               datagram_deliver(ip, reassembly, datagram, packet, block);
    case FRAGMENT_IGNORED:
    default:
        return false;
    }
}

/* RFC 1122 3.3.2, 1122-IP8, RFC 8200 4.5, 8200-2: the sender hears of it if the first fragment,
 * which it can recognise, has come. */
static void datagram_report(struct ip *ip, const struct datagram *datagram, uint64_t now) {
    const struct fragment *first = datagram->fragments;
    while (first && first->start != 0)
        first = first->next;
    if (!first || !datagram->header)
        return;
    struct ip_packet packet = {
        .source = datagram->source,
        .destination = datagram->destination,
        .view = {.head = first->data, .head_length = first->length},
        .length = first->length,
        .header = datagram->header->data,
        .header_length = (uint16_t)datagram->header->length,
        .protocol = datagram->protocol,
        .interface = datagram->interface,
        .group = !ip_takes_address(ip, &datagram->destination),
    };
    if (datagram->next_at)
        packet.protocol = packet.header[packet.header_length - IPV6_FRAGMENT_HEADER];
    icmp_report(ip, &packet, ICMP_ABOUT_REASSEMBLY, now);
}

void reassembly_advance(struct ip *ip, struct reassembly *reassembly, uint64_t now) {
    while (reassembly->oldest && reassembly->oldest->expires <= now) {
        struct datagram *datagram = reassembly->oldest;
        if (!datagram->refused) {
            datagram_report(ip, datagram, now);
            ip->counters->ip_reasm_timeouts++;
            ip->counters->ip_reasm_fails++;
        }
        datagram_free(ip, reassembly, datagram);
    }
}

uint64_t reassembly_deadline(const struct reassembly *reassembly) {
    return reassembly->oldest ? reassembly->oldest->expires : BERTH_NEVER;
}
