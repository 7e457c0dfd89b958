/* Lines and descriptors over a Unix stream socket, in pieces cut anywhere, without ever waiting.
 *
 * A reader collects octets into whole lines and keeps the descriptors that came, first in first
 * out: what a line is says how many it takes. The kernel hands descriptors out with the octets of
 * the sendmsg() that brought them at the latest, so that those of a complete line are there. A
 * writer holds what the socket did not take yet, within a bound. */
#ifndef TOOL_CONTROL_FRAMING_H
#define TOOL_CONTROL_FRAMING_H

#include "tool/control/client.h"

/* recvmsg() with `flags`: the descriptors that come with the octets are added to fds[*count], the
 * caller's then, whatever is returned. -ETOOMANYREFS: there were too many. */
ssize_t control_receive(int socket, char *data, size_t length, int flags, int fds[CONTROL_FDS_MAX],
                        int *count);

struct control_reader {
    char *data; /* grows up to CONTROL_LINE_MAX */
    size_t capacity, start, end;
    int fds[CONTROL_FDS_MAX];
    int fd_count;
};

void control_reader_init(struct control_reader *reader);
/* Frees the buffer and closes descriptors that nobody took. */
void control_reader_clear(struct control_reader *reader);
/* Receives once. Returns octets, 0 at the end, -EAGAIN, -EMSGSIZE (a line too long), -ETOOMANYREFS
 * (too many descriptors) or another negative errno. */
ssize_t control_reader_fill(struct control_reader *reader, int socket);
/* The next whole line, NUL-terminated without its newline, valid until the next fill; NULL when
 * there is none. A line with a NUL inside comes back cut there. */
char *control_reader_line(struct control_reader *reader);
/* The oldest descriptor (now the caller's), or -1. */
int control_reader_take_fd(struct control_reader *reader);
/* Closes the descriptors that no line took, once no part of a line is left that they may belong to.
 */
void control_reader_settle(struct control_reader *reader);

struct control_writer {
    char *data;
    size_t capacity, start, end, limit;
    int fd;       /* goes with octet fd_at; -1: none */
    size_t fd_at; /* position in data */
};

void control_writer_init(struct control_writer *writer, size_t limit);
void control_writer_clear(struct control_writer *writer);
/* Queues octets, all or none. `fd` (given even on failure; -1: none) goes with the first of them.
 * 0, -ENOBUFS (past the limit, or a descriptor waits already), -ENOMEM. */
int control_writer_put(struct control_writer *writer, const void *data, size_t length, int fd);
size_t control_writer_waiting(const struct control_writer *writer);
/* Sends what the socket takes. 0 when nothing waits any more, -EAGAIN, or a negative errno. */
int control_writer_flush(struct control_writer *writer, int socket);

#endif
