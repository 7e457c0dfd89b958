#define _GNU_SOURCE
#include "tool/daemon/notes.h"
#include "tool/daemon/connection.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { NOTES_MAX = 64 };

struct notes {
    struct poll_source source; /* an eventfd */
    struct daemon *daemon;
    pthread_mutex_t mutex;
    unsigned count;
    struct {
        uint64_t connection;
        char text[SENTENCE];
    } waiting[NOTES_MAX];
};

void notes_post(struct notes *notes, uint64_t connection, const char *text) {
    pthread_mutex_lock(&notes->mutex);
    bool room = notes->count < NOTES_MAX;
    if (room) {
        notes->waiting[notes->count].connection = connection;
        snprintf(notes->waiting[notes->count].text, SENTENCE, "%s", text);
        notes->count++;
    }
    pthread_mutex_unlock(&notes->mutex);
    if (room)
        eventfd_write(notes->source.fd, 1);
}

static struct connection *connection_of(struct daemon *daemon, uint64_t id) {
    struct connection *c = daemon->connections;
    while (c != NULL && c->id != id)
        c = c->next;
    return c;
}

static void notes_ready(struct poll_source *source, uint32_t events) {
    (void)events;
    struct notes *notes = (struct notes *)(void *)source;
    eventfd_t value;
    eventfd_read(source->fd, &value);
    for (unsigned i = 0;; i++) {
        uint64_t id = 0;
        char text[SENTENCE];
        pthread_mutex_lock(&notes->mutex);
        bool some = i < notes->count;
        if (some) {
            id = notes->waiting[i].connection;
            snprintf(text, sizeof text, "%s", notes->waiting[i].text);
        } else {
            notes->count = 0;
        }
        pthread_mutex_unlock(&notes->mutex);
        if (!some)
            return;
        struct connection *c = connection_of(notes->daemon, id);
        if (c != NULL)
            connection_tell(c, "note", text);
    }
}

int notes_open(struct daemon *daemon) {
    struct notes *notes = calloc(1, sizeof *notes);
    if (notes == NULL)
        return -ENOMEM;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    notes->source = (struct poll_source){fd, EPOLLIN, notes_ready};
    notes->daemon = daemon;
    pthread_mutex_init(&notes->mutex, NULL);
    int result = fd < 0 ? -errno : poller_add(daemon->poller, &notes->source);
    daemon->notes = notes;
    return result;
}

void notes_close(struct daemon *daemon) {
    if (daemon->notes == NULL)
        return;
    if (daemon->notes->source.fd >= 0)
        close(daemon->notes->source.fd);
    pthread_mutex_destroy(&daemon->notes->mutex);
    free(daemon->notes);
    daemon->notes = NULL;
}
