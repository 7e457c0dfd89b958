/* A process of a computer: started, ended, and started anew after a pause that grows. */
#define _GNU_SOURCE
#include "tool/cli/cli.h"
#include "tool/cli/watch.h"
#include "tool/control/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Docker's: the pause doubles with each start, and is short again after a run that lasted. */
static const uint64_t PAUSE_FIRST = 100000000, PAUSE_MOST = 60000000000, LASTED = 10000000000;

void member_name(const struct member *member, char name[SPEC_PATH]) {
    const char *process = member->process->name;
    snprintf(name, SPEC_PATH, "%s%s%.64s", member->state->host->name, process != NULL ? "." : "",
             process != NULL ? process : "");
}

/* ---- children ---- */

static int pid_compare(const void *a, const void *b) {
    pid_t left = ((const struct child *)a)->pid, right = ((const struct child *)b)->pid;
    return (left > right) - (left < right);
}

struct child *child_find(struct watch *watch, pid_t pid) {
    const struct child key = {.pid = pid};
    struct child *const *found = tfind(&key, &watch->children, pid_compare);
    return found != NULL ? *found : NULL;
}

void child_forget(struct watch *watch, struct child *child) {
    tdelete(child, &watch->children, pid_compare);
    child->pid = 0;
}

enum { NUMBERS = 48, GRACE_MOST_MS = 1000000000 };

/* What `berth run` is to know of the process; `numbers` holds their texts. */
static size_t options_put(const struct spec_process *process, const char **list,
                          char numbers[NUMBERS]) {
    size_t at = 0;
    if (process->user != NULL) {
        list[at++] = "--user";
        list[at++] = process->user;
    }
    if (process->stop_signal != 0) {
        list[at++] = "--stop-signal";
        snprintf(numbers, NUMBERS / 2, "%d", process->stop_signal);
        list[at++] = numbers;
    }
    if (process->grace != UINT64_MAX) {
        uint64_t grace = process->grace / 1000000;
        grace = grace < GRACE_MOST_MS ? grace : GRACE_MOST_MS;
        list[at++] = "--stop-grace-ms";
        snprintf(numbers + NUMBERS / 2, NUMBERS / 2, "%llu", (unsigned long long)grace);
        list[at++] = numbers + NUMBERS / 2;
    }
    return at;
}

/* berth WORD --net NET [OPTION...] HOST -- PROGRAM ARGUMENT... */
static char **child_argv(const struct watch *watch, const char *word, const char *host,
                         const struct spec_process *process, char *const *argv,
                         char numbers[NUMBERS]) {
    bool run = strcmp(word, "run") == 0;
    size_t words = 0, at = 0;
    while (argv[words] != NULL)
        words++;
    const char **list = calloc(words + 21, sizeof *list);
    if (list == NULL)
        return NULL;
    list[at++] = "berth";
    list[at++] = word;
    list[at++] = "--net";
    list[at++] = watch->s->net;
    if (run && process != NULL)
        at += options_put(process, list + at, numbers);
    if (run) {
        list[at++] = "--existing"; /* or one that comes late would begin the network anew */
        list[at++] = "--host";
    }
    list[at++] = host;
    list[at++] = "--";
    memcpy(list + at, argv, (words + 1) * sizeof *list);
    return (char **)(void *)list;
}

_Noreturn static void child_run(const struct watch *watch, const struct spec_process *process,
                                char *const *argv, int output) {
    int null = open("/dev/null", O_RDWR);
    sigset_t none;
    if (argv == NULL || null < 0)
        _exit(125);
    for (char **entry = process->environment; entry != NULL && *entry != NULL; entry++)
        putenv(*entry);
    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_NOFILE, &watch->files);
    dup2(null, 0);
    dup2(output >= 0 ? output : null, 1);
    dup2(output >= 0 ? output : null, 2);
    if (chdir(watch->s->directory) < 0)
        _exit(125);
    if (process->directory != NULL && chdir(process->directory) < 0) {
        dprintf(2, "berth: %s: %s\n", process->directory, strerror(errno));
        _exit(125);
    }
    execv("/proc/self/exe", argv);
    _exit(125);
}

bool child_start(struct watch *watch, struct child *child, const char *word, const char *host,
                 const struct spec_process *process, char *const *argv, int output) {
    static const struct spec_process plain = {.name = NULL};
    pid_t me = getpid();
    char numbers[NUMBERS];
    char **words = child_argv(watch, word, host, process, argv, numbers);
    fflush(stdout);
    pid_t pid = words != NULL ? fork() : -1;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != me)
            _exit(125);
        child_run(watch, process != NULL ? process : &plain, words, output);
    }
    free(words);
    if (pid < 0) {
        cli_fail("%s: cannot start its command: %s", host, strerror(errno));
        return false;
    }
    child->pid = pid;
    return tsearch(child, &watch->children, pid_compare) != NULL;
}

/* ---- logs ---- */

/* A pipe for what the process says; the daemon gets its other end. */
static bool member_log(struct watch *watch, struct member *member) {
    int ends[2];
    char error[CLI_TEXT], name[SPEC_PATH];
    member_name(member, name);
    if (pipe2(ends, O_CLOEXEC) < 0) {
        cli_fail("%s: %s", name, strerror(errno));
        return false;
    }
    member->output = ends[1];
    json_t *reply =
        control_ask(watch->s->control,
                    json_pack("{s:s,s:s,s:s*}", "do", "log", "host", member->state->host->name,
                              "process", member->process->name),
                    ends, 1, NULL, &watch->ended, error, sizeof error);
    close(ends[0]);
    if (reply == NULL)
        cli_fail("%s: %s", name, error);
    json_decref(reply);
    return reply != NULL;
}

bool members_log(struct watch *watch) {
    for (size_t i = 0; i < watch->member_count; i++)
        if (!member_log(watch, &watch->members[i]))
            return false;
    return true;
}

/* ---- the end ---- */

static void end_report(struct watch *watch, const struct member *member) {
    char error[CLI_TEXT];
    if (!watch->ended)
        json_decref(control_ask(watch->s->control,
                                json_pack("{s:s,s:s,s:i}", "do", "ended", "host",
                                          member->state->host->name, "status", member->status),
                                NULL, 0, NULL, &watch->ended, error, sizeof error));
}

/* It will not start again. */
static void member_finish(struct watch *watch, struct member *member) {
    struct state *state = member->state;
    struct service *service = state->service;
    char why[SPEC_PATH + 64], name[SPEC_PATH];
    member->over = true;
    watch->left--;
    if (member->output >= 0)
        close(member->output);
    member->output = -1;
    judge_over(watch, member);
    state->over++;
    state->failed += !member->began || member->status != 0;
    if (state->over < state->count)
        return;
    health_end(watch, state);
    if (state->failed == 0 && ++service->completed == service->count)
        order_met(watch, service, SPEC_COMPLETED);
    member_name(member, name);
    snprintf(why, sizeof why, "%s ended with status %d", name, member->status);
    if (state->failed > 0)
        order_never(watch, service, SPEC_COMPLETED, why);
    if (service->spec->health.argv != NULL && !state->was_healthy)
        order_never(watch, service, SPEC_HEALTHY, why);
}

void member_give_up(struct watch *watch, struct member *member) {
    if (!member->over)
        member_finish(watch, member);
}

/* What the restart policy says of an end. */
static bool starts_again(const struct watch *watch, const struct member *member) {
    const struct spec_process *process = member->process;
    if (watch->ended || watch->asked || process->restart == RESTART_NO)
        return false;
    return process->restart == RESTART_ALWAYS ||
           (member->status != 0 &&
            (process->restarts == 0 || member->restarts < process->restarts));
}

/* Not while the daemon does not answer, either: then all is over soon. */
static bool is_on(struct watch *watch, const struct member *member) {
    char error[CLI_TEXT];
    json_t *reply = control_ask(
        watch->s->control, json_pack("{s:s,s:s}", "do", "power", "host", member->state->host->name),
        NULL, 0, NULL, &watch->ended, error, sizeof error);
    bool on = json_is_true(json_object_get(reply, "on"));
    json_decref(reply);
    return on;
}

/* While its computer is off it waits for that to be switched on, which may just have been said. */
static void restart_due(void *context, struct timer *timer) {
    struct watch *watch = context;
    struct member *member =
        (struct member *)(void *)((char *)timer - offsetof(struct member, restart));
    bool on = is_on(watch, member);
    member->parked = true;
    news_ask(watch);
    if (!on || !member->parked || watch->ended)
        return;
    member->parked = false;
    member->restarts++;
    member_start(watch, member);
}

static void member_ended(struct watch *watch, struct child *child, int status) {
    struct member *member = (struct member *)(void *)child;
    char name[SPEC_PATH];
    uint64_t now = timers_now();
    member->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    member_name(member, name);
    if (member->again && !watch->ended && !watch->asked) {
        member->again = false;
        if (member->output >= 0 || member_log(watch, member)) {
            judge_again(watch, member);
            member_start(watch, member);
            return;
        }
    }
    if (starts_again(watch, member)) {
        bool lasted = now - member->started >= LASTED;
        member->delay = lasted || member->delay == 0 ? PAUSE_FIRST : 2 * member->delay;
        if (member->delay > PAUSE_MOST)
            member->delay = PAUSE_MOST;
        if (timer_set(&watch->timers, &member->restart, now + member->delay, restart_due))
            return;
    }
    if (!watch->s->detached && !watch->ended && !member->process->expect.exited &&
        (member->status != 0 || !watch->s->wait))
        cli_fail("%s: its command ended with status %d", name, member->status);
    end_report(watch, member);
    member_finish(watch, member);
}

void member_start(struct watch *watch, struct member *member) {
    const struct spec_process *process = member->process;
    member->began = true;
    member->started = timers_now();
    member->child.ended = member_ended;
    bool fine = child_start(watch, &member->child, "run", member->state->host->name, process,
                            process->argv, member->output);
    if (process->restart == RESTART_NO) {
        close(member->output);
        member->output = -1;
    }
    if (!fine) {
        member->status = 125;
        end_report(watch, member);
        member_finish(watch, member);
    }
}

void members_start_again(struct watch *watch, const char *host) {
    for (size_t i = 0; i < watch->state_count; i++) {
        struct state *state = &watch->states[i];
        if (strcmp(state->host->name, host) != 0)
            continue;
        state->restarts -= state->restarts > 0;
        for (size_t m = 0; m < state->count; m++) {
            struct member *member = &state->members[m];
            if (member->parked) {
                member->parked = false;
                member->delay = 0;
                member_start(watch, member);
                continue;
            }
            member->again = !member->over && member->child.pid > 0;
            if (!member->over || !member->began || !member_log(watch, member))
                continue;
            member->over = false;
            watch->left++;
            state->over--;
            state->failed -= member->status != 0;
            judge_again(watch, member);
            member_start(watch, member);
        }
    }
}
