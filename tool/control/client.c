#define _GNU_SOURCE
#include "tool/control/client.h"
#include "tool/control/framing.h"
#include "tool/control/place.h"
#include "tool/control/start.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CONNECT_TRIES = 8 };

/* Under the lock: a connection to the daemon that runs, or to one that is started now. The starter
 * itself makes the listening socket, so that it can connect at once: what it sends waits there
 * until the daemon is up. */
static int connect_locked(struct place *place, const char *net, bool start, char *error,
                          size_t size) {
    int fd = place_connect(place);
    if (fd == -EAGAIN)
        snprintf(error, size, "network %s does not answer: its daemon is stopped, or very busy",
                 net);
    if (fd >= 0 || fd == -EAGAIN)
        return fd;
    if (!start || (fd != -ENOENT && fd != -ECONNREFUSED)) {
        if (fd == -ENOENT || fd == -ECONNREFUSED)
            snprintf(error, size, "network %s is not running", net);
        else
            snprintf(error, size, "cannot reach network %s: %s", net, strerror(-fd));
        return fd == -ECONNREFUSED ? -ENOENT : fd;
    }
    int listener = place_listen(place);
    if (listener < 0) {
        snprintf(error, size, "cannot make %s/%s: %s", place->path, place->socket,
                 strerror(-listener));
        return listener;
    }
    int result = daemon_start(net, listener);
    fd = result < 0 ? result : place_connect(place);
    close(listener);
    if (result < 0) {
        snprintf(error, size, "cannot start network %s: %s", net, strerror(-result));
        place_remove(place);
    } else if (fd < 0)
        snprintf(error, size, "cannot reach network %s: %s", net, strerror(-fd));
    return fd;
}

/* Until the other end closes. */
static void end_await(int fd, char *line, size_t size) {
    while (control_next(fd, line, size, NULL) > 0)
        continue;
}

/* 0 and the greeting read: a daemon that lives. -ECONNRESET: it went before it saw us, or goes and
 * was waited for. -ESHUTDOWN: it goes, and we do not wait. */
static int greeting_read(int fd, bool wait, pid_t *pid, char *error, size_t size) {
    char line[512];
    ssize_t length = control_next(fd, line, sizeof line, NULL);
    if (length == 0 || length == -ECONNRESET || length == -EPIPE)
        return -ECONNRESET;
    if (length < 0) {
        snprintf(error, size, "the network's daemon does not answer: %s", strerror((int)-length));
        return (int)length;
    }
    json_t *greeting = json_loads(line, 0, NULL);
    json_t *number = json_object_get(greeting, "pid");
    bool known = json_is_string(json_object_get(greeting, "berth")) && json_is_integer(number);
    bool ending = known && json_is_true(json_object_get(greeting, "ending"));
    if (known)
        *pid = (pid_t)json_integer_value(number);
    else
        snprintf(error, size, "what answers there is not a berth of this kind: %.80s", line);
    json_decref(greeting);
    if (ending && wait)
        end_await(fd, line, sizeof line);
    return !known ? -EPROTO : !ending ? 0 : wait ? -ECONNRESET : -ESHUTDOWN;
}

static int connect_once(const char *net, bool start, bool wait, pid_t *pid, char *error,
                        size_t size) {
    struct place place;
    int result = place_locate(&place, net, error, size);
    if (result < 0)
        return result;
    result = place_lock(&place, start, true, error, size);
    if (result < 0) {
        if (result == -ENOENT)
            snprintf(error, size, "network %s is not running", net);
        return result;
    }
    int fd = connect_locked(&place, net, start, error, size);
    if (fd == -ENOENT && !start)
        place_remove(&place); /* a socket without a daemon is nobody's */
    place_unlock(&place);
    if (fd < 0)
        return fd;
    result = greeting_read(fd, wait, pid, error, size);
    if (result == -ESHUTDOWN)
        snprintf(error, size, "network %s is going down", net);
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

/* A daemon that goes down, or is killed, closes on those that wait for its greeting: the next round
 * starts or finds another. */
static int connect_bounded(const char *net, bool start, bool wait, pid_t *pid, char *error,
                           size_t size) {
    for (int tries = 0; tries < CONNECT_TRIES; tries++) {
        int fd = connect_once(net, start, wait, pid, error, size);
        if (fd != -ECONNRESET)
            return fd;
    }
    int fd = connect_once(net, false, wait, pid, error, size); /* takes away what it left behind */
    if (fd >= 0)
        return fd;
    snprintf(error, size,
             "the daemon of network %s ends at once; BERTH_DAEMON_LOG=FILE keeps what it says "
             "(see also: berth doctor)",
             net);
    return -ECONNRESET;
}

int control_connect(const char *net, bool start, char *error, size_t size) {
    pid_t pid;
    return connect_bounded(net, start, true, &pid, error, size);
}

int control_connect_running(const char *net, char *error, size_t size) {
    pid_t pid;
    return connect_bounded(net, false, false, &pid, error, size);
}

int control_connect_pid(const char *net, pid_t *pid, char *error, size_t size) {
    return connect_bounded(net, false, true, pid, error, size);
}

/* The first descriptor that comes goes to *got; surplus ones are closed. */
static ssize_t receive_some(int fd, char *data, size_t length, int *got) {
    int fds[CONTROL_FDS_MAX], count = 0;
    ssize_t received = control_receive(fd, data, length, 0, fds, &count);
    for (int i = 0; i < count; i++) {
        if (got != NULL && *got < 0)
            *got = fds[i];
        else
            close(fds[i]);
    }
    return received;
}

/* Looks before it takes, so that what follows the line stays in the socket and no state is needed
 * between calls. */
static ssize_t next_line(int fd, char *line, size_t size, int *got) {
    size_t have = 0;
    for (;;) {
        ssize_t seen;
        do
            seen = recv(fd, line + have, size - 1 - have, MSG_PEEK);
        while (seen < 0 && errno == EINTR);
        if (seen < 0)
            return -errno;
        if (seen == 0)
            return have == 0 ? 0 : -ECONNRESET;
        char *newline = memchr(line + have, '\n', (size_t)seen);
        size_t wanted = newline != NULL ? (size_t)(newline - line) + 1 - have : (size_t)seen;
        while (wanted > 0) {
            ssize_t received = receive_some(fd, line + have, wanted, got);
            if (received <= 0)
                return received < 0 ? received : -ECONNRESET;
            have += (size_t)received;
            wanted -= (size_t)received;
        }
        if (newline != NULL) {
            line[have - 1] = '\0';
            return have > 1 ? (ssize_t)have - 1 : next_line(fd, line, size, got);
        }
        if (have == size - 1)
            return -EMSGSIZE;
    }
}

ssize_t control_next(int fd, char *line, size_t size, int *got) {
    if (got != NULL)
        *got = -1;
    return next_line(fd, line, size, got);
}

static int send_all(int fd, const char *data, size_t length, const int *fds, int nfds) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * CONTROL_FDS_MAX)];
    } ancillary = {.bytes = {0}};
    if (nfds < 0 || nfds > CONTROL_FDS_MAX)
        return -EINVAL;
    while (length > 0) {
        struct iovec part = {(void *)(uintptr_t)data, length};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (nfds > 0) {
            message.msg_control = &ancillary;
            message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
            struct cmsghdr *c = CMSG_FIRSTHDR(&message);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
            memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)nfds);
        }
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -errno;
        data += sent;
        length -= (size_t)sent;
        nfds = 0;
    }
    return 0;
}

int control_send(int fd, const char *json_line, const int *fds, int nfds) {
    size_t length = strlen(json_line);
    if (length >= CONTROL_LINE_MAX)
        return -EMSGSIZE;
    char *line = malloc(length + 1);
    if (line == NULL)
        return -ENOMEM;
    memcpy(line, json_line, length + 1);
    line[length] = '\n';
    int result = send_all(fd, line, length + 1, fds, nfds);
    free(line);
    return result;
}

int control_request(int fd, const char *json_line, const int *fds, int nfds, char *reply,
                    size_t size) {
    int result = control_send(fd, json_line, fds, nfds);
    if (result < 0)
        return result == -EPIPE ? -ECONNRESET : result;
    ssize_t length = control_next(fd, reply, size, NULL);
    return length == 0 ? -ECONNRESET : (int)length;
}
