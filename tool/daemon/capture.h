/* The network's capture, written to a file by a thread of its own.
 *
 * The network hands out pcapng octets under its lock; they are only copied there. A slow disk holds
 * the network up rather than lose frames; a reader that takes nothing for a second (a pipe that
 * nobody reads) ends the capture instead. */
#ifndef TOOL_DAEMON_CAPTURE_H
#define TOOL_DAEMON_CAPTURE_H

#include "tool/daemon/connection.h"

/* Ends the capture, if there is one, and waits until what was captured is written (or nothing is
 * taken for a second). */
void capture_end(struct daemon *daemon);

#endif
