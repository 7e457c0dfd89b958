/* Receiving datagrams with their addresses: recvfrom, recvmsg and recvmmsg anywhere, and all
 * receiving from descriptors in the notified range.
 *
 * The datagram is looked at (MSG_PEEK) in the program's queue through a duplicate of its end,
 * written into the program's memory, and taken out only when the answer has found the caller: a
 * signal in between loses nothing. */
#define _GNU_SOURCE
#include "tool/daemon/datagram_queue.h"
#include "tool/daemon/message.h"
#include "tool/daemon/waiters.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* ---- into the program's memory ---- */

struct control {
    uint8_t data[128];
    size_t length;
};

static void control_put(struct control *control, int level, int type, const void *data,
                        size_t length) {
    struct cmsghdr header = {.cmsg_len = CMSG_LEN(length), .cmsg_level = level, .cmsg_type = type};
    memcpy(control->data + control->length, &header, sizeof header);
    memcpy(control->data + control->length + CMSG_LEN(0), data, length);
    control->length += CMSG_SPACE(length);
}

static void control_fill(struct control *control, const struct conduit *conduit,
                         const struct berth_datagram *meta) {
    int ttl = meta->ttl, class = meta->tos;
    bool v6 = conduit->family == 6;
    if ((conduit->option_bits & CONDUIT_PKTINFO) && !v6) {
        struct in_pktinfo info = {.ipi_ifindex = meta->interface + 1};
        info.ipi_addr.s_addr = htonl(berth_ip_to_v4(&meta->destination.ip));
        info.ipi_spec_dst = info.ipi_addr;
        control_put(control, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else if (conduit->option_bits & CONDUIT_PKTINFO) {
        struct in6_pktinfo info = {.ipi6_ifindex = (unsigned)meta->interface + 1};
        memcpy(&info.ipi6_addr, meta->destination.ip.bytes, sizeof info.ipi6_addr);
        control_put(control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
    if (conduit->option_bits & CONDUIT_RECVTTL)
        control_put(control, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_HOPLIMIT : IP_TTL, &ttl,
                    sizeof ttl);
    if (conduit->option_bits & CONDUIT_RECVTOS)
        control_put(control, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS,
                    v6 ? (const void *)&class : &meta->tos, v6 ? sizeof class : 1);
}

struct receipt {
    const uint8_t *data;
    size_t length;
    struct berth_datagram meta;
    struct control control;
    int family;
};

/* All that surrounds the octets, in one write. */
static int frame_write(const struct message *message, struct reach *reach, pid_t thread,
                       const struct receipt *receipt) {
    struct reach_piece pieces[REACH_PIECES];
    int count = 0, flags = 0;
    union address address;
    socklen_t full = address_from_endpoint(&address, &receipt->meta.source, receipt->family);
    uint64_t control_length = receipt->control.length;
    uint32_t octets = (uint32_t)(receipt->length < message->room ? receipt->length : message->room);
    if (message->name)
        pieces[count++] = (struct reach_piece){
            message->name, &address, message->name_length < full ? message->name_length : full};
    if (message->name_length_at && message->name)
        pieces[count++] = (struct reach_piece){message->name_length_at, &full, sizeof full};
    if (control_length > message->control_length) {
        control_length = 0;
        flags |= MSG_CTRUNC;
    }
    if (receipt->length > message->room)
        flags |= MSG_TRUNC;
    if (control_length)
        pieces[count++] =
            (struct reach_piece){message->control, receipt->control.data, control_length};
    if (message->control_length_at)
        pieces[count++] = (struct reach_piece){message->control_length_at, &control_length,
                                               sizeof control_length};
    if (message->flags_at)
        pieces[count++] = (struct reach_piece){message->flags_at, &flags, sizeof flags};
    if (message->length_at)
        pieces[count++] = (struct reach_piece){message->length_at, &octets, sizeof octets};
    return count ? reach_write(reach, thread, pieces, count) : 0;
}

/* Writes the datagram; returns what the call shall return. */
static long receipt_write(const struct message *message, struct reach *reach, pid_t thread,
                          int number, const struct receipt *receipt) {
    int r = message_scatter(message, reach, thread, receipt->data, receipt->length);
    if (r == 0)
        r = frame_write(message, reach, thread, receipt);
    if (r < 0)
        return r;
    if (number == SYS_recvmmsg)
        return 1;
    if (receipt->length > message->room && !(message->flags & MSG_TRUNC))
        return (long)message->room;
    return (long)receipt->length;
}

/* ---- who waits ---- */

bool datagram_offer(struct server *server, struct conduit *conduit, const uint8_t *data,
                    size_t length, const struct berth_datagram *meta) {
    struct waiter *waiter;
    (void)server;
    if (!conduit->waiters || conduit->datagrams.count)
        return false;
    struct message *message = malloc(sizeof *message);
    bool taken = false;
    while (message && !taken && (waiter = waiter_first(conduit, WAITER_RECEIVE))) {
        struct reach *reach = waiter->run->reach;
        struct receipt receipt = {
            .data = data, .length = length, .meta = *meta, .family = conduit->family};
        control_fill(&receipt.control, conduit, meta);
        long result =
            message_read(message, reach, waiter->thread, waiter->number, waiter->arguments, 0);
        if (result == 0)
            result = receipt_write(message, reach, waiter->thread, waiter->number, &receipt);
        bool peek = message->flags & MSG_PEEK;
        taken = waiter_answer(waiter, result) == 0 && result >= 0 && !peek;
    }
    free(message);
    return taken;
}

bool datagram_error_answer(struct conduit *conduit) {
    struct waiter *waiter;
    int error = conduit->error;
    while ((waiter = waiter_first(conduit, WAITER_RECEIVE)))
        if (waiter_answer(waiter, -error) == 0) {
            conduit->error = 0;
            return true;
        }
    return false;
}

/* ---- the call ---- */

static void head_drop(struct call *call, struct conduit *conduit) {
    recv(call->end, NULL, 0, MSG_DONTWAIT | MSG_TRUNC);
    if (datagram_queue_first(&conduit->datagrams))
        datagram_queue_pop(&conduit->datagrams);
}

void datagrams_settle(struct call *call, struct conduit *conduit) {
    int octets = 0;
    if (ioctl(call->end, FIONREAD, &octets) == 0)
        datagram_queue_sync(&conduit->datagrams, (size_t)octets);
    struct datagram_note *note;
    while ((note = datagram_queue_first(&conduit->datagrams)) && note->is_wake &&
           conduit->error == 0 && !conduit->datagram_returned)
        head_drop(call, conduit);
}

/* The datagram that came back from a caller who had gone. */
static void returned_take(struct call *call, struct conduit *conduit, struct receipt *receipt,
                          bool peek) {
    struct datagram_returned *returned = conduit->datagram_returned;
    memcpy(call->run->message, returned->data, returned->length);
    receipt->length = returned->length;
    receipt->meta = returned->meta;
    if (peek)
        return;
    conduit->datagram_returned = NULL;
    free(returned);
}

/* The oldest datagram of the queue. Its length or a negative errno. */
static long queue_take(struct call *call, struct conduit *conduit, struct receipt *receipt,
                       bool peek) {
    datagrams_settle(call, conduit);
    ssize_t n =
        recv(call->end, call->run->message, MESSAGE_MAX, MSG_DONTWAIT | (peek ? MSG_PEEK : 0));
    if (n < 0)
        return -errno;
    const struct datagram_note *note = datagram_queue_first(&conduit->datagrams);
    if (!note && n == 0 && conduit->shut_read) /* the end of AF_UNIX, no datagram */
        return -EAGAIN;
    if (note)
        receipt->meta = note->meta;
    if (note && !peek)
        datagram_queue_pop(&conduit->datagrams);
    receipt->length = (size_t)n;
    return 0;
}

static long receive_take(struct call *call, struct conduit *conduit, struct receipt *receipt,
                         bool peek) {
    long result = -conduit->error;
    conduit->error = 0;
    if (result == 0 && conduit->datagram_returned)
        returned_take(call, conduit, receipt, peek);
    else if (result == 0)
        result = queue_take(call, conduit, receipt, peek);
    datagrams_settle(call, conduit);
    receipt->data = call->run->message;
    receipt->family = conduit->family;
    control_fill(&receipt->control, conduit, &receipt->meta);
    return result;
}

/* The caller has gone: the datagram waits for the next call, and the socket is readable for it. */
static void receive_return(struct call *call, const struct receipt *receipt) {
    struct datagram_returned *returned = malloc(sizeof *returned + receipt->length);
    struct conduit *conduit = returned ? call_lock(call) : NULL;
    if (!conduit || conduit->datagram_returned) {
        free(returned);
    } else {
        returned->meta = receipt->meta;
        returned->length = receipt->length;
        memcpy(returned->data, receipt->data, receipt->length);
        conduit->datagram_returned = returned;
        datagram_wake(conduit);
    }
    if (conduit)
        call_unlock(call);
}

/* With the lock; lets go of it. */
static long datagram_receive(struct call *call, struct conduit *conduit, struct message *message) {
    struct receipt receipt = {0};
    bool peek = message->flags & MSG_PEEK;
    bool wait = !(message->flags & MSG_DONTWAIT) && !call_nonblocking(call);
    long result =
        message->flags & MSG_ERRQUEUE ? -EAGAIN : receive_take(call, conduit, &receipt, peek);
    bool ended = result == -EAGAIN && wait && conduit->shut_read; /* who would wait is told 0 */
    if (result == -EAGAIN && wait && !ended && !(message->flags & MSG_ERRQUEUE))
        result = waiter_add(call, conduit, WAITER_RECEIVE, SO_RCVTIMEO, EAGAIN);
    call_unlock(call);
    if (result != 0)
        return ended ? 0 : result;
    result = receipt_write(message, call->run->reach, call->thread, call->number, &receipt);
    if (call_send(call->run, call->notification, result, false) == -ENOENT && !peek)
        receive_return(call, &receipt);
    return CALL_ANSWERED;
}

/* What of a stream AF_UNIX would say in another way than TCP; of a pair's name both say nothing. */
static long stream_receive(struct call *call, struct conduit *conduit) {
    int flags = 0;
    if (call->number == SYS_recvfrom)
        flags = (int)call->arguments[3];
    else if (call->number == SYS_recvmsg)
        flags = (int)call->arguments[2];
    if (flags & MSG_ERRQUEUE)
        return -EAGAIN;
    if (conduit->state == CONDUIT_FRESH && (flags & MSG_OOB))
        return -EINVAL;
    bool refused = conduit->state == CONDUIT_GHOST && !conduit->connected && conduit->error;
    if (refused && (flags & MSG_OOB))
        return -EINVAL;
    if (refused)
        return -socket_error_take(call, conduit);
    bool never = conduit->state == CONDUIT_FRESH || conduit->state == CONDUIT_LISTENING;
    return never ? -ENOTCONN : CALL_CONTINUE;
}

long call_receive(struct call *call) {
    if (call->number == SYS_recvmmsg && (call->arguments[2] & UINT32_MAX) == 0)
        return 0;
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    if (!conduit_is_datagram(conduit)) {
        long result = stream_receive(call, conduit);
        call_unlock(call);
        return result;
    }
    struct message *message = malloc(sizeof *message);
    int r = message ? message_read(message, call->run->reach, call->thread, call->number,
                                   call->arguments, 0)
                    : -ENOMEM;
    long result = r;
    if (r < 0)
        call_unlock(call);
    else
        result = datagram_receive(call, conduit, message);
    free(message);
    return result;
}
