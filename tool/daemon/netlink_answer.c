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

/* ---- writing ---- */

struct writer {
    const struct netlink_computer *computer;
    uint32_t sequence;
    bool dump;
    size_t used, message; /* of octets; where the message begins */
    _Alignas(NLMSG_ALIGNTO) uint8_t octets[NETLINK_DATAGRAM];
};

enum { MESSAGE_MOST = 512 }; /* no message of ours is longer */

static void writer_flush(struct writer *writer) {
    if (writer->used)
        writer->computer->give(writer->computer->context, writer->octets, writer->used);
    writer->used = 0;
}

static void append(struct writer *writer, const void *data, size_t length) {
    size_t padded = NLMSG_ALIGN(length);
    memset(writer->octets + writer->used, 0, padded);
    memcpy(writer->octets + writer->used, data, length);
    writer->used += padded;
}

static void message_begin(struct writer *writer, uint16_t type, const void *body, size_t length) {
    if (writer->used + MESSAGE_MOST > sizeof writer->octets)
        writer_flush(writer);
    struct nlmsghdr header = {.nlmsg_type = type,
                              .nlmsg_flags = writer->dump ? NLM_F_MULTI : 0,
                              .nlmsg_seq = writer->sequence,
                              .nlmsg_pid = writer->computer->port};
    writer->message = writer->used;
    append(writer, &header, sizeof header);
    append(writer, body, length);
}

static void message_end(struct writer *writer) {
    uint32_t length = (uint32_t)(writer->used - writer->message);
    memcpy(writer->octets + writer->message, &length, sizeof length);
}

static void attribute(struct writer *writer, uint16_t type, const void *data, size_t length) {
    struct rtattr header = {.rta_len = (uint16_t)RTA_LENGTH(length), .rta_type = type};
    append(writer, &header, sizeof header);
    append(writer, data, length);
}

static void attribute_number(struct writer *writer, uint16_t type, uint32_t number) {
    attribute(writer, type, &number, sizeof number);
}

static void error_write(struct writer *writer, const struct nlmsghdr *request, int error) {
    struct nlmsgerr body = {.error = error, .msg = *request};
    writer->dump = false;
    message_begin(writer, NLMSG_ERROR, &body, sizeof body);
    message_end(writer);
    writer_flush(writer);
}

static void done_write(struct writer *writer) {
    int status = 0;
    message_begin(writer, NLMSG_DONE, &status, sizeof status);
    message_end(writer);
    writer_flush(writer);
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

static void link_write(struct writer *writer, const struct berth_address *address) {
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
    message_begin(writer, RTM_NEWLINK, &body, sizeof body);
    attribute(writer, IFLA_IFNAME, name, strlen(name) + 1);
    attribute_number(writer, IFLA_TXQLEN, 1000);
    attribute(writer, IFLA_OPERSTATE, &up, sizeof up);
    attribute(writer, IFLA_LINKMODE, &mode, sizeof mode);
    attribute_number(writer, IFLA_MTU, address->mtu);
    attribute(writer, IFLA_QDISC, "noqueue", sizeof "noqueue");
    attribute(writer, IFLA_ADDRESS, loopback ? zero : address->mac, sizeof zero);
    attribute(writer, IFLA_BROADCAST, loopback ? zero : all_ones, sizeof zero);
    message_end(writer);
}

static void address_write(struct writer *writer, const struct berth_address *address) {
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
    message_begin(writer, RTM_NEWADDR, &body, sizeof body);
    attribute(writer, IFA_ADDRESS, octets, family_length(family));
    if (family == AF_INET) {
        uint32_t v4 = berth_ip_to_v4(&address->ip);
        uint32_t rest = address->prefix < 32 ? UINT32_MAX >> address->prefix : 0;
        uint32_t broadcast = htonl(v4 | rest);
        attribute(writer, IFA_LOCAL, octets, 4);
        if (!loopback && rest > 1)
            attribute(writer, IFA_BROADCAST, &broadcast, sizeof broadcast);
        attribute(writer, IFA_LABEL, name, strlen(name) + 1);
    }
    attribute_number(writer, IFA_FLAGS, IFA_F_PERMANENT);
    message_end(writer);
}

/* The on-link route that an address brings with it; the loopback's are in another table. */
static void route_write(struct writer *writer, const struct berth_address *address) {
    const uint8_t *octets;
    uint8_t network[16], family = address_octets(&address->ip, &octets);
    size_t length = family_length(family);
    for (size_t i = 0; i < length; i++) {
        unsigned left = address->prefix > i * 8 ? address->prefix - (unsigned)i * 8 : 0;
        network[i] = (uint8_t)(octets[i] & (left >= 8 ? 0xff : 0xff00 >> left));
    }
    struct rtmsg body = {.rtm_family = family,
                         .rtm_dst_len = (uint8_t)address->prefix,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = RTPROT_KERNEL,
                         .rtm_scope = RT_SCOPE_LINK,
                         .rtm_type = RTN_UNICAST};
    message_begin(writer, RTM_NEWROUTE, &body, sizeof body);
    attribute_number(writer, RTA_TABLE, RT_TABLE_MAIN);
    attribute(writer, RTA_DST, network, length);
    if (family == AF_INET)
        attribute(writer, RTA_PREFSRC, octets, length);
    attribute_number(writer, RTA_OIF, (uint32_t)address->interface + 1);
    message_end(writer);
}

/* ---- dumps ---- */

/* A link is told with its first address. */
static bool first_of_link(const struct netlink_computer *computer, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (computer->addresses[i].interface == computer->addresses[index].interface)
            return false;
    return true;
}

static void dump_write(struct writer *writer, uint16_t type, uint8_t family) {
    const struct netlink_computer *computer = writer->computer;
    for (size_t i = 0; i < computer->count; i++) {
        const struct berth_address *address = &computer->addresses[i];
        uint8_t own = berth_ip_is_v4(&address->ip) ? AF_INET : AF_INET6;
        bool wanted = family == AF_UNSPEC || family == own;
        if (type == RTM_GETLINK && first_of_link(computer, i))
            link_write(writer, address);
        else if (type == RTM_GETADDR && wanted)
            address_write(writer, address);
        else if (type == RTM_GETROUTE && wanted && address->interface != 0)
            route_write(writer, address);
    }
    done_write(writer);
}

/* ---- requests ---- */

/* The name that a question about one link may carry. */
static bool name_find(const uint8_t *octets, size_t length, char name[NETLINK_NAME]) {
    while (length >= sizeof(struct rtattr)) {
        struct rtattr header;
        memcpy(&header, octets, sizeof header);
        if (header.rta_len < sizeof header || header.rta_len > length)
            return false;
        size_t value = header.rta_len - sizeof header, step = RTA_ALIGN(header.rta_len);
        if (header.rta_type == IFLA_IFNAME && value > 0 && value <= NETLINK_NAME) {
            memcpy(name, octets + sizeof header, value);
            name[value - 1] = '\0';
            return true;
        }
        octets += step < length ? step : length;
        length -= step < length ? step : length;
    }
    return false;
}

static void link_answer(struct writer *writer, const struct nlmsghdr *header, const uint8_t *body,
                        size_t length) {
    const struct netlink_computer *computer = writer->computer;
    struct ifinfomsg wanted;
    char name[NETLINK_NAME] = "", own[NETLINK_NAME];
    if (length < sizeof wanted) {
        error_write(writer, header, -EINVAL);
        return;
    }
    memcpy(&wanted, body, sizeof wanted);
    bool named = name_find(body + sizeof wanted, length - sizeof wanted, name);
    for (size_t i = 0; i < computer->count; i++) {
        netlink_link_name(computer->addresses[i].interface, own);
        if (wanted.ifi_index > 0 ? computer->addresses[i].interface + 1 == wanted.ifi_index
                                 : named && strcmp(own, name) == 0) {
            link_write(writer, &computer->addresses[i]);
            writer_flush(writer);
            return;
        }
    }
    error_write(writer, header, -ENODEV);
}

/* Types come in fours: new, delete, get, set. */
enum { TYPE_KIND = 3, TYPE_GET = 2 };

static void request_answer(struct writer *writer, const struct nlmsghdr *header,
                           const uint8_t *body, size_t length) {
    uint16_t type = header->nlmsg_type;
    bool dump = (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    if (type < NLMSG_MIN_TYPE || !(header->nlmsg_flags & NLM_F_REQUEST))
        return;
    writer->sequence = header->nlmsg_seq;
    writer->dump = dump;
    if (type < RTM_BASE || length == 0)
        error_write(writer, header, type < RTM_BASE ? -EOPNOTSUPP : -EINVAL);
    else if ((type & TYPE_KIND) != TYPE_GET) /* what a computer has is the network's matter */
        error_write(writer, header, -EPERM);
    else if (dump)
        dump_write(writer, type, body[0]);
    else if (type == RTM_GETLINK)
        link_answer(writer, header, body, length);
    else
        error_write(writer, header, -EOPNOTSUPP);
}

void netlink_answer(const struct netlink_computer *computer, const uint8_t *request,
                    size_t length) {
    struct writer writer = {.computer = computer};
    while (length >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr header;
        memcpy(&header, request, sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > length)
            return;
        request_answer(&writer, &header, request + sizeof header, header.nlmsg_len - sizeof header);
        size_t step = NLMSG_ALIGN(header.nlmsg_len);
        if (step >= length)
            return;
        request += step;
        length -= step;
    }
}
