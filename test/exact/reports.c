/* The queue of errors: MSG_ERRQUEUE with IP_RECVERR and IPV6_RECVERR. */
#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <linux/errqueue.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static bool v6;

static int report_socket(bool asks) {
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = asks;
    setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof on);
    return fd;
}

static socklen_t there(struct sockaddr_storage *to, int port) {
    memset(to, 0, sizeof *to);
    if (!v6) {
        struct sockaddr_in in = loopback(port);
        memcpy(to, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                               .sin6_port = htons((uint16_t)port)};
    memcpy(to, &in6, sizeof in6);
    return sizeof in6;
}

static long refused_send(int fd, const char *data, size_t length) {
    struct sockaddr_storage to;
    socklen_t size = there(&to, dead_port(SOCK_DGRAM));
    return sendto(fd, data, length, 0, (struct sockaddr *)&to, size);
}

/* An error wakes who polls for nothing but input, too. */
static bool report_await(int fd) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, 2000) == 1;
}

static int error_of(int fd) {
    int error = -1;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
}

/* A report with so much room; what the address and the offender are is told by their families. */
static void report_say(const char *name, int fd, size_t octets, size_t controls, int flags) {
    char data[64] = "", text[128] = "none";
    _Alignas(struct cmsghdr) char control[256] = {0};
    struct sockaddr_storage from = {0};
    struct iovec part = {data, octets};
    struct msghdr message = {.msg_name = &from,
                             .msg_namelen = sizeof from,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = controls ? control : NULL,
                             .msg_controllen = controls};
    long r = recvmsg(fd, &message, MSG_ERRQUEUE | flags);
    const char *result = result_of(r);
    struct cmsghdr *c = r < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (c) {
        const struct sock_extended_err *error = (void *)CMSG_DATA(c);
        const struct sockaddr *offender = SO_EE_OFFENDER(error);
        snprintf(text, sizeof text,
                 "level %d type %d %zu octets: %s origin %d type %d code %d "
                 "info %u offender %d",
                 c->cmsg_level, c->cmsg_type, c->cmsg_len - CMSG_LEN(0),
                 strerrorname_np((int)error->ee_errno), error->ee_origin, error->ee_type,
                 error->ee_code, error->ee_info, offender->sa_family);
    }
    say(name, "%s %.*s, name of %u, flags %#x, control %s", result, r > 0 ? (int)r : 0, data,
        r < 0 ? 0 : message.msg_namelen, r < 0 ? 0 : (unsigned)message.msg_flags, text);
}

static void refused_say(void) {
    int fd = report_socket(true);
    char data[8];
    report_say("nothing there", fd, 64, 256, 0);
    say("send", "%s", result_of(refused_send(fd, "hello", 5)));
    say("readable", "%d", report_await(fd));
    say("recv", "%s", result_of(recv(fd, data, sizeof data, 0)));
    say("recv again", "%s", result_of(recv(fd, data, sizeof data, 0)));
    say("SO_ERROR then", "%d", error_of(fd));
    report_say("report", fd, 64, 256, 0);
    report_say("report again", fd, 64, 256, 0);
    say("poll", "%s", bits_of(poll_now(fd)));
    static const size_t rooms[] = {0, 2, 64}, controls[] = {0, 8, 16, 32, 48, 64, 256};
    char name[64];
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        refused_send(fd, "hello", 5);
        report_await(fd);
        snprintf(name, sizeof name, "report, room %zu", rooms[i]);
        report_say(name, fd, rooms[i], 256, 0);
    }
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        refused_send(fd, "hello", 5);
        report_await(fd);
        snprintf(name, sizeof name, "report, control room %zu", controls[i]);
        report_say(name, fd, 64, controls[i], 0);
    }
    refused_send(fd, "hello", 5);
    report_await(fd);
    report_say("peek takes it", fd, 64, 256, MSG_PEEK);
    report_say("and it is gone", fd, 64, 256, 0);
    close(fd);
}

/* Two wait: SO_ERROR and the next send tell of them as they are taken. */
static void queue_say(void) {
    int fd = report_socket(true);
    struct sockaddr_storage to;
    refused_send(fd, "one", 3);
    report_await(fd);
    say("SO_ERROR", "%s", strerrorname_np(error_of(fd)));
    refused_send(fd, "two", 3);
    report_await(fd);
    settle();
    socklen_t size = there(&to, dead_port(SOCK_DGRAM));
    say("the next send", "%s", result_of(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, size)));
    report_say("first of two", fd, 64, 256, 0);
    say("SO_ERROR between", "%s", strerrorname_np(error_of(fd)));
    report_say("second of two", fd, 64, 256, 0);
    say("SO_ERROR after", "%d", error_of(fd));
    report_say("third of two", fd, 64, 256, 0);
    close(fd);
    fd = report_socket(false);
    refused_send(fd, "quiet", 5);
    settle();
    report_say("who did not ask", fd, 64, 256, 0);
    say("who did not ask, SO_ERROR", "%d", error_of(fd));
    close(fd);
}

static void size_say(void) {
    static char data[1 << 17];
    static const size_t lengths[] = {65507, 65508, 65527, 65528, 65535, 65536, 100000};
    char name[64];
    int reader = bound_new(SOCK_DGRAM);
    for (int connected = 0; connected < 2; connected++)
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            int fd = report_socket(true);
            struct sockaddr_storage to;
            socklen_t size = there(&to, port_of(reader));
            if (lengths[i] <= (v6 ? 65527 : 65507)) {
                close(fd);
                continue;
            }
            if (connected && connect(fd, (struct sockaddr *)&to, size) < 0)
                perror("connect");
            snprintf(name, sizeof name, "%zu octets%s", lengths[i], connected ? ", connected" : "");
            say(name, "%s",
                result_of(sendto(fd, data, lengths[i], 0, (struct sockaddr *)&to, size)));
            snprintf(name, sizeof name, "%zu octets%s, SO_ERROR", lengths[i],
                     connected ? ", connected" : "");
            say(name, "%d", error_of(fd));
            snprintf(name, sizeof name, "%zu octets%s, report", lengths[i],
                     connected ? ", connected" : "");
            report_say(name, fd, 64, 256, 0);
            close(fd);
        }
    close(reader);
}

void reports_check(void) {
    for (int family = 0; family < 2; family++) {
        v6 = family;
        group(v6 ? "reports6" : "reports4");
        refused_say();
        queue_say();
        size_say();
    }
}
