#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- saying ---- */

static char current[64];

void group(const char *name) {
    snprintf(current, sizeof current, "%s", name);
}

void say(const char *name, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%s/%s: ", current, name);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

/* A few results may stand in one line. */
static char *text_slot(size_t *size) {
    static char texts[8][96];
    static unsigned next;
    *size = sizeof texts[0];
    return texts[next++ % 8];
}

const char *result_of(long r) {
    size_t size;
    int error = errno;
    if (r == -1)
        return strerrorname_np(error);
    char *text = text_slot(&size);
    snprintf(text, size, "%ld", r);
    return text;
}

const char *descriptor_of(int fd) {
    if (fd < 0)
        return result_of(fd);
    close(fd);
    return "fd";
}

const char *bits_of(unsigned bits) {
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{POLLIN, "IN"},   {POLLPRI, "PRI"},  {POLLOUT, "OUT"},  {POLLERR, "ERR"},
                 {POLLHUP, "HUP"}, {0x2000, "RDHUP"}, {POLLNVAL, "NVAL"}};
    size_t size, length = 0;
    char *text = text_slot(&size);
    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (bits & names[i].bit)
            length += (size_t)snprintf(text + length, size - length, "%s%s", length ? "|" : "",
                                       names[i].name);
    return length ? text : "0";
}

/* ---- sockets ---- */

struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int port_of(int fd) {
    struct sockaddr_in in = {0};
    socklen_t length = sizeof in;
    return getsockname(fd, (struct sockaddr *)&in, &length) < 0 ? 0 : ntohs(in.sin_port);
}

int tcp_new(void) {
    return socket(AF_INET, SOCK_STREAM, 0);
}

int udp_new(void) {
    return socket(AF_INET, SOCK_DGRAM, 0);
}

int bound_new(int type) {
    struct sockaddr_in in = loopback(0);
    int fd = socket(AF_INET, type, 0);
    if (bind(fd, (struct sockaddr *)&in, sizeof in) < 0)
        perror("bind");
    return fd;
}

int listener_new(int backlog) {
    int fd = bound_new(SOCK_STREAM);
    if (listen(fd, backlog) < 0)
        perror("listen");
    return fd;
}

int connect_to(int fd, int port) {
    struct sockaddr_in in = loopback(port);
    return connect(fd, (struct sockaddr *)&in, sizeof in);
}

void nonblocking_set(int fd, bool on) {
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

struct pair pair_new(void) {
    struct pair pair = {.listener = listener_new(5), .client = tcp_new()};
    if (connect_to(pair.client, port_of(pair.listener)) < 0)
        perror("connect");
    pair.server = accept(pair.listener, NULL, NULL);
    return pair;
}

void pair_close(struct pair *pair) {
    int *const ends[] = {&pair->client, &pair->server, &pair->listener};
    for (int i = 0; i < 3; i++) {
        if (*ends[i] >= 0)
            close(*ends[i]);
        *ends[i] = -1;
    }
}

int dead_port(int type) {
    int fd = bound_new(type), port = port_of(fd);
    close(fd);
    return port;
}

/* ---- waiting ---- */

unsigned poll_now(int fd) {
    struct pollfd one = {.fd = fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP};
    return poll(&one, 1, 0) < 0 ? 0 : (unsigned)one.revents;
}

static void nap(long milliseconds) {
    struct timespec time = {.tv_nsec = milliseconds * 1000000};
    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        ;
}

unsigned poll_until(int fd, unsigned wanted) {
    for (int i = 0; i < 1000 && (poll_now(fd) & wanted) != wanted; i++)
        nap(2);
    return poll_now(fd);
}

void settle(void) {
    nap(20);
}

void sleep_await(int process, int thread) {
    char path[64], state = 0;
    for (int i = 0; i < 5000 && state != 'S'; i++) {
        nap(2);
        snprintf(path, sizeof path, "/proc/%d/task/%d/stat", process, thread);
        FILE *file = fopen(path, "re");
        if (file && fscanf(file, "%*d %*s %c", &state) != 1)
            state = 0;
        if (file)
            fclose(file);
    }
}

/* ---- signals ---- */

static volatile sig_atomic_t *counts; /* shared with children */

static void count(int number) {
    counts[number]++;
}

void signal_count(int number, int flags) {
    struct sigaction action = {.sa_handler = count, .sa_flags = flags};
    if (!counts)
        counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    counts[number] = 0;
    sigaction(number, &action, NULL);
}

int signal_seen(int number) {
    return counts ? counts[number] : 0;
}

int signal_taken(int number) {
    if (!counts)
        return 0;
    int n = counts[number];
    counts[number] = 0;
    return n;
}

int signal_soon(int number) {
    for (int i = 0; i < 3 && signal_seen(number) == 0; i++)
        nap(2);
    return signal_taken(number);
}
