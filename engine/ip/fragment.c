/* Outgoing datagrams that do not fit their path: fragments (RFC 791 3.2, RFC 8200 4.5) and
 * identifications. */
#include "engine/ip/ip.h"
#include <errno.h>

/* A permutation of the 16-bit or 32-bit numbers, another one for each source, destination and
 * protocol, applied to a counter: for one peer the numbers are unpredictable, and none returns
 * before all others were used. Four Feistel rounds over halves, keyed by SipHash. */
uint32_t ip_identification(struct ip *ip, const struct berth_ip *source,
                           const struct berth_ip *destination, uint8_t protocol) {
    uint64_t words[5];
    memcpy(words, source->bytes, 16);
    memcpy(words + 2, destination->bytes, 16);
    words[4] = protocol;
    uint64_t flow = siphash13_words(&ip->id_key, words, 5);
    uint32_t counter = ip->id_counter++;
    unsigned bits = berth_ip_is_v4(destination) ? 8 : 16;
    uint32_t mask = (UINT32_C(1) << bits) - 1;
    uint32_t left = counter >> bits & mask, right = counter & mask;
    for (uint64_t round = 0; round < 4; round++) {
        uint64_t input[2] = {flow, round << 16 | right};
        uint32_t mixed = (left ^ (uint32_t)siphash13_words(&ip->id_key, input, 2)) & mask;
        left = right;
        right = mixed;
    }
    return left << bits | right;
}

/* What all fragments of one datagram share. */
struct pieces {
    const struct ip_send *send;
    const struct ip_interface *out;
    const uint8_t *mac;
    uint8_t transport[60];
    uint32_t id;
    uint8_t ttl;
};

/* The headers of one fragment: the link's, then IP's. Returns where they end. */
static uint8_t *piece_headers(const struct pieces *pieces, uint32_t offset, uint32_t length,
                              bool more, uint8_t *at) {
    const struct ip_send *send = pieces->send;
    bool v6 = send_is_v6(send);
    if (pieces->out->link == BERTH_LINK_ETHERNET) {
        struct ethernet_header link = {.type = v6 ? ETHERNET_IPV6 : ETHERNET_IPV4};
        memcpy(link.destination, pieces->mac, ETHERNET_MAC);
        memcpy(link.source, pieces->out->mac, ETHERNET_MAC);
        ethernet_header_write(at, &link);
        at += ETHERNET_HEADER;
    }
    if (v6) {
        struct ipv6_header header = {
            .source = *send->local,
            .destination = *send->remote,
            .payload_length = (uint16_t)(IPV6_FRAGMENT_HEADER + length),
            .traffic_class = send->tos,
            .next = IPV6_FRAGMENT,
            .hop_limit = pieces->ttl,
        };
        ipv6_header_write(at, &header);
        ipv6_fragment_write(at + IPV6_HEADER, send->protocol, (uint16_t)offset, more, pieces->id);
        return at + IPV6_HEADER + IPV6_FRAGMENT_HEADER;
    }
    struct ipv4_header header = {
        .header_length = IPV4_HEADER_MIN,
        .tos = send->tos,
        .ttl = pieces->ttl,
        .protocol = send->protocol,
        .total_length = (uint16_t)(IPV4_HEADER_MIN + length),
        .id = (uint16_t)pieces->id,
        .fragment_offset = (uint16_t)offset,
        .more_fragments = more,
        .source = berth_ip_to_v4(send->local),
        .destination = berth_ip_to_v4(send->remote),
    };
    ipv4_header_write(at, &header);
    return at + IPV4_HEADER_MIN;
}

/* Builds the fragment of payload octets [offset, offset+length), the transport's header counted. */
static bool piece_build(const struct pieces *pieces, uint32_t offset, uint32_t length, bool more,
                        struct berth_frame *frame) {
    const struct ip_send *send = pieces->send;
    uint8_t *at = piece_headers(pieces, offset, length, more, &frame->header[0]);
    uint32_t from_header = 0;
    if (offset < send->header_length) {
        from_header = send->header_length - offset;
        if (from_header > length)
            from_header = length;
        memcpy(at, pieces->transport + offset, from_header);
        at += from_header;
    }
    uint32_t skip = offset + from_header - send->header_length;
    int parts = parts_slice(send->parts, send->part_count, skip, length - from_header, frame->parts,
                            BERTH_FRAME_PARTS);
    if (parts < 0)
        return false;
    for (int i = 0; i < parts; i++)
        berth_block_hold(frame->parts[i].block);
    frame->header_length = (uint16_t)(at - frame->header);
    frame->part_count = (uint8_t)parts;
    frame->flags = 0;
    frame->segment_size = 0;
    frame->transport_offset = 0;
    return true;
}

int ip_fragment(struct ip *ip, const struct ip_send *send, unsigned interface,
                struct neighbor *neighbor, const uint8_t *mac, uint32_t mtu) {
    struct pieces pieces = {
        .send = send,
        .out = &ip->interfaces[interface],
        .mac = mac,
        .id = ip_identification(ip, send->local, send->remote, send->protocol),
        .ttl = ip_ttl(ip, send, &ip->interfaces[interface]),
    };
    memcpy(pieces.transport, send->header, send->header_length);
    if (send->checksum_at != IP_CHECKSUM_DONE)
        ip_checksum(send, pieces.transport);
    uint32_t total = send->header_length + send->length;
    uint32_t own = send_header(send) + (send_is_v6(send) ? IPV6_FRAGMENT_HEADER : 0u);
    uint32_t size = (mtu - own) & ~UINT32_C(7);
    for (uint32_t offset = 0; offset < total; offset += size) {
        struct berth_frame frame;
        bool more = total - offset > size;
        if (!piece_build(&pieces, offset, more ? size : total - offset, more, &frame)) {
            ip->counters->ip_out_discards++;
            return -ENOBUFS;
        }
        if (neighbor)
            neighbor_wait(ip, neighbor, &frame);
        else
            ip_ready(ip, interface, &frame);
    }
    return 0;
}
