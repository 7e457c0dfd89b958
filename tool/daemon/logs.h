/* What the commands of `up` say: a ring for each computer, read from a pipe, and those who follow
 * it. */
#ifndef TOOL_DAEMON_LOGS_H
#define TOOL_DAEMON_LOGS_H

#include "tool/daemon/connection.h"

/* Keeps what comes through `fd` (given) as that computer's log, or as that of one of its processes
 * (NULL: it has one). 0 or a negative errno. */
int log_add(struct daemon *daemon, const char *host, const char *process, int fd);
void logs_free(struct daemon *daemon);

/* Sends a follower what it has not seen yet, as much as it takes. */
void follower_pump(struct connection *connection);
void follower_free(struct connection *connection);

#endif
