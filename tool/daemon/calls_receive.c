/* Receiving datagrams with their addresses: recvfrom, recvmsg and recvmmsg anywhere, and all
 * receiving from descriptors in the notified range.
 *
 * The datagram is looked at (MSG_PEEK) in the program's queue through a duplicate of its end,
 * written into the program's memory, and taken out only when the answer has found the caller: a
 * signal in between loses nothing. */
#define _GNU_SOURCE
#include "tool/daemon/datagram_queue.h"
#include "tool/daemon/receipt.h"
#include "tool/daemon/waiters.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* ---- who waits ---- */

bool datagram_offer(struct server *server, struct conduit *conduit, const uint8_t *data,
                    size_t length, const struct datagram_note *note) {
    struct waiter *waiter;
    (void)server;
    if (!conduit->waiters || conduit->datagrams.count > conduit->datagrams.wakes)
        return false;
    struct message *message = malloc(sizeof *message);
    bool taken = false;
    while (message && !taken && (waiter = waiter_first(conduit, WAITER_RECEIVE))) {
        struct reach *reach = waiter->run->reach;
        struct receipt receipt = {.data = data,
                                  .length = length,
                                  .meta = note->meta,
                                  .arrived = note->arrived,
                                  .family = conduit->family};
        long result =
            message_read(message, reach, waiter->thread, waiter->number, waiter->arguments, 0);
        receipt_control(&receipt, conduit, message);
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

/* Something is to be told that is no datagram: wakes stay. */
static bool news_wait(struct call *call, const struct conduit *conduit) {
    const struct berth_host *host = conduit_host(call->server, conduit);
    return conduit->error != 0 || conduit->datagram_returned || conduit->report_returned ||
           (host && berth_socket_readiness(host, conduit->socket) & BERTH_ERROR);
}

void datagrams_settle(struct call *call, struct conduit *conduit) {
    int octets = 0;
    if (ioctl(call->end, FIONREAD, &octets) == 0)
        datagram_queue_sync(&conduit->datagrams, (size_t)octets);
    struct datagram_note *note;
    while ((note = datagram_queue_first(&conduit->datagrams)) && note->is_wake &&
           !news_wait(call, conduit))
        head_drop(call, conduit);
}

/* The datagram that came back from a caller who had gone. */
static void returned_take(struct call *call, struct conduit *conduit, struct receipt *receipt,
                          bool peek) {
    struct datagram_returned *returned = conduit->datagram_returned;
    memcpy(call->run->message, returned->data, returned->length);
    receipt->length = returned->length;
    receipt->meta = returned->meta;
    receipt->arrived = returned->arrived;
    if (peek)
        return;
    conduit->datagram_returned = NULL;
    free(returned);
}

/* Wakes that are to stay let the datagrams behind them pass. True if there were any. */
static bool wakes_remove(struct call *call, struct conduit *conduit) {
    bool any = false;
    while (datagram_queue_first(&conduit->datagrams) &&
           datagram_queue_first(&conduit->datagrams)->is_wake) {
        head_drop(call, conduit);
        any = true;
    }
    return any;
}

/* The oldest datagram of the queue. 0 or a negative errno. */
static long queue_take(struct call *call, struct conduit *conduit, struct receipt *receipt,
                       bool peek) {
    datagrams_settle(call, conduit);
    unsigned wakes = conduit->datagrams.wakes;
    if (wakes && wakes == conduit->datagrams.count)
        return -EAGAIN;
    bool wake = wakes_remove(call, conduit);
    ssize_t n =
        recv(call->end, call->run->message, MESSAGE_MAX, MSG_DONTWAIT | (peek ? MSG_PEEK : 0));
    int error = n < 0 ? errno : 0;
    const struct datagram_note *note = datagram_queue_first(&conduit->datagrams);
    if (!error && !note && n == 0 && conduit->shut_read) /* the end of AF_UNIX, no datagram */
        error = EAGAIN;
    if (!error && note) {
        receipt->meta = note->meta;
        receipt->arrived = note->arrived;
    }
    if (!error && note && !peek)
        datagram_queue_pop(&conduit->datagrams);
    if (wake)
        datagram_wake(conduit);
    receipt->length = error ? 0 : (size_t)n;
    return -error;
}

static long receive_take(struct call *call, struct conduit *conduit, const struct message *message,
                         struct receipt *receipt) {
    bool peek = message->flags & MSG_PEEK;
    long result = -conduit->error;
    conduit->error = 0;
    if (result == 0 && conduit->datagram_returned)
        returned_take(call, conduit, receipt, peek);
    else if (result == 0)
        result = queue_take(call, conduit, receipt, peek);
    datagrams_settle(call, conduit);
    receipt->data = call->run->message;
    receipt->family = conduit->family;
    receipt_control(receipt, conduit, message);
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
        returned->arrived = receipt->arrived;
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
    long result = receive_take(call, conduit, message, &receipt);
    bool ended = result == -EAGAIN && wait && conduit->shut_read; /* who would wait is told 0 */
    if (result == -EAGAIN && wait && !ended)
        result = waiter_add(call, conduit, WAITER_RECEIVE, SO_RCVTIMEO, EAGAIN);
    call_unlock(call);
    if (result != 0)
        return ended ? 0 : result;
    result = receipt_write(message, call->run->reach, call->thread, call->number, &receipt);
    if (call_send(call->run, call->notification, result, false) == -ENOENT && !peek)
        receive_return(call, &receipt);
    return CALL_ANSWERED;
}

/* Of the calls whose flags are in a register; of the others 0. */
static int flags_of(const struct call *call) {
    switch (call->number) {
    case SYS_recvfrom:
    case SYS_recvmmsg:
        return (int)call->arguments[3];
    case SYS_recvmsg:
        return (int)call->arguments[2];
    default:
        return 0;
    }
}

/* What of a stream AF_UNIX would say in another way than TCP; of a pair's name both say nothing. */
static long stream_receive(struct call *call, struct conduit *conduit) {
    int flags = flags_of(call);
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

/* Of recvmmsg: the time is looked at, and then nobody waits for a second message. 0 or a negative
 * errno. */
static int time_check(struct call *call) {
    struct timespec time;
    uint64_t at = call->number == SYS_recvmmsg ? call->arguments[4] : 0;
    int r = at ? reach_read(call->run->reach, call->thread, at, &time, sizeof time) : 0;
    if (r < 0 || !at)
        return r;
    return time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec > 999999999 ? -EINVAL : 0;
}

long call_receive(struct call *call) {
    if (call->number == SYS_recvmmsg && (call->arguments[2] & UINT32_MAX) == 0)
        return 0;
    int invalid = time_check(call);
    if (invalid)
        return invalid;
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    bool report = flags_of(call) & MSG_ERRQUEUE;
    if (!conduit_is_datagram(conduit) && !report) {
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
    else if (report)
        result = report_receive(call, conduit, message);
    else
        result = datagram_receive(call, conduit, message);
    free(message);
    return result;
}
