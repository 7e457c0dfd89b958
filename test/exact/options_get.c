/* getsockopt() of every option that Linux 6.1 knows, on a fresh socket of each kind. */
#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <string.h>
#include <unistd.h>

struct range {
    int level, first, last;
    const char *name;
};
static const struct range ranges[] = {
    {SOL_SOCKET, 1, 75, "SOCKET"},
    {IPPROTO_TCP, 1, 37, "TCP"},
    {IPPROTO_IP, 1, 50, "IP"},
    {IPPROTO_IPV6, 1, 80, "IPV6"},
    {IPPROTO_UDP, 1, 1, "UDP"},
    {IPPROTO_UDP, 100, 105, "UDP"},
    {255, 1, 2, "RAW"},
    {7777, 1, 1, "NONE"},
};

/* What is the machine's own, or the kernel's configuration: its limits of buffers, its congestion
 * control, its security modules, its processors, and what needs a module. */
static bool is_machine(int level, int name) {
    static const struct {
        int level, name;
    } machine[] = {
        {SOL_SOCKET, SO_SNDBUF}, {SOL_SOCKET, SO_RCVBUF},   {SOL_SOCKET, SO_PEERSEC},
        {SOL_SOCKET, 49},        {SOL_SOCKET, 56},          {SOL_SOCKET, 57},
        {SOL_SOCKET, 71},        {SOL_SOCKET, SO_PASSCRED}, {SOL_SOCKET, SO_PASSSEC},
        {IPPROTO_TCP, 24},       {IPPROTO_TCP, 11},         {IPPROTO_TCP, 13},
        {IPPROTO_TCP, 26},       {IPPROTO_TCP, 31},         {IPPROTO_TCP, 14},
        {IPPROTO_TCP, 35},
    };
    for (size_t i = 0; i < sizeof machine / sizeof machine[0]; i++)
        if (machine[i].level == level && machine[i].name == name)
            return true;
    return false;
}

static void option_say(int fd, const struct range *range, int name, const char *kind) {
    char text[64];
    union {
        int number;
        unsigned char octets[64];
    } value = {.octets = {0}};
    socklen_t length = sizeof value;
    long r = getsockopt(fd, range->level, name, &value, &length);
    snprintf(text, sizeof text, "%s %s %d", kind, range->name, name);
    if (r < 0)
        say(text, "%s", result_of(r));
    else if (length == sizeof(int))
        say(text, "%u octets, %d", length, value.number);
    else
        say(text, "%u octets, first %d", length, length ? value.octets[0] : -1);
}

/* Of a level that the socket does not have the same is said whatever is asked. */
static bool is_strange(int domain, int type, int level) {
    return (level == IPPROTO_IPV6 && domain == AF_INET) ||
           (level == IPPROTO_TCP && type == SOCK_DGRAM);
}

static void kind_say(int domain, int type, const char *kind) {
    int fd = socket(domain, type, 0);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        for (int name = ranges[i].first; name <= ranges[i].last; name++)
            if (!is_machine(ranges[i].level, name) &&
                (name < 3 || !is_strange(domain, type, ranges[i].level)))
                option_say(fd, &ranges[i], name, kind);
    close(fd);
}

void options_get(void) {
    group("get");
    kind_say(AF_INET, SOCK_STREAM, "tcp4");
    kind_say(AF_INET, SOCK_DGRAM, "udp4");
    kind_say(AF_INET6, SOCK_STREAM, "tcp6");
    kind_say(AF_INET6, SOCK_DGRAM, "udp6");
}
