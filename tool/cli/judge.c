/* Whether all is as the file expects it: theory of operation.
 *
 * Each thing that is expected is an outcome that becomes known once: an exit status when the
 * process is over, a text in the output when it is found or the output has ended. When none is
 * unknown any more, all services have begun and all health is known, it is over: what was to run
 * runs, or its end has been said. Where a file expects nothing, it is enough that all has begun, is
 * healthy, and nothing has failed. */
#define _GNU_SOURCE
#include "tool/cli/cli.h"
#include "tool/cli/watch.h"
#include "tool/control/ask.h"
#include "tool/control/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_MAX_KEPT = 65536 };

void judge_wrong(struct watch *watch, int line, const char *path, const char *format, ...) {
    char text[CLI_TEXT / 2];
    va_list arguments;
    if (watch->judged || watch->ended || watch->asked)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cli_fail("%s:%d: %s: %s", watch->s->path, line, path, text);
    watch->wrong = true;
}

static int line_of(const struct member *member) {
    return member->process->expect.given ? member->process->expect.line : member->process->line;
}

/* A fault will restart its computer. */
static bool begins_anew(const struct member *member) {
    return member->state->restarts > 0 || member->again;
}

/* ---- exit statuses ---- */

void judge_over(struct watch *watch, struct member *member) {
    const struct spec_expect *expect = &member->process->expect;
    char name[SPEC_PATH];
    member_name(member, name);
    if (begins_anew(member))
        return; /* and then that counts */
    if (expect->exited) {
        watch->unknown -= !member->known;
        member->known = true;
        if (member->began && member->status != expect->status)
            judge_wrong(watch, expect->line, name, "exited with %d, not with %d", member->status,
                        expect->status);
    } else if (expect->running && member->began) {
        judge_wrong(watch, expect->line, name, "has ended with %d, and should be running",
                    member->status);
    } else if (watch->s->wait && !expect->given && !watch->expects && member->began &&
               member->status != 0 && !member->state->host->killed) {
        judge_wrong(watch, line_of(member), name, "ended with %d", member->status);
    }
}

/* ---- output ---- */

/* "/.../" is an extended regular expression, anything else is looked for as it is. */
static bool wanted_add(struct member *member, const char *text) {
    struct wanted *wanted = calloc(1, sizeof *wanted);
    size_t length = strlen(text);
    if (wanted == NULL)
        return false;
    wanted->text = text;
    if (length > 2 && text[0] == '/' && text[length - 1] == '/') {
        char *inner = strndup(text + 1, length - 2);
        wanted->is_regex =
            inner != NULL && regcomp(&wanted->regex, inner, REG_EXTENDED | REG_NOSUB) == 0;
        free(inner);
    }
    wanted->next = member->wanted;
    member->wanted = wanted;
    return true;
}

static bool listen_open(struct watch *watch, struct member *member) {
    char error[CLI_TEXT];
    member->listening = control_connect(watch->s->net, false, error, sizeof error);
    json_t *reply =
        member->listening < 0
            ? NULL
            : control_ask(member->listening,
                          json_pack("{s:s,s:b,s:s,s:s*}", "do", "logs", "follow", 1, "host",
                                    member->state->host->name, "process", member->process->name),
                          NULL, 0, NULL, NULL, error, sizeof error);
    struct epoll_event event = {EPOLLIN, {.ptr = member}};
    bool fine =
        reply != NULL && epoll_ctl(watch->poller, EPOLL_CTL_ADD, member->listening, &event) == 0;
    if (!fine)
        cli_fail("%s", reply == NULL ? error : strerror(errno));
    json_decref(reply);
    return fine;
}

void judge_again(struct watch *watch, struct member *member) {
    bool left = false;
    for (const struct wanted *wanted = member->wanted; wanted != NULL; wanted = wanted->next)
        left = left || !wanted->found;
    if (!left)
        return;
    /* The old log may have ended already, which would be heard as this run's end. */
    if (member->listening >= 0)
        close(member->listening);
    member->length = 0;
    listen_open(watch, member);
}

bool judge_listen(struct watch *watch) {
    for (size_t i = 0; i < watch->member_count; i++) {
        struct member *member = &watch->members[i];
        const struct spec_expect *expect = &member->process->expect;
        const struct tree_node *output = expect->output;
        watch->expects = watch->expects || expect->given;
        watch->unknown += expect->exited;
        if (output == NULL)
            continue;
        const struct tree_node *first = output->kind == TREE_LIST ? output->first : output;
        for (const struct tree_node *one = first; one != NULL;
             one = output->kind == TREE_LIST ? one->next : NULL) {
            if (!wanted_add(member, one->text)) {
                cli_fail("out of memory");
                return false;
            }
            watch->unknown++;
        }
        if (!listen_open(watch, member))
            return false;
    }
    return true;
}

static void line_judge(struct watch *watch, struct member *member, const char *line) {
    for (struct wanted *wanted = member->wanted; wanted != NULL; wanted = wanted->next) {
        if (wanted->found || !(wanted->is_regex ? regexec(&wanted->regex, line, 0, NULL, 0) == 0
                                                : strstr(line, wanted->text) != NULL))
            continue;
        wanted->found = true;
        watch->unknown--;
    }
}

/* No more will come. */
static void output_over(struct watch *watch, struct member *member) {
    char name[SPEC_PATH];
    member_name(member, name);
    for (struct wanted *wanted = member->wanted; wanted != NULL; wanted = wanted->next) {
        if (wanted->found || begins_anew(member))
            continue;
        judge_wrong(watch, line_of(member), name, "its output has no \"%.120s\"", wanted->text);
        wanted->found = true; /* it is known now */
        watch->unknown--;
    }
    close(member->listening);
    member->listening = -1;
    free(member->line);
    member->line = NULL;
    member->length = member->size = 0;
}

/* Takes whole lines; one that is endless is taken in pieces. */
static void lines_take(struct watch *watch, struct member *member) {
    char *start = member->line, *end;
    member->line[member->length] = '\0';
    while ((end = memchr(start, '\n', member->length - (size_t)(start - member->line))) != NULL) {
        *end = '\0';
        line_judge(watch, member, start);
        start = end + 1;
    }
    member->length -= (size_t)(start - member->line);
    memmove(member->line, start, member->length);
    if (member->length >= LINE_MAX_KEPT) {
        line_judge(watch, member, member->line);
        member->length = 0;
    }
}

void judge_hear(struct watch *watch, struct member *member) {
    enum { STEP = 16384 };
    if (member->size < member->length + STEP + 1) {
        char *larger = realloc(member->line, member->length + STEP + 1);
        if (larger == NULL) {
            output_over(watch, member);
            return;
        }
        member->line = larger;
        member->size = member->length + STEP + 1;
    }
    ssize_t got = recv(member->listening, member->line + member->length, STEP, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        output_over(watch, member);
        return;
    }
    for (ssize_t i = 0; i < got; i++)
        if (member->line[member->length + (size_t)i] == '\0')
            member->line[member->length + (size_t)i] = ' ';
    member->length += (size_t)got;
    lines_take(watch, member);
    bool all = true;
    for (const struct wanted *wanted = member->wanted; wanted != NULL; wanted = wanted->next)
        all = all && wanted->found;
    if (all)
        output_over(watch, member);
}

/* ---- the end ---- */

static void judge_finish(struct watch *watch) {
    struct supervisor *s = watch->s;
    watch->judged = true;
    timer_stop(&watch->timers, &watch->patience);
    if (s->detached && !watch->wrong)
        return;
    watch->asked = true;
    control_send(s->control, "{\"do\":\"down\"}", NULL, 0);
}

void judge_look(struct watch *watch) {
    if (!watch->s->wait || watch->judged || watch->ended || watch->asked)
        return;
    if (watch->waiting == 0 && watch->unwell == 0 && watch->unknown == 0 && watch->plan_over)
        judge_finish(watch);
}

static void late_say(struct watch *watch, const struct member *member) {
    const struct spec_expect *expect = &member->process->expect;
    char name[SPEC_PATH];
    member_name(member, name);
    if (expect->exited && !member->known)
        judge_wrong(watch, expect->line, name, "has not exited in time");
    for (const struct wanted *wanted = member->wanted; wanted != NULL; wanted = wanted->next)
        if (!wanted->found)
            judge_wrong(watch, expect->line, name, "its output has no \"%.120s\" in time",
                        wanted->text);
}

void judge_late(void *context, struct timer *timer) {
    struct watch *watch = context;
    (void)timer;
    for (size_t i = 0; i < watch->service_count; i++) {
        const struct service *service = &watch->services[i];
        if (!service->begun && !service->blocked)
            judge_wrong(watch, service->spec->line, service->spec->name, "is not started in time");
    }
    for (size_t i = 0; i < watch->state_count; i++) {
        const struct state *state = &watch->states[i];
        if (state->health == HEALTH_STARTING && state->service->begun)
            judge_wrong(watch, state->service->spec->line, state->host->name,
                        "is not healthy in time");
    }
    for (size_t i = 0; i < watch->member_count; i++)
        late_say(watch, &watch->members[i]);
    watch->wrong = true;
    judge_finish(watch);
}

void judge_clear(struct watch *watch) {
    for (size_t i = 0; watch->members != NULL && i < watch->member_count; i++) {
        struct member *member = &watch->members[i];
        while (member->wanted != NULL) {
            struct wanted *wanted = member->wanted;
            member->wanted = wanted->next;
            if (wanted->is_regex)
                regfree(&wanted->regex);
            free(wanted);
        }
        if (member->listening >= 0)
            close(member->listening);
        free(member->line);
    }
}

bool spec_expects(const struct spec *spec) {
    for (const struct spec_service *service = spec->services; service; service = service->next)
        for (const struct spec_process *p = service->processes; p != NULL; p = p->next)
            if (p->expect.given)
                return true;
    return false;
}
