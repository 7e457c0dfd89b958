/* What epoll says, taken in under the lock: by the data thread, and by who is about to depend on it. */
#define _GNU_SOURCE
#include "tool/daemon/server_state.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { EVENTS = 32 };

static void conduit_notice(struct server *server, struct conduit *conduit, uint32_t bits,
                           uint64_t now) {
    if (conduit->state == CONDUIT_GHOST)
        return;
    if (bits & EPOLLPRI)
        conduit->urgent_in = true;
    if (bits & (EPOLLHUP | EPOLLERR))
        conduit->hung_up = true;
    if ((bits & EPOLLOUT) && conduit->out_full) {
        conduit_watch_room(server, conduit, false);
        if (conduit->protocol == BERTH_TCP)
            stream_deliver(server, conduit, now);
        else
            datagrams_deliver(server, conduit, now);
    }
    if (conduit->hung_up && conduit->state != CONDUIT_CONNECTED)
        conduit_release(server, conduit, now);
    if (bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
        conduit_ready(server, conduit);
}

void server_take_in(struct server *server, const struct epoll_event *event, uint64_t now) {
    uint64_t id = event->data.u64;
    if (id == EPOLL_WAKE) {
        eventfd_t count;
        eventfd_read(server->wake, &count);
    } else if (id >= EPOLL_OUTSIDE) {
        outside_receive(server, (int)(id - EPOLL_OUTSIDE), now);
    } else {
        struct conduit *conduit = conduit_find(&server->conduits, id);
        if (conduit)
            conduit_notice(server, conduit, event->events, now);
    }
}

void server_notice(struct server *server, uint64_t now) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(server->epoll, events, EVENTS, 0);
    for (int i = 0; i < count; i++)
        server_take_in(server, &events[i], now);
}
