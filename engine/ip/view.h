/* A received frame seen as octets: one contiguous head, where headers are read, then the parts.
 *
 * Frames that were built by a host have all their headers in the frame's own octets; frames that
 * came from outside lie in one block. Both are read in place. Only when a header straddles the
 * first two pieces are the first octets gathered into a scratch. */
#ifndef ENGINE_IP_VIEW_H
#define ENGINE_IP_VIEW_H

#include "engine/wire/checksum.h"
#include <berth/frame.h>
#include <stdbool.h>

enum {
    VIEW_PARTS = BERTH_FRAME_PARTS + 1,
    VIEW_MAX = 65535 + 14 + 64,
    VIEW_HEAD = 640, /* Ethernet, IPv6 with all extension headers that are taken, TCP */
};

struct frame_view {
    const uint8_t *head;
    struct berth_block *head_block; /* keeps the head alive; NULL: borrowed */
    const struct berth_part *rest;
    uint32_t head_length, rest_count, rest_length;
};

struct view_scratch {
    uint8_t head[VIEW_HEAD];
    struct berth_part rest[VIEW_PARTS];
};

/* False for a frame that no link carries: too many pieces or octets. */
bool view_of_frame(struct frame_view *view, const struct berth_frame *frame);
/* A view of one run of octets. */
void view_of_block(struct frame_view *view, struct berth_block *block, uint32_t length);

static inline uint32_t view_length(const struct frame_view *view) {
    return view->head_length + view->rest_length;
}

/* Gathers the head; see view_ensure. */
bool view_gather(struct frame_view *view, uint32_t length, struct view_scratch *scratch);

/* Makes the first `length` (<= VIEW_HEAD) octets contiguous in view->head. False when the
 * frame is shorter. */
static inline bool view_ensure(struct frame_view *view, uint32_t length,
                               struct view_scratch *scratch) {
    return view->head_length >= length || view_gather(view, length, scratch);
}

/* Points *parts at octets [offset, offset+length), which must be there: into the frame itself where
 * they are whole parts of it, else into own[max], which is filled. Returns the number of parts, or
 * -1 when own is too small. */
int view_slice(const struct frame_view *view, uint32_t offset, uint32_t length,
               struct berth_part *own, int max, const struct berth_part **parts);
/* Copies octets [offset, offset+length), which must be there. */
void view_read(const struct frame_view *view, uint32_t offset, uint32_t length, uint8_t *to);
/* Adds octets [offset, offset+length), which must be there. */
void view_checksum(const struct frame_view *view, uint32_t offset, uint32_t length,
                   struct checksum *sum);

/* The part of parts[0..count) that is octets [offset, offset+length), into out[max]; blocks are not
 * held. Returns the count, or -1 when `out` is too small. */
int parts_slice(const struct berth_part *parts, size_t count, uint32_t offset, uint32_t length,
                struct berth_part *out, int max);

#endif
