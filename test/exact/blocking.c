/* Calls that wait: until something comes, until a timeout, until a signal. How long is told of
 * timeouts only, and roughly; a signal comes when its receiver sleeps, however long that takes. */
#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A timeout, ms, that a signal comes before; where Berth restarts the call, it passes once more. */
enum { LONG = 20000, LONG_RESTARTED = 1000 };

static struct timespec since;

static void watch_start(void) {
    clock_gettime(CLOCK_MONOTONIC, &since);
}

static const char *waited(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ms = (now.tv_sec - since.tv_sec) * 1000 + (now.tv_nsec - since.tv_nsec) / 1000000;
    return ms < 90 ? "at once" : ms < 20000 ? "after a while" : "late";
}

enum wait_call { WAIT_RECV, WAIT_READ, WAIT_RECVFROM, WAIT_RECVMSG, WAIT_READV, WAIT_PEEK, WAITS };
static const char *const wait_names[] = {"recv", "read", "recvfrom", "recvmsg", "readv", "peek"};

static long wait_make(enum wait_call which, int fd) {
    char data[8];
    struct sockaddr_in in;
    socklen_t length = sizeof in;
    struct iovec part = {data, sizeof data};
    struct msghdr message = {
        .msg_name = &in, .msg_namelen = sizeof in, .msg_iov = &part, .msg_iovlen = 1};
    switch (which) {
    case WAIT_RECV:
        return recv(fd, data, sizeof data, 0);
    case WAIT_READ:
        return read(fd, data, sizeof data);
    case WAIT_RECVFROM:
        return recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&in, &length);
    case WAIT_RECVMSG:
        return recvmsg(fd, &message, 0);
    case WAIT_READV:
        return readv(fd, &part, 1);
    default:
        return recv(fd, data, sizeof data, MSG_PEEK);
    }
}

static void timeout_set(int fd, int name, long milliseconds) {
    struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, name, &time, sizeof time);
}

/* With its parent asleep in a call. */
static void parent_alarm(void) {
    sleep_await(getppid(), getppid());
    kill(getppid(), SIGALRM);
}

/* A signal from a child, once its parent waits. */
static pid_t alarm_later(int flags) {
    signal_count(SIGALRM, flags);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        parent_alarm();
        _exit(0);
    }
    return child;
}

/* Something that is done by a child once its parent waits, and (alarmed) has been woken by a signal
 * and waits again. */
static pid_t later(void (*act)(int), int fd, bool alarmed) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (alarmed)
            parent_alarm();
        for (int i = 0; i < 500 && alarmed && signal_seen(SIGALRM) == 0; i++)
            settle();
        sleep_await(getppid(), getppid());
        act(fd);
        _exit(0);
    }
    return child;
}

static void reap(pid_t child) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void say_hello(int fd) {
    if (send(fd, "hi", 2, 0) < 0)
        perror("send");
}

static void shut_write(int fd) {
    shutdown(fd, SHUT_WR);
}

static void connect_there(int port) {
    int fd = tcp_new();
    connect_to(fd, port);
    settle();
    close(fd);
}

/* ---- receiving ---- */

struct ends {
    int fd, peer;
    struct pair pair;
};

static struct ends ends_new(bool stream) {
    struct ends ends = {.pair = {-1, -1, -1}};
    if (stream) {
        ends.pair = pair_new();
        ends.fd = ends.pair.client;
        ends.peer = ends.pair.server;
    } else {
        ends.fd = bound_new(SOCK_DGRAM);
        ends.peer = bound_new(SOCK_DGRAM);
        connect_to(ends.peer, port_of(ends.fd));
    }
    return ends;
}

static void ends_close(struct ends *ends) {
    if (ends->pair.listener >= 0) {
        pair_close(&ends->pair);
    } else {
        close(ends->fd);
        close(ends->peer);
    }
}

static void receive_say(bool stream) {
    char name[64];
    group(stream ? "wait tcp" : "wait udp");
    for (int which = 0; which < WAITS; which++) {
        struct ends ends = ends_new(stream);
        timeout_set(ends.fd, SO_RCVTIMEO, 120);
        watch_start();
        const char *result = result_of(wait_make((enum wait_call)which, ends.fd));
        snprintf(name, sizeof name, "%s, timeout", wait_names[which]);
        say(name, "%s %s", result, waited());

        timeout_set(ends.fd, SO_RCVTIMEO, stream ? LONG : LONG_RESTARTED);
        pid_t child = alarm_later(SA_RESTART); /* Linux: a call with a timeout is not restarted */
        result = result_of(wait_make((enum wait_call)which, ends.fd));
        snprintf(name, sizeof name, "%s, timeout and restarting signal", wait_names[which]);
        say(name, "%s, signals %d", result, signal_taken(SIGALRM));
        reap(child);

        timeout_set(ends.fd, SO_RCVTIMEO, 0);
        child = alarm_later(0);
        result = result_of(wait_make((enum wait_call)which, ends.fd));
        snprintf(name, sizeof name, "%s, signal", wait_names[which]);
        say(name, "%s, signals %d", result, signal_taken(SIGALRM));
        reap(child);

        signal_count(SIGALRM, SA_RESTART);
        child = later(say_hello, ends.peer, true);
        result = result_of(wait_make((enum wait_call)which, ends.fd));
        snprintf(name, sizeof name, "%s, restarting signal", wait_names[which]);
        say(name, "%s, signals %d", result, signal_taken(SIGALRM));
        reap(child);
        ends_close(&ends);
    }
}

static void waitall_say(void) {
    struct ends ends = ends_new(true);
    char data[8];
    group("waitall");
    say_hello(ends.peer);
    poll_until(ends.fd, POLLIN);
    timeout_set(ends.fd, SO_RCVTIMEO, 120);
    watch_start();
    const char *result = result_of(recv(ends.fd, data, 4, MSG_WAITALL));
    say("timeout", "%s %s", result, waited());
    timeout_set(ends.fd, SO_RCVTIMEO, 0);
    say_hello(ends.peer);
    pid_t child = later(say_hello, ends.peer, false);
    result = result_of(recv(ends.fd, data, 4, MSG_WAITALL));
    say("the rest comes", "%s", result);
    reap(child);
    say_hello(ends.peer);
    child = later(shut_write, ends.peer, false);
    result = result_of(recv(ends.fd, data, 4, MSG_WAITALL));
    say("the end comes", "%s", result);
    reap(child);
    ends_close(&ends);
    int low = 4;
    ends = ends_new(true);
    setsockopt(ends.fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low);
    say_hello(ends.peer);
    settle();
    say("low water mark, poll", "%s", bits_of(poll_now(ends.fd)));
    say_hello(ends.peer);
    say("low water mark reached", "%s", bits_of(poll_until(ends.fd, POLLIN)));
    ends_close(&ends);
}

/* ---- accepting ---- */

static void accept_say(void) {
    int listener = listener_new(5);
    group("wait accept");
    timeout_set(listener, SO_RCVTIMEO, 120);
    watch_start();
    const char *result = descriptor_of(accept(listener, NULL, NULL));
    say("timeout", "%s %s", result, waited());
    timeout_set(listener, SO_RCVTIMEO, LONG_RESTARTED);
    pid_t child = alarm_later(SA_RESTART);
    result = descriptor_of(accept(listener, NULL, NULL));
    say("timeout and restarting signal", "%s, signals %d", result, signal_taken(SIGALRM));
    reap(child);
    timeout_set(listener, SO_RCVTIMEO, 0);
    child = alarm_later(0);
    result = descriptor_of(accept(listener, NULL, NULL));
    say("signal", "%s, signals %d", result, signal_taken(SIGALRM));
    reap(child);
    int port = port_of(listener);
    signal_count(SIGALRM, SA_RESTART);
    child = later(connect_there, port, true);
    result = descriptor_of(accept(listener, NULL, NULL));
    say("restarting signal", "%s, signals %d", result, signal_taken(SIGALRM));
    reap(child);
    nonblocking_set(listener, true);
    say("nonblocking", "%s", descriptor_of(accept(listener, NULL, NULL)));
    close(listener);
}

/* ---- sending ---- */

static void send_say(void) {
    struct ends ends = ends_new(true);
    static char data[1 << 16];
    group("wait send");
    timeout_set(ends.fd, SO_SNDTIMEO, 120);
    for (int full = 0; full < 3;) /* also after what can move has moved */
        full = send(ends.fd, data, sizeof data, 0) < 0 ? full + 1 : 0;
    watch_start();
    const char *result = result_of(send(ends.fd, data, sizeof data, 0));
    say("timeout", "%s %s", result, waited());
    timeout_set(ends.fd, SO_SNDTIMEO, 0);
    pid_t child = alarm_later(0);
    result = result_of(send(ends.fd, data, sizeof data, 0));
    say("signal", "%s, signals %d", result, signal_taken(SIGALRM));
    reap(child);
    say("not to wait", "%s", result_of(send(ends.fd, data, sizeof data, MSG_DONTWAIT)));
    ends_close(&ends);
}

void blocking_check(void) {
    receive_say(true);
    receive_say(false);
    waitall_say();
    accept_say();
    send_say();
}
