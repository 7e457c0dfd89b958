/* SIGPIPE, SIGURG and SIGIO: when they come, and to whom. */
#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- SIGPIPE ---- */

static void pipe_say(const char *name, int fd, int flags) {
    char text[64];
    signal_taken(SIGPIPE);
    const char *result = result_of(send(fd, "abc", 3, flags));
    snprintf(text, sizeof text, "send, %s", name);
    say(text, "%s, SIGPIPE %d", result, signal_soon(SIGPIPE));
    result = result_of(write(fd, "abc", 3));
    snprintf(text, sizeof text, "write, %s", name);
    say(text, "%s, SIGPIPE %d", result, signal_soon(SIGPIPE));
    struct iovec part = {(void *)(uintptr_t) "abc", 3};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    result = result_of(sendmsg(fd, &message, flags));
    snprintf(text, sizeof text, "sendmsg, %s", name);
    say(text, "%s, SIGPIPE %d", result, signal_soon(SIGPIPE));
}

static void pipes_say(void) {
    struct linger linger = {1, 0};
    group("sigpipe");
    signal_count(SIGPIPE, 0);
    int fd = tcp_new();
    pipe_say("fresh", fd, 0);
    close(fd);
    fd = listener_new(1);
    pipe_say("listener", fd, 0);
    close(fd);
    struct pair pair = pair_new();
    shutdown(pair.client, SHUT_WR);
    pipe_say("after shutdown", pair.client, 0);
    pipe_say("after shutdown, quiet", pair.client, MSG_NOSIGNAL);
    pair_close(&pair);
    pair = pair_new();
    close(pair.server);
    pair.server = -1;
    poll_until(pair.client, POLLRDHUP);
    say("first send", "%s", result_of(send(pair.client, "x", 1, 0)));
    poll_until(pair.client, POLLERR | POLLHUP);
    pipe_say("peer has gone", pair.client, 0);
    pair_close(&pair);
    pair = pair_new();
    setsockopt(pair.server, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(pair.server);
    pair.server = -1;
    poll_until(pair.client, POLLERR | POLLHUP);
    pipe_say("reset", pair.client, 0);
    pair_close(&pair);
    fd = udp_new();
    pipe_say("datagram without a peer", fd, 0);
    close(fd);
}

/* A program that does not care dies of it. */
static void death_say(void) {
    struct pair pair = pair_new();
    shutdown(pair.client, SHUT_WR);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        _exit((int)write(pair.client, "x", 1) + 7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    say("of a program that does not care", "signal %d, status %d",
        WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
    pair_close(&pair);
}

/* ---- SIGURG and SIGIO ---- */

static int taken_soon(int number) {
    for (int i = 0; i < 100; i++) {
        int n = signal_taken(number);
        if (n)
            return 1;
        settle();
    }
    return 0;
}

static void urgent_say(void) {
    struct pair pair = pair_new();
    group("sigurg");
    signal_count(SIGURG, SA_RESTART);
    say("nobody owns it", "%s", result_of(fcntl(pair.client, F_GETOWN)));
    if (send(pair.server, "!", 1, MSG_OOB) == 1)
        poll_until(pair.client, POLLPRI);
    settle();
    say("and nobody is told", "%d", signal_taken(SIGURG));
    say("F_SETOWN", "%s, %d", result_of(fcntl(pair.client, F_SETOWN, getpid())),
        fcntl(pair.client, F_GETOWN) == getpid());
    if (send(pair.server, "!", 1, MSG_OOB) == 1)
        say("the owner is told", "%d", taken_soon(SIGURG));
    int group_of = -getpgrp();
    say("SIOCSPGRP", "%s", result_of(ioctl(pair.client, FIOSETOWN, &group_of)));
    say("a group owns it", "%d", fcntl(pair.client, F_GETOWN) == group_of);
    pair_close(&pair);
}

static void asynchronous(int fd, int number) {
    fcntl(fd, F_SETOWN, getpid());
    if (number)
        fcntl(fd, F_SETSIG, number);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC);
}

static void io_say(void) {
    group("sigio");
    signal_count(SIGIO, SA_RESTART);
    signal_count(SIGUSR1, SA_RESTART);
    struct pair pair = pair_new();
    asynchronous(pair.client, 0);
    settle();
    signal_taken(SIGIO);
    if (send(pair.server, "x", 1, 0) == 1)
        say("data", "%d", taken_soon(SIGIO));
    settle();
    signal_taken(SIGIO);
    shutdown(pair.server, SHUT_WR);
    say("peer has shut", "%d", taken_soon(SIGIO));
    pair_close(&pair);

    pair = pair_new();
    asynchronous(pair.client, SIGUSR1);
    signal_taken(SIGUSR1);
    if (send(pair.server, "x", 1, 0) == 1)
        say("data, another signal", "%d", taken_soon(SIGUSR1));
    pair_close(&pair);

    int listener = listener_new(5), client = tcp_new();
    asynchronous(listener, 0);
    settle();
    signal_taken(SIGIO);
    connect_to(client, port_of(listener));
    say("a connection waits", "%d", taken_soon(SIGIO));
    close(client);
    close(listener);

    int udp = bound_new(SOCK_DGRAM);
    asynchronous(udp, 0);
    settle();
    signal_taken(SIGIO);
    struct sockaddr_in to = loopback(port_of(udp));
    sendto(udp, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
    say("a datagram", "%d", taken_soon(SIGIO));
    close(udp);
}

void signals_check(void) {
    pipes_say();
    death_say();
    urgent_say();
    io_say();
}
