/* Neighbour discovery (RFC 4861 7): solicitations answered, advertisements believed as far as they
 * should be. Routers are router.c's, redirects redirect.c's. */
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"

enum { ND_HOPS = 255, ND_MESSAGE_MAX = 512 };

static const struct berth_ip all_nodes = {{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

/* Sends a message: to the link address `mac`, or to the group that `destination` is. */
static void nd_send(struct ip *ip, uint8_t interface, const struct berth_ip *source,
                    const struct berth_ip *destination, const uint8_t *mac,
                    struct nd_message message) {
    struct berth_frame frame;
    struct ip_interface *out = &ip->interfaces[interface];
    struct ethernet_header link = {.type = ETHERNET_IPV6};
    struct ipv6_header header = {
        .source = *source, .destination = *destination, .next = IPV6_ICMP, .hop_limit = ND_HOPS};
    if (out->link != BERTH_LINK_ETHERNET)
        return; /* nobody needs to be found there */
    memcpy(link.source, out->mac, ETHERNET_MAC);
    if (mac)
        memcpy(link.destination, mac, ETHERNET_MAC);
    else
        nd_group_mac(destination, link.destination);
    message.mac = berth_ip_is_any(source) ? NULL : out->mac; /* RFC 4861 4.3 */
    uint8_t *at = frame.header + ETHERNET_HEADER + IPV6_HEADER;
    header.payload_length = (uint16_t)nd_write(at, &message);
    ethernet_header_write(frame.header, &link);
    ipv6_header_write(frame.header + ETHERNET_HEADER, &header);
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, source, destination, IPV6_ICMP, header.payload_length);
    checksum_add(&sum, at, header.payload_length);
    store_be16(at + 2, checksum_finish(&sum));
    frame.header_length = (uint16_t)(ETHERNET_HEADER + IPV6_HEADER + header.payload_length);
    frame.part_count = 0;
    frame.flags = 0;
    frame.segment_size = 0;
    frame.transport_offset = 0;
    ip->counters->icmp_out_msgs++;
    ip_ready(ip, interface, &frame);
}

void nd_solicit(struct ip *ip, uint8_t interface, const struct berth_ip *source, const uint8_t *mac,
                const struct berth_ip *target) {
    struct berth_ip group = nd_solicited_node(target);
    struct nd_message message = {.type = ICMP6_NEIGHBOR_SOLICITATION, .target = *target};
    nd_send(ip, interface, source, mac ? target : &group, mac, message);
}

void nd_probe(struct ip *ip, uint8_t interface, const struct berth_ip *target,
              const uint8_t *nonce) {
    static const struct berth_ip unspecified;
    struct berth_ip group = nd_solicited_node(target);
    struct nd_message message = {
        .type = ICMP6_NEIGHBOR_SOLICITATION, .target = *target, .nonce = nonce};
    nd_send(ip, interface, &unspecified, &group, NULL, message);
}

void nd_announce(struct ip *ip, uint8_t interface, const struct berth_ip *address) {
    struct nd_message message = {.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                                 .router = ip->forward6,
                                 .override = true,
                                 .target = *address};
    nd_send(ip, interface, address, &all_nodes, NULL, message);
}

/* The same to a host whose link address is not known: it is asked for first. */
static void nd_post(struct ip *ip, const struct ip_packet *packet, struct nd_message message,
                    uint64_t now) {
    uint8_t octets[ND_LENGTH_MAX];
    message.mac = ip->interfaces[packet->interface].mac;
    struct ip_send send = {
        .local = &message.target,
        .remote = &packet->source,
        .header = octets,
        .header_length = (uint8_t)nd_write(octets, &message),
        .protocol = IPV6_ICMP,
        .ttl = ND_HOPS,
        .interface = packet->interface,
        .checksum_at = 2,
    };
    ip->counters->icmp_out_msgs++;
    ip_post(ip, &send, now);
}

/* RFC 4861 7.2.4, 4861-2: to the asker, at `mac` if that is known; or, when it has no address yet
 * (it wants ours), to all. */
static void nd_answer(struct ip *ip, const struct ip_packet *packet, const struct nd_message *asked,
                      const uint8_t *mac, uint64_t now) {
    struct nd_message message = {.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                                 .router = ip->forward6, /* RFC 4861 7.2.4 */
                                 .solicited = !berth_ip_is_any(&packet->source),
                                 .override = true,
                                 .target = asked->target};
    if (!message.solicited)
        nd_send(ip, packet->interface, &asked->target, &all_nodes, NULL, message);
    else if (mac)
        nd_send(ip, packet->interface, &asked->target, &packet->source, mac, message);
    else
        nd_post(ip, packet, message, now);
}

/* RFC 4861 7.2.3, 4861-2: who asks says where it is. Returns its entry, or NULL. */
static const struct neighbor *nd_merge(struct ip *ip, const struct ip_packet *packet,
                                       const uint8_t *mac, uint64_t now) {
    struct neighbor *entry = neighbor_find(ip, packet->interface, &packet->source);
    if (!mac)
        return entry && entry->state != NEIGHBOR_INCOMPLETE ? entry : NULL;
    if (!entry && !ip_on_link(ip, packet->interface, &packet->source))
        return NULL;
    return neighbor_hear(ip, packet->interface, &packet->source, mac, now);
}

static void nd_solicited(struct ip *ip, const struct ip_packet *packet,
                         const struct nd_message *message, uint64_t now) {
    const uint8_t *mac = message->mac;
    if (berth_ip_is_any(&packet->source)) {
        /* RFC 4861 7.1.1, 4861-1: whoever has no address asks the group, and says no link address.
         */
        struct berth_ip group = nd_solicited_node(&message->target);
        if (mac || !berth_ip_equal(&packet->destination, &group))
            return;
        if (ip_has_address_on(ip, packet->interface, &message->target))
            nd_answer(ip, packet, message, NULL, now);
        else
            dad_solicited(ip, packet->interface, &message->target, message->nonce);
        return;
    }
    if (!ip_has_address_on(ip, packet->interface, &message->target))
        return;
    const struct neighbor *entry = nd_merge(ip, packet, mac, now);
    if (!mac && entry)
        mac = entry->mac;
    nd_answer(ip, packet, message, mac, now);
}

/* RFC 4861 7.2.5, 4861-4. No entry is made by what nobody asked for. */
static void nd_advertised(struct ip *ip, const struct ip_packet *packet,
                          const struct nd_message *message, uint64_t now) {
    struct neighbor *entry = neighbor_find(ip, packet->interface, &message->target);
    dad_advertised(ip, packet->interface, &message->target);
    if (!entry || (message->solicited && packet->group))
        return;
    if (entry->state == NEIGHBOR_INCOMPLETE) {
        if (message->mac)
            neighbor_set(ip, entry, message->mac,
                         message->solicited ? NEIGHBOR_REACHABLE : NEIGHBOR_STALE, now);
        return;
    }
    const uint8_t *mac = message->mac ? message->mac : entry->mac;
    bool other = memcmp(mac, entry->mac, ETHERNET_MAC) != 0;
    if (other && !message->override) { /* it may be right; what is cached is in doubt */
        if (entry->state == NEIGHBOR_REACHABLE)
            entry->state = NEIGHBOR_STALE;
    } else if (message->solicited) {
        neighbor_set(ip, entry, mac, NEIGHBOR_REACHABLE, now);
    } else if (other) {
        neighbor_set(ip, entry, mac, NEIGHBOR_STALE, now);
    }
    if (!message->router && (!other || message->override)) /* 4861-12 */
        router_lost(ip, packet->interface, &message->target);
}

void nd_input(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    uint8_t octets[ND_MESSAGE_MAX];
    struct nd_message message;
    /* RFC 4861 7.1, 4861-1: a router would have counted the hop limit down, so it comes from our
     * link. */
    bool right = packet->ttl == ND_HOPS && packet->length <= sizeof octets &&
                 packet->interface != IP_LOOPBACK;
    if (right) {
        view_read(&packet->view, packet->at, packet->length, octets);
        right = nd_parse(octets, packet->length, &message) == 0 &&
                !(message.mac && ethernet_is_group(message.mac));
    }
    if (!right) {
        ip->counters->icmp_in_errors++;
        return;
    }
    if (message.type == ICMP6_NEIGHBOR_SOLICITATION)
        nd_solicited(ip, packet, &message, now);
    /* Nobody else speaks for what is ours already (RFC 4862 5.4.4 leaves that to the node). */
    else if (!ip_has_address(ip, &message.target))
        nd_advertised(ip, packet, &message, now);
}
