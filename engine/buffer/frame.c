#include "engine/wire/checksum.h"
#include "engine/wire/ipv4.h"
#include "engine/wire/tcp.h"
#include "engine/wire/udp.h"
#include <berth/frame.h>
#include <errno.h>
#include <string.h>

size_t berth_frame_length(const struct berth_frame *frame) {
    size_t length = frame->header_length;
    for (unsigned i = 0; i < frame->part_count; i++)
        length += frame->parts[i].length;
    return length;
}

void berth_frame_copy(struct berth_frame *target, const struct berth_frame *source) {
    memcpy(target, source, offsetof(struct berth_frame, header) + source->header_length);
    for (unsigned i = 0; i < source->part_count; i++) {
        target->parts[i] = source->parts[i];
        if (target->parts[i].block)
            berth_block_hold(target->parts[i].block);
    }
}

void berth_frame_clear(struct berth_frame *frame) {
    for (unsigned i = 0; i < frame->part_count; i++)
        if (frame->parts[i].block)
            berth_block_drop(frame->parts[i].block);
    memset(frame, 0, offsetof(struct berth_frame, header));
}

/* Copies what of a piece lies after the first *skip octets to `to`; *skip shrinks by what was
 * passed over. */
static size_t piece_read(const uint8_t *data, size_t length, size_t *skip, uint8_t *to,
                         size_t max) {
    if (*skip >= length) {
        *skip -= length;
        return 0;
    }
    size_t count = length - *skip < max ? length - *skip : max;
    if (count > 0)
        memcpy(to, data + *skip, count);
    *skip = 0;
    return count;
}

size_t berth_frame_read(const struct berth_frame *frame, size_t offset, uint8_t *to, size_t max) {
    size_t done = piece_read(frame->header, frame->header_length, &offset, to, max);
    for (unsigned i = 0; i < frame->part_count && done < max; i++)
        done += piece_read(frame->parts[i].data, frame->parts[i].length, &offset, to + done,
                           max - done);
    return done;
}

int berth_frame_from_bytes(struct berth_frame *frame, struct berth_allocator allocator,
                           const uint8_t *data, size_t length) {
    memset(frame, 0, offsetof(struct berth_frame, header));
    if (length == 0)
        return 0;
    if (length > UINT32_MAX)
        return -ENOMEM;
    struct berth_block *block = berth_block_new(allocator, (uint32_t)length);
    if (!block)
        return -ENOMEM;
    memcpy(block->data, data, length);
    frame->parts[0] = (struct berth_part){block, block->data, (uint32_t)length};
    frame->part_count = 1;
    return 0;
}

/* What the pseudo-header needs of an IP header at frame->header[link_header]. */
static bool pseudo_read(const struct berth_frame *frame, size_t link_header,
                        struct berth_ip *source, struct berth_ip *destination, uint8_t *protocol) {
    const uint8_t *ip = frame->header + link_header;
    if (link_header + IPV4_HEADER_MIN > frame->transport_offset)
        return false;
    if (ip[0] >> 4 == 4) {
        *source = berth_ip_v4(load_be32(ip + 12));
        *destination = berth_ip_v4(load_be32(ip + 16));
        *protocol = ip[9];
        return true;
    }
    enum { IPV6_HEADER = 40 };
    if (ip[0] >> 4 != 6 || link_header + IPV6_HEADER > frame->transport_offset)
        return false;
    memcpy(source->bytes, ip + 8, 16);
    memcpy(destination->bytes, ip + 24, 16);
    *protocol = ip[6];
    return true;
}

void berth_frame_finish(struct berth_frame *frame, size_t link_header) {
    struct berth_ip source, destination;
    uint8_t protocol;
    size_t start = frame->transport_offset;
    if (!(frame->flags & BERTH_FRAME_NO_CHECKSUM) || start > frame->header_length ||
        !pseudo_read(frame, link_header, &source, &destination, &protocol))
        return;
    size_t field = start + (protocol == IPV4_UDP ? 6 : 16);
    if ((protocol != IPV4_TCP && protocol != IPV4_UDP) || field + 2 > frame->header_length)
        return;
    uint8_t *at = frame->header + field;
    store_be16(at, 0);
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, &source, &destination, protocol,
                        (uint32_t)(berth_frame_length(frame) - start));
    checksum_add(&sum, frame->header + start, frame->header_length - start);
    checksum_add_parts(&sum, frame->parts, frame->part_count);
    uint16_t computed = checksum_finish(&sum);
    store_be16(at, protocol == IPV4_UDP ? udp_checksum_on_wire(computed) : computed);
    frame->flags &= (uint8_t)~BERTH_FRAME_NO_CHECKSUM;
}
