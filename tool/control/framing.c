#define _GNU_SOURCE
#include "tool/control/framing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_CAPACITY = 2048 };

void control_reader_init(struct control_reader *reader) {
    *reader = (struct control_reader){.fd_count = 0};
}

void control_reader_clear(struct control_reader *reader) {
    for (int i = 0; i < reader->fd_count; i++)
        close(reader->fds[i]);
    free(reader->data);
    control_reader_init(reader);
}

/* Makes room for at least one octet behind `end`. One octet more than a line's maximum is never
 * needed: the newline counts. */
static int reader_make_room(struct control_reader *reader) {
    if (reader->start > 0) {
        memmove(reader->data, reader->data + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    if (reader->end < reader->capacity)
        return 0;
    if (reader->capacity >= CONTROL_LINE_MAX)
        return -EMSGSIZE;
    size_t capacity = reader->capacity == 0 ? FIRST_CAPACITY : reader->capacity * 2;
    char *data = realloc(reader->data, capacity);
    if (data == NULL)
        return -ENOMEM;
    reader->data = data;
    reader->capacity = capacity;
    return 0;
}

/* Keeps the descriptors of one message. Those beyond the bound are closed: the kernel has put them
 * in our table already. */
static int message_keep_fds(struct msghdr *message, int fds[CONTROL_FDS_MAX], int *count) {
    int result = (message->msg_flags & MSG_CTRUNC) != 0 ? -ETOOMANYREFS : 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t length = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < length; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (*count < CONTROL_FDS_MAX) {
                fds[(*count)++] = fd;
            } else {
                close(fd);
                result = -ETOOMANYREFS;
            }
        }
    }
    return result;
}

ssize_t control_receive(int socket, char *data, size_t length, int flags, int fds[CONTROL_FDS_MAX],
                        int *count) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * CONTROL_FDS_MAX)];
    } ancillary;
    struct iovec part = {data, length};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &ancillary,
                             .msg_controllen = sizeof ancillary};
    ssize_t got;
    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    int kept = message_keep_fds(&message, fds, count);
    return kept < 0 ? kept : got;
}

ssize_t control_reader_fill(struct control_reader *reader, int socket) {
    int room = reader_make_room(reader);
    if (room < 0)
        return room;
    ssize_t got =
        control_receive(socket, reader->data + reader->end, reader->capacity - reader->end,
                        MSG_DONTWAIT, reader->fds, &reader->fd_count);
    if (got > 0)
        reader->end += (size_t)got;
    return got;
}

char *control_reader_line(struct control_reader *reader) {
    if (reader->start == reader->end)
        return NULL;
    char *line = reader->data + reader->start;
    char *newline = memchr(line, '\n', reader->end - reader->start);
    if (newline == NULL)
        return NULL;
    *newline = '\0';
    reader->start = (size_t)(newline - reader->data) + 1;
    return line;
}

int control_reader_take_fd(struct control_reader *reader) {
    if (reader->fd_count == 0)
        return -1;
    int fd = reader->fds[0];
    reader->fd_count--;
    memmove(reader->fds, reader->fds + 1, (size_t)reader->fd_count * sizeof fd);
    return fd;
}

void control_reader_settle(struct control_reader *reader) {
    if (reader->start != reader->end)
        return;
    while (reader->fd_count > 0)
        close(control_reader_take_fd(reader));
}

void control_writer_init(struct control_writer *writer, size_t limit) {
    *writer = (struct control_writer){.limit = limit, .fd = -1};
}

void control_writer_clear(struct control_writer *writer) {
    if (writer->fd >= 0)
        close(writer->fd);
    free(writer->data);
    control_writer_init(writer, writer->limit);
}

size_t control_writer_waiting(const struct control_writer *writer) {
    return writer->end - writer->start;
}

static int writer_make_room(struct control_writer *writer, size_t length) {
    size_t waiting = control_writer_waiting(writer);
    if (length > writer->limit || waiting > writer->limit - length)
        return -ENOBUFS;
    if (writer->start > 0) {
        memmove(writer->data, writer->data + writer->start, waiting);
        writer->fd_at -= writer->start;
        writer->end = waiting;
        writer->start = 0;
    }
    if (waiting + length <= writer->capacity)
        return 0;
    size_t capacity = writer->capacity == 0 ? FIRST_CAPACITY : writer->capacity;
    while (capacity < waiting + length)
        capacity *= 2;
    char *data = realloc(writer->data, capacity);
    if (data == NULL)
        return -ENOMEM;
    writer->data = data;
    writer->capacity = capacity;
    return 0;
}

int control_writer_put(struct control_writer *writer, const void *data, size_t length, int fd) {
    int room = fd >= 0 && writer->fd >= 0 ? -ENOBUFS : writer_make_room(writer, length);
    if (room < 0) {
        if (fd >= 0)
            close(fd);
        return room;
    }
    if (fd >= 0) {
        writer->fd = fd;
        writer->fd_at = writer->end;
    }
    if (length > 0)
        memcpy(writer->data + writer->end, data, length);
    writer->end += length;
    return 0;
}

/* One sendmsg(): up to the octet that a descriptor goes with, or from it on with the descriptor. */
static ssize_t writer_send(struct control_writer *writer, int socket) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } ancillary = {.bytes = {0}};
    size_t length = writer->end - writer->start;
    struct iovec part = {writer->data + writer->start, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (writer->fd >= 0 && writer->fd_at > writer->start) {
        part.iov_len = writer->fd_at - writer->start;
    } else if (writer->fd >= 0) {
        message.msg_control = &ancillary;
        message.msg_controllen = sizeof ancillary;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &writer->fd, sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    if (message.msg_control != NULL && sent > 0) {
        close(writer->fd);
        writer->fd = -1;
    }
    return sent;
}

int control_writer_flush(struct control_writer *writer, int socket) {
    while (writer->start < writer->end) {
        ssize_t sent = writer_send(writer, socket);
        if (sent < 0)
            return (int)sent;
        writer->start += (size_t)sent;
    }
    writer->start = writer->end = 0;
    return 0;
}
