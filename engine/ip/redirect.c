/* Redirects, as a host takes them (RFC 792, RFC 1122 3.2.2.2 and 3.3.1.2; RFC 4861 8): its first
 * router to a destination knows a better one, or that the destination is on the link itself.
 *
 * THEORY. Whoever can make a host believe a redirect reads its traffic, and anybody on the link can
 * write one. So it counts only if it comes from where the host would send to that destination now,
 * names a neighbour on the same link, and quotes a datagram that a socket may have sent there: of
 * TCP one with a sequence number between what was acknowledged and what was sent last (RFC 5927 4;
 * Linux asks the same). Routers do not take any (RFC 1812 5.2.7.2, RFC 4861 8.3), nor does a host
 * whose accept_redirects is 0.
 *
 * What is taken is kept beside the routes, for that one destination, by the same slots as path
 * MTUs: who comes later takes the slot. It holds as long as the route leads to the router that sent
 * it (one that is redirected on may redirect again, and the first then stays the one that counts),
 * for five minutes as on Linux, and until its neighbour does not answer, or is a router no more. So
 * no route is ever changed, and what is looked up once costs nothing more: ip->version says when
 * hops are to be looked up anew. */
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"
#include "engine/wire/router.h"

enum { ND_HOPS = 255, MESSAGE_MAX = 1500 };
enum { QUOTE4_MAX = IPV4_HEADER_MAX + 8 };
static const uint64_t lifetime = 300 * BERTH_SECOND; /* Linux's net.ipv4.route.gc_timeout */

/* A better first hop than `router`. Kept for `destination`; until 0: an empty slot. */
struct ip_redirect {
    struct berth_ip destination, router, next;
    uint64_t until;
    uint8_t interface;
};

/* RFC 1812 5.2.7.2, 1812-5, RFC 4861 8.3, 4861-18: and no router does. */
static bool listens(const struct ip *ip, const struct ip_packet *packet) {
    bool taken = packet_is_v6(packet) ? ip->accept_redirects6 && !ip->forward6
                                      : ip->accept_redirects && !ip->forward;
    return taken && ip->interfaces[packet->interface].link == BERTH_LINK_ETHERNET;
}

/* ---- what is kept ---- */

static struct ip_redirect *slot_of(const struct ip *ip, const struct berth_ip *destination) {
    return ip->redirects ? &ip->redirects[ip_path_slot(destination)] : NULL;
}

void redirect_apply(const struct ip *ip, const struct berth_ip *destination, struct ip_hop *hop,
                    uint64_t now) {
    const struct ip_redirect *slot = slot_of(ip, destination);
    if (slot && now < slot->until && slot->interface == hop->interface &&
        berth_ip_equal(&slot->router, &hop->next) &&
        berth_ip_equal(&slot->destination, destination))
        hop->next = slot->next;
}

static void redirect_drop(struct ip *ip, struct ip_redirect *slot) {
    slot->until = 0;
    ip->version++;
}

/* RFC 4861 8.3, 7.2.5, 4861-17: a destination that is on the link need be no router. */
void redirect_lost(struct ip *ip, unsigned interface, const struct berth_ip *next, bool as_router) {
    for (unsigned i = 0; ip->redirects && i < IP_PATHS; i++) {
        struct ip_redirect *slot = &ip->redirects[i];
        if (slot->until != 0 && slot->interface == interface && berth_ip_equal(&slot->next, next) &&
            !(as_router && berth_ip_equal(&slot->destination, next)))
            redirect_drop(ip, slot);
    }
}

uint64_t redirect_advance(struct ip *ip, uint64_t now) {
    uint64_t due = BERTH_NEVER;
    for (unsigned i = 0; ip->redirects && i < IP_PATHS; i++) {
        struct ip_redirect *slot = &ip->redirects[i];
        if (slot->until != 0 && slot->until <= now)
            redirect_drop(ip, slot);
        else if (slot->until != 0 && slot->until < due)
            due = slot->until;
    }
    return due;
}

void redirects_clear(struct ip *ip) {
    if (ip->redirects)
        ip->allocator.release(ip->allocator.context, ip->redirects,
                              IP_PATHS * sizeof *ip->redirects);
    ip->redirects = NULL;
    ip->version++;
}

/* Taken with the first redirect; few hosts ever see one. */
static bool redirects_start(struct ip *ip) {
    size_t size = IP_PATHS * sizeof *ip->redirects;
    if (!ip->redirects) {
        ip->redirects = ip->allocator.allocate(ip->allocator.context, size);
        if (ip->redirects)
            memset(ip->redirects, 0, size);
    }
    return ip->redirects != NULL;
}

/* RFC 1122 3.2.2.2, 1122-IC9, RFC 4861 8.3, 4861-15 */
static void redirect_keep(struct ip *ip, const struct ip_redirect *redirect) {
    if (!redirects_start(ip))
        return; /* no memory: it will be said again */
    struct ip_redirect *slot = slot_of(ip, &redirect->destination);
    *slot = *redirect;
    ip->version++;
    if (berth_ip_equal(&slot->next, &slot->router))
        slot->until = 0; /* back to where the route leads */
    address_schedule(ip);
}

/* ---- what is said ---- */

/* True if the packet's sender is the first hop to that destination. *redirect: what a redirect of
 * it begins with. */
static bool is_first_hop(const struct ip *ip, const struct ip_packet *packet,
                         const struct berth_ip *destination, struct ip_redirect *redirect,
                         uint64_t now) {
    struct ip_hop hop;
    if (ip_route(ip, destination, packet->interface, &hop) != 0)
        return false;
    *redirect = (struct ip_redirect){.destination = *destination,
                                     .router = hop.next,
                                     .until = now + lifetime,
                                     .interface = hop.interface};
    bool through_router = !berth_ip_equal(&hop.next, destination);
    redirect_apply(ip, destination, &hop, now);
    /* RFC 1122 3.2.2.2, 1122-IC5, RFC 4861 8.1, 4861-14 */
    return through_router && hop.interface == packet->interface &&
           berth_ip_equal(&hop.next, &packet->source);
}

/* True if octets[at..length) quote a datagram to that destination that a socket of ours sent. */
static bool quotes_ours(const struct ip *ip, const uint8_t *quote, size_t length,
                        struct ip_error *error) {
    uint32_t total;
    return quote && ip_error_of_quote(ip, quote, length, error, &total) &&
           ip->ops.sent(ip->ops.context, error);
}

/* Linux's secure_redirects: a gateway that is a default one in its own right. */
static bool is_default_gateway(const struct ip *ip, unsigned interface,
                               const struct berth_ip *address) {
    for (uint32_t i = 0; i < ip->route_count; i++) {
        const struct ip_route *route = &ip->routes[i];
        if (route->v4 && route->length == 96 && route->has_gateway &&
            route->interface == interface && berth_ip_equal(&route->gateway, address))
            return true;
    }
    return false;
}

/* RFC 1122 3.2.2.2, 1122-IC10: on the link that the redirect came from; and one host that is not
 * ourselves. */
static bool may_be_gateway(const struct ip *ip, unsigned interface, const struct berth_ip *target) {
    return ip_on_link(ip, interface, target) && !ip_has_address(ip, target) &&
           !ip_is_broadcast(ip, interface, target) && !berth_ip_is_multicast(target) &&
           (ip->shared_media || !ip->secure_redirects || is_default_gateway(ip, interface, target));
}

/* All four codes are about the one host: what net it is in is not known here, and routes have no
 * type of service. */
void redirect_input(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    enum { CODES = 4 };
    uint8_t octets[ICMP_HEADER + QUOTE4_MAX];
    uint32_t length = packet->length < sizeof octets ? packet->length : (uint32_t)sizeof octets;
    struct icmp_header header;
    struct ip_error error = {0};
    struct ip_redirect redirect;
    if (!listens(ip, packet) || packet->group)
        return;
    view_read(&packet->view, packet->at, length, octets);
    if (icmp_header_parse(octets, length, &header) != 0 || header.code >= CODES ||
        !quotes_ours(ip, octets + ICMP_HEADER, length - ICMP_HEADER, &error)) {
        ip->counters->icmp_in_errors++;
        return;
    }
    struct berth_ip target = berth_ip_v4(header.rest);
    if (!is_first_hop(ip, packet, &error.remote.ip, &redirect, now) ||
        !may_be_gateway(ip, packet->interface, &target))
        return;
    redirect.next = target;
    redirect_keep(ip, &redirect); /* RFC 1122 3.3.1.2, 1122-IC11 */
}

/* RFC 4861 8.1, 4861-14: a router, by its link-local address, or the destination itself. */
static bool may_be_target(const struct ip *ip, const struct nd_redirect *said) {
    return (ip6_is_link_local(&said->target) ||
            berth_ip_equal(&said->target, &said->destination)) &&
           !ip_has_address(ip, &said->target) && !(said->mac && ethernet_is_group(said->mac));
}

void redirect6_input(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    uint8_t octets[MESSAGE_MAX];
    struct nd_redirect said;
    struct ip_error error = {0};
    struct ip_redirect redirect;
    /* RFC 4861 8.1, 4861-14: from a neighbour, and whole. */
    bool right = packet->ttl == ND_HOPS && ip6_is_link_local(&packet->source) &&
                 packet->length <= sizeof octets;
    if (!listens(ip, packet) || packet->group)
        return;
    if (right) {
        view_read(&packet->view, packet->at, packet->length, octets);
        right = nd_redirect_parse(octets, packet->length, &said) == 0 && may_be_target(ip, &said) &&
                quotes_ours(ip, said.quote, said.quote_length, &error) &&
                berth_ip_equal(&error.remote.ip, &said.destination);
    }
    if (!right) {
        ip->counters->icmp_in_errors++;
        return;
    }
    if (!is_first_hop(ip, packet, &said.destination, &redirect, now))
        return;
    if (said.mac) /* RFC 4861 8.3, 4861-16 */
        neighbor_hear(ip, packet->interface, &said.target, said.mac, now);
    redirect.next = said.target;
    redirect_keep(ip, &redirect);
}
