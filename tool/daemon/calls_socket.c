/* socket(): a pair of descriptors in its place. */
#define _GNU_SOURCE
#include "tool/daemon/call.h"
#include "tool/loop/clock.h"
#include "tool/runner/range.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE_MASK = 0xf, TYPE_MAX = 11, PROTOCOL_MAX = 263 };

/* What the arguments mean: a protocol of the engine, or a negative errno as Linux gives it, and in
 * its order. */
static int protocol_choose(uint64_t domain, uint64_t type, uint64_t protocol) {
    if ((type & ~(uint64_t)(TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC)) ||
        (type & TYPE_MASK) >= TYPE_MAX)
        return -EINVAL;
    if (domain == AF_PACKET) /* frames are not for programs */
        return -EPERM;
    if (protocol >= PROTOCOL_MAX)
        return -EINVAL;
    switch (type & TYPE_MASK) {
    case SOCK_STREAM:
        return protocol == 0 || protocol == IPPROTO_TCP ? BERTH_TCP : -EPROTONOSUPPORT;
    case SOCK_DGRAM:
        /* Who may ping without rights on Linux is said by net.ipv4.ping_group_range; here all. */
        if (protocol == (domain == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
            return BERTH_ICMP;
        return protocol == 0 || protocol == IPPROTO_UDP ? BERTH_UDP : -EPROTONOSUPPORT;
    case SOCK_RAW:
        return -EPERM;
    default:
        return -ESOCKTNOSUPPORT;
    }
}

/* How many files the thread's process may open; 0: nobody knows. A program that has changed its
 * user may be asked for its limits only with CAP_SYS_RESOURCE, which containers lack; everybody may
 * read them. */
static rlim_t files_limit(pid_t thread) {
    struct rlimit limit;
    if (prlimit(thread, RLIMIT_NOFILE, NULL, &limit) == 0)
        return limit.rlim_cur;
    char path[32], line[256];
    unsigned long long number = 0;
    snprintf(path, sizeof path, "/proc/%d/limits", (int)thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    while (number == 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "Max open files", 14) == 0 && sscanf(line + 14, "%llu", &number) < 1)
            number = ULLONG_MAX; /* "unlimited" */
    fclose(file);
    return number;
}

/* A free number in the range whose reads and writes are notified; -1: none, so that it gets the
 * lowest free one as any other. */
int descriptor_choose(struct call *call) {
    rlim_t limit = files_limit(call->thread);
    unsigned size = CALLS_UDP_LAST - CALLS_UDP_FIRST + 1;
    for (unsigned i = 0; i < size; i++) {
        unsigned number = CALLS_UDP_FIRST + (call->run->next_range + i) % size;
        if (number >= limit)
            continue;
        int taken = reach_descriptor(call->run->reach, call->thread, (int)number);
        if (taken == -EBADF) {
            call->run->next_range = number - CALLS_UDP_FIRST;
            return (int)number;
        }
        if (taken < 0)
            return -1;
        close(taken);
    }
    return -1;
}

void descriptors_note(struct call *call) {
    struct run *run = call->run;
    uint64_t now = clock_now();
    struct rlimit limit = {0};
    char text[160];
    if (!run->ops.note || (run->files_noted && now - run->files_noted < BERTH_SECOND))
        return;
    run->files_noted = now;
    getrlimit(RLIMIT_NOFILE, &limit);
    snprintf(text, sizeof text,
             "no socket is left: the network's daemon has all of its %llu descriptors in use "
             "(\"ulimit -n\", before the network is started)",
             (unsigned long long)limit.rlim_cur);
    run->ops.note(run->ops.context, text);
}

/* The engine's socket and the conduit's place among the others. */
static long conduit_open(struct call *call, struct conduit *conduit) {
    struct server *server = call->server;
    struct berth_host *host = berth_network_host(server->network, call->run->host);
    if (!host)
        return -ENETDOWN;
    int r = berth_socket_open(host, conduit->family, conduit->protocol, &conduit->socket);
    if (r < 0)
        return r;
    r = conduit_enter(server, conduit);
    if (r == 0)
        r = berth_socket_set_user(host, conduit->socket, conduit->id);
    else
        berth_socket_close(host, conduit->socket, call->now);
    return r;
}

/* Without the lock. */
static long descriptor_give(struct call *call, int end, int wanted, bool close_on_exec) {
    int number = call_install(call->run, call->notification, end, wanted, close_on_exec);
    if (number >= 0) {
        end_sent(call->run, number);
        return CALL_ANSWERED;
    }
    struct conduit *conduit = end_unsent(call->run);
    call->now = clock_now();
    if (conduit)
        conduit_forget(call->server, conduit, call->now);
    call_unlock(call);
    /* Gone (ENOENT): its next try gets a new one. */
    return number == -ENOENT ? CALL_ANSWERED : number;
}

/* Programs may have closed sockets that the data thread has not heard of yet: lets it take one
 * turn. True if that made room. */
static bool room_made(struct server *server) {
    enum { LOOKS = 100, LOOK_US = 100 };
    server_take(server);
    uint32_t before = server->conduits.count;
    uint64_t turns = server->counters.wakeups + 1; /* one may be under way */
    bool made = false;
    for (int i = 0; i < LOOKS && !made && server->counters.wakeups <= turns; i++) {
        pthread_mutex_unlock(&server->lock);
        eventfd_write(server->wake, 1);
        usleep(LOOK_US);
        server_take(server);
        made = server->conduits.count < before;
    }
    pthread_mutex_unlock(&server->lock);
    return made;
}

static struct conduit *conduit_make(struct server *server, int protocol, bool nonblocking,
                                    int *error) {
    struct conduit *conduit;
    do
        conduit =
            conduit_new((enum berth_protocol)protocol, nonblocking, server->descriptors, error);
    while (!conduit && *error == -ENFILE && room_made(server));
    return conduit;
}

long call_socket(struct call *call) {
    uint64_t domain = call->arguments[0] & UINT32_MAX, type = call->arguments[1];
    if (domain == AF_NETLINK)
        return netlink_socket(call);
    int protocol = protocol_choose(domain, type & UINT32_MAX, call->arguments[2] & UINT32_MAX);
    if (protocol < 0)
        return protocol;
    int error;
    struct conduit *conduit = conduit_make(call->server, protocol, type & SOCK_NONBLOCK, &error);
    if (!conduit && error == -ENFILE)
        descriptors_note(call);
    if (!conduit)
        return error;
    int wanted = conduit_is_datagram(conduit) ? descriptor_choose(call) : -1;
    conduit->in_range = wanted >= 0;
    conduit->family = domain == AF_INET6 ? 6 : 4;
    conduit->host = call->run->host;
    conduit->run = call->run;
    conduit->thread = call->thread;
    call->now = server_enter(call->server);
    long r = conduit_open(call, conduit);
    int end = r < 0 ? -1 : end_send(call->run, conduit);
    pthread_mutex_unlock(&call->server->lock);
    if (r < 0) {
        conduit_free(conduit);
        return r;
    }
    return descriptor_give(call, end, wanted, type & SOCK_CLOEXEC);
}
