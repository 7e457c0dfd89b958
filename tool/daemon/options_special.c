/* The options that are more than a number of the engine's. */
#define _GNU_SOURCE
#include "tool/daemon/netlink_answer.h"
#include "tool/daemon/options.h"
#include "tool/daemon/tcp_info.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

/* What Linux answers for a socket whose buffers nobody has set. */
enum { CONGESTION_NAME = 16 }; /* Linux's TCP_CA_NAME_MAX */
enum { BUFFER_LEAST = 2304 };
enum { DEVICE_ADDRESSES = 64 };
enum { IPV6_LEAST_MTU = 1280 }; /* RFC 8200 5 */
enum { TCP_SNDBUF_DEFAULT = 16384, TCP_RCVBUF_DEFAULT = 131072, UDP_BUFFER_DEFAULT = 212992 };

static long int_out(void *value, size_t *length, int number) {
    memcpy(value, &number, sizeof number);
    *length = sizeof number;
    return 0;
}

/* What the kernel keeps for the program's end; asking clears it. */
static int descriptor_error(int end) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(end, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
}

/* A connection that was broken under the program polls as an error by the kernel's ECONNRESET on
 * its end. When that is there no more, a call that is not notified has told it already. */
int socket_error_take(struct call *call, struct conduit *conduit) {
    struct berth_host *host = conduit_host(call->server, conduit);
    int error = conduit->error;
    conduit->error = 0;
    if (error == 0 && host)
        berth_socket_get_option(host, conduit->socket, BERTH_SO_ERROR, &error);
    if (conduit_is_datagram(conduit))
        datagrams_settle(call, conduit);
    else if (conduit->state == CONDUIT_GHOST && conduit->soiled && descriptor_error(call->end) == 0)
        error = 0;
    return error;
}

/* ---- TCP_INFO ---- */

static long tcp_info_get(struct call *call, struct conduit *conduit, void *value, size_t *length) {
    struct berth_host *host = conduit_host(call->server, conduit);
    struct berth_tcp_info from = {0};
    struct tcp_info to = {.tcpi_state = BERTH_TCP_CLOSED};
    if (conduit->protocol != BERTH_TCP)
        return -ENOPROTOOPT;
    if (host && berth_socket_tcp_info(host, conduit->socket, &from) == 0)
        tcp_info_translate(&from, call->now, &to);
    memcpy(value, &to, sizeof to);
    *length = *length < sizeof to ? *length : sizeof to;
    return 0;
}

/* ---- buffers ---- */

/* Both the engine and the kernel's own ends do what was asked for: the program's send buffer is its
 * end's, and what it can be given ahead is the held end's. */
static long buffer_set(struct call *call, struct conduit *conduit, bool sending, const void *value,
                       size_t length) {
    int size;
    if (length < sizeof size)
        return -EINVAL;
    memcpy(&size, value, sizeof size);
    struct berth_host *host = conduit_host(call->server, conduit);
    if (host)
        berth_socket_set_option(host, conduit->socket, sending ? BERTH_SO_SNDBUF : BERTH_SO_RCVBUF,
                                size, call->now);
    int *asked = sending ? &conduit->send_buffer_asked : &conduit->receive_buffer_asked;
    *asked = size > 0 ? size : 1;
    if (sending && !conduit->slim)
        setsockopt(call->end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    else if (!sending)
        setsockopt(call->end, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (!sending && conduit->held >= 0)
        setsockopt(conduit->held, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return 0;
}

static long buffer_get(struct call *call, struct conduit *conduit, bool sending, void *value,
                       size_t *length) {
    int size = conduit_is_datagram(conduit) ? UDP_BUFFER_DEFAULT
               : sending                    ? TCP_SNDBUF_DEFAULT
                                            : TCP_RCVBUF_DEFAULT;
    socklen_t room = sizeof size;
    struct berth_host *host = conduit_host(call->server, conduit);
    if (host && berth_socket_get_option(host, conduit->socket,
                                        sending ? BERTH_SO_SNDBUF : BERTH_SO_RCVBUF, &size) == 0)
        return int_out(value, length, size); /* as it is tuned now, if nothing was asked for */
    if (sending && conduit->slim && conduit->send_buffer_asked > BUFFER_LEAST)
        size = conduit->send_buffer_asked * 2; /* once it is not made small any more */
    else if (sending ? conduit->send_buffer_asked : conduit->receive_buffer_asked)
        getsockopt(call->end, SOL_SOCKET, sending ? SO_SNDBUF : SO_RCVBUF, &size, &room);
    return int_out(value, length, size);
}

/* ... past the machine's limit, for who may. */
static long buffer_force(struct call *call, struct conduit *conduit, bool sending,
                         const void *value, size_t length) {
    return option_capable(call) ? buffer_set(call, conduit, sending, value, length) : -EPERM;
}

/* ---- the others ---- */

static long linger_set(struct call *call, struct conduit *conduit, const void *value,
                       size_t length) {
    struct linger linger;
    struct berth_host *host = conduit_host(call->server, conduit);
    if (length < sizeof linger)
        return -EINVAL;
    memcpy(&linger, value, sizeof linger);
    if (conduit->protocol != BERTH_TCP) /* remembered: 0 is off */
        return option_keep(conduit, option_find(SOL_SOCKET, SO_LINGER),
                           linger.l_onoff ? linger.l_linger + 1 : 0);
    if (!host)
        return 0;
    return berth_socket_set_option(host, conduit->socket, BERTH_SO_LINGER,
                                   linger.l_onoff ? linger.l_linger : -1, call->now);
}

static long linger_get(struct call *call, struct conduit *conduit, void *value, size_t *length) {
    struct berth_host *host = conduit_host(call->server, conduit);
    int seconds = -1;
    if (conduit->protocol != BERTH_TCP)
        seconds = option_kept(conduit, option_find(SOL_SOCKET, SO_LINGER)) - 1;
    else if (host)
        berth_socket_get_option(host, conduit->socket, BERTH_SO_LINGER, &seconds);
    struct linger linger = {.l_onoff = seconds >= 0, .l_linger = seconds >= 0 ? seconds : 0};
    memcpy(value, &linger, sizeof linger);
    *length = *length < sizeof linger ? *length : sizeof linger;
    return 0;
}

/* The kernel keeps the urgent octet in line, or not, on the program's end; the engine only
 * remembers. */
static long oobinline_set(struct call *call, struct conduit *conduit, const void *value,
                          size_t length) {
    int number;
    struct berth_host *host = conduit_host(call->server, conduit);
    if (length < sizeof number)
        return -EINVAL;
    memcpy(&number, value, sizeof number);
    if (host && conduit->protocol == BERTH_TCP)
        berth_socket_set_option(host, conduit->socket, BERTH_SO_OOBINLINE, number != 0, call->now);
    return setsockopt(call->end, SOL_SOCKET, SO_OOBINLINE, &number, sizeof number) < 0 ? -errno : 0;
}

static long oobinline_get(struct call *call, void *value, size_t *length) {
    int number = 0;
    socklen_t room = sizeof number;
    getsockopt(call->end, SOL_SOCKET, SO_OOBINLINE, &number, &room);
    return int_out(value, length, number);
}

static long mtu_get(struct call *call, struct conduit *conduit, void *value, size_t *length) {
    struct berth_host *host = conduit_host(call->server, conduit);
    struct berth_endpoint local, remote;
    struct berth_address list[16];
    if (!host || berth_socket_remote(host, conduit->socket, &remote) < 0 ||
        berth_socket_local(host, conduit->socket, &local) < 0)
        return -ENOTCONN;
    size_t count = berth_host_addresses(host, list, 16);
    for (size_t i = 0; i < count && i < 16; i++)
        if (berth_ip_equal(&list[i].ip, &local.ip))
            return int_out(value, length, (int)list[i].mtu);
    return int_out(value, length, 1500);
}

/* From then on Linux sends no larger packets over IPv6; DNS servers ask for 1,280, as nobody's
 * route is too narrow for that. Here each link's own bound holds, and getsockopt() says that in
 * Linux, too. */
static long mtu_set(const struct call *call, const void *value, size_t length) {
    int mtu;
    if ((int)call->arguments[1] != IPPROTO_IPV6)
        return -ENOPROTOOPT;
    if (length < sizeof mtu)
        return -EINVAL;
    memcpy(&mtu, value, sizeof mtu);
    return mtu != 0 && mtu < IPV6_LEAST_MTU ? -EINVAL : 0;
}

/* Linux reads at most 15 octets of a name, with or without its end. */
static long congestion_set(struct call *call, struct conduit *conduit, const void *value,
                           size_t length) {
    char name[CONGESTION_NAME] = "";
    struct berth_host *host = conduit_host(call->server, conduit);
    if (conduit->protocol != BERTH_TCP)
        return -ENOPROTOOPT;
    if (length == 0)
        return -EINVAL;
    memcpy(name, value, length < sizeof name - 1 ? length : sizeof name - 1);
    int number = berth_congestion_find(name);
    if (number < 0 || !host)
        return number < 0 ? number : 0;
    return berth_socket_set_option(host, conduit->socket, BERTH_TCP_CONGESTION, number, call->now);
}

static long congestion_get(struct call *call, struct conduit *conduit, void *value,
                           size_t *length) {
    char name[CONGESTION_NAME] = "";
    int number = BERTH_CUBIC;
    struct berth_host *host = conduit_host(call->server, conduit);
    if (host)
        berth_socket_get_option(host, conduit->socket, BERTH_TCP_CONGESTION, &number);
    snprintf(name, sizeof name, "%s", berth_congestion_name(number));
    memcpy(value, name, sizeof name);
    *length = *length < sizeof name ? *length : sizeof name;
    return 0;
}

/* 32 or 64 bits, all ones: no limit. */
static long pacing_set(struct call *call, struct conduit *conduit, const void *value,
                       size_t length) {
    uint64_t rate = 0;
    struct berth_host *host = conduit_host(call->server, conduit);
    if (length < sizeof(uint32_t))
        return -EINVAL;
    memcpy(&rate, value, length < sizeof rate ? sizeof(uint32_t) : sizeof rate);
    if (!host || conduit->protocol != BERTH_TCP)
        return 0;
    return berth_socket_set_option(host, conduit->socket, BERTH_SO_MAX_PACING_RATE,
                                   (int)(uint32_t)(rate < UINT32_MAX ? rate : UINT32_MAX),
                                   call->now);
}

static long pacing_get(struct call *call, struct conduit *conduit, void *value, size_t *length) {
    int rate = -1;
    struct berth_host *host = conduit_host(call->server, conduit);
    if (host && conduit->protocol == BERTH_TCP)
        berth_socket_get_option(host, conduit->socket, BERTH_SO_MAX_PACING_RATE, &rate);
    uint64_t wide = rate == -1 ? UINT64_MAX : (uint32_t)rate;
    if (*length < sizeof wide)
        return int_out(value, length, rate);
    memcpy(value, &wide, sizeof wide);
    *length = sizeof wide;
    return 0;
}

/* As TCP says of a peer on another computer: nobody known. */
static long peercred_get(void *value, size_t *length) {
    struct ucred nobody = {.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
    memcpy(value, &nobody, sizeof nobody);
    *length = *length < sizeof nobody ? *length : sizeof nobody;
    return 0;
}

/* The link is remembered, and that there is none of the name is said. What goes over which link the
 * routes say alone. */
static long device_set(struct call *call, struct conduit *conduit, const void *value,
                       size_t length) {
    char wanted[NETLINK_NAME] = "", name[NETLINK_NAME];
    struct berth_host *host = conduit_host(call->server, conduit);
    struct berth_address list[DEVICE_ADDRESSES];
    const struct option_row *row = option_find(SOL_SOCKET, SO_BINDTODEVICE);
    memcpy(wanted, value, length < sizeof wanted - 1 ? length : sizeof wanted - 1);
    size_t count = host ? berth_host_addresses(host, list, DEVICE_ADDRESSES) : 0;
    if (!wanted[0])
        return option_keep(conduit, row, 0);
    for (size_t i = 0; i < count && i < DEVICE_ADDRESSES; i++) {
        netlink_link_name(list[i].interface, name);
        if (strcmp(name, wanted) == 0)
            return option_keep(conduit, row, list[i].interface + 1);
    }
    return -ENODEV;
}

static long device_get(const struct conduit *conduit, void *value, size_t *length) {
    char name[NETLINK_NAME] = "";
    int index = option_kept(conduit, option_find(SOL_SOCKET, SO_BINDTODEVICE));
    if (index != 0 && *length < sizeof name)
        return -EINVAL;
    if (index != 0)
        netlink_link_name(index - 1, name);
    *length = index != 0 ? strlen(name) + 1 : 0;
    memcpy(value, name, *length);
    return 0;
}

long option_special_get(struct call *call, struct conduit *conduit, enum option_special special,
                        void *value, size_t *length) {
    bool tcp = conduit->protocol == BERTH_TCP;
    switch (special) {
    case SPECIAL_ERROR:
        return int_out(value, length, socket_error_take(call, conduit));
    case SPECIAL_TYPE:
        return int_out(value, length, tcp ? SOCK_STREAM : SOCK_DGRAM);
    case SPECIAL_DOMAIN:
        return int_out(value, length, conduit->family == 6 ? AF_INET6 : AF_INET);
    case SPECIAL_PROTOCOL:
        return int_out(value, length,
                       conduit->protocol == BERTH_ICMP && conduit->family == 6
                           ? IPPROTO_ICMPV6
                           : conduit->protocol); /* by their own numbers */
    case SPECIAL_ACCEPTCONN:
        return int_out(value, length, conduit->state == CONDUIT_LISTENING && !conduit->shut);
    case SPECIAL_LINGER:
        return linger_get(call, conduit, value, length);
    case SPECIAL_SNDBUF:
    case SPECIAL_RCVBUF:
        return buffer_get(call, conduit, special == SPECIAL_SNDBUF, value, length);
    case SPECIAL_OOBINLINE:
        return oobinline_get(call, value, length);
    case SPECIAL_PEERCRED:
        return peercred_get(value, length);
    case SPECIAL_SNDBUFFORCE:
    case SPECIAL_RCVBUFFORCE:
        return -ENOPROTOOPT;
    case SPECIAL_DEVICE:
        return device_get(conduit, value, length);
    case SPECIAL_IP_OPTIONS:
        return ip_options_get(conduit, value, length);
    case SPECIAL_MTU:
        return mtu_get(call, conduit, value, length);
    case SPECIAL_TCP_INFO:
        return tcp_info_get(call, conduit, value, length);
    case SPECIAL_CONGESTION:
        return tcp ? congestion_get(call, conduit, value, length) : -ENOPROTOOPT;
    case SPECIAL_PACING:
        return pacing_get(call, conduit, value, length);
    }
    return -ENOPROTOOPT;
}

long option_special_set(struct call *call, struct conduit *conduit, enum option_special special,
                        const void *value, size_t length) {
    switch (special) {
    case SPECIAL_LINGER:
        return linger_set(call, conduit, value, length);
    case SPECIAL_SNDBUF:
    case SPECIAL_RCVBUF:
        return buffer_set(call, conduit, special == SPECIAL_SNDBUF, value, length);
    case SPECIAL_SNDBUFFORCE:
    case SPECIAL_RCVBUFFORCE:
        return buffer_force(call, conduit, special == SPECIAL_SNDBUFFORCE, value, length);
    case SPECIAL_DEVICE:
        return device_set(call, conduit, value, length);
    case SPECIAL_OOBINLINE:
        return oobinline_set(call, conduit, value, length);
    case SPECIAL_IP_OPTIONS:
        return ip_options_set(conduit, value, length);
    case SPECIAL_MTU:
        return mtu_set(call, value, length);
    case SPECIAL_CONGESTION:
        return congestion_set(call, conduit, value, length);
    case SPECIAL_PACING:
        return pacing_set(call, conduit, value, length);
    default:
        return -ENOPROTOOPT;
    }
}
