/* Outgoing datagrams that do not fit their path: fragments (RFC 791 3.2) and identifications. */
#include "engine/ip/ip.h"
#include <errno.h>

/* A permutation of the 16-bit numbers, another one for each source, destination and protocol,
 * applied to a counter: for one peer the numbers are unpredictable, and none returns before all
 * others were used. Four Feistel rounds over octets, keyed by SipHash. */
uint16_t ip_identification(struct ip *ip, const struct berth_ip *source,
                           const struct berth_ip *destination, uint8_t protocol) {
    uint64_t words[5];
    memcpy(words, source->bytes, 16);
    memcpy(words + 2, destination->bytes, 16);
    words[4] = protocol;
    uint64_t flow = siphash13_words(&ip->id_key, words, 5);
    uint32_t counter = ip->id_counter++;
    uint8_t left = (uint8_t)(counter >> 8), right = (uint8_t)counter;
    for (uint64_t round = 0; round < 4; round++) {
        uint64_t input[2] = {flow, round << 8 | right};
        uint8_t mixed = (uint8_t)(left ^ siphash13_words(&ip->id_key, input, 2));
        left = right;
        right = mixed;
    }
    return (uint16_t)(left << 8 | right);
}

/* What all fragments of one datagram share. */
struct pieces {
    const struct ip_send *send;
    const struct ip_interface *out;
    const uint8_t *mac;
    uint8_t transport[60];
    uint16_t id;
    uint8_t ttl;
};

/* Builds the fragment of payload octets [offset, offset+length), the transport's header counted. */
static bool piece_build(const struct pieces *pieces, uint32_t offset, uint32_t length, bool more,
                        struct berth_frame *frame) {
    const struct ip_send *send = pieces->send;
    uint8_t *at = &frame->header[0];
    if (pieces->out->link == BERTH_LINK_ETHERNET) {
        struct ethernet_header link = {.type = ETHERNET_IPV4};
        memcpy(link.destination, pieces->mac, ETHERNET_MAC);
        memcpy(link.source, pieces->out->mac, ETHERNET_MAC);
        ethernet_header_write(at, &link);
        at += ETHERNET_HEADER;
    }
    struct ipv4_header header = {
        .header_length = IPV4_HEADER_MIN,
        .tos = send->tos,
        .ttl = pieces->ttl,
        .protocol = send->protocol,
        .total_length = (uint16_t)(IPV4_HEADER_MIN + length),
        .id = pieces->id,
        .fragment_offset = (uint16_t)offset,
        .more_fragments = more,
        .source = berth_ip_to_v4(send->local),
        .destination = berth_ip_to_v4(send->remote),
    };
    ipv4_header_write(at, &header);
    at += IPV4_HEADER_MIN;
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
        .ttl = send->ttl ? send->ttl : ip->default_ttl,
    };
    memcpy(pieces.transport, send->header, send->header_length);
    if (send->checksum_at != IP_CHECKSUM_DONE)
        ip_checksum(send, pieces.transport);
    uint32_t total = send->header_length + send->length;
    uint32_t size = (mtu - IPV4_HEADER_MIN) & ~UINT32_C(7);
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
