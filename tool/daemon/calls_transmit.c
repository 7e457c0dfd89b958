/* Sending datagrams: sendto with an address, sendmsg and sendmmsg anywhere, and all sending on
 * descriptors in the notified range. They go to the engine at once, so that errors (ECONNREFUSED,
 * EMSGSIZE, ENETUNREACH) are the call's own. An answer that finds nobody is kept for the thread's
 * next try (notify_thread.c), so that a signal does not send twice. */
#define _GNU_SOURCE
#include "tool/daemon/send_control.h"
#include "tool/daemon/waiters.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DATAGRAM_LARGEST = 65527 }; /* of IPv6; the engine knows what fits where */

/* ---- datagrams ---- */

/* Reads address and octets. The count or a negative errno; *to is NULL for the connected peer. */
static ssize_t datagram_read(struct call *call, const struct message *message, int family,
                             struct berth_endpoint *remote, struct berth_endpoint **to) {
    struct reach *reach = call->run->reach;
    *to = NULL;
    if (message->name && (message->name_length || call->number == SYS_sendto)) {
        union address address = {0};
        if (message->name_length > sizeof address)
            return -EINVAL;
        int r = reach_read(reach, call->thread, message->name, &address, message->name_length);
        if (r == 0)
            r = address_to_endpoint(&address, message->name_length, family, ADDRESS_SEND, remote);
        if (r < 0)
            return r;
        if (berth_ip_is_any(&remote->ip))
            remote->ip = berth_ip_v4(0x7f000001);
        *to = remote;
    }
    if (message->room > DATAGRAM_LARGEST) /* the engine says so, and reports it */
        return message->room < SSIZE_MAX ? (ssize_t)message->room : -EMSGSIZE;
    return message_gather(message, reach, call->thread, call->run->message, MESSAGE_MAX);
}

/* To the engine, with the control data's options. */
static long datagram_pass(struct call *call, const struct conduit *conduit,
                          const struct message *message, size_t length,
                          const struct berth_endpoint *to) {
    struct berth_host *host = conduit_host(call->server, conduit);
    struct berth_endpoint peer;
    struct berth_send_options options;
    const struct berth_endpoint *remote = to;
    if (!to && berth_socket_remote(host, conduit->socket, &peer) == 0)
        remote = &peer;
    bool v4 = conduit->family == 4 || (remote && berth_ip_is_v4(&remote->ip));
    if (remote)
        port_leave(call->server, conduit->host, remote, call->now);
    int r = send_control_read(message, call->run->reach, call->thread, v4, &options);
    return r < 0 ? r
                 : berth_socket_send_with(host, conduit->socket, call->run->message, length, to,
                                          &options, call->now);
}

/* One message of the call. Its length or a negative errno. */
static long datagram_send(struct call *call, const struct message *message, int family) {
    struct berth_endpoint remote = {0}, *to;
    if (message->flags & MSG_OOB)
        return -EOPNOTSUPP;
    ssize_t length = datagram_read(call, message, family, &remote, &to);
    if (length < 0)
        return length;
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return -EBADF;
    struct berth_host *host = conduit_host(call->server, conduit);
    long result = -ENETUNREACH;
    if (conduit->error) {
        result = -conduit->error;
        conduit->error = 0;
        datagrams_settle(call, conduit);
    } else if (conduit->shut_write) {
        result = -EPIPE;
    } else if (host) {
        result = datagram_pass(call, conduit, message, (size_t)length, to);
        port_enter(call->server, conduit);
        server_touch(call->server, conduit);
    }
    call_unlock(call);
    return result;
}

/* As sendmmsg: how many were sent; the error only if none was. */
static long datagrams_send(struct call *call, struct message *message, int family) {
    unsigned wanted = (unsigned)call->arguments[2], sent = 0;
    long result = 0;
    if (wanted > MESSAGE_VECTORS)
        wanted = MESSAGE_VECTORS;
    while (sent < wanted) {
        result = message_read(message, call->run->reach, call->thread, call->number,
                              call->arguments, sent);
        if (result == 0)
            result = datagram_send(call, message, family);
        if (result < 0)
            break;
        uint32_t length = (uint32_t)result;
        struct reach_piece piece = {message->length_at, &length, sizeof length};
        result = reach_write(call->run->reach, call->thread, &piece, 1);
        if (result < 0)
            break;
        sent++;
    }
    return sent ? (long)sent : result;
}

/* ---- streams ---- */

/* What the kernel does with the write of who may not write: SIGPIPE, after the answer, as a signal
 * before it would interrupt the call. */
static long pipe_break(struct call *call, int flags) {
    call_answer(call, -EPIPE);
    if (!(flags & MSG_NOSIGNAL))
        syscall(SYS_tkill, call->thread, SIGPIPE);
    return CALL_ANSWERED;
}

/* The address means nothing, but it must be one. */
static int address_check(struct call *call, const struct message *message) {
    union address address;
    if (message->name_length > sizeof address)
        return -EINVAL;
    return reach_read(call->run->reach, call->thread, message->name, &address,
                      message->name_length);
}

/* TCP ignores the address of a sendto() or sendmsg(), AF_UNIX refuses it: sent on the program's
 * behalf, without the address. A program that would have to wait for room gets a short count or,
 * with no room at all, EAGAIN. */
static long stream_send(struct call *call, const struct message *message) {
    ssize_t length =
        message_gather(message, call->run->reach, call->thread, call->run->message, MESSAGE_MAX);
    if (length < 0)
        return length;
    int flags = (message->flags & MSG_OOB) | MSG_DONTWAIT | MSG_NOSIGNAL;
    ssize_t sent = send(call->end, call->run->message, (size_t)length, flags);
    if (sent < 0 && errno == EPIPE)
        return pipe_break(call, message->flags);
    return sent < 0 ? -errno : sent;
}

static long stream_transmit(struct call *call, struct message *message, bool never, bool shut) {
    if (call->number != SYS_sendto && call->number != SYS_sendmsg)
        return CALL_CONTINUE;
    long r =
        message_read(message, call->run->reach, call->thread, call->number, call->arguments, 0);
    if (r == 0 && message->name)
        r = address_check(call, message);
    if (r < 0)
        return r;
    bool named = message->name && message->name_length;
    if (named && (message->flags & MSG_FASTOPEN)) /* as where sysctl forbids it */
        return -EOPNOTSUPP;
    if (never && (named || !shut)) /* else the kernel says it better */
        return pipe_break(call, message->flags);
    return named ? stream_send(call, message) : CALL_CONTINUE;
}

/* ---- the call ---- */

long call_transmit(struct call *call) {
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    bool stream = conduit->protocol == BERTH_TCP;
    bool never = conduit->state == CONDUIT_FRESH || conduit->state == CONDUIT_LISTENING;
    int family = conduit->family;
    bool shut = conduit->state == CONDUIT_LISTENING; /* for writing, from the start */
    int error = stream && conduit->state == CONDUIT_GHOST ? socket_error_take(call, conduit) : 0;
    call_unlock(call);
    if (error && error != EPIPE)
        return -error;
    struct message *message = malloc(sizeof *message);
    if (!message)
        return -ENOMEM;
    long result;
    if (stream) {
        result = stream_transmit(call, message, never, shut);
    } else if (call->number == SYS_sendmmsg) {
        result = datagrams_send(call, message, family);
    } else {
        result =
            message_read(message, call->run->reach, call->thread, call->number, call->arguments, 0);
        if (result == 0)
            result = datagram_send(call, message, family);
    }
    free(message);
    return result;
}
