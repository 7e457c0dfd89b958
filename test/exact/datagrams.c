/* Datagrams in full: what recvmsg, recvmmsg, sendmsg and sendmmsg say with addresses and control
 * data, looking without taking, empty ones, broadcast, and that each comes once and to one. */
#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <netinet/ip.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Two sockets of one family; `to` is the first one's address. */
struct ends {
    int one, two;
    bool v6;
    struct sockaddr_storage to;
    socklen_t length;
};

static void end_bind(int fd, bool v6) {
    struct sockaddr_in in = loopback(0);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (bind(fd, v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in,
             v6 ? sizeof in6 : sizeof in) < 0)
        perror("bind");
}

static struct ends ends_new(bool v6) {
    struct ends ends = {.one = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0),
                        .two = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0),
                        .v6 = v6,
                        .length = sizeof ends.to};
    end_bind(ends.one, v6);
    end_bind(ends.two, v6);
    getsockname(ends.one, (struct sockaddr *)&ends.to, &ends.length);
    return ends;
}

static void ends_close(struct ends *ends) {
    close(ends->one);
    close(ends->two);
}

static void give(const struct ends *ends, const char *octets, size_t length) {
    if (sendto(ends->two, octets, length, 0, (const struct sockaddr *)&ends->to, ends->length) < 0)
        perror("sendto");
    poll_until(ends->one, POLLIN);
}

/* ---- control data ---- */

/* "IP_TTL 64" and so on, in the order they came. */
static void control_write(char *text, size_t size, struct msghdr *message) {
    size_t length = 0;
    text[0] = '\0';
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        int value = 0;
        size_t octets = c->cmsg_len - CMSG_LEN(0);
        memcpy(&value, CMSG_DATA(c), octets < sizeof value ? octets : sizeof value);
        bool info = c->cmsg_type == (c->cmsg_level == IPPROTO_IP ? IP_PKTINFO : IPV6_PKTINFO);
        length += (size_t)snprintf(text + length, size - length, " [%d %d, %zu octets, %d]",
                                   c->cmsg_level, c->cmsg_type, octets,
                                   info || c->cmsg_level == SOL_SOCKET ? 0 : value);
    }
}

/* What recvmsg says with so much room for octets, name and control data. */
static void take_say(const char *name, int fd, size_t octets, size_t names, size_t controls,
                     int flags) {
    char data[64], text[200];
    _Alignas(struct cmsghdr) char control[256];
    struct sockaddr_storage from = {0};
    struct iovec part = {data, octets};
    struct msghdr message = {.msg_name = names ? &from : NULL,
                             .msg_namelen = (socklen_t)names,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = controls ? control : NULL,
                             .msg_controllen = controls};
    const char *result = result_of(recvmsg(fd, &message, flags));
    control_write(text, sizeof text, &message);
    say(name, "%s, family %d, name of %u, control %zu%s, flags %#x", result, from.ss_family,
        message.msg_namelen, message.msg_controllen, text, (unsigned)message.msg_flags);
}

static void receive_options(int fd, bool v6) {
    const int on = 1;
    static const int options4[] = {IP_PKTINFO, IP_RECVTTL, IP_RECVTOS};
    static const int options6[] = {IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS};
    for (int i = 0; i < 3; i++)
        setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? options6[i] : options4[i], &on,
                   sizeof on);
}

static void receive_say(bool v6) {
    struct ends ends = ends_new(v6);
    static const size_t names[] = {0, 3, 16, 28, 128}, controls[] = {0, 16, 24, 40, 64, 256};
    char name[64];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        give(&ends, "0123456789", 10);
        snprintf(name, sizeof name, "recvmsg, name room %zu", names[i]);
        take_say(name, ends.one, 10, names[i], 0, 0);
    }
    for (size_t octets = 0; octets <= 12; octets += 4) {
        give(&ends, "0123456789", 10);
        snprintf(name, sizeof name, "recvmsg, room %zu, peek", octets);
        take_say(name, ends.one, octets, 128, 0, MSG_PEEK);
        snprintf(name, sizeof name, "recvmsg, room %zu, peek and whole length", octets);
        take_say(name, ends.one, octets, 128, 0, MSG_PEEK | MSG_TRUNC);
        snprintf(name, sizeof name, "recvmsg, room %zu", octets);
        take_say(name, ends.one, octets, 128, 0, 0);
        snprintf(name, sizeof name, "recvmsg, room %zu, and no more", octets);
        take_say(name, ends.one, octets, 128, 0, MSG_DONTWAIT);
    }
    receive_options(ends.one, v6);
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        give(&ends, "control", 7);
        snprintf(name, sizeof name, "recvmsg, control room %zu", controls[i]);
        take_say(name, ends.one, 10, 128, controls[i], 0);
    }
    give(&ends, "", 0);
    take_say("recvmsg, an empty one", ends.one, 10, 128, 256, 0);
    give(&ends, "", 0);
    say("read, an empty one", "%s", result_of(read(ends.one, name, 10)));
    say("recv, and no more", "%s", result_of(recv(ends.one, name, 10, MSG_DONTWAIT)));
    ends_close(&ends);
}

/* When it came; what the time is depends on when it is asked. */
static void time_say(bool v6) {
    static const int options[] = {SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMP_NEW,
                                  SO_TIMESTAMPNS_NEW};
    static const int on = 1;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct ends ends = ends_new(v6);
        char name[64];
        setsockopt(ends.one, SOL_SOCKET, options[i], &on, sizeof on);
        receive_options(ends.one, v6);
        for (size_t room = 0; room <= 256; room += 32) {
            give(&ends, "when", 4);
            snprintf(name, sizeof name, "recvmsg, time by %d in %zu", options[i], room);
            take_say(name, ends.one, 10, 128, room, 0);
        }
        ends_close(&ends);
    }
}

/* ---- many in one call ---- */

static void many_say(bool v6) {
    struct ends ends = ends_new(v6);
    struct mmsghdr messages[6];
    struct sockaddr_storage from[6];
    struct iovec parts[6];
    char data[6][8], text[128];
    struct timespec none = {0, 0};
    for (int i = 0; i < 6; i++) {
        parts[i] = (struct iovec){data[i], sizeof data[i]};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &ends.to,
                                                   .msg_namelen = ends.length,
                                                   .msg_iov = &parts[i],
                                                   .msg_iovlen = 1}};
        parts[i].iov_len = (size_t)i;
        memset(data[i], 'a' + i, sizeof data[i]);
    }
    messages[4].msg_hdr.msg_namelen = 3;
    say("sendmmsg, the fifth is wrong", "%s", result_of(sendmmsg(ends.two, messages, 6, 0)));
    say("sendmmsg, the first is wrong", "%s", result_of(sendmmsg(ends.two, messages + 4, 2, 0)));
    say("sendmmsg, none", "%s", result_of(sendmmsg(ends.two, messages, 0, 0)));
    for (int i = 0; i < 6; i++) {
        parts[i].iov_len = 2;
        messages[i].msg_len = 99;
        messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                              .msg_namelen = sizeof from[i],
                                              .msg_iov = &parts[i],
                                              .msg_iovlen = 1};
    }
    say("recvmmsg, none", "%s", result_of(recvmmsg(ends.one, messages, 0, 0, NULL)));
    int got = 0, calls = 0;
    while (got < 4 && calls++ < 4) {
        int n = recvmmsg(ends.one, messages + got, (unsigned)(4 - got), MSG_WAITFORONE, NULL);
        got += n > 0 ? n : 0;
    }
    size_t length = 0;
    for (int i = 0; i < 4; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, " %u of %u flags %#x",
                                   messages[i].msg_len, messages[i].msg_hdr.msg_namelen,
                                   (unsigned)messages[i].msg_hdr.msg_flags);
    say("recvmmsg", "%d:%s", got, text);
    say("recvmmsg, nothing there", "%s",
        result_of(recvmmsg(ends.one, messages, 2, MSG_DONTWAIT, NULL)));
    say("recvmmsg, no time", "%s", result_of(recvmmsg(ends.one, messages, 2, MSG_DONTWAIT, &none)));
    none.tv_nsec = -1;
    say("recvmmsg, bad time", "%s",
        result_of(recvmmsg(ends.one, messages, 2, MSG_DONTWAIT, &none)));
    ends_close(&ends);
}

/* ---- sending with control data ---- */

static void control_send_say(const char *name, const struct ends *ends, int level, int type,
                             const void *value, size_t length, size_t claimed) {
    _Alignas(struct cmsghdr) char control[64] = {0};
    struct iovec part = {(void *)(uintptr_t) "x", 1};
    struct msghdr message = {.msg_name = (void *)(uintptr_t)&ends->to,
                             .msg_namelen = ends->length,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(length)};
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;
    *c = (struct cmsghdr){.cmsg_len = claimed, .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(c), value, length);
    const char *result = result_of(sendmsg(ends->two, &message, 0));
    say(name, "%s", result);
    if (result[0] != '1')
        return;
    char comes[96];
    poll_until(ends->one, POLLIN);
    snprintf(comes, sizeof comes, "%s, as it comes", name);
    take_say(comes, ends->one, 4, 128, 256, MSG_DONTWAIT);
}

/* From an address that is the computer's, and from one that is not. */
static void source_say(const struct ends *ends) {
    struct in6_pktinfo info6 = {.ipi6_addr = IN6ADDR_LOOPBACK_INIT};
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(0x7f000005)};
    struct sockaddr_storage from = {0};
    socklen_t length = sizeof from;
    struct ends other = *ends; /* not bound to an address */
    other.two = socket(ends->v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    int level = ends->v6 ? IPPROTO_IPV6 : IPPROTO_IP, type = ends->v6 ? IPV6_PKTINFO : IP_PKTINFO;
    const void *value = ends->v6 ? (const void *)&info6 : &info;
    size_t size = ends->v6 ? sizeof info6 : sizeof info;
    control_send_say("sendmsg, source", &other, level, type, value, size, CMSG_LEN(size));
    control_send_say("sendmsg, source too short", &other, level, type, value, 4, CMSG_LEN(4));
    info6.ipi6_addr.s6_addr[14] = 9;
    info.ipi_spec_dst.s_addr = htonl(0xc6336401);
    control_send_say("sendmsg, strange source", &other, level, type, value, size, CMSG_LEN(size));
    info.ipi_spec_dst.s_addr = htonl(0x7f000005);
    info6.ipi6_addr.s6_addr[14] = 0;
    struct iovec part = {(void *)(uintptr_t) "x", 1};
    _Alignas(struct cmsghdr) char control[64] = {0};
    struct msghdr message = {.msg_name = (void *)(uintptr_t)&ends->to,
                             .msg_namelen = ends->length,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(c), value, size);
    char octet = 0;
    if (sendmsg(other.two, &message, 0) == 1)
        poll_until(ends->one, POLLIN);
    recvfrom(ends->one, &octet, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    memcpy(&in, &from, sizeof in);
    memcpy(&in6, &from, sizeof in6);
    say("sendmsg, source, from where", "family %d from %#x", from.ss_family,
        ends->v6 ? in6.sin6_addr.s6_addr[15] : ntohl(in.sin_addr.s_addr));
    close(other.two);
}

static void control_say(bool v6) {
    struct ends ends = ends_new(v6);
    int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP, hops = v6 ? IPV6_HOPLIMIT : IP_TTL;
    int tos = v6 ? IPV6_TCLASS : IP_TOS;
    static const int values[] = {-2, -1, 0, 1, 64, 255, 256};
    char name[64];
    receive_options(ends.one, v6);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        snprintf(name, sizeof name, "sendmsg, hops %d", values[i]);
        control_send_say(name, &ends, level, hops, &values[i], sizeof values[i],
                         CMSG_LEN(sizeof values[i]));
        snprintf(name, sizeof name, "sendmsg, class %d", values[i]);
        control_send_say(name, &ends, level, tos, &values[i], sizeof values[i],
                         CMSG_LEN(sizeof values[i]));
    }
    control_send_say("sendmsg, unknown control", &ends, level, 250, &values[3], 4, CMSG_LEN(4));
    control_send_say("sendmsg, unknown level", &ends, 200, 1, &values[3], 4, CMSG_LEN(4));
    control_send_say("sendmsg, control too short", &ends, level, hops, &values[3], 4, 3);
    control_send_say("sendmsg, control too long", &ends, level, hops, &values[3], 4, 1000);
    source_say(&ends);
    ends_close(&ends);
}

/* ---- broadcast ---- */

static void broadcast_say(void) {
    int fd = udp_new(), on = 1;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = INADDR_BROADCAST};
    group("broadcast");
    in.sin_port = htons(9);
    say("connect, not allowed", "%s", result_of(connect(fd, (struct sockaddr *)&in, sizeof in)));
    say("sendto, not allowed", "%s",
        result_of(sendto(fd, "x", 1, 0, (struct sockaddr *)&in, sizeof in)));
    say("allowed", "%s", result_of(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on)));
    int reader = bound_new(SOCK_DGRAM);
    in.sin_addr.s_addr = htonl(0x7fffffff); /* the loopback's */
    in.sin_port = htons((uint16_t)port_of(reader));
    say("to the loopback's", "%s",
        result_of(sendto(fd, "x", 1, 0, (struct sockaddr *)&in, sizeof in)));
    settle();
    say("is not for who is bound to one address", "%s", bits_of(poll_now(reader)));
    close(fd);
    close(reader);
}

/* ---- once, and to one ---- */

enum { SOCKETS = 20, EACH = 30 };

/* Each socket is sent its own numbers, by the others; what it gets is what it was sent, in order.
 */
static void once_say(void) {
    int fds[SOCKETS], ports[SOCKETS], wrong = 0, missing = 0;
    group("once");
    for (int i = 0; i < SOCKETS; i++) {
        fds[i] = bound_new(SOCK_DGRAM);
        ports[i] = port_of(fds[i]);
    }
    for (int n = 0; n < EACH; n++)
        for (int i = 0; i < SOCKETS; i++) {
            struct sockaddr_in to = loopback(ports[i]);
            int said[2] = {i, n};
            sendto(fds[(i + n) % SOCKETS], said, sizeof said, 0, (struct sockaddr *)&to, sizeof to);
        }
    for (int i = 0; i < SOCKETS; i++) {
        for (int n = 0; n < EACH; n++) {
            int said[3] = {-1, -1, -1};
            struct sockaddr_in from = {0};
            socklen_t length = sizeof from;
            if (!(poll_until(fds[i], POLLIN) & POLLIN)) {
                missing++;
                break;
            }
            long r = recvfrom(fds[i], said, sizeof said, MSG_DONTWAIT, (struct sockaddr *)&from,
                              &length);
            wrong += r != 8 || said[0] != i || said[1] != n ||
                     ntohs(from.sin_port) != ports[(i + n) % SOCKETS];
        }
        char octet;
        wrong += recv(fds[i], &octet, 1, MSG_DONTWAIT) != -1;
    }
    say("what each of 20 sockets was sent", "%d wrong, %d missing", wrong, missing);
    for (int i = 0; i < SOCKETS; i++)
        close(fds[i]);
}

/* A connected socket has what its peer sends, one that is bound alike the rest. */
static void shared_say(void) {
    int on = 1, one = udp_new(), two = udp_new(), peer = bound_new(SOCK_DGRAM);
    int stranger = bound_new(SOCK_DGRAM);
    struct sockaddr_in at = loopback(0);
    char data[8];
    group("shared port");
    setsockopt(one, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(two, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(one, (struct sockaddr *)&at, sizeof at) < 0)
        perror("bind");
    at = loopback(port_of(one));
    say("a second one", "%s", result_of(bind(two, (struct sockaddr *)&at, sizeof at)));
    connect_to(one, port_of(peer));
    sendto(peer, "peer", 4, 0, (struct sockaddr *)&at, sizeof at);
    sendto(stranger, "str", 3, 0, (struct sockaddr *)&at, sizeof at);
    poll_until(one, POLLIN);
    poll_until(two, POLLIN);
    say("from the peer", "%s", result_of(recv(one, data, sizeof data, MSG_DONTWAIT)));
    say("from a stranger", "%s", result_of(recv(two, data, sizeof data, MSG_DONTWAIT)));
    say("no more", "%s", result_of(recv(one, data, sizeof data, MSG_DONTWAIT)));
    say("nor there", "%s", result_of(recv(two, data, sizeof data, MSG_DONTWAIT)));
    close(one);
    close(two);
    close(peer);
    close(stranger);
}

void datagrams_check(void) {
    for (int v6 = 0; v6 < 2; v6++) {
        group(v6 ? "datagrams6" : "datagrams4");
        receive_say(v6);
        time_say(v6);
        many_say(v6);
        control_say(v6);
    }
    broadcast_say();
    once_say();
    shared_say();
}
