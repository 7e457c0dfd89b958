#define _GNU_SOURCE
#include "tool/cli/supervise.h"
#include "tool/cli/cli.h"
#include "tool/control/ask.h"
#include "tool/control/client.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct member {
    const struct spec_host *host;
    const struct spec_process *process;
    pid_t pid; /* 0: not running */
    int output;
};

struct watch {
    struct supervisor *s;
    struct member *members;
    size_t count, running;
    int signals, follow;
    bool idle;  /* some computer has no command: there is no natural end */
    bool ended; /* the network goes down, as it should */
    bool asked; /* by us */
};

/* ---- starting ---- */

_Noreturn static void child_run(const struct watch *watch, const struct spec_host *host,
                                const struct spec_process *process, int output) {
    const struct supervisor *s = watch->s;
    size_t words = 0;
    while (process->argv[words] != NULL)
        words++;
    char **argv = calloc(words + 8, sizeof *argv);
    char *head[] = {
        "berth", "run", "--net", (char *)(uintptr_t)s->net, "--host", (char *)(uintptr_t)host->name,
        "--"};
    int null = open("/dev/null", O_RDONLY);
    sigset_t none;
    if (argv == NULL || null < 0)
        _exit(125);
    memcpy(argv, head, sizeof head);
    memcpy(argv + sizeof head / sizeof head[0], process->argv, (words + 1) * sizeof *argv);
    for (char **entry = process->environment; entry != NULL && *entry != NULL; entry++)
        putenv(*entry);
    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null, 0);
    dup2(output, 1);
    dup2(output, 2);
    if (chdir(s->directory) < 0)
        _exit(125);
    execv("/proc/self/exe", argv);
    _exit(125);
}

static bool member_start(struct watch *watch, struct member *member) {
    pid_t me = getpid();
    assert(member->host != NULL);
    fflush(stdout);
    member->pid = fork();
    if (member->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != me)
            _exit(125);
        child_run(watch, member->host, member->process, member->output);
    }
    close(member->output);
    member->output = -1;
    if (member->pid < 0) {
        member->pid = 0;
        cli_fail("%s: cannot start its command: %s", member->host->name, strerror(errno));
        return false;
    }
    watch->running++;
    return true;
}

/* A pipe for what the command says; the daemon gets its other end. */
static bool member_log(struct watch *watch, struct member *member) {
    int ends[2];
    char error[CLI_TEXT];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        cli_fail("%s: %s", member->host->name, strerror(errno));
        return false;
    }
    member->output = ends[1];
    json_t *reply = control_ask(watch->s->control,
                                json_pack("{s:s,s:s}", "do", "log", "host", member->host->name),
                                ends, 1, NULL, &watch->ended, error, sizeof error);
    close(ends[0]);
    if (reply == NULL)
        cli_fail("%s: %s", member->host->name, error);
    json_decref(reply);
    return reply != NULL;
}

static bool members_make(struct watch *watch) {
    size_t count = 0;
    for (const struct spec_host *h = watch->s->spec->hosts; h != NULL; h = h->next)
        for (const struct spec_process *p = h->service->processes; p != NULL; p = p->next)
            count++;
    watch->members = calloc(count + 1, sizeof *watch->members);
    if (watch->members == NULL) {
        cli_fail("out of memory");
        return false;
    }
    for (const struct spec_host *h = watch->s->spec->hosts; h != NULL; h = h->next) {
        watch->idle = watch->idle || h->service->processes == NULL;
        for (const struct spec_process *p = h->service->processes; p != NULL; p = p->next) {
            struct member *member = &watch->members[watch->count++];
            *member = (struct member){h, p, 0, -1};
            if (!member_log(watch, member))
                return false;
        }
    }
    return true;
}

/* In the foreground: what all commands say, on a connection of its own. */
static bool follow_start(struct watch *watch) {
    char error[CLI_TEXT];
    if (watch->s->detached || watch->count == 0)
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
    return reply != NULL;
}

static bool start_all(struct watch *watch) {
    if (!members_make(watch) || !follow_start(watch))
        return false;
    for (size_t i = 0; i < watch->count; i++)
        if (!member_start(watch, &watch->members[i]))
            return false;
    return true;
}

/* ---- watching ---- */

static void member_ended(struct watch *watch, struct member *member, int status) {
    char error[CLI_TEXT];
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    member->pid = 0;
    watch->running--;
    if (!watch->s->detached && !watch->ended)
        cli_fail("%s: its command ended with status %d", member->host->name, code);
    if (!watch->ended)
        json_decref(control_ask(
            watch->s->control,
            json_pack("{s:s,s:s,s:i}", "do", "ended", "host", member->host->name, "status", code),
            NULL, 0, NULL, &watch->ended, error, sizeof error));
}

static void children_reap(struct watch *watch) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < watch->count; i++)
            if (watch->members[i].pid == pid)
                member_ended(watch, &watch->members[i], status);
}

/* The first signal ends the network in good order; a second one ends the commands at once. */
static void signals_take(struct watch *watch) {
    struct signalfd_siginfo signal;
    while (read(watch->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo == SIGCHLD) {
            children_reap(watch);
        } else if (!watch->asked) {
            watch->asked = true;
            control_send(watch->s->control, "{\"do\":\"down\"}", NULL, 0);
        } else {
            for (size_t i = 0; i < watch->count; i++)
                if (watch->members[i].pid > 0)
                    kill(watch->members[i].pid, SIGKILL);
        }
    }
}

/* False at the end of the connection: the network is gone. */
static bool control_take(struct watch *watch) {
    char line[CONTROL_LINE_MAX];
    ssize_t length = control_next(watch->s->control, line, sizeof line, NULL);
    if (length <= 0)
        return false;
    json_t *said = json_loads(line, 0, NULL);
    const char *note = json_string_value(json_object_get(said, "note"));
    if (note != NULL)
        cli_fail("%s", note);
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

static void watch_all(struct watch *watch) {
    bool connected = true;
    while (connected) {
        struct pollfd ready[3] = {{watch->s->control, POLLIN, 0},
                                  {watch->signals, POLLIN, 0},
                                  {watch->follow, POLLIN, 0}};
        if (poll(ready, 3, -1) < 0 && errno != EINTR)
            return;
        if (ready[2].revents != 0)
            follow_take(watch);
        if (ready[1].revents != 0)
            signals_take(watch);
        if (ready[0].revents != 0)
            connected = control_take(watch);
        if (watch->ended && watch->running == 0)
            return;
        /* Like any program in the foreground: when all is done, it ends. */
        if (!watch->s->detached && !watch->idle && watch->running == 0 && watch->follow < 0)
            return;
    }
}

/* The network is gone, or we leave it: whatever still runs ends now, and is waited for. */
static void finish(struct watch *watch) {
    close(watch->s->control);
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->members[i].pid > 0) {
            kill(watch->members[i].pid, SIGTERM);
            waitpid(watch->members[i].pid, NULL, 0);
        }
        if (watch->members[i].output >= 0)
            close(watch->members[i].output);
    }
    while (watch->follow >= 0)
        follow_take(watch);
    free(watch->members);
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

int supervise(struct supervisor *supervisor) {
    struct watch watch = {.s = supervisor, .signals = -1, .follow = -1};
    signals_open(&watch);
    bool fine = start_all(&watch);
    if (fine && !supervisor->detached)
        fprintf(stderr, "berth: network %s is up; Ctrl-C ends it\n", supervisor->net);
    if (supervisor->ready >= 0) {
        if (fine && write(supervisor->ready, "+", 1) != 1)
            fine = false;
        close(supervisor->ready);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 1);
        dup2(null, 2);
        close(null);
    }
    if (fine)
        watch_all(&watch);
    bool lost = fine && !watch.ended && !watch.asked && (watch.running > 0 || watch.idle);
    finish(&watch);
    close(watch.signals);
    if (lost)
        return cli_fail("network %s: its daemon has ended", supervisor->net);
    return fine ? 0 : STATUS_FAILED;
}
