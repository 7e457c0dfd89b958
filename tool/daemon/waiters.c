#define _GNU_SOURCE
#include "tool/daemon/waiters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The timeout that the program set on its socket, which the kernel keeps: 0 is none. */
static uint64_t descriptor_timeout(int end, int option) {
    struct timeval time = {0};
    socklen_t length = sizeof time;
    if (getsockopt(end, SOL_SOCKET, option, &time, &length) < 0)
        return 0;
    return (uint64_t)time.tv_sec * BERTH_SECOND + (uint64_t)time.tv_usec * 1000;
}

long waiter_add(struct call *call, struct conduit *conduit, enum waiter_kind kind,
                int timeout_option, int timeout_error) {
    struct waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        return -ENOMEM;
    waiter->conduit = conduit;
    waiter->run = call->run;
    waiter->kind = kind;
    waiter->notification = call->notification;
    waiter->thread = call->thread;
    waiter->number = call->number;
    memcpy(waiter->arguments, call->arguments, sizeof waiter->arguments);
    uint64_t timeout = descriptor_timeout(call->end, timeout_option);
    waiter->deadline = timeout ? call->now + timeout : BERTH_NEVER;
    if (timeout && call->deadline > call->now && call->deadline < waiter->deadline)
        waiter->deadline = call->deadline;
    waiter->timeout_error = timeout_error;
    struct waiter **at = &conduit->waiters;
    while (*at)
        at = &(*at)->next;
    *at = waiter;
    waiter->run_next = call->run->waiters;
    call->run->waiters = waiter;
    call->run->waiter_count++;
    if (waiter->deadline < call->server->waiters_deadline)
        call->server->waiters_deadline = waiter->deadline;
    return CALL_ANSWERED;
}

struct waiter *waiter_first(struct conduit *conduit, enum waiter_kind kind) {
    struct waiter *waiter = conduit->waiters;
    while (waiter && waiter->kind != kind)
        waiter = waiter->next;
    return waiter;
}

void waiter_remove(struct waiter *waiter) {
    struct waiter **at = &waiter->conduit->waiters;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    for (at = &waiter->run->waiters; *at != waiter;)
        at = &(*at)->run_next;
    *at = waiter->run_next;
    waiter->run->waiter_count--;
    if (waiter->spare)
        conduit_free(waiter->spare);
    free(waiter);
}

int waiter_answer(struct waiter *waiter, long result) {
    int r = call_send(waiter->run, waiter->notification, result, false);
    waiter_remove(waiter);
    return r;
}

void waiters_fail(struct conduit *conduit, int error) {
    while (conduit->waiters)
        waiter_answer(conduit->waiters, -error);
}

uint64_t waiter_deadline_of(const struct call *call) {
    for (const struct waiter *w = call->run->waiters; w; w = w->run_next)
        if (w->thread == call->thread && w->number == call->number &&
            w->arguments[0] == call->arguments[0] && w->arguments[1] == call->arguments[1])
            return w->deadline;
    return BERTH_NEVER;
}

void waiters_void(struct run *run, pid_t thread) {
    struct waiter *next;
    for (struct waiter *w = run->waiters; w; w = next) {
        next = w->run_next;
        if (thread == 0 || w->thread == thread)
            waiter_remove(w);
    }
}

static void run_expire(struct server *server, struct run *run, uint64_t now) {
    struct waiter *next;
    for (struct waiter *w = run->waiters; w; w = next) {
        next = w->run_next;
        if (w->deadline <= now)
            waiter_answer(w, -w->timeout_error);
        else if (w->deadline < server->waiters_deadline)
            server->waiters_deadline = w->deadline;
    }
}

void waiters_expire(struct server *server, uint64_t now) {
    if (now < server->waiters_deadline)
        return;
    server->waiters_deadline = BERTH_NEVER;
    for (struct run *run = server->runs; run; run = run->next)
        run_expire(server, run, now);
}
