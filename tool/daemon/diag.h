/* NETLINK_SOCK_DIAG (sock_diag(7), linux/inet_diag.h): what `ss` asks about the sockets of TCP and
 * UDP, and how one is told. No I/O: whoever has the sockets offers them one by one. */
#ifndef TOOL_DAEMON_DIAG_H
#define TOOL_DAEMON_DIAG_H

#include "tool/daemon/netlink_writer.h"

#include <berth/socket.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

/* A socket, as it is told. */
struct diag_socket {
    uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
    uint8_t family;   /* AF_INET, AF_INET6 */
    uint8_t state;    /* enum berth_tcp_state, which are Linux's numbers */
    uint8_t timer;    /* 0 none, 1 retransmission, 2 keep-alive, 4 window probe */
    struct berth_endpoint local, remote;
    uint32_t expires; /* ms: of the timer */
    uint32_t receive_queue, send_queue, uid, inode;
    uint64_t cookie;
};

/* What is told of a socket only when it is asked for. */
struct diag_details {
    bool known;             /* there is more than what its row says */
    const char *congestion; /* NULL: none */
    struct tcp_info info;   /* TCP's */
    uint32_t receive_buffer, send_buffer;
    uint8_t tos, v6only;
    uint8_t shutdown; /* bit 0: receiving, 1: sending */
};

/* A question. */
struct diag_query {
    struct inet_diag_req_v2 request;
    uint32_t protocol;
    const uint8_t *filter; /* linux/inet_diag.h's bytecode; NULL: none */
    size_t filter_length;
    bool exact; /* for one socket, not for all that match */
};

/* 0, or the negative errno that answers it: -ENOENT for families and protocols that are not here.
 * The filter stays the body's. */
int diag_read(struct diag_query *query, const struct nlmsghdr *header, const uint8_t *body,
              size_t length);
bool diag_wanted(const struct diag_query *query, const struct diag_socket *socket);
/* An exact question's: how well the socket fits; 0 not at all, 2 is the connection itself. */
int diag_fit(const struct diag_query *query, const struct diag_socket *socket);
/* True if the question is about what only the socket itself knows. */
bool diag_asks_details(const struct diag_query *query);
void diag_write(struct netlink_writer *writer, const struct diag_query *query,
                const struct diag_socket *socket, const struct diag_details *details);

/* ---- diag_filter.c ---- */

/* False: the kernel would refuse it. */
bool diag_filter_valid(const uint8_t *filter, size_t length);
/* True if the socket passes a valid filter. */
bool diag_filter_passes(const uint8_t *filter, size_t length, const struct diag_socket *socket);

/* An endpoint's address in its family's octets, 16 of them, zeroes behind IPv4's. */
void diag_address(const struct diag_socket *socket, const struct berth_ip *ip, uint8_t octets[16]);

#endif
