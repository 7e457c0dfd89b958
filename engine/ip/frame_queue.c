#include "engine/ip/frame_queue.h"
#include <string.h>

bool frame_queue_push(struct frame_queue *queue, struct berth_allocator allocator,
                      struct berth_frame *frame) {
    size_t parts = frame->part_count * sizeof frame->parts[0];
    size_t size = sizeof(struct waiting_frame) + parts + frame->header_length;
    struct waiting_frame *waiting = allocator.allocate(allocator.context, size);
    if (!waiting) {
        berth_frame_clear(frame);
        return false;
    }
    waiting->next = NULL;
    waiting->size = (uint32_t)size;
    waiting->octets = (uint32_t)berth_frame_length(frame);
    waiting->header_length = frame->header_length;
    waiting->segment_size = frame->segment_size;
    waiting->transport_offset = frame->transport_offset;
    waiting->part_count = frame->part_count;
    waiting->flags = frame->flags;
    memcpy(waiting->parts, frame->parts, parts);
    memcpy(waiting_header(waiting), frame->header, frame->header_length);
    if (queue->tail)
        queue->tail->next = waiting;
    else
        queue->head = waiting;
    queue->tail = waiting;
    queue->count++;
    queue->octets += waiting->octets;
    return true;
}

bool frame_queue_pop(struct frame_queue *queue, struct berth_allocator allocator,
                     struct berth_frame *frame) {
    struct waiting_frame *waiting = queue->head;
    if (!waiting)
        return false;
    queue->head = waiting->next;
    if (!queue->head)
        queue->tail = NULL;
    queue->count--;
    queue->octets -= waiting->octets;
    frame->header_length = waiting->header_length;
    frame->segment_size = waiting->segment_size;
    frame->transport_offset = waiting->transport_offset;
    frame->part_count = waiting->part_count;
    frame->flags = waiting->flags;
    memcpy(frame->parts, waiting->parts, waiting->part_count * sizeof frame->parts[0]);
    memcpy(frame->header, waiting_header(waiting), waiting->header_length);
    allocator.release(allocator.context, waiting, waiting->size);
    return true;
}

void frame_queue_drop(struct frame_queue *queue, struct berth_allocator allocator) {
    struct berth_frame frame;
    if (frame_queue_pop(queue, allocator, &frame))
        berth_frame_clear(&frame);
}

void frame_queue_clear(struct frame_queue *queue, struct berth_allocator allocator) {
    while (queue->head)
        frame_queue_drop(queue, allocator);
}

void frame_queue_join(struct frame_queue *to, struct frame_queue *from) {
    if (!from->head)
        return;
    if (to->tail)
        to->tail->next = from->head;
    else
        to->head = from->head;
    to->tail = from->tail;
    to->count += from->count;
    to->octets += from->octets;
    *from = (struct frame_queue){0};
}

void frame_move(struct berth_frame *to, const struct berth_frame *from) {
    size_t fixed = offsetof(struct berth_frame, header);
    memcpy(to, from, fixed + from->header_length);
    memcpy(to->parts, from->parts, from->part_count * sizeof to->parts[0]);
}
