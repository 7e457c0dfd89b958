/* A capture's file format, pcapng (draft-ietf-opsawg-pcapng): a section header, an interface
 * description and the names (a name resolution block) of each switch port's owner, and an enhanced
 * packet block with nanoseconds for each frame; what was dropped carries its cause as the packet's
 * comment. Frames are shown as they would be on a wire, checksums computed; large segments are
 * shown whole, as Linux shows those of its own offloads. */
#ifndef NETWORK_PCAPNG_H
#define NETWORK_PCAPNG_H

#include <berth/network.h>
#include <stdbool.h>

struct pcapng_writer {
    struct berth_allocator allocator;
    berth_capture_write *write;
    void *context;
    uint32_t interfaces; /* described so far */
    uint8_t *block;      /* room for the largest block */
};

/* What an enhanced packet block says beside the frame. */
struct pcapng_record {
    uint32_t interface;
    bool inbound;    /* to the interface's owner, not from it */
    uint64_t stamp;  /* ns since 1970 */
    uint32_t length; /* octets on the wire */
    uint32_t kept;   /* octets of it that are shown */
    uint64_t lost;   /* frames not shown since the last one that was */
    const char *comment;
};

/* Writes the section header. 0 or -ENOMEM. */
int pcapng_writer_open(struct pcapng_writer *file, struct berth_allocator allocator,
                       berth_capture_write *write, void *context);
void pcapng_writer_close(struct pcapng_writer *file);
/* Describes one more interface; returns its number in the section. */
uint32_t pcapng_write_interface(struct pcapng_writer *file, const char *name,
                                const char *description, uint32_t snap);
/* `address` is called that. */
void pcapng_write_name(struct pcapng_writer *file, const struct berth_ip *address,
                       const char *name);
/* The frame's octets laid out where pcapng_write_packet() will want them; *length: how many. */
uint8_t *pcapng_writer_lay(struct pcapng_writer *file, const struct berth_frame *frame,
                           uint32_t *length);
/* Writes the frame that was laid out last. */
void pcapng_write_packet(struct pcapng_writer *file, const struct pcapng_record *packet);

#endif
