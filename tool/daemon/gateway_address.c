/* Who is who on both sides of the gateway. */
#define _GNU_SOURCE
#include "tool/daemon/gateway_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { LINKS = 32, NAMESERVER_PORT = 53 };

socklen_t address_of(const struct berth_endpoint *endpoint, union address *address) {
    memset(address, 0, sizeof *address);
    if (berth_ip_is_v4(&endpoint->ip)) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(endpoint->port);
        address->v4.sin_addr.s_addr = htonl(berth_ip_to_v4(&endpoint->ip));
        return sizeof address->v4;
    }
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons(endpoint->port);
    memcpy(&address->v6.sin6_addr, endpoint->ip.bytes, 16);
    return sizeof address->v6;
}

struct berth_endpoint endpoint_of(const union address *address) {
    struct berth_endpoint endpoint = {.port = 0};
    if (address->any.sa_family == AF_INET) {
        endpoint.ip = berth_ip_v4(ntohl(address->v4.sin_addr.s_addr));
        endpoint.port = ntohs(address->v4.sin_port);
    } else {
        memcpy(endpoint.ip.bytes, &address->v6.sin6_addr, 16);
        endpoint.port = ntohs(address->v6.sin6_port);
    }
    return endpoint;
}

static bool covers(const struct berth_ip *prefix, unsigned length, const struct berth_ip *ip) {
    if (berth_ip_is_v4(prefix) != berth_ip_is_v4(ip) && length >= 96)
        return false;
    for (unsigned bit = 0; bit < length; bit++)
        if ((prefix->bytes[bit / 8] ^ ip->bytes[bit / 8]) >> (7 - bit % 8) & 1)
            return false;
    return true;
}

bool gateway_address(const struct server *server, const struct berth_ip *near, bool v4,
                     struct berth_ip *address) {
    struct berth_link links[LINKS];
    size_t count = berth_network_links(server->network, server->gateway->host, links, LINKS);
    bool found = false;
    for (size_t i = 0; i < count && i < LINKS; i++) {
        const struct berth_ip *own = v4 ? &links[i].address : &links[i].ipv6;
        if (berth_ip_is_any(own))
            continue;
        bool here = near && covers(&links[i].address, 96 + links[i].prefix, near);
        here = here || (near && !berth_ip_is_v4(near) && covers(&links[i].ipv6, 64, near));
        if (!found || here)
            *address = *own;
        found = true;
        if (here)
            break;
    }
    return found;
}

bool gateway_is_own(const struct server *server, const struct berth_ip *address) {
    return berth_host_has_address(gateway_engine(server), address);
}

static bool is_link_local(const struct berth_ip *ip) {
    return ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

/* Is it an address of one of the network's own subnets, or one that is no host's on a wire? */
static bool is_taken(const struct server *server, const struct berth_ip *ip) {
    struct berth_link links[LINKS];
    size_t count = berth_network_links(server->network, server->gateway->host, links, LINKS);
    if (berth_ip_is_loopback(ip) || berth_ip_is_any(ip) || berth_ip_is_multicast(ip) ||
        is_link_local(ip))
        return true;
    for (size_t i = 0; i < count && i < LINKS; i++)
        if (covers(&links[i].address, 96 + links[i].prefix, ip) ||
            (!berth_ip_is_any(&links[i].ipv6) && covers(&links[i].ipv6, 64, ip)))
            return true;
    return false;
}

struct berth_endpoint address_inward(const struct server *server,
                                     const struct berth_endpoint *outside,
                                     const struct berth_ip *near) {
    struct berth_endpoint shown = *outside;
    bool v4 = berth_ip_is_v4(near);
    if (berth_ip_is_v4(&outside->ip) != v4 || is_taken(server, &outside->ip))
        gateway_address(server, near, v4, &shown.ip);
    return shown;
}

static bool is_nameserver(const struct berth_endpoint *outside) {
    struct berth_endpoint servers[NAMESERVERS_MAX];
    unsigned count = outside->port == NAMESERVER_PORT ? nameservers_read(servers) : 0;
    for (unsigned i = 0; i < count; i++)
        if (berth_ip_equal(&servers[i].ip, &outside->ip))
            return true;
    return false;
}

/* The machine's first nameserver of that family at its loopback, for which the gateway stands, too;
 * false: there is none, or it is not what is asked for. */
static bool nameserver_local(const struct berth_endpoint *inside, struct berth_ip *ip) {
    struct berth_endpoint servers[NAMESERVERS_MAX];
    unsigned count = inside->port == NAMESERVER_PORT ? nameservers_read(servers) : 0;
    for (unsigned i = 0; i < count; i++)
        if (berth_ip_is_loopback(&servers[i].ip) &&
            berth_ip_is_v4(&servers[i].ip) == berth_ip_is_v4(&inside->ip)) {
            *ip = servers[i].ip;
            return true;
        }
    return false;
}

void gateway_redirect(const struct server *server, int host, struct berth_endpoint *remote) {
    struct berth_link link;
    struct berth_host *own = berth_network_host(server->network, host);
    if (remote->port != NAMESERVER_PORT || !berth_ip_is_loopback(&remote->ip) || !server->gateway ||
        !server->gateway->open || !own || berth_socket_port_listened(own, remote) ||
        !is_nameserver(remote) || berth_network_links(server->network, host, &link, 1) == 0)
        return;
    gateway_address(server, &link.address, berth_ip_is_v4(&remote->ip), &remote->ip);
}

struct berth_endpoint address_outward(const struct server *server,
                                      const struct berth_endpoint *inside) {
    struct berth_endpoint outside = *inside;
    if (!gateway_is_own(server, &inside->ip) || nameserver_local(inside, &outside.ip))
        return outside;
    if (berth_ip_is_v4(&inside->ip))
        outside.ip = berth_ip_v4(INADDR_LOOPBACK);
    else
        memcpy(outside.ip.bytes, &in6addr_loopback, 16);
    return outside;
}

bool computer_address(const struct server *server, int host, bool v4, struct berth_ip *ip) {
    struct berth_link link;
    if (berth_network_links(server->network, host, &link, 1) == 0)
        return false;
    *ip = v4 ? link.address : link.ipv6;
    return !berth_ip_is_any(ip);
}

bool gateway_allows(const struct server *server, const struct berth_endpoint *inside) {
    const struct gateway *gateway = server->gateway;
    struct berth_endpoint outside = address_outward(server, inside);
    if (!gateway->open)
        return false;
    /* The machine's own loopback is reached by the gateway's addresses only. */
    if (!gateway_is_own(server, &inside->ip) && is_taken(server, &inside->ip))
        return false;
    bool host = gateway_is_own(server, &inside->ip);
    if (is_nameserver(&outside)) /* what is long is asked by TCP */
        return true;
    for (size_t i = 0; i < gateway->rule_count; i++) {
        const struct allow_rule *rule = &gateway->rules[i];
        bool there = rule->host ? host : covers(&rule->prefix, rule->length, &outside.ip);
        if (there &&
            (inside->port == 0 || (outside.port >= rule->first && outside.port <= rule->last)))
            return true;
    }
    return gateway->all;
}

enum berth_refusal refusal_of(int error) {
    switch (error) {
    case ECONNREFUSED:
        return BERTH_REFUSE_PORT;
    case ENETUNREACH:
    case EADDRNOTAVAIL: /* no way there: there is no address to go from */
    case ENETDOWN:
        return BERTH_REFUSE_NET;
    case EACCES:
    case EPERM:
        return BERTH_REFUSE_PROHIBITED;
    default:
        return BERTH_REFUSE_HOST;
    }
}
