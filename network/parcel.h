/* Keeping and changing whole frames, for the places where a frame is not just handed on. */
#ifndef NETWORK_PARCEL_H
#define NETWORK_PARCEL_H

#include <berth/frame.h>

/* Moves a frame, copying only what is in use; `source` must not be cleared afterwards. */
void parcel_move(struct berth_frame *target, const struct berth_frame *source);
/* Makes `target` a frame that outlives the call: shares the blocks, or copies the octets if some
 * are only borrowed. 0 or -ENOMEM. */
int parcel_keep(struct berth_frame *target, const struct berth_frame *source,
                struct berth_allocator allocator);
/* As parcel_keep, with the transport checksum computed if it was not. */
int parcel_keep_finished(struct berth_frame *target, const struct berth_frame *source,
                         struct berth_allocator allocator);
/* A finished copy of its own octets with the bit flipped; the receiver has to find out by itself.
 * `bit` is reduced to the frame's length. */
int parcel_corrupt(struct berth_frame *target, const struct berth_frame *source,
                   struct berth_allocator allocator, uint64_t bit);
/* Computes the transport checksum of a frame of `length` octets laid out flat, a copy of `frame`.
 */
void parcel_finish_flat(const struct berth_frame *frame, uint8_t *octets, size_t length);

#endif
