#include "engine/ip/ip.h"
#include <errno.h>

bool ip_prefix_covers(const struct berth_ip *prefix, unsigned length,
                      const struct berth_ip *address) {
    unsigned octets = length / 8, bits = length % 8;
    if (memcmp(prefix->bytes, address->bytes, octets) != 0)
        return false;
    return bits == 0 || (prefix->bytes[octets] ^ address->bytes[octets]) >> (8 - bits) == 0;
}

/* Behind the routes whose prefix is as long or longer: the first that covers an address wins. */
int ip_route_insert(struct ip *ip, const struct ip_route *route) {
    if (ip->route_count == ip->route_size) {
        void *items = ip->routes;
        int error = ip_grow(ip->allocator, &items, &ip->route_size, sizeof *ip->routes, IP_ROUTES);
        if (error)
            return error;
        ip->routes = items;
    }
    uint32_t at = 0;
    while (at < ip->route_count && ip->routes[at].length >= route->length)
        at++;
    memmove(&ip->routes[at + 1], &ip->routes[at], (ip->route_count - at) * sizeof *ip->routes);
    ip->routes[at] = *route;
    ip->route_count++;
    ip->version++;
    return 0;
}

void ip_route_remove(struct ip *ip, struct ip_route *route) {
    if (route->has_gateway) /* RFC 4861 6.3.5: nor is it one for other routes' destinations */
        redirect_lost(ip, route->interface, &route->gateway, true);
    uint32_t at = (uint32_t)(route - ip->routes);
    ip->route_count--;
    memmove(route, route + 1, (ip->route_count - at) * sizeof *route);
    ip->version++;
}

uint32_t ip_routes_learned(const struct ip *ip, bool routers) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < ip->route_count; i++)
        count += ip->routes[i].learned && ip->routes[i].has_gateway == routers;
    return count;
}

const struct ip_route *ip_route_find(const struct ip *ip, const struct berth_ip *destination,
                                     unsigned interface) {
    bool v4 = berth_ip_is_v4(destination);
    for (uint32_t i = 0; i < ip->route_count; i++) {
        const struct ip_route *route = &ip->routes[i];
        if ((interface == IP_ANY_INTERFACE || interface == route->interface) && route->v4 == v4 &&
            ip_prefix_covers(&route->prefix, route->length, destination))
            return route;
    }
    return NULL;
}

bool ip_on_link(const struct ip *ip, unsigned interface, const struct berth_ip *address) {
    const struct ip_route *route = ip_route_find(ip, address, interface);
    return route && !route->has_gateway;
}

static bool has_host_bits(const struct berth_ip *prefix, unsigned length) {
    for (unsigned bit = length; bit < 128; bit++)
        if (prefix->bytes[bit / 8] >> (7 - bit % 8) & 1)
            return true;
    return false;
}

int ip_add_route(struct ip *ip, int interface, const struct berth_ip *prefix, unsigned length,
                 const struct berth_ip *gateway) {
    if (interface <= IP_LOOPBACK || interface >= ip->interface_count)
        return -ENODEV;
    bool v4 = berth_ip_is_v4(prefix);
    if (length > (v4 ? 32u : 128u) || (gateway && berth_ip_is_v4(gateway) != v4))
        return -EINVAL;
    length += v4 ? 96 : 0;
    if (has_host_bits(prefix, length))
        return -EINVAL;
    if (gateway && !ip_on_link(ip, (unsigned)interface, gateway))
        return -ENETUNREACH;
    struct ip_route route = {.prefix = *prefix,
                             .length = (uint8_t)length,
                             .interface = (uint8_t)interface,
                             .v4 = v4,
                             .has_gateway = gateway != NULL,
                             .expires = BERTH_NEVER};
    if (gateway)
        route.gateway = *gateway;
    return ip_route_insert(ip, &route);
}

int ip_route(const struct ip *ip, const struct berth_ip *destination, unsigned interface,
             struct ip_hop *hop) {
    hop->next = *destination;
    if (ip_has_address(ip, destination)) {
        hop->kind = IP_LOCAL;
        hop->interface = IP_LOOPBACK;
        return 0;
    }
    hop->kind = IP_UNICAST;
    if (ip_is_broadcast(ip, IP_ANY_INTERFACE, destination))
        hop->kind = IP_BROADCAST;
    else if (berth_ip_is_multicast(destination))
        hop->kind = IP_MULTICAST;
    const struct ip_route *route = NULL;
    if (interface != IP_ANY_INTERFACE && interface != IP_LOOPBACK)
        route = ip_route_find(ip, destination, interface);
    if (!route)
        route = ip_route_find(ip, destination, IP_ANY_INTERFACE);
    if (!route)
        return -ENETUNREACH;
    hop->interface = route->interface;
    if (hop->kind == IP_UNICAST && route->has_gateway)
        hop->next = route->gateway;
    return 0;
}
