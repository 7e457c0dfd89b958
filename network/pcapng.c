#include "network/pcapng.h"
#include "network/network.h"
#include "network/parcel.h"
#include "network/text.h"
#include <errno.h>
#include <string.h>

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_NAMES = 4, BLOCK_PACKET = 6 };
enum { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_APPLICATION = 4 };
enum { OPTION_IF_NAME = 2, OPTION_IF_DESCRIPTION = 3, OPTION_IF_TSRESOL = 9 };
enum { OPTION_PACKET_FLAGS = 2, OPTION_PACKET_LOST = 4, FLAG_INBOUND = 1, FLAG_OUTBOUND = 2 };
enum { RECORD_END = 0, RECORD_IPV4 = 1, RECORD_IPV6 = 2 };
enum { LINKTYPE_ETHERNET = 1, NANOSECONDS = 9 };
/* The rest is for the block's fixed fields and its options. */
enum { BLOCK_SIZE = NETWORK_FRAME_MAX + 1024, COMMENT_MAX = 256, PACKET_AT = 28 };

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

static struct cursor begin(struct pcapng_writer *file, uint32_t type) {
    struct cursor c = {file->block, file->block};
    put32(&c, type);
    put32(&c, 0);
    return c;
}

/* The block's length stands before and behind it. */
static void end(struct pcapng_writer *file, struct cursor *c) {
    uint32_t length = (uint32_t)(c->at - c->start) + 4;
    put32(c, length);
    struct cursor front = {c->start, c->start + 4};
    put32(&front, length);
    file->write(file->context, file->block, length);
}

int pcapng_writer_open(struct pcapng_writer *file, struct berth_allocator allocator,
                       berth_capture_write *write, void *context) {
    *file = (struct pcapng_writer){.allocator = allocator, .write = write, .context = context};
    file->block = allocator.allocate(allocator.context, BLOCK_SIZE);
    if (!file->block)
        return -ENOMEM;
    struct cursor c = begin(file, BLOCK_SECTION);
    put32(&c, 0x1a2b3c4d);
    put16(&c, 1);
    put16(&c, 0);
    put32(&c, UINT32_MAX); /* the section's length is not known */
    put32(&c, UINT32_MAX);
    put_option(&c, OPTION_APPLICATION, "Berth", 5);
    put_option(&c, OPTION_END, "", 0);
    end(file, &c);
    return 0;
}

void pcapng_writer_close(struct pcapng_writer *file) {
    if (file->block)
        file->allocator.release(file->allocator.context, file->block, BLOCK_SIZE);
    file->block = NULL;
}

uint32_t pcapng_write_interface(struct pcapng_writer *file, const char *name,
                                const char *description, uint32_t snap) {
    const uint8_t resolution = NANOSECONDS;
    struct cursor c = begin(file, BLOCK_INTERFACE);
    put16(&c, LINKTYPE_ETHERNET);
    put16(&c, 0);
    put32(&c, snap); /* 0: no limit to the length captured */
    put_option(&c, OPTION_IF_NAME, name, strlen(name));
    put_option(&c, OPTION_IF_DESCRIPTION, description, strlen(description));
    put_option(&c, OPTION_IF_TSRESOL, &resolution, 1);
    put_option(&c, OPTION_END, "", 0);
    end(file, &c);
    return file->interfaces++;
}

void pcapng_write_name(struct pcapng_writer *file, const struct berth_ip *address,
                       const char *name) {
    bool v4 = berth_ip_is_v4(address);
    size_t size = v4 ? 4 : 16, length = strlen(name) + 1;
    struct cursor c = begin(file, BLOCK_NAMES);
    put16(&c, v4 ? RECORD_IPV4 : RECORD_IPV6);
    put16(&c, (uint32_t)(size + length));
    memcpy(c.at, address->bytes + (v4 ? 12 : 0), size);
    memcpy(c.at + size, name, length);
    c.at += size + length;
    pad(&c);
    put16(&c, RECORD_END);
    put16(&c, 0);
    end(file, &c);
}

uint8_t *pcapng_writer_lay(struct pcapng_writer *file, const struct berth_frame *frame,
                           uint32_t *length) {
    uint8_t *octets = file->block + PACKET_AT;
    *length = (uint32_t)berth_frame_length(frame);
    if (*length > NETWORK_FRAME_MAX)
        *length = NETWORK_FRAME_MAX;
    berth_frame_read(frame, 0, octets, *length);
    parcel_finish_flat(frame, octets, *length);
    return octets;
}

static void put64(struct cursor *c, uint64_t v) {
    put32(c, (uint32_t)v);
    put32(c, (uint32_t)(v >> 32));
}

void pcapng_write_packet(struct pcapng_writer *file, const struct pcapng_record *packet) {
    uint8_t flags[4] = {packet->inbound ? FLAG_INBOUND : FLAG_OUTBOUND, 0, 0, 0};
    struct cursor c = begin(file, BLOCK_PACKET);
    put32(&c, packet->interface);
    put32(&c, (uint32_t)(packet->stamp >> 32));
    put32(&c, (uint32_t)packet->stamp);
    put32(&c, packet->kept);
    put32(&c, packet->length);
    c.at += packet->kept;
    pad(&c);
    if (packet->comment)
        put_option(&c, OPTION_COMMENT, packet->comment, text_length(packet->comment, COMMENT_MAX));
    put_option(&c, OPTION_PACKET_FLAGS, flags, sizeof flags);
    if (packet->lost > 0) {
        uint8_t lost[8];
        struct cursor number = {lost, lost};
        put64(&number, packet->lost);
        put_option(&c, OPTION_PACKET_LOST, lost, sizeof lost);
    }
    put_option(&c, OPTION_END, "", 0);
    end(file, &c);
}
