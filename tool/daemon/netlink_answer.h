/* NETLINK_ROUTE (RFC 3549; linux/rtnetlink.h): what a program asks about links, addresses and
 * routes, and what is answered of a virtual computer. No I/O: requests in, datagrams out. */
#ifndef TOOL_DAEMON_NETLINK_ANSWER_H
#define TOOL_DAEMON_NETLINK_ANSWER_H

#include "tool/daemon/netlink_writer.h"

#include <berth/host.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink_computer {
    const struct berth_address *addresses;
    size_t count;
    const struct berth_route *routes; /* longest prefix first */
    size_t route_count;
    const struct berth_neighbor *neighbors;
    size_t neighbor_count;
    struct netlink_asker asker;
};

/* Answers all requests of a datagram. What is cut short or malformed ends it. */
void netlink_answer(const struct netlink_computer *computer, const uint8_t *request, size_t length);

/* "lo", "eth0" and so on. */
enum { NETLINK_NAME = 16 };
void netlink_link_name(int interface, char name[NETLINK_NAME]);

#endif
