/* setsockopt() and getsockopt(), by the table in options_table.c. */
#define _GNU_SOURCE
#include "tool/daemon/options.h"

#include <errno.h>
#include <netinet/in.h>

/* A level that the socket does not have. */
static bool level_strange(const struct conduit *conduit, int level) {
    return (level == IPPROTO_TCP && conduit->protocol != BERTH_TCP) ||
           (level == IPPROTO_IPV6 && conduit->family != 6);
}

static const struct option_row *row_find(const struct conduit *conduit, int level, int name) {
    const struct option_row *row = option_find(level, name);
    return row && !level_strange(conduit, level) ? row : NULL;
}

/* An option that the engine does not have for this protocol (SO_BROADCAST on TCP) is taken and does
 * nothing, as in Linux. */
static long engine_set(struct call *call, struct conduit *conduit, const struct option_row *row,
                       int value) {
    struct berth_host *host = conduit_host(call->server, conduit);
    if (!host)
        return 0;
    if (row->kind == OPTION_FLAG)
        value = value != 0;
    long r = berth_socket_set_option(host, conduit->socket, (enum berth_option)row->detail, value,
                                     call->now);
    server_touch(call->server, conduit);
    return r == -ENOPROTOOPT ? 0 : r;
}

static long option_set(struct call *call, struct conduit *conduit, const struct option_row *row,
                       const void *data, size_t length) {
    int value = 0;
    switch (row->kind) {
    case OPTION_NATIVE:
        return CALL_CONTINUE;
    case OPTION_CONSTANT:
        return 0;
    case OPTION_ERROR:
        return -row->detail;
    case OPTION_SPECIAL:
        return option_special_set(call, conduit, (enum option_special)row->detail, data, length);
    default:
        break;
    }
    /* The IP level takes a single octet too. */
    if (length >= sizeof value)
        memcpy(&value, data, sizeof value);
    else if (length > 0 && row->level == IPPROTO_IP)
        value = *(const uint8_t *)data;
    else
        return -EINVAL;
    if (row->kind != OPTION_BIT)
        return engine_set(call, conduit, row, value);
    conduit->option_bits =
        (uint8_t)(value ? conduit->option_bits | row->detail : conduit->option_bits & ~row->detail);
    return 0;
}

long call_setsockopt(struct call *call) {
    uint8_t data[OPTION_VALUE_MAX] = {0};
    size_t length = (uint32_t)call->arguments[4];
    int r = 0;
    if ((int)length < 0)
        r = -EINVAL;
    else
        r = reach_read(call->run->reach, call->thread, call->arguments[3], data,
                       length < sizeof data ? length : sizeof data);
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    const struct option_row *row =
        row_find(conduit, (int)call->arguments[1], (int)call->arguments[2]);
    long result = -ENOPROTOOPT;
    if (row)
        result = r < 0 ? r
                       : option_set(call, conduit, row, data,
                                    length < sizeof data ? length : sizeof data);
    call_unlock(call);
    return result;
}

/* ---- get ---- */

static long number_get(struct call *call, struct conduit *conduit, const struct option_row *row,
                       int *value) {
    struct berth_host *host = conduit_host(call->server, conduit);
    switch (row->kind) {
    case OPTION_CONSTANT:
        *value = row->detail;
        return 0;
    case OPTION_BIT:
        *value = (conduit->option_bits & row->detail) != 0;
        return 0;
    default:
        *value = 0;
        if (!host)
            return 0;
        long r =
            berth_socket_get_option(host, conduit->socket, (enum berth_option)row->detail, value);
        return r == -ENOPROTOOPT ? 0 : r;
    }
}

static long option_get(struct call *call, struct conduit *conduit, const struct option_row *row,
                       void *data, size_t *length) {
    if (row->kind == OPTION_NATIVE)
        return CALL_CONTINUE;
    if (row->kind == OPTION_ERROR)
        return -row->detail;
    if (row->kind == OPTION_SPECIAL)
        return option_special_get(call, conduit, (enum option_special)row->detail, data, length);
    int value;
    long r = number_get(call, conduit, row, &value);
    memcpy(data, &value, sizeof value);
    *length = sizeof value;
    return r;
}

long call_getsockopt(struct call *call) {
    uint8_t data[OPTION_VALUE_MAX];
    socklen_t room = 0;
    struct reach *reach = call->run->reach;
    int r = reach_read(reach, call->thread, call->arguments[4], &room, sizeof room);
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    const struct option_row *row =
        row_find(conduit, (int)call->arguments[1], (int)call->arguments[2]);
    size_t length = room;
    /* Of a level that the protocol does not have at all, Linux says so in another way than of an
     * unknown option. */
    bool udp_asked_tcp = conduit->protocol == BERTH_UDP && (int)call->arguments[1] == IPPROTO_TCP;
    long result = udp_asked_tcp ? -EOPNOTSUPP : -ENOPROTOOPT;
    if (r == 0 && (int)room < 0)
        r = -EINVAL;
    if (row)
        result = r < 0 ? r : option_get(call, conduit, row, data, &length);
    call_unlock(call);
    if (result < 0)
        return result;
    if (length < room)
        room = (socklen_t)length;
    struct reach_piece pieces[] = {{call->arguments[3], data, room},
                                   {call->arguments[4], &room, sizeof room}};
    return reach_write(reach, call->thread, pieces, 2);
}
