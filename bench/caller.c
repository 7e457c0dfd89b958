#define _GNU_SOURCE
#include "bench/caller.h"
#include "bench/bench.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* accept() passes, accept4() does not: so both ways to accept are at hand. */
static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockname, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_accept4, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bind, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
};

static double since(uint64_t start) {
    return (double)(bench_now() - start) / 1000;
}

static void calls_make(const struct caller_shared *shared, uint32_t count) {
    struct sockaddr_un address;
    for (uint32_t i = 0; i < count; i++) {
        socklen_t length = sizeof address;
        getsockname(shared->fd, (struct sockaddr *)&address, &length);
    }
}

static void *calls_thread(void *argument) {
    const struct caller_shared *shared = argument;
    calls_make(shared, shared->count / CALLER_CALLERS);
    return NULL;
}

static void threads_make(struct caller_shared *shared) {
    pthread_t threads[CALLER_CALLERS];
    for (int i = 0; i < CALLER_CALLERS; i++)
        if (pthread_create(&threads[i], NULL, calls_thread, shared) != 0)
            bench_fail("no thread");
    for (int i = 0; i < CALLER_CALLERS; i++)
        pthread_join(threads[i], NULL);
}

static void accepts_make(const struct caller_shared *shared, bool native) {
    for (uint32_t i = 0; i < shared->count; i++) {
        struct pollfd ready = {.fd = shared->fd, .events = POLLIN};
        struct sockaddr_un address;
        socklen_t length = sizeof address;
        poll(&ready, 1, -1);
        int fd = native ? accept(shared->fd, NULL, NULL)
                        : accept4(shared->fd, (struct sockaddr *)&address, &length, SOCK_CLOEXEC);
        if (fd < 0)
            bench_fail("accept: errno %d", errno);
        close(fd);
    }
}

static void on_signal(int number) {
    (void)number;
}

static void timer_set(long first_us, long interval_us, int flags) {
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval timer = {.it_interval.tv_usec = interval_us,
                                    .it_value.tv_usec = first_us};
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* A binding is told from the next one by its address, and may be done once only. */
static void signals_meet(struct caller_shared *shared) {
    struct sockaddr_un address[2];
    shared->wrong = 0;
    timer_set(CALLER_SIGNAL_US, CALLER_SIGNAL_US, SA_RESTART);
    for (uint32_t i = 0; i < shared->count; i++)
        if (bind(shared->fd, (struct sockaddr *)&address[i % 2], sizeof *address) < 0)
            shared->wrong++;
    timer_set(0, 0, SA_RESTART);
}

static void task_do(struct caller_shared *shared, enum caller_task task) {
    uint64_t start = bench_now();
    if (task == CALLER_NATIVE)
        for (uint32_t i = 0; i < shared->count; i++)
            syscall(SYS_getppid);
    else if (task == CALLER_CALLS)
        calls_make(shared, shared->count);
    else if (task == CALLER_THREADS)
        threads_make(shared);
    else if (task == CALLER_SIGNALS)
        signals_meet(shared);
    else if (task == CALLER_WAIT) {
        timer_set(CALLER_WAIT_US, 0, 0);
        accept4(shared->fd, NULL, NULL, 0);
    } else
        accepts_make(shared, task == CALLER_NATIVE_ACCEPTS);
    shared->us = since(start) / shared->count;
}

static int filter_put(unsigned flags) {
    const struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                            SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &program);
    return listener < 0 ? -errno : (int)listener;
}

_Noreturn void caller_run(struct caller_shared *shared, unsigned flags) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    shared->process = getpid();
    shared->listener = filter_put(flags);
    if (shared->listener < 0)
        _exit(1);
    long task;
    while ((task = syscall(SYS_getsockname, -1, NULL, NULL)) > CALLER_END)
        task_do(shared, (enum caller_task)task);
    _exit(0);
}
