/* A dump is a row of messages, several in a datagram, closed by NLMSG_DONE; a question about one
 * link is answered by one message; all else by NLMSG_ERROR, whose number 0 is an acknowledgement.
 * A link's index is its interface's number and one: 1 is the loopback. */
#define _GNU_SOURCE
#include "tool/daemon/netlink_answer.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define LINK_FLAGS (IFF_UP | IFF_RUNNING | (1 << 16)) /* IFF_LOWER_UP */

void netlink_link_name(int interface, char name[NETLINK_NAME]) {
    if (interface == 0)
        snprintf(name, NETLINK_NAME, "lo");
    else
        snprintf(name, NETLINK_NAME, "eth%d", interface - 1);
}

/* ---- a computer's parts ---- */

/* An address's octets as its family writes them. */
static uint8_t address_octets(const struct berth_ip *ip, const uint8_t **octets) {
    bool v4 = berth_ip_is_v4(ip);
    *octets = ip->bytes + (v4 ? 12 : 0);
    return v4 ? AF_INET : AF_INET6;
}

static size_t family_length(uint8_t family) {
    return family == AF_INET ? 4 : 16;
}

static void link_write(struct netlink_writer *writer, const struct berth_address *address) {
    static const uint8_t all_ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, zero[6];
    bool loopback = address->interface == 0;
    char name[NETLINK_NAME];
    uint8_t up = 6, mode = 0; /* IF_OPER_UP */
    struct ifinfomsg body = {.ifi_family = AF_UNSPEC,
                             .ifi_type = loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER,
                             .ifi_index = address->interface + 1,
                             .ifi_flags = LINK_FLAGS | (loopback ? (unsigned)IFF_LOOPBACK
                                                                 : IFF_BROADCAST | IFF_MULTICAST)};
    netlink_link_name(address->interface, name);
    netlink_begin(writer, RTM_NEWLINK, &body, sizeof body);
    netlink_attribute(writer, IFLA_IFNAME, name, strlen(name) + 1);
    netlink_number(writer, IFLA_TXQLEN, 1000);
    netlink_attribute(writer, IFLA_OPERSTATE, &up, sizeof up);
    netlink_attribute(writer, IFLA_LINKMODE, &mode, sizeof mode);
    netlink_number(writer, IFLA_MTU, address->mtu);
    netlink_attribute(writer, IFLA_QDISC, "noqueue", sizeof "noqueue");
    netlink_attribute(writer, IFLA_ADDRESS, loopback ? zero : address->mac, sizeof zero);
    netlink_attribute(writer, IFLA_BROADCAST, loopback ? zero : all_ones, sizeof zero);
    netlink_end(writer);
}

static void address_write(struct netlink_writer *writer, const struct berth_address *address) {
    const uint8_t *octets;
    char name[NETLINK_NAME];
    uint8_t family = address_octets(&address->ip, &octets);
    bool loopback = address->interface == 0;
    struct ifaddrmsg body = {.ifa_family = family,
                             .ifa_prefixlen = (uint8_t)address->prefix,
                             .ifa_flags = IFA_F_PERMANENT,
                             .ifa_scope = loopback ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
                             .ifa_index = (unsigned)address->interface + 1};
    if (family == AF_INET6 && octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80)
        body.ifa_scope = RT_SCOPE_LINK;
    netlink_link_name(address->interface, name);
    netlink_begin(writer, RTM_NEWADDR, &body, sizeof body);
    netlink_attribute(writer, IFA_ADDRESS, octets, family_length(family));
    if (family == AF_INET) {
        uint32_t v4 = berth_ip_to_v4(&address->ip);
        uint32_t rest = address->prefix < 32 ? UINT32_MAX >> address->prefix : 0;
        uint32_t broadcast = htonl(v4 | rest);
        netlink_attribute(writer, IFA_LOCAL, octets, 4);
        if (!loopback && rest > 1)
            netlink_attribute(writer, IFA_BROADCAST, &broadcast, sizeof broadcast);
        netlink_attribute(writer, IFA_LABEL, name, strlen(name) + 1);
    }
    netlink_number(writer, IFA_FLAGS, IFA_F_PERMANENT);
    netlink_end(writer);
}

/* ---- routes ---- */

/* The address that is used on that interface, of that family; NULL: none. Link-local ones last. */
static const struct berth_address *source_of(const struct netlink_computer *computer, int interface,
                                             uint8_t family) {
    const struct berth_address *found = NULL;
    for (size_t i = 0; i < computer->count; i++) {
        const struct berth_address *own = &computer->addresses[i];
        const uint8_t *octets;
        if (own->interface != interface || address_octets(&own->ip, &octets) != family)
            continue;
        if (family == AF_INET || octets[0] != 0xfe)
            return own;
        found = own;
    }
    return found;
}

/* `asked`: NULL for the table's row, else the destination that was asked for. What leads to a link
 * came with its address; the rest was set. */
static void route_write(struct netlink_writer *writer, const struct berth_route *route,
                        const struct berth_ip *asked) {
    const uint8_t *octets, *gateway;
    uint8_t family = address_octets(&route->prefix, &octets);
    size_t length = family_length(family);
    bool on_link = berth_ip_is_any(&route->gateway), local = route->interface == 0;
    const struct berth_address *source =
        local ? NULL : source_of(writer->subject, route->interface, family);
    uint8_t protocol = asked ? RTPROT_UNSPEC : on_link ? RTPROT_KERNEL : RTPROT_STATIC;
    uint32_t table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
    struct rtmsg body = {.rtm_family = family,
                         .rtm_dst_len = (uint8_t)(asked ? length * 8 : route->length),
                         .rtm_table = (uint8_t)table,
                         .rtm_protocol = protocol,
                         .rtm_flags = asked ? RTM_F_CLONED : 0,
                         .rtm_scope = on_link && !asked ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
                         .rtm_type = local ? RTN_LOCAL : RTN_UNICAST};
    if (asked)
        address_octets(asked, &octets);
    netlink_begin(writer, RTM_NEWROUTE, &body, sizeof body);
    netlink_number(writer, RTA_TABLE, table);
    if (body.rtm_dst_len > 0)
        netlink_attribute(writer, RTA_DST, octets, length);
    netlink_number(writer, RTA_OIF, (uint32_t)route->interface + 1);
    if (!on_link) {
        address_octets(&route->gateway, &gateway);
        netlink_attribute(writer, RTA_GATEWAY, gateway, length);
    }
    if (asked || (on_link && family == AF_INET)) {
        const uint8_t *from = octets;
        if (source)
            address_octets(&source->ip, &from);
        netlink_attribute(writer, RTA_PREFSRC, from, length);
    }
    netlink_end(writer);
}

/* Linux has the groups of IPv6 in its table of local ones, which nobody asks for. */
static bool route_is_shown(const struct berth_route *route, uint8_t family) {
    uint8_t own = berth_ip_is_v4(&route->prefix) ? AF_INET : AF_INET6;
    return (family == AF_UNSPEC || family == own) && !berth_ip_is_multicast(&route->prefix);
}

/* The shortest prefix, which is the default route, first. */
static void routes_dump(struct netlink_writer *writer, uint8_t family) {
    const struct netlink_computer *computer = writer->subject;
    for (size_t i = computer->route_count; i-- > 0;)
        if (route_is_shown(&computer->routes[i], family))
            route_write(writer, &computer->routes[i], NULL);
    netlink_done(writer);
}

static bool covers(const struct berth_route *route, const struct berth_ip *address) {
    const uint8_t *prefix, *octets;
    if (address_octets(&route->prefix, &prefix) != address_octets(address, &octets))
        return false;
    for (unsigned bit = 0; bit < route->length; bit++)
        if ((prefix[bit / 8] ^ octets[bit / 8]) >> (7 - bit % 8) & 1)
            return false;
    return true;
}

/* `ip route get`. */
static void route_find_write(struct netlink_writer *writer, const struct nlmsghdr *header,
                             const struct berth_ip *destination) {
    const struct netlink_computer *computer = writer->subject;
    struct berth_route own = {.prefix = *destination};
    for (size_t i = 0; i < computer->count; i++)
        if (berth_ip_equal(&computer->addresses[i].ip, destination)) {
            route_write(writer, &own, destination);
            netlink_flush(writer);
            return;
        }
    for (size_t i = 0; i < computer->route_count; i++)
        if (covers(&computer->routes[i], destination)) {
            route_write(writer, &computer->routes[i], destination);
            netlink_flush(writer);
            return;
        }
    netlink_error(writer, header, -ENETUNREACH);
}

/* ---- neighbours ---- */

static void neighbor_write(struct netlink_writer *writer, const struct berth_neighbor *neighbor) {
    const uint8_t *octets;
    uint8_t family = address_octets(&neighbor->ip, &octets);
    struct ndmsg body = {.ndm_family = family,
                         .ndm_ifindex = neighbor->interface + 1,
                         .ndm_state = (uint16_t)neighbor->state,
                         .ndm_type = RTN_UNICAST};
    netlink_begin(writer, RTM_NEWNEIGH, &body, sizeof body);
    netlink_attribute(writer, NDA_DST, octets, family_length(family));
    if (neighbor->state != BERTH_NEIGHBOR_INCOMPLETE)
        netlink_attribute(writer, NDA_LLADDR, neighbor->mac, sizeof neighbor->mac);
    netlink_end(writer);
}

static void neighbors_dump(struct netlink_writer *writer, uint8_t family) {
    const struct netlink_computer *computer = writer->subject;
    for (size_t i = 0; i < computer->neighbor_count; i++) {
        uint8_t own = berth_ip_is_v4(&computer->neighbors[i].ip) ? AF_INET : AF_INET6;
        if (family == AF_UNSPEC || family == own)
            neighbor_write(writer, &computer->neighbors[i]);
    }
    netlink_done(writer);
}

/* ---- dumps ---- */

/* A link is told with its first address. */
static bool first_of_link(const struct netlink_computer *computer, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (computer->addresses[i].interface == computer->addresses[index].interface)
            return false;
    return true;
}

static void dump_write(struct netlink_writer *writer, uint16_t type, uint8_t family) {
    const struct netlink_computer *computer = writer->subject;
    if (type == RTM_GETROUTE) {
        routes_dump(writer, family);
        return;
    }
    if (type == RTM_GETNEIGH) {
        neighbors_dump(writer, family);
        return;
    }
    for (size_t i = 0; i < computer->count; i++) {
        const struct berth_address *address = &computer->addresses[i];
        uint8_t own = berth_ip_is_v4(&address->ip) ? AF_INET : AF_INET6;
        bool wanted = family == AF_UNSPEC || family == own;
        if (type == RTM_GETLINK && first_of_link(computer, i))
            link_write(writer, address);
        else if (type == RTM_GETADDR && wanted)
            address_write(writer, address);
    }
    netlink_done(writer);
}

/* ---- requests ---- */

/* The name that a question about one link may carry. */
static bool name_find(const uint8_t *octets, size_t length, char name[NETLINK_NAME]) {
    size_t size;
    const uint8_t *value = netlink_attribute_find(octets, length, IFLA_IFNAME, &size);
    if (!value || size == 0 || size > NETLINK_NAME)
        return false;
    memcpy(name, value, size);
    name[size - 1] = '\0';
    return true;
}

static void route_answer(struct netlink_writer *writer, const struct nlmsghdr *header,
                         const uint8_t *body, size_t length) {
    struct rtmsg wanted;
    struct berth_ip destination = {{0}};
    size_t size = 0;
    const uint8_t *octets = NULL;
    if (length >= sizeof wanted) {
        memcpy(&wanted, body, sizeof wanted);
        octets =
            netlink_attribute_find(body + sizeof wanted, length - sizeof wanted, RTA_DST, &size);
    }
    if (!octets || size != family_length(wanted.rtm_family)) {
        netlink_error(writer, header, -EINVAL);
        return;
    }
    if (size == 4)
        destination = berth_ip_v4(0);
    memcpy(destination.bytes + 16 - size, octets, size);
    route_find_write(writer, header, &destination);
}

static void link_answer(struct netlink_writer *writer, const struct nlmsghdr *header,
                        const uint8_t *body, size_t length) {
    const struct netlink_computer *computer = writer->subject;
    struct ifinfomsg wanted;
    char name[NETLINK_NAME] = "", own[NETLINK_NAME];
    if (length < sizeof wanted) {
        netlink_error(writer, header, -EINVAL);
        return;
    }
    memcpy(&wanted, body, sizeof wanted);
    bool named = name_find(body + sizeof wanted, length - sizeof wanted, name);
    for (size_t i = 0; i < computer->count; i++) {
        netlink_link_name(computer->addresses[i].interface, own);
        if (wanted.ifi_index > 0 ? computer->addresses[i].interface + 1 == wanted.ifi_index
                                 : named && strcmp(own, name) == 0) {
            link_write(writer, &computer->addresses[i]);
            netlink_flush(writer);
            return;
        }
    }
    netlink_error(writer, header, -ENODEV);
}

/* Types come in fours: new, delete, get, set. */
enum { TYPE_KIND = 3, TYPE_GET = 2 };

static void request_answer(struct netlink_writer *writer, const struct nlmsghdr *header,
                           const uint8_t *body, size_t length) {
    uint16_t type = header->nlmsg_type;
    if (type < RTM_BASE || length == 0)
        netlink_error(writer, header, type < RTM_BASE ? -EOPNOTSUPP : -EINVAL);
    else if ((type & TYPE_KIND) != TYPE_GET) /* what a computer has is the network's matter */
        netlink_error(writer, header, -EPERM);
    else if (writer->dump)
        dump_write(writer, type, body[0]);
    else if (type == RTM_GETLINK)
        link_answer(writer, header, body, length);
    else if (type == RTM_GETROUTE)
        route_answer(writer, header, body, length);
    else
        netlink_error(writer, header, -EOPNOTSUPP);
}

void netlink_answer(const struct netlink_computer *computer, const uint8_t *request,
                    size_t length) {
    struct netlink_writer writer = {.asker = computer->asker, .subject = computer};
    netlink_requests(&writer, request, length, request_answer);
}
