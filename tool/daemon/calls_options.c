/* setsockopt() and getsockopt(), by the table in options_table.c.
 *
 * Which argument is found wrong first is Linux's order: a negative length, then the level, then the
 * value (at the socket's and TCP's level four octets are needed even for an option that there is
 * not; at IP's none), then the option. */
#define _GNU_SOURCE
#include "tool/daemon/options.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* ---- which option ---- */

/* What is said of a level that the socket does not have; 0: it has it. */
static long level_check(const struct conduit *conduit, int level, bool set) {
    bool tcp = conduit->protocol == BERTH_TCP, v6 = conduit->family == 6;
    if (level == SOL_SOCKET || level == IPPROTO_IP || (level == IPPROTO_TCP && tcp) ||
        (level == IPPROTO_UDP && conduit->protocol == BERTH_UDP) || (level == IPPROTO_IPV6 && v6))
        return 0;
    return set || v6 ? -ENOPROTOOPT : -EOPNOTSUPP;
}

static const struct option_row *row_find(const struct conduit *conduit, int level, int name) {
    const struct option_row *row = option_find(level, name);
    unsigned only = conduit->protocol == BERTH_TCP ? OPTION_DATAGRAM : OPTION_STREAM;
    return row && !(row->flags & only) ? row : NULL;
}

/* ---- set ---- */

/* Whether the engine has no part in it. */
static bool only_remembered(const struct conduit *conduit, const struct option_row *row) {
    return row->kind != OPTION_ENGINE ||
           ((row->flags & OPTION_OF_TCP) && conduit_is_datagram(conduit));
}

/* An option that the engine does not have for this protocol (SO_BROADCAST on TCP) is remembered and
 * does nothing, as in Linux. */
static long engine_set(struct call *call, struct conduit *conduit, const struct option_row *row,
                       int value) {
    struct berth_host *host = conduit_host(call->server, conduit);
    bool nothing = row->level == IPPROTO_TCP && row->name == TCP_MAXSEG && value == 0;
    if (nothing)
        return 0;
    if (!host) /* the connection is over */
        return option_keep(conduit, row, value);
    long r = berth_socket_set_option(host, conduit->socket, (enum berth_option)row->detail, value,
                                     call->now);
    server_touch(call->server, conduit);
    if ((row->flags & OPTION_REMEMBER) || r == -ENOPROTOOPT)
        r = option_keep(conduit, row, value);
    return r;
}

/* The number that the octets mean. */
static int value_read(const struct option_row *row, const void *data, size_t length, int *value) {
    *value = 0;
    if (length >= sizeof *value)
        memcpy(value, data, sizeof *value);
    else if (row->level != IPPROTO_IP || (length == 0 && (row->flags & OPTION_OCTET)))
        return -EINVAL;
    else if (length > 0)
        *value = *(const uint8_t *)data; /* the IP level takes a single octet too */
    return 0;
}

static long number_set(struct call *call, struct conduit *conduit, const struct option_row *row,
                       const void *data, size_t length) {
    int value;
    int r = value_read(row, data, length, &value);
    if (r == 0 && row->kind == OPTION_PRIVILEGED && (value != 0 || (row->flags & OPTION_ALWAYS)) &&
        !option_capable(call))
        r = -row->detail;
    if (r == 0)
        r = option_adjust(conduit, row, &value);
    if (r < 0)
        return r;
    if (!only_remembered(conduit, row))
        return engine_set(call, conduit, row, value);
    if (row->kind != OPTION_BIT)
        return option_keep(conduit, row, value);
    conduit->option_bits =
        (uint8_t)(value ? conduit->option_bits | row->detail : conduit->option_bits & ~row->detail);
    return 0;
}

static long option_set(struct call *call, struct conduit *conduit, const struct option_row *row,
                       const void *data, size_t length) {
    switch (row->kind) {
    case OPTION_NATIVE:
        return CALL_CONTINUE;
    case OPTION_REFUSED:
    case OPTION_ERROR:
        return -row->detail;
    case OPTION_EMPTY:
        return -ENOPROTOOPT;
    case OPTION_SPECIAL:
        return option_special_set(call, conduit, (enum option_special)row->detail, data, length);
    default:
        return number_set(call, conduit, row, data, length);
    }
}

/* Values that are no numbers may be shorter, or empty. */
static bool short_allowed(int level, int name) {
    return level == IPPROTO_IP || level == IPPROTO_IPV6 ||
           (level == SOL_SOCKET && name == SO_BINDTODEVICE) ||
           (level == IPPROTO_TCP &&
            (name == TCP_CONGESTION || name == TCP_ULP || name == TCP_FASTOPEN_KEY));
}

static long set_checked(struct call *call, struct conduit *conduit, const void *data, size_t length,
                        int r) {
    int level = (int)call->arguments[1], name = (int)call->arguments[2];
    long strange = level_check(conduit, level, true);
    if (strange)
        return strange;
    if (length < sizeof(int) && !short_allowed(level, name))
        return -EINVAL;
    const struct option_row *row = row_find(conduit, level, name);
    if (!row)
        return -ENOPROTOOPT;
    return r < 0 ? r : option_set(call, conduit, row, data, length);
}

long call_setsockopt(struct call *call) {
    uint8_t data[OPTION_VALUE_MAX] = {0};
    size_t length = (uint32_t)call->arguments[4];
    int r = 0;
    if ((int)length >= 0)
        r = reach_read(call->run->reach, call->thread, call->arguments[3], data,
                       length < sizeof data ? length : sizeof data);
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    long result = -EINVAL;
    if ((int)length >= 0)
        result = set_checked(call, conduit, data, length < sizeof data ? length : sizeof data, r);
    call_unlock(call);
    return result;
}

/* ---- get ---- */

static long number_get(struct call *call, struct conduit *conduit, const struct option_row *row,
                       int *value) {
    struct berth_host *host = conduit_host(call->server, conduit);
    *value = 0;
    if (row->kind == OPTION_BIT) {
        *value = (conduit->option_bits & row->detail) != 0;
    } else if (!host || only_remembered(conduit, row) || (row->flags & OPTION_REMEMBER)) {
        *value = option_kept(conduit, row);
    } else {
        long r =
            berth_socket_get_option(host, conduit->socket, (enum berth_option)row->detail, value);
        if (r != -ENOPROTOOPT)
            return r;
        *value = option_kept(conduit, row);
    }
    return 0;
}

/* The IP level gives a small number in one octet to who has not room for four. */
static void number_put(const struct option_row *row, int value, void *data, size_t *length) {
    int64_t wide = value;
    bool small = row->level == IPPROTO_IP && *length > 0 && *length < sizeof value && value >= 0 &&
                 value <= UINT8_MAX;
    memcpy(data, &wide, sizeof wide);
    if (small)
        *length = 1;
    else
        *length = (row->flags & OPTION_WIDE) && *length >= sizeof wide ? sizeof wide : sizeof value;
}

static long option_get(struct call *call, struct conduit *conduit, const struct option_row *row,
                       void *data, size_t *length) {
    switch (row->kind) {
    case OPTION_NATIVE:
        return CALL_CONTINUE;
    case OPTION_ERROR:
        return -row->detail;
    case OPTION_SPECIAL:
        return option_special_get(call, conduit, (enum option_special)row->detail, data, length);
    case OPTION_EMPTY:
        *length = 0;
        return 0;
    default:
        break;
    }
    int value;
    long r = number_get(call, conduit, row, &value);
    if (row->kind == OPTION_REFUSED && row->initial < 0)
        return row->initial;
    number_put(row, value, data, length);
    return r;
}

long call_getsockopt(struct call *call) {
    uint8_t data[OPTION_VALUE_MAX];
    socklen_t room = 0;
    struct reach *reach = call->run->reach;
    int level = (int)call->arguments[1];
    int r = reach_read(reach, call->thread, call->arguments[4], &room, sizeof room);
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    size_t length = room;
    long result = level_check(conduit, level, false);
    const struct option_row *row =
        result ? NULL : row_find(conduit, level, (int)call->arguments[2]);
    if (r == 0 && (int)room < 0)
        r = -EINVAL;
    if (row)
        result = r < 0 ? r : option_get(call, conduit, row, data, &length);
    else if (result == 0)
        result = -ENOPROTOOPT;
    call_unlock(call);
    if (result < 0)
        return result;
    if (length < room)
        room = (socklen_t)length;
    struct reach_piece pieces[] = {{call->arguments[3], data, room},
                                   {call->arguments[4], &room, sizeof room}};
    return reach_write(reach, call->thread, pieces, 2);
}
