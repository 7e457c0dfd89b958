/* Multicast listener discovery (RFC 3810, RFC 2710), as a host: which groups there are listeners
 * of. Switches that snoop pass a group's frames to where they heard of listeners only, once a
 * router has asked; neighbours would not find us behind one if we were silent.
 *
 * Our groups are the solicited-node groups of our addresses. Queries are answered; one that asks
 * for a single group gets the same answer as one that asks for all. Unasked, a group that is joined
 * is reported at once and, lest the report is lost, again a little later (mld_robustness times in
 * all: Linux's mld_qrv). None by default, for a network of computers here floods what is for a
 * group, and a thousand of them need not tell each other so; a host on a link with others' switches
 * should.
 *
 * Each address counts the reports that are owed of its group. Of groups that were left a few are
 * remembered until that has been said as often. */
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"

enum {
    QUERY_OLD = 24, /* octets of RFC 2710's queries... */
    QUERY_NEW = 28, /* ...and of RFC 3810's, at the least */
    OPTIONS = 8,    /* of hop-by-hop options: a router alert and padding */
    REPORT_NEW = 28,
    MODE_IS_EXCLUDE = 2,   /* of no source: all of the group */
    CHANGE_TO_INCLUDE = 3, /* of no source: none of it any more */
    CHANGE_TO_EXCLUDE = 4, /* the same as 2, and it was not so before */
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

/* RFC 3810 6.2, 3810-1, 3810-2 */
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

static const struct berth_ip unspecified;

/* RFC 3810 5.2.13, 3810-4, RFC 3590: link-local, or none as long as that is not ours yet. */
static const struct berth_ip *report_source(const struct ip *ip, unsigned interface) {
    for (uint32_t i = 0; i < ip->address_count; i++)
        if (ip->addresses[i].interface == interface && address_is_own(&ip->addresses[i]) &&
            ip6_is_link_local(&ip->addresses[i].ip))
            return &ip->addresses[i].ip;
    return &unspecified;
}

/* A report of one group: RFC 3810 5.2, or RFC 2710 3. `record`: what is said of it. */
static void report(struct ip *ip, unsigned interface, const struct berth_ip *group,
                   uint8_t record) {
    static const struct berth_ip routers = {{0xff, 2, [15] = 2}};
    static const struct berth_ip listening = {{0xff, 2, [15] = 0x16}}; /* those of RFC 3810 */
    static const uint8_t options[OPTIONS] = {IPV6_ICMP, 0, ROUTER_ALERT, 2, 0, 0, 1, 0};
    const struct ip_interface *out = &ip->interfaces[interface];
    const struct berth_ip *destination = &listening, *source = report_source(ip, interface);
    if (out->mld_old) /* RFC 2710 4 */
        destination = record == CHANGE_TO_INCLUDE ? &routers : group;
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
    if (out->mld_old) {
        message[0] = record == CHANGE_TO_INCLUDE ? ICMP6_LISTENER_DONE : ICMP6_LISTENER_REPORT_1;
    } else {
        message[0] = ICMP6_LISTENER_REPORT_2;
        message[7] = 1; /* record */
        message[8] = record;
    }
    memcpy(message + length - 16, group->bytes, 16);
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, source, destination, IPV6_ICMP, length);
    checksum_add(&sum, message, length);
    store_be16(message + 2, checksum_finish(&sum));
    ip->counters->icmp_out_msgs++;
    ip_ready(ip, interface, &frame);
}

static bool has_group(const struct ip_address *own, unsigned interface) {
    return own->interface == interface && !berth_ip_is_v4(&own->ip) &&
           own->state != ADDRESS_DUPLICATE;
}

/* The first address of that group on the interface; NULL: nobody listens. */
static struct ip_address *listener(struct ip *ip, unsigned interface,
                                   const struct berth_ip *group) {
    for (uint32_t i = 0; i < ip->address_count; i++) {
        struct berth_ip other = nd_solicited_node(&ip->addresses[i].ip);
        if (has_group(&ip->addresses[i], interface) && berth_ip_equal(&other, group))
            return &ip->addresses[i];
    }
    return NULL;
}

static void answer(struct ip *ip, unsigned interface) {
    for (uint32_t i = 0; i < ip->address_count; i++) {
        struct berth_ip group = nd_solicited_node(&ip->addresses[i].ip);
        if (has_group(&ip->addresses[i], interface) &&
            listener(ip, interface, &group) == &ip->addresses[i]) /* each group once */
            report(ip, interface, &group, MODE_IS_EXCLUDE);
    }
}

/* ---- groups that are joined and left ---- */

static bool reports_unasked(const struct ip *ip, unsigned interface) {
    return ip->mld_robustness > 0 && interface != IP_LOOPBACK &&
           ip->interfaces[interface].link == BERTH_LINK_ETHERNET;
}

void mld_join(struct ip *ip, unsigned interface, const struct berth_ip *address) {
    struct berth_ip group = nd_solicited_node(address);
    struct ip_address *first = listener(ip, interface, &group);
    if (!reports_unasked(ip, interface) || !first || !berth_ip_equal(&first->ip, address))
        return;
    for (unsigned i = 0; i < MLD_LEFT; i++)
        if (ip->mld_left[i].interface == interface &&
            berth_ip_equal(&ip->mld_left[i].group, &group))
            ip->mld_left[i].reports = 0; /* it is back */
    first->reports = ip->mld_robustness;
    ip->interfaces[interface].mld_change_due = 1; /* at once */
}

void mld_leave(struct ip *ip, const struct ip_address *gone) {
    struct berth_ip group = nd_solicited_node(&gone->ip);
    unsigned interface = gone->interface;
    struct ip_address *other = listener(ip, interface, &group);
    if (other && other->reports < gone->reports)
        other->reports = gone->reports;
    if (!reports_unasked(ip, interface) || other)
        return;
    struct mld_left *slot = &ip->mld_left[0];
    for (unsigned i = 1; i < MLD_LEFT; i++)
        if (ip->mld_left[i].reports < slot->reports)
            slot = &ip->mld_left[i];
    *slot = (struct mld_left){
        .group = group, .interface = (uint8_t)interface, .reports = ip->mld_robustness};
    ip->interfaces[interface].mld_change_due = 1;
}

void mld_join_all(struct ip *ip, unsigned interface) {
    for (uint32_t i = 0; i < ip->address_count; i++)
        if (has_group(&ip->addresses[i], interface))
            mld_join(ip, interface, &ip->addresses[i].ip);
}

/* RFC 3810 6.1, 3810-3, RFC 2710 4: what has changed, and once more after a while. */
static void changes(struct ip *ip, unsigned interface, uint64_t now) {
    struct ip_interface *at = &ip->interfaces[interface];
    /* RFC 3810 9.11, RFC 2710 7.10 */
    const uint32_t interval = at->mld_old ? 10000 : 1000;
    uint32_t owed = 0;
    for (uint32_t i = 0; i < ip->address_count; i++) {
        struct ip_address *own = &ip->addresses[i];
        if (own->interface != interface || own->reports == 0)
            continue;
        struct berth_ip group = nd_solicited_node(&own->ip);
        report(ip, interface, &group, CHANGE_TO_EXCLUDE);
        owed += --own->reports;
    }
    for (unsigned i = 0; i < MLD_LEFT; i++) {
        struct mld_left *left = &ip->mld_left[i];
        if (left->interface != interface || left->reports == 0)
            continue;
        report(ip, interface, &left->group, CHANGE_TO_INCLUDE); /* 3810-5 */
        owed += --left->reports;
    }
    at->mld_change_due = owed ? now + (1 + random_below(ip->random, interval)) * BERTH_MS : 0;
}

static bool is_due(uint64_t due, uint64_t now) {
    return due != 0 && due <= now;
}

uint64_t mld_deadline(const struct ip *ip) {
    uint64_t deadline = BERTH_NEVER;
    for (unsigned i = 0; i < ip->interface_count; i++) {
        const struct ip_interface *at = &ip->interfaces[i];
        if (at->mld_due && at->mld_due < deadline)
            deadline = at->mld_due;
        if (at->mld_change_due && at->mld_change_due < deadline)
            deadline = at->mld_change_due;
    }
    return deadline;
}

void mld_advance(struct ip *ip, uint64_t now) {
    for (unsigned i = 0; i < ip->interface_count; i++) {
        if (is_due(ip->interfaces[i].mld_due, now)) {
            ip->interfaces[i].mld_due = 0;
            answer(ip, i);
        }
        if (is_due(ip->interfaces[i].mld_change_due, now))
            changes(ip, i, now);
    }
}
