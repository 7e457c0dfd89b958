/* Theory of operation.
 *
 * The octets are runs in a ring, in order. The last run may end in a block that this stream made;
 * the `tail_room` octets after it are nobody else's, so small writes go there. Whatever follows in
 * the same block as the last run extends that run, so a 64 KiB block that arrives as 45 segments is
 * one run again.
 *
 * Blocks that the stream makes are as large as the stream already is, within
 * STREAM_FIRST..STREAM_BLOCK: a connection that exchanges a few octets holds a few octets, a bulk
 * transfer fills large blocks.
 *
 * `charged` counts a block once for each stretch of neighbouring runs in it; the runs of one block
 * come in one stretch except where somebody interleaves blocks, and then they are counted too high,
 * never too low.
 *
 * A lookup starts at the first run, at the last, or at the one found last time, whichever is
 * nearest: new data is sent from near the end, retransmissions from the start, and either goes on
 * where it stopped. */
#include "engine/buffer/stream.h"

#include <errno.h>
#include <string.h>

enum { STREAM_RING = 4, STREAM_FIRST = 256 };

void stream_init(struct stream *stream) {
    memset(stream, 0, sizeof *stream);
}

static struct berth_part *part_at(const struct stream *stream, uint32_t i) {
    return &stream->parts[(stream->head + i) & (stream->size - 1)];
}

static struct berth_part *last_part(const struct stream *stream) {
    return part_at(stream, stream->count - 1);
}

static void ring_release(struct stream *stream, struct berth_allocator allocator) {
    if (stream->parts)
        allocator.release(allocator.context, stream->parts, stream->size * sizeof *stream->parts);
}

void stream_clear(struct stream *stream, struct berth_allocator allocator) {
    for (uint32_t i = 0; i < stream->count; i++)
        berth_block_drop(part_at(stream, i)->block);
    ring_release(stream, allocator);
    stream_init(stream);
}

/* Makes room for `more` parts. */
static int ring_reserve(struct stream *stream, struct berth_allocator allocator, uint32_t more) {
    if (stream->size - stream->count >= more)
        return 0;
    uint32_t size = stream->size ? stream->size : STREAM_RING / 2;
    while (size - stream->count < more) {
        if (size > UINT32_MAX / 2 / sizeof *stream->parts)
            return -ENOMEM;
        size *= 2;
    }
    struct berth_part *parts = allocator.allocate(allocator.context, size * sizeof *parts);
    if (!parts)
        return -ENOMEM;
    for (uint32_t i = 0; i < stream->count; i++)
        parts[i] = *part_at(stream, i);
    ring_release(stream, allocator);
    stream->parts = parts;
    stream->size = size;
    stream->head = 0;
    return 0;
}

/* A block of our own for the last run's successor: as large as the stream is, and holds `length` if
 * it can. */
static struct berth_block *own_block(const struct stream *stream, struct berth_allocator allocator,
                                     uint32_t length) {
    uint32_t size = stream->length > STREAM_FIRST ? stream->length : STREAM_FIRST;
    size = length > size ? length : size;
    return berth_block_new(allocator, size < STREAM_BLOCK ? size : STREAM_BLOCK);
}

static void part_push(struct stream *stream, struct berth_block *block, const uint8_t *data,
                      uint32_t length) {
    if (stream->count == 0 || last_part(stream)->block != block)
        stream->charged += block->size;
    stream->count++;
    *last_part(stream) = (struct berth_part){block, data, length};
}

/* Appends empty own blocks that hold `length` octets; they are filled later. On failure all is as
 * before. */
static int blocks_append(struct stream *stream, struct berth_allocator allocator, uint32_t length) {
    uint32_t count = stream->count, charged = stream->charged, needed = length / STREAM_BLOCK + 1;
    if (ring_reserve(stream, allocator, needed) < 0)
        goto fail;
    while (length > 0) {
        struct berth_block *block = own_block(stream, allocator, length);
        if (!block)
            goto fail;
        uint32_t part = length < block->size ? length : block->size;
        part_push(stream, block, block->data, part);
        length -= part;
    }
    return 0;
fail:
    while (stream->count > count) {
        berth_block_drop(last_part(stream)->block);
        stream->count--;
    }
    stream->charged = charged;
    if (count == 0)
        stream_clear(stream, allocator);
    return -ENOMEM;
}

int stream_append_copy(struct stream *stream, struct berth_allocator allocator, const void *data,
                       uint32_t length) {
    if (length == 0)
        return 0;
    if (length > UINT32_MAX - stream->length)
        return -ENOMEM;
    const uint8_t *from = data;
    uint32_t first_new = stream->count,
             fits = length < stream->tail_room ? length : stream->tail_room;
    if (length > fits && blocks_append(stream, allocator, length - fits) < 0)
        return -ENOMEM;
    if (fits > 0) {
        struct berth_part *tail = part_at(stream, first_new - 1);
        size_t filled = (size_t)(tail->data + tail->length - tail->block->data);
        memcpy(&tail->block->data[filled], from, fits);
        tail->length += fits;
        stream->tail_room -= fits;
        from += fits;
    }
    for (uint32_t i = first_new; i < stream->count; i++) {
        struct berth_part *part = part_at(stream, i);
        memcpy(part->block->data, from, part->length);
        from += part->length;
        stream->tail_room = part->block->size - part->length;
    }
    stream->length += length;
    return 0;
}

int stream_append(struct stream *stream, struct berth_allocator allocator,
                  const struct berth_part *part) {
    if (part->length == 0)
        return 0;
    if (part->length > UINT32_MAX - stream->length)
        return -ENOMEM;
    if (!part->block)
        return stream_append_copy(stream, allocator, part->data, part->length);
    struct berth_part *tail = stream->count > 0 ? last_part(stream) : NULL;
    if (tail && tail->block == part->block && tail->data + tail->length == part->data) {
        tail->length += part->length;
        stream->tail_room = 0;
        stream->length += part->length;
        return 0;
    }
    if (part->length < STREAM_COPY_BELOW && !part->block->sealed)
        return stream_append_copy(stream, allocator, part->data, part->length);
    if (ring_reserve(stream, allocator, 1) < 0)
        return -ENOMEM;
    part_push(stream, berth_block_hold(part->block), part->data, part->length);
    stream->tail_room = 0;
    stream->length += part->length;
    return 0;
}

static void first_drop(struct stream *stream) {
    struct berth_block *block = part_at(stream, 0)->block;
    if (stream->count == 1 || part_at(stream, 1)->block != block)
        stream->charged -= block->size;
    berth_block_drop(block);
    stream->head = (stream->head + 1) & (stream->size - 1);
    stream->count--;
}

void stream_drop(struct stream *stream, struct berth_allocator allocator, uint32_t length) {
    uint32_t left = length, parts = 0;
    stream->length -= length;
    while (left > 0 && left >= part_at(stream, 0)->length) {
        left -= part_at(stream, 0)->length;
        first_drop(stream);
        parts++;
    }
    if (stream->count == 0) {
        stream_clear(stream, allocator);
        return;
    }
    part_at(stream, 0)->data += left;
    part_at(stream, 0)->length -= left;
    if (stream->hint_part > parts) {
        stream->hint_part -= parts;
        stream->hint_offset -= length;
    } else {
        stream->hint_part = 0;
        stream->hint_offset = 0;
    }
}

/* The part that holds octet `offset`, which is in the stream; *start: the stream offset of its
 * first octet. */
static uint32_t part_find(struct stream *stream, uint32_t offset, uint32_t *start) {
    uint32_t last_start = stream->length - last_part(stream)->length;
    if (offset < part_at(stream, 0)->length) {
        *start = 0;
        return 0; /* retransmissions begin here: the hint stays with the new data */
    }
    uint32_t part = stream->hint_part, at = stream->hint_offset;
    uint32_t from_hint = offset > at ? offset - at : at - offset;
    if (offset < from_hint) {
        part = 0;
        at = 0;
    } else if (offset >= last_start || last_start - offset < from_hint) {
        part = stream->count - 1;
        at = last_start;
    }
    while (offset < at)
        at -= part_at(stream, --part)->length;
    while (offset - at >= part_at(stream, part)->length)
        at += part_at(stream, part++)->length;
    stream->hint_part = part;
    stream->hint_offset = at;
    *start = at;
    return part;
}

int stream_view(struct stream *stream, uint32_t offset, uint32_t length, struct berth_part *parts,
                int max, uint32_t *got) {
    *got = 0;
    if (offset >= stream->length)
        return 0;
    if (length > stream->length - offset)
        length = stream->length - offset;
    uint32_t start, i = part_find(stream, offset, &start), skip = offset - start;
    int count = 0;
    while (count < max && length > 0) {
        const struct berth_part *part = part_at(stream, i++);
        uint32_t run = part->length - skip < length ? part->length - skip : length;
        parts[count++] = (struct berth_part){part->block, part->data + skip, run};
        *got += run;
        length -= run;
        skip = 0;
    }
    return count;
}

void stream_read(struct stream *stream, uint32_t offset, void *to, uint32_t length) {
    uint8_t *at = to;
    while (length > 0) {
        struct berth_part part;
        uint32_t got;
        if (stream_view(stream, offset, length, &part, 1, &got) == 0)
            return;
        memcpy(at, part.data, got);
        at += got;
        offset += got;
        length -= got;
    }
}
