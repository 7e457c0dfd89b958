#define _GNU_SOURCE
#include "tool/daemon/dump.h"
#include "tool/daemon/computers.h"
#include "tool/daemon/dump_buffer.h"
#include "tool/daemon/dump_filter.h"
#include "tool/daemon/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 1000,
    PIPE_OCTETS = 1 << 20,
    BLOCK_EXTRA = 512 /* of a block, beside its frame */
};
enum { KIB_DEFAULT = 65536, KIB_MOST = 1 << 22 };

struct dump {
    struct poll_source pipe; /* first: found from it; the end that is written to; fd -1: closed */
    struct poll_source news; /* an eventfd: there is something to be written, or it is full */
    struct connection *connection;
    int capture; /* the network's number for it; 0: it has been taken off */
    struct dump_filter filter;
    struct dump_buffer buffer;
    uint32_t snap;
    uint64_t count;       /* of frames, 0: no end */
    uint64_t taken, lost; /* under the network's lock, as long as it captures */
    bool told;            /* what became of it */
    atomic_bool full;     /* `count` are there */
};

static struct dump *dump_of_news(struct poll_source *source) {
    return (struct dump *)(void *)((char *)source - offsetof(struct dump, news));
}

/* ---- the network's side: any thread, with the network's lock ---- */

static enum berth_capture_choice dump_choose(void *context, const uint8_t *frame, uint32_t length) {
    struct dump *dump = context;
    uint32_t kept = dump->snap != 0 && dump->snap < length ? dump->snap : length;
    if (dump->full || !dump_filter_takes(&dump->filter, frame, length))
        return BERTH_CAPTURE_SKIP;
    if (!dump_buffer_has_room(&dump->buffer, kept + BLOCK_EXTRA)) {
        dump->lost++;
        return BERTH_CAPTURE_LOSE;
    }
    dump->full = ++dump->taken == dump->count;
    return BERTH_CAPTURE_TAKE;
}

static void dump_write(void *context, const void *data, size_t length) {
    struct dump *dump = context;
    if (dump_buffer_put(&dump->buffer, data, length) || dump->full)
        eventfd_write(dump->news.fd, 1);
}

/* ---- the main thread's ---- */

static int capture_begin(struct daemon *daemon, struct dump *dump, int host, int switch_number) {
    struct timespec wall;
    uint64_t now;
    struct berth_capture_config config;
    berth_capture_config_init(&config);
    config.write = dump_write;
    config.context = dump;
    config.host = host;
    config.switch_number = switch_number;
    config.snap = dump->snap;
    config.choose = dump_choose;
    struct berth_network *network = server_lock(daemon->server, &now);
    clock_gettime(CLOCK_REALTIME, &wall);
    config.wall = (uint64_t)wall.tv_sec * BERTH_SECOND + (uint64_t)wall.tv_nsec - now;
    int number = berth_network_capture_add(network, &config);
    server_unlock(daemon->server);
    return number;
}

/* Nothing more comes; what waits stays. */
static void capture_end(struct dump *dump) {
    uint64_t now;
    if (dump->capture == 0)
        return;
    struct server *server = dump->connection->daemon->server;
    berth_network_capture_remove(server_lock(server, &now), dump->capture);
    server_unlock(server);
    dump->capture = 0;
}

static void pipe_close(struct dump *dump) {
    if (dump->pipe.fd < 0)
        return;
    if (dump->pipe.events != 0)
        poller_remove(dump->connection->daemon->poller, &dump->pipe);
    close(dump->pipe.fd);
    dump->pipe.fd = -1;
}

/* Says how it went, once all is written. */
static void tell(struct dump *dump) {
    if (dump->told)
        return;
    dump->told = true;
    connection_reply(dump->connection, json_pack("{s:I,s:I}", "dumped", (json_int_t)dump->taken,
                                                 "lost", (json_int_t)dump->lost));
}

/* Writes what the pipe takes, and waits for it to take more as long as something is left. */
static void dump_pump(struct dump *dump) {
    int poller = dump->connection->daemon->poller;
    if (dump->pipe.fd < 0)
        return;
    if (dump->full || dump->buffer.broken)
        capture_end(dump);
    int result = dump_buffer_flush(&dump->buffer, dump->pipe.fd);
    if (result < 0 && result != -EAGAIN)
        capture_end(dump);
    if (result == -EAGAIN && dump->pipe.events == 0) {
        dump->pipe.events = EPOLLOUT;
        poller_add(poller, &dump->pipe);
    } else if (result != -EAGAIN && dump->pipe.events != 0) {
        poller_remove(poller, &dump->pipe);
        dump->pipe.events = 0;
    }
    if (dump->capture == 0 && result != -EAGAIN) {
        pipe_close(dump);
        tell(dump);
    }
}

static void pipe_ready(struct poll_source *source, uint32_t events) {
    (void)events;
    dump_pump((struct dump *)(void *)source);
}

static void news_ready(struct poll_source *source, uint32_t events) {
    (void)events;
    eventfd_t count;
    eventfd_read(source->fd, &count);
    dump_pump(dump_of_news(source));
}

static void dump_free(struct dump *dump) {
    capture_end(dump);
    pipe_close(dump);
    if (dump->news.fd >= 0) {
        poller_remove(dump->connection->daemon->poller, &dump->news);
        close(dump->news.fd);
    }
    dump_filter_clear(&dump->filter);
    dump_buffer_clear(&dump->buffer);
    free(dump);
}

/* Those who wait for all dumps to end, if this was the last. */
static void awaiting_answer(struct daemon *daemon) {
    for (struct connection *c = daemon->connections; c != NULL; c = c->next)
        if (c->dump != NULL)
            return;
    for (struct connection *c = daemon->connections; c != NULL; c = c->next) {
        if (!c->awaits_dumps)
            continue;
        c->awaits_dumps = false;
        connection_ok(c);
    }
}

/* A client could not write its file: those who wait for it hear why. */
static void awaiting_refuse(struct daemon *daemon, const char *failure) {
    for (struct connection *c = daemon->connections; c != NULL; c = c->next) {
        if (!c->awaits_dumps)
            continue;
        c->awaits_dumps = false;
        connection_refuse(c, "%.300s", failure);
    }
}

void dump_leave(struct connection *connection) {
    dump_free(connection->dump);
    connection->dump = NULL;
    awaiting_answer(connection->daemon);
}

void dumps_end(struct daemon *daemon) {
    for (struct connection *c = daemon->connections; c != NULL; c = c->next) {
        struct dump *dump = c->dump;
        if (dump == NULL)
            continue;
        capture_end(dump);
        struct pollfd wait = {dump->pipe.fd, POLLOUT, 0};
        while (dump->pipe.fd >= 0 && dump_buffer_flush(&dump->buffer, dump->pipe.fd) == -EAGAIN &&
               poll(&wait, 1, PATIENCE_MS) > 0)
            continue;
        pipe_close(dump);
        tell(dump);
    }
}

/* ---- requests ---- */

/* What is dumped: a host, a network, a host's link to a network ("host:network"), or all. False
 * with a sentence. */
static bool place_find(struct daemon *daemon, const char *on, int *host, int *switch_number,
                       char *error) {
    char name[2 * NAME_TEXT];
    uint64_t now;
    *host = *switch_number = -1;
    if (on == NULL)
        return true;
    snprintf(name, sizeof name, "%s", on);
    char *colon = strchr(name, ':');
    if (colon != NULL)
        *colon = '\0';
    const char *net = colon != NULL ? colon + 1 : name;
    const struct computer *computer = computer_find(daemon, name);
    if (computer == NULL || colon != NULL) {
        *switch_number = berth_network_find_switch(server_lock(daemon->server, &now), net);
        server_unlock(daemon->server);
    }
    if (computer == NULL && (colon != NULL || *switch_number < 0))
        return computer_require(daemon, name, error) != NULL;
    if (colon != NULL && *switch_number < 0) {
        snprintf(error, SENTENCE, "no network \"%.64s\"", net);
        return false;
    }
    if (computer != NULL)
        *host = computer->number;
    return true;
}

static bool number_read(const json_t *request, const char *key, uint64_t most, uint64_t *value,
                        char *error) {
    const json_t *given = json_object_get(request, key);
    json_int_t number = json_integer_value(given);
    if (given == NULL)
        return true;
    if (!json_is_integer(given) || number < 1 || (uint64_t)number > most) {
        snprintf(error, SENTENCE, "%s should be 1 to %llu", key, (unsigned long long)most);
        return false;
    }
    *value = (uint64_t)number;
    return true;
}

/* The dump as it was asked for, with no descriptor yet. NULL with a sentence. */
static struct dump *dump_read(const json_t *request, char *error) {
    uint64_t kib = KIB_DEFAULT, snap = 0, count = 0;
    if (!number_read(request, "buffer", KIB_MOST, &kib, error) ||
        !number_read(request, "snap", UINT16_MAX * 2, &snap, error) ||
        !number_read(request, "count", UINT32_MAX, &count, error))
        return NULL;
    struct dump *dump = calloc(1, sizeof *dump);
    if (dump == NULL) {
        snprintf(error, SENTENCE, "out of memory");
        return NULL;
    }
    if (!dump_filter_read(&dump->filter, json_object_get(request, "filter"), error)) {
        free(dump);
        return NULL;
    }
    dump->snap = (uint32_t)snap;
    dump->count = count;
    dump_buffer_init(&dump->buffer, kib * 1024);
    dump->pipe = (struct poll_source){-1, 0, pipe_ready};
    dump->news = (struct poll_source){-1, EPOLLIN, news_ready};
    return dump;
}

/* Its pipe; *reader is the other end. 0 or a negative errno. */
static int pipes_open(struct daemon *daemon, struct dump *dump, int *reader) {
    int ends[2] = {-1, -1};
    int news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (news < 0)
        return -errno;
    dump->news.fd = news;
    int result = poller_add(daemon->poller, &dump->news);
    if (result == 0 && pipe2(ends, O_CLOEXEC) < 0)
        result = -errno;
    if (result < 0) {
        close(news);
        dump->news.fd = -1;
        return result;
    }
    /* A larger one saves wake-ups; an unprivileged user may be out of them. */
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_OCTETS);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    dump->pipe.fd = ends[1];
    *reader = ends[0];
    return 0;
}

/* All that waits is still written, and then its client is told. */
static void dump_stop(struct dump *dump) {
    capture_end(dump);
    eventfd_write(dump->news.fd, 1);
}

static void dumps_stop(struct connection *c) {
    struct daemon *daemon = c->daemon;
    for (struct connection *other = daemon->connections; other != NULL; other = other->next) {
        if (other->dump == NULL)
            continue;
        c->awaits_dumps = true;
        dump_stop(other->dump);
        connection_tell(other, "end", "stopped");
    }
    if (!c->awaits_dumps)
        connection_refuse(c, "no dump is running in network %s", daemon->net);
}

void request_dump(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    char error[SENTENCE];
    int host, switch_number, reader = -1;
    const char *failure = json_string_value(json_object_get(request, "failed"));
    if (failure != NULL && c->dump != NULL) {
        awaiting_refuse(daemon, failure);
        return;
    }
    if (json_is_true(json_object_get(request, "stop"))) {
        if (c->dump != NULL)
            dump_stop(c->dump);
        else
            dumps_stop(c);
        return;
    }
    struct dump *dump = NULL;
    if (place_find(daemon, json_string_value(json_object_get(request, "on")), &host, &switch_number,
                   error))
        dump = dump_read(request, error);
    if (dump == NULL) {
        connection_refuse(c, "%s", error);
        return;
    }
    if (c->dump != NULL || c->run != NULL || c->follower != NULL || daemon->up == c) {
        dump_free(dump);
        connection_refuse(c, "this connection is in use already");
        return;
    }
    dump->connection = c;
    int result = pipes_open(daemon, dump, &reader);
    if (result == 0) {
        result = dump->capture = capture_begin(daemon, dump, host, switch_number);
        if (result < 0) {
            dump->capture = 0;
            close(reader);
        }
    }
    if (result < 0) {
        dump_free(dump);
        connection_refuse(c, "cannot dump: %s", strerror(-result));
        return;
    }
    c->dump = dump;
    c->watcher = true;
    connection_reply_document(c, reader);
}
