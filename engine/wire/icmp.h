/* ICMP for IPv4 (RFC 792): the header, and the datagram that an error quotes. */
#ifndef ENGINE_WIRE_ICMP_H
#define ENGINE_WIRE_ICMP_H

#include "engine/wire/ipv4.h"

enum { ICMP_HEADER = 8 };
enum icmp_type {
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACHABLE = 3,
    ICMP_SOURCE_QUENCH = 4,
    ICMP_REDIRECT = 5,
    ICMP_ECHO = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER_PROBLEM = 12,
};
enum icmp_unreachable_code {
    ICMP_NET_UNREACHABLE = 0,
    ICMP_HOST_UNREACHABLE = 1,
    ICMP_PROTOCOL_UNREACHABLE = 2,
    ICMP_PORT_UNREACHABLE = 3,
    ICMP_FRAGMENTATION_NEEDED = 4,
};

struct icmp_header {
    uint8_t type, code;
    uint16_t checksum; /* verified by the caller, over the whole message */
    uint32_t
        rest; /* echo: id << 16 | sequence; fragmentation needed: the low 16 bits are the MTU */
};

/* Parses data[0..length), which begins with the header. 0, or -EINVAL (short). */
int icmp_header_parse(const uint8_t *data, size_t length, struct icmp_header *header);
/* Writes ICMP_HEADER octets with checksum 0. */
void icmp_header_write(uint8_t *to, const struct icmp_header *header);

/* True for the types that report errors and quote a datagram (RFC 1122 3.2.2). */
bool icmp_is_error(uint8_t type);

/* The datagram that an error message quotes. */
struct icmp_quote {
    struct ipv4_header ip;
    const uint8_t *transport; /* into the parsed octets: the beginning of the IP payload */
    size_t transport_length;  /* at least 8 */
};
/* Parses what follows the ICMP header. 0, or -EINVAL (no whole IP header and 8 octets, RFC 792, or
 * a fragment that is not the first: it has no ports to look at). */
int icmp_quote_parse(const uint8_t *data, size_t length, struct icmp_quote *quote);

#endif
