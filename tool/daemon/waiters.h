/* Calls that wait: accept() with nobody in the queue, connect() on its way, receiving with nothing
 * there.
 *
 * The kernel does not tell when a waiting call was interrupted by a signal or its thread killed;
 * its answer just finds nobody (ENOENT). So whoever serves a waiter must be able to take back what
 * it was given. A thread waits in one call at most: its next call makes an older waiter void. */
#ifndef TOOL_DAEMON_WAITERS_H
#define TOOL_DAEMON_WAITERS_H

#include "tool/daemon/call.h"

enum waiter_kind { WAITER_ACCEPT = 1, WAITER_CONNECT, WAITER_RECEIVE };

struct waiter {
    struct waiter *next;     /* of the conduit, oldest first */
    struct waiter *run_next; /* of the run, newest first */
    struct conduit *conduit;
    struct run *run;
    enum waiter_kind kind;
    uint64_t notification;
    pid_t thread;
    int number; /* of the call */
    uint64_t arguments[6];
    uint64_t deadline;     /* BERTH_NEVER: none */
    int timeout_error;     /* positive errno */
    struct conduit *spare; /* for the connection that accept() waits for; NULL: none could be had */
};

/* With the lock. Makes `call` wait on the conduit. timeout_option: SO_RCVTIMEO or SO_SNDTIMEO, read
 * from the program's end; its passing answers timeout_error. Returns CALL_ANSWERED, or -ENOMEM. */
long waiter_add(struct call *call, struct conduit *conduit, enum waiter_kind kind,
                int timeout_option, int timeout_error);
/* The oldest of that kind, or NULL. */
struct waiter *waiter_first(struct conduit *conduit, enum waiter_kind kind);
void waiter_remove(struct waiter *waiter);
/* Answers and removes it. 0, or -ENOENT when the caller has gone (removed all the same). */
int waiter_answer(struct waiter *waiter, long result);
/* Answers all of a conduit's waiters with -error; those of connect() that wait for it too. */
void waiters_fail(struct conduit *conduit, int error);
/* A call that was interrupted and restarted still has its first deadline: that of the thread's
 * waiter if it waited in the same call, else BERTH_NEVER. */
uint64_t waiter_deadline_of(const struct call *call);
/* Removes what a thread, or (thread 0) a whole run, waits for. */
void waiters_void(struct run *run, pid_t thread);
/* Answers those whose time has passed. */
void waiters_expire(struct server *server, uint64_t now);

#endif
