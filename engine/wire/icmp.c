#include "engine/wire/icmp.h"

#include <errno.h>

enum { QUOTED_OCTETS = 8 }; /* RFC 792: of the datagram's data, at least */

int icmp_header_parse(const uint8_t *data, size_t length, struct icmp_header *header) {
    if (length < ICMP_HEADER)
        return -EINVAL;
    header->type = data[0];
    header->code = data[1];
    header->checksum = load_be16(data + 2);
    header->rest = load_be32(data + 4);
    return 0;
}

void icmp_header_write(uint8_t *to, const struct icmp_header *header) {
    to[0] = header->type;
    to[1] = header->code;
    store_be16(to + 2, 0);
    store_be32(to + 4, header->rest);
}

bool icmp_is_error(uint8_t type) {
    return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
           type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

int icmp_quote_parse(const uint8_t *data, size_t length, struct icmp_quote *quote) {
    if (ipv4_header_parse_quoted(data, length, &quote->ip) < 0 || quote->ip.fragment_offset != 0)
        return -EINVAL;
    quote->transport = data + quote->ip.header_length;
    quote->transport_length = length - quote->ip.header_length;
    return quote->transport_length >= QUOTED_OCTETS ? 0 : -EINVAL;
}
