#include "network/parcel.h"
#include "engine/wire/ethernet.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

void parcel_move(struct berth_frame *target, const struct berth_frame *source) {
    memcpy(target, source, offsetof(struct berth_frame, header) + source->header_length);
    memcpy(target->parts, source->parts, source->part_count * sizeof source->parts[0]);
}

static bool all_held(const struct berth_frame *frame) {
    for (int i = 0; i < frame->part_count; i++)
        if (!frame->parts[i].block)
            return false;
    return true;
}

void parcel_finish_flat(const struct berth_frame *frame, uint8_t *octets, size_t length) {
    if (!(frame->flags & BERTH_FRAME_NO_CHECKSUM))
        return;
    struct berth_frame view;
    memset(&view, 0, offsetof(struct berth_frame, header));
    size_t head = length < BERTH_FRAME_HEADER ? length : BERTH_FRAME_HEADER;
    view.header_length = (uint16_t)head;
    view.flags = frame->flags;
    view.segment_size = frame->segment_size;
    view.transport_offset = frame->transport_offset;
    memcpy(view.header, octets, head);
    if (length > head) {
        view.parts[0] = (struct berth_part){NULL, octets + head, (uint32_t)(length - head)};
        view.part_count = 1;
    }
    berth_frame_finish(&view, ETHERNET_HEADER);
    memcpy(octets, view.header, head);
}

/* All octets in one new block, finished if so wished. */
static int lay_flat(struct berth_frame *target, const struct berth_frame *source,
                    struct berth_allocator allocator, bool finish) {
    size_t length = berth_frame_length(source);
    struct berth_block *block = berth_block_new(allocator, (uint32_t)length);
    if (!block)
        return -ENOMEM;
    berth_frame_read(source, 0, block->data, length);
    memset(target, 0, offsetof(struct berth_frame, header));
    target->segment_size = source->segment_size;
    target->transport_offset = source->transport_offset;
    target->flags = source->flags;
    if (finish) {
        parcel_finish_flat(source, block->data, length);
        target->flags = (uint8_t)(target->flags & ~BERTH_FRAME_NO_CHECKSUM);
    }
    target->part_count = 1;
    target->parts[0] = (struct berth_part){block, block->data, (uint32_t)length};
    return 0;
}

int parcel_keep(struct berth_frame *target, const struct berth_frame *source,
                struct berth_allocator allocator) {
    if (!all_held(source))
        return lay_flat(target, source, allocator, false);
    berth_frame_copy(target, source);
    return 0;
}

int parcel_keep_finished(struct berth_frame *target, const struct berth_frame *source,
                         struct berth_allocator allocator) {
    if (!(source->flags & BERTH_FRAME_NO_CHECKSUM))
        return parcel_keep(target, source, allocator);
    /* Hosts write the transport header into the frame's own octets; a frame from outside shares its
     * only copy of it with others. */
    if (all_held(source)) {
        berth_frame_copy(target, source);
        berth_frame_finish(target, ETHERNET_HEADER);
        if (!(target->flags & BERTH_FRAME_NO_CHECKSUM))
            return 0;
        berth_frame_clear(target);
    }
    return lay_flat(target, source, allocator, true);
}

int parcel_corrupt(struct berth_frame *target, const struct berth_frame *source,
                   struct berth_allocator allocator, uint64_t bit) {
    int error = lay_flat(target, source, allocator, true);
    if (error)
        return error;
    struct berth_block *block = target->parts[0].block;
    bit %= (uint64_t)block->size * 8;
    block->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    target->flags = 0;
    return 0;
}
