/* ICMP (RFC 792; RFC 1122 3.2.2) and ICMPv6 (RFC 4443): what comes in, and the echo server. */
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"

/* RFC 1122 3.2.2.6, 1122-IC3, RFC 4443 4.2: the same identifier, sequence number and data, from
 * `local`, which is the address that was asked. */
static void echo_reply(struct ip *ip, const struct ip_packet *packet, const struct berth_ip *local,
                       const struct icmp_header *request, uint64_t now) {
    bool v6 = packet_is_v6(packet);
    struct berth_part own[VIEW_PARTS];
    const struct berth_part *parts;
    struct berth_block *made;
    uint8_t header[ICMP_HEADER];
    struct icmp_header reply = {.type = v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY,
                                .rest = request->rest};
    int count = ip_parts_to_keep(ip, &packet->view, packet->at + ICMP_HEADER,
                                 packet->length - ICMP_HEADER, own, &parts, &made);
    if (count < 0) {
        ip->counters->ip_out_discards++;
        return;
    }
    icmp_header_write(header, &reply);
    struct ip_send send = {
        .local = local,
        .remote = &packet->source,
        .header = header,
        .header_length = ICMP_HEADER,
        .parts = parts,
        .part_count = (uint8_t)count,
        .length = packet->length - ICMP_HEADER,
        .protocol = v6 ? IPV6_ICMP : IPV4_ICMP,
        .tos = packet->tos,
        .interface = packet->interface,
        .checksum_at = 2,
        .may_fragment = true,
    };
    ip->counters->icmp_out_msgs++;
    ip_post(ip, &send, now);
    if (made)
        berth_block_drop(made);
}

void icmp_input(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    uint8_t octets[ICMP_HEADER];
    struct icmp_header header;
    struct checksum sum = {0};
    ip->counters->icmp_in_msgs++;
    view_checksum(&packet->view, packet->at, packet->length, &sum);
    if (packet->length < ICMP_HEADER || checksum_finish(&sum) != 0) {
        ip->counters->icmp_in_errors++;
        return;
    }
    view_read(&packet->view, packet->at, ICMP_HEADER, octets);
    if (icmp_header_parse(octets, ICMP_HEADER, &header) != 0)
        return;
    /* RFC 1122 3.2.2: unknown types in silence (1122-IC6). 3.2.2.6: no echo to a group address. */
    if (header.type == ICMP_ECHO && !packet->group)
        echo_reply(ip, packet, &packet->destination, &header, now);
    else if (header.type == ICMP_ECHO_REPLY)
        ip->ops.echoed(ip->ops.context, packet, (uint16_t)(header.rest >> 16));
    else if (header.type == ICMP_REDIRECT)
        redirect_input(ip, packet, now);
    else if (icmp_is_error(header.type))
        icmp_error_input(ip, packet, now);
}

/* RFC 4443 4.2: a group is answered from an address of our own; seldom, for many may be asked. */
static void echo_group_reply(struct ip *ip, const struct ip_packet *packet,
                             const struct icmp_header *request, uint64_t now) {
    struct ip_hop hop = {
        .kind = IP_UNICAST, .interface = packet->interface, .next = packet->source};
    struct berth_ip local;
    if (!icmp_may_send(ip, &packet->source, now))
        ip->counters->icmp_out_rate_limited++;
    else if (ip_source(ip, &hop, &packet->source, &local) == 0)
        echo_reply(ip, packet, &local, request, now);
}

void icmp6_input(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    uint8_t octets[ICMP_HEADER];
    struct icmp_header header;
    struct checksum sum = {0};
    ip->counters->icmp_in_msgs++;
    /* RFC 4443 2.3, 4443-4: over the pseudo-header, too. */
    checksum_add_pseudo(&sum, &packet->source, &packet->destination, IPV6_ICMP, packet->length);
    view_checksum(&packet->view, packet->at, packet->length, &sum);
    if (packet->length < ICMP_HEADER || checksum_finish(&sum) != 0) {
        ip->counters->icmp_in_errors++;
        return;
    }
    view_read(&packet->view, packet->at, ICMP_HEADER, octets);
    if (icmp_header_parse(octets, ICMP_HEADER, &header) != 0)
        return;
    if (header.type == ICMP6_NEIGHBOR_SOLICITATION || header.type == ICMP6_NEIGHBOR_ADVERTISEMENT)
        nd_input(ip, packet, now);
    else if (header.type == ICMP6_ROUTER_ADVERTISEMENT)
        router_input(ip, packet, now);
    else if (header.type == ICMP6_REDIRECT)
        redirect6_input(ip, packet, now);
    else if (berth_ip_is_any(&packet->source))
        ip->counters->ip_in_address_errors++; /* only a new neighbour's solicitation has none */
    else if (header.type == ICMP6_ECHO && packet->group)
        echo_group_reply(ip, packet, &header, now);
    else if (header.type == ICMP6_ECHO)
        echo_reply(ip, packet, &packet->destination, &header, now);
    else if (header.type == ICMP6_ECHO_REPLY)
        ip->ops.echoed(ip->ops.context, packet, (uint16_t)(header.rest >> 16));
    else if (header.type == ICMP6_LISTENER_QUERY)
        mld_query(ip, packet, now); /* 3810-1 */
    else if (icmp6_is_error(header.type))
        icmp_error_input(ip, packet, now);
    /* RFC 4443 2.4: unknown informational messages in silence. */
}
