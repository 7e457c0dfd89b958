/* Sockets that more than one process or thread has: fork between socket() and connect(), vfork,
 * descriptors that are passed, duplicated and closed by exec, calls that wait while another thread
 * closes; and many: 200 threads, 5,000 sockets, a storm of signals. */
#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child does with a descriptor, and what it says: its exit status. */
static int child_status(int (*act)(int, int), int fd, int port) {
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(act(fd, port));
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int name_lengths(int fd) {
    struct sockaddr_in in;
    socklen_t length = sizeof in;
    return getpeername(fd, (struct sockaddr *)&in, &length) == 0 ? (int)length : -1;
}

/* ---- fork and vfork ---- */

static int child_connects(int fd, int port) {
    return connect_to(fd, port) == 0 && send(fd, "child", 5, 0) == 5 ? 0 : 1;
}

static int child_accepts(int listener, int port) {
    int fd = accept(listener, NULL, NULL);
    (void)port;
    return send(fd, "hi", 2, 0) == 2 ? 0 : 1;
}

static int child_binds(int fd, int port) {
    struct sockaddr_in in = loopback(0);
    (void)port;
    return bind(fd, (struct sockaddr *)&in, sizeof in) == 0 ? 0 : 1;
}

static int child_closes(int fd, int port) {
    (void)port;
    return close(fd);
}

static void fork_say(void) {
    int listener = listener_new(5), fd = tcp_new(), udp = udp_new();
    char data[16] = "";
    group("fork");
    say("between socket and connect", "%d", child_status(child_connects, fd, port_of(listener)));
    say("the parent's is connected", "%d", name_lengths(fd));
    int server = accept(listener, NULL, NULL);
    say("what the child sent", "%s", result_of(recv(server, data, sizeof data, 0)));
    say("the parent sends on", "%s", result_of(send(fd, "parent", 6, 0)));
    say("and that is heard", "%s", result_of(recv(server, data, 6, MSG_WAITALL)));
    say("the child's close closes nothing", "%d, %s", child_status(child_closes, fd, 0),
        result_of(send(fd, "x", 1, 0)));
    say("and the peer sees none", "%s", bits_of(poll_until(server, POLLIN)));
    close(fd);
    say("the last one's close is one", "%s", bits_of(poll_until(server, POLLRDHUP)));
    close(server);
    fd = tcp_new();
    nonblocking_set(fd, true);
    connect_to(fd, port_of(listener));
    say("accepted by a child", "%d", child_status(child_accepts, listener, 0));
    say("the child has gone, and so has the connection", "%s",
        bits_of(poll_until(fd, POLLIN | POLLRDHUP)));
    say("what it said", "%s", result_of(recv(fd, data, sizeof data, 0)));
    say("a datagram socket bound by a child", "%d, port %d", child_status(child_binds, udp, 0),
        port_of(udp) != 0);
    close(fd);
    close(udp);
    close(listener);
}

static void vfork_say(void) {
    int listener = listener_new(5), port = port_of(listener);
    volatile int fd = -1, result = -1;
    group("vfork");
    pid_t child = vfork(); /* NOLINT: it is what is looked at, */
    if (child == 0) {
        fd = socket(AF_INET, SOCK_STREAM, 0); /* NOLINT: and what programs do there */
        result = connect_to(fd, port);        /* NOLINT */
        _exit(0);
    }
    waitpid(child, NULL, 0);
    say("connect in the child", "%s", result_of(result));
    say("its descriptors are its own", "%s", result_of(fcntl(fd, F_GETFD)));
    int server = accept(listener, NULL, NULL);
    say("its end is the end", "%s", bits_of(poll_until(server, POLLRDHUP)));
    close(server);
    close(listener);
}

/* ---- exec ---- */

/* Whether the descriptor is a socket still after exec. */
static int child_executes(int fd, int port) {
    char text[64];
    (void)port;
    snprintf(text, sizeof text, "test -S /proc/self/fd/%d", fd);
    execl("/bin/sh", "sh", "-c", text, (char *)NULL);
    return 9;
}

static void exec_say(void) {
    static const struct {
        const char *name;
        int type;
    } kinds[] = {{"stream", SOCK_STREAM}, {"datagram", SOCK_DGRAM}};
    char name[64];
    group("exec");
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_INET, kinds[i].type, 0);
        int closing = socket(AF_INET, kinds[i].type | SOCK_CLOEXEC, 0);
        int copies[] = {dup(closing), fcntl(fd, F_DUPFD_CLOEXEC, 0), dup3(fd, 300 + i, O_CLOEXEC),
                        dup2(closing, 310 + i)};
        const int all[] = {fd, closing, copies[0], copies[1], copies[2], copies[3]};
        static const char *const names[] = {"plain",          "SOCK_CLOEXEC",
                                            "dup of it",      "F_DUPFD_CLOEXEC",
                                            "dup3 O_CLOEXEC", "dup2 of SOCK_CLOEXEC"};
        for (int k = 0; k < 6; k++) {
            snprintf(name, sizeof name, "%s, %s", kinds[i].name, names[k]);
            say(name, "flags %s, status %d", result_of(fcntl(all[k], F_GETFD)),
                child_status(child_executes, all[k], 0));
        }
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        snprintf(name, sizeof name, "%s, F_SETFD", kinds[i].name);
        say(name, "status %d", child_status(child_executes, fd, 0));
        for (int k = 0; k < 6; k++)
            close(all[k]);
    }
}

/* ---- descriptors that are passed ---- */

static int passed(int fd) {
    int ends[2], got = -1;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {0};
    char octet = 'x';
    struct iovec part = {&octet, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return -1;
    if (sendmsg(ends[0], &message, 0) == 1 && recvmsg(ends[1], &message, 0) == 1)
        memcpy(&got, CMSG_DATA((struct cmsghdr *)(void *)control), sizeof got);
    close(ends[0]);
    close(ends[1]);
    return got;
}

static void passed_say(void) {
    int listener = listener_new(5), fd = tcp_new(), udp = bound_new(SOCK_DGRAM);
    char data[8];
    group("passed");
    int other = passed(fd);
    say("a fresh one connects", "%s", result_of(connect_to(other, port_of(listener))));
    say("and so has the first", "%d", name_lengths(fd));
    close(fd);
    int elsewhere = passed(listener);
    close(listener);
    int server = accept(elsewhere, NULL, NULL);
    say("sent there", "%s", result_of(send(other, "abc", 3, 0)));
    say("accepted from a passed listener", "%s", result_of(recv(server, data, sizeof data, 0)));
    int third = passed(server);
    close(server);
    say("answered by a passed one", "%s", result_of(send(third, "ab", 2, 0)));
    say("and heard", "%s", result_of(recv(other, data, sizeof data, 0)));
    int datagrams = passed(udp);
    struct sockaddr_in to = loopback(port_of(udp));
    close(udp);
    say("a datagram socket", "%s",
        result_of(sendto(datagrams, "dg", 2, 0, (struct sockaddr *)&to, sizeof to)));
    poll_until(datagrams, POLLIN);
    say("has its port still", "%s", result_of(recv(datagrams, data, sizeof data, 0)));
    close(other);
    close(elsewhere);
    close(third);
    close(datagrams);
}

/* ---- a call that waits, and another thread ---- */

struct waiter {
    int fd;
    bool accepts;
    atomic_int thread;
    int error;
    long result;
};

static void *wait_here(void *context) {
    struct waiter *waiter = context;
    char data[8];
    waiter->thread = (int)syscall(SYS_gettid);
    waiter->result =
        waiter->accepts ? accept(waiter->fd, NULL, NULL) : recv(waiter->fd, data, sizeof data, 0);
    waiter->error = errno;
    return NULL;
}

static void waiter_await(const struct waiter *waiter) {
    while (waiter->thread == 0)
        settle();
    sleep_await(getpid(), waiter->thread);
}

enum doing { DOES_SHUTDOWN, DOES_SEND, DOES_CLOSE_PEER };

static void waits_say(const char *name, int fd, int peer, bool accepts, enum doing doing) {
    struct timeval limit = {30, 0};
    struct waiter waiter = {.fd = fd, .accepts = accepts};
    pthread_t thread;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    pthread_create(&thread, NULL, wait_here, &waiter);
    waiter_await(&waiter);
    if (doing == DOES_SHUTDOWN)
        shutdown(fd, SHUT_RDWR);
    else if (doing == DOES_CLOSE_PEER)
        close(peer);
    else if (send(peer, "abc", 3, 0) < 0)
        perror("send");
    pthread_join(thread, NULL);
    errno = waiter.error;
    say(name, "%s", accepts ? descriptor_of((int)waiter.result) : result_of(waiter.result));
}

/* close() does not end another thread's call, which has the socket until it is over. */
static void close_say(void) {
    struct pair pair = pair_new();
    struct waiter waiter = {.fd = pair.client};
    pthread_t thread;
    pthread_create(&thread, NULL, wait_here, &waiter);
    waiter_await(&waiter);
    say("close while recv waits", "%s", result_of(close(pair.client)));
    pair.client = -1;
    say("its number is free", "%s", result_of(fcntl(waiter.fd, F_GETFD)));
    say("the peer sees no end", "%s", bits_of(poll_now(pair.server)));
    say("and sends", "%s", result_of(send(pair.server, "abc", 3, 0)));
    pthread_join(thread, NULL);
    say("recv has it", "%s", result_of(waiter.result));
    say("then it is closed", "%s", bits_of(poll_until(pair.server, POLLRDHUP)));
    pair_close(&pair);
}

static void threads_wait_say(void) {
    group("another thread");
    struct pair pair = pair_new();
    waits_say("recv, sent to", pair.client, pair.server, false, DOES_SEND);
    waits_say("recv, shut down", pair.client, pair.server, false, DOES_SHUTDOWN);
    pair_close(&pair);
    pair = pair_new();
    waits_say("recv, peer closes", pair.client, pair.server, false, DOES_CLOSE_PEER);
    pair.server = -1;
    waits_say("accept, shut down", pair.listener, -1, true, DOES_SHUTDOWN);
    pair_close(&pair);
    int one = bound_new(SOCK_DGRAM), two = bound_new(SOCK_DGRAM);
    connect_to(one, port_of(two));
    connect_to(two, port_of(one));
    waits_say("datagram, sent to", one, two, false, DOES_SEND);
    waits_say("datagram, shut down", one, two, false, DOES_SHUTDOWN);
    close(one);
    close(two);
    close_say();
}

/* ---- many ---- */

enum { THREADS = 200 };
static int threads_port;
static atomic_int threads_right;

static void *thread_talks(void *number) {
    int fd = tcp_new(), said = (int)(intptr_t)number, heard = -1;
    if (connect_to(fd, threads_port) == 0 && send(fd, &said, sizeof said, 0) == sizeof said &&
        recv(fd, &heard, sizeof heard, MSG_WAITALL) == sizeof heard && heard == said)
        threads_right++;
    close(fd);
    return NULL;
}

static void threads_say(void) {
    pthread_t threads[THREADS];
    pthread_attr_t small;
    int listener = listener_new(THREADS), served = 0;
    group("threads");
    threads_port = port_of(listener);
    threads_right = 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 1 << 16);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], &small, thread_talks, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++) {
        int fd = accept(listener, NULL, NULL), number;
        served += recv(fd, &number, sizeof number, MSG_WAITALL) == sizeof number &&
                  send(fd, &number, sizeof number, 0) == sizeof number;
        close(fd);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    say("200 at once", "%d served, %d right", served, threads_right);
    pthread_attr_destroy(&small);
    close(listener);
}

enum { MANY_LISTENERS = 1000, MANY_PAIRS = 1500, MANY_DATAGRAMS = 1000 };

/* Listeners, connections to them and datagram sockets, all at once: 5,000 sockets. */
static void sockets_say(void) {
    static int listeners[MANY_LISTENERS], clients[MANY_PAIRS], servers[MANY_PAIRS];
    static int datagrams[MANY_DATAGRAMS];
    int wrong = 0;
    group("5,000 sockets");
    for (int i = 0; i < MANY_LISTENERS; i++)
        wrong += port_of(listeners[i] = listener_new(4)) == 0;
    say("listeners", "%d wrong", wrong);
    for (int i = wrong = 0; i < MANY_PAIRS; i++) {
        int listener = listeners[i % MANY_LISTENERS];
        wrong += connect_to(clients[i] = tcp_new(), port_of(listener)) != 0;
        wrong += (servers[i] = accept(listener, NULL, NULL)) < 0;
        wrong += send(clients[i], &i, sizeof i, 0) != sizeof i;
    }
    say("connections", "%d wrong", wrong);
    for (int i = wrong = 0; i < MANY_DATAGRAMS; i++) {
        datagrams[i] = bound_new(SOCK_DGRAM);
        struct sockaddr_in to = loopback(port_of(datagrams[i]));
        wrong += sendto(datagrams[i], &i, sizeof i, 0, (struct sockaddr *)&to, sizeof to) < 0;
    }
    say("datagram sockets", "%d wrong", wrong);
    wrong = 0;
    for (int i = 0, got; i < MANY_PAIRS; i++) {
        got = -1;
        wrong += recv(servers[i], &got, sizeof got, MSG_WAITALL) != sizeof got || got != i;
    }
    for (int i = 0, got; i < MANY_DATAGRAMS; i++) {
        got = -1;
        poll_until(datagrams[i], POLLIN);
        wrong += recv(datagrams[i], &got, sizeof got, MSG_DONTWAIT) != sizeof got || got != i;
    }
    say("each has what it was sent", "%d wrong", wrong);
    for (int i = 0; i < MANY_PAIRS; i++) {
        close(clients[i]);
        close(servers[i]);
    }
    for (int i = 0; i < MANY_DATAGRAMS; i++)
        close(datagrams[i]);
    for (int i = 0; i < MANY_LISTENERS; i++)
        close(listeners[i]);
}

/* Signals all the time, whose handler restarts calls: nothing is done twice, nothing is lost. */
static void storm_say(void) {
    struct itimerval often = {.it_interval = {0, 1000}, .it_value = {0, 1000}}, never = {0};
    int wrong = 0, listener = listener_new(5), one = bound_new(SOCK_DGRAM);
    struct sockaddr_in to = loopback(port_of(one));
    group("storm");
    signal_count(SIGALRM, SA_RESTART);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 200; i++) {
        int fd = tcp_new(), got = -1;
        wrong += connect_to(fd, port_of(listener)) != 0;
        int server = accept(listener, NULL, NULL);
        wrong += send(fd, &i, sizeof i, 0) != sizeof i;
        wrong += recv(server, &got, sizeof got, MSG_WAITALL) != sizeof got || got != i;
        wrong += sendto(one, &i, sizeof i, 0, (struct sockaddr *)&to, sizeof to) != sizeof i;
        wrong += recv(one, &got, sizeof got, 0) != sizeof got || got != i;
        wrong += recv(one, &got, sizeof got, MSG_DONTWAIT) != -1;
        close(fd);
        close(server);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    say("200 connections and datagrams", "%d wrong, signals %d", wrong, signal_taken(SIGALRM) > 0);
    close(listener);
    close(one);
}

void processes_check(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    fork_say();
    vfork_say();
    exec_say();
    passed_say();
    threads_wait_say();
    threads_say();
    sockets_say();
    storm_say();
}
