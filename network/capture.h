/* Captures: who gets to see which frames. Any number at a time, each a pcapng file of its own
 * (pcapng.h), of all ports or of one host's or one switch's. A frame is shown once, as it enters
 * the switch; with a host's own capture that is where its cable meets the switch. */
#ifndef NETWORK_CAPTURE_H
#define NETWORK_CAPTURE_H

#include "network/pcapng.h"

struct network_port;

struct capture {
    struct capture *next;
    int number;
    struct berth_capture_config config;
    struct pcapng_writer file;
    uint32_t *interfaces; /* by a port's capture_id: its number in the file and 1, or 0 */
    uint32_t size;        /* of interfaces */
    uint64_t lost;        /* frames that were chosen but had no room, not told yet */
};

/* A new port, for the captures that run. */
void captures_describe(struct network_port *port);
/* A frame passes from one port to the other. from NULL: it was lost on its way from the switch;
 * to NULL: it goes to many, or was lost before the switch. cause: why it was dropped, or NULL. */
void captures_show(const struct network_port *from, const struct network_port *to,
                   const struct berth_frame *frame, const char *cause);
void captures_end(struct berth_network *network);

#endif
