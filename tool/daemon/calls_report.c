/* Reports of errors: receiving with MSG_ERRQUEUE, which never waits. */
#define _GNU_SOURCE
#include "tool/daemon/receipt.h"
#include "tool/daemon/waiters.h"

#include <errno.h>
#include <stdlib.h>

/* The one that came back from a caller who had gone. */
static void returned_take(struct call *call, struct conduit *conduit,
                          struct berth_error_report *report) {
    struct report_returned *returned = conduit->report_returned;
    *report = returned->what;
    memcpy(call->run->message, returned->quote, report->length);
    conduit->report_returned = NULL;
    free(returned);
}

/* SO_ERROR is about the next one afterwards, or about none. */
static long report_take(struct call *call, struct conduit *conduit,
                        struct berth_error_report *report) {
    struct berth_host *host = conduit_host(call->server, conduit);
    if (conduit->report_returned) {
        returned_take(call, conduit, report);
        return 0;
    }
    if (!host)
        return -EAGAIN;
    long result = berth_socket_receive_report(host, conduit->socket, call->run->message,
                                              MESSAGE_MAX, report, 0);
    if (result < 0)
        return -EAGAIN;
    int error = 0;
    berth_socket_get_option(host, conduit->socket, BERTH_SO_ERROR, &error);
    if (error || report->origin != BERTH_BY_HOST)
        conduit->error = error;
    server_touch(call->server, conduit);
    return 0;
}

static void report_return(struct call *call, const struct berth_error_report *report) {
    struct report_returned *returned = malloc(sizeof *returned + report->length);
    struct conduit *conduit = returned ? call_lock(call) : NULL;
    if (!conduit || conduit->report_returned) {
        free(returned);
    } else {
        returned->what = *report;
        memcpy(returned->quote, call->run->message, report->length);
        conduit->report_returned = returned;
        if (conduit_is_datagram(conduit))
            datagram_wake(conduit);
    }
    if (conduit)
        call_unlock(call);
}

long report_receive(struct call *call, struct conduit *conduit, const struct message *message) {
    struct berth_error_report report;
    struct receipt receipt = {.data = call->run->message};
    long result = report_take(call, conduit, &report);
    if (result == 0)
        receipt_of_report(&receipt, conduit, message, &report);
    if (conduit_is_datagram(conduit))
        datagrams_settle(call, conduit);
    call_unlock(call);
    if (result < 0)
        return result;
    result = receipt_write(message, call->run->reach, call->thread, call->number, &receipt);
    if (call_send(call->run, call->notification, result, false) == -ENOENT)
        report_return(call, &report);
    return CALL_ANSWERED;
}
