#include "tool/control/ask.h"
#include "tool/control/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void failure_say(int cause, char *error, size_t size) {
    if (cause == -ECONNRESET || cause == -EPIPE)
        snprintf(error, size, "the network's daemon has ended");
    else if (cause == -EMSGSIZE)
        snprintf(error, size, "a line of the control protocol is too long");
    else
        snprintf(error, size, "the network's daemon does not answer: %s", strerror(-cause));
}

/* True when the line is the reply; lines that nobody asked for are dealt with, or only wake up. */
static bool reply_is(const json_t *line, bool *ended) {
    const char *note = json_string_value(json_object_get(line, "note"));
    if (note != NULL)
        fprintf(stderr, "berth: %s\n", note);
    bool end = json_object_get(line, "end") != NULL;
    if (end && ended != NULL)
        *ended = true;
    return json_object_get(line, "ok") != NULL || json_object_get(line, "error") != NULL;
}

static json_t *reply_wait(int fd, char *line, int *got, bool *ended, char *error, size_t size) {
    for (;;) {
        ssize_t length = control_next(fd, line, CONTROL_LINE_MAX, got);
        if (length <= 0) {
            failure_say(length == 0 ? -ECONNRESET : (int)length, error, size);
            return NULL;
        }
        json_t *reply = json_loads(line, 0, NULL);
        if (reply == NULL) {
            snprintf(error, size, "what answers is not a berth of this kind");
            return NULL;
        }
        if (reply_is(reply, ended))
            return reply;
        json_decref(reply);
    }
}

json_t *control_ask(int fd, json_t *request, const int *fds, int nfds, int *got, bool *ended,
                    char *error, size_t size) {
    int came = -1;
    char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    char *line = malloc(CONTROL_LINE_MAX);
    json_t *reply = NULL;
    json_decref(request);
    if (text == NULL || line == NULL) {
        snprintf(error, size, "out of memory");
    } else {
        int sent = control_send(fd, text, fds, nfds);
        if (sent < 0)
            failure_say(sent, error, size);
        else
            reply = reply_wait(fd, line, &came, ended, error, size);
    }
    free(text);
    free(line);
    const char *refusal = json_string_value(json_object_get(reply, "error"));
    if (refusal != NULL) {
        snprintf(error, size, "%s", refusal);
        json_decref(reply);
        reply = NULL;
    }
    if (came >= 0 && (reply == NULL || got == NULL)) {
        close(came);
        came = -1;
    }
    if (got != NULL)
        *got = came;
    return reply;
}
