#define _GNU_SOURCE
#include "bench/supervisor.h"
#include "bench/bench.h"
#include "tool/runner/newer.h"
#include "tool/runner/pidfd.h"
#include "tool/runner/reach_server.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the processes ---- */

static void guard_run(struct caller_shared *shared, unsigned flags, int supervisor) {
    struct reach_server *server = reach_server_new();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid_t child = server ? fork() : -1;
    if (child == 0)
        caller_run(shared, flags);
    while (child > 0 && reach_server_answer(server, supervisor) == 0)
        ;
    waitpid(child, NULL, 0);
    _exit(0);
}

static void sockets_make(struct supervisor *s) {
    int pair[2];
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    s->real = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* An address of the family alone: the kernel picks a name. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || s->real < 0 ||
        bind(s->real, (const struct sockaddr *)&any, sizeof(sa_family_t)) < 0 ||
        listen(s->real, 128) < 0)
        bench_fail("sockets: %s", strerror(errno));
    s->end = pair[0];
    s->held = pair[1];
}

/* Takes the listener out of the caller. False: it got none. */
static bool listener_take(struct supervisor *s) {
    while (s->shared->listener == 0)
        usleep(1000);
    s->caller = s->shared->process;
    if (s->shared->listener < 0)
        return false;
    int process = pidfd_of(s->caller);
    s->listener = pidfd_take(process, s->shared->listener);
    close(process);
    if (s->listener < 0)
        bench_fail("the caller cannot be reached: %s", strerror(-s->listener));
    return true;
}

static uint64_t next_call(struct supervisor *s, struct seccomp_notif *call) {
    do
        memset(call, 0, sizeof *call);
    while (ioctl(s->listener, SECCOMP_IOCTL_NOTIF_RECV, call) < 0 &&
           (errno == EINTR || errno == ENOENT));
    return call->id;
}

bool supervisor_start(struct supervisor *s, unsigned flags) {
    int pair[2];
    memset(s, 0, sizeof *s);
    sockets_make(s);
    s->listener = -1;
    s->shared =
        mmap(NULL, sizeof *s->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s->shared == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        bench_fail("%s", strerror(errno));
    s->guard = fork();
    if (s->guard < 0)
        bench_fail("fork: %s", strerror(errno));
    if (s->guard == 0) {
        close(pair[0]);
        guard_run(s->shared, flags, pair[1]);
    }
    close(pair[1]);
    bool taken = listener_take(s);
    /* No process has number 0: that reach finds no direct way, and takes the guard's. */
    s->by_guard = reach_new(pair[0], 0);
    s->direct = reach_new(-1, s->caller);
    s->reach = s->direct;
    if (!s->by_guard || !s->direct)
        bench_fail("no memory");
    struct seccomp_notif call;
    if (taken)
        s->pending = next_call(s, &call);
    return taken;
}

static int answer_send(const struct supervisor *s, uint64_t call, long value, int error) {
    struct seccomp_notif_resp response = {.id = call, .val = value, .error = error};
    return ioctl(s->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 ? -errno : 0;
}

void supervisor_stop(struct supervisor *s) {
    if (s->listener >= 0)
        answer_send(s, s->pending, CALLER_END, 0);
    reach_free(s->by_guard); /* the guard hears it, waits for the caller, and ends */
    reach_free(s->direct);
    waitpid(s->guard, NULL, 0);
    const int all[] = {s->listener, s->end, s->held, s->real};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] >= 0)
            close(all[i]);
    munmap(s->shared, sizeof *s->shared);
}

bool supervisor_place(const struct supervisor *s, enum placement placement) {
    static cpu_set_t all;
    if (CPU_COUNT(&all) == 0)
        sched_getaffinity(0, sizeof all, &all);
    cpu_set_t mine = all, others = all;
    if (placement != ANYWHERE) {
        int first = 0;
        while (!CPU_ISSET(first, &all))
            first++;
        CPU_ZERO(&mine);
        CPU_SET(first, &mine);
        others = mine;
        if (placement == OTHER_CORE)
            CPU_XOR(&others, &mine, &all);
    }
    if (CPU_COUNT(&others) == 0 || (placement != SAME_CORE && CPU_COUNT(&all) == 1))
        return false;
    /* The guard is beside the supervisor: of all places, the best for it. */
    sched_setaffinity(0, sizeof mine, &mine);
    sched_setaffinity(s->guard, sizeof mine, &mine);
    sched_setaffinity(s->caller, sizeof others, &others);
    return true;
}

bool supervisor_wake_synchronously(const struct supervisor *s, bool on) {
    return ioctl(s->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                 on ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0UL) == 0;
}

static bool asks_for_a_task(const struct seccomp_notif *call) {
    return call->data.nr == SYS_getsockname && (int)call->data.args[0] == -1;
}

double supervisor_do(struct supervisor *s, enum caller_task task, int fd, uint32_t count,
                     answer_function *answer) {
    struct seccomp_notif call;
    s->shared->count = count;
    s->shared->fd = fd;
    answer_send(s, s->pending, task, 0);
    while (next_call(s, &call), !asks_for_a_task(&call))
        answer(s, &call);
    s->pending = call.id;
    return s->shared->us;
}

/* ---- a call that is answered ---- */

void answer_bare(struct supervisor *s, const struct seccomp_notif *call) {
    answer_send(s, call->id, 0, 0);
}

/* What a daemon finds its socket by. */
static uint64_t cookie_take(struct supervisor *s, const struct seccomp_notif *call) {
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    int fd = reach_descriptor(s->reach, (pid_t)call->pid, (int)call->data.args[0]);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0)
        bench_fail("a descriptor cannot be taken: %s", strerror(fd < 0 ? -fd : errno));
    close(fd);
    return cookie;
}

void answer_taken(struct supervisor *s, const struct seccomp_notif *call) {
    cookie_take(s, call);
    answer_send(s, call->id, 0, 0);
}

void answer_readlink(struct supervisor *s, const struct seccomp_notif *call) {
    char path[48], target[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)call->pid, (int)call->data.args[0]);
    if (readlink(path, target, sizeof target) < 0)
        bench_fail("%s: %s", path, strerror(errno));
    answer_send(s, call->id, 0, 0);
}

/* An address as getsockname() and accept() give it. */
static void address_give(struct supervisor *s, const struct seccomp_notif *call) {
    const char address[16] = {AF_INET};
    const socklen_t full = sizeof address;
    socklen_t room;
    const struct reach_piece pieces[] = {{call->data.args[1], address, sizeof address},
                                         {call->data.args[2], &full, sizeof full}};
    int r = reach_read(s->reach, (pid_t)call->pid, call->data.args[2], &room, sizeof room);
    if (r == 0)
        r = reach_write(s->reach, (pid_t)call->pid, pieces, 2);
    if (r < 0)
        bench_fail("memory cannot be reached: %s", strerror(-r));
}

void answer_name(struct supervisor *s, const struct seccomp_notif *call) {
    cookie_take(s, call);
    address_give(s, call);
    answer_send(s, call->id, 0, 0);
}

/* ---- accept ---- */

static void connection_give(struct supervisor *s, const struct seccomp_notif *call, int end) {
    struct seccomp_notif_addfd request = {.id = call->id,
                                          .flags = SECCOMP_ADDFD_FLAG_SEND,
                                          .srcfd = (uint32_t)end,
                                          .newfd_flags = O_CLOEXEC};
    address_give(s, call);
    if (ioctl(s->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &request) < 0)
        bench_fail("ADDFD: %s", strerror(errno));
}

void answer_octet(struct supervisor *s, const struct seccomp_notif *call) {
    int pair[2], end = reach_descriptor(s->reach, (pid_t)call->pid, (int)call->data.args[0]);
    uint64_t cookie;
    socklen_t length = sizeof cookie;
    if (end < 0 || getsockopt(end, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        bench_fail("accept: %s", strerror(errno));
    connection_give(s, call, pair[0]);
    char octets[128];
    if (--s->offered == 0 && recv(end, octets, sizeof octets, MSG_DONTWAIT) <= 0)
        bench_fail("no octets: %s", strerror(errno));
    close(pair[0]);
    close(pair[1]);
    close(end);
}

void answer_real(struct supervisor *s, const struct seccomp_notif *call) {
    int end = reach_descriptor(s->reach, (pid_t)call->pid, (int)call->data.args[0]);
    int connection = accept4(end, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
        bench_fail("accept: %s", strerror(errno));
    connection_give(s, call, connection);
    close(connection);
    close(end);
}

double offer_octets(struct supervisor *s, uint32_t count) {
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++)
        if (send(s->held, "", 1, MSG_NOSIGNAL) != 1)
            bench_fail("an octet: %s", strerror(errno));
    s->offered = count;
    return (double)(bench_now() - start) / 1000 / count;
}

/* Each from a socket of a name of its own, by which the accepted one is found again. */
double offer_connections(struct supervisor *s, uint32_t count) {
    static uint32_t number;
    struct sockaddr_un to;
    socklen_t length = sizeof to;
    uint64_t start = bench_now();
    if (getsockname(s->real, (struct sockaddr *)&to, &length) < 0)
        bench_fail("getsockname: %s", strerror(errno));
    for (uint32_t i = 0; i < count; i++) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "berth-ways-%d-%u",
                         (int)getpid(), number++);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 ||
            bind(fd, (struct sockaddr *)&name,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) < 0 ||
            connect(fd, (struct sockaddr *)&to, length) < 0)
            bench_fail("a connection: %s", strerror(errno));
        close(fd);
    }
    return (double)(bench_now() - start) / 1000 / count;
}

/* ---- signals ---- */

void answer_bind(struct supervisor *s, const struct seccomp_notif *call) {
    bool again = call->data.args[1] == s->bound;
    s->bound = call->data.args[1];
    answer_send(s, call->id, 0, again && !s->replaying ? -EINVAL : 0);
}

void answer_late(struct supervisor *s, const struct seccomp_notif *call) {
    uint64_t until = bench_now() + 50000000;
    uint64_t id = call->id;
    while (ioctl(s->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0 && bench_now() < until)
        usleep(50);
    answer_send(s, call->id, 0, -EAGAIN);
}
