#define _GNU_SOURCE
#include "tool/cli/doctor.h"
#include "tool/control/place.h"
#include "tool/runner/yama.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER = 12345, PATIENCE_MS = 5000, FILES_WANTED = 4096 };

static void say(struct finding *finding, bool fine, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct finding *finding, bool fine, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    finding->fine = fine;
    vsnprintf(finding->text, sizeof finding->text, format, arguments);
    va_end(arguments);
}

void check_kernel(struct finding *finding) {
    struct utsname name;
    int major = 0, minor = 0;
    uname(&name);
    sscanf(name.release, "%d.%d", &major, &minor);
    bool fine = major > 6 || (major == 6 && minor >= 1);
    say(finding, fine, "Linux %s%s", name.release, fine ? "" : "; 6.1 or newer is needed");
}

/* ---- user notification: a child whose getppid() is answered by us ---- */

enum { NOT_TAKEN = -4096 }; /* there is a listener, but it could not be had: no errno */

/* The listener's number, or a negative errno. */
static int listener_install(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    long fd =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    return fd < 0 ? -errno : (int)fd;
}

_Noreturn static void notified_child(int channel) {
    int listener = listener_install();
    if (write(channel, &listener, sizeof listener) != (ssize_t)sizeof listener || listener < 0)
        _exit(1);
    /* Wait until the parent has taken the listener. */
    char octet;
    if (read(channel, &octet, 1) != 1)
        _exit(1);
    _exit(syscall(SYS_getppid) == ANSWER ? 0 : 2);
}

/* Answers one call. 0 or a negative errno. */
static int notification_answer(int listener) {
    /* The kernel may know more fields than these headers. */
    union {
        struct seccomp_notif notification;
        char room[512];
    } in;
    union {
        struct seccomp_notif_resp response;
        char room[512];
    } out;
    memset(&in, 0, sizeof in);
    memset(&out, 0, sizeof out);
    struct pollfd ready = {listener, POLLIN, 0};
    if (poll(&ready, 1, PATIENCE_MS) != 1)
        return -ETIMEDOUT;
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0)
        return -errno;
    out.response.id = in.notification.id;
    out.response.val = ANSWER;
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &out) < 0 ? -errno : 0;
}

static int listener_take(pid_t child, int channel) {
    int theirs;
    if (read(channel, &theirs, sizeof theirs) != (ssize_t)sizeof theirs)
        return -EPIPE;
    if (theirs < 0)
        return theirs;
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    int listener = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
    if (pidfd >= 0)
        close(pidfd);
    return listener < 0 ? NOT_TAKEN : listener;
}

void check_notification(struct finding *finding) {
    int channel[2], status = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) {
        say(finding, false, "%s", strerror(errno));
        return;
    }
    pid_t child = fork();
    if (child == 0)
        notified_child(channel[1]);
    close(channel[1]);
    int listener = child > 0 ? listener_take(child, channel[0]) : -errno;
    int result =
        listener < 0 || write(channel[0], "+", 1) != 1 ? listener : notification_answer(listener);
    if (result < 0 && child > 0)
        kill(child, SIGKILL);
    if (child > 0)
        waitpid(child, &status, 0);
    if (listener >= 0)
        close(listener);
    close(channel[0]);
    if (result == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        say(finding, true, "a call was answered");
    else if (result == -EBUSY)
        say(finding, false,
            "this shell runs under another user-notification filter (inside berth run, or a "
            "container that uses one): start berth outside of it");
    else if (result == NOT_TAKEN)
        say(finding, false, "it is there, but cannot be taken over from a child: see pidfd_getfd");
    else
        say(finding, false,
            "%s; Linux 6.1 or newer with CONFIG_SECCOMP_FILTER is needed, and a container's "
            "profile "
            "must allow seccomp(2)",
            strerror(result < 0 ? -result : EPROTO));
}

/* ---- reaching into a child ---- */

static pid_t quiet_child(int *hold) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        char octet;
        close(ends[1]);
        _exit(read(ends[0], &octet, 1) < 0);
    }
    close(ends[0]);
    *hold = ends[1];
    return child;
}

static void quiet_child_end(pid_t child, int hold) {
    close(hold);
    if (child > 0)
        waitpid(child, NULL, 0);
}

void check_getfd(struct finding *finding) {
    int hold = -1;
    pid_t child = quiet_child(&hold);
    int pidfd = child > 0 ? (int)syscall(SYS_pidfd_open, child, 0) : -1;
    int got = pidfd >= 0 ? (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0) : -1;
    /* A closed standard input is nobody's fault. */
    bool fine = got >= 0 || errno == EBADF;
    int scope = fine ? YAMA_ALL : yama_scope();
    if (scope >= YAMA_PRIVILEGED)
        say(finding, false, "refused: Yama's ptrace_scope is %d; %s", scope, yama_remedy(scope));
    else
        say(finding, fine, "%s",
            fine ? "a child's descriptor was taken"
                 : "refused; a container's profile must allow "
                   "pidfd_getfd(2) (docker: --cap-add SYS_PTRACE)");
    if (got >= 0)
        close(got);
    if (pidfd >= 0)
        close(pidfd);
    quiet_child_end(child, hold);
}

void check_memory(struct finding *finding) {
    static const char there[] = "berth";
    char here[sizeof there] = "";
    int hold = -1;
    pid_t child = quiet_child(&hold);
    struct iovec local = {here, sizeof here};
    struct iovec remote = {(void *)(uintptr_t)there, sizeof there};
    ssize_t got = child > 0 ? process_vm_readv(child, &local, 1, &remote, 1, 0) : -1;
    bool fine = got == (ssize_t)sizeof there && strcmp(here, there) == 0;
    int scope = yama_scope();
    if (fine && !yama_ancestors_only(scope))
        say(finding, true, "a child's memory was read");
    else if (fine)
        say(finding, true,
            "a child's memory was read; Yama's ptrace_scope is %d, so programs' calls take a "
            "little longer (sysctl kernel.yama.ptrace_scope=0 makes them faster)",
            scope);
    else if (scope >= YAMA_PRIVILEGED)
        say(finding, false, "refused: Yama's ptrace_scope is %d; %s", scope, yama_remedy(scope));
    else
        say(finding, false,
            "refused; a container's profile must allow process_vm_readv(2) "
            "(docker: --cap-add SYS_PTRACE)");
    quiet_child_end(child, hold);
}

/* ---- the rest ---- */

void check_files(struct finding *finding) {
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    bool fine = limit.rlim_max >= FILES_WANTED;
    finding->needed = false;
    say(finding, fine,
        "up to %llu in a process; each open socket of a program takes one in the daemon%s",
        (unsigned long long)limit.rlim_max, fine ? "" : ": raise the hard limit (ulimit -Hn)");
}

void check_directory(struct finding *finding) {
    struct place place;
    char error[512] = "";
    int result = place_locate(&place, "default", error, sizeof error);
    if (result == 0)
        result = place_lock(&place, true, true, error, sizeof error);
    if (result == 0) {
        /* Leaves nothing: the directory goes if it is empty. */
        rmdir(place.path);
        place_unlock(&place);
    }
    say(finding, result == 0, "%.200s", result == 0 ? place.path : error);
}

void check_oob(struct finding *finding) {
    int pair[2];
    finding->needed = false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        say(finding, false, "%s", strerror(errno));
        return;
    }
    bool fine = send(pair[0], "!", 1, MSG_OOB | MSG_NOSIGNAL) == 1;
    say(finding, fine, "%s",
        fine ? "MSG_OOB works on local sockets"
             : "the kernel lacks CONFIG_AF_UNIX_OOB: telnet and ftp cannot interrupt");
    close(pair[0]);
    close(pair[1]);
}

void check_tun(struct finding *finding) {
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    finding->needed = false;
    if (fd >= 0)
        say(finding, true, "/dev/net/tun opens (making a device still needs root)");
    else
        say(finding, false,
            "/dev/net/tun: %s; only berth tap needs it (modprobe tun; in a container: --device "
            "/dev/net/tun)",
            strerror(errno));
    if (fd >= 0)
        close(fd);
}
