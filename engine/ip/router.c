/* Routers, as a host hears them (RFC 4861 6.3): who they are, how long, and what they say of the
 * link. What they say of prefixes is autoconf.c's.
 *
 * Only where accept_ra says so: addresses and routes here are given by whoever makes a network, and
 * nobody on it should be able to turn a computer's traffic to himself. What is learned is bounded,
 * so that no flood of advertisements costs more than its share, and outlasts no loss of power. */
#include "engine/wire/router.h"
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"

enum { ND_HOPS = 255, MESSAGE_MAX = 1500, AT_ONCE = 1 };
enum { DELAY_MS = 1000, LONGEST_MS = 3600000, SHORTEST_MS = 10 };
static const uint64_t solicitation_interval = 4 * BERTH_SECOND; /* RFC 4861 10 */

static bool listens(const struct ip *ip, unsigned interface) {
    return (ip->accept_ra == 2 || (ip->accept_ra == 1 && !ip->forward6)) &&
           ip->interfaces[interface].link == BERTH_LINK_ETHERNET &&
           !ip->interfaces[interface].disabled;
}

/* ---- solicitations ---- */

const struct berth_ip *ip6_link_local_of(const struct ip *ip, unsigned interface) {
    for (uint32_t i = 0; i < ip->address_count; i++)
        if (ip->addresses[i].interface == interface && address_is_own(&ip->addresses[i]) &&
            ip6_is_link_local(&ip->addresses[i].ip))
            return &ip->addresses[i].ip;
    return NULL;
}

void router_start(struct ip *ip, unsigned interface) {
    struct ip_interface *at = &ip->interfaces[interface];
    at->solicit_due = 0;
    at->solicitations = ip->router_solicitations;
    at->solicited = false;
    if (at->solicitations > 0 && listens(ip, interface) && ip6_link_local_of(ip, interface))
        at->solicit_due = ip->address_due = AT_ONCE;
}

static void solicit(struct ip *ip, unsigned interface, const struct berth_ip *source) {
    static const struct berth_ip routers = {{0xff, 2, [15] = 2}};
    const struct ip_interface *out = &ip->interfaces[interface];
    struct berth_frame frame = {.header_length =
                                    ETHERNET_HEADER + IPV6_HEADER + ROUTER_SOLICITATION};
    struct ethernet_header link = {.type = ETHERNET_IPV6};
    struct ipv6_header header = {.source = *source,
                                 .destination = routers,
                                 .payload_length = ROUTER_SOLICITATION,
                                 .next = IPV6_ICMP,
                                 .hop_limit = ND_HOPS};
    uint8_t *message = frame.header + ETHERNET_HEADER + IPV6_HEADER;
    memcpy(link.source, out->mac, ETHERNET_MAC);
    nd_group_mac(&routers, link.destination);
    ethernet_header_write(frame.header, &link);
    ipv6_header_write(frame.header + ETHERNET_HEADER, &header);
    router_solicitation_write(message, out->mac);
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, source, &routers, IPV6_ICMP, ROUTER_SOLICITATION);
    checksum_add(&sum, message, ROUTER_SOLICITATION);
    store_be16(message + 2, checksum_finish(&sum));
    ip->counters->icmp_out_msgs++;
    ip_ready(ip, interface, &frame);
}

/* RFC 4861 6.3.7, 4861-5: after a little while, some times, until one answers. */
void router_advance(struct ip *ip, unsigned interface, uint64_t now) {
    struct ip_interface *at = &ip->interfaces[interface];
    const struct berth_ip *source = ip6_link_local_of(ip, interface);
    if (at->solicit_due == 0 || at->solicit_due > now)
        return;
    if (at->solicit_due == AT_ONCE) {
        at->solicit_due = now + (1 + random_below(ip->random, DELAY_MS)) * BERTH_MS;
    } else if (at->solicitations == 0 || !source || !listens(ip, interface)) {
        at->solicit_due = 0;
    } else {
        at->solicitations--;
        at->solicited = true;
        at->solicit_due = at->solicitations ? now + solicitation_interval : 0;
        solicit(ip, interface, source);
    }
}

/* RFC 4861 6.3.7: at least one is asked all the same, for what comes unasked may not be all. */
static void answered(struct ip_interface *at) {
    if (at->solicited)
        at->solicit_due = 0;
    else if (at->solicitations > 1)
        at->solicitations = 1;
}

/* ---- default routers ---- */

static struct ip_route *router_find(struct ip *ip, unsigned interface,
                                    const struct berth_ip *address) {
    for (uint32_t i = 0; i < ip->route_count; i++) {
        struct ip_route *route = &ip->routes[i];
        if (route->learned && route->has_gateway && route->interface == interface &&
            berth_ip_equal(&route->gateway, address))
            return route;
    }
    return NULL;
}

/* RFC 4861 6.3.4, 4861-6 */
static void router_learn(struct ip *ip, const struct ip_packet *packet, uint16_t lifetime,
                         uint64_t now) {
    struct ip_route *known = router_find(ip, packet->interface, &packet->source);
    struct ip_route route = {.gateway = packet->source,
                             .interface = packet->interface,
                             .has_gateway = true,
                             .learned = true,
                             .expires = now + lifetime * BERTH_SECOND};
    if (lifetime == 0) {
        if (known)
            ip_route_remove(ip, known);
    } else if (known) {
        known->expires = route.expires;
    } else if (ip_routes_learned(ip, true) < IP_LEARNED_ROUTERS) {
        ip_route_insert(ip, &route); /* no memory: it will say so again */
    }
}

void router_lost(struct ip *ip, unsigned interface, const struct berth_ip *address) {
    struct ip_route *route = router_find(ip, interface, address);
    redirect_lost(ip, interface, address, true);
    if (route)
        ip_route_remove(ip, route);
}

/* RFC 4861 6.3.6, 4861-13 */
void router_unreachable(struct ip *ip, unsigned interface, const struct berth_ip *address) {
    struct ip_route *route = router_find(ip, interface, address);
    redirect_lost(ip, interface, address, false);
    if (!route)
        return;
    struct ip_route last = *route;
    ip_route_remove(ip, route);
    ip_route_insert(ip, &last); /* there is room: one has just gone */
}

/* ---- what is said of the link ---- */

static bool within(uint32_t ms) {
    return ms != 0 && ms <= LONGEST_MS; /* RFC 4861 6.2.1: no router says more than an hour */
}

/* RFC 4861 6.3.4, 4861-7. */
static void link_learn(struct ip *ip, unsigned interface, const struct router_advertisement *said) {
    struct ip_interface *at = &ip->interfaces[interface];
    if (said->hop_limit != 0)
        at->hop_limit = said->hop_limit;
    if (within(said->retransmit))
        at->retransmit =
            (said->retransmit < SHORTEST_MS ? SHORTEST_MS : said->retransmit) * BERTH_MS;
    if (within(said->reachable) && said->reachable != at->reachable_said) { /* 6.3.2 */
        uint32_t base = said->reachable < SHORTEST_MS ? SHORTEST_MS : said->reachable;
        at->reachable_said = said->reachable;
        at->reachable = (base / 2 + random_below(ip->random, base + 1)) * BERTH_MS;
    }
    /* RFC 4861 6.3.4, 4861-8: between what any link carries and what this one does. */
    if (said->mtu >= IPV6_MTU_MIN && said->mtu <= at->mtu && said->mtu != at->mtu6) {
        at->mtu6 = said->mtu;
        ip->version++;
        ip->ops.resized(ip->ops.context, interface);
    }
}

void router_input(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    uint8_t octets[MESSAGE_MAX];
    struct router_advertisement said;
    /* RFC 4861 6.1.2, 4861-9: from a neighbour, and whole. */
    bool right = packet->ttl == ND_HOPS && ip6_is_link_local(&packet->source) &&
                 packet->length <= sizeof octets && packet->interface != IP_LOOPBACK;
    if (right) {
        view_read(&packet->view, packet->at, packet->length, octets);
        right = router_advertisement_parse(octets, packet->length, &said) == 0;
    }
    if (!right) {
        ip->counters->icmp_in_errors++;
        return;
    }
    if (!listens(ip, packet->interface))
        return;
    router_learn(ip, packet, said.lifetime, now);
    if (said.lifetime != 0)
        answered(&ip->interfaces[packet->interface]);
    link_learn(ip, packet->interface, &said);
    if (said.mac && !ethernet_is_group(said.mac)) /* RFC 4861 6.3.4: where it is, too */
        neighbor_hear(ip, packet->interface, &packet->source, said.mac, now);
    struct router_prefix prefix;
    while (router_prefix_next(&said.options, &prefix))
        prefix_hear(ip, packet->interface, &prefix, now);
    address_schedule(ip);
}
