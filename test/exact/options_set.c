/* setsockopt() with values and lengths in and out of bounds, and what getsockopt() says then. */
#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define OPTION(level, name)                                                                        \
    { level, name, #name }

static const struct option {
    int level, name;
    const char *text;
} options[] = {
    OPTION(SOL_SOCKET, SO_DEBUG),
    OPTION(SOL_SOCKET, SO_REUSEADDR),
    OPTION(SOL_SOCKET, SO_REUSEPORT),
    OPTION(SOL_SOCKET, SO_TYPE),
    OPTION(SOL_SOCKET, SO_ERROR),
    OPTION(SOL_SOCKET, SO_DONTROUTE),
    OPTION(SOL_SOCKET, SO_BROADCAST),
    OPTION(SOL_SOCKET, SO_SNDBUF),
    OPTION(SOL_SOCKET, SO_RCVBUF),
    OPTION(SOL_SOCKET, SO_KEEPALIVE),
    OPTION(SOL_SOCKET, SO_OOBINLINE),
    OPTION(SOL_SOCKET, SO_NO_CHECK),
    OPTION(SOL_SOCKET, SO_PRIORITY),
    OPTION(SOL_SOCKET, SO_RCVLOWAT),
    OPTION(SOL_SOCKET, SO_SNDLOWAT),
    OPTION(SOL_SOCKET, SO_TIMESTAMP),
    OPTION(SOL_SOCKET, SO_ACCEPTCONN),
    OPTION(SOL_SOCKET, SO_PROTOCOL),
    OPTION(SOL_SOCKET, SO_DOMAIN),
    OPTION(SOL_SOCKET, SO_PEERCRED),
    OPTION(SOL_SOCKET, SO_MARK),
    OPTION(SOL_SOCKET, SO_RXQ_OVFL),
    OPTION(SOL_SOCKET, SO_PEEK_OFF),
    OPTION(SOL_SOCKET, SO_SNDBUFFORCE),
    OPTION(SOL_SOCKET, SO_RCVBUFFORCE),
    OPTION(IPPROTO_TCP, TCP_NODELAY),
    OPTION(IPPROTO_TCP, TCP_MAXSEG),
    OPTION(IPPROTO_TCP, TCP_CORK),
    OPTION(IPPROTO_TCP, TCP_KEEPIDLE),
    OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
    OPTION(IPPROTO_TCP, TCP_KEEPCNT),
    OPTION(IPPROTO_TCP, TCP_SYNCNT),
    OPTION(IPPROTO_TCP, TCP_LINGER2),
    OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT),
    OPTION(IPPROTO_TCP, TCP_WINDOW_CLAMP),
    OPTION(IPPROTO_TCP, TCP_INFO),
    OPTION(IPPROTO_TCP, TCP_QUICKACK),
    OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
    OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
    OPTION(IPPROTO_IP, IP_TOS),
    OPTION(IPPROTO_IP, IP_TTL),
    OPTION(IPPROTO_IP, IP_OPTIONS),
    OPTION(IPPROTO_IP, IP_PKTINFO),
    OPTION(IPPROTO_IP, IP_RECVTTL),
    OPTION(IPPROTO_IP, IP_RECVTOS),
    OPTION(IPPROTO_IP, IP_MTU_DISCOVER),
    OPTION(IPPROTO_IP, IP_RECVERR),
    OPTION(IPPROTO_IP, IP_MTU),
    OPTION(IPPROTO_IP, IP_FREEBIND),
    OPTION(IPPROTO_IP, IP_TRANSPARENT),
    OPTION(IPPROTO_IP, IP_MULTICAST_TTL),
    OPTION(IPPROTO_IP, IP_MULTICAST_LOOP),
    OPTION(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
    OPTION(IPPROTO_IPV6, IPV6_V6ONLY),
    OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
    OPTION(IPPROTO_IPV6, IPV6_TCLASS),
    OPTION(IPPROTO_IPV6, IPV6_MTU),
    OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
    OPTION(IPPROTO_IPV6, IPV6_RECVPKTINFO),
    OPTION(IPPROTO_IPV6, IPV6_RECVERR),
    OPTION(IPPROTO_IPV6, IPV6_FREEBIND),
    OPTION(IPPROTO_IPV6, IPV6_TRANSPARENT),
    OPTION(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
    OPTION(IPPROTO_IPV6, IPV6_MINHOPCOUNT),
    OPTION(IPPROTO_IPV6, IPV6_RECVORIGDSTADDR),
    OPTION(IPPROTO_IP, IP_MINTTL),
    OPTION(IPPROTO_IP, IP_RECVORIGDSTADDR),
    OPTION(IPPROTO_TCP, TCP_SAVE_SYN),
    OPTION(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS),
    OPTION(SOL_SOCKET, SO_TIMESTAMPNS),
    OPTION(SOL_SOCKET, SO_BINDTODEVICE),
    {SOL_SOCKET, 999, "unknown"},
    {IPPROTO_TCP, 999, "unknown TCP"},
    {IPPROTO_IP, 999, "unknown IP"},
    {7777, 1, "unknown level"},
};

/* A value, and how many of its octets the call is told of. */
static const struct trial {
    int value, length;
    const char *text;
} trials[] = {
    {0, 4, "0"},          {1, 4, "1"},         {2, 4, "2"},          {4, 4, "4"},
    {5, 4, "5"},          {6, 4, "6"},         {-1, 4, "-1"},        {100, 4, "100"},
    {70000, 4, "70000"},  {INT_MAX, 4, "max"}, {1, 0, "no octets"},  {1, 1, "1 octet"},
    {3, 2, "two octets"}, {1, 8, "8 octets"},  {1, -1, "length -1"},
};

/* Whether the result depends on the machine's limits. */
static bool is_machine(const struct option *option, const struct trial *trial) {
    bool buffer =
        option->level == SOL_SOCKET && (option->name == SO_SNDBUF || option->name == SO_RCVBUF);
    return buffer && (trial->value == INT_MAX || trial->value == -1 || trial->length != 4);
}

static void trial_say(const char *kind, int fd, const struct option *option,
                      const struct trial *trial) {
    char text[96];
    struct {
        int value, more;
    } data = {trial->value, 0};
    int got = -99;
    socklen_t length = sizeof got;
    long r = setsockopt(fd, option->level, option->name, &data, (socklen_t)trial->length);
    const char *set = result_of(r);
    r = getsockopt(fd, option->level, option->name, &got, &length);
    snprintf(text, sizeof text, "%s %s = %s", kind, option->text, trial->text);
    if (r < 0)
        say(text, "%s, then %s", set, result_of(r));
    else if (is_machine(option, trial) || option->name == TCP_INFO || option->name == SO_PEERCRED)
        say(text, "%s", set);
    else
        say(text, "%s, then %d in %u", set, length ? got : -99, length);
}

/* Of a level that the socket does not have the same is said whatever is set. */
static bool is_strange(int domain, int type, int level) {
    return (level == IPPROTO_IPV6 && domain == AF_INET) ||
           (level == IPPROTO_TCP && type == SOCK_DGRAM) || level == 7777;
}

/* What a connection has found out by itself. */
static bool is_path(const struct option *option) {
    return option->level == IPPROTO_TCP &&
           (option->name == TCP_MAXSEG || option->name == TCP_WINDOW_CLAMP);
}

/* A socket to set options of: a fresh one, a connected one, a listener. */
struct subject {
    int fd, other, third;
};

static struct subject fresh_subject(int domain, int type) {
    return (struct subject){socket(domain, type, 0), -1, -1};
}

static struct subject connected_subject(int domain, int type) {
    (void)domain;
    if (type == SOCK_STREAM) {
        struct pair pair = pair_new();
        return (struct subject){pair.client, pair.server, pair.listener};
    }
    struct subject subject = {bound_new(type), bound_new(type), -1};
    connect_to(subject.fd, port_of(subject.other));
    return subject;
}

static struct subject listening_subject(int domain, int type) {
    (void)domain;
    (void)type;
    return (struct subject){listener_new(5), -1, -1};
}

static void subject_close(const struct subject *subject) {
    close(subject->fd);
    if (subject->other >= 0)
        close(subject->other);
    if (subject->third >= 0)
        close(subject->third);
}

static void kind_say(const char *kind, int domain, int type,
                     struct subject (*make)(int domain, int type)) {
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        for (size_t j = 0; j < sizeof trials / sizeof trials[0]; j++) {
            if (make == connected_subject && is_path(&options[i]))
                continue;
            if (is_strange(domain, type, options[i].level) && trials[j].length == 4 && j > 0)
                continue;
            struct subject subject = make(domain, type);
            trial_say(kind, subject.fd, &options[i], &trials[j]);
            subject_close(&subject);
        }
}

/* ---- options that are no int ---- */

static void linger_say(int type, const char *kind) {
    static const struct linger values[] = {{0, 0}, {1, 0}, {1, 5}, {7, 3}, {0, 9}, {1, 40000}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        for (socklen_t size = 4; size <= 12; size += 4) {
            char text[64];
            int fd = socket(AF_INET, type, 0);
            struct {
                struct linger linger;
                int more;
            } in = {values[i], 0};
            struct linger out = {-1, -1};
            socklen_t length = sizeof out;
            const char *set = result_of(setsockopt(fd, SOL_SOCKET, SO_LINGER, &in, size));
            long r = getsockopt(fd, SOL_SOCKET, SO_LINGER, &out, &length);
            snprintf(text, sizeof text, "%s SO_LINGER %d %d in %u", kind, values[i].l_onoff,
                     values[i].l_linger, size);
            say(text, "%s, %s: %d %d in %u", set, result_of(r), out.l_onoff, out.l_linger, length);
            close(fd);
        }
}

static void timeout_say(int type, int name, const char *kind) {
    static const struct timeval values[] = {{0, 0}, {1, 500000}, {0, 1000000}, {-1, 0}, {3, -1}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        for (socklen_t size = 8; size <= 24; size += 8) {
            char text[64];
            int fd = socket(AF_INET, type, 0);
            struct {
                struct timeval time;
                long more;
            } in = {values[i], 0};
            struct timeval out = {-1, -1};
            socklen_t length = sizeof out;
            const char *set = result_of(setsockopt(fd, SOL_SOCKET, name, &in, size));
            long r = getsockopt(fd, SOL_SOCKET, name, &out, &length);
            snprintf(text, sizeof text, "%s %ld.%ld in %u", kind, values[i].tv_sec,
                     values[i].tv_usec, size);
            say(text, "%s, %s: %ld.%06ld in %u", set, result_of(r), out.tv_sec, out.tv_usec,
                length);
            close(fd);
        }
}

static void congestion_say(void) {
    static const char *const names[] = {"reno", "cubic", "none-such", "", "reno\n"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[64], out[16] = "";
        int fd = tcp_new();
        socklen_t length = sizeof out;
        long r = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, names[i], (socklen_t)strlen(names[i]));
        const char *set = result_of(r);
        getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, out, &length);
        snprintf(text, sizeof text, "TCP_CONGESTION %zu", i);
        say(text, "%s, %s in %u", set, r == 0 ? out : "-", length);
        close(fd);
    }
}

/* getsockopt() with less room than the value needs. */
static void rooms_say(void) {
    static const int rooms[] = {-1, 0, 1, 2, 3, 4, 5, 100};
    static const struct option asked[] = {
        OPTION(SOL_SOCKET, SO_REUSEADDR), OPTION(SOL_SOCKET, SO_ERROR),
        OPTION(SOL_SOCKET, SO_TYPE),      OPTION(SOL_SOCKET, SO_LINGER),
        OPTION(IPPROTO_TCP, TCP_NODELAY), OPTION(IPPROTO_TCP, TCP_CONGESTION),
        OPTION(IPPROTO_IP, IP_TTL),       OPTION(IPPROTO_IP, IP_TOS),
        OPTION(IPPROTO_TCP, TCP_INFO),    OPTION(IPPROTO_IP, IP_MTU_DISCOVER)};
    int fd = tcp_new();
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        for (size_t j = 0; j < sizeof rooms / sizeof rooms[0]; j++) {
            char text[64];
            unsigned char out[128];
            memset(out, 0xee, sizeof out);
            socklen_t length = (socklen_t)rooms[j];
            long r = getsockopt(fd, asked[i].level, asked[i].name, out, &length);
            snprintf(text, sizeof text, "%s in room %d", asked[i].text, rooms[j]);
            if (asked[i].name == TCP_CONGESTION && asked[i].level == IPPROTO_TCP)
                say(text, "%s, %u", result_of(r), length);
            else
                say(text, "%s, %u: %02x%02x%02x%02x%02x", result_of(r), length, out[0], out[1],
                    out[2], out[3], out[4]);
        }
    close(fd);
}

/* A link's name, and what is said of it with so much room. */
static void device_say(void) {
    static const char *const names[] = {"lo", "", "none such", "a name of more than 15 octets"};
    static const socklen_t rooms[] = {0, 4, 15, 16, 100};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t j = 0; j < sizeof rooms / sizeof rooms[0]; j++) {
            char text[80], name[128] = "";
            socklen_t length = rooms[j];
            int fd = udp_new();
            long set =
                setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, names[i], (socklen_t)strlen(names[i]));
            const char *said = result_of(set);
            long got = getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length);
            snprintf(text, sizeof text, "device '%s' in room %u", names[i], rooms[j]);
            say(text, "%s, then %s: '%s' in %u", said, result_of(got), name, length);
            close(fd);
        }
}

void options_set(void) {
    group("set");
    kind_say("tcp4", AF_INET, SOCK_STREAM, fresh_subject);
    kind_say("udp4", AF_INET, SOCK_DGRAM, fresh_subject);
    kind_say("tcp6", AF_INET6, SOCK_STREAM, fresh_subject);
    kind_say("udp6", AF_INET6, SOCK_DGRAM, fresh_subject);
    kind_say("connected tcp4", AF_INET, SOCK_STREAM, connected_subject);
    kind_say("connected udp4", AF_INET, SOCK_DGRAM, connected_subject);
    kind_say("listening tcp4", AF_INET, SOCK_STREAM, listening_subject);
    linger_say(SOCK_STREAM, "tcp4");
    linger_say(SOCK_DGRAM, "udp4");
    timeout_say(SOCK_STREAM, SO_RCVTIMEO, "tcp4 SO_RCVTIMEO");
    timeout_say(SOCK_STREAM, SO_SNDTIMEO, "tcp4 SO_SNDTIMEO");
    timeout_say(SOCK_DGRAM, SO_RCVTIMEO, "udp4 SO_RCVTIMEO");
    congestion_say();
    device_say();
    rooms_say();
}
