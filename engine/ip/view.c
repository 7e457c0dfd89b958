#include "engine/ip/view.h"

bool view_of_frame(struct frame_view *view, const struct berth_frame *frame) {
    if (frame->header_length > BERTH_FRAME_HEADER || frame->part_count > BERTH_FRAME_PARTS)
        return false;
    view->rest = frame->parts;
    view->rest_count = frame->part_count;
    if (frame->header_length > 0) {
        view->head = frame->header;
        view->head_length = frame->header_length;
        view->head_block = NULL;
    } else if (frame->part_count > 0) {
        view->head = frame->parts[0].data;
        view->head_length = frame->parts[0].length;
        view->head_block = frame->parts[0].block;
        view->rest++;
        view->rest_count--;
    } else {
        return false;
    }
    uint64_t length = 0;
    for (uint32_t i = 0; i < view->rest_count; i++)
        length += view->rest[i].length;
    view->rest_length = (uint32_t)length;
    return length + view->head_length <= VIEW_MAX;
}

void view_of_block(struct frame_view *view, struct berth_block *block, uint32_t length) {
    view->head = block->data;
    view->head_length = length;
    view->head_block = block;
    view->rest = NULL;
    view->rest_count = 0;
    view->rest_length = 0;
}

bool view_gather(struct frame_view *view, uint32_t length, struct view_scratch *scratch) {
    uint32_t total = view_length(view);
    if (total < length)
        return false;
    uint32_t gathered = total < sizeof scratch->head ? total : (uint32_t)sizeof scratch->head;
    view_read(view, 0, gathered, scratch->head);
    const struct berth_part *parts = scratch->rest;
    int count = view_slice(view, gathered, total - gathered, scratch->rest, VIEW_PARTS, &parts);
    view->head = scratch->head;
    view->head_length = gathered;
    view->head_block = NULL;
    view->rest = parts;
    view->rest_count = count > 0 ? (uint32_t)count : 0;
    view->rest_length = total - gathered;
    return true;
}

int parts_slice(const struct berth_part *parts, size_t count, uint32_t offset, uint32_t length,
                struct berth_part *out, int max) {
    int n = 0;
    for (size_t i = 0; i < count && length > 0; i++) {
        if (offset >= parts[i].length) {
            offset -= parts[i].length;
            continue;
        }
        if (n == max)
            return -1;
        uint32_t here = parts[i].length - offset;
        out[n] = parts[i];
        out[n].data += offset;
        out[n].length = here < length ? here : length;
        length -= out[n].length;
        offset = 0;
        n++;
    }
    return n;
}

int view_slice(const struct frame_view *view, uint32_t offset, uint32_t length,
               struct berth_part *own, int max, const struct berth_part **parts) {
    if (offset == view->head_length && length == view->rest_length) {
        *parts = view->rest;
        return (int)view->rest_count;
    }
    *parts = own;
    int n = 0;
    if (offset < view->head_length && length > 0) {
        if (max == 0)
            return -1;
        uint32_t here = view->head_length - offset;
        own[0].block = view->head_block;
        own[0].data = view->head + offset;
        own[0].length = here < length ? here : length;
        length -= own[0].length;
        offset = view->head_length;
        n = 1;
    }
    if (length == 0)
        return n;
    int more = parts_slice(view->rest, view->rest_count, offset - view->head_length, length,
                           own + n, max - n);
    return more < 0 ? -1 : n + more;
}

void view_read(const struct frame_view *view, uint32_t offset, uint32_t length, uint8_t *to) {
    struct berth_part own[VIEW_PARTS];
    const struct berth_part *parts;
    int count = view_slice(view, offset, length, own, VIEW_PARTS, &parts);
    for (int i = 0; i < count; i++) {
        memcpy(to, parts[i].data, parts[i].length);
        to += parts[i].length;
    }
}

void view_checksum(const struct frame_view *view, uint32_t offset, uint32_t length,
                   struct checksum *sum) {
    if (offset + length <= view->head_length) {
        checksum_add(sum, view->head + offset, length);
        return;
    }
    struct berth_part own[VIEW_PARTS];
    const struct berth_part *parts;
    int count = view_slice(view, offset, length, own, VIEW_PARTS, &parts);
    if (count > 0)
        checksum_add_parts(sum, parts, (size_t)count);
}
