/* Signals of a job come in two ways. The terminal sends Ctrl-C, Ctrl-\ and Ctrl-Z to the whole
 * foreground process group: the program is in it and acts by itself, so the job must do nothing (a
 * program may well survive Ctrl-C). A process sends to the job alone, and means the program: it is
 * passed on. siginfo tells which.
 *
 * How the job stops and goes on is the guard's business: standstill.h. */
#define _GNU_SOURCE
#include "tool/runner/job.h"
#include "tool/runner/link.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct job {
    const struct run_request *request;
    int link, signals;
    uint32_t stop; /* the last one heard of */
    bool over;
    struct job_end end;
};

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
static const int stopping[] = {SIGTSTP, SIGTTIN, SIGTTOU};

/* What was ignored before (nohup) stays ignored. */
static bool is_ignored(int signal) {
    struct sigaction action;
    return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int signals_open(const sigset_t *mask) {
    sigset_t taken, blocked = *mask;
    sigemptyset(&taken);
    sigaddset(&taken, SIGCONT);
    for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
        if (!is_ignored(passed_on[i]))
            sigaddset(&taken, passed_on[i]);
    for (int i = 1; i < NSIG; i++)
        if (sigismember(&taken, i) == 1)
            sigaddset(&blocked, i);
    int fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++) {
        signal(stopping[i], SIG_IGN);
        sigdelset(&blocked, stopping[i]);
    }
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    return fd;
}

static void signal_arrived(struct job *job, const struct signalfd_siginfo *info) {
    int signal = (int)info->ssi_signo;
    if (signal == SIGCONT)
        link_send(job->link, LINK_CONTINUED, 0, job->stop, NULL);
    else if (info->ssi_code <= 0) /* SI_USER and its kin: from a process, not from the terminal */
        link_send(job->link, LINK_SIGNAL, signal, 0, NULL);
}

static void signals_read(struct job *job) {
    struct signalfd_siginfo info;
    while (read(job->signals, &info, sizeof(info)) == sizeof(info))
        signal_arrived(job, &info);
}

/* Nobody may be reading what the program has filled: then its job ends all the same, and for that
 * the signals must be heard. A message is short enough to go in one piece where there is room. */
__attribute__((format(printf, 1, 2))) static void job_say(const char *format, ...) {
    enum { PATIENCE_MS = 5000 };
    char text[PIPE_BUF];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct pollfd end = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (length < 0 || poll(&end, 1, PATIENCE_MS) <= 0 || !(end.revents & POLLOUT))
        return;
    size_t whole = (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;
    if (write(STDERR_FILENO, text, whole) < 0)
        return; /* there is nobody else to tell */
}

static void job_over(struct job *job, int status, int signal, bool alone) {
    job->over = true;
    job->end = (struct job_end){.status = status, .signal = signal, .alone = alone};
}

static void guard_said(struct job *job, const struct link_message *message) {
    switch (message->kind) {
    case LINK_STARTED:
        job_over(job, 0, 0, false);
        break;
    case LINK_STOPPED:
        job->stop = message->serial;
        break;
    case LINK_ENDED:
        job_over(job, message->value >= 0 ? message->value : 128 - message->value,
                 message->value < 0 ? -message->value : 0, message->serial == 1);
        break;
    case LINK_FAILED:
        job_say("berth: %s\n", message->text);
        job_over(job, RUN_FAILED, 0, true);
        break;
    case LINK_NOTE:
        job_say("berth: %s\n", message->text);
        break;
    default:
        break;
    }
}

static void guard_read(struct job *job) {
    struct link_message message;
    int r = link_receive(job->link, &message);
    if (r > 0) {
        guard_said(job, &message);
        return;
    }
    job_say("berth: the guard of %s was killed; %s and all it started end with it\n",
            job->request->argv[0], job->request->argv[0]);
    job_over(job, RUN_FAILED, 0, true);
}

struct job_end job_wait(int link, const sigset_t *mask, const struct run_request *request) {
    struct job job = {.request = request, .link = link};
    job.signals = signals_open(mask);
    if (job.signals < 0) {
        job_say("berth: cannot take signals: %s\n", strerror(-job.signals));
        return (struct job_end){.status = RUN_FAILED};
    }
    while (!job.over) {
        struct pollfd waits[] = {{link, POLLIN, 0}, {job.signals, POLLIN, 0}};
        if (poll(waits, 2, -1) < 0)
            continue; /* EINTR: stopped and continued */
        /* Messages first: a SIGCONT answers the last stop of which there is one. */
        if (waits[0].revents)
            guard_read(&job);
        else if (waits[1].revents)
            signals_read(&job);
    }
    close(job.signals);
    close(link);
    return job.end;
}

noreturn void job_die(int with) {
    sigset_t one;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0); /* a core pattern that names a pipe does not ask for the limit */
    signal(with, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, with);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    kill(getpid(), with);
    _exit(128 + with); /* process 1 of a container does not die of signals */
}
