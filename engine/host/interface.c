/* Interfaces and addresses, as the caller sees them; IP keeps them, and TCP must know their sizes.
 */
#include "engine/host/host.h"
#include <errno.h>

static void tell_tcp(struct berth_host *host, int interface) {
    const struct ip_interface *at = &host->sockets.ip.interfaces[interface];
    const struct tcp_interface what = {
        .mtu = at->mtu, .segment_max = ip_segment_max(at), .mtu6 = ip6_mtu(at)};
    tcp_set_interface(host->sockets.tcp, (unsigned)interface, &what);
}

void host_resized(void *context, unsigned interface) {
    tell_tcp(context, (int)interface);
}

int berth_host_add_interface(struct berth_host *host, const struct berth_interface_config *config) {
    int interface = ip_add_interface(&host->sockets.ip, config);
    if (interface > 0)
        tell_tcp(host, interface);
    return interface;
}

int berth_host_set_interface(struct berth_host *host, int interface, uint32_t mtu,
                             uint8_t offloads) {
    int error = ip_set_interface(&host->sockets.ip, interface, mtu, offloads);
    if (!error)
        tell_tcp(host, interface);
    return error;
}

int berth_host_add_address(struct berth_host *host, int interface, const struct berth_ip *address,
                           unsigned prefix) {
    return ip_add_address(&host->sockets.ip, interface, address, prefix);
}

int berth_host_add_route(struct berth_host *host, int interface, const struct berth_ip *prefix,
                         unsigned length, const struct berth_ip *gateway) {
    return ip_add_route(&host->sockets.ip, interface, prefix, length, gateway);
}

int berth_host_add_link_local(struct berth_host *host, int interface) {
    return ip_add_link_local(&host->sockets.ip, interface);
}

static void route_show(struct berth_route *to, const struct ip_route *route) {
    unsigned family = route->v4 ? 96 : 0;
    to->prefix = route->prefix;
    to->length = route->length - family;
    to->interface = route->interface;
    to->gateway = route->gateway;
    if (!route->has_gateway)
        to->gateway = route->v4 ? berth_ip_v4(0) : (struct berth_ip){{0}};
}

size_t berth_host_routes(const struct berth_host *host, struct berth_route *routes, size_t max) {
    const struct ip *ip = &host->sockets.ip;
    for (size_t i = 0; i < ip->route_count && i < max; i++)
        route_show(&routes[i], &ip->routes[i]);
    return ip->route_count;
}

size_t berth_host_neighbors(const struct berth_host *host, struct berth_neighbor *neighbors,
                            size_t max, uint64_t now) {
    return neighbors_list(&host->sockets.ip, neighbors, max, now);
}

int berth_host_find_route(const struct berth_host *host, const struct berth_ip *destination,
                          struct berth_route *route) {
    const struct ip *ip = &host->sockets.ip;
    if (ip_has_address(ip, destination)) {
        bool v4 = berth_ip_is_v4(destination);
        *route = (struct berth_route){.prefix = *destination,
                                      .gateway = v4 ? berth_ip_v4(0) : (struct berth_ip){{0}},
                                      .length = v4 ? 32 : 128,
                                      .interface = IP_LOOPBACK};
        return 0;
    }
    const struct ip_route *found = ip_route_find(ip, destination, IP_ANY_INTERFACE);
    if (!found)
        return -ENETUNREACH;
    route_show(route, found);
    return 0;
}

int berth_host_set_port_range(struct berth_host *host, uint16_t first, uint16_t last) {
    if (first == 0 || first > last)
        return -EINVAL;
    struct berth_host_config *tcp = tcp_config(host->sockets.tcp);
    host->config.port_first = tcp->port_first = first;
    host->config.port_last = tcp->port_last = last;
    int error = ports_set_range(tcp_ports(host->sockets.tcp), first, last);
    return error ? error : ports_set_range(udp_ports(host->sockets.udp), first, last);
}

/* Ours may be behind it (power.c). */
static uint64_t caller_time(const struct berth_host *host, uint64_t time) {
    return time == BERTH_NEVER ? time : time + host->sockets.behind;
}

size_t berth_host_addresses(const struct berth_host *host, struct berth_address *addresses,
                            size_t max) {
    const struct ip *ip = &host->sockets.ip;
    for (size_t i = 0; i < ip->address_count && i < max; i++) {
        const struct ip_address *own = &ip->addresses[i];
        const struct ip_interface *interface = &ip->interfaces[own->interface];
        addresses[i].interface = own->interface;
        addresses[i].prefix = own->prefix - (berth_ip_is_v4(&own->ip) ? 96u : 0u);
        addresses[i].ip = own->ip;
        addresses[i].mtu = interface->mtu;
        addresses[i].state = address_is_own(own)               ? BERTH_ADDRESS_ASSIGNED
                             : own->state == ADDRESS_DUPLICATE ? BERTH_ADDRESS_DUPLICATE
                                                               : BERTH_ADDRESS_TENTATIVE;
        addresses[i].deprecated = own->deprecated;
        addresses[i].valid_until = caller_time(host, own->valid_until);
        addresses[i].preferred_until = caller_time(host, own->preferred_until);
        memcpy(addresses[i].mac, interface->mac, sizeof addresses[i].mac);
    }
    return ip->address_count;
}

bool berth_host_has_address(const struct berth_host *host, const struct berth_ip *ip) {
    return ip_has_address(&host->sockets.ip, ip);
}
