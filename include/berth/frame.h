/* Frames and the blocks of bytes they point into.
 *
 * A *block* is memory shared by reference count: a program's bytes are put into a block once, and
 * the sender's buffer, the frames on the way and the receiver's buffer all point into it. A *frame*
 * is a header of its own bytes followed by parts that point into blocks. Counts are not atomic: all
 * that touches the hosts of one network happens under one lock, the caller's. */
#ifndef BERTH_FRAME_H
#define BERTH_FRAME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Where memory comes from. Everything a host or network holds is taken and given back here. */
struct berth_allocator {
    /* Returns `size` bytes aligned for any type, or NULL. Not zeroed. */
    void *(*allocate)(void *context, size_t size);
    /* Takes back what allocate gave, with the same size. */
    void (*release)(void *context, void *memory, size_t size);
    void *context;
};

/* malloc and free. */
struct berth_allocator berth_allocator_default(void);

struct berth_block {
    uint32_t references;
    uint32_t size; /* bytes at `data` */
    struct berth_allocator allocator;
    /* Not 0: the bytes are still where they come from. Whoever put the block in sees to it that
     * they are here before anybody has to read them: hosts and unimpaired links only pass the block
     * on, as long as they need not compute checksums. Not for bytes that are copied: see
     * berth_network_is_plain(). */
    uint64_t sealed;
    uint8_t data[];
};

/* A block of `size` bytes with one reference, the caller's, not sealed; NULL when memory is out. */
struct berth_block *berth_block_new(struct berth_allocator allocator, uint32_t size);

static inline struct berth_block *berth_block_hold(struct berth_block *block) {
    block->references++;
    return block;
}

/* Frees the block with its last reference. */
void berth_block_drop(struct berth_block *block);

/* A run of bytes. `block` keeps it alive; NULL means that it is borrowed for the call only. */
struct berth_part {
    struct berth_block *block;
    const uint8_t *data;
    uint32_t length;
};

enum {
    BERTH_FRAME_HEADER = 160, /* link + IP + transport headers with all options */
    BERTH_FRAME_PARTS = 18,   /* a 64 KiB segment of pieces of 4 KiB, split at both ends */
};

enum berth_frame_flags {
    /* The transport checksum was not computed (memory links): the receiver believes it. What goes
     * outside or into a capture gets it from berth_frame_finish(). */
    BERTH_FRAME_NO_CHECKSUM = 1u << 0,
    /* Received from a link that has already verified the transport checksum. */
    BERTH_FRAME_CHECKSUM_OK = 1u << 1,
};

struct berth_frame {
    uint16_t header_length; /* bytes of `header` in use */
    uint8_t part_count;
    uint8_t flags; /* enum berth_frame_flags */
    uint16_t
        segment_size; /* payload octets per wire segment if this frame is a large one, else 0 */
    uint16_t transport_offset; /* from the frame's start to the TCP/UDP header; 0 unknown */
    uint8_t header[BERTH_FRAME_HEADER];
    struct berth_part parts[BERTH_FRAME_PARTS];
};

/* Octets in the frame. */
size_t berth_frame_length(const struct berth_frame *frame);

/* Copies `source` to `target`, only what is in use, and holds its blocks once more. */
void berth_frame_copy(struct berth_frame *target, const struct berth_frame *source);

/* Drops the blocks of the parts and empties the frame. */
void berth_frame_clear(struct berth_frame *frame);

/* Copies the frame's octets from `offset` on to `to`, at most `max`; returns how many. */
size_t berth_frame_read(const struct berth_frame *frame, size_t offset, uint8_t *to, size_t max);

/* Makes the frame one whose octets are data[0..length), copied into a new block.
 * Returns 0 or -ENOMEM. */
int berth_frame_from_bytes(struct berth_frame *frame, struct berth_allocator allocator,
                           const uint8_t *data, size_t length);

/* Computes the transport checksum that a frame with BERTH_FRAME_NO_CHECKSUM lacks, and takes the
 * flag away. `link_header` is the length of the link's header (14 for Ethernet, 0 for raw IP). */
void berth_frame_finish(struct berth_frame *frame, size_t link_header);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
