/* The serving half of the daemon: the network under its lock, the data thread that runs links,
 * engine and descriptors, and one small thread per started program that answers its notified calls.
 * The control half (control.c, lifecycle) uses only this. */
#ifndef TOOL_DAEMON_SERVER_H
#define TOOL_DAEMON_SERVER_H

#include <berth/network.h>
#include <stdbool.h>
#include <sys/types.h>

struct server; /* opaque */

/* Takes over the network (given) and starts the data thread. NULL when something is missing
 * (errno). */
struct server *server_new(struct berth_network *network);
/* Ends all threads and frees the network. Programs that still run see errors. */
void server_free(struct server *server);

/* Around any use of the network. unlock lets what was done take effect. now: the network's time,
 * valid until unlock. */
struct berth_network *server_lock(struct server *server, uint64_t *now);
void server_unlock(struct server *server);

/* What the control half wants to hear of a run. */
struct server_run_ops {
    /* A message for the person who started it ("port 80/tcp is taken by nginx (pid 7) since
     * 12:01:02"). Called from any thread with no lock held; must not block. */
    void (*note)(void *context, const char *text);
    void *context;
};
/* Serves the calls of the program tree behind `listener` (seccomp notify descriptor, given) as
 * computer `host`. `reach`: socket to the guard (given). program: a process id in the tree, to find
 * out whether reaching directly works. Returns a run number or a negative errno. */
int server_attach(struct server *server, int host, int listener, int reach, pid_t program,
                  const struct server_run_ops *ops);
/* Ends the serving of a run (its guard is gone); waits for its thread. */
void server_detach(struct server *server, int run);

/* True while the computer has something to say or to hear: a program's socket is open, or a
 * connection has not ended (TIME-WAIT is an end). */
bool server_host_busy(struct server *server, int host);

/* Who holds a socket, for `ss -p`: processes with the program's end of it open. */
struct server_owner {
    pid_t pid;
    char name[16];
    int fd;
};
/* A snapshot that maps sockets to processes by one walk over /proc. NULL: memory. */
struct server_owners;
struct server_owners *server_owners_find(struct server *server);
void server_owners_free(struct server_owners *owners);
/* Up to `max` owners of the socket whose engine user data is `user`; returns how many there are. */
size_t server_owners_of(const struct server_owners *owners, uint64_t user,
                        struct server_owner *found, size_t max);

/* A TAP device or the like: frames read from and written to `fd` (given) belong to that outside
 * port. */
int server_add_outside(struct server *server, int outside_port, int fd);

/* What the serving half has done so far: calls of programs answered, turns of the data thread,
 * receives from and sends to programs' sockets, frames to and from the outside. docs/performance.md
 * goes by them. */
struct server_counters {
    uint64_t notified_calls, wakeups, receives, sends, frames;
};
void server_counters(struct server *server, struct server_counters *counters);

#endif
