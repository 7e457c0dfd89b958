/* The end of the daemon, so that it never comes too early and nothing stays.
 *
 * A network lives as long as somebody uses it: a run, `up`, or a client that is about to say what
 * it wants. Onlookers (`logs -f`) do not count. The last one gone, the daemon takes the lock of the
 * directory (place.h), looks once more whether a client has connected meanwhile, and only then
 * takes its socket away. A client that comes later finds no socket and starts a new daemon.
 * That holds from the first moment: whoever starts a daemon has connected before giving the lock
 * back.
 *
 * `down` makes it end earlier: everybody is told, guards end their programs, and their connections
 * close one by one.
 *
 * A keeper, a small process of its own, waits for the daemon's end at a pipe and takes the socket
 * away if the daemon could not (kill -9). If the keeper is killed the daemon starts another. If
 * both are, the next client takes the stale socket away. */
#ifndef TOOL_DAEMON_LIFECYCLE_H
#define TOOL_DAEMON_LIFECYCLE_H

#include "tool/daemon/daemon.h"

/* All programs are to end; `why` is told to their users. */
void lifecycle_down(struct daemon *daemon, const char *why);
/* True while a run or `up` uses the network. Otherwise there is a daemon, but no network any more.
 */
bool lifecycle_used(const struct daemon *daemon);
/* The one who said `up` has gone. */
void lifecycle_up_left(struct daemon *daemon);
/* After each step: sees whether it is time to go (daemon->gone). Returns how many milliseconds the
 * next step may wait, -1: any. */
int lifecycle_look(struct daemon *daemon);

/* Starts the keeper and watches it. 0 or a negative errno. */
int keeper_start(struct daemon *daemon);
/* Lets the keeper go: there is nothing left to be cleaned up. Waits for its end. */
void keeper_dismiss(struct daemon *daemon);
/* The keeper's own life; standard input is the pipe, parent the daemon. The process's exit status.
 */
int keeper_run(const char *net, pid_t parent);

#endif
