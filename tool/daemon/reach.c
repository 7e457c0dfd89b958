/* pidfds are kept per thread: opening one for every call costs more than the call. With
 * PIDFD_THREAD (Linux 6.9) a pidfd means one thread and dies with it, so a recycled thread id is
 * noticed (ESRCH) and asked again. Older kernels have pidfds of whole processes only: then only
 * main threads' are kept, for which the same holds; for another thread the process is looked up in
 * /proc each time. */
#define _GNU_SOURCE
#include "tool/daemon/reach.h"
#include "tool/runner/newer.h"
#include "tool/runner/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CACHE_SLOTS = 256 };

struct reach {
    pthread_mutex_t lock;
    int guard;
    bool direct;
    bool no_thread_pidfds; /* the kernel does not know PIDFD_THREAD */
    struct {
        pid_t thread;
        int pidfd;
    } cache[CACHE_SLOTS];
};

static int syscall_pidfd_open(pid_t process, unsigned flags) {
    long fd = syscall(SYS_pidfd_open, process, flags);
    return fd < 0 ? -errno : (int)fd;
}

static int syscall_pidfd_getfd(int pidfd, int fd) {
    long taken = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    return taken < 0 ? -errno : (int)taken;
}

/* ---- the direct way ---- */

static pid_t thread_process(pid_t thread) {
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *line = strstr(text, "\nTgid:");
    return line ? (pid_t)atoi(line + 6) : 0;
}

/* A pidfd for the thread; *kept says whether it may stay in the cache. */
static int pidfd_find(struct reach *reach, pid_t thread, bool *kept) {
    *kept = true;
    if (!reach->no_thread_pidfds) {
        int fd = syscall_pidfd_open(thread, PIDFD_THREAD);
        if (fd != -EINVAL)
            return fd;
        reach->no_thread_pidfds = true;
    }
    pid_t process = thread_process(thread);
    if (process == 0)
        return -ESRCH;
    *kept = process == thread;
    return syscall_pidfd_open(process, 0);
}

static int direct_descriptor_fresh(struct reach *reach, pid_t thread, int fd) {
    bool kept;
    int pidfd = pidfd_find(reach, thread, &kept);
    if (pidfd < 0)
        return pidfd;
    int taken = syscall_pidfd_getfd(pidfd, fd);
    unsigned slot = (unsigned)thread % CACHE_SLOTS;
    if (!kept) {
        close(pidfd);
        return taken;
    }
    if (reach->cache[slot].thread)
        close(reach->cache[slot].pidfd);
    reach->cache[slot].thread = thread;
    reach->cache[slot].pidfd = pidfd;
    return taken;
}

static int direct_descriptor(struct reach *reach, pid_t thread, int fd) {
    unsigned slot = (unsigned)thread % CACHE_SLOTS;
    if (reach->cache[slot].thread == thread) {
        int taken = syscall_pidfd_getfd(reach->cache[slot].pidfd, fd);
        if (taken != -ESRCH)
            return taken;
    }
    return direct_descriptor_fresh(reach, thread, fd);
}

static int vm_result(ssize_t moved, size_t wanted) {
    if (moved == (ssize_t)wanted)
        return 0;
    return moved < 0 ? -errno : -EFAULT;
}

static int direct_read(pid_t thread, uint64_t address, void *to, size_t length) {
    struct iovec here = {to, length};
    struct iovec there = {(void *)(uintptr_t)address, length};
    return vm_result(process_vm_readv(thread, &here, 1, &there, 1, 0), length);
}

static int direct_write(pid_t thread, const struct reach_piece *pieces, int count) {
    struct iovec here[REACH_PIECES], there[REACH_PIECES];
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        here[i] = (struct iovec){(void *)(uintptr_t)pieces[i].from, pieces[i].length};
        there[i] = (struct iovec){(void *)(uintptr_t)pieces[i].address, pieces[i].length};
        length += pieces[i].length;
    }
    return vm_result(
        process_vm_writev(thread, here, (unsigned long)count, there, (unsigned long)count, 0),
        length);
}

/* Nothing is mapped at address 0 and no process has that many descriptors: the errors tell whether
 * the kernel looked at all. */
static bool direct_probe(struct reach *reach, pid_t program) {
    char octet;
    if (direct_read(program, 0, &octet, 1) != -EFAULT)
        return false;
    return direct_descriptor(reach, program, INT32_MAX) == -EBADF;
}

/* ---- through the guard ---- */

/* Takes the descriptor out of a reply; -1 when there is none. */
static int message_descriptor(struct msghdr *message) {
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* One request and its reply; the octets of a read land in `to`, a descriptor in *fd. */
static int guard_ask(struct reach *reach, const struct reach_request *request, const void *from,
                     void *to, int *fd) {
    if (reach->guard < 0)
        return -EPERM;
    struct iovec out[2] = {{(void *)(uintptr_t)request, sizeof *request},
                           {(void *)(uintptr_t)from, from ? request->length : 0}};
    struct msghdr message = {.msg_iov = out, .msg_iovlen = 2};
    if (sendmsg(reach->guard, &message, MSG_NOSIGNAL) < 0)
        return -errno;
    struct reach_reply reply = {0};
    struct iovec in[2] = {{&reply, sizeof reply}, {to, to ? request->length : 0}};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    message = (struct msghdr){
        .msg_iov = in, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    do
        n = recvmsg(reach->guard, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    int got = n < 0 ? -1 : message_descriptor(&message);
    if (n < (ssize_t)sizeof reply)
        return n < 0 ? -errno : -EPIPE;
    if (fd)
        *fd = got;
    else if (got >= 0)
        close(got);
    return reply.result;
}

static int guard_read(struct reach *reach, pid_t thread, uint64_t address, uint8_t *to,
                      size_t length) {
    while (length) {
        size_t part = length < REACH_MAX ? length : REACH_MAX;
        struct reach_request request = {.operation = REACH_READ,
                                        .thread = (uint32_t)thread,
                                        .address = address,
                                        .length = (uint32_t)part};
        int r = guard_ask(reach, &request, NULL, to, NULL);
        if (r != (int)part)
            return r < 0 ? r : -EFAULT;
        to += part;
        address += part;
        length -= part;
    }
    return 0;
}

static int guard_write(struct reach *reach, pid_t thread, const struct reach_piece *piece) {
    const uint8_t *from = piece->from;
    for (size_t done = 0; done < piece->length;) {
        size_t part = piece->length - done < REACH_MAX ? piece->length - done : REACH_MAX;
        struct reach_request request = {.operation = REACH_WRITE,
                                        .thread = (uint32_t)thread,
                                        .address = piece->address + done,
                                        .length = (uint32_t)part};
        int r = guard_ask(reach, &request, from + done, NULL, NULL);
        if (r != (int)part)
            return r < 0 ? r : -EFAULT;
        done += part;
    }
    return 0;
}

static int guard_descriptor(struct reach *reach, pid_t thread, int fd) {
    struct reach_request request = {
        .operation = REACH_GET_FD, .thread = (uint32_t)thread, .address = (uint64_t)(uint32_t)fd};
    int taken = -1;
    int r = guard_ask(reach, &request, NULL, NULL, &taken);
    if (r < 0)
        return r;
    return taken < 0 ? -EPIPE : taken;
}

/* ---- either ---- */

struct reach *reach_new(int guard, pid_t program) {
    struct reach *reach = calloc(1, sizeof *reach);
    if (!reach) {
        if (guard >= 0)
            close(guard);
        return NULL;
    }
    pthread_mutex_init(&reach->lock, NULL);
    reach->guard = guard;
    reach->direct = direct_probe(reach, program);
    return reach;
}

void reach_free(struct reach *reach) {
    if (!reach)
        return;
    for (unsigned i = 0; i < CACHE_SLOTS; i++)
        if (reach->cache[i].thread)
            close(reach->cache[i].pidfd);
    if (reach->guard >= 0)
        close(reach->guard);
    pthread_mutex_destroy(&reach->lock);
    free(reach);
}

bool reach_is_direct(const struct reach *reach) {
    return reach->direct;
}

int reach_read(struct reach *reach, pid_t thread, uint64_t address, void *to, size_t length) {
    if (length == 0)
        return 0;
    if (reach->direct)
        return direct_read(thread, address, to, length);
    pthread_mutex_lock(&reach->lock);
    int r = guard_read(reach, thread, address, to, length);
    pthread_mutex_unlock(&reach->lock);
    return r;
}

int reach_write(struct reach *reach, pid_t thread, const struct reach_piece *pieces, int count) {
    if (reach->direct)
        return direct_write(thread, pieces, count);
    pthread_mutex_lock(&reach->lock);
    int r = 0;
    for (int i = 0; i < count && r == 0; i++)
        r = guard_write(reach, thread, &pieces[i]);
    pthread_mutex_unlock(&reach->lock);
    return r;
}

int reach_descriptor(struct reach *reach, pid_t thread, int fd) {
    pthread_mutex_lock(&reach->lock);
    int taken =
        reach->direct ? direct_descriptor(reach, thread, fd) : guard_descriptor(reach, thread, fd);
    pthread_mutex_unlock(&reach->lock);
    return taken;
}
