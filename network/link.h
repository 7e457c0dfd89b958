/* One direction of the cable between a switch and what is plugged into its port. */
#ifndef NETWORK_LINK_H
#define NETWORK_LINK_H

#include "network/filter.h"
#include "network/impair.h"
#include <berth/frame.h>
#include <stdbool.h>

struct network_port;

struct link {
    struct network_port *port;
    bool inward;      /* to the switch: what its port's owner sends */
    bool impaired;    /* frames are judged one by one */
    bool takes_large; /* large segments may cross it, unsplit */
    bool down;        /* the cable is out */
    bool may_large;   /* the ends would take large segments */
    struct impair impair;
    struct filter *filters; /* frames that are not treated as the others: FILTERS_MAX, or NULL */
    uint32_t filter_count;
    uint32_t ghosts; /* lost frames under way to the capture */
};

/* More than this are shown when they are lost, not when they would have come. */
enum { LINK_GHOSTS = 1000 };

void link_init(struct link *link, struct network_port *port, bool inward);
/* Finds out anew, after a change, which frames it has to look at. */
void link_decide(struct link *link);
/* Sends a frame (borrowed) over the link, in pieces if it is too large for it. Returns NULL, or why
 * the frame was dropped; drops of pieces and of duplicates are put into the capture here. */
const char *link_carry(struct link *link, const struct berth_frame *frame);
/* Frames have crossed it: hands them to the switch, or to the host or outside port. Borrowed. */
void link_arrive(struct link *link, const struct berth_frame *frames, uint32_t count);
/* Puts a frame that was lost on the link into the captures. */
void link_show_loss(const struct link *link, const struct berth_frame *frame, const char *cause);
/* Nothing is to be decided: a frame may go straight to link_arrive(). */
static inline bool link_is_direct(const struct link *link, const struct berth_frame *frame) {
    return !link->impaired && (link->takes_large || frame->segment_size == 0);
}

#endif
