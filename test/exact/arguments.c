/* Bad descriptors, pointers, lengths, families, types and flags. */
#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* Calls are made as they are: libc would look at some arguments itself. */
#define CALL(number, ...) result_of(syscall(number, __VA_ARGS__))

static void *nowhere(void) {
    static void *page;
    if (!page)
        page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page;
}

/* ---- socket() ---- */

static void sockets_say(void) {
    static const int domains[] = {AF_INET, AF_INET6, AF_UNIX, 0, -1, 45, 46, 999};
    static const int types[] = {0,
                                SOCK_STREAM,
                                SOCK_DGRAM,
                                SOCK_SEQPACKET,
                                SOCK_RDM,
                                6,
                                11,
                                -1,
                                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                                SOCK_DGRAM | 0x10000};
    static const int protocols[] = {0, IPPROTO_TCP, IPPROTO_UDP, 1000, -1};
    char name[64];
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++)
        for (size_t j = 0; j < sizeof types / sizeof types[0]; j++)
            for (size_t k = 0; k < sizeof protocols / sizeof protocols[0]; k++) {
                snprintf(name, sizeof name, "socket %d %#x %d", domains[i], (unsigned)types[j],
                         protocols[k]);
                say(name, "%s", descriptor_of(socket(domains[i], types[j], protocols[k])));
            }
}

static void flags_say(void) {
    char name[64];
    for (int flags = 0; flags < 4; flags++) {
        int type = (flags & 1 ? SOCK_NONBLOCK : 0) | (flags & 2 ? SOCK_CLOEXEC : 0);
        for (int datagram = 0; datagram < 2; datagram++) {
            int fd = socket(AF_INET, (datagram ? SOCK_DGRAM : SOCK_STREAM) | type, 0);
            snprintf(name, sizeof name, "flags %d of %d", flags, datagram);
            say(name, "%#x, %d", (unsigned)fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
            close(fd);
        }
    }
    int pair[2];
    say("socketpair of AF_INET", "%s", result_of(socketpair(AF_INET, SOCK_STREAM, 0, pair)));
}

/* ---- descriptors ---- */

static void descriptors_say(void) {
    int file = open("/dev/null", O_RDWR | O_CLOEXEC), path = open("/", O_PATH | O_CLOEXEC);
    const int bad[] = {-1, 99999, file, path};
    struct sockaddr_in in = loopback(0);
    socklen_t length = sizeof in;
    int value = 1;
    for (int i = 0; i < 4; i++) {
        group(i == 0 ? "fd -1" : i == 1 ? "fd unused" : i == 2 ? "fd file" : "fd path");
        say("bind", "%s", CALL(SYS_bind, bad[i], &in, sizeof in));
        say("connect", "%s", CALL(SYS_connect, bad[i], &in, sizeof in));
        say("listen", "%s", CALL(SYS_listen, bad[i], 1));
        say("accept", "%s", CALL(SYS_accept, bad[i], NULL, NULL));
        say("accept4, bad flags", "%s", CALL(SYS_accept4, bad[i], NULL, NULL, 1));
        say("getsockname", "%s", CALL(SYS_getsockname, bad[i], &in, &length));
        say("getpeername", "%s", CALL(SYS_getpeername, bad[i], &in, &length));
        say("setsockopt", "%s",
            CALL(SYS_setsockopt, bad[i], SOL_SOCKET, SO_REUSEADDR, &value, sizeof value));
        say("getsockopt", "%s",
            CALL(SYS_getsockopt, bad[i], SOL_SOCKET, SO_REUSEADDR, &value, &length));
        say("shutdown", "%s", CALL(SYS_shutdown, bad[i], 0));
        say("sendto", "%s", CALL(SYS_sendto, bad[i], "x", 1, 0, &in, sizeof in));
        say("recvfrom", "%s", CALL(SYS_recvfrom, bad[i], &value, 1, 0, &in, &length));
        say("sendmsg", "%s", CALL(SYS_sendmsg, bad[i], NULL, 0));
        say("recvmsg", "%s", CALL(SYS_recvmsg, bad[i], NULL, 0));
    }
    close(file);
    close(path);
}

/* ---- addresses ---- */

struct attempt {
    const char *name;
    struct sockaddr_in in;
    uintptr_t at; /* instead of &in, if not 0 */
    unsigned length;
};

static void attempt_say(const struct attempt *attempt, int domain, int type, const char *kind) {
    static const struct {
        long number;
        const char *name;
    } calls[] = {{SYS_bind, "bind"}, {SYS_connect, "connect"}, {SYS_sendto, "sendto"}};
    char name[96];
    const void *address = attempt->at ? (const void *)attempt->at : &attempt->in;
    for (int i = 0; i < 3; i++) {
        int fd = socket(domain, type, 0);
        nonblocking_set(fd, true);
        snprintf(name, sizeof name, "%s %s %s", kind, calls[i].name, attempt->name);
        say(name, "%s",
            i == 2 ? CALL(SYS_sendto, fd, "x", 1, MSG_NOSIGNAL, address, attempt->length)
                   : CALL(calls[i].number, fd, address, attempt->length));
        close(fd);
    }
}

static void addresses_say(void) {
    int port = dead_port(SOCK_STREAM);
    struct sockaddr_in good = loopback(port), none = good, six = good, broadcast = good, any = good,
                       multicast = good, zero = loopback(0), strange = good, any_none = good;
    none.sin_family = AF_UNSPEC;
    any_none.sin_family = AF_UNSPEC;
    any_none.sin_addr.s_addr = 0;
    six.sin_family = AF_INET6;
    strange.sin_family = 99;
    broadcast.sin_addr.s_addr = INADDR_NONE;
    any.sin_addr.s_addr = 0;
    multicast.sin_addr.s_addr = htonl(0xe0000001);
    const struct attempt attempts[] = {
        {"none of 16", none, 0, 16},
        {"none, any", any_none, 0, 16},
        {"v6 of 16", six, 0, 16},
        {"family 99", strange, 0, 16},
        {"length 0", good, 0, 0},
        {"length 1", good, 0, 1},
        {"length 2", good, 0, 2},
        {"length 8", good, 0, 8},
        {"length 15", good, 0, 15},
        {"length 17", good, 0, 17},
        {"length 128", good, 0, 128},
        {"length 129", good, 0, 129},
        {"length -1", good, 0, (unsigned)-1},
        {"at 1", good, 1, 16},
        {"nowhere", good, (uintptr_t)nowhere(), 16},
        {"nowhere of 0", good, (uintptr_t)nowhere(), 0},
        {"broadcast", broadcast, 0, 16},
        {"multicast", multicast, 0, 16},
        {"any", any, 0, 16},
        {"port 0", zero, 0, 16},
    };
    group("address");
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        attempt_say(&attempts[i], AF_INET, SOCK_STREAM, "tcp4");
        attempt_say(&attempts[i], AF_INET, SOCK_DGRAM, "udp4");
        if (i < 15)
            attempt_say(&attempts[i], AF_INET6, SOCK_STREAM, "tcp6");
    }
}

/* ---- names that are written back ---- */

static void names_say(void) {
    struct pair pair = pair_new();
    int udp = bound_new(SOCK_DGRAM);
    static const int rooms[] = {-1, 0, 1, 2, 8, 15, 16, 17, 128, 1000000};
    char text[64];
    group("name");
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        unsigned char octets[140];
        for (int kind = 0; kind < 3; kind++) {
            memset(octets, 0xee, sizeof octets);
            socklen_t length = (socklen_t)rooms[i];
            const char *r = kind == 0   ? CALL(SYS_getsockname, pair.client, octets, &length)
                            : kind == 1 ? CALL(SYS_getpeername, pair.client, octets, &length)
                                        : CALL(SYS_getsockname, udp, octets, &length);
            snprintf(text, sizeof text, "%d in room %d", kind, rooms[i]);
            say(text, "%s, %u: %02x%02x ... %02x%02x%02x%02x%02x", r, length, octets[0], octets[1],
                octets[4], octets[5], octets[7], octets[8], octets[16]);
        }
        int late = tcp_new();
        connect_to(late, port_of(pair.listener));
        poll_until(pair.listener, 1);
        socklen_t length = (socklen_t)rooms[i];
        int fd = (int)syscall(SYS_accept, pair.listener, octets, &length);
        snprintf(text, sizeof text, "accept in room %d", rooms[i]);
        say(text, "%s, %u", descriptor_of(fd), length);
        nonblocking_set(pair.listener, true);
        while ((fd = accept(pair.listener, NULL, NULL)) >= 0)
            close(fd);
        nonblocking_set(pair.listener, false);
        close(late);
    }
    socklen_t length = 16;
    say("getsockname nowhere", "%s", CALL(SYS_getsockname, pair.client, nowhere(), &length));
    say("getsockname, no length", "%s", CALL(SYS_getsockname, pair.client, &length, NULL));
    say("getpeername nowhere", "%s", CALL(SYS_getpeername, pair.client, nowhere(), &length));
    say("getpeername, no length", "%s", CALL(SYS_getpeername, pair.client, &length, NULL));
    pair_close(&pair);
    close(udp);
}

/* ---- octets ---- */

static void pointers_say(void) {
    struct pair pair = pair_new();
    int udp = bound_new(SOCK_DGRAM), value = 1;
    struct sockaddr_in to = loopback(port_of(udp));
    socklen_t length = sizeof value;
    group("pointer");
    const int ends[] = {pair.client, udp};
    for (int i = 0; i < 2; i++) {
        group(i ? "pointer udp" : "pointer tcp");
        connect_to(udp, port_of(udp));
        nonblocking_set(ends[i], true);
        say("send nowhere", "%s", CALL(SYS_sendto, ends[i], nowhere(), 5, 0, NULL, 0));
        say("send nowhere, nothing", "%s", CALL(SYS_sendto, ends[i], nowhere(), 0, 0, NULL, 0));
        say("write nowhere", "%s", CALL(SYS_write, ends[i], nowhere(), 5));
        say("sendmsg nowhere", "%s", CALL(SYS_sendmsg, ends[i], nowhere(), 0));
        say("recvmsg nowhere", "%s", CALL(SYS_recvmsg, ends[i], nowhere(), MSG_DONTWAIT));
        say("sendmmsg of none", "%s", CALL(SYS_sendmmsg, ends[i], nowhere(), 0, 0));
        say("recvmmsg of none", "%s",
            CALL(SYS_recvmmsg, ends[i], nowhere(), 0, MSG_DONTWAIT, NULL));
        say("setsockopt nowhere", "%s",
            CALL(SYS_setsockopt, ends[i], SOL_SOCKET, SO_REUSEADDR, nowhere(), 4));
        say("getsockopt nowhere", "%s",
            CALL(SYS_getsockopt, ends[i], SOL_SOCKET, SO_REUSEADDR, nowhere(), &length));
        say("getsockopt, no length", "%s",
            CALL(SYS_getsockopt, ends[i], SOL_SOCKET, SO_REUSEADDR, &value, NULL));
        struct msghdr many = {.msg_iov = nowhere(), .msg_iovlen = 1025};
        say("sendmsg of 1025 parts", "%s", CALL(SYS_sendmsg, ends[i], &many, 0));
        say("recvmsg of 1025 parts", "%s", CALL(SYS_recvmsg, ends[i], &many, MSG_DONTWAIT));
    }
    char *large = mmap(NULL, 70000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    group("datagram");
    static const unsigned sizes[] = {0, 1, 1472, 1473, 9000, 65507, 65508, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char name[32];
        const char *sent = CALL(SYS_sendto, udp, large, sizes[i], MSG_DONTWAIT, &to, sizeof to);
        poll_until(udp, sizes[i] <= 65507);
        snprintf(name, sizeof name, "%u octets", sizes[i]);
        say(name, "%s, %s", sent, result_of(recv(udp, large, 70000, MSG_DONTWAIT)));
    }
    munmap(large, 70000);
    pair_close(&pair);
    close(udp);
}

/* ---- who may have which port ---- */

static void ports_say(void) {
    char name[64];
    group("port");
    for (int i = 0; i < 128; i++) {
        int type = i & 1 ? SOCK_DGRAM : SOCK_STREAM, on = 1;
        int one = socket(AF_INET, type, 0), two = socket(AF_INET, type, 0);
        struct sockaddr_in in = loopback(0);
        if (i & 2)
            setsockopt(one, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (i & 4)
            setsockopt(two, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (i & 8)
            setsockopt(one, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        if (i & 16)
            setsockopt(two, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        (void)bind(one, (struct sockaddr *)&in, sizeof in);
        if (i & 32)
            listen(one, 1);
        in.sin_port = htons((uint16_t)port_of(one));
        if (i & 64)
            in.sin_addr.s_addr = 0;
        const char *bound = result_of(bind(two, (struct sockaddr *)&in, sizeof in));
        const char *heard = result_of(listen(two, 1));
        snprintf(name, sizeof name, "%s%s%s%s%s%s%s", i & 1 ? "udp" : "tcp", i & 2 ? " addr1" : "",
                 i & 4 ? " addr2" : "", i & 8 ? " port1" : "", i & 16 ? " port2" : "",
                 i & 32 ? " listening" : "", i & 64 ? " wildcard" : "");
        say(name, "%s, %s", bound, heard);
        close(one);
        close(two);
    }
}

void arguments_check(void) {
    group("new");
    sockets_say();
    flags_say();
    descriptors_say();
    addresses_say();
    names_say();
    pointers_say();
    ports_say();
}
