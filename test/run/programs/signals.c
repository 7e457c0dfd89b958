/* Socket calls under a storm of signals, and waiting calls that a signal interrupts. Prints a line
 * a check, exits with their failures. Usage: signals [slow], on an emulated processor, which has
 * hands full with 10,000 signals a second. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { STORM_US = 100, SLOW = 20, INTERRUPTIONS = 5 };

static int failures;
static int slow = 1; /* so much slower are the storms, and shorter */
static volatile sig_atomic_t caught;

static void check(int ok, const char *what, long value) {
    printf("%s %s (%ld, errno %d)\n", ok ? "ok" : "WRONG", what, value, ok ? 0 : errno);
    fflush(stdout);
    failures += !ok;
}

static void count(int signal) {
    (void)signal;
    caught++;
}

static void handle(int flags) {
    struct sigaction action = {.sa_handler = count, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
}

static void storm(long microseconds) {
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static struct sockaddr_in local(int fd) {
    struct sockaddr_in in;
    socklen_t length = sizeof in;
    memset(&in, 0, sizeof in);
    getsockname(fd, (struct sockaddr *)&in, &length);
    return in;
}

static int bound(int type) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0)
        return fd;
    printf("      %s: %s\n", fd < 0 ? "socket" : "bind", strerror(errno));
    return -1;
}

/* Every call is restarted by the kernel; none may fail, and none may be done twice. */
static void calls_restarted(void) {
    int wrong = 0;
    handle(SA_RESTART);
    storm(STORM_US * slow);
    for (int i = 0; i < 3000 / slow && !wrong; i++) {
        int fd = bound(SOCK_STREAM), on = 1;
        if (fd < 0 || listen(fd, 1) < 0)
            wrong = errno;
        else if (local(fd).sin_port == 0)
            wrong = 1000;
        else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
            wrong = 2000 + errno;
        close(fd);
    }
    storm(0);
    check(!wrong && caught > 50 / slow, "3000 times socket, bind, listen, getsockname, setsockopt",
          caught);
}

static void connections_restarted(void) {
    int listener = bound(SOCK_STREAM), wrong = 0, done = 0;
    struct sockaddr_in to = local(listener);
    listen(listener, 10);
    storm(STORM_US * slow);
    for (; done < 1500 / slow && !wrong; done++) {
        char octet = 0;
        int client = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client, (struct sockaddr *)&to, sizeof to) < 0)
            wrong = 1;
        int server = wrong ? -1 : accept(listener, NULL, NULL);
        if (!wrong && (server < 0 || write(client, "x", 1) != 1 || read(server, &octet, 1) != 1 ||
                       octet != 'x'))
            wrong = 2;
        close(server);
        close(client);
    }
    storm(0);
    check(!wrong, "1500 connections", wrong);
    close(listener);
}

/* A datagram may be lost or come twice when a signal comes in the very moment of the answer; that
 * must be rare, and nothing else may happen. */
static void datagrams_restarted(void) {
    int one = bound(SOCK_DGRAM), two = bound(SOCK_DGRAM), lost = 0, twice = 0, wrong = 0;
    struct sockaddr_in to = local(two), from;
    struct timeval wait = {0, 50000};
    setsockopt(two, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    storm(STORM_US * slow);
    for (int i = 0; i < 3000 / slow && !wrong; i++) {
        int got = -1;
        socklen_t length = sizeof from;
        if (sendto(one, &i, sizeof i, 0, (struct sockaddr *)&to, sizeof to) != sizeof i)
            wrong = 1;
        while (!wrong && got < i) {
            if (recvfrom(two, &got, sizeof got, 0, (struct sockaddr *)&from, &length) == sizeof got)
                twice += got < i;
            else if (errno == EAGAIN)
                lost++, got = i;
            else
                wrong = 2;
        }
    }
    storm(0);
    check(!wrong && lost < 60 && twice < 60, "3000 datagrams", lost * 1000 + twice);
    close(one);
    close(two);
}

/* Without SA_RESTART a call may say EINTR; the program tries it again, and must find nothing half
 * done. */
#define AGAIN(call)                                                                                \
    ({                                                                                             \
        long result_;                                                                              \
        while ((result_ = (call)) < 0 && errno == EINTR)                                           \
            ;                                                                                      \
        result_;                                                                                   \
    })

static void calls_again(void) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int wrong = 0;
    handle(0);
    storm(STORM_US * slow);
    for (int i = 0; i < 2000 / slow && !wrong; i++) {
        int fd = (int)AGAIN(socket(AF_INET, SOCK_STREAM, 0));
        if (fd < 0 || AGAIN(bind(fd, (struct sockaddr *)&in, sizeof in)) < 0)
            wrong = errno;
        else if (AGAIN(listen(fd, 1)) < 0)
            wrong = errno;
        close(fd);
    }
    storm(0);
    check(!wrong, "2000 times tried again after EINTR", wrong);
}

static long elapsed_ms(const struct timespec *since) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static void waits_interrupted(void) {
    int listener = bound(SOCK_STREAM), datagram = bound(SOCK_DGRAM);
    struct timespec since;
    char octet;
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    listen(listener, 1);
    handle(0);
    clock_gettime(CLOCK_MONOTONIC, &since);
    ualarm(100000, 0);
    int r = accept(listener, NULL, NULL);
    check(r < 0 && errno == EINTR && elapsed_ms(&since) < 2000, "a waiting accept is interrupted",
          elapsed_ms(&since));
    ualarm(100000, 0);
    r = (int)recvfrom(datagram, &octet, 1, 0, (struct sockaddr *)&from, &length);
    check(r < 0 && errno == EINTR, "a waiting recvfrom is interrupted", r);
    ualarm(100000, 0);
    r = (int)recv(datagram, &octet, 1, 0);
    check(r < 0 && errno == EINTR, "and recv", r);
    close(listener);
    close(datagram);
}

static void *connect_later(void *to) {
    for (int from = caught; caught - from <= INTERRUPTIONS;)
        usleep(10000);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, to, sizeof(struct sockaddr_in)) == 0 && write(fd, "y", 1) == 1)
        usleep(200000);
    close(fd);
    return NULL;
}

static void wait_restarted(void) {
    int listener = bound(SOCK_STREAM);
    struct sockaddr_in to = local(listener);
    char octet = 0;
    sigset_t alarm;
    pthread_t thread;
    listen(listener, 1);
    handle(SA_RESTART);
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL); /* inherited: the signals are this thread's */
    pthread_create(&thread, NULL, connect_later, &to);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
    int before = caught;
    storm(20000);
    int fd = accept(listener, NULL, NULL);
    storm(0);
    check(fd >= 0 && caught - before > INTERRUPTIONS && read(fd, &octet, 1) == 1 && octet == 'y',
          "an accept that is interrupted and restarted gets its connection", caught - before);
    pthread_join(thread, NULL);
    close(fd);
    close(listener);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "slow") == 0)
        slow = SLOW;
    calls_restarted();
    connections_restarted();
    datagrams_restarted();
    calls_again();
    waits_interrupted();
    wait_restarted();
    return failures;
}
