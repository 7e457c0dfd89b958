/* Non-blocking connects and their readiness, seen with poll, select and epoll (level and edge); UDP
 * and its errors. Statically linked by the test, with threads. Usage: calls HOST OPEN-PORT
 * CLOSED-PORT. Prints a line a check, exits with their failures. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static int wrong;
static struct sockaddr_in open_port, closed_port;

static void check(const char *what, int holds, long got) {
    printf("%s %s (%ld)\n", holds ? "ok" : "WRONG", what, got);
    wrong += !holds;
}

static int start(const struct sockaddr_in *to) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = connect(fd, (const struct sockaddr *)to, sizeof *to);
    if (result != 0 && errno != EINPROGRESS && !(to == &closed_port && errno == ECONNREFUSED))
        check("a non-blocking connect is in progress", 0, errno);
    return fd;
}

static int error_of(int fd) {
    int error = -1;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}

static short wait_poll(int fd) {
    struct pollfd one = {fd, POLLOUT, 0};
    poll(&one, 1, 5000);
    return one.revents;
}

static short wait_select(int fd) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    struct timeval limit = {5, 0};
    return select(fd + 1, NULL, &set, NULL, &limit) == 1 ? POLLOUT : 0;
}

static short wait_epoll(int fd, uint32_t how) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {EPOLLOUT | EPOLLIN | how, {.fd = fd}};
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    event.events = 0;
    epoll_wait(set, &event, 1, 5000);
    close(set);
    return (short)event.events;
}

static short wait_level(int fd) {
    return wait_epoll(fd, 0);
}
static short wait_edge(int fd) {
    return wait_epoll(fd, EPOLLET);
}

static void connects(const char *name, short (*wait)(int fd)) {
    char what[80];
    int fd = start(&open_port);
    snprintf(what, sizeof what, "%s: an open port becomes writable", name);
    check(what, wait(fd) & POLLOUT && error_of(fd) == 0, 0);
    check("and is connected", send(fd, "x", 1, MSG_NOSIGNAL) == 1, errno);
    close(fd);
    fd = start(&closed_port);
    snprintf(what, sizeof what, "%s: a closed port ends the wait", name);
    short got = wait(fd);
    check(what, got != 0, got);
    int error = error_of(fd);
    check("and says ECONNREFUSED", error == ECONNREFUSED || error == 0, error);
    close(fd);
}

static void datagrams(void) {
    char buffer[100];
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    connect(fd, (struct sockaddr *)&closed_port, sizeof closed_port);
    check("a datagram to a closed port is sent", send(fd, "x", 1, 0) == 1, errno);
    struct timeval limit = {5, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    check("port unreachable becomes ECONNREFUSED", got == -1 && errno == ECONNREFUSED, errno);
    close(fd);
    int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
        client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                       from;
    socklen_t size = sizeof here;
    check("bind to port 0", bind(server, (struct sockaddr *)&here, sizeof here) == 0, errno);
    getsockname(server, (struct sockaddr *)&here, &size);
    check("gives a port", ntohs(here.sin_port) >= 1024, ntohs(here.sin_port));
    for (int n = 0; n < 3; n++)
        sendto(client, "abc", (size_t)n, 0, (struct sockaddr *)&here, sizeof here);
    for (int n = 0; n < 3; n++) {
        size = sizeof from;
        got = recvfrom(server, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size);
        check("each datagram by itself, empty ones too", got == n && size == sizeof from, got);
    }
    struct sockaddr_in mine;
    size = sizeof mine;
    getsockname(client, (struct sockaddr *)&mine, &size);
    check("with the address it came from", from.sin_port == mine.sin_port, ntohs(from.sin_port));
    struct iovec part = {buffer, sizeof buffer};
    struct msghdr message = {
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
    sendto(client, "hello", 5, 0, (struct sockaddr *)&here, sizeof here);
    part.iov_len = 2;
    got = recvmsg(server, &message, 0);
    check("recvmsg cuts a datagram and says so", got == 2 && (message.msg_flags & MSG_TRUNC), got);
    got = recv(server, buffer, sizeof buffer, MSG_DONTWAIT);
    check("an empty queue is EAGAIN", got == -1 && errno == EAGAIN, errno);
    close(server);
    close(client);
}

static void *talk(void *count) {
    for (int n = 0; n < 20; n++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&open_port, sizeof open_port) == 0 &&
            write(fd, "x", 1) == 1)
            __atomic_add_fetch((int *)count, 1, __ATOMIC_SEQ_CST);
        close(fd);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 99;
    open_port =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &open_port.sin_addr);
    closed_port = open_port;
    closed_port.sin_port = htons((uint16_t)atoi(argv[3]));
    connects("poll", wait_poll);
    connects("select", wait_select);
    connects("epoll, level", wait_level);
    connects("epoll, edge", wait_edge);
    datagrams();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check("a blocking connect to a closed port is refused",
          connect(fd, (struct sockaddr *)&closed_port, sizeof closed_port) == -1 &&
              errno == ECONNREFUSED,
          errno);
    pthread_t threads[8];
    int count = 0;
    for (int n = 0; n < 8; n++)
        pthread_create(&threads[n], NULL, talk, &count);
    for (int n = 0; n < 8; n++)
        pthread_join(threads[n], NULL);
    check("eight threads, twenty connections each", count == 160, count);
    return wrong;
}
