#define _GNU_SOURCE
#include "tool/daemon/capture.h"
#include "tool/daemon/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { HALF = 8 << 20, PATIENCE_MS = 1000 };

struct capture {
    struct poll_source done; /* an eventfd: the writer has ended */
    struct daemon *daemon;
    int file;
    pthread_t writer;
    pthread_mutex_t mutex;
    pthread_cond_t change;
    char *filling, *writing; /* HALF octets each */
    size_t filled;
    bool stopping; /* nothing more comes */
    bool broken;   /* the file takes nothing: what comes is dropped */
    int cause;     /* errno */
};

/* ---- the writer's thread ---- */

/* False when the file takes nothing any more. */
static bool write_all(struct capture *capture, const char *data, size_t length) {
    while (length > 0) {
        ssize_t written = write(capture->file, data, length);
        if (written >= 0) {
            data += written;
            length -= (size_t)written;
            continue;
        }
        struct pollfd wait = {capture->file, POLLOUT, 0};
        if (errno == EAGAIN && poll(&wait, 1, PATIENCE_MS) == 0)
            errno = ETIMEDOUT;
        if (errno != EAGAIN && errno != EINTR)
            return false;
    }
    return true;
}

static void *writer_run(void *context) {
    struct capture *capture = context;
    bool fine = true;
    pthread_mutex_lock(&capture->mutex);
    while (fine) {
        while (capture->filled == 0 && !capture->stopping)
            pthread_cond_wait(&capture->change, &capture->mutex);
        size_t length = capture->filled;
        if (length == 0)
            break;
        char *data = capture->filling;
        capture->filling = capture->writing;
        capture->writing = data;
        capture->filled = 0;
        pthread_cond_broadcast(&capture->change);
        pthread_mutex_unlock(&capture->mutex);
        fine = write_all(capture, data, length);
        int cause = errno;
        pthread_mutex_lock(&capture->mutex);
        if (!fine) {
            capture->broken = true;
            capture->cause = cause;
        }
    }
    pthread_cond_broadcast(&capture->change);
    pthread_mutex_unlock(&capture->mutex);
    eventfd_write(capture->done.fd, 1);
    return NULL;
}

/* ---- the network's side ---- */

static void capture_take(void *context, const void *data, size_t length) {
    struct capture *capture = context;
    const char *from = data;
    pthread_mutex_lock(&capture->mutex);
    while (length > 0 && !capture->broken) {
        size_t room = HALF - capture->filled, count = length < room ? length : room;
        if (count == 0) {
            pthread_cond_wait(&capture->change, &capture->mutex);
            continue;
        }
        if (capture->filled == 0)
            pthread_cond_broadcast(&capture->change);
        memcpy(capture->filling + capture->filled, from, count);
        capture->filled += count;
        from += count;
        length -= count;
    }
    pthread_mutex_unlock(&capture->mutex);
}

static int network_capture(struct daemon *daemon, struct capture *capture) {
    struct timespec wall;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t zero = (uint64_t)wall.tv_sec * BERTH_SECOND + (uint64_t)wall.tv_nsec - now;
    int result =
        berth_network_capture(network, capture != NULL ? capture_take : NULL, capture, zero);
    server_unlock(daemon->server);
    return result;
}

/* ---- the main thread's ---- */

static void capture_free(struct capture *capture) {
    if (capture->done.fd >= 0)
        close(capture->done.fd);
    close(capture->file);
    free(capture->filling);
    free(capture->writing);
    pthread_mutex_destroy(&capture->mutex);
    pthread_cond_destroy(&capture->change);
    free(capture);
}

static void capture_stop(struct capture *capture) {
    network_capture(capture->daemon, NULL);
    pthread_mutex_lock(&capture->mutex);
    capture->stopping = true;
    pthread_cond_broadcast(&capture->change);
    pthread_mutex_unlock(&capture->mutex);
}

/* The writer has ended: all is written, or it could not be. Those who wait for it are told. */
static void capture_done(struct poll_source *source, uint32_t events) {
    (void)events;
    struct capture *capture = (struct capture *)(void *)source;
    struct daemon *daemon = capture->daemon;
    capture_stop(capture);
    pthread_join(capture->writer, NULL);
    poller_remove(daemon->poller, &capture->done);
    daemon->capture = NULL;
    for (struct connection *c = daemon->connections; c != NULL; c = c->next) {
        if (!c->awaits_capture)
            continue;
        c->awaits_capture = false;
        if (capture->broken)
            connection_refuse(c, "the capture could not be written: %s", strerror(capture->cause));
        else
            connection_ok(c);
    }
    capture_free(capture);
}

void capture_end(struct daemon *daemon) {
    if (daemon->capture == NULL)
        return;
    capture_stop(daemon->capture);
    pthread_join(daemon->capture->writer, NULL);
    poller_remove(daemon->poller, &daemon->capture->done);
    capture_free(daemon->capture);
    daemon->capture = NULL;
}

/* `file` is given. 0 or a negative errno. */
static int capture_start(struct daemon *daemon, int file) {
    struct capture *capture = calloc(1, sizeof *capture);
    if (capture == NULL) {
        close(file);
        return -ENOMEM;
    }
    capture->daemon = daemon;
    capture->file = file;
    pthread_mutex_init(&capture->mutex, NULL);
    pthread_cond_init(&capture->change, NULL);
    capture->done = (struct poll_source){eventfd(0, EFD_CLOEXEC), EPOLLIN, capture_done};
    capture->filling = malloc(HALF);
    capture->writing = malloc(HALF);
    fcntl(file, F_SETFL, fcntl(file, F_GETFL) | O_NONBLOCK);
    int result = capture->done.fd < 0 || capture->filling == NULL || capture->writing == NULL
                     ? -ENOMEM
                     : poller_add(daemon->poller, &capture->done);
    if (result == 0)
        result = -pthread_create(&capture->writer, NULL, writer_run, capture);
    if (result < 0) {
        capture_free(capture);
        return result;
    }
    daemon->capture = capture;
    result = network_capture(daemon, capture);
    if (result < 0)
        capture_end(daemon);
    return result;
}

void request_capture(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    if (json_is_true(json_object_get(request, "stop"))) {
        if (daemon->capture == NULL) {
            connection_refuse(c, "no capture is running in network %s", daemon->net);
            return;
        }
        c->awaits_capture = true;
        capture_stop(daemon->capture);
        return;
    }
    int file = control_reader_take_fd(&c->reader);
    if (file < 0 || daemon->capture != NULL) {
        if (file >= 0)
            close(file);
        connection_refuse(c, file < 0 ? "capture needs a descriptor"
                                      : "a capture is running already (end it with berth capture "
                                        "--stop)");
        return;
    }
    int result = capture_start(daemon, file);
    if (result < 0)
        connection_refuse(c, "cannot capture: %s", strerror(-result));
    else
        connection_ok(c);
}
