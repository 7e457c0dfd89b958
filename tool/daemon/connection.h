/* One client of the control socket. It may send anything, in pieces, and read slowly or never: the
 * daemon reads no further than it could answer, and holds a bounded number of octets for it. */
#ifndef TOOL_DAEMON_CONNECTION_H
#define TOOL_DAEMON_CONNECTION_H

#include "tool/control/framing.h"
#include "tool/daemon/daemon.h"

struct run;
struct follower;
struct dump;

struct connection {
    struct daemon *daemon;
    struct connection *next, **link;
    struct poll_source source;
    struct control_reader reader;
    struct control_writer writer;
    uint64_t id;
    bool watcher;              /* looks on: does not keep the network alive */
    bool awaits_power;         /* asked for a computer's end: answered when it is off */
    bool stays;                /* said `down`: its end is the sign that all is over */
    bool finished;             /* close it when all is sent */
    bool broken;               /* close it now */
    struct run *run;           /* after `join` */
    struct follower *follower; /* after `logs` with `follow` */
    struct dump *dump;         /* after `dump` */
    bool awaits_dumps;         /* said `dump stop`: answered when all is written */
};

/* Watches the listening socket. */
int connection_listen(struct daemon *daemon, int listener);
/* Takes those that wait at the listening socket. True if there was one. */
bool connection_accept(struct daemon *daemon);
void connection_reply(struct connection *connection,
                      json_t *reply); /* given; NULL: out of memory */
/* A reply with a document: `fd` (given) is read by the client. */
void connection_reply_document(struct connection *connection, int fd);
void connection_ok(struct connection *connection);
void connection_refuse(struct connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A line that nobody asked for; dropped when the client is too slow. */
void connection_tell(struct connection *connection, const char *key, const char *text);
/* Octets as they are (followed logs). False: no room now. */
bool connection_put(struct connection *connection, const char *data, size_t length);
/* Sends what was put, as far as it goes. */
void connection_flush(struct connection *connection);
/* Closes those that are finished or broken. */
void connection_sweep(struct daemon *daemon);
/* Closes one: what it used is given back. */
void connection_close(struct connection *connection);

#endif
