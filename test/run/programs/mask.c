/* Runs a program without some of what its kernel can do, as on other machines.
 *
 *   mask reach PROGRAM...   memory and descriptors of other processes are out of reach (Yama's
 * ptrace_scope 1) mask old PROGRAM...     neither descriptors of threads (Linux 6.9) nor
 * SYNC_WAKE_UP for notifications (6.6) mask getfd PROGRAM...   no descriptors of other processes (a
 * container's profile) mask listener PROGRAM...  no user notification
 *   mask limits PROGRAM...  other processes' limits are out of reach (programs that have changed
 * their user, without CAP_SYS_RESOURCE) */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SET_FLAGS SECCOMP_IOW(4, __u64)

static int deny(scmp_filter_ctx filter, int call, int error) {
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(error), call, 0);
}

static int mask_reach(scmp_filter_ctx filter) {
    return deny(filter, SYS_process_vm_readv, EPERM) | deny(filter, SYS_process_vm_writev, EPERM) |
           deny(filter, SYS_ptrace, EPERM) | deny(filter, SYS_pidfd_getfd, EPERM);
}

static int mask_old(scmp_filter_ctx filter) {
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SYS_pidfd_open, 1,
                            SCMP_A1_32(SCMP_CMP_NE, 0)) |
           seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SYS_ioctl, 1,
                            SCMP_A1_32(SCMP_CMP_EQ, SET_FLAGS));
}

static int mask_listener(scmp_filter_ctx filter) {
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SYS_seccomp, 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                                    SECCOMP_FILTER_FLAG_NEW_LISTENER));
}

static int mask(scmp_filter_ctx filter, const char *word) {
    if (strcmp(word, "reach") == 0)
        return mask_reach(filter);
    if (strcmp(word, "old") == 0)
        return mask_old(filter);
    if (strcmp(word, "getfd") == 0)
        return deny(filter, SYS_pidfd_getfd, EPERM);
    if (strcmp(word, "limits") == 0)
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SYS_prlimit64, 1,
                                SCMP_A0_32(SCMP_CMP_NE, 0));
    if (strcmp(word, "listener") == 0)
        return mask_listener(filter);
    return -EINVAL;
}

int main(int argc, char **argv) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (argc < 3 || !filter)
        return 2;
    if (mask(filter, argv[1]) != 0 || seccomp_load(filter) < 0) {
        fprintf(stderr, "mask: cannot make the filter\n");
        return 125;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
