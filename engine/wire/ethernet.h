/* The Ethernet header (RFC 894). */
#ifndef ENGINE_WIRE_ETHERNET_H
#define ENGINE_WIRE_ETHERNET_H

#include "engine/base/bytes.h"

enum { ETHERNET_HEADER = 14, ETHERNET_MAC = 6 };
enum { ETHERNET_IPV4 = 0x0800, ETHERNET_ARP = 0x0806, ETHERNET_IPV6 = 0x86dd };

struct ethernet_header {
    uint8_t destination[ETHERNET_MAC], source[ETHERNET_MAC];
    uint16_t type; /* below 0x0600 it is a length (IEEE 802.3), which no host here sends or takes */
};

/* Parses data[0..length), which begins with the header and holds all of it. 0, or -EINVAL (short).
 */
int ethernet_header_parse(const uint8_t *data, size_t length, struct ethernet_header *header);
/* Writes ETHERNET_HEADER octets. */
void ethernet_header_write(uint8_t *to, const struct ethernet_header *header);

/* True for group addresses, the broadcast one among them. */
static inline bool ethernet_is_group(const uint8_t mac[ETHERNET_MAC]) {
    return (mac[0] & 1) != 0;
}
bool ethernet_is_broadcast(const uint8_t mac[ETHERNET_MAC]);

#endif
