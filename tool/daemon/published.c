/* The machine's ends of published ports.
 *
 * A TCP port is listened at outside while the computer listens at its own: so a client is refused
 * here when it would be refused there, and who waits for a port to open waits for the program. What
 * is not listened at stays bound, for nobody else to take.
 *
 * Linux refuses what comes for a bound socket that does not listen, and shutdown() makes a listener
 * one again, without giving up its port if that was asked for by number. SO_REUSEADDR, which lets a
 * port be listened at beside its connections in TIME-WAIT, would also let other programs bind it;
 * so it is set only while the socket listens. (A first listen() makes the kernel look closely at
 * whoever binds the port later.) */
#define _GNU_SOURCE
#include "tool/daemon/gateway_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CLIENT_BATCH = 64, TRIES = 16 };

/* ---- clients ---- */

static void clients_take(struct server *server, struct outlet *outlet, uint32_t events,
                         uint64_t now) {
    struct published *published = (struct published *)(void *)outlet;
    (void)events;
    for (int i = 0; i < CLIENT_BATCH; i++) {
        union address client;
        socklen_t length = sizeof client;
        memset(&client, 0, sizeof client);
        if (published->port.udp) {
            if (!flow_client(server, published, now))
                return;
            continue;
        }
        int fd = accept4(outlet->fd, &client.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        struct berth_endpoint from = endpoint_of(&client);
        relay_client(server, published, fd, &from, now);
    }
}

static void published_drop(struct server *server, struct outlet *outlet) {
    struct published *published = (struct published *)(void *)outlet;
    struct published **link = &server->gateway->published;
    while (*link != published)
        link = &(*link)->next;
    *link = published->next;
    flows_forget(server, published);
    outlet_close(server, outlet);
    free(published);
}

/* ---- the socket ---- */

static int socket_make(sa_family_t family, bool udp) {
    int kind = (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, on = 1;
    int fd = socket(family, kind, 0);
    if (fd < 0)
        return -errno;
    if (!udp)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    /* Answers are to come from the address that was asked. */
    if (udp && family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    else if (udp)
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    return fd;
}

/* Bound, and of TCP listening; *at gets the port. */
static int socket_bind_once(struct berth_endpoint *at, bool udp) {
    union address address;
    socklen_t length = address_of(at, &address);
    int fd = socket_make(address.any.sa_family, udp);
    if (fd < 0)
        return fd;
    if (bind(fd, &address.any, length) < 0 ||
        (!udp && at->port != 0 && listen(fd, SOMAXCONN) < 0) ||
        getsockname(fd, &address.any, &length) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    at->port = endpoint_of(&address).port;
    return fd;
}

static int socket_bind(struct berth_endpoint *at, bool udp) {
    struct berth_endpoint chosen = *at;
    int fd = socket_bind_once(&chosen, udp);
    /* A port that the kernel chose is asked for again by its number: or it went with listening. */
    for (int i = 0; fd >= 0 && !udp && at->port == 0; i++) {
        close(fd);
        fd = socket_bind_once(&chosen, udp);
        if (fd >= 0)
            break;
        if (fd != -EADDRINUSE || i == TRIES)
            return fd;
        chosen.port = 0;
        fd = socket_bind_once(&chosen, udp);
    }
    if (fd >= 0)
        *at = chosen;
    return fd;
}

static void listening_set(struct server *server, struct published *published, bool wanted) {
    int fd = published->outlet.fd, reuse = wanted;
    if (wanted == published->listening)
        return;
    if (wanted) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
        if (listen(fd, SOMAXCONN) < 0 || outlet_watch(server, &published->outlet, EPOLLIN) < 0)
            return;
    } else {
        outlet_watch(server, &published->outlet, 0);
        shutdown(fd, SHUT_RD);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    }
    published->listening = wanted;
}

/* Does the computer listen there, at its address of either family? */
static bool is_listened(const struct server *server, const struct gateway_port *port) {
    struct berth_host *host = berth_network_host(server->network, port->host);
    struct berth_endpoint at = {.port = port->inside};
    for (int v4 = 0; host && v4 < 2; v4++)
        if (computer_address(server, port->host, v4, &at.ip) &&
            berth_socket_port_listened(host, &at))
            return true;
    return false;
}

void gateway_listeners_changed(struct server *server, int host) {
    struct published *published = server->gateway ? server->gateway->published : NULL;
    for (; published; published = published->next)
        if (published->port.host == host && !published->port.udp)
            listening_set(server, published, is_listened(server, &published->port));
}

/* ---- published ports ---- */

int gateway_publish(struct server *server, int host, const struct berth_endpoint *outside,
                    uint16_t inside, bool udp) {
    int result = gateway_need(server);
    if (result < 0)
        return result;
    struct published *published = calloc(1, sizeof *published);
    if (!published)
        return -ENOMEM;
    published->outlet = (struct outlet){
        .ready = clients_take, .drop = published_drop, .host = host, .expires = BERTH_NEVER};
    published->port = (struct gateway_port){host, *outside, inside, udp};
    int fd = socket_bind(&published->port.outside, udp);
    published->outlet.fd = fd;
    published->listening = !udp;
    result = fd < 0 ? fd : outlet_add(server, &published->outlet, EPOLLIN);
    if (result < 0) {
        free(published);
        return result;
    }
    struct published **link = &server->gateway->published;
    while (*link)
        link = &(*link)->next;
    *link = published;
    gateway_listeners_changed(server, host);
    return published->port.outside.port;
}

static struct published *published_find(const struct server *server, uint16_t outside, bool udp) {
    struct published *published = server->gateway ? server->gateway->published : NULL;
    while (published && !(published->port.udp == udp && published->port.outside.port == outside))
        published = published->next;
    return published;
}

bool gateway_find_port(const struct server *server, uint16_t outside, bool udp,
                       struct gateway_port *port) {
    const struct published *published = published_find(server, outside, udp);
    if (published)
        *port = published->port;
    return published;
}

void gateway_withdraw(struct server *server, uint16_t outside, bool udp) {
    struct published *published = published_find(server, outside, udp);
    if (published)
        published_drop(server, &published->outlet);
}

void gateway_unpublish(struct server *server, int host) {
    struct published *next;
    for (struct published *p = server->gateway ? server->gateway->published : NULL; p; p = next) {
        next = p->next;
        if (p->port.host == host)
            published_drop(server, &p->outlet);
    }
}

size_t gateway_ports(const struct server *server, struct gateway_port *ports, size_t max) {
    size_t count = 0;
    const struct published *published = server->gateway ? server->gateway->published : NULL;
    for (; published; published = published->next, count++)
        if (count < max)
            ports[count] = published->port;
    return count;
}
