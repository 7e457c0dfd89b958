/* Socket options: which there are, and what answers them. */
#ifndef TOOL_DAEMON_OPTIONS_H
#define TOOL_DAEMON_OPTIONS_H

#include "tool/daemon/call.h"

enum option_kind {
    OPTION_ENGINE = 1, /* detail: enum berth_option; an int */
    OPTION_FLAG,       /* the same, 0 or 1 */
    OPTION_CONSTANT,   /* set: taken and ignored. get: detail */
    OPTION_NATIVE,     /* the kernel keeps it on the program's end */
    OPTION_BIT,        /* detail: enum conduit_option_bits */
    OPTION_ERROR,      /* both give the errno in detail */
    OPTION_SPECIAL,    /* detail: enum option_special */
};

enum option_special {
    SPECIAL_ERROR,
    SPECIAL_TYPE,
    SPECIAL_DOMAIN,
    SPECIAL_PROTOCOL,
    SPECIAL_ACCEPTCONN,
    SPECIAL_LINGER,
    SPECIAL_SNDBUF,
    SPECIAL_RCVBUF,
    SPECIAL_OOBINLINE,
    SPECIAL_PEERCRED,
    SPECIAL_IP_OPTIONS,
    SPECIAL_MTU,
    SPECIAL_TCP_INFO,
    SPECIAL_CONGESTION,
    SPECIAL_PACING,
};

struct option_row {
    int level, name;
    enum option_kind kind;
    int detail;
};

/* NULL: unknown. */
const struct option_row *option_find(int level, int name);

/* The specials, with the lock. value: OPTION_VALUE_MAX octets; *length: in: the program's, out:
 * what to write. 0 or a negative errno. */
enum { OPTION_VALUE_MAX = 512 };
long option_special_get(struct call *call, struct conduit *conduit, enum option_special special,
                        void *value, size_t *length);
long option_special_set(struct call *call, struct conduit *conduit, enum option_special special,
                        const void *value, size_t length);

#endif
