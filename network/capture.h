/* A capture as pcapng (draft-ietf-opsawg-pcapng): a section header, one interface description per
 * switch port under its owner's name, and an enhanced packet block with nanoseconds for each frame;
 * what was dropped carries its cause as the packet's comment. Frames are shown as they would be on
 * a wire, checksums computed; large segments are shown whole, as Linux shows those of its own
 * offloads. */
#ifndef NETWORK_CAPTURE_H
#define NETWORK_CAPTURE_H

#include <berth/network.h>

struct capture {
    berth_capture_write *write; /* NULL: off */
    void *context;
    uint64_t wall;
    uint32_t interfaces; /* described so far */
    uint8_t *block;      /* room for the largest block; NULL when off */
};

/* Writes the section header. 0 or -ENOMEM. */
int capture_start(struct capture *capture, struct berth_allocator allocator,
                  berth_capture_write *write, void *context, uint64_t wall);
void capture_stop(struct capture *capture, struct berth_allocator allocator);
/* Describes one more interface; returns its number in the section. */
uint32_t capture_describe(struct capture *capture, const char *name, const char *description);
void capture_write_frame(struct capture *capture, uint32_t interface,
                         const struct berth_frame *frame, uint64_t now, const char *comment);

#endif
