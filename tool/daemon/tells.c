/* What makes a listener readable: octets in its program's queue, one for each connection that
 * waits, so that each is an edge. They are taken back when no connection waits any more.
 *
 * They are chosen with the lock and sent without it. A program that sleeps for them may run in the
 * sender's place at once, asks for the connection first of all, and would wait for the lock that
 * its waker has (measured on one processor: half a wait on the lock for each short connection).
 * `ready_octets` counts those on their way as well. Who takes octets back, or closes the held end,
 * waits for those: one that came later would make a listener readable for nothing, and a program
 * may rely on accept() then, or be somebody else's octet. */
#define _GNU_SOURCE
#include "tool/daemon/call.h"

#include <sched.h>
#include <sys/socket.h>

enum { OCTETS = 64 };

/* Octets that the program's queue had no room for do not count. */
static void unsent_take(struct conduit *listener) {
    listener->ready_octets -= atomic_exchange(&listener->unsent_octets, 0);
}

static void octets_send(struct conduit *listener, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (send(listener->held, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
            atomic_fetch_add(&listener->unsent_octets, 1);
    atomic_fetch_sub(&listener->telling, count); /* the last that is done with the listener */
}

void listener_tell(struct server *server, struct conduit *listener, unsigned waiting) {
    struct tells *tells = &server->tells;
    unsent_take(listener);
    if (listener->ready_octets >= waiting)
        return;
    unsigned count = waiting - listener->ready_octets;
    listener->ready_octets = waiting;
    atomic_fetch_add(&listener->telling, count);
    if (tells->count < TELLS_MAX)
        tells->list[tells->count++] = (struct tell){listener, count};
    else
        octets_send(listener, count);
}

void server_unlock_telling(struct server *server) {
    struct tells tells;
    tells.count = server->tells.count;
    for (int i = 0; i < tells.count; i++)
        tells.list[i] = server->tells.list[i];
    server->tells.count = 0;
    pthread_mutex_unlock(&server->lock);
    for (int i = 0; i < tells.count; i++)
        octets_send(tells.list[i].listener, tells.list[i].octets);
}

void listener_told(struct server *server, struct conduit *listener) {
    struct tells *tells = &server->tells;
    for (int i = tells->count - 1; i >= 0; i--)
        if (tells->list[i].listener == listener) {
            atomic_fetch_sub(&listener->telling, tells->list[i].octets);
            listener->ready_octets -= tells->list[i].octets;
            tells->list[i] = tells->list[--tells->count];
        }
    while (atomic_load(&listener->telling) != 0)
        sched_yield(); /* who sends needs no lock for it */
    unsent_take(listener);
}

void listener_hush(struct server *server, struct conduit *listener, int end) {
    char octets[OCTETS];
    ssize_t n;
    listener_told(server, listener);
    while (listener->ready_octets && (n = recv(end, octets, sizeof octets, MSG_DONTWAIT)) > 0)
        listener->ready_octets -=
            (unsigned)n < listener->ready_octets ? (unsigned)n : listener->ready_octets;
    listener->ready_octets = 0; /* the program may have read some itself */
}
