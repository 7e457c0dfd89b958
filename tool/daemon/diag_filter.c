/* The filters of `ss` ("dport = :80"), as it compiles them for the kernel: a row of conditions,
 * each with the way on if it holds and if it does not, in octets, always forward. A filter that
 * comes out exactly at its end passes the socket; one that leaps beyond it does not. */
#include "tool/daemon/diag.h"

#include <string.h>
#include <sys/socket.h>

enum {
    OP = sizeof(struct inet_diag_bc_op),
    HOST = sizeof(struct inet_diag_hostcond),
    FILTER_MOST = 65536 /* as long as an attribute */
};

static struct inet_diag_bc_op op_at(const uint8_t *filter) {
    struct inet_diag_bc_op op;
    memcpy(&op, filter, sizeof op);
    return op;
}

static size_t family_octets(uint8_t family) {
    return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

/* ---- validity ---- */

/* How long an operation is with what belongs to it; 0: there is none such. */
static size_t op_length(const uint8_t *filter, size_t left) {
    struct inet_diag_hostcond host;
    switch (op_at(filter).code) {
    case INET_DIAG_BC_NOP:
    case INET_DIAG_BC_JMP:
    case INET_DIAG_BC_AUTO:
        return OP;
    case INET_DIAG_BC_S_GE:
    case INET_DIAG_BC_S_LE:
    case INET_DIAG_BC_S_EQ:
    case INET_DIAG_BC_D_GE:
    case INET_DIAG_BC_D_LE:
    case INET_DIAG_BC_D_EQ:
        return (size_t)2 * OP;
    case INET_DIAG_BC_DEV_COND:
        return OP + sizeof(uint32_t);
    case INET_DIAG_BC_CGROUP_COND:
        return OP + sizeof(uint64_t);
    case INET_DIAG_BC_S_COND:
    case INET_DIAG_BC_D_COND:
        if (left < OP + HOST)
            return 0;
        memcpy(&host, filter + OP, HOST);
        if (host.prefix_len > 8 * family_octets(host.family))
            return 0;
        return OP + HOST + family_octets(host.family);
    default: /* marks are for who may administer the network */
        return 0;
    }
}

/* Operations begin at multiples of 4: those that are come to, walking from one to the next. */
struct beginnings {
    uint8_t bits[FILTER_MOST / 4 / 8];
};

static bool filter_walk(const uint8_t *filter, size_t length, struct beginnings *begin) {
    for (size_t at = 0; at < length;) {
        size_t left = length - at;
        if (left < OP)
            return false;
        struct inet_diag_bc_op op = op_at(filter + at);
        size_t own = op_length(filter + at, left);
        if (own == 0 || own > left || op.yes < own || op.yes > left || op.yes % 4 != 0)
            return false;
        begin->bits[at / 32] |= (uint8_t)(1u << at / 4 % 8);
        at += op.yes;
    }
    return length > 0;
}

/* An operation's other way leads to another one, to the end, or 4 octets beyond it, which is how a
 * filter refuses. */
static bool leap_lands(const struct beginnings *begin, size_t length, size_t at, size_t own,
                       size_t leap) {
    size_t to = at + leap;
    if (leap < own || leap % 4 != 0 || to > length + OP)
        return false;
    return to >= length || (begin->bits[to / 32] >> to / 4 % 8 & 1);
}

bool diag_filter_valid(const uint8_t *filter, size_t length) {
    struct beginnings begin = {{0}};
    if (length > FILTER_MOST || !filter_walk(filter, length, &begin))
        return false;
    for (size_t at = 0; at < length; at += op_at(filter + at).yes) {
        struct inet_diag_bc_op op = op_at(filter + at);
        if (op.code != INET_DIAG_BC_NOP &&
            !leap_lands(&begin, length, at, op_length(filter + at, length - at), op.no))
            return false;
    }
    return true;
}

/* ---- running ---- */

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits) {
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool host_holds(const uint8_t *condition, const struct diag_socket *socket,
                       const struct berth_endpoint *end) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct inet_diag_hostcond host;
    uint8_t address[16];
    memcpy(&host, condition, HOST);
    const uint8_t *wanted = condition + HOST;
    diag_address(socket, &end->ip, address);
    if (host.port != -1 && host.port != end->port)
        return false;
    if (host.family != AF_UNSPEC && host.family != socket->family)
        return socket->family == AF_INET6 && host.family == AF_INET &&
               memcmp(address, mapped, sizeof mapped) == 0 &&
               prefix_equal(address + sizeof mapped, wanted, host.prefix_len);
    return prefix_equal(address, wanted, host.prefix_len);
}

static bool op_holds(const uint8_t *filter, const struct diag_socket *socket) {
    uint16_t source = socket->local.port, destination = socket->remote.port;
    uint8_t code = op_at(filter).code;
    uint32_t device;
    switch (code) {
    case INET_DIAG_BC_JMP:
    case INET_DIAG_BC_CGROUP_COND: /* a computer has no groups of processes */
        return false;
    case INET_DIAG_BC_S_GE:
        return source >= op_at(filter + OP).no;
    case INET_DIAG_BC_S_LE:
        return source <= op_at(filter + OP).no;
    case INET_DIAG_BC_S_EQ:
        return source == op_at(filter + OP).no;
    case INET_DIAG_BC_D_GE:
        return destination >= op_at(filter + OP).no;
    case INET_DIAG_BC_D_LE:
        return destination <= op_at(filter + OP).no;
    case INET_DIAG_BC_D_EQ:
        return destination == op_at(filter + OP).no;
    case INET_DIAG_BC_S_COND:
        return host_holds(filter + OP, socket, &socket->local);
    case INET_DIAG_BC_D_COND:
        return host_holds(filter + OP, socket, &socket->remote);
    case INET_DIAG_BC_DEV_COND: /* no socket is bound to a device */
        memcpy(&device, filter + OP, sizeof device);
        return device == 0;
    default: /* AUTO: whether a port was chosen is not known here, and ss looks itself */
        return true;
    }
}

bool diag_filter_passes(const uint8_t *filter, size_t length, const struct diag_socket *socket) {
    size_t at = 0;
    while (at < length) {
        struct inet_diag_bc_op op = op_at(filter + at);
        at += op_holds(filter + at, socket) ? op.yes : op.no;
    }
    return at == length;
}
