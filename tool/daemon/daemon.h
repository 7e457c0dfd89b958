/* The daemon's control half, inside: who is connected, which computers there are, and when it all
 * ends.
 *
 * Everything here belongs to the main thread. The serving half (server.h) has its own threads; what
 * they want to say comes in through notes.h. The network itself is touched only between
 * server_lock() and server_unlock(). */
#ifndef TOOL_DAEMON_DAEMON_H
#define TOOL_DAEMON_DAEMON_H

#include "tool/control/place.h"
#include "tool/daemon/memory.h"
#include "tool/daemon/poller.h"
#include "tool/daemon/server.h"
#include "tool/daemon/subnets.h"

#include <jansson.h>
#include <stdbool.h>
#include <time.h>

enum { NAME_TEXT = PLACE_NAME + 1, SENTENCE = 512 };

struct connection;
struct computer;
struct daemon_lan;
struct notes;
struct log;
struct outside;
struct planned;

struct daemon {
    char net[NAME_TEXT];
    struct place place;
    int poller;
    struct memory memory; /* the network's */
    struct server *server;
    struct notes *notes;

    struct poll_source listener;
    struct connection *connections;
    uint64_t last_id; /* of connections: never used twice */
    int spare;        /* a descriptor to give up when there are no others, to turn a client away */
    bool sweep;       /* some connection is to be closed */

    struct computer *computers, **computers_end; /* in order of their numbers */
    void *computer_names;                        /* a tree of them (search.h) */
    struct computer *departures;                 /* nobody's any more, not yet gone */
    struct daemon_lan *lans;                     /* the first is where a run's computers are */

    struct connection *up; /* who said `up`, or NULL */
    time_t up_since;
    struct log *logs, **logs_end;
    unsigned log_count;
    int log_width; /* of the longest name */
    struct outside *outsides;
    struct planned *planned, *last_planned; /* faults to come, by their times */
    uint64_t plan_start;                    /* CLOCK_MONOTONIC ns; 0: not yet */
    json_t *plan_failed;                    /* what `up` has not heard of yet, or NULL */
    struct log *plan_log;

    bool ending;       /* going down: no new users */
    uint64_t deadline; /* CLOCK_MONOTONIC ns: then the connections that are left are closed */
    bool gone;         /* nobody is left and nobody can come */

    struct poll_source signals, keeper_end;
    pid_t keeper;
    int keeper_pipe, keeper_starts;
};

/* The whole life of the daemon; `listener`: a listening socket (given). The process's exit status.
 */
int daemon_run(const char *net, int listener);

uint64_t clock_monotonic(void);
/* A time of day, "12:01:02". */
const char *clock_text(time_t at, char text[16]);

#endif
