/* A program whose calls are notified, and what it is told to do: the far side of bench/ways.c.
 *
 * It asks for its next task by a notified call as well, getsockname(-1, NULL, NULL), whose result
 * is the task; so nothing but the listener joins it to its supervisor. */
#ifndef BENCH_CALLER_H
#define BENCH_CALLER_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum caller_task {
    CALLER_END,
    CALLER_NATIVE,         /* calls that pass the filter */
    CALLER_CALLS,          /* getsockname() */
    CALLER_THREADS,        /* the same by CALLER_CALLERS threads at once */
    CALLER_ACCEPTS,        /* poll(), then accept4() with the address: notified */
    CALLER_NATIVE_ACCEPTS, /* poll(), then accept(fd, NULL, NULL): not notified */
    CALLER_SIGNALS,        /* bind() while a timer's signals come */
    CALLER_WAIT            /* one accept4() that is not answered, and a signal */
};
enum { CALLER_CALLERS = 4, CALLER_SIGNAL_US = 200, CALLER_WAIT_US = 2000 };

/* In memory that both share. */
struct caller_shared {
    _Atomic pid_t process;
    _Atomic int listener; /* its number in the caller, or a negative errno; 0 until then */
    uint32_t count;       /* how many calls the next task is */
    int fd;               /* on what */
    double us;            /* what one of them took */
    uint32_t wrong;       /* how many gave a wrong result */
};

/* Puts the calling process under a filter with further seccomp(2) flags, and does tasks until it is
 * told to end. */
_Noreturn void caller_run(struct caller_shared *shared, unsigned flags);

#endif
