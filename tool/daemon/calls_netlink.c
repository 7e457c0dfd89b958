/* Sockets of AF_NETLINK: what programs ask to learn a computer's links, addresses, routes and
 * neighbours (getifaddrs(), ip) and its sockets (ss). They are the virtual computer's.
 *
 * The program has one end of a SEQPACKET pair, numbered in the range whose reads and writes are
 * notified. A request is answered while it is sent: the answer's datagrams go into the pair, where
 * poll() sees them, and a receive takes them out and adds the kernel's address. What the pair has
 * no room for waits, and follows as the program receives. A receive that finds none is left to the
 * kernel, to wait in as it likes: nothing will come, as changes are not told.
 *
 * A close is not heard, and nobody needs it: what was closed is looked for when the next socket is
 * made. */
#define _GNU_SOURCE
#include "tool/daemon/call.h"
#include "tool/daemon/message.h"
#include "tool/daemon/netlink_answer.h"
#include "tool/loop/clock.h"
#include "tool/runner/range.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif
enum { NETLINK_BUFFER = 1 << 20, ADDRESSES = 256 };

/* A datagram of an answer that the pair has no room for yet. */
struct netlink_held {
    struct netlink_held *next;
    size_t length;
    uint8_t octets[];
};

struct netlink_socket {
    struct netlink_socket *next;
    struct netlink_held *first, **last; /* oldest first */
    uint64_t cookie;                    /* of the program's end */
    int held;
    int host;
    int type;      /* SOCK_RAW or SOCK_DGRAM: the same */
    int protocol;  /* NETLINK_ROUTE or NETLINK_SOCK_DIAG */
    uint32_t port; /* 0 until it is bound or has sent */
    uint32_t groups;
    bool lost; /* a part of an answer, and the program has not been told */
};

/* ---- the sockets ---- */

static void netlink_free(struct netlink_socket *netlink) {
    while (netlink->first) {
        struct netlink_held *held = netlink->first;
        netlink->first = held->next;
        free(held);
    }
    close(netlink->held);
    free(netlink);
}

static void closed_forget(struct server *server) {
    struct netlink_socket **at = &server->netlinks;
    while (*at) {
        struct netlink_socket *netlink = *at;
        struct pollfd end = {.fd = netlink->held};
        if (poll(&end, 1, 0) > 0 && (end.revents & POLLHUP)) {
            *at = netlink->next;
            netlink_free(netlink);
        } else {
            at = &netlink->next;
        }
    }
}

void netlinks_forget(struct server *server) {
    while (server->netlinks) {
        struct netlink_socket *netlink = server->netlinks;
        server->netlinks = netlink->next;
        netlink_free(netlink);
    }
}

static struct netlink_socket *netlink_find(const struct call *call) {
    struct netlink_socket *netlink = call->server->netlinks;
    while (netlink && netlink->cookie != call->cookie)
        netlink = netlink->next;
    return netlink;
}

/* The number it is known by; a program's first socket has its process's, as on Linux. */
static void port_choose(struct call *call, struct netlink_socket *netlink) {
    uint32_t port = (uint32_t)call->thread;
    for (struct netlink_socket *n = call->server->netlinks; n;)
        if (n != netlink && n->host == netlink->host && n->port == port) {
            port--;
            n = call->server->netlinks;
        } else {
            n = n->next;
        }
    netlink->port = port;
}

long netlink_socket(struct call *call) {
    uint64_t type = call->arguments[1] & UINT32_MAX, kind = type & 0xf;
    if (kind != SOCK_RAW && kind != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    int protocol = (int)call->arguments[2];
    if (protocol != NETLINK_ROUTE && protocol != NETLINK_SOCK_DIAG)
        return -EPROTONOSUPPORT;
    int ends[2], size = NETLINK_BUFFER, wanted = descriptor_choose(call);
    if (wanted < 0)
        return -EMFILE;
    struct netlink_socket *netlink = calloc(1, sizeof *netlink);
    if (!netlink)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (int)(type & SOCK_NONBLOCK), 0, ends) <
        0) {
        free(netlink);
        return errno == EMFILE ? -ENFILE : -errno;
    }
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    *netlink = (struct netlink_socket){.cookie = descriptor_cookie(ends[1]),
                                       .held = ends[0],
                                       .host = call->run->host,
                                       .type = (int)kind,
                                       .protocol = protocol};
    netlink->last = &netlink->first;
    server_take(call->server);
    closed_forget(call->server);
    netlink->next = call->server->netlinks;
    call->server->netlinks = netlink;
    pthread_mutex_unlock(&call->server->lock);
    int number = call_install(call->run, call->notification, ends[1], wanted, type & SOCK_CLOEXEC);
    close(ends[1]); /* if no program got it, the pair hangs up, and is forgotten */
    return number >= 0 || number == -ENOENT ? CALL_ANSWERED : number;
}

/* ---- names ---- */

static long name_bind(struct call *call, struct netlink_socket *netlink) {
    struct sockaddr_nl name = {0};
    if ((uint32_t)call->arguments[2] < sizeof name)
        return -EINVAL;
    int r = reach_read(call->run->reach, call->thread, call->arguments[1], &name, sizeof name);
    if (r < 0 || name.nl_family != AF_NETLINK)
        return r < 0 ? r : -EINVAL;
    netlink->groups = name.nl_groups;
    if (name.nl_pid)
        netlink->port = name.nl_pid;
    else if (!netlink->port)
        port_choose(call, netlink);
    return 0;
}

static long name_tell(struct call *call, const struct sockaddr_nl *name) {
    socklen_t room, full = sizeof *name;
    int r = reach_read(call->run->reach, call->thread, call->arguments[2], &room, sizeof room);
    if (r < 0 || (int)room < 0)
        return r < 0 ? r : -EINVAL;
    struct reach_piece pieces[] = {{call->arguments[1], name, room < full ? room : full},
                                   {call->arguments[2], &full, sizeof full}};
    return reach_write(call->run->reach, call->thread, pieces, 2);
}

/* ---- options ---- */

static long option_tell(struct call *call, const struct netlink_socket *netlink) {
    int level = (int)call->arguments[1], value;
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    switch ((int)call->arguments[2]) {
    case SO_TYPE:
        value = netlink->type;
        break;
    case SO_DOMAIN:
        value = AF_NETLINK;
        break;
    case SO_PROTOCOL:
        value = netlink->protocol;
        break;
    default:
        return CALL_CONTINUE;
    }
    socklen_t room;
    int r = reach_read(call->run->reach, call->thread, call->arguments[4], &room, sizeof room);
    if (r < 0 || (int)room < 0)
        return r < 0 ? r : -EINVAL;
    room = room < sizeof value ? room : sizeof value;
    struct reach_piece pieces[] = {{call->arguments[3], &value, room},
                                   {call->arguments[4], &room, sizeof room}};
    return reach_write(call->run->reach, call->thread, pieces, 2);
}

/* ---- requests and answers ---- */

static bool datagram_pass(const struct netlink_socket *netlink, const uint8_t *datagram,
                          size_t length) {
    return send(netlink->held, datagram, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
           errno != EAGAIN; /* a pair that has hung up takes all */
}

static void answer_give(void *context, const uint8_t *datagram, size_t length) {
    struct netlink_socket *netlink = context;
    if (!netlink->first && datagram_pass(netlink, datagram, length))
        return;
    struct netlink_held *held = malloc(sizeof *held + length);
    if (!held) {
        netlink->lost = true;
        return;
    }
    held->next = NULL;
    held->length = length;
    memcpy(held->octets, datagram, length);
    *netlink->last = held;
    netlink->last = &held->next;
}

/* There may be room again. */
static void answer_continue(struct netlink_socket *netlink) {
    struct netlink_held *held = netlink->first;
    while (held && datagram_pass(netlink, held->octets, held->length)) {
        netlink->first = held->next;
        free(held);
        held = netlink->first;
    }
    if (!held)
        netlink->last = &netlink->first;
}

/* Links, addresses, routes, neighbours. */
static long route_answer(struct call *call, const struct netlink_asker *asker, size_t length) {
    struct berth_address addresses[ADDRESSES];
    struct berth_host *host = berth_network_host(call->server->network, call->run->host);
    size_t count = host ? berth_host_addresses(host, addresses, ADDRESSES) : 0;
    size_t route_count = host ? berth_host_routes(host, NULL, 0) : 0;
    struct berth_route *routes = calloc(route_count + 1, sizeof *routes);
    uint64_t now = clock_now();
    size_t neighbor_count = host ? berth_host_neighbors(host, NULL, 0, now) : 0;
    struct berth_neighbor *neighbors = calloc(neighbor_count + 1, sizeof *neighbors);
    if (!routes || !neighbors) {
        free(routes);
        free(neighbors);
        return -ENOMEM;
    }
    if (host) {
        berth_host_routes(host, routes, route_count);
        berth_host_neighbors(host, neighbors, neighbor_count, now);
    }
    struct netlink_computer computer = {.addresses = addresses,
                                        .count = count < ADDRESSES ? count : ADDRESSES,
                                        .routes = routes,
                                        .route_count = route_count,
                                        .neighbors = neighbors,
                                        .neighbor_count = neighbor_count,
                                        .asker = *asker};
    netlink_answer(&computer, call->run->message, length);
    free(routes);
    free(neighbors);
    return (long)length;
}

static long request_take(struct call *call, struct netlink_socket *netlink,
                         const struct message *message) {
    ssize_t length =
        message_gather(message, call->run->reach, call->thread, call->run->message, MESSAGE_MAX);
    if (length < 0)
        return length;
    if ((size_t)length < message->room)
        return -EMSGSIZE;
    if (netlink->first) /* who asks on without taking what was answered */
        return -ENOBUFS;
    if (!netlink->port)
        port_choose(call, netlink);
    struct netlink_asker asker = {netlink->port, answer_give, netlink};
    if (netlink->protocol == NETLINK_ROUTE)
        return route_answer(call, &asker, (size_t)length);
    diag_answer(call, &asker, call->run->message, (size_t)length);
    return length;
}

/* All that surrounds the octets, in one write; the name is the kernel's, which is number 0. */
static long frame_tell(struct call *call, const struct message *message, bool cut) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    socklen_t full = sizeof kernel;
    uint64_t no_control = 0;
    int flags = cut ? MSG_TRUNC : 0, count = 0;
    struct reach_piece pieces[REACH_PIECES];
    if (message->name)
        pieces[count++] = (struct reach_piece){
            message->name, &kernel, message->name_length < full ? message->name_length : full};
    if (message->name && message->name_length_at)
        pieces[count++] = (struct reach_piece){message->name_length_at, &full, sizeof full};
    if (message->control_length_at)
        pieces[count++] =
            (struct reach_piece){message->control_length_at, &no_control, sizeof no_control};
    if (message->flags_at)
        pieces[count++] = (struct reach_piece){message->flags_at, &flags, sizeof flags};
    return count ? reach_write(call->run->reach, call->thread, pieces, count) : 0;
}

static long answer_take(struct call *call, struct netlink_socket *netlink,
                        const struct message *message) {
    uint8_t *octets = call->run->message;
    ssize_t length =
        recv(call->end, octets, MESSAGE_MAX, MSG_DONTWAIT | (message->flags & MSG_PEEK));
    if (length < 0 && errno == EAGAIN && netlink->lost) {
        netlink->lost = false;
        return -ENOBUFS;
    }
    if (length < 0)
        return errno == EAGAIN ? CALL_CONTINUE : -errno;
    answer_continue(netlink);
    long r = message_scatter(message, call->run->reach, call->thread, octets, (size_t)length);
    bool cut = (size_t)length > message->room;
    if (r == 0)
        r = frame_tell(call, message, cut);
    if (r < 0)
        return r;
    return cut && !(message->flags & MSG_TRUNC) ? (long)message->room : (long)length;
}

static long data_move(struct call *call, struct netlink_socket *netlink, bool sending) {
    struct message *message = malloc(sizeof *message);
    long r = message ? message_read(message, call->run->reach, call->thread, call->number,
                                    call->arguments, 0)
                     : -ENOMEM;
    if (r == 0)
        r = sending ? request_take(call, netlink, message) : answer_take(call, netlink, message);
    free(message);
    return r;
}

/* ---- dispatch ---- */

static long netlink_handle(struct call *call, struct netlink_socket *netlink) {
    struct sockaddr_nl own = {
        .nl_family = AF_NETLINK, .nl_pid = netlink->port, .nl_groups = netlink->groups};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    switch (call->number) {
    case SYS_bind:
        return name_bind(call, netlink);
    case SYS_connect:
        return 0;
    case SYS_getsockname:
        return name_tell(call, &own);
    case SYS_getpeername:
        return name_tell(call, &kernel);
    case SYS_setsockopt:
        return (int)call->arguments[1] == SOL_NETLINK ? 0 : CALL_CONTINUE;
    case SYS_getsockopt:
        return option_tell(call, netlink);
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
        return data_move(call, netlink, false);
    case SYS_write:
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
        return data_move(call, netlink, true);
    default:
        return -EOPNOTSUPP;
    }
}

bool netlink_call(struct call *call, long *result) {
    int fd = (int)call->arguments[0];
    if (!call->server->netlinks || call->end < 0 || fd < CALLS_UDP_FIRST || fd > CALLS_UDP_LAST)
        return false;
    server_take(call->server);
    struct netlink_socket *netlink = netlink_find(call);
    if (netlink)
        *result = netlink_handle(call, netlink);
    pthread_mutex_unlock(&call->server->lock);
    return netlink != NULL;
}
