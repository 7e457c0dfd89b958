/* The frames in flight: those that a link holds until their time comes, in one heap for the whole
 * network. Frames of one time leave in the order in which they came. */
#ifndef NETWORK_FLIGHT_H
#define NETWORK_FLIGHT_H

#include <berth/frame.h>
#include <stdint.h>

struct link;

struct flight; /* a frame and the link that it crosses */

struct flight_slot {
    uint64_t at, order;
    struct flight *flight;
};

struct flights {
    struct berth_allocator allocator;
    struct flight_slot *heap;
    uint32_t count, size;
    uint64_t order;
};

void flights_init(struct flights *flights, struct berth_allocator allocator);
void flights_clear(struct flights *flights);
/* Keeps `frame` (given if 0 is returned) until `at`. lost: NULL, or why it never arrives: such a
 * frame is under way only so that a capture shows it at its time. 0 or -ENOMEM. */
int flights_add(struct flights *flights, struct link *link, struct berth_frame *frame, uint64_t at,
                const char *lost);
/* When the first one arrives, BERTH_NEVER (UINT64_MAX) if none is under way. */
uint64_t flights_deadline(const struct flights *flights);
/* Takes the frames whose time has come, as long as they come off one and the same link, at most
 * `max`; a lost one alone. Returns how many, and the link. */
uint32_t flights_take(struct flights *flights, uint64_t now, struct berth_frame *frames,
                      uint32_t max, struct link **link, const char **lost);
/* Forgets all frames on either of two links. */
void flights_forget(struct flights *flights, const struct link *one, const struct link *other);

#endif
