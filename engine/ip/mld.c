/* Multicast listener discovery (RFC 3810, RFC 2710), as a host: which groups there are listeners
 * of. Switches that snoop pass a group's frames to where they heard of listeners only, once a
 * router has asked; neighbours would not find us behind one if we were silent.
 *
 * Our groups are those of our addresses, which all routers and none need to hear of unasked: so
 * queries are answered, and nothing is said besides. One that asks for a single group gets the same
 * answer as one that asks for all. */
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"

enum {
    QUERY_OLD = 24, /* octets of RFC 2710's queries... */
    QUERY_NEW = 28, /* ...and of RFC 3810's, at the least */
    OPTIONS = 8,    /* of hop-by-hop options: a router alert and padding */
    REPORT_NEW = 28,
    MODE_IS_EXCLUDE = 2, /* of no source: all of the group */
    ROUTER_ALERT = 5,
    HOPS = 1,
};

/* RFC 3810 5.1.14, RFC 2711: the header in front says that routers are to look. */
static bool has_router_alert(const struct ip_packet *packet) {
    const uint8_t *options = packet->header + IPV6_HEADER;
    if (packet->header_length < IPV6_HEADER + OPTIONS || packet->header[6] != IPV6_HOP_BY_HOP)
        return false;
    uint32_t end = options[1] * 8u + 8u;
    if (end > packet->header_length - (uint32_t)IPV6_HEADER)
        return false;
    for (uint32_t at = 2; at + 1 < end; at += options[at] == 0 ? 1 : options[at + 1] + 2u)
        if (options[at] == ROUTER_ALERT)
            return true;
    return false;
}

/* RFC 3810 5.1.3: how long the answer may take, in ms. */
static uint32_t response_time(uint16_t code, bool old) {
    return old || code < 0x8000 ? code : (0x1000u | (code & 0xfff)) << ((code >> 12 & 7) + 3);
}

/* RFC 3810 6.2, 3810-2 */
void mld_query(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    struct ip_interface *at = &ip->interfaces[packet->interface];
    uint8_t octets[QUERY_OLD];
    bool old = packet->length == QUERY_OLD;
    if (at->link != BERTH_LINK_ETHERNET || packet->ttl != HOPS ||
        (!old && packet->length < QUERY_NEW) || !ip6_is_link_local(&packet->source) ||
        !has_router_alert(packet))
        return;
    view_read(&packet->view, packet->at, sizeof octets, octets);
    uint32_t most = response_time(load_be16(octets + 4), old);
    uint64_t due = now + random_below(ip->random, most + 1) * BERTH_MS;
    if (at->mld_due == 0 || due < at->mld_due)
        at->mld_due = due;
    at->mld_old = old;
}

/* ---- reports ---- */

/* A report of one group: RFC 3810 5.2, or RFC 2710 3. */
static void report(struct ip *ip, unsigned interface, const struct berth_ip *source,
                   const struct berth_ip *group) {
    static const struct berth_ip routers = {{0xff, 2, [15] = 0x16}}; /* that do RFC 3810 */
    static const uint8_t options[OPTIONS] = {IPV6_ICMP, 0, ROUTER_ALERT, 2, 0, 0, 1, 0};
    const struct ip_interface *out = &ip->interfaces[interface];
    const struct berth_ip *destination = out->mld_old ? group : &routers;
    uint32_t length = out->mld_old ? QUERY_OLD : REPORT_NEW;
    struct berth_frame frame = {.header_length =
                                    (uint16_t)(ETHERNET_HEADER + IPV6_HEADER + OPTIONS + length)};
    struct ethernet_header link = {.type = ETHERNET_IPV6};
    struct ipv6_header header = {.source = *source,
                                 .destination = *destination,
                                 .payload_length = (uint16_t)(OPTIONS + length),
                                 .next = IPV6_HOP_BY_HOP,
                                 .hop_limit = HOPS};
    memcpy(link.source, out->mac, ETHERNET_MAC);
    nd_group_mac(destination, link.destination);
    ethernet_header_write(frame.header, &link);
    ipv6_header_write(frame.header + ETHERNET_HEADER, &header);
    memcpy(frame.header + ETHERNET_HEADER + IPV6_HEADER, options, OPTIONS);
    uint8_t *message = frame.header + ETHERNET_HEADER + IPV6_HEADER + OPTIONS;
    memset(message, 0, length);
    message[0] = out->mld_old ? ICMP6_LISTENER_REPORT_1 : ICMP6_LISTENER_REPORT_2;
    if (!out->mld_old) {
        message[7] = 1; /* record */
        message[8] = MODE_IS_EXCLUDE;
    }
    memcpy(message + length - 16, group->bytes, 16);
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, source, destination, IPV6_ICMP, length);
    checksum_add(&sum, message, length);
    store_be16(message + 2, checksum_finish(&sum));
    ip->counters->icmp_out_msgs++;
    ip_ready(ip, interface, &frame);
}

/* An address of another one's group: it is reported with that. */
static bool is_repeated(const struct ip *ip, uint32_t which) {
    struct berth_ip group = nd_solicited_node(&ip->addresses[which].ip);
    for (uint32_t i = 0; i < which; i++) {
        struct berth_ip other = nd_solicited_node(&ip->addresses[i].ip);
        if (ip->addresses[i].interface == ip->addresses[which].interface &&
            !berth_ip_is_v4(&ip->addresses[i].ip) && berth_ip_equal(&other, &group))
            return true;
    }
    return false;
}

static void reports(struct ip *ip, unsigned interface) {
    const struct berth_ip *source = NULL; /* link-local: RFC 3810 5.2.13 */
    for (uint32_t i = 0; i < ip->address_count && !source; i++)
        if (ip->addresses[i].interface == interface && ip6_is_link_local(&ip->addresses[i].ip))
            source = &ip->addresses[i].ip;
    for (uint32_t i = 0; i < ip->address_count && source; i++) {
        struct berth_ip group = nd_solicited_node(&ip->addresses[i].ip);
        if (ip->addresses[i].interface == interface && !berth_ip_is_v4(&ip->addresses[i].ip) &&
            !is_repeated(ip, i))
            report(ip, interface, source, &group);
    }
}

uint64_t mld_deadline(const struct ip *ip) {
    uint64_t deadline = BERTH_NEVER;
    for (unsigned i = 0; i < ip->interface_count; i++)
        if (ip->interfaces[i].mld_due && ip->interfaces[i].mld_due < deadline)
            deadline = ip->interfaces[i].mld_due;
    return deadline;
}

void mld_advance(struct ip *ip, uint64_t now) {
    for (unsigned i = 0; i < ip->interface_count; i++) {
        if (ip->interfaces[i].mld_due == 0 || ip->interfaces[i].mld_due > now)
            continue;
        ip->interfaces[i].mld_due = 0;
        reports(ip, i);
    }
}
