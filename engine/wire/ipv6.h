/* The IPv6 header and its extension headers (RFC 8200, sections 3 and 4). */
#ifndef ENGINE_WIRE_IPV6_H
#define ENGINE_WIRE_IPV6_H

#include "engine/base/bytes.h"
#include <berth/addr.h>

enum {
    IPV6_HEADER = 40,
    IPV6_FRAGMENT_HEADER = 8,
    IPV6_MTU_MIN = 1280, /* RFC 8200 5 */
    IPV6_PAYLOAD_MAX = 65535,
    /* What a host need not take of extension headers (RFC 8504 5.3; Linux's limits on options). */
    IPV6_CHAIN_MAX = 512,    /* octets of them */
    IPV6_CHAIN_HEADERS = 8,  /* headers */
    IPV6_OPTIONS_MAX = 8,    /* options in one header, padding aside */
    IPV6_PADDING_MAX = 7,    /* octets of padding in a row */
    IPV6_TRANSPORT_MAX = 60, /* of the header that follows: TCP's */
};
enum ipv6_next {
    IPV6_HOP_BY_HOP = 0,
    IPV6_ROUTING = 43,
    IPV6_FRAGMENT = 44,
    IPV6_ICMP = 58,
    IPV6_NONE = 59,
    IPV6_DESTINATION = 60,
};
/* Codes of a parameter problem (RFC 4443 3.4, RFC 7112 5). */
enum ipv6_problem {
    IPV6_PROBLEM_FIELD = 0,
    IPV6_PROBLEM_NEXT_HEADER = 1,
    IPV6_PROBLEM_OPTION = 2,
    IPV6_PROBLEM_FIRST_FRAGMENT = 3,
};

struct ipv6_header {
    struct berth_ip source, destination;
    uint32_t flow; /* the label: 20 bits */
    uint16_t payload_length;
    uint8_t traffic_class, next, hop_limit;
};

/* Parses the header at data[0..length), of a datagram for which `available` octets came in all;
 * what exceeds the payload's length is the link's padding. 0, or -EINVAL (short, or version). */
int ipv6_header_parse(const uint8_t *data, size_t length, size_t available,
                      struct ipv6_header *header);
/* The same for a header quoted in an ICMPv6 error: its payload may be cut off. */
int ipv6_header_parse_quoted(const uint8_t *data, size_t length, struct ipv6_header *header);
/* Writes IPV6_HEADER octets. */
void ipv6_header_write(uint8_t *to, const struct ipv6_header *header);

/* What the extension headers of a datagram say. All offsets count from the IPv6 header on. */
struct ipv6_chain {
    uint16_t length;  /* octets of extension headers: what follows is `protocol`'s */
    uint16_t next_at; /* the octet that names `protocol` */
    uint8_t protocol;
    /* The datagram is one of several fragments: the chain ends with its fragment header. An atomic
     * fragment is a whole datagram and not told here (RFC 6946). */
    bool is_fragment, more_fragments;
    uint16_t fragment_at;      /* its header */
    uint16_t fragment_next_at; /* the octet that names the fragment header */
    uint16_t fragment_offset;  /* octets, a multiple of 8 */
    uint32_t id;
    /* What is wrong, for IPV6_PROBLEM. */
    uint8_t problem; /* enum ipv6_problem */
    uint16_t pointer;
    bool tell_group; /* the sender is told even if the datagram went to a group */
};

enum ipv6_verdict {
    IPV6_ACCEPT,
    IPV6_DISCARD, /* in silence */
    IPV6_PROBLEM, /* and the sender is told */
};

/* True for the headers that the walk passes over. */
bool ipv6_is_extension(uint8_t next);

/* Walks the extension headers of the datagram data[0..length), its IPv6 header first. It may be cut
 * behind IPV6_HEADER + IPV6_CHAIN_MAX + IPV6_TRANSPORT_MAX octets. */
enum ipv6_verdict ipv6_chain_parse(const uint8_t *data, size_t length, struct ipv6_chain *chain);

/* Writes IPV6_FRAGMENT_HEADER octets. */
void ipv6_fragment_write(uint8_t *to, uint8_t next, uint16_t offset, bool more, uint32_t id);

#endif
