#define _GNU_SOURCE
#include "tool/daemon/logs.h"
#include "tool/daemon/computers.h"
#include "tool/daemon/document.h"
#include "tool/daemon/log_ring.h"
#include "tool/daemon/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READ_MAX = 65536, FOLLOWER_BUSY = 65536, LINE_SPLIT = 8192, PREFIX_MAX = NAME_TEXT * 2 + 8 };
static const uint64_t END_PATIENCE = 2 * BERTH_SECOND;

struct log {
    struct poll_source source; /* a pipe; fd -1 after its end, or if it is our own */
    bool open;                 /* more may come */
    struct daemon *daemon;
    struct log *next;
    unsigned index;
    char host[NAME_TEXT], process[NAME_TEXT]; /* process: of several on that host, or empty */
    struct log_ring ring;
};

struct follower {
    char host[NAME_TEXT], process[NAME_TEXT]; /* empty: all */
    bool behind;    /* there was more to send than the writer should hold */
    unsigned count; /* of positions: logs below this index have been begun */
    uint64_t *positions;
};

/* "server", or "server.worker". */
static int log_name(const struct log *log, char *text, size_t size) {
    bool several = log->process[0] != '\0';
    return snprintf(text, size, "%s%s%s", log->host, several ? "." : "", log->process);
}

/* "server | text", the bars below each other. */
static int log_prefix(const struct log *log, char *text, size_t size) {
    char name[NAME_TEXT * 2];
    log_name(log, name, sizeof name);
    return snprintf(text, size, "%-*s | ", log->daemon->log_width, name);
}

/* ---- following ---- */

static bool follower_wants(const struct follower *follower, const struct log *log) {
    return (follower->host[0] == '\0' || strcmp(follower->host, log->host) == 0) &&
           (follower->process[0] == '\0' || strcmp(follower->process, log->process) == 0);
}

static bool follower_room(struct follower *follower, const struct log *log) {
    if (log->index < follower->count)
        return true;
    uint64_t *positions = realloc(follower->positions, (log->index + 1) * sizeof *positions);
    if (positions == NULL)
        return false;
    memset(positions + follower->count, 0, (log->index + 1 - follower->count) * sizeof *positions);
    follower->positions = positions;
    follower->count = log->index + 1;
    return true;
}

/* How far the next line goes: whole lines, but for the last one of a log that has ended and for
 * endless ones. 0: none yet. */
static uint64_t line_end(const struct log *log, uint64_t at) {
    uint64_t end = log_ring_line_end(&log->ring, at);
    if (end == 0 && (!log->open || log->ring.end - at >= LINE_SPLIT))
        end = log->ring.end;
    return end > at + LINE_SPLIT ? at + LINE_SPLIT : end;
}

static bool line_send(struct connection *c, const struct log *log, uint64_t at, uint64_t end) {
    char text[PREFIX_MAX + LINE_SPLIT + 2];
    size_t length = 0;
    if (c->follower->host[0] == '\0')
        length = (size_t)log_prefix(log, text, PREFIX_MAX);
    while (at < end) {
        const char *piece;
        size_t count = log_ring_piece(&log->ring, at, &piece);
        if (count > end - at)
            count = (size_t)(end - at);
        memcpy(text + length, piece, count);
        length += count;
        at += count;
    }
    if (length == 0 || text[length - 1] != '\n')
        text[length++] = '\n';
    return connection_put(c, text, length);
}

static void follower_send(struct connection *c, const struct log *log) {
    uint64_t *at = &c->follower->positions[log->index];
    if (*at < log->ring.begin) {
        char text[128];
        int length = snprintf(text, sizeof text, "(%llu octets of %s's log are lost)\n",
                              (unsigned long long)(log->ring.begin - *at), log->host);
        connection_put(c, text, (size_t)length);
        *at = log->ring.begin;
    }
    for (;;) {
        uint64_t end = line_end(log, *at);
        if (end <= *at)
            return;
        if (control_writer_waiting(&c->writer) > FOLLOWER_BUSY) {
            c->follower->behind = true;
            return;
        }
        if (!line_send(c, log, *at, end)) {
            c->broken = true; /* out of memory */
            return;
        }
        *at = end;
    }
}

/* Sends what is new of that log; false when memory is out. */
static bool follower_take(struct connection *c, const struct log *log) {
    if (!follower_room(c->follower, log)) {
        c->broken = true;
        return false;
    }
    follower_send(c, log);
    return true;
}

/* Nothing more will come of any log that it wants. */
static bool follower_done(const struct connection *c) {
    bool any = false;
    for (const struct log *log = c->daemon->logs; log != NULL; log = log->next) {
        if (!follower_wants(c->follower, log))
            continue;
        if (log->open || log->index >= c->follower->count ||
            c->follower->positions[log->index] < log->ring.end)
            return false;
        any = true;
    }
    return any;
}

/* Who takes all at once is not told of by the poller: so it goes on until something waits. */
static bool follower_goes_on(const struct connection *c) {
    return c->follower->behind && !c->broken && control_writer_waiting(&c->writer) == 0;
}

void follower_pump(struct connection *c) {
    do {
        c->follower->behind = false;
        for (struct log *log = c->daemon->logs; log != NULL; log = log->next)
            if (follower_wants(c->follower, log) && !follower_take(c, log))
                return;
        c->finished = c->finished || follower_done(c);
        connection_flush(c);
    } while (follower_goes_on(c));
}

void follower_free(struct connection *c) {
    free(c->follower->positions);
    free(c->follower);
    c->follower = NULL;
}

/* One log has something new, or has ended. */
static void followers_pump(struct daemon *daemon, const struct log *log) {
    for (struct connection *c = daemon->connections; c != NULL; c = c->next) {
        if (c->follower == NULL || !follower_wants(c->follower, log) || !follower_take(c, log))
            continue;
        c->finished = c->finished || (!log->open && follower_done(c));
        connection_flush(c);
        if (follower_goes_on(c))
            follower_pump(c);
    }
}

/* ---- reading ---- */

static void log_ready(struct poll_source *source, uint32_t events) {
    (void)events;
    struct log *log = (struct log *)(void *)source;
    char data[READ_MAX];
    ssize_t got = read(source->fd, data, sizeof data);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0) {
        log_ring_put(&log->ring, data, (size_t)got);
    } else {
        poller_remove(log->daemon->poller, source);
        close(source->fd);
        source->fd = -1;
        log->open = false;
    }
    followers_pump(log->daemon, log);
}

static bool follower_behind(const struct connection *c) {
    const struct follower *f = c->follower;
    for (const struct log *log = c->daemon->logs; log != NULL; log = log->next)
        if (follower_wants(f, log) &&
            (log->index >= f->count || f->positions[log->index] < log->ring.end))
            return true;
    return control_writer_waiting(&c->writer) > 0;
}

void followers_end(struct daemon *daemon) {
    uint64_t now = clock_monotonic(), until = now + END_PATIENCE;
    for (struct log *log = daemon->logs; log != NULL; log = log->next) {
        if (log->source.fd >= 0)
            log_ready(&log->source, 0);
        log->open = false;
    }
    for (struct connection *c = daemon->connections; c != NULL; c = c->next) {
        struct pollfd socket = {.fd = c->source.fd, .events = POLLOUT};
        if (c->follower == NULL)
            continue;
        follower_pump(c);
        while (!c->broken && follower_behind(c) && (now = clock_monotonic()) < until &&
               poll(&socket, 1, (int)((until - now) / BERTH_MS) + 1) > 0)
            follower_pump(c);
    }
}

static struct log *log_make(struct daemon *daemon, const char *host, const char *process) {
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return NULL;
    log->source = (struct poll_source){-1, EPOLLIN, log_ready};
    log->daemon = daemon;
    log->open = true;
    snprintf(log->host, sizeof log->host, "%s", host);
    snprintf(log->process, sizeof log->process, "%s", process != NULL ? process : "");
    return log;
}

static void log_enter(struct daemon *daemon, struct log *log) {
    char name[NAME_TEXT * 2];
    log->index = daemon->log_count++;
    if (daemon->logs == NULL)
        daemon->logs_end = &daemon->logs;
    *daemon->logs_end = log;
    daemon->logs_end = &log->next;
    int width = log_name(log, name, sizeof name);
    if (daemon->log_width < width)
        daemon->log_width = width;
}

int log_add(struct daemon *daemon, const char *host, const char *process, int fd) {
    struct log *log = log_make(daemon, host, process);
    int result = log == NULL ? -ENOMEM : fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    if (result == 0) {
        log->source.fd = fd;
        result = poller_add(daemon->poller, &log->source);
    }
    if (result < 0) {
        free(log);
        close(fd);
        return result;
    }
    log_enter(daemon, log);
    return 0;
}

struct log *log_open(struct daemon *daemon, const char *name) {
    struct log *log = log_make(daemon, name, NULL);
    if (log != NULL)
        log_enter(daemon, log);
    return log;
}

void log_say(struct log *log, const char *line) {
    log_ring_put(&log->ring, line, strlen(line));
    followers_pump(log->daemon, log);
}

void log_end(struct log *log) {
    log->open = false;
    followers_pump(log->daemon, log);
}

void logs_free(struct daemon *daemon) {
    while (daemon->logs != NULL) {
        struct log *log = daemon->logs;
        daemon->logs = log->next;
        if (log->source.fd >= 0)
            close(log->source.fd);
        log_ring_clear(&log->ring);
        free(log);
    }
}

/* ---- asking ---- */

static void document_log(struct document *document, const struct log *log, bool prefix) {
    uint64_t at = log->ring.begin;
    while (at < log->ring.end) {
        uint64_t end = log_ring_line_end(&log->ring, at);
        if (end == 0)
            end = log->ring.end;
        char text[PREFIX_MAX];
        if (prefix)
            document_octets(document, text, (size_t)log_prefix(log, text, sizeof text));
        while (at < end) {
            const char *piece;
            size_t count = log_ring_piece(&log->ring, at, &piece);
            count = count > end - at ? (size_t)(end - at) : count;
            document_octets(document, piece, count);
            at += count;
        }
    }
    const char *last;
    if (at > log->ring.begin && log_ring_piece(&log->ring, at - 1, &last) > 0 && *last != '\n')
        document_octets(document, "\n", 1);
}

static void follower_start(struct connection *c, const char *host, const char *process) {
    struct follower *follower = calloc(1, sizeof *follower);
    if (follower == NULL) {
        connection_refuse(c, "out of memory");
        return;
    }
    snprintf(follower->host, sizeof follower->host, "%s", host != NULL ? host : "");
    snprintf(follower->process, sizeof follower->process, "%s", process != NULL ? process : "");
    c->follower = follower;
    c->watcher = true;
    connection_ok(c);
    follower_pump(c);
}

/* Of a computer, or one of our own. */
static bool log_is(const struct daemon *daemon, const char *host) {
    const struct log *log = daemon->logs;
    while (log != NULL && strcmp(log->host, host) != 0)
        log = log->next;
    return log != NULL;
}

void request_logs(struct connection *c, json_t *request) {
    const char *host = json_string_value(json_object_get(request, "host"));
    char error[SENTENCE];
    if (host != NULL && !log_is(c->daemon, host) &&
        computer_require(c->daemon, host, error) == NULL) {
        connection_refuse(c, "%s", error);
        return;
    }
    if (json_is_true(json_object_get(request, "follow"))) {
        if (c->run != NULL || c->daemon->up == c || c->follower != NULL)
            connection_refuse(c, "following needs a connection of its own");
        else
            follower_start(c, host, json_string_value(json_object_get(request, "process")));
        return;
    }
    struct document document;
    document_open(&document);
    for (struct log *log = c->daemon->logs; log != NULL; log = log->next)
        if (host == NULL || strcmp(host, log->host) == 0)
            document_log(&document, log, host == NULL);
    document_send(&document, c);
}
