/* Receiving, names and options. */
#include "engine/base/buffer_size.h"
#include "engine/udp/internal.h"
#include <errno.h>

ssize_t udp_receive(struct udp *udp, uint32_t socket, void *data, size_t length,
                    struct berth_datagram *meta, unsigned flags) {
    struct udp_socket *at = udp_at(udp, socket);
    int error = udp_take_error(udp, socket);
    if (error)
        return error;
    if (flags & BERTH_MSG_OOB)
        return -EOPNOTSUPP;
    if (!at->head && at->shut_read) {
        if (meta)
            *meta = (struct berth_datagram){0};
        return 0;
    }
    return udp_queue_take(udp, at, data, length, meta, (flags & BERTH_MSG_PEEK) != 0);
}

int udp_take_error(struct udp *udp, uint32_t socket) {
    struct udp_socket *at = udp_at(udp, socket);
    int error = -(int)at->error;
    at->error = 0;
    return error;
}

int udp_family(const struct udp *udp, uint32_t socket) {
    return udp_at(udp, socket)->family;
}

void udp_bound(const struct udp *udp, uint32_t socket, struct berth_ip *bound) {
    *bound = udp_at(udp, socket)->bound;
}

bool udp_is_shut(const struct udp *udp, uint32_t socket) {
    return udp_at(udp, socket)->shut_write;
}

const struct udp_way *udp_connection(const struct udp *udp, uint32_t socket) {
    const struct udp_socket *at = udp_at(udp, socket);
    return at->connected ? &at->way : NULL;
}

int udp_local(const struct udp *udp, uint32_t socket, struct berth_endpoint *local) {
    *local = udp_at(udp, socket)->local;
    return 0;
}

int udp_remote(const struct udp *udp, uint32_t socket, struct berth_endpoint *remote) {
    const struct udp_socket *at = udp_at(udp, socket);
    if (!at->connected)
        return -ENOTCONN;
    *remote = at->way.remote;
    return 0;
}

int udp_set_user(struct udp *udp, uint32_t socket, uint64_t user) {
    udp_at(udp, socket)->user = user;
    return 0;
}

static void reuse_changed(struct udp *udp, const struct udp_socket *socket) {
    if (!socket->bind)
        return;
    ports_set_flags(udp->ports, socket->bind,
                    (socket->reuse_address ? PORTS_REUSEADDR : 0u) |
                        (socket->reuse_port ? PORTS_REUSEPORT : 0u) |
                        (socket->v6_only ? PORTS_V6ONLY : 0u));
}

/* A whole octet, or -1 for the default. */
static int set_octet(uint8_t *field, int value, int least) {
    if (value < -1 || value > 255 || (value != -1 && value < least))
        return -EINVAL;
    *field = value == -1 ? 0 : (uint8_t)value;
    return 0;
}

int udp_set_option(struct udp *udp, uint32_t socket, enum berth_option option, int value) {
    struct udp_socket *at = udp_at(udp, socket);
    switch (option) {
    case BERTH_SO_REUSEADDR:
        at->reuse_address = value != 0;
        reuse_changed(udp, at);
        return 0;
    case BERTH_SO_REUSEPORT:
        at->reuse_port = value != 0;
        reuse_changed(udp, at);
        return 0;
    case BERTH_V6ONLY:
        if (at->family != 6)
            return -ENOPROTOOPT;
        if (at->bind)
            return -EINVAL;
        at->v6_only = value != 0;
        return 0;
    case BERTH_SO_BROADCAST:
        at->broadcast = value != 0;
        return 0;
    case BERTH_SO_SNDBUF:
        at->send_buffer = buffer_size(value, BUFFER_SIZE_SEND_LEAST);
        return 0;
    case BERTH_SO_RCVBUF:
        at->receive_buffer = buffer_size(value, BUFFER_SIZE_RECEIVE_LEAST);
        return 0;
    case BERTH_IP_TTL:
        return set_octet(&at->ttl, value, 1); /* RFC 1122 3.2.1.7, 1122-IP5, 1122-U7: never 0 */
    case BERTH_IP_TOS:
        return set_octet(&at->tos, value, 0);
    case BERTH_IP_RECVERR:
        at->receive_errors = value != 0;
        return 0;
    case BERTH_IP_MTU_DISCOVER:
        if (value < UDP_MTU_DONT || value > UDP_MTU_OMIT)
            return -EINVAL;
        at->mtu_discover = (uint8_t)value;
        return 0;
    case BERTH_SO_KEEPALIVE:
    case BERTH_SO_LINGER:
    case BERTH_SO_OOBINLINE:
        return 0; /* Linux takes them on any socket; here they mean nothing */
    case BERTH_SO_ERROR:
    case BERTH_SO_ACCEPTCONN:
    default:
        return -ENOPROTOOPT;
    }
}

int udp_get_option(struct udp *udp, uint32_t socket, enum berth_option option, int *value) {
    struct udp_socket *at = udp_at(udp, socket);
    switch (option) {
    case BERTH_SO_REUSEADDR:
        *value = at->reuse_address;
        return 0;
    case BERTH_SO_REUSEPORT:
        *value = at->reuse_port;
        return 0;
    case BERTH_V6ONLY:
        *value = at->v6_only;
        return at->family == 6 ? 0 : -ENOPROTOOPT;
    case BERTH_SO_BROADCAST:
        *value = at->broadcast;
        return 0;
    case BERTH_SO_SNDBUF:
        *value = (int)at->send_buffer;
        return 0;
    case BERTH_SO_RCVBUF:
        *value = (int)at->receive_buffer;
        return 0;
    case BERTH_SO_ERROR:
        *value = -udp_take_error(udp, socket);
        return 0;
    case BERTH_IP_TTL:
        *value = at->ttl;
        return 0;
    case BERTH_IP_TOS:
        *value = at->tos;
        return 0;
    case BERTH_IP_RECVERR:
        *value = at->receive_errors;
        return 0;
    case BERTH_IP_MTU_DISCOVER:
        *value = at->mtu_discover;
        return 0;
    case BERTH_SO_LINGER:
        *value = -1;
        return 0;
    case BERTH_SO_ACCEPTCONN:
    case BERTH_SO_KEEPALIVE:
    case BERTH_SO_OOBINLINE:
        *value = 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}
