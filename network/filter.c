#include "network/filter.h"
#include "engine/base/bytes.h"
#include "engine/wire/ethernet.h"
#include "network/network.h"
#include <errno.h>
#include <string.h>

enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, IPV6_HEADER = 40, HEAD = 128 };

struct berth_match filter_given(const struct berth_match *given) {
    struct berth_match match = {0};
    size_t size = given->size != 0 && given->size < sizeof match ? given->size : sizeof match;
    memcpy(&match, given, size);
    match.size = sizeof match;
    return match;
}

void filter_tell(const struct filter *filter, struct berth_match *wanted) {
    size_t size = wanted->size, all = sizeof *wanted;
    memcpy(wanted, &filter->match, size != 0 && size < all ? size : all);
    wanted->size = size;
}

int filter_check(const struct berth_match *match) {
    if (match->protocol == 0 && match->port == 0 && berth_ip_is_any(&match->peer))
        return -EINVAL;
    bool ports =
        match->protocol == 0 || match->protocol == PROTOCOL_TCP || match->protocol == PROTOCOL_UDP;
    return match->port != 0 && !ports ? -EINVAL : 0;
}

/* What a filter looks at. IPv6's extension headers are not walked: TCP and UDP of hosts have none,
 * but for fragments, whose ports are not seen, as IPv4's are not after the first one. */
struct seen {
    struct berth_ip source, destination;
    uint16_t ports[2];
    uint8_t protocol;
};

static bool see(const struct berth_frame *frame, struct seen *seen) {
    uint8_t head[HEAD];
    size_t length = berth_frame_read(frame, 0, head, sizeof head), at;
    const uint8_t *ip = head + ETHERNET_HEADER;
    *seen = (struct seen){.protocol = 0};
    if (length < ETHERNET_HEADER + 20)
        return false;
    uint16_t type = load_be16(head + 12);
    if (type == ETHERNET_IPV4) {
        seen->source = berth_ip_v4(load_be32(ip + 12));
        seen->destination = berth_ip_v4(load_be32(ip + 16));
        seen->protocol = ip[9];
        at = load_be16(ip + 6) & 0x1fff ? length : ETHERNET_HEADER + (size_t)(ip[0] & 15) * 4;
    } else if (type == ETHERNET_IPV6 && length >= ETHERNET_HEADER + IPV6_HEADER) {
        memcpy(seen->source.bytes, ip + 8, 16);
        memcpy(seen->destination.bytes, ip + 24, 16);
        seen->protocol = ip[6];
        at = ETHERNET_HEADER + IPV6_HEADER;
    } else {
        return false;
    }
    if ((seen->protocol == PROTOCOL_TCP || seen->protocol == PROTOCOL_UDP) && at + 4 <= length) {
        seen->ports[0] = load_be16(head + at);
        seen->ports[1] = load_be16(head + at + 2);
    }
    return true;
}

/* A peer is meant with all its addresses. */
static bool is_peer(const struct berth_network *network, const struct berth_ip *peer,
                    const struct berth_ip *address) {
    if (berth_ip_equal(peer, address))
        return true;
    const struct network_port *meant = network_port_at(network, peer);
    const struct network_port *met = meant ? network_port_at(network, address) : NULL;
    return met && met->host == meant->host;
}

static bool fits(const struct link *link, const struct berth_match *match,
                 const struct seen *seen) {
    if (match->protocol != 0 && match->protocol != seen->protocol)
        return false;
    if (match->port != 0 && match->port != seen->ports[0] && match->port != seen->ports[1])
        return false;
    return berth_ip_is_any(&match->peer) ||
           is_peer(link->port->network, &match->peer,
                   link->inward ? &seen->destination : &seen->source);
}

struct impair *filter_choose(struct link *link, const struct berth_frame *frame) {
    struct seen seen;
    if (link->filter_count == 0 || !see(frame, &seen))
        return &link->impair;
    for (uint32_t i = 0; i < link->filter_count; i++)
        if (fits(link, &link->filters[i].match, &seen))
            return &link->filters[i].impair;
    return &link->impair;
}

struct filter *filter_find(const struct link *link, const struct berth_match *match) {
    for (uint32_t i = 0; i < link->filter_count; i++) {
        const struct berth_match *own = &link->filters[i].match;
        if (own->protocol == match->protocol && own->port == match->port &&
            berth_ip_equal(&own->peer, &match->peer))
            return &link->filters[i];
    }
    return NULL;
}

struct filter *filter_add(struct link *link, const struct berth_match *match) {
    struct berth_network *network = link->port->network;
    if (!link->filters)
        link->filters = network->allocator.allocate(network->allocator.context,
                                                    FILTERS_MAX * sizeof *link->filters);
    if (!link->filters || link->filter_count == FILTERS_MAX)
        return NULL;
    struct filter *filter = &link->filters[link->filter_count++];
    *filter = (struct filter){.match = *match};
    impair_set(&filter->impair, &link->impair.what);
    /* Luck of its own, which does not depend on when the filter came. */
    uint64_t purpose = (uint64_t)match->protocol << 16 | match->port;
    for (size_t i = 0; i < sizeof match->peer.bytes; i++)
        purpose = purpose * 0x100000001b3 ^ match->peer.bytes[i];
    purpose = purpose << 32 | (uint32_t)link->port->number << 2 | link->inward;
    random_init(&filter->impair.random, network->seed, purpose | UINT64_C(1) << 63);
    return filter;
}

void filter_remove(struct link *link, struct filter *filter) {
    size_t behind = (size_t)(link->filters + link->filter_count - (filter + 1));
    memmove(filter, filter + 1, behind * sizeof *filter);
    if (--link->filter_count == 0)
        filters_clear(link);
}

void filters_clear(struct link *link) {
    struct berth_allocator *allocator = &link->port->network->allocator;
    if (link->filters)
        allocator->release(allocator->context, link->filters, FILTERS_MAX * sizeof *link->filters);
    link->filters = NULL;
    link->filter_count = 0;
}
