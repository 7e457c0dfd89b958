#define _GNU_SOURCE
#include "tool/daemon/call.h"
#include "tool/daemon/gateway.h"
#include "tool/daemon/sealed.h"
#include "tool/loop/clock.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EVENTS = 64, ROUNDS = 256, ROWS = 64, SPARE_DESCRIPTORS = 48, SPIN = 512, PAUSES = 16 };

/* ---- the lock ---- */

static void processor_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* It is held for some microseconds, or for 60 if its holder tells a program that then runs in its
 * place, and sleeping on it costs its holder a wake-up of another processor, which is 30 to 100: so
 * one looks again for about as long, unless there is one processor only (measured: half as much
 * again for short connections that are not pinned). */
void server_take(struct server *server) {
    int own = sched_getcpu();
    bool taken = pthread_mutex_trylock(&server->lock) == 0;
    if (!taken) {
        atomic_fetch_add_explicit(&server->waiting, 1, memory_order_relaxed);
        for (int i = 0; i < server->spin && !taken && server->holder != own; i++) {
            for (int j = 0; j < PAUSES; j++)
                processor_relax();
            taken = pthread_mutex_trylock(&server->lock) == 0;
        }
        if (!taken)
            pthread_mutex_lock(&server->lock);
        atomic_fetch_sub_explicit(&server->waiting, 1, memory_order_relaxed);
    }
    server->holder = sched_getcpu();
    server->caller = -1;
}

uint64_t server_give_way(struct server *server, uint64_t now) {
    unsigned waiting = atomic_load_explicit(&server->waiting, memory_order_relaxed);
    if (waiting == 0)
        return now;
    pthread_mutex_unlock(&server->lock);
    for (int i = 0; i < PAUSES * 8; i++) {
        if (atomic_load_explicit(&server->waiting, memory_order_relaxed) < waiting)
            break;
        processor_relax();
    }
    return server_enter(server);
}

uint64_t server_enter(struct server *server) {
    server_take(server);
    return clock_now();
}

void server_touch(struct server *server, const struct conduit *conduit) {
    berth_network_touch(server->network, conduit->host);
}

struct berth_host *conduit_host(struct server *server, const struct conduit *conduit) {
    return conduit->socket ? berth_network_host(server->network, conduit->host) : NULL;
}

bool server_has_turn(const struct server *server) {
    return server->working && pthread_equal(pthread_self(), server->worker);
}

/* What is carried to a program may make room that the engine tells its peer about, and so on: until
 * nothing moves. A bound keeps one thread from working for others without end; the data thread goes
 * on from there. */
static void settle(struct server *server, uint64_t now, bool sharing) {
    struct berth_network_event events[EVENTS];
    for (int round = 0; round < ROUNDS; round++) {
        bool more = berth_network_run(server->network, now);
        size_t count = berth_network_events(server->network, events, EVENTS);
        for (size_t i = 0; i < count; i++) {
            event_handle(server, &events[i], now);
            if (sharing)
                now = server_give_way(server, now);
        }
        more = gateway_serve(server, now) || more;
        if (count == 0 && !more) {
            server->unsettled = false;
            return;
        }
    }
    server->unsettled = true;
}

void server_settle(struct server *server, uint64_t now) {
    settle(server, now, false);
}

void server_settle_sharing(struct server *server, uint64_t now) {
    settle(server, now, true);
}

static bool data_thread_needed(const struct server *server) {
    if (server->ready || server->doomed || server->unsettled)
        return true;
    return berth_network_deadline(server->network) < server->asleep_until ||
           server->waiters_deadline < server->asleep_until;
}

void server_leave(struct server *server, uint64_t now) {
    server_settle(server, now);
    outside_flush(server);
    bool needed = data_thread_needed(server), wake = needed && server->asleep;
    if (wake)
        server->asleep = false;
    if (needed)
        server->called = true;
    server_unlock_telling(server);
    if (wake)
        eventfd_write(server->wake, 1);
}

static bool row_busy(const struct berth_socket_row *row) {
    return row->protocol == BERTH_TCP && row->state != BERTH_TIME_WAIT &&
           row->state != BERTH_TCP_CLOSED && row->state != BERTH_LISTEN;
}

bool server_host_busy(struct server *server, int host) {
    struct berth_socket_row rows[ROWS];
    bool busy = false;
    uint64_t cursor = 0;
    size_t count;
    server_take(server);
    for (uint32_t i = 0; i < server->conduits.slot_count && !busy; i++) {
        const struct conduit *conduit = server->conduits.slots[i];
        busy = conduit && conduit->host == host && conduit->socket;
    }
    const struct berth_host *there = berth_network_host(server->network, host);
    while (there && !busy && (count = berth_host_sockets(there, &cursor, rows, ROWS)) > 0)
        for (size_t i = 0; i < count; i++)
            busy = busy || row_busy(&rows[i]);
    pthread_mutex_unlock(&server->lock);
    return busy;
}

struct berth_network *server_lock(struct server *server, uint64_t *now) {
    *now = server_enter(server);
    server->sealed_now = *now;
    sealed_open_all(server);
    return server->network;
}

void server_unlock(struct server *server) {
    server_leave(server, clock_now());
}

/* ---- life ---- */

/* As many as there may be. The last ones are for the people who ask what is going on, and for runs:
 * conduits get those below the number that is returned. */
static int descriptors_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return INT_MAX;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > INT_MAX ? INT_MAX : (int)limit.rlim_cur - SPARE_DESCRIPTORS;
}

static int processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static int epoll_prepare(struct server *server) {
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->epoll < 0 || server->wake < 0)
        return -errno;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = EPOLL_WAKE};
    return epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->wake, &event) < 0 ? -errno : 0;
}

/* Signals are for the control half's thread. */
static int thread_start(pthread_t *thread, void *(*function)(void *), void *argument) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(thread, NULL, function, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

static void server_dispose(struct server *server) {
    netlinks_forget(server);
    conduit_table_clear(&server->conduits);
    for (int i = 0; i < server->outside_count; i++)
        close(server->outside[i].fd);
    if (server->epoll >= 0)
        close(server->epoll);
    if (server->wake >= 0)
        close(server->wake);
    for (int i = 0; i < 2; i++)
        if (server->pipe[i] >= 0)
            close(server->pipe[i]);
    inlets_free(server->inlets);
    pthread_mutex_destroy(&server->turn);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

/* Blocks of 256 KiB come and go with every receive of a bulk flow. Left to itself malloc maps and
 * unmaps each, and the kernel clears its pages anew; kept in the heap, the one used last is still
 * in the processor's cache. */
static void memory_keep(void) {
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_TOP_PAD, 4 << 20);
}

struct server *server_new(struct berth_network *network) {
    memory_keep();
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->network = network;
    server->waiters_deadline = BERTH_NEVER;
    server->next_run = 1;
    server->pipe[0] = server->pipe[1] = -1;
    pthread_mutex_init(&server->lock, NULL);
    pthread_mutex_init(&server->turn, NULL);
    server->inlets = inlets_new();
    server->descriptors = descriptors_raise();
    server->spin = processors() > 1 ? SPIN : 0;
    int r = server->inlets ? conduit_table_init(&server->conduits) : -ENOMEM;
    if (r == 0)
        r = epoll_prepare(server);
    if (r == 0)
        r = thread_start(&server->data_thread, data_thread_run, server);
    if (r < 0) {
        server_dispose(server);
        errno = -r;
        return NULL;
    }
    return server;
}

void server_free(struct server *server) {
    if (!server)
        return;
    while (server->runs)
        server_detach(server, server->runs->number);
    server_take(server);
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    eventfd_write(server->wake, 1);
    pthread_join(server->data_thread, NULL);
    gateway_free(server);
    berth_network_free(server->network);
    server_dispose(server);
}

void server_counters(struct server *server, struct server_counters *counters) {
    server_take(server);
    *counters = server->counters;
    counters->notified_calls = server->notified_calls;
    pthread_mutex_unlock(&server->lock);
}
