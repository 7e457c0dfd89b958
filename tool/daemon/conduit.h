/* A conduit: one socket of a program, as the daemon sees it.
 *
 * The program has one end of an AF_UNIX socket pair in the place of its TCP or UDP socket; the
 * daemon has the other, the *held* end, and a socket of the engine. Octets go between the two:
 * data_in.c takes what the program wrote, data_out.c gives it what the peer sent. The daemon keeps
 * no duplicate of the program's end: it would hide the program's close.
 *
 *            program's end | held end          engine socket
 *   program ---------------+---------- conduit ------------- TCP, UDP
 *
 * Life of a stream:
 *
 *   FRESH --listen--> LISTENING --.
 *     |  ^                        |
 *     |  `--refused (blocking)-.  |
 *     `--connect--> CONNECTING-+--+--> GHOST --> freed
 *                      |          |
 *                      `-> CONNECTED (also: accepted)
 *
 * The held end's hanging up means that the program closed its socket, or that both directions were
 * shut down; which one cannot be told. So a conduit whose engine socket is gone stays as a GHOST
 * that answers questions (SO_ERROR, names); the oldest ghosts are forgotten first.
 *
 * A program's descriptor is recognised by the cookie (SO_COOKIE) of the socket behind it: it is
 * never used twice, and the same for every duplicate in every process.
 *
 * All fields are guarded by the server's lock, but for this: who has the turn (the data thread, or
 * who helps it) receives from `held` without the lock. So only he closes `held` and frees conduits.
 * And a listener's `held` is sent to without it: tells.c.
 */
#ifndef TOOL_DAEMON_CONDUIT_H
#define TOOL_DAEMON_CONDUIT_H

#include <berth/network.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct server;
struct run;
struct waiter;
struct option_memory;

enum conduit_state {
    CONDUIT_FRESH = 1,
    CONDUIT_LISTENING,
    CONDUIT_CONNECTING,
    CONDUIT_CONNECTED,
    CONDUIT_GHOST
};

/* What the daemon remembers of a datagram that lies in the program's queue, in order. */
struct datagram_note {
    struct berth_datagram meta;
    struct timespec arrived; /* where the program wants to know it: SO_TIMESTAMP */
    bool is_wake; /* no datagram: an empty one that makes the socket readable for something else */
};
/* A datagram that was taken out for a caller who had gone when he was answered: the next one's. */
struct datagram_returned {
    struct berth_datagram meta;
    struct timespec arrived;
    size_t length;
    uint8_t data[];
};
/* ... and a report, likewise. */
struct report_returned {
    struct berth_error_report what;
    uint8_t quote[];
};
struct datagram_queue {
    struct datagram_note *notes; /* a ring */
    unsigned first, count, capacity;
    unsigned wakes; /* of the notes, those that are no datagram */
    size_t octets;  /* of the datagrams in the queue */
};

struct conduit {
    uint64_t id;     /* slot, and generation << 32: the engine's user data and epoll's */
    uint64_t cookie; /* of the program's end */
    uint64_t inode;  /* of the program's end, as in /proc/PID/fd */
    struct conduit *cookie_next;
    struct conduit *ready_next;  /* waits for the data thread to receive */
    struct conduit *doomed_next; /* waits for the data thread to close its held end */
    struct conduit *returned_next;
    struct conduit *port_next;
    int held;
    int spare_end; /* the program's end while no program has it; else -1 */
    int host;
    berth_handle socket; /* 0: none */
    uint16_t port;       /* a listener's */
    uint8_t protocol;    /* enum berth_protocol */
    uint8_t family;      /* 4 or 6 */
    uint8_t state;       /* enum conduit_state */
    uint8_t junk;        /* octets of ours that lie in the held end's queue (connect.c) */
    bool ready, doomed;
    bool unblocked;        /* the held end itself does not wait */
    bool wide;             /* the held end's send buffer has its size */
    bool readable;         /* the held end may hold octets that no edge will tell of */
    bool in_full;          /* not received, because the engine has no room */
    bool out_full;         /* not given, because the program's queue has no room */
    bool hung_up;          /* the held end hung up: receive what is left, then close */
    bool reset;            /* it was closed with unread data, once what it wrote is on its way */
    bool finished;         /* the program's end of stream went to the engine */
    bool peer_closed;      /* the engine said that the peer's FIN is next */
    bool fin_given;        /* ... and the program has been told */
    bool discarding;       /* the program has shut down reading */
    bool urgent_in;        /* the program has sent urgent data */
    bool urgent_out;       /* the peer has sent urgent data */
    bool bulk;             /* the last receive filled its room */
    bool soiled;           /* a ghost's: the program's end has ECONNRESET, or has told it */
    bool connected;        /* ... or was, before it became a ghost */
    bool slim;             /* the program's send buffer is made small (connect.c) */
    bool in_range;         /* a datagram socket whose reads and writes are notified */
    bool broken;           /* to be doomed once the program has been given all */
    bool shut_read;        /* a datagram socket's: the program shut down receiving */
    bool shut_write;       /* ... or sending */
    bool shut;             /* the program shut down both directions */
    bool in_call;          /* its connect() is being handled right now */
    bool report_connected; /* the second connect() has yet to say 0 */
    uint8_t option_bits;   /* enum conduit_option_bits */
    int send_buffer_asked, receive_buffer_asked; /* 0: not */
    int error;                                   /* positive errno that SO_ERROR has yet to tell */
    size_t sealed;             /* octets in `held` that the engine has as sealed blocks */
    unsigned ready_octets;     /* a listener's: octets that make it readable, or will: tells.c */
    atomic_uint telling;       /* ... of these, on their way without the lock */
    atomic_uint unsent_octets; /* ... and those that found no room */
    struct conduit *returned;  /* a listener's: accepted, but the caller had gone */
    struct waiter *waiters;
    struct datagram_queue datagrams;
    struct datagram_returned *datagram_returned;
    struct report_returned *report_returned;
    struct option_memory *options;    /* what is only remembered: options_values.c */
    struct berth_endpoint last_local; /* of a ghost */
    /* Where it was seen last, to find the program's end again. */
    struct run *run;
    pid_t thread;
    int fd;
    struct timespec bound; /* wall clock at bind() or listen() */
};

/* Of both ends; setsockopt doubles it, and wmem_max caps it. A stream's buffers hold what a bulk
 * flow has on its way: not so much that it leaves the processor's cache (measured: 1 MiB costs a
 * seventh of the throughput). A datagram socket's decide how many small datagrams wait. */
enum { CONDUIT_STREAM_BUFFER = 1 << 18, CONDUIT_DATAGRAM_BUFFER = 1 << 20 };

enum conduit_option_bits {
    CONDUIT_PKTINFO = 1u << 0,
    CONDUIT_RECVTTL = 1u << 1,
    CONDUIT_RECVTOS = 1u << 2,
    CONDUIT_2292HOPLIMIT = 1u << 3, /* RFC 2292's name for CONDUIT_RECVTTL */
};

/* Finds conduits by id and by cookie. */
struct conduit_table {
    struct conduit **slots;
    uint32_t *generations;
    uint32_t *free_slots;
    uint32_t slot_count, free_count;
    struct conduit **buckets; /* by cookie */
    uint32_t bucket_count;    /* a power of two */
    uint32_t count;
};

int conduit_table_init(struct conduit_table *table);
void conduit_table_clear(struct conduit_table *table);
/* Puts it in and gives it its id; the cookie must be set. 0 or -ENOMEM. */
int conduit_table_insert(struct conduit_table *table, struct conduit *conduit);
void conduit_table_remove(struct conduit_table *table, struct conduit *conduit);
/* NULL when there is none (any more). */
struct conduit *conduit_find(const struct conduit_table *table, uint64_t id);
struct conduit *conduit_find_cookie(const struct conduit_table *table, uint64_t cookie);

/* A new pair of descriptors with its conduit, not yet in the table: the program's end is
 * conduit->spare_end. nonblocking: for both ends. most: descriptors from this number on are left to
 * others (-ENFILE). NULL with *error a negative errno. Needs no lock. */
struct conduit *conduit_new(enum berth_protocol protocol, bool nonblocking, int most, int *error);
/* Closes its descriptors and frees it; not in the table. Needs no lock. */
void conduit_free(struct conduit *conduit);
/* Frees the remembered options: options_values.c. */
void options_forget(struct conduit *conduit);

/* SO_COOKIE of a socket; 0 if `fd` is none. */
uint64_t descriptor_cookie(int fd);
/* Sets SO_SNDBUF; a socket that is polled for room gets an edge, if it has room then. */
void descriptor_resize(int fd, int size);

/* UDP's datagrams, and echo requests. */
static inline bool conduit_is_datagram(const struct conduit *conduit) {
    return conduit->protocol != BERTH_TCP;
}

#endif
