#define _GNU_SOURCE
#include "tool/daemon/message.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

static int vectors_read(struct message *message, struct reach *reach, pid_t thread,
                        uint64_t address, uint64_t count) {
    if (count > MESSAGE_VECTORS)
        return -EMSGSIZE;
    int r = reach_read(reach, thread, address, message->vectors, count * sizeof(struct iovec));
    message->vector_count = (int)count;
    for (uint64_t i = 0; r == 0 && i < count; i++) {
        if (message->vectors[i].iov_len > INT32_MAX - message->room)
            r = -EINVAL;
        else
            message->room += message->vectors[i].iov_len;
    }
    return r;
}

static void vector_single(struct message *message, uint64_t address, uint64_t length) {
    message->vectors[0] = (struct iovec){(void *)(uintptr_t)address, length};
    message->vector_count = 1;
    message->room = length;
}

static int header_read(struct message *message, struct reach *reach, pid_t thread,
                       uint64_t address) {
    struct msghdr header;
    int r = reach_read(reach, thread, address, &header, sizeof header);
    if (r < 0)
        return r;
    if ((int)header.msg_namelen < 0)
        return -EINVAL;
    message->name = (uint64_t)(uintptr_t)header.msg_name;
    message->name_length = message->name ? header.msg_namelen : 0;
    message->name_length_at = address + offsetof(struct msghdr, msg_namelen);
    message->control = (uint64_t)(uintptr_t)header.msg_control;
    message->control_length = message->control ? header.msg_controllen : 0;
    message->control_length_at = address + offsetof(struct msghdr, msg_controllen);
    message->flags_at = address + offsetof(struct msghdr, msg_flags);
    return vectors_read(message, reach, thread, (uint64_t)(uintptr_t)header.msg_iov,
                        header.msg_iovlen);
}

static int header_read_nth(struct message *message, struct reach *reach, pid_t thread,
                           uint64_t array, unsigned index) {
    uint64_t address = array + index * sizeof(struct mmsghdr);
    message->length_at = address + offsetof(struct mmsghdr, msg_len);
    return header_read(message, reach, thread, address);
}

/* The value-result length that comes with a received address. */
static int name_room_read(struct message *message, struct reach *reach, pid_t thread) {
    if (!message->name)
        return 0;
    int r = reach_read(reach, thread, message->name_length_at, &message->name_length,
                       sizeof message->name_length);
    return r < 0 ? r : (int)message->name_length < 0 ? -EINVAL : 0;
}

int message_read(struct message *message, struct reach *reach, pid_t thread, int number,
                 const uint64_t *arguments, unsigned index) {
    memset(message, 0, offsetof(struct message, vectors));
    switch (number) {
    case SYS_read:
    case SYS_write:
        vector_single(message, arguments[1], arguments[2]);
        return 0;
    case SYS_readv:
    case SYS_writev:
        return vectors_read(message, reach, thread, arguments[1], arguments[2] & UINT32_MAX);
    case SYS_recvfrom:
    case SYS_sendto:
        vector_single(message, arguments[1], arguments[2]);
        message->flags = (int)arguments[3];
        message->name = arguments[4];
        if (number == SYS_recvfrom) {
            message->name_length_at = arguments[5];
            return name_room_read(message, reach, thread);
        }
        message->name_length = message->name ? (uint32_t)arguments[5] : 0;
        return 0;
    case SYS_recvmsg:
    case SYS_sendmsg:
        message->flags = (int)arguments[2];
        return header_read(message, reach, thread, arguments[1]);
    case SYS_recvmmsg:
    case SYS_sendmmsg:
        message->flags = (int)arguments[3];
        return header_read_nth(message, reach, thread, arguments[1], index);
    default:
        return -ENOSYS;
    }
}

ssize_t message_gather(const struct message *message, struct reach *reach, pid_t thread,
                       uint8_t *to, size_t max) {
    size_t done = 0;
    for (int i = 0; i < message->vector_count && done < max; i++) {
        size_t part = message->vectors[i].iov_len;
        if (part > max - done)
            part = max - done;
        int r = reach_read(reach, thread, (uint64_t)(uintptr_t)message->vectors[i].iov_base,
                           to + done, part);
        if (r < 0)
            return r;
        done += part;
    }
    return (ssize_t)done;
}

int message_scatter(const struct message *message, struct reach *reach, pid_t thread,
                    const uint8_t *from, size_t length) {
    size_t done = 0;
    for (int i = 0; i < message->vector_count && done < length; i++) {
        size_t part = message->vectors[i].iov_len;
        if (part > length - done)
            part = length - done;
        struct reach_piece piece = {(uint64_t)(uintptr_t)message->vectors[i].iov_base, from + done,
                                    part};
        int r = part ? reach_write(reach, thread, &piece, 1) : 0;
        if (r < 0)
            return r;
        done += part;
    }
    return 0;
}
