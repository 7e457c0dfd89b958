#include "tool/runner/calls.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* libseccomp compares 64 bits, but the kernel takes an int from the low half and ignores the rest:
 * mask. */
#define LOW_HALF 0xffffffffU
#define UDP_RANGE_MASK (LOW_HALF & ~(unsigned)(CALLS_UDP_LAST - CALLS_UDP_FIRST))
_Static_assert((CALLS_UDP_LAST & UDP_RANGE_MASK) == CALLS_UDP_FIRST,
               "one mask must find the range");

/* Two rules of one call may not overlap in libseccomp's eyes; "has an address" and "is in the
 * range" do, which is fine, as both say the same. */
#define ALWAYS(call)                                                                               \
    { .number = SYS_##call, .action = SCMP_ACT_NOTIFY }
#define WHEN(call, ...)                                                                            \
    {                                                                                              \
        .number = SYS_##call, .action = SCMP_ACT_NOTIFY, .conditions = 1, .when = { __VA_ARGS__ }  \
    }
#define IF_UDP(call) WHEN(call, {0, SCMP_CMP_MASKED_EQ, UDP_RANGE_MASK, CALLS_UDP_FIRST})
#define IF_FAMILY(family) WHEN(socket, {0, SCMP_CMP_MASKED_EQ, LOW_HALF, family})
#define IF_ADDRESS(call) WHEN(call, {4, SCMP_CMP_NE, 0, 0})
#define IF_REQUEST(first) WHEN(ioctl, {1, SCMP_CMP_MASKED_EQ, LOW_HALF & ~0xfU, first})

static const struct call_rule rules[] = {
    IF_UDP(read),
    IF_UDP(write),
    IF_UDP(readv),
    IF_UDP(writev),
    IF_UDP(recvfrom),
    IF_UDP(sendto),
    /* With an address: also on a stream, where AF_UNIX would refuse what TCP ignores. */
    IF_ADDRESS(recvfrom),
    IF_ADDRESS(sendto),
    /* Whether it says ENOTCONN is how programs learn that a stream is not connected, TLS libraries
     * among them; all else that is received from a stream passes. */
    WHEN(recvfrom, {2, SCMP_CMP_EQ, 1, 0}),
    WHEN(recvfrom, {2, SCMP_CMP_EQ, 0, 0}),
    WHEN(sendto, {2, SCMP_CMP_EQ, 0, 0}),
    WHEN(sendto, {3, SCMP_CMP_MASKED_EQ, MSG_OOB, MSG_OOB}),
    /* AF_UNIX has no queue of errors, and would give octets. */
    WHEN(recvfrom, {3, SCMP_CMP_MASKED_EQ, MSG_ERRQUEUE, MSG_ERRQUEUE}),
    ALWAYS(recvmsg),
    ALWAYS(sendmsg),
    ALWAYS(recvmmsg),
    ALWAYS(sendmmsg),
    ALWAYS(accept),
    ALWAYS(accept4),
    ALWAYS(connect),
    ALWAYS(setsockopt),
    ALWAYS(getsockopt),
    ALWAYS(getsockname),
    ALWAYS(getpeername),
    ALWAYS(bind),
    ALWAYS(listen),
    ALWAYS(shutdown),
    IF_FAMILY(AF_INET),
    IF_FAMILY(AF_INET6),
    IF_FAMILY(AF_NETLINK),
    IF_FAMILY(AF_PACKET),
    /* SIOCGIFNAME ... SIOCSIFTXQLEN, SIOCETHTOOL, SIOCGIFMAP: they would ask the real machine about
       its interfaces. */
    IF_REQUEST(0x8910),
    IF_REQUEST(0x8920),
    IF_REQUEST(0x8930),
    IF_REQUEST(0x8940),
    IF_REQUEST(0x8970),
    ALWAYS(uname), /* the computer's name */
    /* A ring would do socket calls past the filter; libraries fall back. */
    {.number = SYS_io_uring_setup, .action = SCMP_ACT_ERRNO(ENOSYS)},
    /* prctl(PR_SET_DUMPABLE, 0) would hide the program's memory, where the addresses of its calls
     * are, from an ordinary user's daemon. Said to be done, and not done: Berth is no security
     * boundary. */
    {.number = SYS_prctl,
     .action = SCMP_ACT_ERRNO(0),
     .conditions = 2,
     .when = {{0, SCMP_CMP_MASKED_EQ, LOW_HALF, PR_SET_DUMPABLE}, {1, SCMP_CMP_EQ, 0, 0}}},
};

const struct call_rule *calls_rules(size_t *count) {
    *count = sizeof(rules) / sizeof(rules[0]);
    return rules;
}
