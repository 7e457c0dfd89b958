#define _GNU_SOURCE
#include "tool/runner/reach_server.h"
#include "tool/runner/pidfd.h"
#include "tool/runner/reach.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct reach_server {
    struct {
        struct reach_request head;
        unsigned char memory[REACH_MAX];
    } request;
    struct {
        struct reach_reply head;
        unsigned char memory[REACH_MAX];
    } reply;
};
_Static_assert(sizeof(struct reach_request) == offsetof(struct reach_server, request.memory),
               "octets follow the request at once");

struct reach_server *reach_server_new(void) {
    return calloc(1, sizeof(struct reach_server));
}

void reach_server_free(struct reach_server *server) {
    free(server);
}

static void *address_of(const struct reach_request *request) {
    return (void *)(uintptr_t)request->address;
}

static int memory_read(struct reach_server *server) {
    const struct reach_request *request = &server->request.head;
    struct iovec here = {server->reply.memory, request->length};
    struct iovec there = {address_of(request), request->length};
    ssize_t n = process_vm_readv((pid_t)request->thread, &here, 1, &there, 1, 0);
    return n < 0 ? -errno : (int)n;
}

static int memory_write(struct reach_server *server, size_t octets) {
    const struct reach_request *request = &server->request.head;
    if (octets != request->length)
        return -EINVAL;
    struct iovec here = {server->request.memory, request->length};
    struct iovec there = {address_of(request), request->length};
    ssize_t n = process_vm_writev((pid_t)request->thread, &here, 1, &there, 1, 0);
    return n < 0 ? -errno : (int)n;
}

static int descriptor_take(const struct reach_request *request) {
    int process = pidfd_of_thread((pid_t)request->thread);
    if (process < 0)
        return process;
    int fd = pidfd_take(process, (int)request->address);
    close(process);
    return fd;
}

static int reply_send(const struct reach_server *server, int fd, size_t octets, int descriptor) {
    union {
        struct cmsghdr align;
        char octets[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)&server->reply, sizeof(server->reply.head) + octets};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control.octets;
        message.msg_controllen = sizeof(control.octets);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &descriptor, sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int reach_server_answer(struct reach_server *server, int fd) {
    ssize_t n = recv(fd, &server->request, sizeof(server->request), 0);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    if ((size_t)n < sizeof(server->request.head))
        return -EPIPE;
    const struct reach_request *request = &server->request.head;
    size_t octets = 0;
    int descriptor = -1, result = -EINVAL;
    if (request->length <= REACH_MAX) {
        if (request->operation == REACH_READ) {
            result = memory_read(server);
            octets = result > 0 ? (size_t)result : 0;
        } else if (request->operation == REACH_WRITE) {
            result = memory_write(server, (size_t)n - sizeof(*request));
        } else if (request->operation == REACH_GET_FD) {
            descriptor = descriptor_take(request);
            result = descriptor < 0 ? descriptor : 0;
        }
    }
    server->reply.head = (struct reach_reply){.result = result};
    int r = reply_send(server, fd, octets, descriptor);
    if (descriptor >= 0)
        close(descriptor);
    return r;
}
