/* The world outside, without root: sockets of this machine joined to a host of the network that
 * stands for all addresses that are not the network's (berth_host_set_gateway).
 *
 * Published ports: a client outside connects to a port of this machine, which is open while the
 * computer's is (published.c); the gateway's host connects to the computer inside from the client's
 * own address and port, so that the server sees who comes.
 * Where that address cannot be one inside (the machine's loopback, an address of the network, the
 * other family), it is the gateway's own.
 *
 * The gateway proper (only where it is asked for): what computers send to addresses outside goes on
 * from a socket of this machine. The socket connects first; what it hears is what the computer
 * hears: a RST, an unreachable, or an open connection. The gateway's own addresses stand for the
 * machine's loopback.
 *
 * All of it is called with the server's lock. */
#ifndef TOOL_DAEMON_GATEWAY_H
#define TOOL_DAEMON_GATEWAY_H

#include "tool/control/allow.h"
#include <berth/network.h>

struct server;

enum { GATEWAY_RULES = 256 };

/* Makes the gateway unless it is there: a host on all networks on which hosts are, or will be. 0,
 * or a negative errno. */
int gateway_need(struct server *server);
/* The host's number, or -1. */
int gateway_host(const struct server *server);
/* The gateway's address on the host's first link is the host's default route. For new hosts. */
void gateway_route(struct server *server, int host);
/* Computers may reach what one of these rules lets pass, too, or (all) everything. 0, -E2BIG, or as
 * gateway_need(). */
int gateway_open(struct server *server, const struct allow_rule *rules, size_t count, bool all);
/* A port of this machine is the host's from now on. address: of this machine. Returns the port
 * (outside 0: a free one), or a negative errno. */
int gateway_publish(struct server *server, int host, const struct berth_endpoint *outside,
                    uint16_t inside, bool udp);
/* A published port: this machine's, and the host's. */
struct gateway_port {
    int host;
    struct berth_endpoint outside;
    uint16_t inside;
    bool udp;
};
/* The published port there, if there is one. */
bool gateway_find_port(const struct server *server, uint16_t outside, bool udp,
                       struct gateway_port *port);
/* A program of the host has begun or ceased to listen. */
void gateway_listeners_changed(struct server *server, int host);
/* Takes that port back. */
void gateway_withdraw(struct server *server, uint16_t outside, bool udp);
/* ... and all of a host. */
void gateway_unpublish(struct server *server, int host);
/* The host goes: its ports are free, its connections end. */
void gateway_forget_host(struct server *server, int host);
/* Writes up to `max` published ports in the order of their making; returns how many there are. */
size_t gateway_ports(const struct server *server, struct gateway_port *ports, size_t max);

/* ---- for the serving half ---- */

/* Where a host's TCP connection goes that is for a nameserver at this machine's loopback, with
 * which resolvers go on when an answer is too long for a datagram: to the gateway. */
void gateway_redirect(const struct server *server, int host, struct berth_endpoint *remote);

/* Deals with what came to the gateway's host. True if something did. */
bool gateway_serve(struct server *server, uint64_t now);
void gateway_event(struct server *server, const struct berth_event *event, uint64_t now);
/* A descriptor is ready; `key`: what epoll says of it beyond EPOLL_GATEWAY. */
void gateway_ready(struct server *server, uint32_t key, uint32_t events, uint64_t now);
/* Flows that nobody uses end. */
void gateway_tick(struct server *server, uint64_t now);
void gateway_free(struct server *server);

#endif
