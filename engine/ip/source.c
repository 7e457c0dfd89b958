/* Which of its addresses a host sends from: for IPv4 the one of the next hop's subnet, for IPv6
 * what the rules of RFC 6724 section 5 choose. Of those, no address here is temporary or a home
 * address (rules 4 and 7). */
#include "engine/ip/ip.h"
#include <errno.h>

static const struct ip_address *source4(const struct ip *ip, const struct ip_hop *hop) {
    const struct ip_address *found = NULL;
    for (uint32_t i = 0; i < ip->address_count; i++) {
        const struct ip_address *own = &ip->addresses[i];
        if (own->interface == IP_LOOPBACK || !berth_ip_is_v4(&own->ip))
            continue;
        if (own->interface == hop->interface && ip_prefix_covers(&own->ip, own->prefix, &hop->next))
            return own;
        /* Next best: the interface's first address, then the host's first. */
        if (!found || (found->interface != hop->interface && own->interface == hop->interface))
            found = own;
    }
    return found;
}

enum { SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14 };

/* RFC 6724 3.1, RFC 4291 2.7: a group says its scope; unicast ones have a group's numbers. */
static unsigned scope_of(const struct berth_ip *ip) {
    const uint8_t *b = ip->bytes;
    if (b[0] == 0xff)
        return b[1] & 15;
    if (ip6_is_link_local(ip) || berth_ip_is_loopback(ip))
        return SCOPE_LINK;
    return b[0] == 0xfe && (b[1] & 0xc0) == 0xc0 ? SCOPE_SITE : SCOPE_GLOBAL;
}

/* RFC 6724 2.1: the default policy table's labels, longest prefixes first. */
static unsigned label_of(const struct berth_ip *ip) {
    static const struct {
        struct berth_ip prefix;
        uint8_t length, label;
    } table[] = {
        {{{[15] = 1}}, 128, 0},   {{{[10] = 0xff, [11] = 0xff}}, 96, 4},
        {{{0}}, 96, 3},           {{{0x20, 0x01}}, 32, 5},
        {{{0x20, 0x02}}, 16, 2},  {{{0x3f, 0xfe}}, 16, 12},
        {{{0xfe, 0xc0}}, 10, 11}, {{{0xfc}}, 7, 13},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (ip_prefix_covers(&table[i].prefix, table[i].length, ip))
            return table[i].label;
    return 1;
}

/* RFC 6724 2.2: equal bits, no more than the source's prefix has. */
static unsigned common_prefix(const struct ip_address *source, const struct berth_ip *to) {
    unsigned bits = 0;
    while (bits < source->prefix &&
           !((source->ip.bytes[bits / 8] ^ to->bytes[bits / 8]) >> (7 - bits % 8) & 1))
        bits++;
    return bits;
}

/* RFC 6724 5, 6724-1: is `a` the better source for that destination? */
static bool is_better(const struct ip_address *a, const struct ip_address *b,
                      const struct ip_hop *hop, const struct berth_ip *to) {
    /* Rule 1, the destination itself: what goes to it does not leave the host (IP_LOCAL). */
    unsigned scope_a = scope_of(&a->ip), scope_b = scope_of(&b->ip);
    if (scope_a != scope_b) /* rule 2: the smallest that reaches */
        return scope_a < scope_b ? scope_a >= scope_of(to) : scope_b < scope_of(to);
    if (a->deprecated != b->deprecated) /* rule 3 */
        return b->deprecated;
    bool here = a->interface == hop->interface, there = b->interface == hop->interface;
    if (here != there) /* rule 5 */
        return here;
    bool label_a = label_of(&a->ip) == label_of(to), label_b = label_of(&b->ip) == label_of(to);
    if (label_a != label_b) /* rule 6 */
        return label_a;
    return common_prefix(a, to) > common_prefix(b, to); /* rule 8 */
}

static const struct ip_address *source6(const struct ip *ip, const struct ip_hop *hop,
                                        const struct berth_ip *destination) {
    const struct ip_address *found = NULL;
    for (uint32_t i = 0; i < ip->address_count; i++) {
        const struct ip_address *own = &ip->addresses[i];
        if (own->interface == IP_LOOPBACK || berth_ip_is_v4(&own->ip) || !address_is_own(own))
            continue;
        /* RFC 6724 4, 6724-1: a link-local address is of its own link only. */
        if (own->interface != hop->interface && scope_of(&own->ip) == SCOPE_LINK)
            continue;
        if (!found || is_better(own, found, hop, destination))
            found = own;
    }
    return found;
}

int ip_source(const struct ip *ip, const struct ip_hop *hop, const struct berth_ip *destination,
              struct berth_ip *source) {
    bool v4 = berth_ip_is_v4(destination);
    if (hop->kind == IP_LOCAL) {
        *source = v4 && berth_ip_is_loopback(destination) ? berth_ip_v4(0x7f000001) : *destination;
        return 0;
    }
    const struct ip_address *found = v4 ? source4(ip, hop) : source6(ip, hop, destination);
    if (!found)
        return -EADDRNOTAVAIL;
    *source = found->ip;
    return 0;
}
