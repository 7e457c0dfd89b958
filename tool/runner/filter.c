/* Built by libseccomp from the table in calls.c, and installed by seccomp(2): libseccomp 2.5 can do
 * that only with flags of its own choice. Of the flags only NEW_LISTENER is used.
 * WAIT_KILLABLE_RECV, which would keep signals away from a call that is being answered, is not: a
 * program that waits in accept() or connect() must be interruptible as it is natively.
 *
 * read and write of every program pass the filter. The kernel keeps a bitmap of calls that are
 * allowed whatever their arguments are; the calls of the table are not among those, so for them the
 * order of the comparisons counts: libseccomp's binary tree finds any of them in about five. */
#define _GNU_SOURCE
#include "tool/runner/filter.h"
#include "tool/runner/calls.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int rules_add(scmp_filter_ctx context) {
    size_t count;
    const struct call_rule *rules = calls_rules(&count);
    for (size_t i = 0; i < count; i++) {
        int r = seccomp_rule_add_array(context, rules[i].action, rules[i].number,
                                       rules[i].conditions, rules[i].when);
        if (r < 0)
            return r;
    }
    return 0;
}

static int context_prepare(scmp_filter_ctx context) {
    /* i386 and x32 name calls by other numbers, and i386 packs the socket calls into one: refused
     * as if the kernel did not know them. */
    int r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    if (r < 0)
        return r;
    r = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r < 0)
        return r;
    return rules_add(context);
}

/* libseccomp 2.5 writes a finished filter to a descriptor only. To a socket: the size of files may
 * be limited (ulimit -f). */
static int filter_export(struct sock_fprog *filter, scmp_filter_ctx context) {
    enum { SIZE_MOST = BPF_MAXINSNS * sizeof(struct sock_filter) };
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    int r = seccomp_export_bpf(context, ends[0]);
    close(ends[0]);
    filter->filter = malloc(SIZE_MOST);
    ssize_t size =
        r < 0 || !filter->filter ? 0 : recv(ends[1], filter->filter, SIZE_MOST, MSG_WAITALL);
    close(ends[1]);
    filter->len = (unsigned short)((size_t)(size > 0 ? size : 0) / sizeof(struct sock_filter));
    if (filter->len > 0)
        return 0;
    r = r < 0 ? r : !filter->filter ? -ENOMEM : -EIO;
    filter_clear(filter);
    return r;
}

int filter_init(struct sock_fprog *filter) {
    filter->filter = NULL;
    filter->len = 0;
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    if (!context)
        return -ENOMEM;
    int r = context_prepare(context);
    if (r == 0)
        r = filter_export(filter, context);
    seccomp_release(context);
    return r;
}

void filter_clear(struct sock_fprog *filter) {
    free(filter->filter);
    filter->filter = NULL;
    filter->len = 0;
}

int filter_install(const struct sock_fprog *filter) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    long listener =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, filter);
    return listener < 0 ? -errno : (int)listener;
}

int filter_try(void) {
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
        int r = filter_install(&(struct sock_fprog){.len = 1, .filter = &allow});
        _exit(r < 0 ? -r : 0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : 0;
}

void filter_explain(int error, char *text, size_t size) {
    const char *host = getenv("BERTH_HOST");
    const char *net = getenv("BERTH_NET");
    if (error == -EBUSY && host)
        snprintf(
            text, size,
            "already on a virtual computer (%s of network %s): berth run inside berth run is not "
            "possible; start the program directly, or from a shell of the real machine",
            host, net ? net : "default");
    else if (error == -EBUSY)
        snprintf(
            text, size,
            "another program (a container runtime?) already answers system calls here, and Linux "
            "allows only one to do so");
    else if (error == -EINVAL || error == -ENOSYS)
        snprintf(text, size,
                 "this kernel has no seccomp user notification (Linux 5.14 or newer with "
                 "CONFIG_SECCOMP_FILTER "
                 "is needed); `berth doctor` says more");
    else
        snprintf(text, size, "cannot filter system calls: %s", strerror(-error));
}
