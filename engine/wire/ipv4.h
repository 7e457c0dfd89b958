/* The IPv4 header (RFC 791, section 3.1). */
#ifndef ENGINE_WIRE_IPV4_H
#define ENGINE_WIRE_IPV4_H

#include "engine/base/bytes.h"

enum { IPV4_HEADER_MIN = 20, IPV4_HEADER_MAX = 60, IPV4_LENGTH_MAX = 65535 };
enum { IPV4_ICMP = 1, IPV4_TCP = 6, IPV4_UDP = 17 };

struct ipv4_header {
    uint8_t header_length; /* octets, 20..60, a multiple of 4 */
    uint8_t tos, ttl, protocol;
    uint16_t total_length; /* octets, header included */
    uint16_t id;
    uint16_t fragment_offset; /* octets, a multiple of 8, at most 65528 */
    bool dont_fragment, more_fragments;
    uint32_t source, destination; /* host order */
    const uint8_t *options;       /* into the parsed octets */
    uint8_t options_length;       /* 0..40 */
};

/* Parses the header at data[0..length), of a datagram for which `available` octets came in all
 * (length <= available): what exceeds total_length is the link's padding, to be cut off. 0, or
 * -EINVAL (RFC 1122 3.2.1.1 and 3.2.1.2: version, header length, total length, or checksum is
 * wrong, or a fragment ends past octet 65535). */
int ipv4_header_parse(const uint8_t *data, size_t length, size_t available,
                      struct ipv4_header *header);
/* The same for a header quoted in an ICMP error: the rest of the datagram may be cut off and the
 * checksum may be stale (routers changed the TTL), so neither is checked. */
int ipv4_header_parse_quoted(const uint8_t *data, size_t length, struct ipv4_header *header);
/* Writes header->header_length octets, the checksum computed, header->options copied (padded with
 * EOL). */
void ipv4_header_write(uint8_t *to, const struct ipv4_header *header);

static inline bool ipv4_is_fragment(const struct ipv4_header *header) {
    return header->more_fragments || header->fragment_offset != 0;
}
/* Octets that follow the header. */
static inline uint16_t ipv4_payload_length(const struct ipv4_header *header) {
    return (uint16_t)(header->total_length - header->header_length);
}

#endif
