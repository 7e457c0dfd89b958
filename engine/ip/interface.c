#include "engine/ip/ip.h"
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
    *interface = (struct ip_interface){
        .link = config->link, .mtu = config->mtu, .offloads = config->offloads};
    memcpy(interface->mac, config->mac, sizeof interface->mac);
    return ip->interface_count++;
}

int ip_set_interface(struct ip *ip, int interface, uint32_t mtu, uint8_t offloads) {
    if (interface <= IP_LOOPBACK || interface >= ip->interface_count)
        return -ENODEV;
    if (!mtu_is_valid(mtu))
        return -EINVAL;
    ip->interfaces[interface].mtu = mtu;
    ip->interfaces[interface].offloads = offloads;
    ip->version++;
    return 0;
}

int ip_add_address(struct ip *ip, int interface, const struct berth_ip *address, unsigned prefix) {
    if (interface < 0 || interface >= ip->interface_count)
        return -ENODEV;
    if (!berth_ip_is_v4(address) || prefix > 32)
        return -EINVAL;
    uint32_t v4 = berth_ip_to_v4(address);
    if (v4 >> 24 == 0 || v4 >= 0xe0000000) /* RFC 1122 3.2.1.3: no host's address */
        return -EINVAL;
    if (berth_ip_is_loopback(address) != (interface == IP_LOOPBACK))
        return -EINVAL;
    for (uint32_t i = 0; i < ip->address_count; i++)
        if (berth_ip_equal(&ip->addresses[i].ip, address))
            return -EEXIST;
    if (ip->address_count == ip->address_size) {
        void *items = ip->addresses;
        int error =
            ip_grow(ip->allocator, &items, &ip->address_size, sizeof *ip->addresses, IP_ADDRESSES);
        if (error)
            return error;
        ip->addresses = items;
    }
    uint32_t host_bits = prefix == 0 ? UINT32_MAX : prefix == 32 ? 0 : UINT32_MAX >> prefix;
    if (prefix < 32 && interface != IP_LOOPBACK) {
        struct berth_ip subnet = berth_ip_v4(v4 & ~host_bits);
        int error = ip_add_route(ip, interface, &subnet, prefix, NULL);
        if (error)
            return error;
    }
    struct ip_address *added = &ip->addresses[ip->address_count++];
    added->ip = *address;
    /* A subnet of two hosts has no broadcast address (RFC 3021). */
    added->broadcast = prefix < 31 ? berth_ip_v4(v4 | host_bits) : *address;
    added->prefix = (uint8_t)(96 + prefix);
    added->interface = (uint8_t)interface;
    ip->version++;
    return 0;
}

bool ip_has_address(const struct ip *ip, const struct berth_ip *address) {
    for (uint32_t i = 0; i < ip->address_count; i++)
        if (berth_ip_equal(&ip->addresses[i].ip, address))
            return true;
    /* All of 127.0.0.0/8 is this host (RFC 1122 3.2.1.3 (g)). */
    return berth_ip_is_v4(address) && address->bytes[12] == 127;
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
