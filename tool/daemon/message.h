/* Where the parts of one message lie in a program's memory, whichever call names them: read, readv,
 * recvfrom, recvmsg, recvmmsg, and write, writev, sendto, sendmsg, sendmmsg. */
#ifndef TOOL_DAEMON_MESSAGE_H
#define TOOL_DAEMON_MESSAGE_H

#include "tool/daemon/addresses.h"
#include "tool/daemon/reach.h"

#include <sys/socket.h>
#include <sys/uio.h>

enum { MESSAGE_VECTORS = 1024 }; /* UIO_MAXIOV */

struct message {
    uint64_t name;           /* 0: none wanted or given */
    uint32_t name_length;    /* octets there */
    uint64_t name_length_at; /* where the length of a received name goes; 0: nowhere */
    uint64_t control, control_length;
    uint64_t control_length_at, flags_at; /* of a msghdr; else 0 */
    uint64_t length_at; /* of a mmsghdr: where the message's length goes; else 0 */
    int flags;          /* the call's */
    size_t room;        /* octets of all vectors */
    int vector_count;
    struct iovec vectors[MESSAGE_VECTORS]; /* addresses of the program's */
};

/* number, arguments: of the call; index: which message of a recvmmsg or sendmmsg. 0, -EFAULT,
 * -EINVAL, -EMSGSIZE. */
int message_read(struct message *message, struct reach *reach, pid_t thread, int number,
                 const uint64_t *arguments, unsigned index);
/* Copies the message's octets, at most `max`, out of the program. The count or a negative errno. */
ssize_t message_gather(const struct message *message, struct reach *reach, pid_t thread,
                       uint8_t *to, size_t max);
/* Copies octets into the program's vectors, as far as they reach. 0 or a negative errno. */
int message_scatter(const struct message *message, struct reach *reach, pid_t thread,
                    const uint8_t *from, size_t length);

#endif
