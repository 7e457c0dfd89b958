#define _GNU_SOURCE
#include "tool/runner/pidfd.h"
#include "tool/runner/newer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static int pidfd_open_flags(pid_t id, unsigned flags) {
    long fd = syscall(SYS_pidfd_open, id, flags);
    return fd < 0 ? -errno : (int)fd;
}

int pidfd_of(pid_t process) {
    return pidfd_open_flags(process, 0);
}

static pid_t leader_of(pid_t thread) {
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    int leader = 0;
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "Tgid: %d", &leader) == 1)
            break;
    fclose(file);
    return leader;
}

int pidfd_of_thread(pid_t thread) {
    int fd = pidfd_of(thread);
    if (fd >= 0 || fd == -ESRCH)
        return fd;
    /* Not a leader: EINVAL, or ENOENT since 6.9. */
    fd = pidfd_open_flags(thread, PIDFD_THREAD);
    if (fd >= 0 || fd == -ESRCH)
        return fd;
    pid_t leader = leader_of(thread);
    return leader > 0 ? pidfd_of(leader) : -ESRCH;
}

int pidfd_take(int process, int number) {
    long fd = syscall(SYS_pidfd_getfd, process, number, 0);
    return fd < 0 ? -errno : (int)fd;
}

int pidfd_kill(int process, int signal) {
    return syscall(SYS_pidfd_send_signal, process, signal, NULL, 0) < 0 ? -errno : 0;
}
