/* What is the same in all pieces: addresses, ports, acknowledgment, window, options (the timestamps
 * too). What is not:
 *
 *   sequence number   moves on by the octets before
 *   FIN, PSH          only on the last; CWR only on the first (RFC 3168, section 6.1.2)
 *   urgent pointer    counts from the piece's own sequence number; none in pieces behind it
 *   IP total length, IPv4 identification (one more each) and header checksum
 *
 * as Linux's tcp_gso_segment() and inet_gso_segment() do. */
#include "engine/buffer/split.h"
#include "engine/base/bytes.h"
#include "engine/wire/checksum.h"
#include "engine/wire/ethernet.h"
#include "engine/wire/tcp.h"
#include <string.h>

enum { IPV4_HEADER = 20, IPV6_HEADER = 40, PROTOCOL_TCP = 6 };

/* The offset of the TCP header, or 0. Extension headers of IPv6 are not looked behind: hosts send
 * none with TCP. */
static uint32_t find_tcp(const uint8_t *header, size_t length, uint32_t link) {
    if (length < link + IPV4_HEADER)
        return 0;
    const uint8_t *ip = header + link;
    uint16_t type = ip[0] >> 4 == 6 ? ETHERNET_IPV6 : ETHERNET_IPV4;
    if (link == ETHERNET_HEADER && load_be16(header + 12) != type)
        return 0;
    if (ip[0] >> 4 == 4 && ip[9] == PROTOCOL_TCP) {
        uint32_t ihl = (uint32_t)(ip[0] & 15) * 4;
        bool fragment = (load_be16(ip + 6) & 0x3fff) != 0;
        return ihl >= IPV4_HEADER && !fragment ? link + ihl : 0;
    }
    if (ip[0] >> 4 == 6 && length >= link + IPV6_HEADER && ip[6] == PROTOCOL_TCP)
        return link + IPV6_HEADER;
    return 0;
}

/* The datagram's length without what may follow it, or 0 when it is cut. */
static size_t datagram_length(const uint8_t *ip, size_t available) {
    size_t length = ip[0] >> 4 == 6 ? IPV6_HEADER + (size_t)load_be16(ip + 4) : load_be16(ip + 2);
    return length <= available ? length : 0;
}

bool split_begin(struct split *split, const struct berth_frame *large, uint32_t link) {
    size_t head = berth_frame_read(large, 0, split->header, sizeof split->header);
    uint32_t tcp = find_tcp(split->header, head, link);
    if (large->segment_size == 0 || tcp == 0 || tcp + TCP_HEADER_MIN > head)
        return false;
    uint32_t end = tcp + (uint32_t)(split->header[tcp + 12] >> 4) * 4;
    size_t length = link + datagram_length(split->header + link, berth_frame_length(large) - link);
    if (end < tcp + TCP_HEADER_MIN || end > head || length < end)
        return false;
    split->large = large;
    split->link = link;
    split->transport_offset = tcp;
    split->header_length = end;
    split->segment = large->segment_size < SPLIT_LEAST ? SPLIT_LEAST : large->segment_size;
    split->payload = (uint32_t)(length - end);
    split->at = 0;
    split->index = 0;
    /* The payload begins in the frame's own octets or, past them, in a part. */
    split->part = -1;
    split->part_offset = end;
    uint32_t part_length = large->header_length;
    while (split->part_offset >= part_length && split->part + 1 < large->part_count) {
        split->part_offset -= part_length;
        part_length = large->parts[++split->part].length;
    }
    return true;
}

/* Adds the next `length` payload octets to the piece, which has room for as many parts as the large
 * frame. */
static void take_payload(struct split *split, struct berth_frame *piece, uint32_t length) {
    const struct berth_frame *large = split->large;
    while (length > 0) {
        bool own = split->part < 0;
        const uint8_t *data = own ? large->header : large->parts[split->part].data;
        uint32_t size = own ? large->header_length : large->parts[split->part].length;
        uint32_t run = size - split->part_offset < length ? size - split->part_offset : length;
        if (own) {
            memcpy(piece->header + piece->header_length, data + split->part_offset, run);
            piece->header_length = (uint16_t)(piece->header_length + run);
        } else if (run > 0) {
            struct berth_block *block = large->parts[split->part].block;
            if (block)
                berth_block_hold(block);
            piece->parts[piece->part_count++] =
                (struct berth_part){block, data + split->part_offset, run};
        }
        length -= run;
        split->part_offset += run;
        if (split->part_offset == size && split->part + 1 < large->part_count) {
            split->part++;
            split->part_offset = 0;
        }
    }
}

static void adjust_ip(uint8_t *ip, uint32_t length, uint16_t index) {
    if (ip[0] >> 4 == 6) {
        store_be16(ip + 4, (uint16_t)(length - IPV6_HEADER));
        return;
    }
    store_be16(ip + 2, (uint16_t)length);
    store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + index));
    store_be16(ip + 10, 0);
    struct checksum sum = {0, false};
    checksum_add(&sum, ip, (size_t)(ip[0] & 15) * 4);
    store_be16(ip + 10, checksum_finish(&sum));
}

static void adjust_tcp(uint8_t *tcp, uint32_t at, bool first, bool last) {
    store_be32(tcp + 4, load_be32(tcp + 4) + at);
    unsigned clear = 0;
    if (!first)
        clear |= TCP_CWR;
    if (!last)
        clear |= TCP_FIN | TCP_PSH;
    uint16_t urgent = load_be16(tcp + 18);
    if (tcp[13] & TCP_URG && urgent <= at && !first) {
        clear |= TCP_URG;
        store_be16(tcp + 18, 0);
    } else if (tcp[13] & TCP_URG) {
        store_be16(tcp + 18, (uint16_t)(urgent - at));
    }
    tcp[13] = (uint8_t)(tcp[13] & ~clear);
}

bool split_next(struct split *split, struct berth_frame *piece) {
    if (split->at >= split->payload && split->index > 0)
        return false;
    uint32_t left = split->payload - split->at;
    uint32_t length = left < split->segment ? left : split->segment;
    memset(piece, 0, offsetof(struct berth_frame, header));
    memcpy(piece->header, split->header, split->header_length);
    piece->header_length = (uint16_t)split->header_length;
    piece->transport_offset = (uint16_t)split->transport_offset;
    piece->flags = BERTH_FRAME_NO_CHECKSUM;
    uint32_t ip_length = split->header_length - split->link + length;
    adjust_ip(piece->header + split->link, ip_length, split->index);
    adjust_tcp(piece->header + split->transport_offset, split->at, split->index == 0,
               length == left);
    take_payload(split, piece, length);
    split->at += length;
    split->index++;
    return true;
}
