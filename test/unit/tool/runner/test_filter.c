/* The filter, octet for octet as the kernel gets it, run by an interpreter of our own: which calls
 * are answered by Berth. */
#include "tool/runner/calls.h"
#include "tool/runner/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

static struct sock_fprog filter;

static int setup(void **state) {
    (void)state;
    return filter_init(&filter);
}

static int teardown(void **state) {
    (void)state;
    filter_clear(&filter);
    return 0;
}

static bool jumps(const struct sock_filter *at, uint32_t value) {
    switch (BPF_OP(at->code)) {
    case BPF_JEQ:
        return value == at->k;
    case BPF_JGT:
        return value > at->k;
    case BPF_JGE:
        return value >= at->k;
    default:
        return (value & at->k) != 0;
    }
}

/* What the filter says; *steps: how many instructions that took. */
static uint32_t run(const struct seccomp_data *data, unsigned *steps) {
    uint32_t value = 0;
    *steps = 0;
    for (unsigned at = 0; at < filter.len; at++, ++*steps) {
        const struct sock_filter *now = &filter.filter[at];
        if (now->code == (BPF_LD | BPF_W | BPF_ABS))
            memcpy(&value, (const char *)data + now->k, sizeof(value));
        else if (now->code == (BPF_ALU | BPF_AND | BPF_K))
            value &= now->k;
        else if (now->code == (BPF_RET | BPF_K))
            return now->k;
        else if (now->code == (BPF_JMP | BPF_JA))
            at += now->k;
        else if (BPF_CLASS(now->code) == BPF_JMP)
            at += jumps(now, value) ? now->jt : now->jf;
        else
            fail_msg("instruction %#x", now->code);
    }
    fail_msg("no end");
    return 0;
}

struct call {
    int number;
    uint64_t args[6];
    uint32_t wanted;
};

#ifdef __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif
#define NOTIFIED SECCOMP_RET_USER_NOTIF
#define NATIVE SECCOMP_RET_ALLOW
#define REFUSED (SECCOMP_RET_ERRNO | ENOSYS)

static const struct call calls[] = {
    {SYS_socket, {AF_INET, SOCK_STREAM, 0}, NOTIFIED},
    {SYS_socket, {AF_INET6, SOCK_DGRAM, 0}, NOTIFIED},
    {SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, NOTIFIED},
    {SYS_socket, {AF_PACKET, SOCK_RAW, 0}, NOTIFIED},
    {SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, NATIVE},
    {SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}, NATIVE},
    /* The kernel takes an int: what stands above it must not hide the family. */
    {SYS_socket, {0xffffffff00000000U | AF_INET, SOCK_STREAM, 0}, NOTIFIED},
    {SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0}, NATIVE},
    {SYS_bind, {3}, NOTIFIED},
    {SYS_listen, {3}, NOTIFIED},
    {SYS_accept4, {3}, NOTIFIED},
    {SYS_connect, {3}, NOTIFIED},
    {SYS_getsockopt, {3}, NOTIFIED},
    {SYS_setsockopt, {3}, NOTIFIED},
    {SYS_sendmsg, {3}, NOTIFIED},
    {SYS_recvmmsg, {3}, NOTIFIED},
    {SYS_read, {0}, NATIVE},
    {SYS_read, {CALLS_UDP_FIRST - 1}, NATIVE},
    {SYS_read, {CALLS_UDP_FIRST}, NOTIFIED},
    {SYS_read, {CALLS_UDP_LAST}, NOTIFIED},
    {SYS_read, {CALLS_UDP_LAST + 1}, NATIVE},
    {SYS_read, {0x100000000U | CALLS_UDP_FIRST}, NOTIFIED},
    {SYS_read, {0xffffffffU}, NATIVE},
    {SYS_write, {1}, NATIVE},
    {SYS_write, {CALLS_UDP_LAST}, NOTIFIED},
    {SYS_readv, {700}, NOTIFIED},
    {SYS_writev, {700}, NOTIFIED},
    {SYS_writev, {7}, NATIVE},
    {SYS_sendto, {5, 1, 1, 0, 0, 0}, NATIVE},
    {SYS_sendto, {5, 1, 1, 0, 0x7f0000000000, 16}, NOTIFIED},
    {SYS_sendto, {5, 1, 1, 0, 0x1000, 16}, NOTIFIED},
    {SYS_sendto, {600, 1, 1, 0, 0, 0}, NOTIFIED},
    {SYS_recvfrom, {5, 1, 2, 0, 0, 0}, NATIVE},
    {SYS_recvfrom, {5, 1, 1, 0, 0, 0}, NOTIFIED}, /* as TLS libraries ask whether it is connected */
    {SYS_recvfrom, {5, 1, 1, 0, 0x7f0000000000, 0x1000}, NOTIFIED},
    {SYS_recvfrom, {600, 1, 1, 0, 0, 0}, NOTIFIED},
    {SYS_ioctl, {3, 0x8912}, NOTIFIED}, /* SIOCGIFCONF */
    {SYS_ioctl, {3, 0x8933}, NOTIFIED}, /* SIOCGIFINDEX */
    {SYS_ioctl, {3, 0x8946}, NOTIFIED}, /* SIOCETHTOOL */
    {SYS_ioctl, {3, 0x8905}, NATIVE},   /* SIOCATMARK */
    {SYS_ioctl, {3, 0x541b}, NATIVE},   /* FIONREAD */
    {SYS_ioctl, {3, 0x5401}, NATIVE},   /* TCGETS */
    {SYS_io_uring_setup, {1}, REFUSED},
    {SYS_prctl, {PR_SET_DUMPABLE, 0}, SECCOMP_RET_ERRNO},
    {SYS_prctl, {PR_SET_DUMPABLE, 1}, NATIVE},
    {SYS_prctl, {PR_SET_NAME, 0}, NATIVE},
    {SYS_close, {600}, NATIVE},
    {SYS_dup3, {600, 7}, NATIVE},
    {SYS_execve, {0}, NATIVE},
};

static void test_calls(void **state) {
    (void)state;
    unsigned steps;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct seccomp_data data = {.nr = calls[i].number, .arch = ARCHITECTURE};
        memcpy(data.args, calls[i].args, sizeof(data.args));
        uint32_t said = run(&data, &steps);
        if (said != calls[i].wanted)
            fail_msg("row %zu, call %d: %#x, not %#x", i, calls[i].number, said, calls[i].wanted);
    }
}

static void test_other_architectures(void **state) {
    (void)state;
    unsigned steps;
    struct seccomp_data data = {.nr = 102, .arch = AUDIT_ARCH_I386}; /* socketcall */
    assert_int_equal(run(&data, &steps), REFUSED);
#ifdef __x86_64__
    data = (struct seccomp_data){.nr = 0x40000000 + SYS_socket, .arch = ARCHITECTURE}; /* x32 */
    assert_int_equal(run(&data, &steps), REFUSED);
#endif
}

/* Each read and write of every program pays for it. */
static void test_native_calls_are_cheap(void **state) {
    (void)state;
    unsigned steps;
    run(&(struct seccomp_data){.nr = SYS_read, .arch = ARCHITECTURE}, &steps);
    assert_true(steps <= 20);
    run(&(struct seccomp_data){.nr = SYS_write, .arch = ARCHITECTURE}, &steps);
    assert_true(steps <= 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_other_architectures),
        cmocka_unit_test(test_native_calls_are_cheap),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
