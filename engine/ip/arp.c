/* ARP (RFC 826): what packets say of neighbours, and the answers. */
#include "engine/ip/ip.h"

/* Someone says where an entry's host is, unasked. That is believed, but not as a confirmation, and
 * not within a second of the last change (Linux's locktime): a forger has to win each time. */
static void arp_hear(struct ip *ip, struct neighbor *entry, const uint8_t *mac, uint64_t now) {
    if (entry->state != NEIGHBOR_INCOMPLETE &&
        (memcmp(entry->mac, mac, ETHERNET_MAC) == 0 || now - entry->updated_at < BERTH_SECOND))
        return;
    neighbor_set(ip, entry, mac, NEIGHBOR_STALE, now);
}

/* RFC 826, "Packet Reception", 826-1: an entry that exists is updated; a new one is made only when
 * the packet is for us. */
static void arp_merge(struct ip *ip, uint8_t interface, const struct arp_packet *packet,
                      bool for_us, uint64_t now) {
    struct berth_ip sender = berth_ip_v4(packet->sender_ip);
    if (packet->sender_ip ==
        0) /* a probe for a free address claims none (RFC 5227 2.1.1, 5227-1) */
        return;
    struct neighbor *entry = neighbor_find(ip, interface, &sender);
    if (!entry) {
        if (for_us && packet->operation == ARP_REQUEST && ip_on_link(ip, interface, &sender))
            neighbor_learn(ip, interface, &sender, packet->sender_mac, now);
        return;
    }
    bool asked = entry->state == NEIGHBOR_INCOMPLETE || entry->state == NEIGHBOR_PROBE;
    if (asked && for_us && packet->operation == ARP_REPLY)
        neighbor_set(ip, entry, packet->sender_mac, NEIGHBOR_REACHABLE, now);
    else
        arp_hear(ip, entry, packet->sender_mac, now);
}

void arp_input(struct ip *ip, uint8_t interface, const struct arp_packet *packet, uint64_t now) {
    struct berth_ip sender = berth_ip_v4(packet->sender_ip);
    struct berth_ip target = berth_ip_v4(packet->target_ip);
    ip->counters->arp_in++;
    if (packet->operation != ARP_REQUEST && packet->operation != ARP_REPLY)
        return;
    /* A group address is no host's, and nobody else speaks for our addresses (RFC 5227 2.4,
     * 5227-2). */
    if (ethernet_is_group(packet->sender_mac) || packet->sender_ip >= 0xe0000000 ||
        ip_has_address(ip, &sender)) {
        ip->counters->ip_in_address_errors++;
        return;
    }
    bool for_us = !berth_ip_is_loopback(&target) && ip_has_address(ip, &target);
    arp_merge(ip, interface, packet, for_us, now);
    if (for_us && packet->operation == ARP_REQUEST)
        arp_send(ip, interface, ARP_REPLY, packet->target_ip, packet->sender_mac,
                 packet->sender_ip);
}

void arp_send(struct ip *ip, uint8_t interface, uint16_t operation, uint32_t sender_ip,
              const uint8_t *target_mac, uint32_t target_ip) {
    struct berth_frame frame;
    struct ethernet_header link = {.type = ETHERNET_ARP};
    struct arp_packet packet = {
        .operation = operation, .sender_ip = sender_ip, .target_ip = target_ip};
    memcpy(link.source, ip->interfaces[interface].mac, ETHERNET_MAC);
    memcpy(packet.sender_mac, ip->interfaces[interface].mac, ETHERNET_MAC);
    if (target_mac)
        memcpy(link.destination, target_mac, ETHERNET_MAC);
    else
        memset(link.destination, 0xff, ETHERNET_MAC);
    if (operation == ARP_REPLY && target_mac)
        memcpy(packet.target_mac, target_mac, ETHERNET_MAC);
    ethernet_header_write(frame.header, &link);
    arp_packet_write(frame.header + ETHERNET_HEADER, &packet);
    frame.header_length = ETHERNET_HEADER + ARP_LENGTH;
    frame.part_count = 0;
    frame.flags = 0;
    frame.segment_size = 0;
    frame.transport_offset = 0;
    ip->counters->arp_out++;
    ip_ready(ip, interface, &frame);
}
