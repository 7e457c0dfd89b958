#include "engine/ip/ip.h"

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_LSRR = 131, OPTION_SSRR = 137 };

/* RFC 1122 3.2.1.8, 1122-IP4, 1122-IP7: options are skipped, and a wrong length among them is not
 * fatal. Source routes are refused (RFC 7126 4.3, 4.4). */
static bool is_source_routed(const struct ipv4_header *header) {
    unsigned at = 0;
    while (at < header->options_length) {
        uint8_t kind = header->options[at];
        if (kind == OPTION_LSRR || kind == OPTION_SSRR)
            return true;
        if (kind == OPTION_END)
            return false;
        if (kind == OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 1 >= header->options_length || header->options[at + 1] < 2)
            return false;
        at += header->options[at + 1];
    }
    return false;
}

/* RFC 1122 3.2.1.3, 1122-IP2: what no host can have sent to us over a link. */
static bool is_martian(const struct ip *ip, unsigned interface, uint32_t v4,
                       const struct berth_ip *source) {
    uint32_t net = v4 >> 24;
    return net == 0 || net == 127 || net >= 224 || ip_has_address(ip, source) ||
           ip_is_broadcast(ip, interface, source);
}

/* Is it for us? Says in *group whether as one of many. */
static bool is_for_us(const struct ip *ip, unsigned interface, const struct berth_ip *destination,
                      bool link_group, bool *group) {
    *group = false;
    if (interface == IP_LOOPBACK)
        return ip_has_address(ip, destination);
    if (ip_takes_address(ip, destination))
        /* RFC 1122 3.3.6, 1122-IP9: one host's datagram does not come to a link's group address;
         * and loopback addresses never come over a link. */
        return !link_group && destination->bytes[12] != 127;
    *group = true;
    /* All hosts on the link, 224.0.0.1 (RFC 1112), is the one group that each host is in. */
    return berth_ip_to_v4(destination) == 0xe0000001 || ip_is_broadcast(ip, interface, destination);
}

enum ip_input ip_input(struct ip *ip, unsigned interface, struct ip_packet *packet, uint32_t at,
                       bool group, struct piece *piece, struct view_scratch *scratch) {
    struct berth_counters *counters = ip->counters;
    struct frame_view *view = &packet->view;
    struct ipv4_header header;
    counters->ip_in_receives++;
    uint32_t available = view_length(view) - at;
    uint32_t length = 0;
    if (view_ensure(view, at + IPV4_HEADER_MIN, scratch))
        length = (view->head[at] & 15u) * 4;
    /* RFC 1122 3.2.1.1, 3.2.1.2, 1122-IP1: version, lengths and checksum; dropped in silence. */
    if (length < IPV4_HEADER_MIN || !view_ensure(view, at + length, scratch) ||
        ipv4_header_parse(view->head + at, view->head_length - at, available, &header) != 0) {
        counters->ip_in_header_errors++;
        return IP_DROPPED;
    }
    packet->source = berth_ip_v4(header.source);
    packet->destination = berth_ip_v4(header.destination);
    bool ours = is_for_us(ip, interface, &packet->destination, group, &packet->group);
    /* RFC 1812 5.3.4: what came to all of the link is not sent on. */
    bool onward = !ours && !group && interface != IP_LOOPBACK &&
                  ip_may_forward(ip, &packet->source, &packet->destination);
    if ((!ours && !onward) ||
        (interface != IP_LOOPBACK && is_martian(ip, interface, header.source, &packet->source))) {
        counters->ip_in_address_errors++;
        return IP_DROPPED;
    }
    if (header.options_length != 0 && is_source_routed(&header)) {
        counters->ip_in_discards++;
        return IP_DROPPED;
    }
    packet->header = view->head + at;
    packet->header_length = header.header_length;
    packet->at = at + header.header_length;
    packet->length = ipv4_payload_length(&header);
    packet->protocol = header.protocol;
    packet->tos = header.tos;
    packet->ttl = header.ttl;
    packet->interface = (uint8_t)interface;
    if (onward) {
        packet->group = false;
        return IP_FORWARD;
    }
    if (!ipv4_is_fragment(&header))
        return IP_PACKET;
    *piece = (struct piece){.id = header.id,
                            .offset = header.fragment_offset,
                            .protocol = header.protocol,
                            .more = header.more_fragments};
    return IP_FRAGMENT;
}
