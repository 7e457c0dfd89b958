/* What the files of the serving half share. Nothing else includes it.
 *
 * Threads: the data thread (data_thread.c), one notify thread per run (notify_thread.c), and those
 * of the control half that come in by server_lock(). All of them drive the network themselves,
 * under the one lock: a call needs no hand-over to another thread. Whoever unlocks first settles:
 * the network runs until nothing moves, and what became of the sockets is carried to the programs.
 * Only what is the data thread's work (receiving from held ends, closing them, waiting for time)
 * makes it wake. While it is awake, and on one processor always, it also tells listeners, which may
 * wake a program. A notify thread with nothing to do does some of that work itself (data_help):
 * whoever does it holds `turn`, which is taken before the lock, so that one does it at a time. */
#ifndef TOOL_DAEMON_SERVER_STATE_H
#define TOOL_DAEMON_SERVER_STATE_H

#include "tool/daemon/conduit.h"
#include "tool/daemon/reach.h"
#include "tool/daemon/server.h"

#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>

enum { GHOSTS_MAX = 1024, OUTSIDE_MAX = 64, PORT_CHAINS = 256, CLOSING_MAX = 128 };

/* epoll data that is no conduit's id: a conduit's generation never reaches these. */
#define EPOLL_WAKE UINT64_MAX
#define EPOLL_OUTSIDE UINT64_C(0xffffffff00000000)
#define EPOLL_GATEWAY UINT64_C(0xfffffffe00000000)

struct outside {
    int port;
    int fd;
};

struct inlets;

/* Listeners whose programs are to be told of connections, once the lock has been let go of. */
enum { TELLS_MAX = 16 };
struct tells {
    struct tell {
        struct conduit *listener;
        unsigned octets;
    } list[TELLS_MAX];
    int count;
};

struct server {
    pthread_mutex_t turn;  /* who holds it does the data thread's work */
    struct inlets *inlets; /* ... and has these */
    pthread_mutex_t lock;
    struct berth_network *network;
    struct conduit_table conduits;
    struct run *runs;
    int next_run;
    int epoll;
    int wake;        /* eventfd */
    int descriptors; /* conduits may have those below this number */
    int spin;        /* looks at the lock before sleeping on it */
    pthread_t data_thread, worker;
    atomic_bool stopping;
    atomic_int holder;   /* the processor on which the lock was taken last */
    int caller;          /* the computer whose program's call is being served; -1: none */
    atomic_uint waiting; /* threads that look at the lock */
    atomic_bool called;  /* there is work that only the data thread can do */
    bool working;        /* somebody has the turn: worker */
    bool summoned;       /* only the data thread itself can do what it was woken for */
    bool asleep;         /* the data thread waits, and must be woken for work that only it can do */
    uint64_t asleep_until;              /* ... and goes on by itself then */
    bool unsettled;                     /* the network has more to do at once */
    struct conduit *ready;              /* to receive from */
    struct conduit *doomed;             /* whose held ends are to be closed */
    struct conduit *ports[PORT_CHAINS]; /* listeners and bound datagram sockets */
    uint64_t ghosts[GHOSTS_MAX];        /* ids, oldest overwritten */
    unsigned next_ghost;
    int closing[CLOSING_MAX]; /* held ends that the data thread closes when it has unlocked */
    int closing_count;
    struct tells tells; /* to be sent by who unlocks: tells.c */
    uint64_t waiters_deadline;
    struct netlink_socket *netlinks; /* calls_netlink.c */
    struct outside outside[OUTSIDE_MAX];
    int outside_count;
    struct gateway *gateway;            /* NULL: there is none; gateway.h */
    struct sealed *sealed, *sealed_end; /* sealed.c */
    uint64_t sealed_now;
    bool sealed_off; /* the kernel does not splice between such sockets */
    int pipe[2];     /* for splice(); empty between calls; -1 until it is needed */
    struct server_counters counters;
    atomic_ullong notified_calls; /* of them; counted without the lock */
};

/* The last call of a thread, in case its answer was lost to a signal; see notify_thread.c. */
struct replay {
    pid_t thread;
    int number;
    uint64_t arguments[6];
    long result;
    uint64_t when;
    bool lost; /* the kernel said so */
};
enum { REPLAYS = 64, MESSAGE_MAX = 65536 };

/* A program's end on its way to the program, which is not told under the lock: who looks for it
 * meanwhile finds it here. The notify thread writes, and empties it with the lock only. */
struct given {
    atomic_ullong id; /* of the conduit; 0: none */
    atomic_int end;   /* of the daemon, until the program has it; then -1 */
    atomic_int fd;    /* of the program; -1: not yet */
};

/* A program tree that is served. */
struct run {
    struct run *next;
    struct server *server;
    int number;
    int host;
    int listener;
    struct reach *reach;
    struct server_run_ops ops;
    bool hidden_noted; /* that a program may not be looked into */
    pthread_t thread;
    atomic_bool stopping, stopped;
    struct waiter *waiters; /* newest first */
    struct given given;
    struct conduit *spare; /* a pair that accept() made ahead and did not need */
    bool spare_nonblocking;
    atomic_uint waiter_count;       /* the list's length, to be looked at without the lock */
    struct replay replays[REPLAYS]; /* by thread; of the notify thread alone, as what follows */
    uint64_t files_noted;           /* when descriptors were last said to be out */
    uint64_t noted;                 /* when ports were last said to be out */
    uint64_t taken_noted;           /* since when ports are said to be taken ... */
    unsigned taken_notes;           /* ... and how many were in the second since */
    unsigned
        next_range; /* where to look for the next free descriptor number for a datagram socket */
    uint8_t message[MESSAGE_MAX];
};

/* ---- server.c ---- */

void server_take(struct server *server);      /* locks */
uint64_t server_enter(struct server *server); /* locks; the time */
void server_leave(struct server *server,
                  uint64_t now); /* settles, wakes the data thread if it must, unlocks */
/* In the middle of longer work: lets those have the lock who wait for it. The time. */
uint64_t server_give_way(struct server *server, uint64_t now);
/* A call on a socket of this conduit was made. */
void server_touch(struct server *server, const struct conduit *conduit);
/* Whether the caller is who does the data thread's work just now. */
bool server_has_turn(const struct server *server);
/* Moves everything that can move now. */
void server_settle(struct server *server, uint64_t now);
/* The same in steps, between which others may have the lock: for who does the data thread's work,
 * which telling programs is most of. */
void server_settle_sharing(struct server *server, uint64_t now);

/* ---- that connections wait: tells.c ---- */

/* Makes the listener readable: an octet for each of `waiting` connections, when the lock is let go
 * of by server_unlock_telling(), which is how all do who settled before. */
void listener_tell(struct server *server, struct conduit *listener, unsigned waiting);
void server_unlock_telling(struct server *server);
/* No connection waits: takes the octets back, from the program's end. With the lock. */
void listener_hush(struct server *server, struct conduit *listener, int end);
/* Waits until nobody sends to the held end any more. With the lock. */
void listener_told(struct server *server, struct conduit *listener);

/* ---- life of conduits: life.c ---- */

/* The engine's host, if it and the conduit's socket there still are; else NULL. */
struct berth_host *conduit_host(struct server *server, const struct conduit *conduit);
/* Into the table and epoll. 0 or a negative errno. */
int conduit_enter(struct server *server, struct conduit *conduit);
/* Asks epoll to tell (or no more) when the program's queue has room. */
void conduit_watch_room(struct server *server, struct conduit *conduit, bool wanted);
/* Has the data thread receive from it. */
void conduit_ready(struct server *server, struct conduit *conduit);
/* Has the data thread close the held end, so that the program sees a broken connection; then it is
 * a ghost. */
void conduit_doom(struct server *server, struct conduit *conduit, int error);
/* With the turn: does it for all that are doomed. */
void conduits_break(struct server *server, uint64_t now);
/* With the turn, without the lock: closes held ends whose conduits are gone. */
void held_close_all(struct server *server);
/* With the turn: the program closed its socket. abort: with a RST. The conduit is freed or a
 * ghost. */
void conduit_close(struct server *server, struct conduit *conduit, bool abort, uint64_t now);
/* True if no program has an end of this unconnected socket any more, though the data thread has not
 * heard of it yet: the engine's socket is let go at once, so that a port is free as soon as close()
 * has returned, as on Linux. Any thread. */
bool conduit_left(struct server *server, struct conduit *conduit, uint64_t now);
/* Notes the port of a listener or a datagram socket, once it has one. */
void port_enter(struct server *server, struct conduit *conduit);
/* Does conduit_left for those that listen at this port: a connect() after a close() must be
 * refused. */
void port_leave(struct server *server, int host, const struct berth_endpoint *remote, uint64_t now);
/* Before a program is given the conduit's end, with the lock, which may be let go of then: the end
 * is the caller's. After it, without the lock: the program has it as number `fd`, or has it not,
 * and then it is the conduit's again if that still is there (returned, with the lock held) or is
 * closed (NULL, the lock is held too). */
int end_send(struct run *run, struct conduit *conduit);
void end_sent(struct run *run, int fd);
struct conduit *end_unsent(struct run *run);
/* With the lock: what is known of the last one is noted where it belongs. */
void end_note(struct run *run);
/* Takes a conduit out that no program got. Any thread; the data thread must not know it yet, or it
 * is left to it. */
void conduit_forget(struct server *server, struct conduit *conduit, uint64_t now);
/* A duplicate of the program's end, found where it was seen last or anywhere; -ENOENT. */
int conduit_program_end(struct server *server, const struct conduit *conduit);

/* ---- what happens to the sockets: events.c ---- */

void event_handle(struct server *server, const struct berth_network_event *event, uint64_t now);

/* ---- engine to program: data_out.c ---- */

/* Gives the program what the engine holds for it, as far as it fits. */
void stream_deliver(struct server *server, struct conduit *conduit, uint64_t now);
void datagrams_deliver(struct server *server, struct conduit *conduit, uint64_t now);
/* An error waits for a datagram socket (0: none): answers who waits, or makes it readable.
 * reported: a report waits too, which makes it readable in any case. */
void datagram_error(struct conduit *conduit, int error, bool reported);
/* Makes a datagram socket readable without a datagram. */
void datagram_wake(struct conduit *conduit);

/* ---- program to engine: data_in.c (with the turn) ---- */

struct inlets *inlets_new(void);
void inlets_free(struct inlets *inlets);
/* With the lock: chooses from whom to receive. Returns how many. */
int inlets_plan(struct inlets *inlets, struct server *server, uint64_t now);
/* Without the lock. */
void inlets_receive(struct inlets *inlets);
/* With the lock: hands what was received to the engine. */
void inlets_commit(struct inlets *inlets, struct server *server, uint64_t now);

/* ---- data_thread.c ---- */

void *data_thread_run(void *server);
/* Of a notify thread: a turn in the data thread's place, if no call waits at its listener, there is
 * work and nobody is at it. Without the lock. */
void data_help(struct server *server, int listener);

/* ---- outside.c ---- */

void outside_receive(struct server *server, int index, uint64_t now);
void outside_flush(struct server *server);

/* ---- owners.c ---- */

/* Finds a process that has the socket with this inode open, and its descriptor there. */
bool owner_find(uint64_t inode, pid_t *process, int *fd);
/* "nginx (pid 7)", or "a program" when nobody is found. */
void owner_describe(uint64_t inode, char *text, size_t size);

#endif
