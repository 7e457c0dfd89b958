/* What poll(), select() and epoll (level and edge) say while a connection lives: one script, told
 * step by step by each of them. */
#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <unistd.h>

/* Four watchers of one descriptor. */
struct watch {
    int fd, level, edge, once;
};

static int epoll_on(int fd, unsigned more) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | more};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted);
    return epoll;
}

static struct watch watch_new(int fd) {
    return (struct watch){fd, epoll_on(fd, 0), epoll_on(fd, EPOLLET), epoll_on(fd, EPOLLONESHOT)};
}

static void watch_close(struct watch *watch) {
    close(watch->level);
    close(watch->edge);
    close(watch->once);
}

static const char *epoll_bits(int epoll) {
    struct epoll_event told = {0};
    return epoll_wait(epoll, &told, 1, 0) < 1 ? "-" : bits_of(told.events);
}

static const char *select_bits(int fd) {
    fd_set sets[3];
    struct timeval now = {0, 0};
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
        FD_SET(fd, &sets[i]);
    }
    select(fd + 1, &sets[0], &sets[1], &sets[2], &now);
    unsigned bits = (FD_ISSET(fd, &sets[0]) ? POLLIN : 0) | (FD_ISSET(fd, &sets[1]) ? POLLOUT : 0) |
                    (FD_ISSET(fd, &sets[2]) ? POLLPRI : 0);
    return bits_of(bits);
}

/* What all four say once `wanted` has come. */
static void watch_say(const struct watch *watch, const char *step, unsigned wanted) {
    char name[64];
    unsigned bits = poll_until(watch->fd, wanted);
    snprintf(name, sizeof name, "%s, poll", step);
    say(name, "%s", bits_of(bits));
    snprintf(name, sizeof name, "%s, select", step);
    say(name, "%s", select_bits(watch->fd));
    snprintf(name, sizeof name, "%s, level", step);
    say(name, "%s", epoll_bits(watch->level));
    snprintf(name, sizeof name, "%s, edge", step);
    const char *first = epoll_bits(watch->edge);
    say(name, "%s %s", first, epoll_bits(watch->edge));
}

static void oneshot_say(const struct watch *watch) {
    struct epoll_event wanted = {.events = EPOLLOUT | EPOLLONESHOT};
    const char *first = epoll_bits(watch->once), *second = epoll_bits(watch->once);
    epoll_ctl(watch->once, EPOLL_CTL_MOD, watch->fd, &wanted);
    say("one shot", "%s %s %s", first, second, epoll_bits(watch->once));
}

static void drain(int fd) {
    char data[256];
    while (recv(fd, data, sizeof data, MSG_DONTWAIT) > 0)
        ;
}

/* Until so many octets wait to be read. */
static void waiting_until(int fd, int octets) {
    int waiting = 0;
    for (int i = 0; i < 100 && ioctl(fd, FIONREAD, &waiting) == 0 && waiting < octets; i++)
        settle();
}

/* ---- a client ---- */

static void client_say(void) {
    int listener = listener_new(5), fd = tcp_new();
    group("client");
    nonblocking_set(fd, true);
    struct watch watch = watch_new(fd);
    watch_say(&watch, "fresh", 0);
    say("connect", "%s", result_of(connect_to(fd, port_of(listener))));
    watch_say(&watch, "connected", POLLOUT);
    int server = accept(listener, NULL, NULL);
    oneshot_say(&watch);
    if (send(server, "one", 3, 0) == 3)
        watch_say(&watch, "data", POLLIN);
    if (send(server, "two", 3, 0) == 3)
        waiting_until(fd, 6);
    watch_say(&watch, "more data", POLLIN);
    drain(fd);
    watch_say(&watch, "read", 0);
    if (send(server, "!", 1, MSG_OOB) == 1)
        watch_say(&watch, "urgent", POLLPRI);
    drain(fd);
    watch_say(&watch, "read over urgent", 0);
    shutdown(server, SHUT_WR);
    watch_say(&watch, "peer has shut", POLLRDHUP);
    drain(fd);
    watch_say(&watch, "end read", 0);
    shutdown(fd, SHUT_WR);
    watch_say(&watch, "shut too", POLLHUP);
    watch_close(&watch);
    close(fd);
    close(server);
    close(listener);
}

/* ---- room ---- */

static void room_say(void) {
    struct pair pair = pair_new();
    static char data[65536];
    group("room");
    nonblocking_set(pair.client, true);
    struct watch watch = watch_new(pair.client);
    watch_say(&watch, "empty", POLLOUT);
    for (int quiet = 0; quiet < 3;) { /* full, also after what can move has moved */
        while (send(pair.client, data, sizeof data, 0) > 0)
            quiet = 0;
        quiet++;
        settle();
    }
    say("full", "%s", bits_of(poll_now(pair.client)));
    say("full, edge", "%s", epoll_bits(watch.edge));
    for (int i = 0; i < 100; i++) {
        drain(pair.server);
        poll_until(pair.server, 0);
        if (poll_now(pair.client) & POLLOUT)
            break;
        settle();
    }
    watch_say(&watch, "room again", POLLOUT);
    watch_close(&watch);
    pair_close(&pair);
}

/* ---- ends ---- */

static void refused_say(void) {
    int fd = tcp_new();
    group("refused");
    nonblocking_set(fd, true);
    struct watch watch = watch_new(fd);
    epoll_bits(watch.edge);
    say("connect", "%s", result_of(connect_to(fd, dead_port(SOCK_STREAM))));
    watch_say(&watch, "refused", POLLERR);
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    say("error", "%s", strerrorname_np(error));
    watch_say(&watch, "told", 0);
    watch_close(&watch);
    close(fd);
}

static void reset_say(void) {
    struct pair pair = pair_new();
    struct linger linger = {1, 0};
    group("reset");
    nonblocking_set(pair.client, true);
    struct watch watch = watch_new(pair.client);
    watch_say(&watch, "connected", POLLOUT);
    setsockopt(pair.server, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(pair.server);
    pair.server = -1;
    watch_say(&watch, "reset", POLLHUP | POLLERR);
    char octet;
    say("recv", "%s", result_of(recv(pair.client, &octet, 1, 0)));
    say("recv again", "%s", result_of(recv(pair.client, &octet, 1, 0)));
    say("send", "%s", result_of(send(pair.client, &octet, 1, MSG_NOSIGNAL)));
    watch_say(&watch, "after", 0);
    watch_close(&watch);
    pair_close(&pair);
}

/* ---- a listener ---- */

static void listener_say(void) {
    int fd = bound_new(SOCK_STREAM), clients[3];
    group("listener");
    nonblocking_set(fd, true);
    struct watch watch = watch_new(fd);
    watch_say(&watch, "bound", 0);
    listen(fd, 5);
    watch_say(&watch, "listening", 0);
    for (int i = 0; i < 3; i++) {
        clients[i] = tcp_new();
        connect_to(clients[i], port_of(fd));
        watch_say(&watch, i == 0 ? "one waits" : i == 1 ? "two wait" : "three wait", POLLIN);
    }
    for (int i = 0; i < 3; i++) {
        close(accept(fd, NULL, NULL));
        watch_say(&watch, i == 0 ? "two left" : i == 1 ? "one left" : "none left", 0);
    }
    shutdown(fd, SHUT_RD);
    watch_say(&watch, "shut", 0);
    watch_close(&watch);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    close(fd);
}

/* ---- datagrams ---- */

static void datagram_say(void) {
    int fd = bound_new(SOCK_DGRAM), peer = bound_new(SOCK_DGRAM);
    group("datagrams");
    connect_to(peer, port_of(fd));
    nonblocking_set(fd, true);
    struct watch watch = watch_new(fd);
    watch_say(&watch, "bound", POLLOUT);
    for (int i = 0; i < 3; i++) {
        static const char octets[16];
        if (send(peer, octets, (size_t)i * 8, 0) == 8 * i)
            watch_say(&watch, i == 0 ? "empty one" : i == 1 ? "second" : "third", POLLIN);
    }
    char data[16];
    for (int i = 0; i < 3; i++) {
        say(i == 0   ? "recv 0"
            : i == 1 ? "recv 8"
                     : "recv 16",
            "%s", result_of(recv(fd, data, sizeof data, 0)));
        watch_say(&watch, i == 0 ? "two left" : i == 1 ? "one left" : "none left", 0);
    }
    connect_to(fd, dead_port(SOCK_DGRAM));
    watch_say(&watch, "connected", POLLOUT);
    if (send(fd, "x", 1, 0) == 1)
        watch_say(&watch, "refused", POLLERR);
    say("send", "%s", result_of(send(fd, "x", 1, 0)));
    watch_close(&watch);
    close(fd);
    close(peer);
}

/* A duplicate and a child's copy are the same socket: the connection stands while one is open. */
static void duplicates_say(void) {
    struct pair pair = pair_new();
    group("duplicate");
    int copy = dup(pair.client);
    close(pair.client);
    pair.client = -1;
    settle();
    say("one closed", "%s", bits_of(poll_now(pair.server)));
    say("send", "%s", result_of(send(copy, "d", 1, 0)));
    poll_until(pair.server, POLLIN);
    close(copy);
    say("both closed", "%s", bits_of(poll_until(pair.server, POLLRDHUP)));
    pair_close(&pair);
}

void readiness_check(void) {
    client_say();
    room_say();
    refused_say();
    reset_say();
    listener_say();
    datagram_say();
    duplicates_say();
}
