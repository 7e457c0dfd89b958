/* Software segmentation: a large TCP segment as frames of MTU size, for links and ports that carry
 * no others. */
#ifndef ENGINE_BUFFER_SPLIT_H
#define ENGINE_BUFFER_SPLIT_H

#include <berth/frame.h>
#include <stdbool.h>
#include <stdint.h>

struct split {
    const struct berth_frame *large; /* borrowed until the last piece is taken */
    uint8_t header[BERTH_FRAME_HEADER];
    uint32_t link;                            /* octets of the link's header: 14 or 0 */
    uint32_t header_length, transport_offset; /* of link, IP and TCP together; of TCP */
    uint32_t segment, payload, at;            /* octets a piece, in all, taken */
    uint16_t index;
    int part; /* where `at` is: in the header's rest (-1) or in a part */
    uint32_t part_offset;
};

/* Pieces shorter than this are not made, whatever the frame says: they would only multiply work. */
enum { SPLIT_LEAST = 24 };

/* False if the frame is not a large TCP segment over IPv4 or IPv6, behind a link header of `link`
 * octets (Ethernet's 14, or 0), whose headers are whole. */
bool split_begin(struct split *split, const struct berth_frame *large, uint32_t link);
/* The next piece, to be cleared by the caller; it lacks its transport checksum
 * (BERTH_FRAME_NO_CHECKSUM). False when there is none left. */
bool split_next(struct split *split, struct berth_frame *piece);

#endif
