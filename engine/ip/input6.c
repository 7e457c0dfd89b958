/* IPv6 datagrams that came in (RFC 8200): checked, their extension headers passed over, and reduced
 * to an ip_packet as IPv4's are. */
#include "engine/ip/ip.h"
#include "engine/wire/ipv6.h"

/* RFC 4291 2.5.2, 2.5.3, 2.7, 4291-1: what no host can have sent to us over a link; and IPv4-mapped
 * addresses, which are no addresses on a wire. The unspecified one is a new neighbour's (RFC 4861
 * 7.1.1): ICMPv6 sees to it. */
static bool is_martian(const struct ip *ip, const struct berth_ip *source) {
    return berth_ip_is_multicast(source) || berth_ip_is_loopback(source) ||
           berth_ip_is_v4(source) || ip_has_address(ip, source);
}

/* Is it for us? Says in *group whether as one of many. */
static bool is_for_us(const struct ip *ip, unsigned interface, const struct berth_ip *destination,
                      bool *group) {
    if (interface == IP_LOOPBACK)
        return ip_has_address(ip, destination);
    if (berth_ip_is_v4(destination) || berth_ip_is_loopback(destination))
        return false;
    if (!berth_ip_is_multicast(destination))
        return ip_takes_address(ip, destination);
    *group = true;
    return ip6_has_group(ip, interface, destination);
}

enum ip_input ip6_input(struct ip *ip, unsigned interface, struct ip_packet *packet, uint32_t at,
                        bool group, struct view_scratch *scratch) {
    struct berth_counters *counters = ip->counters;
    struct frame_view *view = &packet->view;
    struct ipv6_header header;
    counters->ip_in_receives++;
    if (!view_ensure(view, at + IPV6_HEADER, scratch) ||
        ipv6_header_parse(view->head + at, view->head_length - at, view_length(view) - at,
                          &header) != 0) {
        counters->ip_in_header_errors++;
        return IP_DROPPED;
    }
    packet->source = header.source;
    packet->destination = header.destination;
    packet->group = group;
    bool ours = is_for_us(ip, interface, &packet->destination, &packet->group);
    bool onward = !ours && !packet->group && interface != IP_LOOPBACK &&
                  ip_may_forward(ip, &packet->source, &packet->destination);
    if ((!ours && !onward) || ip->interfaces[interface].disabled ||
        (interface != IP_LOOPBACK && is_martian(ip, &packet->source))) {
        counters->ip_in_address_errors++;
        return IP_DROPPED;
    }
    packet->header = view->head + at;
    packet->header_length = IPV6_HEADER;
    packet->at = at + IPV6_HEADER;
    packet->length = header.payload_length;
    packet->protocol = header.next;
    packet->next_at = 6;
    packet->tos = header.traffic_class;
    packet->ttl = header.hop_limit;
    packet->interface = (uint8_t)interface;
    if (onward)
        return IP_FORWARD;
    return ipv6_is_extension(header.next) ? IP_EXTENDED : IP_PACKET;
}

/* RFC 8200 4.5, 8200-2: what no fragment's lengths can be. */
static bool fragment_is_wrong(struct ip *ip, const struct ip_packet *packet,
                              const struct ipv6_chain *chain, uint64_t now) {
    uint32_t length = packet->length - chain->length, pointer;
    if (chain->more_fragments && length % 8 != 0)
        pointer = 4; /* the payload length */
    else if (chain->fragment_offset + length > IPV6_PAYLOAD_MAX)
        pointer = chain->fragment_at + 2u;
    else
        return false;
    icmp6_problem(ip, packet, IPV6_PROBLEM_FIELD, pointer, false, now);
    return true;
}

enum ip_input ip6_walk(struct ip *ip, struct ip_packet *packet, struct piece *piece,
                       struct view_scratch *scratch, uint64_t now) {
    struct ipv6_chain chain;
    uint32_t start = packet->at - IPV6_HEADER, length = IPV6_HEADER + packet->length;
    if (length > IPV6_HEADER + IPV6_CHAIN_MAX + IPV6_TRANSPORT_MAX)
        length = IPV6_HEADER + IPV6_CHAIN_MAX + IPV6_TRANSPORT_MAX;
    if (!view_ensure(&packet->view, start + length, scratch))
        return IP_DROPPED;
    packet->header = packet->view.head + start;
    enum ipv6_verdict verdict = ipv6_chain_parse(packet->header, length, &chain);
    if (verdict == IPV6_PROBLEM)
        icmp6_problem(ip, packet, chain.problem, chain.pointer, chain.tell_group, now);
    if (verdict != IPV6_ACCEPT ||
        (chain.is_fragment && fragment_is_wrong(ip, packet, &chain, now))) {
        ip->counters->ip_in_header_errors++;
        return IP_DROPPED;
    }
    packet->header_length = (uint16_t)(IPV6_HEADER + chain.length);
    packet->at += chain.length;
    packet->length -= chain.length;
    packet->protocol = chain.protocol;
    packet->next_at = chain.next_at;
    if (!chain.is_fragment)
        return IP_PACKET;
    *piece = (struct piece){.id = chain.id,
                            .offset = chain.fragment_offset,
                            .next_at = chain.fragment_next_at,
                            .more = chain.more_fragments};
    return IP_FRAGMENT;
}

bool ip6_join(struct ip *ip, const struct piece *piece, struct ip_packet *packet,
              struct berth_block **block, struct view_scratch *scratch, uint64_t now) {
    struct piece nested;
    if (!reassembly_add(ip, &ip->reassembly6, piece, packet, block, now))
        return false;
    packet->length += packet->header_length - IPV6_HEADER;
    packet->header_length = IPV6_HEADER;
    packet->at = IPV6_HEADER;
    packet->protocol = packet->header[6];
    packet->next_at = 6;
    /* Fragments of fragments are no host's (RFC 8200 4.1: a fragment header once). */
    if (!ipv6_is_extension(packet->protocol) ||
        ip6_walk(ip, packet, &nested, scratch, now) == IP_PACKET)
        return true;
    berth_block_drop(*block);
    return false;
}
