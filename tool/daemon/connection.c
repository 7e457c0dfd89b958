#define _GNU_SOURCE
#include "tool/daemon/connection.h"
#include "tool/daemon/dump.h"
#include "tool/daemon/lifecycle.h"
#include "tool/daemon/logs.h"
#include "tool/daemon/requests.h"
#include "tool/daemon/runs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WRITER_LIMIT = 512 * 1024,
    WRITER_BUSY = 64 * 1024, /* with more than this waiting no request is read */
    NOTES_BUSY = 256 * 1024  /* with more than this waiting notes are dropped */
};

static void connection_interest(struct connection *c) {
    size_t waiting = control_writer_waiting(&c->writer);
    uint32_t events = 0;
    if (!c->finished && waiting < WRITER_BUSY && c->writer.fd < 0)
        events |= EPOLLIN;
    if (waiting > 0)
        events |= EPOLLOUT;
    if (poller_change(c->daemon->poller, &c->source, events) < 0)
        c->broken = true;
    if (c->broken || (c->finished && waiting == 0))
        c->daemon->sweep = true;
}

void connection_flush(struct connection *c) {
    int result = control_writer_flush(&c->writer, c->source.fd);
    if (result < 0 && result != -EAGAIN)
        c->broken = true;
    connection_interest(c);
}

bool connection_put(struct connection *c, const char *data, size_t length) {
    return control_writer_put(&c->writer, data, length, -1) == 0;
}

static void connection_send(struct connection *c, json_t *line, int fd) {
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    size_t length = text != NULL ? strlen(text) : 0;
    if (text != NULL)
        text[length] = '\n'; /* in place of the NUL */
    if (text == NULL || control_writer_put(&c->writer, text, length + 1, fd) < 0)
        c->broken = true; /* an answer that cannot be given ends the conversation */
    free(text);
    connection_flush(c);
}

void connection_reply(struct connection *c, json_t *reply) {
    connection_send(c, reply, -1);
}

void connection_reply_document(struct connection *c, int fd) {
    connection_send(c, json_pack("{s:b,s:b}", "ok", 1, "document", 1), fd);
}

void connection_ok(struct connection *c) {
    connection_reply(c, json_pack("{s:b}", "ok", 1));
}

void connection_refuse(struct connection *c, const char *format, ...) {
    char text[SENTENCE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_t *reply = json_pack("{s:s}", "error", text);
    /* A request may have put half a character into the sentence. */
    if (reply == NULL)
        reply = json_pack("{s:s}", "error", "the request makes no sense");
    connection_send(c, reply, -1);
}

void connection_tell(struct connection *c, const char *key, const char *text) {
    json_t *line = json_pack("{s:s}", key, text);
    if (line == NULL || control_writer_waiting(&c->writer) > NOTES_BUSY)
        json_decref(line);
    else
        connection_send(c, line, -1);
}

/* Answers whole lines for as long as the client takes the answers. */
static void connection_answer(struct connection *c) {
    while (!c->broken && !c->finished && control_writer_waiting(&c->writer) < WRITER_BUSY &&
           c->writer.fd < 0) {
        char *line = control_reader_line(&c->reader);
        if (line == NULL)
            break;
        if (line[0] != '\0')
            request_handle(c, line);
    }
    control_reader_settle(&c->reader);
}

static void connection_receive(struct connection *c) {
    ssize_t got = control_reader_fill(&c->reader, c->source.fd);
    if (got == -EAGAIN)
        return;
    if (got > 0) {
        connection_answer(c);
    } else if (got == -EMSGSIZE) {
        connection_refuse(c, "a line of more than %d octets", CONTROL_LINE_MAX);
        c->finished = true;
    } else if (got == 0) {
        c->finished = true;
    } else {
        c->broken = true;
    }
}

static void connection_ready(struct poll_source *source, uint32_t events) {
    struct connection *c =
        (struct connection *)(void *)((char *)source - offsetof(struct connection, source));
    if ((events & EPOLLOUT) != 0) {
        connection_flush(c);
        if (c->follower != NULL)
            follower_pump(c);
        connection_answer(c);
    }
    if ((events & EPOLLIN) != 0 && !c->broken)
        connection_receive(c);
    else if ((events & (EPOLLHUP | EPOLLERR)) != 0)
        c->broken = true; /* gone altogether; nobody reads what is left to say */
    connection_interest(c);
}

/* Only the user and root: the socket's mode says so too, but a descriptor may have been handed on.
 */
static bool peer_allowed(int fd) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void connection_open(struct daemon *daemon, int fd) {
    struct connection *c = peer_allowed(fd) ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) {
        close(fd);
        return;
    }
    c->daemon = daemon;
    c->source = (struct poll_source){fd, EPOLLIN, connection_ready};
    c->id = ++daemon->last_id;
    control_reader_init(&c->reader);
    control_writer_init(&c->writer, WRITER_LIMIT);
    if (poller_add(daemon->poller, &c->source) < 0) {
        close(fd);
        free(c);
        return;
    }
    c->next = daemon->connections;
    c->link = &daemon->connections;
    if (c->next != NULL)
        c->next->link = &c->next;
    daemon->connections = c;
    /* Who comes while all is ending either leaves, or waits for our end and then begins anew. */
    connection_reply(c, json_pack("{s:s,s:i,s:b}", "berth", BERTH_VERSION, "pid", (int)getpid(),
                                  "ending", (int)daemon->ending));
}

bool connection_accept(struct daemon *daemon) {
    int fd = accept4(daemon->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE) && daemon->spare >= 0) {
        /* Out of descriptors: the client is turned away instead of waking us for ever. */
        close(daemon->spare);
        fd = accept4(daemon->listener.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            close(fd);
        daemon->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return false;
    }
    if (fd < 0)
        return false;
    connection_open(daemon, fd);
    return true;
}

static void listener_ready(struct poll_source *source, uint32_t events) {
    (void)events;
    struct daemon *daemon =
        (struct daemon *)(void *)((char *)source - offsetof(struct daemon, listener));
    connection_accept(daemon);
}

int connection_listen(struct daemon *daemon, int listener) {
    daemon->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    daemon->listener = (struct poll_source){listener, EPOLLIN, listener_ready};
    return poller_add(daemon->poller, &daemon->listener);
}

void connection_close(struct connection *c) {
    struct daemon *daemon = c->daemon;
    poller_remove(daemon->poller, &c->source);
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    if (c->run != NULL)
        run_leave(c);
    if (c->follower != NULL)
        follower_free(c);
    if (c->dump != NULL)
        dump_leave(c);
    if (daemon->up == c)
        lifecycle_up_left(daemon);
    if (!c->stays) /* else the process's end closes it: that is how those who said `down` know */
        close(c->source.fd);
    control_reader_clear(&c->reader);
    control_writer_clear(&c->writer);
    free(c);
}

void connection_sweep(struct daemon *daemon) {
    if (!daemon->sweep)
        return;
    daemon->sweep = false;
    struct connection *next;
    for (struct connection *c = daemon->connections; c != NULL; c = next) {
        next = c->next;
        if (c->broken || (c->finished && control_writer_waiting(&c->writer) == 0))
            connection_close(c);
    }
}
