/* The chain of headers is walked once, with every length checked against what is there before it is
 * used, and within limits: a datagram of nothing but headers costs little more than another. */
#include "engine/wire/ipv6.h"

#include "engine/wire/tcp.h"
#include "engine/wire/udp.h"
#include <errno.h>

int ipv6_header_parse_quoted(const uint8_t *data, size_t length, struct ipv6_header *header) {
    if (length < IPV6_HEADER || data[0] >> 4 != 6)
        return -EINVAL;
    uint32_t first = load_be32(data);
    header->traffic_class = (uint8_t)(first >> 20);
    header->flow = first & 0xfffff;
    header->payload_length = load_be16(data + 4);
    header->next = data[6];
    header->hop_limit = data[7];
    memcpy(header->source.bytes, data + 8, 16);
    memcpy(header->destination.bytes, data + 24, 16);
    return 0;
}

int ipv6_header_parse(const uint8_t *data, size_t length, size_t available,
                      struct ipv6_header *header) {
    if (ipv6_header_parse_quoted(data, length, header) != 0)
        return -EINVAL;
    /* A jumbogram (RFC 2675) says 0 and has an option that no host here takes. */
    return header->payload_length <= available - IPV6_HEADER ? 0 : -EINVAL;
}

void ipv6_header_write(uint8_t *to, const struct ipv6_header *header) {
    store_be32(to, UINT32_C(6) << 28 | (uint32_t)header->traffic_class << 20 |
                       (header->flow & 0xfffff));
    store_be16(to + 4, header->payload_length);
    to[6] = header->next;
    to[7] = header->hop_limit;
    memcpy(to + 8, header->source.bytes, 16);
    memcpy(to + 24, header->destination.bytes, 16);
}

void ipv6_fragment_write(uint8_t *to, uint8_t next, uint16_t offset, bool more, uint32_t id) {
    to[0] = next;
    to[1] = 0;
    store_be16(to + 2, (uint16_t)(offset | (more ? 1 : 0)));
    store_be32(to + 4, id);
}

/* ---- extension headers ---- */

static enum ipv6_verdict chain_problem(struct ipv6_chain *chain, enum ipv6_problem problem,
                                       size_t pointer) {
    chain->problem = (uint8_t)problem;
    chain->pointer = (uint16_t)pointer;
    chain->tell_group = false;
    return IPV6_PROBLEM;
}

enum { OPTION_PAD1 = 0, OPTION_PADN = 1 };

/* RFC 8200 4.2, 8200-1: what the two highest bits of an option that we do not know ask for; we know
 * none but padding. */
static enum ipv6_verdict option_unknown(struct ipv6_chain *chain, uint8_t type, size_t at) {
    enum ipv6_verdict verdict;
    switch (type >> 6) {
    case 0:
        return IPV6_ACCEPT;
    case 1:
        return IPV6_DISCARD;
    default:
        verdict = chain_problem(chain, IPV6_PROBLEM_OPTION, at);
        chain->tell_group = type >> 6 == 2;
        return verdict;
    }
}

/* Padding is zeroes and no longer than alignment needs, as Linux has it (RFC 4942 2.1.9.5). */
static bool padding_is_right(const uint8_t *octets, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (octets[i] != 0)
            return false;
    return true;
}

/* The options of a header that begins at `start`; the reader is over them. */
static enum ipv6_verdict options_walk(struct ipv6_chain *chain, const uint8_t *data,
                                      struct reader options) {
    unsigned count = 0;
    size_t padding = 0;
    while (reader_left(&options) > 0) {
        size_t at = (size_t)(options.at - data);
        uint8_t type = reader_u8(&options);
        if (type == OPTION_PAD1) {
            if (++padding > IPV6_PADDING_MAX)
                return IPV6_DISCARD;
            continue;
        }
        uint8_t length = reader_u8(&options);
        const uint8_t *octets = reader_take(&options, length);
        if (options.failed)
            return IPV6_DISCARD;
        if (type == OPTION_PADN) {
            padding += 2u + length;
            if (padding > IPV6_PADDING_MAX || !padding_is_right(octets, length))
                return IPV6_DISCARD;
            continue;
        }
        padding = 0;
        enum ipv6_verdict verdict = option_unknown(chain, type, at);
        if (verdict != IPV6_ACCEPT || ++count > IPV6_OPTIONS_MAX)
            return verdict != IPV6_ACCEPT ? verdict : IPV6_DISCARD;
    }
    return IPV6_ACCEPT;
}

bool ipv6_is_extension(uint8_t next) {
    return next == IPV6_HOP_BY_HOP || next == IPV6_ROUTING || next == IPV6_FRAGMENT ||
           next == IPV6_DESTINATION;
}

/* Octets of the extension header at data[at], or 0 when they are not there, or too many. */
static size_t extension_size(const uint8_t *data, size_t length, size_t at, uint8_t kind) {
    if (length < at + 8)
        return 0;
    size_t size = kind == IPV6_FRAGMENT ? 8 : (data[at + 1] + 1u) * 8;
    return length - at >= size && at + size <= IPV6_HEADER + IPV6_CHAIN_MAX ? size : 0;
}

/* RFC 7112, 7112-1: the first fragment has all headers, the transport's too. */
static bool transport_is_there(const uint8_t *data, size_t length, size_t at, uint8_t next) {
    unsigned headers = 0;
    while (ipv6_is_extension(next)) {
        size_t size = extension_size(data, length, at, next);
        if (size == 0 || ++headers > IPV6_CHAIN_HEADERS)
            return false;
        next = data[at];
        at += size;
    }
    switch (next) {
    case 6:
        return length >= at + TCP_HEADER_MIN && length - at >= (data[at + 12] >> 4) * 4u;
    case 17:
        return length >= at + UDP_HEADER;
    case IPV6_ICMP:
        return length >= at + 4;
    default:
        return true;
    }
}

/* The fragment header at data[at]: true when the datagram is one of several. */
static bool fragment_read(const uint8_t *data, size_t at, struct ipv6_chain *chain) {
    uint16_t field = load_be16(data + at + 2);
    chain->fragment_offset = field & 0xfff8;
    chain->more_fragments = (field & 1) != 0;
    if (chain->fragment_offset == 0 && !chain->more_fragments)
        return false; /* RFC 6946, 8200-2: an atomic fragment is by itself, whatever its
                         identification */
    chain->is_fragment = true;
    chain->id = load_be32(data + at + 4);
    chain->fragment_at = (uint16_t)at;
    chain->fragment_next_at = chain->next_at;
    return true;
}

/* What one header of the chain says, fragments aside. */
static enum ipv6_verdict extension_check(struct ipv6_chain *chain, const uint8_t *data, size_t at,
                                         size_t size) {
    /* RFC 8200 4.4, RFC 5095, 8200-1: nobody goes on from here on a route that a sender chose; type
     * 0 is as unknown as all others. One that is at its end is passed over. */
    if (chain->protocol == IPV6_ROUTING)
        return data[at + 3] == 0 ? IPV6_ACCEPT : chain_problem(chain, IPV6_PROBLEM_FIELD, at + 2);
    if (chain->protocol == IPV6_FRAGMENT)
        return IPV6_ACCEPT;
    return options_walk(chain, data, reader_over(data + at + 2, size - 2));
}

enum ipv6_verdict ipv6_chain_parse(const uint8_t *data, size_t length, struct ipv6_chain *chain) {
    *chain = (struct ipv6_chain){.protocol = data[6], .next_at = 6};
    size_t at = IPV6_HEADER;
    for (unsigned headers = 0; ipv6_is_extension(chain->protocol); headers++) {
        /* RFC 8200 4.1: it comes first or not at all. */
        if (chain->protocol == IPV6_HOP_BY_HOP && at != IPV6_HEADER)
            return chain_problem(chain, IPV6_PROBLEM_NEXT_HEADER, chain->next_at);
        size_t size = extension_size(data, length, at, chain->protocol);
        if (size == 0 || headers == IPV6_CHAIN_HEADERS)
            return IPV6_DISCARD;
        enum ipv6_verdict verdict = extension_check(chain, data, at, size);
        if (verdict != IPV6_ACCEPT)
            return verdict;
        bool fragment = chain->protocol == IPV6_FRAGMENT && fragment_read(data, at, chain);
        chain->next_at = (uint16_t)at;
        chain->protocol = data[at];
        at += size;
        if (fragment)
            break;
    }
    chain->length = (uint16_t)(at - IPV6_HEADER);
    if (chain->is_fragment && chain->fragment_offset == 0 &&
        !transport_is_there(data, length, at, chain->protocol))
        return chain_problem(chain, IPV6_PROBLEM_FIRST_FRAGMENT, 0);
    return IPV6_ACCEPT;
}
