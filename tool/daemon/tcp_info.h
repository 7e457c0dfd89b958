/* A connection as Linux tells of it: TCP_INFO for programs, and the same for `ss -i`. */
#ifndef TOOL_DAEMON_TCP_INFO_H
#define TOOL_DAEMON_TCP_INFO_H

#include <berth/socket.h>
#include <jansson.h>
#include <linux/tcp.h>

/* In Linux's layout and units, as of `now`. What the engine does not know is 0. */
void tcp_info_translate(const struct berth_tcp_info *from, uint64_t now, struct tcp_info *to);
/* By the words of iproute2's ss, in its units (ms, octets, segments; rates in bits a second); what
 * it would leave out is left out. */
json_t *tcp_info_pack(const struct berth_tcp_info *from, uint64_t now);

#endif
