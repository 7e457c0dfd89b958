/* Socket options: which there are, and what answers them. */
#ifndef TOOL_DAEMON_OPTIONS_H
#define TOOL_DAEMON_OPTIONS_H

#include "tool/daemon/call.h"

enum option_kind {
    OPTION_ENGINE = 1, /* detail: enum berth_option; an int */
    OPTION_KEPT,       /* an int within low..high that is remembered and does nothing more */
    OPTION_PRIVILEGED, /* the same for who has CAP_NET_ADMIN; for others detail is the errno */
    OPTION_REFUSED,    /* set: the errno in detail. get: the value that it has at first */
    OPTION_ERROR,      /* both give the errno in detail */
    OPTION_EMPTY,      /* get: no octets. set: unknown */
    OPTION_NATIVE,     /* the kernel keeps it on the program's end */
    OPTION_BIT,        /* detail: enum conduit_option_bits */
    OPTION_SPECIAL,    /* detail: enum option_special */
};

enum option_flags {
    OPTION_BOOL = 1u << 0,     /* any value but 0 is 1 */
    OPTION_WIDE = 1u << 1,     /* get writes eight octets, if there is room for them */
    OPTION_OCTET = 1u << 2,    /* IP level: at least one octet must be given */
    OPTION_STREAM = 1u << 3,   /* TCP has it only */
    OPTION_DATAGRAM = 1u << 4, /* UDP has it only */
    OPTION_REMEMBER = 1u << 5, /* engine: get says what was set, not what the engine made of it */
    OPTION_OF_TCP = 1u << 7,   /* engine: a datagram socket only remembers it */
    OPTION_ALWAYS = 1u << 6,   /* privileged: 0 too */
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
    SPECIAL_SNDBUFFORCE,
    SPECIAL_RCVBUFFORCE,
    SPECIAL_OOBINLINE,
    SPECIAL_PEERCRED,
    SPECIAL_IP_OPTIONS,
    SPECIAL_DEVICE,
    SPECIAL_MTU,
    SPECIAL_TCP_INFO,
    SPECIAL_CONGESTION,
    SPECIAL_PACING,
};

struct option_row {
    int level, name;
    enum option_kind kind;
    int detail;
    int low, high, initial; /* kept, privileged */
    unsigned flags;         /* enum option_flags */
};

/* NULL: unknown. */
const struct option_row *option_find(int level, int name);

/* Linux's reading of a number: rounds it, bounds it, or says that it is none. 0 or -EINVAL. */
int option_adjust(const struct conduit *conduit, const struct option_row *row, int *value);
/* Remembers the value of an option; -ENOMEM. */
int option_keep(struct conduit *conduit, const struct option_row *row, int value);
/* What was remembered, or what it is at first. */
int option_kept(const struct conduit *conduit, const struct option_row *row);
/* ... of one that is 0 at first. */
int option_kept_at(const struct conduit *conduit, int level, int name);
/* IP_OPTIONS. 0 or -EINVAL. */
long ip_options_set(struct conduit *conduit, const uint8_t *octets, size_t length);
long ip_options_get(const struct conduit *conduit, uint8_t *octets, size_t *length);
/* Whether the calling thread may do what needs CAP_NET_ADMIN. */
bool option_capable(const struct call *call);

/* The specials, with the lock. value: OPTION_VALUE_MAX octets; *length: in: the program's, out:
 * what to write. 0 or a negative errno. */
enum { OPTION_VALUE_MAX = 512 };
long option_special_get(struct call *call, struct conduit *conduit, enum option_special special,
                        void *value, size_t *length);
long option_special_set(struct call *call, struct conduit *conduit, enum option_special special,
                        const void *value, size_t length);

#endif
