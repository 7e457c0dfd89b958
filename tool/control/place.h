/* Where a network's daemon is met: NET.sock in a directory that belongs to the user alone,
 * $XDG_RUNTIME_DIR/berth or, without a usable one, /tmp/berth-UID. flock() on the directory orders
 * who starts, leaves and cleans up: a socket in it is made, connected to and taken away only under
 * that lock. So a client never meets a daemon that has decided to leave. */
#ifndef TOOL_CONTROL_PLACE_H
#define TOOL_CONTROL_PLACE_H

#include <stdbool.h>
#include <stddef.h>

enum { PLACE_PATH = 4096, PLACE_NAME = 63 };

struct place {
    char path[PLACE_PATH];       /* of the directory */
    char socket[PLACE_NAME + 8]; /* NET.sock */
    int directory;               /* its descriptor; -1: not open */
};

/* True for names of networks, computers and switches: letters, digits, `-`, `_` and `.`, 1..63, not
 * starting with `-` or `.`. */
bool place_name_valid(const char *name);

/* Says where; opens nothing. 0, or a negative errno with a sentence in error[size] (-EINVAL: the
 * name; -EPERM: the directory is somebody else's). */
int place_locate(struct place *place, const char *net, char *error, size_t size);
/* Opens the directory and takes the lock; `make`: makes the directory if it is not there. `wait`:
 * waits for the lock, else -EWOULDBLOCK. -ENOENT: no directory. */
int place_lock(struct place *place, bool make, bool wait, char *error, size_t size);
/* Gives the lock back and closes the directory. */
void place_unlock(struct place *place);

/* The following only under the lock. */

/* Connects; a close-on-exec descriptor, or -ENOENT, -ECONNREFUSED (nobody listens: stale), -EAGAIN
 * (its queue is full). */
int place_connect(const struct place *place);
/* A listening socket of mode 0600 in place of whatever is there. A descriptor or a negative errno.
 */
int place_listen(const struct place *place);
/* Takes the socket away, and the directory when it is empty then. */
void place_remove(struct place *place);

#endif
