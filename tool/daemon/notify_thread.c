/* One thread for each run: it waits for notified calls, has them handled, and answers.
 *
 * Signals. A signal that comes between the arrival of a call and its answer ends the call in the
 * program (EINTR, or the kernel restarts it). The filter could ask the kernel to hold signals back
 * meanwhile (WAIT_KILLABLE_RECV), but then a program that waits in accept(), connect() or
 * recvfrom() could not be interrupted or stopped, and that is where programs are when signals come.
 * So instead a lost answer must do no harm. What gives something away (accept, a received datagram)
 * takes it back. Else the result is kept, and the same thread's next call, if it is the very same
 * one, gets it without anything being done a second time.
 *
 * Mostly the kernel says that an answer was lost: ENOENT. But when the thread has seen its signal
 * and not yet said so, the answer seems to arrive and is thrown away (measured: with the two on
 * different processors, in about one of a hundred calls that a signal hits). So the answers of
 * those calls that would say something else the second time are given again in any case, if the
 * same call comes again at once from a program that catches signals, and once more for as long as
 * it does, since the second answer may be lost as the first was: nobody binds or connects twice in
 * the same way, one after the other, and asks for nothing in between. */
#define _GNU_SOURCE
#include "tool/daemon/call.h"
#include "tool/daemon/waiters.h"
#include "tool/loop/clock.h"
#include "tool/runner/newer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REPLAY_NS = 1000000000 };

/* ---- which calls ---- */

static const struct handler {
    int number;
    unsigned arguments; /* how many the call has; what is in the other registers means nothing */
    bool no_end;        /* the first argument is no socket to be looked up */
    bool once;          /* done a second time, it would say something else */
    call_handler *handler;
} handlers[] = {
    {SYS_socket, 3, true, false, call_socket},
    {SYS_bind, 3, false, true, call_bind},
    {SYS_connect, 3, false, true, call_connect},
    {SYS_listen, 2, false, false, call_listen},
    {SYS_accept, 3, false, false, call_accept},
    {SYS_accept4, 4, false, false, call_accept4},
    {SYS_getsockname, 3, false, false, call_getsockname},
    {SYS_getpeername, 3, false, false, call_getpeername},
    {SYS_setsockopt, 5, false, false, call_setsockopt},
    {SYS_getsockopt, 5, false, false, call_getsockopt},
    {SYS_shutdown, 2, false, false, call_shutdown},
    {SYS_ioctl, 3, true, false, call_ioctl},
    {SYS_uname, 1, true, false, call_uname},
    {SYS_read, 3, false, false, call_receive},
    {SYS_readv, 3, false, false, call_receive},
    {SYS_recvfrom, 6, false, false, call_receive},
    {SYS_recvmsg, 3, false, false, call_receive},
    {SYS_recvmmsg, 5, false, false, call_receive},
    {SYS_write, 3, false, false, call_transmit},
    {SYS_writev, 3, false, false, call_transmit},
    {SYS_sendto, 6, false, false, call_transmit},
    {SYS_sendmsg, 3, false, false, call_transmit},
    {SYS_sendmmsg, 4, false, false, call_transmit},
};

static const struct handler *handler_find(int number) {
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (handlers[i].number == number)
            return &handlers[i];
    return NULL;
}

/* ---- answers ---- */

int call_send(struct run *run, uint64_t notification, long result, bool to_kernel) {
    struct seccomp_notif_resp response = {.id = notification};
    if (to_kernel)
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (result < 0)
        response.error = (int)result;
    else
        response.val = result;
    return ioctl(run->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 ? -errno : 0;
}

int call_install(struct run *run, uint64_t notification, int end, int number, bool close_on_exec) {
    struct seccomp_notif_addfd request = {
        .id = notification,
        .flags = SECCOMP_ADDFD_FLAG_SEND | (number >= 0 ? SECCOMP_ADDFD_FLAG_SETFD : 0),
        .srcfd = (uint32_t)end,
        .newfd = number >= 0 ? (uint32_t)number : 0,
        .newfd_flags = close_on_exec ? O_CLOEXEC : 0,
    };
    int installed;
    do
        installed = ioctl(run->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &request);
    while (installed < 0 && errno == EINPROGRESS);
    /* ESRCH: the signal came when the answer was under way already. */
    if (installed < 0)
        return errno == ESRCH ? -ENOENT : -errno;
    return installed;
}

static struct replay *replay_of(struct run *run, pid_t thread) {
    return &run->replays[(unsigned)thread % REPLAYS];
}

int call_answer(struct call *call, long result) {
    int r = call_send(call->run, call->notification, result, false);
    struct replay *replay = replay_of(call->run, call->thread);
    const struct handler *handler = handler_find(call->number);
    bool lost = r == -ENOENT, doubtful = handler && handler->once && result == 0;
    if (!lost && !doubtful)
        return r;
    replay->thread = call->thread;
    replay->number = call->number;
    memcpy(replay->arguments, call->arguments, sizeof replay->arguments);
    replay->result = result;
    replay->when = clock_now();
    replay->lost = lost;
    return r;
}

static bool replay_fits(const struct replay *replay, const struct call *call) {
    const struct handler *handler = handler_find(call->number);
    return handler && replay->number == call->number &&
           memcmp(replay->arguments, call->arguments,
                  handler->arguments * sizeof replay->arguments[0]) == 0 &&
           (replay->lost || clock_now() - replay->when < REPLAY_NS);
}

/* Whether the program has a handler for a signal that may come at any time. Of the others a lost
 * answer cannot come: they end the program, or it does not notice them. Those that are about an
 * end or a terminal are left out, as most interpreters catch them, and no program makes its call
 * again when they come. */
static bool signals_caught(pid_t thread) {
    static const int others[] = {SIGHUP, SIGINT,  SIGQUIT, SIGTERM, SIGILL,  SIGFPE, SIGSEGV,
                                 SIGBUS, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU, SIGSYS, SIGTRAP};
    unsigned long long caught = 0;
    char path[40], line[80];
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "SigCgt: %llx", &caught) == 1)
            break;
    if (file)
        fclose(file);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        caught &= ~(1ULL << (others[i] - 1));
    return caught != 0;
}

/* Any next call of the thread makes its kept result void; the same one gets it. */
static bool call_replay(struct call *call) {
    struct replay *replay = replay_of(call->run, call->thread);
    if (replay->thread != call->thread)
        return false;
    bool once = handler_find(call->number) && handler_find(call->number)->once;
    replay->thread = 0;
    if (!replay_fits(replay, call) || (!replay->lost && !signals_caught(call->thread)))
        return false;
    replay->lost = call_send(call->run, call->notification, replay->result, false) == -ENOENT;
    if (replay->lost || once) /* it is, or may be, lost again */
        replay->thread = call->thread;
    replay->when = clock_now();
    return true;
}

/* ---- what handlers share ---- */

struct conduit *call_lock(struct call *call) {
    call->now = server_enter(call->server);
    call->server->caller = call->run->host;
    end_note(call->run);
    struct conduit *conduit = conduit_find_cookie(&call->server->conduits, call->cookie);
    if (!conduit) {
        pthread_mutex_unlock(&call->server->lock);
        return NULL;
    }
    conduit->run = call->run;
    conduit->thread = call->thread;
    conduit->fd = (int)call->arguments[0];
    return conduit;
}

void call_unlock(struct call *call) {
    server_leave(call->server, call->now);
}

bool call_nonblocking(const struct call *call) {
    return (fcntl(call->end, F_GETFL) & O_NONBLOCK) != 0;
}

/* ---- dispatch ---- */

/* Finds the socket behind the first argument: 0, or what to answer. What cannot be looked at is
 * never left to the kernel, which would do a network's call on an AF_UNIX descriptor. */
static long call_identify(struct call *call) {
    call->end = reach_descriptor(call->run->reach, call->thread, (int)call->arguments[0]);
    if (call->end < 0)
        return call->end;
    call->cookie = descriptor_cookie(call->end);
    return call->cookie ? 0 : CALL_CONTINUE;
}

static long call_handle(struct call *call) {
    const struct handler *handler = handler_find(call->number);
    if (!handler)
        return CALL_CONTINUE;
    long result = handler->no_end ? 0 : call_identify(call);
    if (result || netlink_call(call, &result))
        return result;
    return handler->handler(call);
}

/* Said once in a run: such a program would be told EPERM by everything, and nobody would know why.
 * The kernel hides it from us, as it hides it from debuggers. */
static void hidden_note(struct run *run, pid_t thread) {
    char octet, text[200], path[40], name[20] = "a program";
    if (run->hidden_noted || !run->ops.note ||
        reach_read(run->reach, thread, 0, &octet, 1) != -EPERM)
        return;
    run->hidden_noted = true;
    snprintf(path, sizeof path, "/proc/%d/comm", (int)thread);
    FILE *file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%19[^\n]", name) < 1)
            name[0] = 0;
        fclose(file);
    }
    snprintf(text, sizeof text,
             "%s may not be looked into: its file is not readable by you, or it has hidden itself "
             "(a change of user, "
             "PR_SET_DUMPABLE). Its sockets' calls fail",
             name);
    run->ops.note(run->ops.context, text);
}

static void call_serve(struct run *run, const struct seccomp_notif *notification) {
    struct call call = {
        .server = run->server,
        .run = run,
        .notification = notification->id,
        .thread = (pid_t)notification->pid,
        .number = notification->data.nr,
        .arguments = (const uint64_t *)notification->data.args,
        .end = -1,
        .deadline = BERTH_NEVER,
    };
    atomic_fetch_add_explicit(&run->server->notified_calls, 1, memory_order_relaxed);
    if (call_replay(&call))
        return;
    if (run->waiter_count) {
        server_take(run->server);
        call.deadline = waiter_deadline_of(&call);
        waiters_void(run, call.thread);
        pthread_mutex_unlock(&run->server->lock);
    }
    long result = call_handle(&call);
    if (result == -EPERM)
        hidden_note(run, call.thread);
    if (result == CALL_CONTINUE)
        call_send(run, call.notification, 0, true);
    else if (result != CALL_ANSWERED)
        call_answer(&call, result);
    if (call.end >= 0)
        close(call.end);
}

/* Whether nobody is left under the filter. Since Linux 6.11 waiting for a call then does not sleep:
 * it fails as it does when a caller has gone before its call was taken. */
static bool deserted(const struct run *run) {
    struct pollfd listener = {.fd = run->listener};
    return poll(&listener, 1, 0) == 1 && (listener.revents & POLLHUP);
}

static void *notify_thread_run(void *argument) {
    struct run *run = argument;
    struct seccomp_notif notification;
    while (!run->stopping) {
        memset(&notification, 0, sizeof notification);
        if (ioctl(run->listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) == 0) {
            call_serve(run, &notification);
            data_help(run->server, run->listener);
        } else if (errno != EINTR && (errno != ENOENT || deserted(run)))
            break;
    }
    run->stopped = true;
    return NULL;
}

/* ---- runs ---- */

static void interrupt_nothing(int signal) {
    (void)signal;
}

/* The signal that gets a thread out of waiting for a call. It must not restart the wait. */
static int interrupt_prepare(void) {
    struct sigaction action = {.sa_handler = interrupt_nothing};
    return sigaction(SIGRTMIN, &action, NULL) < 0 ? -errno : 0;
}

static int run_start(struct run *run) {
    /* Better on the caller's own processor than waking another; older kernels do without. */
    ioctl(run->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    sigset_t mask, before;
    sigfillset(&mask);
    sigdelset(&mask, SIGRTMIN);
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    int r = pthread_create(&run->thread, NULL, notify_thread_run, run);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

static void run_free(struct run *run) {
    if (run->listener >= 0)
        close(run->listener);
    if (run->spare)
        conduit_free(run->spare);
    reach_free(run->reach);
    free(run);
}

int server_attach(struct server *server, int host, int listener, int reach, pid_t program,
                  const struct server_run_ops *ops) {
    struct run *run = calloc(1, sizeof *run);
    if (!run) {
        close(listener);
        if (reach >= 0)
            close(reach);
        return -ENOMEM;
    }
    run->server = server;
    run->host = host;
    run->listener = listener;
    run->ops = *ops;
    run->reach = reach_new(reach, program);
    int r = run->reach ? interrupt_prepare() : -ENOMEM;
    if (r < 0) {
        run_free(run);
        return r;
    }
    server_take(server);
    run->number = server->next_run++;
    run->next = server->runs;
    server->runs = run;
    int number = run->number;
    pthread_mutex_unlock(&server->lock);
    r = run_start(run);
    if (r < 0) {
        run->stopped = true;
        server_detach(server, number);
        return r;
    }
    return number;
}

/* The lock is not held. */
static struct run *run_find(struct server *server, int number) {
    server_take(server);
    struct run *run = server->runs;
    while (run && run->number != number)
        run = run->next;
    pthread_mutex_unlock(&server->lock);
    return run;
}

/* With the lock: nothing points to the run any more. */
static void run_unlink(struct server *server, struct run *run) {
    end_note(run);
    waiters_void(run, 0);
    for (uint32_t i = 0; i < server->conduits.slot_count; i++)
        if (server->conduits.slots[i] && server->conduits.slots[i]->run == run)
            server->conduits.slots[i]->run = NULL;
    struct run **at = &server->runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
}

void server_detach(struct server *server, int number) {
    struct run *run = run_find(server, number);
    if (!run)
        return;
    bool started = run->thread != 0;
    run->stopping = true;
    while (started && !run->stopped) {
        pthread_kill(run->thread, SIGRTMIN);
        usleep(1000);
    }
    if (started)
        pthread_join(run->thread, NULL);
    server_take(server);
    run_unlink(server, run);
    pthread_mutex_unlock(&server->lock);
    run_free(run);
}
