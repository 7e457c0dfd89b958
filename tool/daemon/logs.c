#define _GNU_SOURCE
#include "tool/daemon/logs.h"
#include "tool/daemon/computers.h"
#include "tool/daemon/document.h"
#include "tool/daemon/log_ring.h"
#include "tool/daemon/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READ_MAX = 65536, FOLLOWER_BUSY = 65536, LINE_SPLIT = 8192 };

struct log {
    struct poll_source source; /* a pipe; fd -1 after its end */
    struct daemon *daemon;
    struct log *next;
    unsigned index;
    char host[NAME_TEXT];
    struct log_ring ring;
};

struct follower {
    char host[NAME_TEXT]; /* empty: all */
    unsigned count;       /* of positions: logs below this index have been begun */
    uint64_t *positions;
};

/* "server | text", the bars below each other. */
static int log_prefix(const struct log *log, char *text, size_t size) {
    int width = 0;
    for (const struct log *l = log->daemon->logs; l != NULL; l = l->next)
        width = width < (int)strlen(l->host) ? (int)strlen(l->host) : width;
    return snprintf(text, size, "%-*s | ", width, log->host);
}

/* ---- following ---- */

static bool follower_wants(const struct follower *follower, const struct log *log) {
    return follower->host[0] == '\0' || strcmp(follower->host, log->host) == 0;
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
    if (end == 0 && (log->source.fd < 0 || log->ring.end - at >= LINE_SPLIT))
        end = log->ring.end;
    return end > at + LINE_SPLIT ? at + LINE_SPLIT : end;
}

static bool line_send(struct connection *c, const struct log *log, uint64_t at, uint64_t end) {
    char text[NAME_TEXT * 2 + LINE_SPLIT + 2];
    size_t length = 0;
    if (c->follower->host[0] == '\0')
        length = (size_t)log_prefix(log, text, NAME_TEXT * 2);
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
        if (end <= *at || control_writer_waiting(&c->writer) > FOLLOWER_BUSY ||
            !line_send(c, log, *at, end))
            return;
        *at = end;
    }
}

void follower_pump(struct connection *c) {
    bool over = true, any = false;
    for (struct log *log = c->daemon->logs; log != NULL; log = log->next) {
        if (!follower_wants(c->follower, log))
            continue;
        if (!follower_room(c->follower, log)) {
            c->broken = true;
            return;
        }
        follower_send(c, log);
        any = true;
        if (log->source.fd >= 0 || c->follower->positions[log->index] < log->ring.end)
            over = false;
    }
    if (any && over)
        c->finished = true;
    connection_flush(c);
}

void follower_free(struct connection *c) {
    free(c->follower->positions);
    free(c->follower);
    c->follower = NULL;
}

static void followers_pump(struct daemon *daemon) {
    for (struct connection *c = daemon->connections; c != NULL; c = c->next)
        if (c->follower != NULL)
            follower_pump(c);
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
    }
    followers_pump(log->daemon);
}

int log_add(struct daemon *daemon, const char *host, int fd) {
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        int cause = log == NULL ? ENOMEM : errno;
        free(log);
        close(fd);
        return -cause;
    }
    log->source = (struct poll_source){fd, EPOLLIN, log_ready};
    log->daemon = daemon;
    snprintf(log->host, sizeof log->host, "%s", host);
    int result = poller_add(daemon->poller, &log->source);
    if (result < 0) {
        close(fd);
        free(log);
        return result;
    }
    struct log **link = &daemon->logs;
    for (; *link != NULL; link = &(*link)->next)
        log->index = (*link)->index + 1;
    *link = log;
    return 0;
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
        char text[NAME_TEXT * 2];
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

static void follower_start(struct connection *c, const char *host) {
    struct follower *follower = calloc(1, sizeof *follower);
    if (follower == NULL) {
        connection_refuse(c, "out of memory");
        return;
    }
    snprintf(follower->host, sizeof follower->host, "%s", host != NULL ? host : "");
    c->follower = follower;
    c->watcher = true;
    connection_ok(c);
    follower_pump(c);
}

void request_logs(struct connection *c, json_t *request) {
    const char *host = json_string_value(json_object_get(request, "host"));
    char error[SENTENCE];
    if (host != NULL && computer_require(c->daemon, host, error) == NULL) {
        connection_refuse(c, "%s", error);
        return;
    }
    if (json_is_true(json_object_get(request, "follow"))) {
        if (c->run != NULL || c->daemon->up == c || c->follower != NULL)
            connection_refuse(c, "following needs a connection of its own");
        else
            follower_start(c, host);
        return;
    }
    struct document document;
    document_open(&document);
    for (struct log *log = c->daemon->logs; log != NULL; log = log->next)
        if (host == NULL || strcmp(host, log->host) == 0)
            document_log(&document, log, host == NULL);
    document_send(&document, c);
}
