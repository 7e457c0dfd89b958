#define _GNU_SOURCE
#include "tool/runner/link.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { LINK_NOTES_QUEUED_MAX = 32768 }; /* of the 212,992 octets that a socket holds by default */

int link_send(int fd, enum link_kind kind, int value, uint32_t serial, const char *text) {
    struct link_message message = {.kind = kind, .value = value, .serial = serial};
    int queued = 0;
    if (kind == LINK_NOTE && ioctl(fd, SIOCOUTQ, &queued) == 0 && queued > LINK_NOTES_QUEUED_MAX)
        return -EAGAIN;
    if (text)
        snprintf(message.text, sizeof(message.text), "%s", text);
    size_t size = offsetof(struct link_message, text) + strlen(message.text) + 1;
    return send(fd, &message, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int link_receive(int fd, struct link_message *message) {
    ssize_t n;
    do
        n = recv(fd, message, sizeof(*message), 0);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return 0;
    if (n < 0)
        return -errno;
    if ((size_t)n <= offsetof(struct link_message, text))
        return -EPROTO;
    message->text[(size_t)n - offsetof(struct link_message, text) - 1] = '\0';
    return 1;
}
