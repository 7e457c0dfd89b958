#define _GNU_SOURCE
#include "tool/cli/supervise.h"
#include "tool/cli/cli.h"
#include "tool/cli/watch.h"
#include "tool/control/ask.h"
#include "tool/control/client.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the poller's events carry: the address of one of these, or a member. */
static char on_control, on_signals, on_follow;

static bool poller_add(const struct watch *watch, int fd, void *what) {
    struct epoll_event event = {EPOLLIN, {.ptr = what}};
    return epoll_ctl(watch->poller, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* ---- starting ---- */

/* In the foreground: what all commands say, on a connection of its own. */
static bool follow_start(struct watch *watch) {
    char error[CLI_TEXT];
    if (watch->s->detached || watch->member_count == 0)
        return true;
    watch->follow = control_connect(watch->s->net, false, error, sizeof error);
    json_t *reply =
        watch->follow >= 0
            ? control_ask(watch->follow, json_pack("{s:s,s:b}", "do", "logs", "follow", 1), NULL, 0,
                          NULL, NULL, error, sizeof error)
            : NULL;
    if (reply == NULL)
        cli_fail("%s", error);
    json_decref(reply);
    return reply != NULL && poller_add(watch, watch->follow, &on_follow);
}

/* Each process has a pipe until it starts, and longer if it may start anew. */
static void limit_raise(struct watch *watch) {
    getrlimit(RLIMIT_NOFILE, &watch->files);
    struct rlimit most = watch->files;
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
}

static bool all_start(struct watch *watch) {
    limit_raise(watch);
    watch->poller = epoll_create1(EPOLL_CLOEXEC);
    if (watch->poller < 0 || !poller_add(watch, watch->s->control, &on_control) ||
        !poller_add(watch, watch->signals, &on_signals) || !order_make(watch)) {
        cli_fail("cannot start: %s", strerror(errno));
        return false;
    }
    if (!members_log(watch) || !plan_send(watch) || !follow_start(watch) || !judge_listen(watch))
        return false;
    if (watch->s->wait && watch->s->timeout != 0)
        timer_set(&watch->timers, &watch->patience, timers_now() + watch->s->timeout, judge_late);
    order_begin(watch);
    return true;
}

/* ---- watching ---- */

void news_ask(struct watch *watch) {
    char error[CLI_TEXT];
    size_t started = 1;
    while (started > 0 && !watch->ended) { /* whoever is started may ask, too */
        json_t *reply = control_ask(watch->s->control, json_pack("{s:s}", "do", "starts"), NULL, 0,
                                    NULL, &watch->ended, error, sizeof error);
        const json_t *hosts = json_object_get(reply, "hosts");
        size_t i;
        json_t *name;
        started = json_array_size(hosts);
        json_array_foreach(hosts, i, name) {
            members_start_again(watch, json_string_value(name));
        }
        plan_hear(watch, reply);
        json_decref(reply);
    }
}

static void children_reap(struct watch *watch) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *child = child_find(watch, pid);
        if (child == NULL)
            continue;
        child_forget(watch, child);
        child->ended(watch, child, status);
    }
    news_ask(watch);
}

/* The first signal ends the network in good order; a second one ends the commands at once. */
static void signals_take(struct watch *watch) {
    struct signalfd_siginfo signal;
    while (read(watch->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo == SIGCHLD) {
            children_reap(watch);
        } else if (!watch->asked) {
            watch->wrong = watch->wrong || (watch->s->wait && !watch->judged);
            watch->asked = true;
            control_send(watch->s->control, "{\"do\":\"down\"}", NULL, 0);
        } else {
            for (size_t i = 0; i < watch->member_count; i++)
                if (watch->members[i].child.pid > 0)
                    kill(watch->members[i].child.pid, SIGKILL);
        }
    }
}

/* False at the end of the connection: the network is gone. */
static bool control_take(struct watch *watch) {
    char line[CONTROL_LINE_MAX];
    /* What woke us may have been taken since, by a question that waited for its answer. */
    if (recv(watch->s->control, line, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
        return true;
    ssize_t length = control_next(watch->s->control, line, sizeof line, NULL);
    if (length <= 0)
        return false;
    json_t *said = json_loads(line, 0, NULL);
    const char *note = json_string_value(json_object_get(said, "note"));
    if (note != NULL)
        cli_fail("%s", note);
    if (json_object_get(said, "start") != NULL || json_object_get(said, "fault") != NULL)
        news_ask(watch);
    watch->ended = watch->ended || json_object_get(said, "end") != NULL;
    json_decref(said);
    return true;
}

/* Closes the connection at its end. */
static void follow_take(struct watch *watch) {
    char data[65536];
    ssize_t got = read(watch->follow, data, sizeof data);
    if (got > 0) {
        fwrite(data, 1, (size_t)got, stdout);
        fflush(stdout);
    } else if (got == 0 || errno != EINTR) {
        close(watch->follow);
        watch->follow = -1;
    }
}

/* The detached process's parent goes on, and we say nothing more. */
static void ready_tell(struct watch *watch) {
    struct supervisor *s = watch->s;
    bool reached = s->wait ? watch->judged && !watch->wrong : watch->waiting == 0;
    if (s->ready < 0 || !reached || watch->ended || watch->asked)
        return;
    if (write(s->ready, "+", 1) != 1)
        watch->asked = true;
    close(s->ready);
    s->ready = -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 1);
    dup2(null, 2);
    close(null);
}

/* Detached, and something could not be started: the parent says so, and all goes. */
static void ready_fail(struct watch *watch) {
    if (watch->s->ready < 0 || watch->s->wait || !watch->wrong || watch->asked)
        return;
    watch->asked = true;
    control_send(watch->s->control, "{\"do\":\"down\"}", NULL, 0);
}

static bool is_over(const struct watch *watch) {
    size_t running = 0;
    for (size_t i = 0; watch->ended && running == 0 && i < watch->member_count; i++)
        running += watch->members[i].child.pid > 0;
    if (watch->ended && running == 0)
        return true;
    /* Like any program in the foreground: when all is done, it ends. */
    return !watch->s->detached && !watch->idle && watch->left == 0 && watch->follow < 0 &&
           watch->unknown == 0 && watch->plan_over;
}

static void watch_all(struct watch *watch) {
    enum { EVENTS = 64 };
    struct epoll_event events[EVENTS];
    bool connected = true;
    while (connected && !is_over(watch)) {
        ready_fail(watch);
        plan_look(watch);
        judge_look(watch);
        ready_tell(watch);
        int wait = timers_run(&watch->timers, watch);
        int count = epoll_wait(watch->poller, events, EVENTS, wait);
        if (count < 0 && errno != EINTR)
            return;
        for (int i = 0; i < count; i++) {
            void *what = events[i].data.ptr;
            if (what == &on_control)
                connected = control_take(watch) && connected;
            else if (what == &on_signals)
                signals_take(watch);
            else if (what == &on_follow)
                follow_take(watch);
            else if (((struct member *)what)->listening >= 0)
                judge_hear(watch, what);
        }
    }
}

/* The network is gone, or we leave it: whatever still runs ends now, and is waited for. */
static void finish(struct watch *watch) {
    watch->ended = true;
    close(watch->s->control);
    for (size_t i = 0; watch->members != NULL && i < watch->member_count; i++) {
        struct member *member = &watch->members[i];
        if (member->child.pid > 0)
            kill(member->child.pid, SIGTERM);
        if (member->output >= 0)
            close(member->output);
    }
    for (size_t i = 0; watch->states != NULL && i < watch->state_count; i++)
        if (watch->states[i].check.pid > 0)
            kill(watch->states[i].check.pid, SIGTERM);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
    while (watch->follow >= 0)
        follow_take(watch);
}

static void signals_open(struct watch *watch) {
    static const int numbers[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&set, numbers[i]);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    watch->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void child_keep(void *child) {
    (void)child; /* it is a member's or a state's */
}

static void clear(struct watch *watch) {
    tdestroy(watch->children, child_keep);
    judge_clear(watch);
    order_clear(watch);
    timers_clear(&watch->timers);
    close(watch->signals);
    close(watch->poller);
}

int supervise(struct supervisor *supervisor) {
    struct watch watch = {.s = supervisor, .signals = -1, .follow = -1, .poller = -1};
    signals_open(&watch);
    bool fine = all_start(&watch);
    if (fine && !supervisor->detached && !supervisor->wait)
        fprintf(stderr, "berth: network %s is up; Ctrl-C ends it\n", supervisor->net);
    if (fine)
        watch_all(&watch);
    bool lost = fine && !watch.ended && !watch.asked && (watch.left > 0 || watch.idle);
    finish(&watch);
    clear(&watch);
    if (lost)
        return cli_fail("network %s: its daemon has ended", supervisor->net);
    return fine && !watch.wrong ? 0 : STATUS_FAILED;
}
