/* One question at a time: the time from a question of 64 octets to its answer, by TCP (TCP_NODELAY)
 * or UDP.
 *
 *   pingpong serve tcp|udp PORT
 *   pingpong ask tcp|udp ADDRESS PORT SECONDS    prints the median in microseconds */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OCTETS = 64, MOST = 4 << 20 };

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int fail(const char *what) {
    perror(what);
    exit(1);
}

static int open_socket(const char *protocol) {
    int fd = socket(AF_INET, strcmp(protocol, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (fd < 0)
        fail("socket");
    return fd;
}

/* Reads OCTETS of a stream, or a datagram. False at the end. */
static bool take(int fd, char *octets) {
    size_t got = 0;
    while (got < OCTETS) {
        ssize_t n = recv(fd, octets + got, OCTETS - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static void serve_stream(int listener) {
    char octets[OCTETS];
    int one = 1;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            fail("accept");
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        while (take(fd, octets) && send(fd, octets, OCTETS, MSG_NOSIGNAL) == OCTETS)
            continue;
        close(fd);
    }
}

static void serve_datagrams(int fd) {
    char octets[OCTETS];
    struct sockaddr_in peer;
    for (;;) {
        socklen_t length = sizeof peer;
        ssize_t n = recvfrom(fd, octets, sizeof octets, 0, (struct sockaddr *)&peer, &length);
        if (n < 0 || sendto(fd, octets, (size_t)n, 0, (struct sockaddr *)&peer, length) != n)
            fail("an answer");
    }
}

static int serve(const char *protocol, const char *port) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = open_socket(protocol), one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) != 0)
        fail("bind");
    if (strcmp(protocol, "udp") == 0)
        serve_datagrams(fd);
    if (listen(fd, 8) != 0)
        fail("listen");
    serve_stream(fd);
    return 0;
}

static int earlier(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static int ask(const char *protocol, const char *address, const char *port, double seconds) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    char octets[OCTETS] = "ping";
    int fd = open_socket(protocol), one = 1;
    if (inet_pton(AF_INET, address, &there.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&there, sizeof there) != 0)
        fail("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    uint32_t *took = malloc(MOST * sizeof *took), count = 0;
    if (took == NULL)
        fail("memory");
    for (uint64_t begun = now(), last = begun;
         count < MOST && (double)(last - begun) < seconds * 1e9;) {
        if (send(fd, octets, OCTETS, 0) != OCTETS || !take(fd, octets))
            fail("ping-pong");
        uint64_t t = now();
        took[count++] = (uint32_t)(t - last);
        last = t;
    }
    qsort(took, count, sizeof *took, earlier);
    uint32_t median = took[count / 2];
    printf("%.3f us\n", median / 1e3);
    free(took);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3]);
    if (argc == 6 && strcmp(argv[1], "ask") == 0)
        return ask(argv[2], argv[3], argv[4], atof(argv[5]));
    fputs("usage: pingpong serve tcp|udp PORT | ask tcp|udp ADDRESS PORT SECONDS\n", stderr);
    return 2;
}
