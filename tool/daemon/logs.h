/* What the commands of `up` say: a ring for each computer, read from a pipe, and those who follow
 * it. */
#ifndef TOOL_DAEMON_LOGS_H
#define TOOL_DAEMON_LOGS_H

#include "tool/daemon/connection.h"

/* Keeps what comes through `fd` (given) as that computer's log, or as that of one of its processes
 * (NULL: it has one). 0 or a negative errno. */
int log_add(struct daemon *daemon, const char *host, const char *process, int fd);
/* A log of the daemon's own, in whole lines. NULL: out of memory. It is the daemon's, and no longer
 * to be used once it has ended. */
struct log *log_open(struct daemon *daemon, const char *name);
void log_say(struct log *log, const char *line);
void log_end(struct log *log);
void logs_free(struct daemon *daemon);

/* Sends a follower what it has not seen yet, as much as it takes. */
void follower_pump(struct connection *connection);
/* The network ends: what was said is sent to all followers, but not for long to one who takes
 * nothing. */
void followers_end(struct daemon *daemon);
void follower_free(struct connection *connection);

#endif
