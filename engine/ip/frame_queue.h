/* Frames that wait: for a neighbour's address, or for the pull of their interface. A waiting frame
 * takes only the octets and parts it uses. */
#ifndef ENGINE_IP_FRAME_QUEUE_H
#define ENGINE_IP_FRAME_QUEUE_H

#include <berth/frame.h>
#include <stdbool.h>

struct waiting_frame {
    struct waiting_frame *next;
    uint32_t size;   /* of this allocation */
    uint32_t octets; /* of the frame */
    uint16_t header_length, segment_size, transport_offset;
    uint8_t part_count, flags;
    struct berth_part parts[]; /* then the header's octets */
};

struct frame_queue {
    struct waiting_frame *head, *tail;
    uint32_t count, octets;
};

static inline uint8_t *waiting_header(struct waiting_frame *waiting) {
    return (uint8_t *)&waiting->parts[waiting->part_count];
}

/* Appends the frame, whose holds go to the queue; when memory is out it is cleared and false comes
 * back. The frame is the caller's to overwrite. */
bool frame_queue_push(struct frame_queue *queue, struct berth_allocator allocator,
                      struct berth_frame *frame);
/* Takes the oldest out into *frame. False when there is none. */
bool frame_queue_pop(struct frame_queue *queue, struct berth_allocator allocator,
                     struct berth_frame *frame);
/* Drops the oldest. */
void frame_queue_drop(struct frame_queue *queue, struct berth_allocator allocator);
void frame_queue_clear(struct frame_queue *queue, struct berth_allocator allocator);
/* Appends all of `from` to `to`. */
void frame_queue_join(struct frame_queue *to, struct frame_queue *from);
/* Moves a frame, only what is in use, without holding its blocks twice; `from` is then the caller's
 * to overwrite. */
void frame_move(struct berth_frame *to, const struct berth_frame *from);

#endif
