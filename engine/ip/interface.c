#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"
#include <errno.h>

static bool mtu_is_valid(uint32_t mtu) {
    return mtu >= 68 && mtu <= IPV4_LENGTH_MAX; /* RFC 791 3.2 */
}

int ip_add_interface(struct ip *ip, const struct berth_interface_config *config) {
    if (config->link != BERTH_LINK_ETHERNET && config->link != BERTH_LINK_RAW_IP)
        return -EINVAL;
    if (!mtu_is_valid(config->mtu))
        return -EINVAL;
    if (config->link == BERTH_LINK_ETHERNET && ethernet_is_group(config->mac))
        return -EINVAL;
    if (ip->interface_count == IP_INTERFACES)
        return -ENOSPC;
    struct ip_interface *interface = &ip->interfaces[ip->interface_count];
    *interface = (struct ip_interface){.link = config->link,
                                       .mtu = config->mtu,
                                       .offloads = config->offloads,
                                       .retransmit = BERTH_SECOND};
    memcpy(interface->mac, config->mac, sizeof interface->mac);
    return ip->interface_count++;
}

static bool interface_has_v6(const struct ip *ip, int interface) {
    for (uint32_t i = 0; i < ip->address_count; i++)
        if (ip->addresses[i].interface == interface && !berth_ip_is_v4(&ip->addresses[i].ip))
            return true;
    return false;
}

int ip_set_interface(struct ip *ip, int interface, uint32_t mtu, uint8_t offloads) {
    if (interface <= IP_LOOPBACK || interface >= ip->interface_count)
        return -ENODEV;
    if (!mtu_is_valid(mtu) || (mtu < IPV6_MTU_MIN && interface_has_v6(ip, interface)))
        return -EINVAL;
    ip->interfaces[interface].mtu = mtu;
    ip->interfaces[interface].offloads = offloads;
    ip->version++;
    return 0;
}

/* ---- addresses ---- */

/* Room for so many more addresses and routes, so that what is added is added whole. */
static int reserve(struct ip *ip, uint32_t addresses, uint32_t routes) {
    void *items = ip->addresses;
    while (ip->address_size < ip->address_count + addresses) {
        int error =
            ip_grow(ip->allocator, &items, &ip->address_size, sizeof *ip->addresses, IP_ADDRESSES);
        if (error)
            return error;
        ip->addresses = items;
    }
    items = ip->routes;
    while (ip->route_size < ip->route_count + routes) {
        int error = ip_grow(ip->allocator, &items, &ip->route_size, sizeof *ip->routes, IP_ROUTES);
        if (error)
            return error;
        ip->routes = items;
    }
    return 0;
}

/* Could a host have it there? RFC 1122 3.2.1.3, RFC 4291 2.5.2, 2.5.3, 2.7. */
static bool address_is_valid(const struct ip *ip, int interface, const struct berth_ip *address,
                             unsigned prefix) {
    if (berth_ip_is_loopback(address) != (interface == IP_LOOPBACK))
        return false;
    if (berth_ip_is_v4(address)) {
        uint32_t v4 = berth_ip_to_v4(address);
        return prefix <= 32 && v4 >> 24 != 0 && v4 < 0xe0000000;
    }
    return prefix <= 128 && !berth_ip_is_any(address) && !berth_ip_is_multicast(address) &&
           ip->interfaces[interface].mtu >= IPV6_MTU_MIN;
}

struct berth_ip ip_prefix_mask(const struct berth_ip *address, unsigned length) {
    struct berth_ip prefix = {{0}};
    for (unsigned bit = 0; bit < length; bit++)
        prefix.bytes[bit / 8] |= (uint8_t)(address->bytes[bit / 8] & 0x80 >> bit % 8);
    return prefix;
}

/* There is room for it. */
static struct ip_address *address_put(struct ip *ip, unsigned interface,
                                      const struct berth_ip *address, unsigned length) {
    struct ip_address *added = &ip->addresses[ip->address_count++];
    *added = (struct ip_address){.ip = *address,
                                 .broadcast = *address,
                                 .prefix = (uint8_t)length,
                                 .interface = (uint8_t)interface,
                                 .due = BERTH_NEVER,
                                 .preferred_until = BERTH_NEVER,
                                 .valid_until = BERTH_NEVER};
    ip->version++;
    if (berth_ip_is_v4(address) || interface == IP_LOOPBACK)
        return added;
    mld_join(ip, interface, address); /* RFC 4862 5.4.2: before it is tried */
    if (!dad_start(ip, added))
        dad_assign(ip, added);
    return added;
}

/* There is room for it and its route. */
static void address_give(struct ip *ip, int interface, const struct berth_ip *address,
                         unsigned prefix) {
    bool v4 = berth_ip_is_v4(address);
    unsigned length = prefix + (v4 ? 96 : 0);
    struct berth_ip subnet = ip_prefix_mask(address, length);
    if (length < 128 && interface != IP_LOOPBACK)
        ip_add_route(ip, interface, &subnet, prefix, NULL);
    struct ip_address *added = address_put(ip, (unsigned)interface, address, length);
    if (v4 && prefix < 31) /* a subnet of two hosts has no broadcast address (RFC 3021) */
        added->broadcast = berth_ip_v4(berth_ip_to_v4(address) | UINT32_MAX >> prefix);
}

struct ip_address *ip_address_learn(struct ip *ip, unsigned interface,
                                    const struct berth_ip *address, unsigned prefix) {
    if (!address_is_valid(ip, (int)interface, address, prefix) || reserve(ip, 1, 0) != 0)
        return NULL;
    struct ip_address *added = address_put(ip, interface, address, prefix);
    added->learned = true;
    return added;
}

static const struct ip_address *address_find(const struct ip *ip, const struct berth_ip *address) {
    for (uint32_t i = 0; i < ip->address_count; i++)
        if (berth_ip_equal(&ip->addresses[i].ip, address))
            return &ip->addresses[i];
    return NULL;
}

static struct berth_ip link_local_for(struct ip *ip, int interface) {
    const struct ip_interface *at = &ip->interfaces[interface];
    struct berth_ip link_local = nd_link_local(at->mac);
    if (at->link == BERTH_LINK_RAW_IP) { /* no link address to make it from */
        uint64_t identifier = random_u64(ip->random);
        memcpy(link_local.bytes + 8, &identifier, sizeof identifier);
    }
    return link_local;
}

/* What IPv6 needs on an interface besides its first address: a link-local one (RFC 4291 2.8), and a
 * way for groups. */
static void interface_start_v6(struct ip *ip, int interface, const struct berth_ip *first) {
    static const struct berth_ip groups = {{0xff}};
    ip_add_route(ip, interface, &groups, 8, NULL);
    if (!ip6_is_link_local(first)) {
        struct berth_ip link_local = link_local_for(ip, interface);
        if (!address_find(ip, &link_local))
            address_give(ip, interface, &link_local, 64);
    }
    router_start(ip, (unsigned)interface);
}

int ip_add_link_local(struct ip *ip, int interface) {
    if (interface <= IP_LOOPBACK || interface >= ip->interface_count)
        return -ENODEV;
    struct berth_ip link_local = link_local_for(ip, interface);
    return ip_add_address(ip, interface, &link_local, 64);
}

int ip_add_address(struct ip *ip, int interface, const struct berth_ip *address, unsigned prefix) {
    if (interface < 0 || interface >= ip->interface_count)
        return -ENODEV;
    if (!address_is_valid(ip, interface, address, prefix))
        return -EINVAL;
    if (address_find(ip, address))
        return -EEXIST;
    if (ip->interfaces[interface].disabled && !berth_ip_is_v4(address))
        return -EACCES;
    bool first =
        !berth_ip_is_v4(address) && interface != IP_LOOPBACK && !interface_has_v6(ip, interface);
    int error = reserve(ip, first ? 2 : 1, first ? 3 : 1);
    if (error)
        return error;
    address_give(ip, interface, address, prefix);
    if (first)
        interface_start_v6(ip, interface, address);
    return 0;
}

bool ip_has_address_on(const struct ip *ip, unsigned interface, const struct berth_ip *address) {
    for (uint32_t i = 0; i < ip->address_count; i++)
        if (ip->addresses[i].interface == interface && address_is_own(&ip->addresses[i]) &&
            berth_ip_equal(&ip->addresses[i].ip, address))
            return true;
    return false;
}

bool ip6_has_group(const struct ip *ip, unsigned interface, const struct berth_ip *group) {
    static const struct berth_ip all_nodes = {{0xff, 2, [15] = 1}};
    static const struct berth_ip all_routers = {{0xff, 2, [15] = 2}};
    if (!interface_has_v6(ip, (int)interface))
        return false;
    if (berth_ip_equal(group, &all_nodes) ||
        (ip->forward6 && berth_ip_equal(group, &all_routers))) /* RFC 4291 2.8 */
        return true;
    for (uint32_t i = 0; i < ip->address_count; i++) {
        const struct ip_address *own = &ip->addresses[i];
        struct berth_ip solicited = nd_solicited_node(&own->ip);
        if (own->interface == interface && !berth_ip_is_v4(&own->ip) &&
            own->state != ADDRESS_DUPLICATE && berth_ip_equal(&solicited, group))
            return true;
    }
    return false;
}

bool ip_has_address(const struct ip *ip, const struct berth_ip *address) {
    const struct ip_address *own = address_find(ip, address);
    if (own && address_is_own(own)) /* RFC 4862 5.4, 4862-2: a tentative one is not */
        return true;
    /* All of 127.0.0.0/8 is this host (RFC 1122 3.2.1.3 (g)). */
    return berth_ip_is_v4(address) && address->bytes[12] == 127;
}

bool ip_takes_address(const struct ip *ip, const struct berth_ip *address) {
    if (ip_has_address(ip, address))
        return true;
    if (!ip->takes_all || berth_ip_is_any(address) || berth_ip_is_multicast(address) ||
        ip_is_broadcast(ip, IP_ANY_INTERFACE, address))
        return false;
    if (!berth_ip_is_v4(address))
        return !ip6_is_link_local(address) && !berth_ip_is_loopback(address);
    return address->bytes[12] != 0 && address->bytes[12] < 224;
}

bool ip_is_broadcast(const struct ip *ip, unsigned interface, const struct berth_ip *address) {
    if (!berth_ip_is_v4(address))
        return false;
    if (berth_ip_to_v4(address) == UINT32_MAX)
        return true;
    for (uint32_t i = 0; i < ip->address_count; i++) {
        const struct ip_address *own = &ip->addresses[i];
        if (own->interface == IP_LOOPBACK || own->prefix >= 127)
            continue;
        if ((interface == IP_ANY_INTERFACE || interface == own->interface) &&
            berth_ip_equal(&own->broadcast, address))
            return true;
    }
    return false;
}
