/* What became of the engine's sockets, carried to where it matters. */
#define _GNU_SOURCE
#include "tool/daemon/call.h"
#include "tool/daemon/gateway.h"

static int socket_error(struct berth_host *host, const struct conduit *conduit) {
    int error = 0;
    berth_socket_get_option(host, conduit->socket, BERTH_SO_ERROR, &error);
    return error;
}

/* A connection that has ended with an error (a RST, a timeout) breaks the program's end once all
 * that came before has been given to it; an error that does not end it (ICMP) only waits to be
 * asked for. */
static void stream_error(struct server *server, struct conduit *conduit, struct berth_host *host) {
    int error = socket_error(host, conduit);
    if (error)
        conduit->error = error;
    if (!(berth_socket_readiness(host, conduit->socket) & BERTH_CLOSED) || conduit->error == 0)
        return;
    if (conduit->out_full)
        conduit->broken = true;
    else
        conduit_doom(server, conduit, conduit->error);
}

static void stream_event(struct server *server, struct conduit *conduit, uint32_t bits,
                         uint64_t now) {
    if (bits & BERTH_URGENT)
        conduit->urgent_out = true;
    if (bits & BERTH_PEER_CLOSED)
        conduit->peer_closed = true;
    if (bits & (BERTH_READABLE | BERTH_PEER_CLOSED | BERTH_URGENT | BERTH_ERROR))
        stream_deliver(server, conduit, now);
    if ((bits & BERTH_WRITABLE) && conduit->in_full) {
        conduit->in_full = false;
        conduit_ready(server, conduit);
    }
    if (bits & BERTH_CLOSED) { /* an error alone is a soft one (IP_RECVERR): the connection lives */
        struct berth_host *host = conduit_host(server, conduit);
        if (host)
            stream_error(server, conduit, host);
    }
}

static void datagram_event(struct server *server, struct conduit *conduit, uint32_t bits,
                           uint64_t now) {
    struct berth_host *host = conduit_host(server, conduit);
    if (bits & BERTH_READABLE)
        datagrams_deliver(server, conduit, now);
    if (host && (bits & BERTH_ERROR)) {
        int error = socket_error(host, conduit); /* clears it: what is left is a report */
        datagram_error(conduit, error, berth_socket_readiness(host, conduit->socket) & BERTH_ERROR);
    }
}

/* Telling a program that sleeps on another processor costs 10 us, which the caller of connect()
 * would pay: it is left to the data thread while that is at work. On one processor the program
 * would run in the caller's place, for one connection; the data thread tells it of all that have
 * come by then. Not on the caller's own computer: there who has connected sees the listener
 * readable, as on Linux. */
static void listener_notice(struct server *server, struct conduit *listener, uint64_t now) {
    bool here = server->caller == listener->host || server_has_turn(server);
    if (here || (server->asleep && server->spin > 0))
        listener_serve(server, listener, now);
    else
        conduit_ready(server, listener);
}

void event_handle(struct server *server, const struct berth_network_event *event, uint64_t now) {
    if (event->host == gateway_host(server)) {
        gateway_event(server, &event->event, now);
        return;
    }
    struct conduit *conduit = conduit_find(&server->conduits, event->event.user);
    if (!conduit || conduit->host != event->host || conduit->socket != event->event.socket)
        return;
    uint32_t bits = event->event.bits;
    if (conduit_is_datagram(conduit)) {
        datagram_event(server, conduit, bits, now);
        return;
    }
    if (conduit->state == CONDUIT_LISTENING && (bits & BERTH_ACCEPTABLE))
        listener_notice(server, conduit, now);
    if (conduit->state == CONDUIT_CONNECTING) {
        if (bits & BERTH_CONNECTED)
            connect_succeeded(server, conduit, now);
        else if (bits & (BERTH_ERROR | BERTH_CLOSED))
            connect_failed(server, conduit, now);
    }
    if (conduit->state == CONDUIT_CONNECTED)
        stream_event(server, conduit, bits, now);
}
