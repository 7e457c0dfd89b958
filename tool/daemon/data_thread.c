/* The data thread: links, timers, and the octets that programs write.
 *
 * It floats over the processors (SCHED_BATCH, no pinning: next to the client is best for one
 * workload and worst for another), waits in epoll, edge-triggered, and works in batches. Waking a
 * thread on an idle processor costs 25 to 50 us, more than everything else here, and the programs
 * pay for it; so while traffic flows it looks again for a while, giving the processor away to
 * whoever is runnable, before it sleeps. For how long follows the traffic: longer after a sleep
 * that looking for longer would have spared, shorter after one that it would not.
 *
 * What it does is done in turns, and a turn may be somebody else's: data_help. */
#define _GNU_SOURCE
#include "tool/daemon/call.h"
#include "tool/daemon/gateway.h"
#include "tool/daemon/waiters.h"
#include "tool/loop/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    EVENTS = 16, /* few, so that on another processor the first are answered while more are read */
    POLL_LEAST_NS = 20000,
    POLL_MOST_NS = 160000,
    LOOKS_ALONE = 2
};

/* ---- what epoll says ---- */

static void conduit_notice(struct server *server, struct conduit *conduit, uint32_t bits,
                           uint64_t now) {
    if (conduit->state == CONDUIT_GHOST)
        return;
    if (bits & EPOLLPRI)
        conduit->urgent_in = true;
    if (bits & (EPOLLHUP | EPOLLERR))
        conduit->hung_up = true;
    if (bits & EPOLLRDHUP)
        conduit->readable = true;
    if ((bits & EPOLLOUT) && conduit->out_full) {
        conduit_watch_room(server, conduit, false);
        if (conduit->protocol == BERTH_TCP)
            stream_deliver(server, conduit, now);
        else
            datagrams_deliver(server, conduit, now);
    }
    if (bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
        conduit_ready(server, conduit);
}

static void event_notice(struct server *server, const struct epoll_event *event, uint64_t now) {
    uint64_t id = event->data.u64;
    if (id == EPOLL_WAKE) {
        eventfd_t count;
        eventfd_read(server->wake, &count);
    } else if (id >= EPOLL_OUTSIDE) {
        outside_receive(server, (int)(id - EPOLL_OUTSIDE), now);
    } else if (id >= EPOLL_GATEWAY) {
        gateway_ready(server, (uint32_t)id, event->events, now);
    } else {
        struct conduit *conduit = conduit_find(&server->conduits, id);
        if (conduit)
            conduit_notice(server, conduit, event->events, now);
    }
}

/* ---- waiting ---- */

/* With the lock: until when to sleep. */
static uint64_t sleep_until(struct server *server) {
    if (server->ready || server->doomed || server->unsettled || server->stopping)
        return 0;
    uint64_t until = berth_network_deadline(server->network);
    return until < server->waiters_deadline ? until : server->waiters_deadline;
}

static int epoll_until(struct server *server, struct epoll_event *events, uint64_t until) {
    struct timespec span = {0};
    if (until != BERTH_NEVER) {
        uint64_t now = clock_now();
        if (until > now)
            span = clock_span(until - now);
    }
    int n = epoll_pwait2(server->epoll, events, EVENTS, until == BERTH_NEVER ? NULL : &span, NULL);
    return n < 0 ? 0 : n;
}

/* Looks up to `looks` times before it sleeps, but not beyond `end`. `asleep` is not set: who leaves
 * work for this thread sets `called`. */
static int epoll_poll(struct server *server, struct epoll_event *events, uint64_t end,
                      unsigned looks) {
    do {
        int n = epoll_wait(server->epoll, events, EVENTS, 0);
        if (n > 0)
            return n;
        sched_yield();
    } while (--looks > 0 && !atomic_load_explicit(&server->called, memory_order_relaxed) &&
             clock_now() < end);
    return 0;
}

static uint64_t poll_adapt(uint64_t span, uint64_t slept) {
    if (slept < POLL_MOST_NS)
        return span * 2 < POLL_MOST_NS ? span * 2 : POLL_MOST_NS;
    return span / 2 > POLL_LEAST_NS ? span / 2 : POLL_LEAST_NS;
}

/* ---- a turn ---- */

/* With the lock: takes in what epoll said; then receives without it, and hands over with it again.
 */
static void take_in(struct server *server, const struct epoll_event *events, int count,
                    uint64_t now) {
    for (int i = 0; i < count; i++)
        event_notice(server, &events[i], now);
    waiters_expire(server, now);
    gateway_tick(server, now);
    if (inlets_plan(server->inlets, server, now) == 0)
        return;
    server_unlock_telling(server);
    held_close_all(server);
    inlets_receive(server->inlets);
    inlets_commit(server->inlets, server, server_enter(server));
}

/* A turn, but for letting go of the lock. */
static void turn(struct server *server, const struct epoll_event *events, int count, bool own) {
    uint64_t now = server_enter(server);
    server->worker = pthread_self();
    server->working = true;
    if (own) {
        server->asleep = server->summoned = false;
        server->called = false;
    }
    take_in(server, events, count, now);
    server_settle_sharing(server, clock_now());
    conduits_break(server, clock_now());
    server_settle_sharing(server, clock_now());
    server->working = false;
    server->counters.wakeups++;
}

/* The data thread's own turn. Returns until when to sleep. */
static uint64_t turn_own(struct server *server, const struct epoll_event *events, int count,
                         bool will_sleep) {
    pthread_mutex_lock(&server->turn);
    turn(server, events, count, true);
    outside_flush(server);
    uint64_t until = sleep_until(server);
    server->asleep = will_sleep && until != 0;
    server->asleep_until = until;
    server_unlock_telling(server);
    held_close_all(server);
    pthread_mutex_unlock(&server->turn);
    return until;
}

static bool is_summons(const struct epoll_event *events, int count) {
    for (int i = 0; i < count; i++)
        if (events[i].data.u64 == EPOLL_WAKE)
            return true;
    return false;
}

/* A program that was answered goes on at once, on this processor, and when its notify thread does,
 * the program waits: for its next call to be answered, or for the network. */
static bool call_waits(int listener) {
    struct pollfd poll_listener = {.fd = listener, .events = POLLIN};
    return poll(&poll_listener, 1, 0) != 0;
}

/* A data thread that was woken waits for its processor, for 100 us and more where programs are busy
 * there; meanwhile the octets of programs that wait on another one are moved there. What the data
 * thread itself is woken for, to sleep no longer than until a new time, is passed on to it. */
void data_help(struct server *server, int listener) {
    struct epoll_event events[EVENTS];
    if (server->spin == 0 || call_waits(listener) || pthread_mutex_trylock(&server->turn) != 0)
        return;
    int count = server->summoned ? 0 : epoll_wait(server->epoll, events, EVENTS, 0);
    if (count > 0) {
        server->summoned = is_summons(events, count);
        turn(server, events, count, false);
        server_leave(server, clock_now());
        held_close_all(server);
        if (server->summoned)
            eventfd_write(server->wake, 1);
    }
    pthread_mutex_unlock(&server->turn);
}

void *data_thread_run(void *argument) {
    struct server *server = argument;
    struct epoll_event events[EVENTS];
    sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
    pthread_setname_np(pthread_self(), "berth-data");
    int count = 0;
    uint64_t span = POLL_LEAST_NS;
    while (!server->stopping) {
        /* On one processor whoever is to bring more must run first: a look or two, for when others
         * have work there, giving it away gets nobody any further (measured: 20 looks for each
         * short connection, a quarter of this thread's time). */
        bool alone = server->spin == 0;
        bool poll = alone ? count == 1 : count > 0;
        uint64_t until = turn_own(server, events, count, !poll);
        if (poll && until != 0) {
            uint64_t end = clock_now() + (alone ? POLL_LEAST_NS : span);
            count = epoll_poll(server, events, end < until ? end : until,
                               alone ? LOOKS_ALONE : UINT_MAX);
            continue;
        }
        uint64_t since = clock_now();
        count = epoll_until(server, events, until);
        if (until != 0 && count > 0)
            span = poll_adapt(span, clock_now() - since);
    }
    return NULL;
}
