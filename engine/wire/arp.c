#include "engine/wire/arp.h"

#include <errno.h>

enum { ARP_ETHERNET = 1 };

int arp_packet_parse(const uint8_t *data, size_t length, struct arp_packet *packet) {
    if (length < ARP_LENGTH || load_be16(data) != ARP_ETHERNET ||
        load_be16(data + 2) != ETHERNET_IPV4 || data[4] != ETHERNET_MAC || data[5] != 4)
        return -EINVAL;
    packet->operation = load_be16(data + 6);
    memcpy(packet->sender_mac, data + 8, ETHERNET_MAC);
    packet->sender_ip = load_be32(data + 14);
    memcpy(packet->target_mac, data + 18, ETHERNET_MAC);
    packet->target_ip = load_be32(data + 24);
    return 0;
}

void arp_packet_write(uint8_t *to, const struct arp_packet *packet) {
    store_be16(to, ARP_ETHERNET);
    store_be16(to + 2, ETHERNET_IPV4);
    to[4] = ETHERNET_MAC;
    to[5] = 4;
    store_be16(to + 6, packet->operation);
    memcpy(to + 8, packet->sender_mac, ETHERNET_MAC);
    store_be32(to + 14, packet->sender_ip);
    memcpy(to + 18, packet->target_mac, ETHERNET_MAC);
    store_be32(to + 24, packet->target_ip);
}
