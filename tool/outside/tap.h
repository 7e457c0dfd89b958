/* A TAP device: Ethernet frames in and out of the machine's own network. */
#ifndef TOOL_OUTSIDE_TAP_H
#define TOOL_OUTSIDE_TAP_H

#include <berth/frame.h>
#include <stdbool.h>

/* Opens the TAP device `name` of this network namespace, or makes it; one that was made goes with
 * its last descriptor. Returns a non-blocking descriptor, or a negative errno: -EPERM without
 * CAP_NET_ADMIN over the namespace, -EACCES or -ENOENT when /dev/net/tun cannot be opened, -EBUSY
 * (somebody has it), -EINVAL (name too long, or the device is none of this kind). */
int tap_open(const char *name);

/* True if the descriptor, which came from outside, is a TAP device's. */
bool tap_is(int fd);

/* Reads one frame into data[0..size). Returns its length, 0 when none waits, or a negative errno. A
 * longer frame is cut. */
int tap_read(int tap, void *data, size_t size);

/* Writes one frame. 0, or a negative errno: the frame is lost, as on any link (-EIO: the device is
 * down). */
int tap_write(int tap, const struct berth_frame *frame);

#endif
