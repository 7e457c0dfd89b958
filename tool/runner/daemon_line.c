#define _GNU_SOURCE
#include "tool/runner/daemon_line.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ATTACH_TIMEOUT_MS = 10000 };

void daemon_line_init(struct daemon_line *line, int socket) {
    line->socket = socket;
    control_reader_init(&line->reader);
}

void daemon_line_clear(struct daemon_line *line) {
    if (line->socket < 0)
        return;
    control_reader_clear(&line->reader);
    close(line->socket);
    line->socket = -1;
}

bool daemon_line_fill(struct daemon_line *line) {
    ssize_t n = control_reader_fill(&line->reader, line->socket);
    return n > 0 || n == -EAGAIN || n == -EINTR;
}

static bool string_get(const json_t *object, const char *key, char *text, size_t size) {
    const char *value = json_string_value(json_object_get(object, key));
    if (value)
        snprintf(text, size, "%s", value);
    return value != NULL;
}

enum daemon_said daemon_line_next(struct daemon_line *line, char *text, size_t size) {
    const char *octets = control_reader_line(&line->reader);
    if (!octets)
        return DAEMON_NOTHING;
    json_t *object = json_loads(octets, 0, NULL);
    enum daemon_said said = DAEMON_GONE;
    if (string_get(object, "note", text, size))
        said = DAEMON_NOTE;
    else if (string_get(object, "end", text, size))
        said = DAEMON_END;
    else if (string_get(object, "kill", text, size))
        said = DAEMON_KILL;
    else if (string_get(object, "pause", text, size))
        said = DAEMON_PAUSE;
    else if (string_get(object, "unpause", text, size))
        said = DAEMON_UNPAUSE;
    else if (string_get(object, "error", text, size))
        said = DAEMON_ERROR;
    else if (json_is_true(json_object_get(object, "ok")))
        said = DAEMON_OK;
    json_decref(object);
    return said;
}

static enum daemon_said answer_wait(struct daemon_line *line, char *text, size_t size) {
    enum daemon_said said = DAEMON_NOTHING;
    /* An attachment to a computer that is off or paused is refused. */
    while (said != DAEMON_OK && said != DAEMON_ERROR && said != DAEMON_GONE && said != DAEMON_END) {
        struct pollfd wait = {line->socket, POLLIN, 0};
        said = daemon_line_next(line, text, size);
        if (said != DAEMON_NOTHING)
            continue;
        int ready = poll(&wait, 1, ATTACH_TIMEOUT_MS);
        if (ready == 0 || (ready > 0 && !daemon_line_fill(line)))
            return DAEMON_GONE;
    }
    return said;
}

bool daemon_line_attach(struct daemon_line *line, pid_t program, int listener, int reach,
                        char *text, size_t size) {
    char request[64];
    snprintf(request, sizeof(request), "{\"do\":\"attach\",\"pid\":%d}", (int)program);
    const int descriptors[] = {listener, reach};
    int r = control_send(line->socket, request, descriptors, 2);
    enum daemon_said said = r < 0 ? DAEMON_GONE : answer_wait(line, text, size);
    if (said == DAEMON_GONE)
        snprintf(text, size, "the network's daemon does not answer any more");
    return said == DAEMON_OK;
}

bool daemon_line_ping(struct daemon_line *line) {
    return control_send(line->socket, "{\"do\":\"ping\"}", NULL, 0) >= 0;
}
