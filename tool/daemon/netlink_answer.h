/* NETLINK_ROUTE (RFC 3549; linux/rtnetlink.h): what a program asks about links, addresses and
 * routes, and what is answered of a virtual computer. No I/O: requests in, datagrams out. */
#ifndef TOOL_DAEMON_NETLINK_ANSWER_H
#define TOOL_DAEMON_NETLINK_ANSWER_H

#include <berth/host.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An answer's datagram: at most this, as the kernel's. */
enum { NETLINK_DATAGRAM = 8192 };

struct netlink_computer {
    const struct berth_address *addresses;
    size_t count;
    const struct berth_route *routes; /* longest prefix first */
    size_t route_count;
    uint32_t port; /* the asking socket's number, which answers carry */
    /* Takes one datagram of the answer. */
    void (*give)(void *context, const uint8_t *datagram, size_t length);
    void *context;
};

/* Answers all requests of a datagram. What is cut short or malformed ends it. */
void netlink_answer(const struct netlink_computer *computer, const uint8_t *request, size_t length);

/* "lo", "eth0" and so on. */
enum { NETLINK_NAME = 16 };
void netlink_link_name(int interface, char name[NETLINK_NAME]);

#endif
