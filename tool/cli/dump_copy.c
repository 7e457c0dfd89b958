#define _GNU_SOURCE
#include "tool/cli/dump_copy.h"
#include "tool/control/client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 256 << 10, PATIENCE_MS = 1000, LINE = 4096 };

struct state {
    struct dump_copy *copy;
    int signals;
    bool stopping; /* no more frames come; what is there is still written */
    bool hung_up;  /* the daemon has gone */
    bool regular;  /* a file that is always ready to be written to */
    json_t *result;
};

static void stop_ask(struct state *state) {
    if (!state->stopping)
        control_send(state->copy->control, "{\"do\":\"dump\",\"stop\":true}", NULL, 0);
    state->stopping = true;
}

/* What the daemon says meanwhile. */
static void control_read(struct state *state) {
    char line[LINE];
    ssize_t length = control_next(state->copy->control, line, sizeof line, NULL);
    if (length <= 0) {
        state->hung_up = state->stopping = true;
        return;
    }
    json_t *said = json_loads(line, 0, NULL);
    if (json_object_get(said, "end") != NULL)
        state->stopping = true;
    if (json_object_get(said, "dumped") != NULL) {
        json_decref(state->result);
        state->result = json_incref(said);
    }
    json_decref(said);
}

/* Waits until `fd` is ready, and hears signals and the daemon. False: it has not become so for as
 * long as one waits after the end. */
static bool await(struct state *state, int fd, short events) {
    for (;;) {
        struct pollfd polls[3] = {
            {fd, events, 0}, {state->signals, POLLIN, 0}, {state->copy->control, POLLIN, 0}};
        int count = poll(polls, state->hung_up ? 2 : 3, state->stopping ? PATIENCE_MS : -1);
        struct signalfd_siginfo signal;
        if (count == 0)
            return false;
        if (count > 0 && polls[1].revents != 0 &&
            read(state->signals, &signal, sizeof signal) == sizeof signal)
            stop_ask(state);
        if (count > 0 && !state->hung_up && polls[2].revents != 0)
            control_read(state);
        if (count > 0 && polls[0].revents != 0)
            return true;
    }
}

/* 0 or an errno. A pipe that is ready takes PIPE_BUF octets without waiting. */
static int write_all(struct state *state, const char *data, size_t length) {
    while (length > 0) {
        if (!state->regular && !await(state, state->copy->file, POLLOUT))
            return ETIMEDOUT;
        size_t most = state->regular || length < PIPE_BUF ? length : PIPE_BUF;
        ssize_t written = write(state->copy->file, data, most);
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return errno;
        if (written > 0) {
            data += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

static int copy_all(struct state *state) {
    char *data = malloc(CHUNK);
    int cause = data != NULL ? 0 : ENOMEM;
    while (cause == 0) {
        if (!await(state, state->copy->pipe, POLLIN))
            continue; /* the daemon ends it, sooner or later */
        ssize_t length = read(state->copy->pipe, data, CHUNK);
        if (length == 0)
            break;
        if (length > 0)
            cause = write_all(state, data, (size_t)length);
        else if (errno != EINTR)
            cause = errno;
    }
    free(data);
    return cause;
}

static void failure_say(const struct state *state, int cause) {
    char text[CLI_TEXT];
    snprintf(text, sizeof text, "the dump could not be written: %.300s: %s", state->copy->path,
             strerror(cause));
    cli_fail("%s", text);
    char *line = NULL;
    json_t *failed = json_pack("{s:s,s:s}", "do", "dump", "failed", text);
    if (failed != NULL && (line = json_dumps(failed, JSON_COMPACT)) != NULL)
        control_send(state->copy->control, line, NULL, 0);
    json_decref(failed);
    free(line);
}

static void result_say(struct state *state) {
    while (state->result == NULL && !state->hung_up)
        control_read(state);
    json_int_t dumped = json_integer_value(json_object_get(state->result, "dumped"));
    json_int_t lost = json_integer_value(json_object_get(state->result, "lost"));
    if (state->result == NULL)
        return;
    fprintf(stderr, "berth: %lld frames dumped", (long long)dumped);
    if (lost > 0)
        fprintf(stderr, ", %lld lost: they came faster than they were written (-B)",
                (long long)lost);
    fputc('\n', stderr);
}

int dump_copy_run(struct dump_copy *copy) {
    struct stat status;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct state state = {.copy = copy, .signals = signalfd(-1, &signals, SFD_CLOEXEC)};
    state.regular = fstat(copy->file, &status) == 0 && S_ISREG(status.st_mode);
    int cause = copy_all(&state);
    /* Who reads has seen enough: as good an end as any. */
    if (cause != 0 && cause != EPIPE)
        failure_say(&state, cause);
    else if (cause == 0)
        result_say(&state);
    json_decref(state.result);
    close(state.signals);
    return cause == 0 || cause == EPIPE ? 0 : STATUS_FAILED;
}
