/* Control data that a program sends with a datagram. */
#ifndef TOOL_DAEMON_SEND_CONTROL_H
#define TOOL_DAEMON_SEND_CONTROL_H

#include "tool/daemon/message.h"
#include <berth/socket.h>

/* Linux's rules for a datagram over IPv4 (v4) or IPv6. 0, -EINVAL, -EPERM, -ENOBUFS, -EFAULT. */
int send_control_read(const struct message *message, struct reach *reach, pid_t thread, bool v4,
                      struct berth_send_options *options);

#endif
