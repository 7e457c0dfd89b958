/* The UDP header (RFC 768). */
#ifndef ENGINE_WIRE_UDP_H
#define ENGINE_WIRE_UDP_H

#include "engine/base/bytes.h"

enum { UDP_HEADER = 8, UDP_PAYLOAD_MAX = 65507, UDP_PAYLOAD_MAX_V6 = 65527 };

struct udp_header {
    uint16_t source_port, destination_port;
    uint16_t length;   /* octets, header included */
    uint16_t checksum; /* 0: none was computed (IPv4 only) */
};

/* Parses the header at data[0..length), of an IP payload of `available` octets in all (length <=
 * available); what exceeds header->length is to be cut off. 0, or -EINVAL (RFC 768: length below 8
 * or past the payload's end). */
int udp_header_parse(const uint8_t *data, size_t length, size_t available,
                     struct udp_header *header);
/* Writes UDP_HEADER octets, the checksum as given. */
void udp_header_write(uint8_t *to, const struct udp_header *header);
/* What to store for a computed checksum: a zero is sent as all ones (RFC 768; RFC 1122 4.1.3.4). */
static inline uint16_t udp_checksum_on_wire(uint16_t computed) {
    return computed == 0 ? 0xffff : computed;
}

#endif
