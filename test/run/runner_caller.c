/* A program to be run by the runner's tests, linked statically: it does one thing and says what
 * came of it.
 *
 *   hello | thread | grandchild    reads what socket(AF_INET) gives: in the program, in a thread,
 * in a daemonised grandchild memory                         getsockopt, setsockopt and listen, from
 * a thread: the daemon reaches in interrupt                      connect() that nobody answers, and
 * a signal refused                        what the filter answers by itself masked NAME PROGRAM...
 * runs PROGRAM on a kernel that lacks NAME: listener, getfd, thread */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void *hello(void *unused) {
    char text[16] = "";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (read(fd, text, sizeof(text) - 1) <= 0)
        snprintf(text, sizeof(text), "errno %d\n", errno);
    printf("%s", text);
    fflush(stdout);
    close(fd);
    return unused;
}

static void *memory(void *unused) {
    int value = 0, number = 77;
    socklen_t size = sizeof(value);
    char text[16] = "";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int got = getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &size);
    printf("get %d %d\n", got, value);
    got = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &number, sizeof(number));
    printf("set %d %d\n", got, errno);
    got = listen(fd, 1);
    /* "hello\n" of socket() and "taken\n" of listen() */
    if (recv(fd, text, 12, MSG_WAITALL) < 12)
        text[6] = '\0';
    printf("listen %d %s", got, text + 6);
    return unused;
}

static int in_thread(void *(*run)(void *)) {
    pthread_t thread;
    return pthread_create(&thread, NULL, run, NULL) || pthread_join(thread, NULL);
}

static int grandchild(void) {
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            hello(NULL);
        _exit(0);
    }
    return wait(NULL) < 0;
}

static void on_alarm(int signal) {
    (void)signal;
}

static int interrupt(void) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    /* Again and again: the first may come before the call. */
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 20000}, {0, 20000}}, NULL);
    int r = connect(fd, (struct sockaddr *)&to, sizeof(to));
    printf("connect %d %s\n", r, errno == EINTR ? "EINTR" : strerror(errno));
    return 0;
}

/* The i386 way into the kernel, where 20 is getpid. */
static long other_architecture(void) {
    long result = 20;
#ifdef __x86_64__
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
#else
    result = -ENOSYS;
#endif
    return result;
}

static int refused(void) {
    long ring = syscall(SYS_io_uring_setup, 1, NULL);
    printf("io_uring %ld %s\n", ring, errno == ENOSYS ? "ENOSYS" : strerror(errno));
    printf("i386 %s\n", other_architecture() == -ENOSYS ? "ENOSYS" : "answered");
    int said = prctl(PR_SET_DUMPABLE, 0);
    printf("dumpable %d %d\n", said, prctl(PR_GET_DUMPABLE));
    return 0;
}

#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))

static int masked(const char *name, char **program) {
    unsigned call = SYS_pidfd_getfd, flag = 0, error = EPERM;
    if (strcmp(name, "listener") == 0) {
        call = SYS_seccomp;
        flag = SECCOMP_FILTER_FLAG_NEW_LISTENER;
        error = EINVAL;
    } else if (strcmp(name, "thread") == 0) {
        call = SYS_pidfd_open;
        flag = 0x80; /* PIDFD_THREAD */
        error = EINVAL;
    }
    /* The flags of both calls with flags are their second argument. */
    struct sock_filter filter[] = {
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
        LOAD(args[1]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flag ? flag : ~0U, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog all = {sizeof(filter) / sizeof(filter[0]), filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) < 0)
        return 1;
    execv(program[0], program);
    return 1;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "thread") == 0)
        return in_thread(hello);
    if (strcmp(what, "memory") == 0)
        return in_thread(memory);
    if (strcmp(what, "grandchild") == 0)
        return grandchild();
    if (strcmp(what, "interrupt") == 0)
        return interrupt();
    if (strcmp(what, "refused") == 0)
        return refused();
    if (strcmp(what, "masked") == 0 && argc > 3)
        return masked(argv[2], argv + 3);
    hello(NULL);
    return 0;
}
