/* ARP for IPv4 over Ethernet (RFC 826). */
#ifndef ENGINE_WIRE_ARP_H
#define ENGINE_WIRE_ARP_H

#include "engine/wire/ethernet.h"

enum { ARP_LENGTH = 28 };
enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_packet {
    uint16_t operation; /* ARP_REQUEST or ARP_REPLY; a parse lets others pass */
    uint8_t sender_mac[ETHERNET_MAC], target_mac[ETHERNET_MAC];
    uint32_t sender_ip, target_ip; /* host order */
};

/* Parses data[0..length), what follows the Ethernet header; Ethernet's padding may trail. 0, or
 * -EINVAL (short, or other than Ethernet and IPv4). */
int arp_packet_parse(const uint8_t *data, size_t length, struct arp_packet *packet);
/* Writes ARP_LENGTH octets. */
void arp_packet_write(uint8_t *to, const struct arp_packet *packet);

#endif
