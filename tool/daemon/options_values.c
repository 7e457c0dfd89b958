/* What Linux makes of an option's number, and the numbers that are only remembered. */
#define _GNU_SOURCE
#include "tool/daemon/options.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

/* Linux counts TCP_DEFER_ACCEPT in retransmissions of the SYN-ACK: the seconds are rounded up to
 * when one of them is sent, the first after a second, the time doubled up to two minutes. */
static int defer_round(int seconds) {
    int step = 1, period = 0, count = 0;
    while (seconds > period && count < 255) {
        period += step;
        step = step < 60 ? step * 2 : 120;
        count++;
    }
    return period;
}

static int tcp_adjust(const struct option_row *row, int *value) {
    switch (row->name) {
    case TCP_DEFER_ACCEPT:
        *value = defer_round(*value);
        break;
    case TCP_LINGER2: /* 0: the default; at most two minutes; below 0: do not wait at all */
        *value = *value < 0 ? -1 : *value == 0 ? 60 : *value > 120 ? 120 : *value;
        break;
    case TCP_WINDOW_CLAMP: /* half of the smallest receive buffer at least */
        *value = *value == 0 ? 0 : *value < 1152 ? 1152 : *value;
        break;
    default:
        break;
    }
    return 0;
}

static int ip_adjust(const struct conduit *conduit, const struct option_row *row, int *value) {
    switch (row->name) {
    case IP_TOS: /* the ECN bits of a connection are TCP's own */
        *value &= conduit->protocol == BERTH_TCP ? 0xfc : 0xff;
        break;
    case IP_TTL:
        if (*value == -1)
            *value = 64;
        break;
    case IP_MULTICAST_TTL:
        if (conduit->protocol == BERTH_TCP)
            return -EINVAL;
        if (*value == -1)
            *value = 1;
        break;
    default:
        break;
    }
    return 0;
}

static void ipv6_adjust(const struct conduit *conduit, const struct option_row *row, int *value) {
    if (row->name == IPV6_UNICAST_HOPS && *value == -1)
        *value = 64;
    if (row->name == IPV6_TCLASS && *value == -1)
        *value = 0;
    if (row->name == IPV6_TCLASS && conduit->protocol == BERTH_TCP && *value <= 0xff)
        *value &= 0xfc;
}

int option_adjust(const struct conduit *conduit, const struct option_row *row, int *value) {
    int r = 0;
    if (row->level == IPPROTO_TCP)
        r = tcp_adjust(row, value);
    else if (row->level == IPPROTO_IP)
        r = ip_adjust(conduit, row, value);
    else if (row->level == IPPROTO_IPV6)
        ipv6_adjust(conduit, row, value);
    if (row->flags & OPTION_BOOL)
        *value = *value != 0;
    if (r == 0 && row->kind != OPTION_ENGINE && (*value < row->low || *value > row->high))
        r = -EINVAL;
    return r;
}

/* ---- memory ---- */

struct option_memory {
    struct option_memory *next;
    const struct option_row *row;
    int value;
};

static struct option_memory *memory_find(const struct conduit *conduit,
                                         const struct option_row *row) {
    struct option_memory *memory = conduit->options;
    while (memory && memory->row != row)
        memory = memory->next;
    return memory;
}

int option_keep(struct conduit *conduit, const struct option_row *row, int value) {
    struct option_memory *memory = memory_find(conduit, row);
    if (!memory) {
        if (value == row->initial)
            return 0;
        memory = malloc(sizeof *memory);
        if (!memory)
            return -ENOMEM;
        *memory = (struct option_memory){conduit->options, row, 0};
        conduit->options = memory;
    }
    memory->value = value;
    return 0;
}

int option_kept(const struct conduit *conduit, const struct option_row *row) {
    const struct option_memory *memory = memory_find(conduit, row);
    return memory ? memory->value : row->initial;
}

int option_kept_at(const struct conduit *conduit, int level, int name) {
    const struct option_memory *memory = conduit->options;
    while (memory && (memory->row->name != name || memory->row->level != level))
        memory = memory->next;
    return memory ? memory->value : 0;
}

void options_forget(struct conduit *conduit) {
    while (conduit->options) {
        struct option_memory *memory = conduit->options;
        conduit->options = memory->next;
        free(memory);
    }
}

/* ---- IP options ---- */

/* Only those are taken that mean nothing: NOP, and the end of the list. What is remembered: how
 * many octets in all, rounded up to words, and how many NOPs come first. */
enum { OPTION_END = 0, OPTION_NOP = 1, IP_OPTIONS_MOST = 40 };

long ip_options_set(struct conduit *conduit, const uint8_t *octets, size_t length) {
    size_t nops = 0;
    if (length > IP_OPTIONS_MOST)
        return -EINVAL;
    while (nops < length && octets[nops] == OPTION_NOP)
        nops++;
    if (nops < length && octets[nops] != OPTION_END)
        return -EINVAL;
    int words = (int)((length + 3) & ~(size_t)3);
    return option_keep(conduit, option_find(IPPROTO_IP, IP_OPTIONS), words << 8 | (int)nops);
}

long ip_options_get(const struct conduit *conduit, uint8_t *octets, size_t *length) {
    int kept = option_kept(conduit, option_find(IPPROTO_IP, IP_OPTIONS));
    memset(octets, OPTION_END, IP_OPTIONS_MOST);
    memset(octets, OPTION_NOP, (size_t)(kept & 0xff));
    *length = (size_t)(kept >> 8);
    return 0;
}

/* ---- rights ---- */

bool option_capable(const struct call *call) {
    char path[40], line[80];
    unsigned long long rights = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)call->thread);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "CapEff: %llx", &rights) == 1)
            break;
    if (file)
        fclose(file);
    return rights >> CAP_NET_ADMIN & 1;
}
