/* The sockets of a host: handles to TCP's and UDP's records, and what both have in common.
 *
 * A handle is the record's generation in the high 32 bits; below it one bit that says UDP, one more
 * that says echo requests, and the record's reference. So TCP's events and rows bear handles as
 * they are. */
#ifndef ENGINE_SOCKET_SOCKETS_H
#define ENGINE_SOCKET_SOCKETS_H

#include "engine/ip/ip.h"
#include "engine/socket/divert.h"
#include "engine/socket/echo.h"
#include "engine/socket/reports.h"
#include "engine/tcp/tcp.h"
#include "engine/udp/udp.h"
#include <berth/socket.h>
#include <errno.h>

/* The beginning of struct berth_host. */
struct sockets {
    struct ip ip;
    struct tcp *tcp;
    struct udp *udp;
    struct echo *echo; /* NULL before the first socket of its kind */
    const struct berth_host_config *config;
    struct divert divert;
    struct reports reports;
    struct divert openings; /* of TCP connections; see host/opening.c */
    uint64_t now;           /* the latest time the caller has said, less what we are behind */
    uint64_t behind;        /* how long the host was suspended */
    bool suspended;
};

static inline struct sockets *sockets_of(struct berth_host *host) {
    return (struct sockets *)host;
}
static inline const struct sockets *sockets_of_const(const struct berth_host *host) {
    return (const struct sockets *)host;
}

/* The host's own time. What goes back stands still, and so does all while it is suspended. */
static inline uint64_t sockets_clock(struct sockets *sockets, uint64_t now) {
    if (!sockets->suspended && now > sockets->behind && now - sockets->behind > sockets->now)
        sockets->now = now - sockets->behind;
    return sockets->now;
}

#define SOCKET_UDP (UINT32_C(1) << 31)
#define SOCKET_ECHO (SOCKET_UDP | UINT32_C(1) << 30) /* UDP's references are below 2^24 */

/* Which record a handle names. */
struct socket_ref {
    struct udp *udp; /* the sockets of datagrams that it is one of; NULL: TCP's */
    uint32_t index;
    bool echo;
};

static inline berth_handle handle_of_tcp(uint32_t index, uint32_t generation) {
    return (uint64_t)generation << 32 | index;
}
static inline berth_handle handle_of_udp(uint32_t index, uint32_t generation) {
    return (uint64_t)generation << 32 | SOCKET_UDP | index;
}
static inline berth_handle handle_of_echo(uint32_t index, uint32_t generation) {
    return (uint64_t)generation << 32 | SOCKET_ECHO | index;
}

/* 0 or -EBADF. */
static inline int socket_find(const struct sockets *sockets, berth_handle handle,
                              struct socket_ref *ref) {
    uint32_t low = (uint32_t)handle, generation = (uint32_t)(handle >> 32);
    if (!(low & SOCKET_UDP)) {
        *ref = (struct socket_ref){.index = low};
        return tcp_alive(sockets->tcp, low, generation) ? 0 : -EBADF;
    }
    ref->echo = (low & SOCKET_ECHO) == SOCKET_ECHO;
    ref->udp = ref->echo ? (sockets->echo ? sockets->echo->sockets : NULL) : sockets->udp;
    ref->index = low & ~SOCKET_ECHO;
    return ref->udp && udp_alive(ref->udp, ref->index, generation) ? 0 : -EBADF;
}

/* ---- datagram.c ---- */
struct udp_way;
/* A way for what will be diverted: it needs no route, only some address of ours to come from. The
 * interface is IP_ANY_INTERFACE where there is no route. */
int diverted_way(const struct sockets *sockets, const struct berth_ip *bound,
                 const struct berth_endpoint *remote, struct udp_way *way);

/* ---- connect.c ---- */
/* The way to a remote address for UDP: next interface and source. `bound`: the socket's own
 * address, or a wildcard. 0 or negative errno. */
int socket_way(const struct sockets *sockets, const struct berth_ip *bound,
               const struct berth_endpoint *remote, struct udp_way *way);
/* True when the socket may deal in IPv6 only (BERTH_V6ONLY) and the address is IPv4's. */
bool socket_refuses_v4(const struct sockets *sockets, struct socket_ref ref,
                       const struct berth_ip *ip);

/* ---- datagram.c ---- */
/* remote NULL dissolves the connection. */
int socket_connect_udp(struct sockets *sockets, struct socket_ref ref,
                       const struct berth_endpoint *remote);

/* ---- error.c ---- */
/* An error about something that was sent. True if a datagram's socket may have sent it. */
bool socket_error_input(struct sockets *sockets, const struct ip_error *error, uint64_t now);
/* True if a socket may have sent the datagram that it is about; nothing comes of it. */
bool socket_sent(struct sockets *sockets, const struct ip_error *error);
/* A datagram socket's own message was longer than the MTU lets it be. */
void socket_report_size(struct sockets *sockets, struct socket_ref ref,
                        const struct berth_endpoint *remote, uint32_t mtu);

/* A family 4 socket deals in IPv4 addresses only. */
static inline bool family_takes(int family, const struct berth_ip *ip) {
    return family == 6 || berth_ip_is_v4(ip);
}

#endif
