/* The guard (run.h): parent of the program and keeper of all its descendants.
 *
 * It waits in one poll() for: the deaths and stops of its children (a signalfd); the job (link);
 * the outer process (a pipe that hangs up); the daemon (its messages, and its hanging up); the
 * daemon's requests for the programs' memory (reach); and the program's getting through exec
 * (start). It never waits for anything else while programs run, so that their calls are always
 * answered. */
#define _GNU_SOURCE
#include "tool/runner/daemon_line.h"
#include "tool/runner/descendants.h"
#include "tool/runner/filter.h"
#include "tool/runner/link.h"
#include "tool/runner/pidfd.h"
#include "tool/runner/reach_server.h"
#include "tool/runner/setup.h"
#include "tool/runner/standstill.h"
#include "tool/runner/yama.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 1000, TEXT_SIZE = 400 };

/* What may become ready, in the order in which it is dealt with. */
enum { ON_CHILD, ON_JOB, ON_OUTER, ON_DAEMON, ON_REACH, ON_START, ON_COUNT };

struct guard {
    const struct run_setup *setup;
    struct pollfd waits[ON_COUNT]; /* -1: nothing to be waited for any more */
    struct daemon_line daemon;
    struct reach_server *reach;
    pid_t program;
    bool detached_started; /* a detached job has been told, and is gone */
    struct standstill standstill;
    bool ended;    /* the program */
    int status;    /* exit code, or minus the signal */
    bool reported; /* to the job; from then on it may go */
    bool childless;
    bool paused;      /* its computer stands still */
    uint64_t kill_at; /* ms; 0: nobody asked that the run end */
};

static void watch(struct guard *guard, int which, int fd) {
    guard->waits[which] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void unwatch(struct guard *guard, int which) {
    if (guard->waits[which].fd >= 0)
        close(guard->waits[which].fd);
    guard->waits[which].fd = -1;
}

static uint64_t milliseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Ends everything, and says why. The job hears it when nothing is left. */
static noreturn void guard_fail(struct guard *guard, const char *text) {
    descendants_end();
    daemon_line_clear(&guard->daemon);
    if (guard->waits[ON_JOB].fd >= 0) {
        link_send(guard->waits[ON_JOB].fd, LINK_FAILED, 0, 0, text);
        pidfd_kill(guard->setup->job, SIGCONT); /* it may be stopped */
    }
    _exit(RUN_FAILED);
}

static noreturn void guard_fail_errno(struct guard *guard, const char *what, int error) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text), "%s: %s", what, strerror(-error));
    guard_fail(guard, text);
}

/* --- Starting the program
 * ------------------------------------------------------------------------------------------------
 */

static int signals_open(void) {
    sigset_t taken;
    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    sigaddset(&taken, SIGTERM);
    return signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Forks the program. Returns the guard's end of the socket between the two. */
static int program_fork(struct guard *guard) {
    int start[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, start) < 0)
        guard_fail_errno(guard, "cannot make a socket", -errno);
    /* The program reads and writes its end under the filter already. */
    if (start[1] >= 512)
        guard_fail(guard, "too many descriptors are open (more than 500)");
    guard->program = fork();
    if (guard->program < 0)
        guard_fail_errno(guard, "cannot start a process", -errno);
    if (guard->program == 0)
        program_main(guard->setup, start[1]);
    standstill_init(&guard->standstill, guard->program, guard->setup->job, guard->setup->job_group);
    close(start[1]);
    return start[0];
}

static noreturn void guard_fail_yama(struct guard *guard) {
    int scope = yama_scope();
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text),
             "this machine lets nobody look into your processes (Yama's ptrace_scope is %d): %s; "
             "`berth doctor` says more",
             scope, yama_remedy(scope));
    guard_fail(guard, text);
}

static int listener_take(struct guard *guard, int start) {
    struct start_report report;
    char text[TEXT_SIZE];
    if (read(start, &report, sizeof(report)) != sizeof(report))
        guard_fail(guard, "the program's process ended before the program was started");
    if (report.error < 0) {
        filter_explain(report.error, text, sizeof(text));
        guard_fail(guard, text);
    }
    int process = pidfd_of(guard->program);
    int listener = process < 0 ? process : pidfd_take(process, report.listener);
    if (process >= 0)
        close(process);
    if (listener == -EPERM && yama_scope() >= YAMA_PRIVILEGED)
        guard_fail_yama(guard);
    if (listener == -EPERM || listener == -ENOSYS)
        guard_fail(guard,
                   "this machine does not let a process take a descriptor from its own child "
                   "(pidfd_getfd: a container's seccomp profile, or a kernel before 5.6); "
                   "`berth doctor` says more");
    if (listener < 0)
        guard_fail_errno(guard, "cannot take over the program's system calls", listener);
    return listener;
}

/* Returns the guard's end of the reach socket. */
static int calls_attach(struct guard *guard, int listener) {
    int reach[2];
    char text[TEXT_SIZE];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, reach) < 0)
        guard_fail_errno(guard, "cannot make a socket", -errno);
    if (!daemon_line_attach(&guard->daemon, guard->program, listener, reach[1], text, sizeof(text)))
        guard_fail(guard, text);
    close(listener);
    close(reach[1]);
    return reach[0];
}

static void guard_start(struct guard *guard, int outer) {
    const struct run_setup *setup = guard->setup;
    prctl(PR_SET_NAME, "berth-guard");
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        guard_fail_errno(guard, "cannot keep a program's children", -errno);
    guard->reach = reach_server_new();
    int signals = signals_open();
    if (!guard->reach || signals < 0)
        guard_fail_errno(guard, "cannot start a guard", guard->reach ? -errno : -ENOMEM);
    int start = program_fork(guard);
    int keep[] = {signals, outer, start, setup->link_guard, setup->job, guard->daemon.socket};
    setup_detach(keep, sizeof(keep) / sizeof(keep[0]));
    watch(guard, ON_CHILD, signals);
    watch(guard, ON_OUTER, outer);
    int listener = listener_take(guard, start);
    watch(guard, ON_REACH, calls_attach(guard, listener));
    watch(guard, ON_DAEMON, guard->daemon.socket);
    watch(guard, ON_START, start);
    if (send(start, "", 1, MSG_NOSIGNAL) < 0)
        unwatch(guard, ON_START); /* killed meanwhile: its end will be reported */
}

/* --- What happens while it runs
 * ------------------------------------------------------------------------------------------ */

static void program_changed(struct guard *guard, const siginfo_t *info) {
    struct standstill *standstill = &guard->standstill;
    if (guard->paused && info->si_code == CLD_STOPPED)
        return; /* the job is not part of the computer */
    switch (info->si_code) {
    case CLD_STOPPED:
        link_send(guard->waits[ON_JOB].fd, LINK_STOPPED, 0, standstill->stops + 1, NULL);
        standstill_stopped(standstill);
        break;
    case CLD_CONTINUED:
        standstill_continued(standstill);
        break;
    default:
        guard->ended = true;
        guard->status = info->si_code == CLD_EXITED ? info->si_status : -info->si_status;
        break;
    }
}

static void run_end(struct guard *guard) {
    const struct run_request *request = guard->setup->request;
    guard->kill_at = milliseconds_now() + request->grace_ms;
    descendants_signal(request->stop_signal != 0 ? request->stop_signal : SIGTERM);
}

/* Again until nothing was forked meanwhile by what did not stand still yet. */
static void run_pause(struct guard *guard) {
    guard->paused = true;
    for (int before = -1, now = 0; before != now;) {
        before = now;
        now = descendants_signal(SIGSTOP);
    }
}

static void run_unpause(struct guard *guard) {
    guard->paused = false;
    descendants_signal(SIGCONT);
}

/* The power goes: no time to say goodbye. */
static void run_kill(struct guard *guard) {
    guard->kill_at = milliseconds_now() + 1000;
    descendants_signal(SIGKILL);
}

/* Takes what the daemon has said. answered: it said "ok". false: it makes no sense. */
static bool daemon_obey(struct guard *guard, bool *answered) {
    char text[TEXT_SIZE];
    bool alive = true;
    enum daemon_said said;
    *answered = false;
    while ((said = daemon_line_next(&guard->daemon, text, sizeof(text))) != DAEMON_NOTHING) {
        if (said == DAEMON_GONE)
            alive = false;
        if (said == DAEMON_OK)
            *answered = true;
        if (said == DAEMON_NOTE || said == DAEMON_END || said == DAEMON_KILL)
            link_send(guard->waits[ON_JOB].fd, LINK_NOTE, 0, 0, text);
        if (said == DAEMON_END && !guard->kill_at)
            run_end(guard);
        if (said == DAEMON_KILL)
            run_kill(guard);
        if (said == DAEMON_PAUSE)
            run_pause(guard);
        if (said == DAEMON_UNPAUSE)
            run_unpause(guard);
    }
    return alive;
}

/* Takes what the daemon says. false: it is gone. */
static bool daemon_hear(struct guard *guard, bool *answered) {
    bool alive = daemon_line_fill(&guard->daemon);
    return daemon_obey(guard, answered) && alive;
}

/* A note about the program's last call may still be on its way; the answer to a question asked now
 * comes after it. */
static void notes_await(struct guard *guard) {
    struct pollfd wait = {guard->waits[ON_DAEMON].fd, POLLIN, 0};
    bool answered = wait.fd < 0 || !daemon_line_ping(&guard->daemon);
    while (!answered && poll(&wait, 1, ANSWER_MS) > 0)
        if (!daemon_hear(guard, &answered))
            return;
}

/* Tells the job, which then ends as the program did. When nothing else lives the daemon is told
 * first: to who waits for the job, the computer is free again. */
static void end_report(struct guard *guard) {
    guard->reported = true;
    if (guard->waits[ON_JOB].fd >= 0)
        notes_await(guard);
    if (guard->childless) {
        guard->waits[ON_DAEMON].fd = -1;
        daemon_line_clear(&guard->daemon);
    }
    if (guard->waits[ON_JOB].fd < 0)
        return;
    link_send(guard->waits[ON_JOB].fd, LINK_ENDED, guard->status, guard->childless, NULL);
    standstill_ended(&guard->standstill);
}

static void children_look(struct guard *guard) {
    siginfo_t info;
    int r;
    do {
        info.si_pid = 0; /* stays so when some live and nothing is new */
        r = waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG);
        if (r == 0 && info.si_pid == guard->program && !guard->ended)
            program_changed(guard, &info);
    } while (r == 0 && info.si_pid != 0);
    guard->childless = r < 0;
    if (guard->ended && !guard->reported)
        end_report(guard);
}

static void on_child(struct guard *guard) {
    struct signalfd_siginfo info;
    while (read(guard->waits[ON_CHILD].fd, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo == SIGTERM)
            guard_fail(guard, "the guard of the program was asked to end; all programs were ended");
    children_look(guard);
}

static void on_job(struct guard *guard) {
    struct link_message message;
    int r = link_receive(guard->waits[ON_JOB].fd, &message);
    if (r <= 0) {
        unwatch(guard, ON_JOB);
        if (!guard->reported && !guard->detached_started)
            guard_fail(guard, ""); /* killed: nobody hears */
    } else if (message.kind == LINK_SIGNAL && !guard->ended) {
        kill(guard->program, message.value);
    } else if (message.kind == LINK_CONTINUED) {
        children_look(guard); /* is it still stopped? */
        if (!guard->ended)
            standstill_job_continued(&guard->standstill, message.serial);
    }
}

static noreturn void daemon_gone(struct guard *guard) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text),
             "network %s is gone (its daemon has ended); %s and all it started were ended",
             guard->setup->request->net, guard->setup->request->argv[0]);
    guard_fail(guard, text);
}

static void on_daemon(struct guard *guard) {
    bool answered;
    if (!daemon_hear(guard, &answered))
        daemon_gone(guard);
}

static void on_reach(struct guard *guard) {
    if (reach_server_answer(guard->reach, guard->waits[ON_REACH].fd) < 0)
        unwatch(guard, ON_REACH);
}

/* Either exec closed it (or a kill, which will be seen), or the program tells that it was not
 * executed. */
static void on_start(struct guard *guard) {
    struct start_report report;
    ssize_t n = read(guard->waits[ON_START].fd, &report, sizeof(report));
    unwatch(guard, ON_START);
    if (n == 0 && guard->setup->request->detached) {
        guard->detached_started = true;
        link_send(guard->waits[ON_JOB].fd, LINK_STARTED, 0, 0, NULL);
    }
}

static void guard_step(struct guard *guard) {
    static void (*const deal[ON_COUNT])(struct guard *) = {
        [ON_CHILD] = on_child, [ON_JOB] = on_job,     [ON_DAEMON] = on_daemon,
        [ON_REACH] = on_reach, [ON_START] = on_start,
    };
    int timeout = -1;
    if (guard->kill_at) {
        uint64_t now = milliseconds_now();
        timeout = guard->kill_at > now ? (int)(guard->kill_at - now) : 0;
    }
    int ready = poll(guard->waits, ON_COUNT, timeout);
    if (ready == 0) {
        descendants_signal(SIGKILL);
        guard->kill_at = milliseconds_now() + 1000; /* again, for what was forked meanwhile */
    }
    for (int i = 0; ready > 0 && i < ON_COUNT; i++) {
        if (guard->waits[i].fd < 0 || !guard->waits[i].revents)
            continue;
        if (!deal[i])
            guard_fail(guard,
                       "a guard process was killed; the program and all it started were ended");
        deal[i](guard);
    }
}

noreturn void guard_main(const struct run_setup *setup, int outer) {
    struct guard guard = {.setup = setup};
    for (int i = 0; i < ON_COUNT; i++)
        guard.waits[i].fd = -1;
    close(setup->link_job);
    daemon_line_init(&guard.daemon, setup->request->control);
    watch(&guard, ON_JOB, setup->link_guard);
    guard_start(&guard, outer);
    /* What came in one piece with the answer to `attach`: no poll() will tell of it again. */
    bool answered;
    if (!daemon_obey(&guard, &answered))
        daemon_gone(&guard);
    while (!guard.childless)
        guard_step(&guard);
    _exit(0);
}
