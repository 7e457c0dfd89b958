#include "network/capture.h"
#include "network/network.h"
#include "network/parcel.h"
#include "network/text.h"
#include <errno.h>
#include <string.h>

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6 };
enum { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_APPLICATION = 4 };
enum { OPTION_IF_NAME = 2, OPTION_IF_DESCRIPTION = 3, OPTION_IF_TSRESOL = 9 };
enum { LINKTYPE_ETHERNET = 1, NANOSECONDS = 9 };
/* The rest is for the block's fixed fields and its options. */
enum { CAPTURE_BLOCK = NETWORK_FRAME_MAX + 1024, COMMENT_MAX = 256 };

/* Little-endian on every machine, so that the same run gives the same octets. */
struct cursor {
    uint8_t *start, *at;
};

static void put16(struct cursor *c, uint32_t v) {
    *c->at++ = (uint8_t)v;
    *c->at++ = (uint8_t)(v >> 8);
}

static void put32(struct cursor *c, uint32_t v) {
    put16(c, v & 0xffff);
    put16(c, v >> 16);
}

/* Fields are padded to 32 bits with zeroes. */
static void pad(struct cursor *c) {
    while ((c->at - c->start) % 4 != 0)
        *c->at++ = 0;
}

static void put_option(struct cursor *c, uint32_t code, const void *value, size_t length) {
    put16(c, code);
    put16(c, (uint32_t)length);
    memcpy(c->at, value, length);
    c->at += length;
    pad(c);
}

static struct cursor begin(struct capture *capture, uint32_t type) {
    struct cursor c = {capture->block, capture->block};
    put32(&c, type);
    put32(&c, 0);
    return c;
}

/* The block's length stands before and behind it. */
static void end(struct capture *capture, struct cursor *c) {
    uint32_t length = (uint32_t)(c->at - c->start) + 4;
    put32(c, length);
    struct cursor front = {c->start, c->start + 4};
    put32(&front, length);
    capture->write(capture->context, capture->block, length);
}

int capture_start(struct capture *capture, struct berth_allocator allocator,
                  berth_capture_write *write, void *context, uint64_t wall) {
    capture_stop(capture, allocator);
    capture->block = allocator.allocate(allocator.context, CAPTURE_BLOCK);
    if (!capture->block)
        return -ENOMEM;
    capture->write = write;
    capture->context = context;
    capture->wall = wall;
    capture->interfaces = 0;
    struct cursor c = begin(capture, BLOCK_SECTION);
    put32(&c, 0x1a2b3c4d);
    put16(&c, 1);
    put16(&c, 0);
    put32(&c, UINT32_MAX); /* the section's length is not known */
    put32(&c, UINT32_MAX);
    put_option(&c, OPTION_APPLICATION, "Berth", 5);
    put_option(&c, OPTION_END, "", 0);
    end(capture, &c);
    return 0;
}

void capture_stop(struct capture *capture, struct berth_allocator allocator) {
    if (capture->block)
        allocator.release(allocator.context, capture->block, CAPTURE_BLOCK);
    *capture = (struct capture){0};
}

uint32_t capture_describe(struct capture *capture, const char *name, const char *description) {
    const uint8_t resolution = NANOSECONDS;
    struct cursor c = begin(capture, BLOCK_INTERFACE);
    put16(&c, LINKTYPE_ETHERNET);
    put16(&c, 0);
    put32(&c, 0); /* no limit to the length captured */
    put_option(&c, OPTION_IF_NAME, name, strlen(name));
    put_option(&c, OPTION_IF_DESCRIPTION, description, strlen(description));
    put_option(&c, OPTION_IF_TSRESOL, &resolution, 1);
    put_option(&c, OPTION_END, "", 0);
    end(capture, &c);
    return capture->interfaces++;
}

void capture_write_frame(struct capture *capture, uint32_t interface,
                         const struct berth_frame *frame, uint64_t now, const char *comment) {
    uint64_t stamp = capture->wall + now;
    uint32_t length = (uint32_t)berth_frame_length(frame);
    uint32_t captured = length < NETWORK_FRAME_MAX ? length : NETWORK_FRAME_MAX;
    struct cursor c = begin(capture, BLOCK_PACKET);
    put32(&c, interface);
    put32(&c, (uint32_t)(stamp >> 32));
    put32(&c, (uint32_t)stamp);
    put32(&c, captured);
    put32(&c, length);
    berth_frame_read(frame, 0, c.at, captured);
    if (captured == length)
        parcel_finish_flat(frame, c.at, captured);
    c.at += captured;
    pad(&c);
    if (comment) {
        put_option(&c, OPTION_COMMENT, comment, text_length(comment, COMMENT_MAX));
        put_option(&c, OPTION_END, "", 0);
    }
    end(capture, &c);
}
