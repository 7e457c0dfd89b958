/* UDP sockets: open, bind, connect, close. */
#include "engine/udp/internal.h"
#include <errno.h>
#include <string.h>

static void tuple_of(void *context, uint32_t reference, struct tuple *tuple) {
    const struct udp_socket *socket = udp_at(context, reference);
    tuple->local = socket->local.ip;
    tuple->remote = socket->way.remote.ip;
    tuple->local_port = socket->local.port;
    tuple->remote_port = socket->way.remote.port;
}

struct udp *udp_new(const struct berth_host_config *config, struct random *random,
                    struct berth_counters *counters) {
    struct berth_allocator allocator = config->allocator;
    struct udp *udp = allocator.allocate(allocator.context, sizeof *udp);
    if (!udp)
        return NULL;
    memset(udp, 0, sizeof *udp);
    udp->allocator = allocator;
    udp->counters = counters;
    udp->version = 1; /* an empty place among the recent flows has 0 */
    udp->receive_buffer = config->udp_receive_buffer;
    pool_init(&udp->sockets, allocator, sizeof(struct udp_socket), UDP_SOCKETS_MAX);
    struct ports_owner_ops ops = {.tuple_of = tuple_of, .context = udp};
    udp->ports = ports_new(allocator, random, &ops);
    if (!udp->ports || ports_set_range(udp->ports, config->port_first, config->port_last) != 0) {
        udp_free(udp);
        return NULL;
    }
    return udp;
}

struct udp *udp_renewed(const struct udp *old, const struct berth_host_config *config,
                        struct random *random) {
    struct udp *udp = udp_new(config, random, old->counters);
    if (!udp)
        return NULL;
    udp->elder = old->elder;
    for (uint32_t i = 1; i < old->sockets.high; i++)
        if (udp_at(old, i)->generation > udp->elder)
            udp->elder = udp_at(old, i)->generation;
    return udp;
}

void udp_free(struct udp *udp) {
    if (!udp)
        return;
    for (uint32_t i = 1; i < udp->sockets.high; i++)
        if (udp_at(udp, i)->open)
            udp_close(udp, i);
    udp_output_clear(udp);
    while (udp->spare) {
        struct udp_page *page = udp->spare;
        udp->spare = page->next;
        udp->allocator.release(udp->allocator.context, page, sizeof *page);
    }
    if (udp->ports)
        ports_free(udp->ports);
    pool_clear(&udp->sockets);
    udp->allocator.release(udp->allocator.context, udp, sizeof *udp);
}

struct ports *udp_ports(struct udp *udp) {
    return udp->ports;
}

bool udp_alive(const struct udp *udp, uint32_t socket, uint32_t generation) {
    if (!pool_has(&udp->sockets, socket))
        return false;
    const struct udp_socket *at = udp_at(udp, socket);
    return at->open && at->generation == generation;
}

uint32_t udp_generation(const struct udp *udp, uint32_t socket) {
    return udp_at(udp, socket)->generation;
}

static struct berth_ip wildcard(int family) {
    struct berth_ip v6 = {{0}};
    return family == 6 ? v6 : berth_ip_v4(0);
}

int udp_open(struct udp *udp, int family, uint32_t *socket, uint32_t *generation) {
    uint32_t index = pool_take(&udp->sockets);
    if (!index)
        return udp->sockets.used >= udp->sockets.limit ? -ENOBUFS : -ENOMEM;
    struct udp_socket *made = udp_at(udp, index);
    uint32_t next_generation = (made->generation ? made->generation : udp->elder) + 1;
    memset(made, 0, sizeof *made);
    made->generation = next_generation;
    made->index = index;
    made->family = (uint8_t)family;
    made->open = true;
    made->local.ip = made->bound = wildcard(family);
    made->receive_buffer = udp->receive_buffer;
    made->send_buffer = UDP_SEND_BUFFER;
    made->mtu_discover = UDP_MTU_WANT; /* Linux's default */
    *socket = index;
    *generation = next_generation;
    return 0;
}

static unsigned bind_flags(const struct udp_socket *socket) {
    return (socket->reuse_address ? PORTS_REUSEADDR : 0u) |
           (socket->reuse_port ? PORTS_REUSEPORT : 0u) | (socket->v6_only ? PORTS_V6ONLY : 0u);
}

static void port_link(struct udp *udp, struct udp_socket *socket) {
    udp->version++;
    uint32_t *bucket = &udp->port_buckets[socket->local.port % UDP_PORT_BUCKETS];
    socket->port_previous = 0;
    socket->port_next = *bucket;
    if (*bucket)
        udp_at(udp, *bucket)->port_previous = socket->index;
    *bucket = socket->index;
}

static void port_unlink(struct udp *udp, struct udp_socket *socket) {
    udp->version++;
    if (socket->port_previous)
        udp_at(udp, socket->port_previous)->port_next = socket->port_next;
    else
        udp->port_buckets[socket->local.port % UDP_PORT_BUCKETS] = socket->port_next;
    if (socket->port_next)
        udp_at(udp, socket->port_next)->port_previous = socket->port_previous;
}

static int socket_bind(struct udp *udp, struct udp_socket *socket, struct berth_endpoint local) {
    int error = ports_bind(udp->ports, &local, bind_flags(socket), socket->index, &socket->bind);
    if (error)
        return error;
    error = ports_listen(udp->ports, socket->bind, true);
    if (error) {
        ports_unbind(udp->ports, socket->bind);
        socket->bind = 0;
        return error;
    }
    socket->local = local;
    socket->bound = local.ip;
    port_link(udp, socket);
    return 0;
}

static void socket_unbind(struct udp *udp, struct udp_socket *socket) {
    if (!socket->bind)
        return;
    port_unlink(udp, socket);
    ports_unbind(udp->ports, socket->bind);
    socket->bind = 0;
    socket->local.port = 0;
    socket->local.ip = socket->bound = wildcard(socket->family);
}

int udp_bind(struct udp *udp, uint32_t socket, const struct berth_endpoint *local) {
    struct udp_socket *at = udp_at(udp, socket);
    if (at->bind)
        return -EINVAL;
    int error = socket_bind(udp, at, *local);
    if (error)
        return error;
    at->address_given = !berth_ip_is_any(&local->ip);
    at->port_given = local->port != 0;
    return 0;
}

int udp_autobind(struct udp *udp, uint32_t socket) {
    struct udp_socket *at = udp_at(udp, socket);
    if (at->bind)
        return 0;
    struct berth_endpoint local = {.ip = wildcard(at->family)};
    int error = socket_bind(udp, at, local);
    return error == -EADDRINUSE ? -EAGAIN : error; /* Linux's word for no port left here */
}

static void socket_disconnect(struct udp *udp, struct udp_socket *socket) {
    udp->version++;
    if (socket->in_demux) {
        struct tuple tuple;
        tuple_of(udp, socket->index, &tuple);
        ports_disconnect(udp->ports, &tuple, socket->index);
        socket->in_demux = false;
    }
    socket->connected = false;
    socket->local.ip = socket->bound;
}

/* Only what comes from the peer is for a connected socket: it leaves the table of those that take
 * from anyone and has its place among the connections. When another socket has the same four
 * numbers already (both allow reuse), that one gets what comes. */
int udp_connect(struct udp *udp, uint32_t socket, const struct udp_way *way) {
    struct udp_socket *at = udp_at(udp, socket);
    int error = udp_autobind(udp, socket);
    if (error)
        return error;
    if (at->connected)
        socket_disconnect(udp, at);
    at->way = *way;
    at->local.ip = way->local;
    struct tuple tuple;
    tuple_of(udp, socket, &tuple);
    error = ports_connect(udp->ports, &tuple, socket);
    if (error && error != -EADDRINUSE) {
        at->local.ip = at->bound;
        ports_listen(udp->ports, at->bind, true);
        udp->version++;
        return error;
    }
    at->in_demux = error == 0;
    at->connected = true;
    ports_listen(udp->ports, at->bind, false);
    udp->version++;
    return 0;
}

int udp_disconnect(struct udp *udp, uint32_t socket) {
    struct udp_socket *at = udp_at(udp, socket);
    if (!at->connected)
        return 0;
    socket_disconnect(udp, at);
    if (!at->port_given) /* Linux: a port that was chosen for the connection goes with it */
        socket_unbind(udp, at);
    else
        ports_listen(udp->ports, at->bind, true);
    udp->version++;
    return 0;
}

int udp_close(struct udp *udp, uint32_t socket) {
    struct udp_socket *at = udp_at(udp, socket);
    if (at->connected)
        socket_disconnect(udp, at);
    socket_unbind(udp, at);
    udp_queue_clear(udp, at);
    udp_event_remove(udp, at);
    at->open = false;
    pool_give(&udp->sockets, socket);
    return 0;
}

/* Linux's inet_shutdown: an unconnected socket is shut down all the same, and says ENOTCONN. */
int udp_shutdown(struct udp *udp, uint32_t socket, enum berth_how how) {
    struct udp_socket *at = udp_at(udp, socket);
    if (how != BERTH_SHUT_RD && how != BERTH_SHUT_WR && how != BERTH_SHUT_RDWR)
        return -EINVAL;
    if (how != BERTH_SHUT_WR) {
        at->shut_read = true;
        udp_event(udp, at, BERTH_READABLE | BERTH_PEER_CLOSED);
    }
    if (how != BERTH_SHUT_RD)
        at->shut_write = true;
    if (at->shut_read && at->shut_write)
        udp_event(udp, at, BERTH_CLOSED);
    return at->connected ? 0 : -ENOTCONN;
}
