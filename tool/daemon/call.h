/* A notified call of a program, from its arrival to its answer. */
#ifndef TOOL_DAEMON_CALL_H
#define TOOL_DAEMON_CALL_H

#include "tool/daemon/server_state.h"

#include <limits.h>

/* What a handler returns beside a result (0 and up) or a negative errno. */
#define CALL_CONTINUE LONG_MIN       /* none of our sockets: the kernel shall do it */
#define CALL_ANSWERED (LONG_MIN + 1) /* answered already, or a waiter will */

struct call {
    struct server *server;
    struct run *run;
    uint64_t notification;
    pid_t thread;
    int number;
    const uint64_t *arguments; /* six */
    int end;                   /* a duplicate of the descriptor that the call is about; -1 */
    uint64_t cookie;
    uint64_t now;      /* while locked */
    uint64_t deadline; /* of the same call before it was restarted; BERTH_NEVER */
};

typedef long call_handler(struct call *call);

/* Locks and finds whose socket it is. NULL: nobody's, and the lock is not held: return
 * CALL_CONTINUE. */
struct conduit *call_lock(struct call *call);
/* Settles and unlocks. */
void call_unlock(struct call *call);
bool call_nonblocking(const struct call *call);
/* Answers now, before the handler has ended. 0 or -ENOENT: the caller has gone, and the result is
 * kept for its next try. */
int call_answer(struct call *call, long result);
/* Gives the program `conduit`'s end as a descriptor and answers the call with its number, in one
 * step. number: -1, or which it shall be. Without the lock. The descriptor's number or a negative
 * errno. */
int call_install(struct run *run, uint64_t notification, int end, int number, bool close_on_exec);
int call_send(struct run *run, uint64_t notification, long result, bool to_kernel);

/* One handler a call; the files calls_*.c. */
call_handler call_socket, call_bind, call_connect, call_listen, call_accept, call_accept4,
    call_getsockname, call_getpeername, call_setsockopt, call_getsockopt, call_shutdown,
    call_receive, call_transmit, call_ioctl, call_uname;

/* The pending error, which is told by this: options_special.c. */
int socket_error_take(struct call *call, struct conduit *conduit);

/* Says, once a second at most, that the daemon has no descriptor left: calls_socket.c. */
void descriptors_note(struct call *call);
/* A free number in the range whose reads and writes are notified, or -1: calls_socket.c. */
int descriptor_choose(struct call *call);

/* ---- AF_NETLINK: calls_netlink.c ---- */

long netlink_socket(struct call *call);
/* True if the call was about such a socket: *result is what to answer. */
bool netlink_call(struct call *call, long *result);
void netlinks_forget(struct server *server);
/* Answers what `ss` asks, with the lock: calls_diag.c. */
struct netlink_asker;
void diag_answer(struct call *call, const struct netlink_asker *asker, const uint8_t *request,
                 size_t length);

/* ---- listeners: calls_accept.c ---- */

/* Connections wait: answers who waits for them, or makes the listener readable. */
void listener_serve(struct server *server, struct conduit *listener, uint64_t now);

/* ---- active opens: calls_connect.c ---- */

/* Gives the program's end the send buffer that a connected stream has. */
void stream_end_widen(struct conduit *conduit, int end);
/* Makes the program's end, of which `end` is a duplicate, not writable. */
void end_stuff(struct conduit *conduit, int end);
/* ... and writable again. */
void end_unstuff(struct server *server, struct conduit *conduit);
void connect_succeeded(struct server *server, struct conduit *conduit, uint64_t now);
void connect_failed(struct server *server, struct conduit *conduit, uint64_t now);

/* ---- datagrams: calls_receive.c ---- */

/* Gives a datagram to the oldest caller that waits for one. True if one took it. */
bool datagram_offer(struct server *server, struct conduit *conduit, const uint8_t *data,
                    size_t length, const struct datagram_note *note);
/* Forgets datagrams that were taken by calls that are not notified, and takes back wakes for what
 * has been told. */
void datagrams_settle(struct call *call, struct conduit *conduit);
/* Answers MSG_ERRQUEUE: calls_report.c. With the lock; lets go of it. */
struct message;
long report_receive(struct call *call, struct conduit *conduit, const struct message *message);
/* Gives the pending error to the oldest caller that waits for a datagram. True if one took it. */
bool datagram_error_answer(struct conduit *conduit);

#endif
