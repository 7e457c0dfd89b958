/* Computers that go when their connections have ended. */
#ifndef TOOL_DAEMON_DEPARTURES_H
#define TOOL_DAEMON_DEPARTURES_H

#include "tool/daemon/computers.h"

/* Nobody uses it any more: given. */
void computer_leave(struct daemon *daemon, struct computer *computer);
/* Takes away those that are done. How many milliseconds until it must look again, -1: not. */
int departures_look(struct daemon *daemon);
/* True if one of them has that name. */
bool departures_name(const struct daemon *daemon, const char *name);
/* Takes away at once those with this name or one of these addresses (NULL: none); all, if name
 * is NULL. */
void departures_hasten(struct daemon *daemon, const char *name, const char *ip, const char *ip6);

#endif
