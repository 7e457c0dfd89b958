/* connect().
 *
 * Between two computers whose links do not delay, the handshake is over before the call is
 * answered: the network runs under the same lock. A non-blocking connect() says EINPROGRESS all the
 * same, as Linux does even over its loopback, and the descriptor is writable at once, with an edge
 * for who asked for edges before.
 *
 * When the handshake takes time the descriptor must not be writable meanwhile. The program's end
 * gets the smallest send buffer and two octets of ours in it, which clears POLLOUT; when the
 * connection stands they are taken out (one edge) and the buffer is restored. When it fails, and
 * nobody waits in the call, the held end is closed over them: the program sees IN, OUT, HUP and
 * ERR, and SO_ERROR is answered from the ghost. */
#define _GNU_SOURCE
#include "tool/daemon/addresses.h"
#include "tool/daemon/call.h"
#include "tool/daemon/gateway.h"
#include "tool/daemon/waiters.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { JUNK = 2 };

/* ---- not writable yet ---- */

void stream_end_widen(struct conduit *conduit, int end) {
    descriptor_resize(end, conduit->send_buffer_asked ? conduit->send_buffer_asked
                                                      : CONDUIT_STREAM_BUFFER);
}

void end_stuff(struct conduit *conduit, int end) {
    descriptor_resize(end, 0);
    conduit->slim = true;
    for (int i = 0; i < JUNK; i++)
        if (send(end, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
            conduit->junk++;
}

static void junk_take(struct conduit *conduit) {
    char octets[JUNK];
    if (conduit->junk)
        recv(conduit->held, octets, conduit->junk, MSG_DONTWAIT);
    conduit->junk = 0;
}

void end_unstuff(struct server *server, struct conduit *conduit) {
    if (!conduit->slim)
        return;
    conduit->slim = false;
    int end = conduit_program_end(server, conduit);
    if (end >= 0) {
        stream_end_widen(conduit, end);
        close(end);
    }
    junk_take(conduit);
}

/* ---- how it ends ---- */

/* Answers all who wait in connect(). True if somebody heard it. */
static bool connect_answer(struct conduit *conduit, long result) {
    bool heard = false;
    struct waiter *waiter;
    while ((waiter = waiter_first(conduit, WAITER_CONNECT)))
        heard |= waiter_answer(waiter, result) == 0;
    return heard;
}

void connect_succeeded(struct server *server, struct conduit *conduit, uint64_t now) {
    (void)now;
    conduit->state = CONDUIT_CONNECTED;
    conduit->connected = true;
    if (conduit->in_call) /* the call itself goes on from here */
        return;
    end_unstuff(server, conduit);
    conduit->report_connected = !connect_answer(conduit, 0);
    conduit_ready(server, conduit);
}

void connect_failed(struct server *server, struct conduit *conduit, uint64_t now) {
    (void)now;
    struct berth_host *host = conduit_host(server, conduit);
    int error = 0;
    if (host)
        berth_socket_get_option(host, conduit->socket, BERTH_SO_ERROR, &error);
    if (error == 0)
        error = ECONNABORTED;
    conduit->error = error;
    conduit->state = CONDUIT_FRESH;
    if (conduit->in_call)
        return;
    if (!connect_answer(conduit, -error)) {
        conduit_doom(server, conduit, error);
        return;
    }
    conduit->error = 0;
    end_unstuff(server, conduit);
}

/* ---- the call ---- */

static int error_take(struct conduit *conduit) {
    int error = conduit->error;
    conduit->error = 0;
    return error;
}

static long connect_wait(struct call *call, struct conduit *conduit) {
    if (call_nonblocking(call))
        return -EINPROGRESS;
    return waiter_add(call, conduit, WAITER_CONNECT, SO_SNDTIMEO, EINPROGRESS);
}

/* Refused at once, which who does not wait is told later all the same. */
static long connect_refused(struct call *call, struct conduit *conduit) {
    if (!call_nonblocking(call))
        return -error_take(conduit);
    conduit_doom(call->server, conduit, conduit->error);
    return -EINPROGRESS;
}

/* The engine has sent its SYN: lets the network run, and looks how far that went. */
static long connect_proceed(struct call *call, struct conduit *conduit) {
    conduit->state = CONDUIT_CONNECTING;
    conduit->in_call = true;
    server_settle(call->server, call->now);
    conduit->in_call = false;
    if (conduit->state == CONDUIT_FRESH)
        return connect_refused(call, conduit);
    if (conduit->state == CONDUIT_CONNECTING) {
        end_stuff(conduit, call->end);
        return connect_wait(call, conduit);
    }
    bool nonblocking = call_nonblocking(call);
    conduit->report_connected = nonblocking;
    stream_end_widen(conduit,
                     call->end); /* which is also the one edge that a program may wait for */
    return nonblocking ? -EINPROGRESS : 0;
}

/* What was written before there was a connection is not for the peer. */
static void early_drop(const struct conduit *conduit) {
    char octets[4096];
    int waiting = 0;
    while (ioctl(conduit->held, FIONREAD, &waiting) == 0 && waiting > 0 &&
           recv(conduit->held, octets, sizeof octets, MSG_DONTWAIT) > 0)
        ;
}

static long stream_connect(struct call *call, struct conduit *conduit,
                           const struct berth_endpoint *remote) {
    struct berth_host *host = conduit_host(call->server, conduit);
    switch ((enum conduit_state)conduit->state) {
    case CONDUIT_LISTENING:
        return -EISCONN;
    case CONDUIT_CONNECTED: {
        if (!remote) { /* Linux: the connection is given up with a RST */
            conduit_doom(call->server, conduit, ECONNRESET);
            return 0;
        }
        bool first = conduit->report_connected;
        conduit->report_connected = false;
        return first ? 0 : -EISCONN;
    }
    case CONDUIT_CONNECTING:
        return call_nonblocking(call) ? -EALREADY : connect_wait(call, conduit);
    case CONDUIT_GHOST:
        return conduit->connected ? -EISCONN
               : conduit->error   ? -error_take(conduit)
                                  : -ECONNABORTED;
    case CONDUIT_FRESH:
        break;
    }
    if (!remote)
        return 0;
    if (!host)
        return -ENETUNREACH;
    port_leave(call->server, conduit->host, remote, call->now);
    early_drop(conduit);
    int r = berth_socket_connect(host, conduit->socket, remote, call->now);
    server_touch(call->server, conduit);
    if (r == -ECONNREFUSED) /* port 0 */
        conduit->error = ECONNREFUSED;
    if (r == -ECONNREFUSED)
        return connect_refused(call, conduit);
    return r == -EINPROGRESS || r == 0 ? connect_proceed(call, conduit) : r;
}

static long datagram_connect(struct call *call, struct conduit *conduit,
                             const struct berth_endpoint *remote) {
    struct berth_host *host = conduit_host(call->server, conduit);
    if (!host)
        return -ENETUNREACH;
    int r = berth_socket_connect(host, conduit->socket, remote, call->now);
    server_touch(call->server, conduit);
    port_enter(call->server, conduit);
    return r;
}

/* 0.0.0.0 as a destination is this computer. */
static void wildcard_resolve(struct berth_endpoint *remote) {
    if (berth_ip_is_any(&remote->ip))
        remote->ip = berth_ip_v4(0x7f000001);
}

/* The machine's own resolvers must not win over the network's names. */
static bool resolver_path(const union address *address, socklen_t length) {
    static const char *const paths[] = {"/run/nscd/socket", "/var/run/nscd/socket",
                                        "/run/systemd/resolve/io.systemd.Resolve"};
    char path[sizeof address->storage + 1] = {0};
    if (address->any.sa_family != AF_UNIX || length <= sizeof(sa_family_t))
        return false;
    memcpy(path, (const char *)address + sizeof(sa_family_t), length - sizeof(sa_family_t));
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (strcmp(path, paths[i]) == 0)
            return true;
    return false;
}

static void exhaustion_note(struct call *call, const struct berth_endpoint *remote);

long call_connect(struct call *call) {
    union address address = {0};
    socklen_t length = (socklen_t)call->arguments[2];
    if (length > sizeof address)
        return -EINVAL;
    int r = reach_read(call->run->reach, call->thread, call->arguments[1], &address, length);
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return r == 0 && resolver_path(&address, length) ? -ENOENT : CALL_CONTINUE;
    struct berth_endpoint remote = {0};
    if (r == 0)
        r = address_to_endpoint(
            &address, length, conduit->family,
            conduit->protocol == BERTH_TCP ? ADDRESS_CONNECT_STREAM : ADDRESS_CONNECT, &remote);
    wildcard_resolve(&remote);
    const struct berth_endpoint *to = r == 1 ? NULL : &remote;
    long result = r;
    if (r >= 0 && to && conduit->protocol == BERTH_TCP)
        gateway_redirect(call->server, conduit->host, &remote);
    if (r >= 0)
        result = conduit->protocol == BERTH_TCP ? stream_connect(call, conduit, to)
                                                : datagram_connect(call, conduit, to);
    call_unlock(call);
    if (result == -EADDRNOTAVAIL)
        exhaustion_note(call, &remote);
    return result;
}

/* ---- no port left ---- */

static unsigned ports_count(struct berth_host *host, const struct berth_endpoint *remote) {
    struct berth_socket_row rows[64];
    uint64_t cursor = 0;
    unsigned used = 0;
    size_t count;
    while ((count = berth_host_sockets(host, &cursor, rows, 64)) > 0)
        for (size_t i = 0; i < count; i++)
            used += rows[i].protocol == BERTH_TCP && rows[i].remote.port == remote->port &&
                    berth_ip_equal(&rows[i].remote.ip, &remote->ip);
    return used;
}

/* At most once a second: a program that tries on and on would otherwise have the sockets counted
 * each time. */
static void exhaustion_note(struct call *call, const struct berth_endpoint *remote) {
    struct run *run = call->run;
    if (!run->ops.note || (run->noted && call->now - run->noted < BERTH_SECOND))
        return;
    run->noted = call->now;
    uint64_t now = server_enter(call->server);
    struct berth_host *host = berth_network_host(call->server->network, run->host);
    unsigned used = host ? ports_count(host, remote) : 0;
    server_leave(call->server, now);
    char text[160], ip[BERTH_IP_TEXT];
    snprintf(text, sizeof text, "no client port is left: %u are used toward %s:%u", used,
             berth_ip_format(&remote->ip, ip), remote->port);
    run->ops.note(run->ops.context, text);
}
