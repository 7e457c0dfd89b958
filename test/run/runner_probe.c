/* Runs a program as `berth run` does, with a daemon of the test's own that answers its calls in a
 * way that shows who answered:
 *
 *   socket(AF_INET, any, 0)      a descriptor from which "hello\n" can be read
 *   socket(AF_INET, any, N)      N = 201: the daemon sends a note; 202: it asks for the end; 203:
 * it dies; then as above setsockopt(fd, ...)          fails with the option's value as errno: the
 * guard read it from memory getsockopt(fd, ...)          4242: the guard wrote it to memory
 *   listen(fd, any)              0, and "taken\n" can be read from fd: the guard took the
 * descriptor connect(AF_INET)             no answer: it waits until a signal comes everything else
 * native
 *
 *   runner_probe [-d] [-r] [-a REFUSAL] -- PROGRAM ARGUMENT...
 *
 * -d: detached; -a: the daemon refuses to serve; -r: ask run_possible() first. */
#define _GNU_SOURCE
#include "tool/runner/reach.h"
#include "tool/runner/run.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct probe {
    int control, listener, reach;
    int held; /* the other end of the last socket */
};

static int attach_receive(struct probe *probe) {
    char line[256];
    union {
        struct cmsghdr align;
        char octets[CMSG_SPACE(2 * sizeof(int))];
    } rights;
    struct iovec part = {line, sizeof(line)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = rights.octets,
                             .msg_controllen = sizeof(rights.octets)};
    int fds[2];
    if (recvmsg(probe->control, &message, MSG_CMSG_CLOEXEC) <= 0 || !CMSG_FIRSTHDR(&message))
        return -1;
    memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fds));
    probe->listener = fds[0];
    probe->reach = fds[1];
    return 0;
}

static void say(const struct probe *probe, const char *line) {
    if (write(probe->control, line, strlen(line)) < 0)
        _exit(1);
}

/* One request to the guard; the reply's result. */
static int reach_ask(const struct probe *probe, const struct seccomp_notif *call,
                     uint32_t operation, uint64_t address, int *value, int *descriptor) {
    struct {
        struct reach_request head;
        int value;
    } request = {{operation, call->pid, address, sizeof(int), 0}, value ? *value : 0};
    struct {
        struct reach_reply head;
        int value;
    } reply;
    union {
        struct cmsghdr align;
        char octets[CMSG_SPACE(sizeof(int))];
    } rights;
    struct iovec part = {&reply, sizeof(reply)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = rights.octets,
                             .msg_controllen = sizeof(rights.octets)};
    size_t size = sizeof(request.head) + (operation == REACH_WRITE ? sizeof(int) : 0);
    if (send(probe->reach, &request, size, MSG_NOSIGNAL) < 0 ||
        recvmsg(probe->reach, &message, MSG_CMSG_CLOEXEC) < 0)
        return -EPIPE;
    if (operation == REACH_READ && reply.head.result == sizeof(int))
        *value = reply.value;
    if (operation == REACH_GET_FD && reply.head.result >= 0 && CMSG_FIRSTHDR(&message))
        memcpy(descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    return reply.head.result;
}

static void answer_socket(struct probe *probe, const struct seccomp_notif *call) {
    if (call->data.args[2] == 201)
        say(probe, "{\"note\":\"a note\"}\n{\"note\":\"another\"}\n");
    if (call->data.args[2] == 202)
        say(probe, "{\"end\":\"going down\"}\n");
    if (call->data.args[2] == 203)
        _exit(0);
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        _exit(1);
    if (write(pair[0], "hello\n", 6) != 6)
        _exit(1);
    struct seccomp_notif_addfd add = {
        .id = call->id, .srcfd = (uint32_t)pair[1], .flags = SECCOMP_ADDFD_FLAG_SEND};
    ioctl(probe->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
    close(pair[1]);
    close(probe->held);
    probe->held = pair[0];
}

/* Writes through the program's own descriptor: it must come out at the held end. */
static int answer_listen(const struct probe *probe, const struct seccomp_notif *call) {
    int descriptor = -1;
    char octet;
    if (reach_ask(probe, call, REACH_GET_FD, call->data.args[0], NULL, &descriptor) < 0)
        return -EIO;
    bool good = write(descriptor, "x", 1) == 1 && read(probe->held, &octet, 1) == 1 &&
                write(probe->held, "taken\n", 6) == 6;
    close(descriptor);
    return good ? 0 : -EIO;
}

static void answer(struct probe *probe, const struct seccomp_notif *call) {
    struct seccomp_notif_resp response = {.id = call->id};
    int value = 4242;
    switch (call->data.nr) {
    case SYS_socket:
        answer_socket(probe, call);
        return;
    case SYS_connect:
        if (call->data.args[2] == 16) /* sizeof(struct sockaddr_in) */
            return;
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        break;
    case SYS_setsockopt:
        if (reach_ask(probe, call, REACH_READ, call->data.args[3], &value, NULL) != sizeof(int))
            value = EIO;
        response.error = -value;
        break;
    case SYS_getsockopt:
        if (reach_ask(probe, call, REACH_WRITE, call->data.args[3], &value, NULL) != sizeof(int))
            response.error = -EIO;
        break;
    case SYS_listen:
        response.error = answer_listen(probe, call);
        break;
    default:
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        break;
    }
    ioctl(probe->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* Every line from the guard is a question for a sign of life. Its end: the guard has left. */
static void answer_guard(const struct probe *probe) {
    char lines[256];
    ssize_t length = read(probe->control, lines, sizeof(lines));
    if (length <= 0)
        _exit(0);
    for (ssize_t i = 0; i < length; i++)
        if (lines[i] == '\n')
            say(probe, "{\"ok\":true}\n");
}

static void daemon_run(struct probe *probe, const char *refusal) {
    prctl(PR_SET_NAME, "probe-daemon");
    setsid();
    /* The streams of the run must not be kept open by anyone but the programs. */
    if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout) ||
        !freopen("/dev/null", "w", stderr))
        _exit(1);
    if (attach_receive(probe) < 0)
        _exit(0);
    if (refusal) {
        dprintf(probe->control, "{\"error\":\"%s\"}\n", refusal);
        _exit(0);
    }
    say(probe, "{\"ok\":true}\n");
    struct pollfd waits[] = {{probe->control, POLLIN, 0}, {probe->listener, POLLIN, 0}};
    for (;;) {
        if (poll(waits, 2, -1) < 0)
            continue;
        if (waits[0].revents)
            answer_guard(probe);
        struct seccomp_notif call = {0};
        if (waits[1].revents & POLLIN &&
            ioctl(probe->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0)
            answer(probe, &call);
        else if (waits[1].revents & POLLHUP)
            waits[1].fd = -1;
    }
}

int main(int argc, char **argv) {
    struct run_request request = {.net = "testnet", .host = "testhost"};
    const char *refusal = NULL;
    char text[512];
    int pair[2], option;
    while ((option = getopt(argc, argv, "+dra:")) != -1) {
        if (option == 'd')
            request.detached = true;
        else if (option == 'a')
            refusal = optarg;
        else if (option == 'r' && !run_possible(text, sizeof(text)))
            return fprintf(stderr, "berth: %s\n", text), RUN_FAILED;
    }
    request.argv = argv + optind;
    if (optind >= argc || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return RUN_FAILED;
    pid_t daemon = fork();
    if (daemon == 0) {
        close(pair[0]);
        struct probe probe = {.control = pair[1], .held = -1};
        daemon_run(&probe, refusal);
    }
    close(pair[1]);
    request.control = pair[0];
    return run_program(&request);
}
