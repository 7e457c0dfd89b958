/* exact [--own-loopback]: all cases, one line each. With --own-loopback in a network namespace of
 * its own, which needs root. */
#define _GNU_SOURCE
#include "test/exact/exact.h"

#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Two capabilities let a socket do more than an ordinary user's may. */
static void rights_drop(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return;
    unsigned dropped = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW | 1u << CAP_SYS_ADMIN;
    data[0].effective &= ~dropped;
    data[0].permitted &= ~dropped;
    data[0].inheritable = 0;
    data[1].inheritable = 0;
    syscall(SYS_capset, &header, data);
}

static bool own_loopback(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (unshare(CLONE_NEWNET) < 0)
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bool done = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return done;
}

/* A group that hangs or dies must not take the others with it. */
static int apart(void (*check)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(120);
        check();
        fflush(stdout);
        _exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    if (status)
        fprintf(stderr, "a group of cases ended with status %#x\n", status);
    return status != 0;
}

int main(int argc, char **argv) {
    static void (*const checks[])(void) = {
        options_get,   options_set,    arguments_check, states_check,  readiness_check,
        signals_check, blocking_check, datagrams_check, reports_check, processes_check};
    int failed = 0;
    if (argc > 1 && strcmp(argv[1], "--own-loopback") == 0 && !own_loopback()) {
        perror("exact: no network namespace");
        return 125;
    }
    rights_drop();
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        failed += apart(checks[i]);
    return failed;
}
