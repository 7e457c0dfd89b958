#define _GNU_SOURCE
#include "tool/daemon/computers.h"
#include "tool/daemon/connection.h"
#include "tool/daemon/dump.h"
#include "tool/daemon/faults.h"
#include "tool/daemon/lans.h"
#include "tool/daemon/lifecycle.h"
#include "tool/daemon/logs.h"
#include "tool/daemon/netem.h"
#include "tool/daemon/notes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

uint64_t clock_monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * BERTH_SECOND + (uint64_t)now.tv_nsec;
}

const char *clock_text(time_t at, char text[16]) {
    struct tm parts;
    if (localtime_r(&at, &parts) == NULL || strftime(text, 16, "%H:%M:%S", &parts) == 0)
        snprintf(text, 16, "?");
    return text;
}

static void signals_ready(struct poll_source *source, uint32_t events) {
    (void)events;
    struct daemon *daemon =
        (struct daemon *)(void *)((char *)source - offsetof(struct daemon, signals));
    struct signalfd_siginfo signal;
    if (read(source->fd, &signal, sizeof signal) == (ssize_t)sizeof signal)
        lifecycle_down(daemon, "the network's daemon was told to end");
}

/* SIGTERM and SIGINT end the network in good order. Blocked before any thread starts, so that no
 * thread gets them. */
static int signals_watch(struct daemon *daemon) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* ulimit -f: a document that cannot be written is said */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    daemon->signals = (struct poll_source){fd, EPOLLIN, signals_ready};
    return poller_add(daemon->poller, &daemon->signals);
}

static int network_make(struct daemon *daemon) {
    struct berth_network_config config;
    berth_network_config_init(&config);
    config.allocator = memory_allocator(&daemon->memory);
    if (getrandom(config.seed, sizeof config.seed, 0) != (ssize_t)sizeof config.seed)
        return -EIO;
    struct berth_network *network = berth_network_new(&config);
    if (network == NULL)
        return -ENOMEM;
    daemon->server = server_new(network);
    return daemon->server != NULL ? 0 : errno != 0 ? -errno : -EIO;
}

/* Each socket of a program is a descriptor here; and a thread's stack is as large as the caller's
 * shell says (ulimit -s), which may be less than a call needs. */
static void limits_raise(void) {
    enum { STACK_LEAST = 1 << 20 };
    struct rlimit limit;
    pthread_attr_t usual;
    size_t stack;
    if (pthread_getattr_default_np(&usual) == 0) {
        if (pthread_attr_getstacksize(&usual, &stack) == 0 && stack < STACK_LEAST &&
            pthread_attr_setstacksize(&usual, STACK_LEAST) == 0)
            pthread_setattr_default_np(&usual);
        pthread_attr_destroy(&usual);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int daemon_open(struct daemon *daemon, int listener) {
    char error[SENTENCE];
    limits_raise();
    int result = place_locate(&daemon->place, daemon->net, error, sizeof error);
    if (result == 0)
        result = poller_open(&daemon->poller);
    if (result == 0)
        result = signals_watch(daemon);
    if (result == 0)
        result = keeper_start(daemon);
    if (result == 0)
        result = notes_open(daemon);
    if (result == 0)
        result = network_make(daemon);
    if (result == 0)
        result = connection_listen(daemon, listener);
    return result;
}

static void daemon_close(struct daemon *daemon) {
    dumps_end(daemon);
    followers_end(daemon);
    while (daemon->connections != NULL)
        connection_close(daemon->connections);
    logs_free(daemon);
    computers_free(daemon);
    lans_free(daemon);
    if (daemon->server != NULL)
        server_free(daemon->server);
    memory_clear(&daemon->memory);
    outsides_free(daemon);
    schedule_free(daemon);
    notes_close(daemon);
    keeper_dismiss(daemon);
}

int daemon_run(const char *net, int listener) {
    struct daemon daemon = {.keeper_pipe = -1, .poller = -1, .spare = -1};
    snprintf(daemon.net, sizeof daemon.net, "%s", net);
    daemon.place.directory = -1;
    fcntl(listener, F_SETFD, FD_CLOEXEC);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    int result = daemon_open(&daemon, listener);
    if (result < 0)
        fprintf(stderr, "berth: network %s cannot start: %s\n", net, strerror(-result));
    while (result == 0) {
        int wait = lifecycle_look(&daemon);
        if (daemon.gone)
            break;
        result = poller_step(daemon.poller, wait);
    }
    daemon_close(&daemon);
    return result == 0 ? 0 : 1;
}
