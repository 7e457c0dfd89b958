#define _GNU_SOURCE
#include "tool/daemon/lifecycle.h"
#include "tool/daemon/computers.h"
#include "tool/daemon/connection.h"
#include "tool/daemon/departures.h"
#include "tool/daemon/faults.h"
#include "tool/daemon/runs.h"

#include <errno.h>
#include <unistd.h>

/* Guards give their programs a grace between SIGTERM and SIGKILL; we wait a second longer. */
static const uint64_t DOWN_PATIENCE = 6 * BERTH_SECOND, DOWN_MORE = BERTH_SECOND;
enum { LOCK_RETRY_MS = 10, GRACE_MOST_MS = 1000000000 };

void lifecycle_down(struct daemon *daemon, const char *why) {
    if (daemon->ending)
        return;
    daemon->ending = true;
    uint64_t patience = DOWN_PATIENCE;
    for (struct connection *c = daemon->connections; c != NULL; c = c->next) {
        uint64_t grace = c->run != NULL && c->run->grace_ms > 0 && c->run->grace_ms <= GRACE_MOST_MS
                             ? (uint64_t)c->run->grace_ms
                             : 0;
        if (grace * BERTH_MS + DOWN_MORE > patience)
            patience = grace * BERTH_MS + DOWN_MORE;
        if (c->run != NULL || daemon->up == c)
            connection_tell(c, "end", why);
    }
    daemon->deadline = clock_monotonic() + patience;
}

void lifecycle_up_left(struct daemon *daemon) {
    daemon->up = NULL;
    schedule_free(daemon);
    for (struct computer *c = daemon->computers; c != NULL; c = c->next)
        c->kept = false;
    computers_tidy(daemon);
}

bool lifecycle_used(const struct daemon *daemon) {
    if (daemon->up != NULL)
        return true;
    for (const struct connection *c = daemon->connections; c != NULL; c = c->next)
        if (c->run != NULL)
            return true;
    return false;
}

/* Somebody for whom the daemon has to stay: a user, or one who has come to say what he wants. */
static bool wanted(const struct daemon *daemon) {
    if (lifecycle_used(daemon))
        return true;
    for (const struct connection *c = daemon->connections; c != NULL; c = c->next)
        if (!daemon->ending && !c->watcher)
            return true;
    return false;
}

static void close_users(struct daemon *daemon) {
    struct connection *next;
    for (struct connection *c = daemon->connections; c != NULL; c = next) {
        next = c->next;
        if (c->run != NULL || daemon->up == c)
            connection_close(c);
    }
}

/* True when it is over. False: somebody came, or somebody else holds the lock (*wait). */
static bool leave(struct daemon *daemon, int *wait) {
    char error[SENTENCE];
    int locked = place_lock(&daemon->place, false, false, error, sizeof error);
    if (locked == -EWOULDBLOCK) {
        *wait = LOCK_RETRY_MS;
        return false;
    }
    /* No directory any more: then nobody can come. */
    if (locked == 0 && !daemon->ending && connection_accept(daemon)) {
        place_unlock(&daemon->place);
        return false;
    }
    poller_remove(daemon->poller, &daemon->listener);
    close(daemon->listener.fd);
    daemon->listener.fd = -1;
    if (locked == 0)
        place_remove(&daemon->place);
    place_unlock(&daemon->place);
    return true;
}

int lifecycle_look(struct daemon *daemon) {
    connection_sweep(daemon);
    int wait = departures_look(daemon), planned = schedule_look(daemon);
    if (planned >= 0 && (wait < 0 || planned < wait))
        wait = planned;
    if (daemon->ending && wanted(daemon)) {
        uint64_t now = clock_monotonic();
        if (now < daemon->deadline)
            return (int)((daemon->deadline - now) / BERTH_MS) + 1;
        close_users(daemon);
    }
    if (!wanted(daemon) && leave(daemon, &wait))
        daemon->gone = true;
    return wait;
}
