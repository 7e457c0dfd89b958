/* Who answers a caller's notified calls (bench/caller.h), in one way or another; bench/ways.c says
 * which are compared. */
#ifndef BENCH_SUPERVISOR_H
#define BENCH_SUPERVISOR_H

#include "bench/caller.h"
#include "tool/daemon/reach.h"

#include <linux/seccomp.h>
#include <stdbool.h>

/* Whether the two run on one processor, on two, or where the kernel puts them. */
enum placement { SAME_CORE, OTHER_CORE, ANYWHERE, PLACEMENTS };

struct supervisor {
    struct caller_shared *shared;
    pid_t guard, caller;
    int listener;
    struct reach *direct, *by_guard; /* the caller's memory and descriptors */
    struct reach *reach;             /* the one in use */
    uint64_t pending;                /* the caller's wait for its next task */
    /* The caller's socket and the end that is held: a connection, or a listener's stand-in. */
    int end, held;
    int real; /* an AF_UNIX listener */
    /* Accepting. */
    uint32_t offered;
    /* Bindings: the one that was made last, and whether it may be given again. */
    uint64_t bound;
    bool replaying;
};

typedef void answer_function(struct supervisor *supervisor, const struct seccomp_notif *call);

/* flags: of seccomp(2). False if the kernel has no such flag. */
bool supervisor_start(struct supervisor *supervisor, unsigned flags);
void supervisor_stop(struct supervisor *supervisor);
/* False: there is one processor only. */
bool supervisor_place(const struct supervisor *supervisor, enum placement placement);
/* False: the kernel cannot. */
bool supervisor_wake_synchronously(const struct supervisor *supervisor, bool on);

/* Has `count` calls on descriptor `fd` made and answered; µs for each. */
double supervisor_do(struct supervisor *supervisor, enum caller_task task, int fd, uint32_t count,
                     answer_function *answer);

/* ---- ways to answer ---- */

answer_function answer_bare;     /* at once */
answer_function answer_taken;    /* identified by a duplicate of the descriptor and its cookie */
answer_function answer_readlink; /* identified by /proc/TID/fd/N */
answer_function answer_name;     /* all of getsockname(): identified, memory read and written */

answer_function answer_octet; /* accept: the listener's stand-in was made readable by octets */
answer_function answer_real;  /* accept: on a duplicate of a real listener */
/* Makes `count` connections wait: µs for each. */
double offer_octets(struct supervisor *supervisor, uint32_t count);
double offer_connections(struct supervisor *supervisor, uint32_t count);

answer_function answer_bind; /* which fails when it is done twice */
answer_function answer_late; /* not before the caller has given up, or 50 ms have passed */

#endif
