#define _GNU_SOURCE
#include "tool/daemon/send_control.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { CONTROL_MAX = 4096 };

struct item {
    int level, type;
    const uint8_t *value;
    size_t length;
};

/* A number within bounds. 0 or -EINVAL. */
static int number_read(const struct item *item, int least, int *number) {
    int value;
    if (item->length != sizeof value)
        return -EINVAL;
    memcpy(&value, item->value, sizeof value);
    if (value < least || value > 255)
        return -EINVAL;
    *number = value;
    return 0;
}

static int source6_read(const struct item *item, bool v4, struct berth_send_options *options) {
    struct in6_pktinfo info;
    if (v4 ? item->length != sizeof info : item->length < sizeof info)
        return -EINVAL;
    memcpy(&info, item->value, sizeof info);
    if (v4 && !IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr))
        return -EINVAL;
    memcpy(options->source.bytes, &info.ipi6_addr, sizeof options->source.bytes);
    return 0;
}

static int source4_read(const struct item *item, struct berth_send_options *options) {
    struct in_pktinfo info;
    if (item->length != sizeof info)
        return -EINVAL;
    memcpy(&info, item->value, sizeof info);
    if (info.ipi_spec_dst.s_addr)
        options->source = berth_ip_v4(ntohl(info.ipi_spec_dst.s_addr));
    return 0;
}

/* Linux's ip_cmsg_send. */
static int item_read4(const struct item *item, struct berth_send_options *options) {
    if (item->level == IPPROTO_IPV6 && item->type == IPV6_PKTINFO)
        return source6_read(item, true, options);
    if (item->level != IPPROTO_IP)
        return 0;
    switch (item->type) {
    case IP_PKTINFO:
        return source4_read(item, options);
    case IP_TTL:
        return number_read(item, 1, &options->ttl);
    case IP_TOS:
        if (item->length == 1)
            options->tos = item->value[0];
        return item->length == 1 ? 0 : number_read(item, 0, &options->tos);
    default:
        return -EINVAL;
    }
}

/* Linux's ip6_datagram_send_ctl. */
static int item_read6(const struct item *item, struct berth_send_options *options) {
    int ignored;
    if (item->level != IPPROTO_IPV6)
        return 0;
    switch (item->type) {
    case IPV6_PKTINFO:
    case IPV6_2292PKTINFO:
        return source6_read(item, false, options);
    case IPV6_HOPLIMIT:
    case IPV6_2292HOPLIMIT:
        return number_read(item, -1, &options->ttl);
    case IPV6_TCLASS:
        return number_read(item, -1, &options->tos);
    case IPV6_DONTFRAG:
        return number_read(item, 0, &ignored);
    default:
        return -EINVAL;
    }
}

/* Those of any socket: descriptors and identities mean nothing to a datagram here. */
static int item_read_any(const struct item *item) {
    switch (item->type) {
    case SCM_RIGHTS:
    case SCM_CREDENTIALS:
    case SO_TIMESTAMPING:
    case SO_PRIORITY:
        return 0;
    case SO_MARK:
        return -EPERM;
    default:
        return -EINVAL;
    }
}

int send_control_read(const struct message *message, struct reach *reach, pid_t thread, bool v4,
                      struct berth_send_options *options) {
    _Alignas(struct cmsghdr) uint8_t data[CONTROL_MAX];
    struct cmsghdr header;
    size_t length = message->control ? message->control_length : 0;
    *options = (struct berth_send_options){.ttl = -1, .tos = -1};
    if (length > sizeof data)
        return -ENOBUFS;
    int r = length ? reach_read(reach, thread, message->control, data, length) : 0;
    for (size_t at = 0; r == 0 && at < length && length - at >= sizeof header;
         at += CMSG_ALIGN(header.cmsg_len)) {
        memcpy(&header, data + at, sizeof header);
        if (header.cmsg_len < sizeof header || header.cmsg_len > length - at)
            return -EINVAL;
        const struct item item = {header.cmsg_level, header.cmsg_type, data + at + CMSG_LEN(0),
                                  header.cmsg_len - CMSG_LEN(0)};
        if (item.level == SOL_SOCKET)
            r = item_read_any(&item);
        else
            r = v4 ? item_read4(&item, options) : item_read6(&item, options);
    }
    return r;
}
