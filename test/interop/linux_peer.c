/* The kernel's end of the interoperation test: the same services and clients over the kernel's
 * sockets, a thread each.
 *
 *   linux_peer serve                       echo, sink, source, until killed; says "ready" first
 *   linux_peer get|put ADDRESS OCTETS      from the source or to the sink at that address
 *   linux_peer many ADDRESS OCTETS N       N connections at once to the echo service
 *   linux_peer udp ADDRESS OCTETS N        N datagrams of up to that size to the UDP echo service
 *   linux_peer refused ADDRESS PORT        TCP and UDP to a port where nobody is
 *   linux_peer pattern OCTETS              so much of the stream to standard output
 */
#define _GNU_SOURCE
#include "test/interop/pattern.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CHUNK = 65536, STACK = 256 * 1024 };

static union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} remote;
static socklen_t remote_length;
static uint64_t octets;
static atomic_uint good;
static pthread_barrier_t all_connected;

static void fatal(const char *what) {
    fprintf(stderr, "linux_peer: %s: %s\n", what, strerror(errno));
    exit(1);
}

static bool send_all(int fd, const void *data, size_t length) {
    const uint8_t *at = data;
    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

static bool send_pattern(int fd, uint64_t count) {
    uint8_t *chunk = malloc(CHUNK);
    bool sent = chunk != NULL;
    for (uint64_t at = 0; at < count && sent; at += CHUNK) {
        size_t length = count - at < CHUNK ? (size_t)(count - at) : CHUNK;
        pattern_fill(PATTERN_SEED, at, chunk, length);
        sent = send_all(fd, chunk, length);
    }
    free(chunk);
    return sent;
}

/* Reads to the end; how many octets were as they should be, and whether that was all. */
static uint64_t receive_pattern(int fd, bool *all_good) {
    uint8_t *chunk = malloc(CHUNK);
    uint64_t at = 0;
    ssize_t got = -1;
    *all_good = true;
    while (chunk && (got = recv(fd, chunk, CHUNK, 0)) > 0) {
        size_t right = *all_good ? pattern_check(PATTERN_SEED, at, chunk, (size_t)got) : 0;
        *all_good &= right == (size_t)got;
        at += right;
    }
    *all_good &= got == 0;
    free(chunk);
    return at;
}

static bool receive_line(int fd, char *line, size_t size) {
    for (size_t at = 0; at + 1 < size; at++) {
        if (recv(fd, line + at, 1, 0) != 1)
            return false;
        if (line[at] == '\n') {
            line[at + 1] = '\0';
            return true;
        }
    }
    return false;
}

/* ---- services ---- */

static void serve_echo(int fd) {
    uint8_t data[4096];
    ssize_t got;
    while ((got = recv(fd, data, sizeof data, 0)) > 0 && send_all(fd, data, (size_t)got))
        ;
}

static void serve_sink(int fd) {
    bool all_good;
    char line[64];
    uint64_t count = receive_pattern(fd, &all_good);
    int length =
        snprintf(line, sizeof line, all_good ? "ok %" PRIu64 "\n" : "bad at %" PRIu64 "\n", count);
    send_all(fd, line, (size_t)length);
}

static void serve_source(int fd) {
    char line[64];
    if (receive_line(fd, line, sizeof line))
        send_pattern(fd, strtoull(line, NULL, 10));
}

static struct service {
    uint16_t port;
    void (*serve)(int fd);
    int listener;
} services[] = {
    {PORT_ECHO, serve_echo, -1}, {PORT_SINK, serve_sink, -1}, {PORT_SOURCE, serve_source, -1}};

struct accepted {
    const struct service *service;
    int fd;
};

static void *serve_one(void *context) {
    struct accepted accepted = *(struct accepted *)context;
    free(context);
    accepted.service->serve(accepted.fd);
    close(accepted.fd);
    return NULL;
}

static pthread_t thread_start(void *(*run)(void *), void *context) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    if ((errno = pthread_create(&thread, &attributes, run, context)) != 0)
        fatal("pthread_create");
    pthread_attr_destroy(&attributes);
    return thread;
}

static int listen_at(uint16_t port) {
    struct sockaddr_in6 local = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int listener = socket(AF_INET6, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&local, sizeof local) < 0 || listen(listener, 4096) < 0)
        fatal("listen");
    return listener;
}

static void *serve_port(void *context) {
    const struct service *service = context;
    for (;;) {
        struct accepted *accepted = malloc(sizeof *accepted);
        if (!accepted)
            fatal("malloc");
        *accepted = (struct accepted){service, accept(service->listener, NULL, NULL)};
        if (accepted->fd < 0)
            fatal("accept");
        pthread_detach(thread_start(serve_one, accepted));
    }
    return NULL;
}

static _Noreturn void serve(void) {
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        services[i].listener = listen_at(services[i].port);
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        thread_start(serve_port, &services[i]);
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}

/* ---- clients ---- */

static bool remote_parse(const char *text) {
    bool six = strchr(text, ':') != NULL;
    remote.any.sa_family = six ? AF_INET6 : AF_INET;
    remote_length = six ? sizeof remote.v6 : sizeof remote.v4;
    return inet_pton(remote.any.sa_family, text,
                     six ? (void *)&remote.v6.sin6_addr : &remote.v4.sin_addr) == 1;
}

/* Threads that connect all set the same one. The port is at the same place in both families. */
static void remote_port(uint16_t port) {
    remote.v4.sin_port = htons(port);
}

static int socket_for(int type) {
    return socket(remote.any.sa_family, type, 0);
}

static int connect_to(uint16_t port) {
    int fd = socket_for(SOCK_STREAM);
    remote_port(port);
    if (connect(fd, &remote.any, remote_length) < 0)
        fatal("connect");
    return fd;
}

/* What both ends agreed upon, in TCP_INFO's bits. */
static void say_options(int fd) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    fprintf(stderr, "options %d\n", info.tcpi_options & 15);
}

static bool get(void) {
    char line[64];
    bool all_good;
    int fd = connect_to(PORT_SOURCE);
    int length = snprintf(line, sizeof line, "%" PRIu64 "\n", octets);
    if (!send_all(fd, line, (size_t)length))
        fatal("send");
    uint64_t count = receive_pattern(fd, &all_good);
    say_options(fd);
    close(fd);
    if (!all_good || count != octets)
        fprintf(stderr, "linux_peer: %" PRIu64 " good octets, then bad ones or the end\n", count);
    return all_good && count == octets;
}

static bool put(void) {
    char line[64] = "", expected[64];
    int fd = connect_to(PORT_SINK);
    if (!send_pattern(fd, octets))
        fatal("send");
    shutdown(fd, SHUT_WR);
    if (!receive_line(fd, line, sizeof line))
        fatal("recv");
    say_options(fd);
    close(fd);
    snprintf(expected, sizeof expected, "ok %" PRIu64 "\n", octets);
    if (strcmp(line, expected) != 0)
        fprintf(stderr, "linux_peer: the sink says %s", line);
    return strcmp(line, expected) == 0;
}

static void *send_side(void *context) {
    int fd = *(int *)context;
    if (!send_pattern(fd, octets))
        fatal("send");
    shutdown(fd, SHUT_WR);
    return NULL;
}

static void *one_of_many(void *context) {
    (void)context;
    int fd = connect_to(PORT_ECHO);
    bool all_good;
    pthread_barrier_wait(&all_connected);
    pthread_t sender = thread_start(send_side, &fd);
    uint64_t count = receive_pattern(fd, &all_good);
    pthread_join(sender, NULL);
    close(fd);
    if (all_good && count == octets)
        atomic_fetch_add(&good, 1);
    return NULL;
}

static bool many(unsigned count) {
    pthread_t *threads = calloc(count, sizeof *threads);
    if (!threads)
        fatal("calloc");
    pthread_barrier_init(&all_connected, NULL, count);
    for (unsigned i = 0; i < count; i++)
        threads[i] = thread_start(one_of_many, NULL);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    fprintf(stderr, "linux_peer: %u of %u connections good\n", atomic_load(&good), count);
    return atomic_load(&good) == count;
}

static bool udp(unsigned count) {
    static uint8_t out[65536], in[65536];
    struct timeval patience = {.tv_sec = 20};
    unsigned back = 0;
    int fd = socket_for(SOCK_DGRAM);
    remote_port(PORT_ECHO);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, &remote.any, remote_length) < 0)
        fatal("connect");
    for (unsigned i = 0; i < count; i++) {
        size_t length = (size_t)((octets * (i + 1)) / count);
        pattern_fill(i, 0, out, length);
        if (send(fd, out, length, 0) < 0)
            fatal("send");
        ssize_t got = recv(fd, in, sizeof in, 0);
        if (got == (ssize_t)length && memcmp(in, out, length) == 0)
            back++;
        else
            fprintf(stderr, "linux_peer: a datagram of %zu octets gave %zd\n", length, got);
    }
    close(fd);
    fprintf(stderr, "linux_peer: %u of %u datagrams came back\n", back, count);
    return back == count;
}

static bool refused(uint16_t port) {
    struct timeval patience = {.tv_sec = 20};
    char octet = 1;
    int tcp = socket_for(SOCK_STREAM), datagram = socket_for(SOCK_DGRAM);
    remote_port(port);
    setsockopt(datagram, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    bool by_tcp = connect(tcp, &remote.any, remote_length) < 0 && errno == ECONNREFUSED;
    bool by_udp = connect(datagram, &remote.any, remote_length) == 0 &&
                  send(datagram, &octet, 1, 0) == 1 && recv(datagram, &octet, 1, 0) < 0 &&
                  errno == ECONNREFUSED;
    fprintf(stderr, "linux_peer: TCP %s, UDP %s\n", by_tcp ? "refused" : "not refused",
            by_udp ? "refused" : "not refused");
    return by_tcp && by_udp;
}

static bool write_pattern(uint64_t count) {
    uint8_t chunk[4096];
    bool written = true;
    for (uint64_t at = 0; at < count && written; at += sizeof chunk) {
        size_t length = count - at < sizeof chunk ? (size_t)(count - at) : sizeof chunk;
        pattern_fill(PATTERN_SEED, at, chunk, length);
        written = fwrite(chunk, 1, length, stdout) == length;
    }
    return written && fflush(stdout) == 0;
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    if (count == 2 && strcmp(words[1], "serve") == 0)
        serve();
    if (count == 3 && strcmp(words[1], "pattern") == 0)
        return write_pattern(strtoull(words[2], NULL, 10)) ? 0 : 1;
    if (count < 4 || !remote_parse(words[2])) {
        fprintf(stderr, "usage: linux_peer serve | get|put|many|udp|refused ADDRESS NUMBER [N]\n");
        return 2;
    }
    octets = strtoull(words[3], NULL, 10);
    unsigned n = count > 4 ? (unsigned)strtoul(words[4], NULL, 10) : 1;
    bool passed = false;
    if (strcmp(words[1], "get") == 0)
        passed = get();
    else if (strcmp(words[1], "put") == 0)
        passed = put();
    else if (strcmp(words[1], "many") == 0)
        passed = many(n);
    else if (strcmp(words[1], "udp") == 0)
        passed = udp(n);
    else if (strcmp(words[1], "refused") == 0)
        passed = refused((uint16_t)octets);
    return passed ? 0 : 1;
}
