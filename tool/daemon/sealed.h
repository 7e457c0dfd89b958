/* Bulk data whose octets stay in the kernel: see sealed.c. All of it with the server's lock. */
#ifndef TOOL_DAEMON_SEALED_H
#define TOOL_DAEMON_SEALED_H

#include "tool/daemon/server_state.h"

/* Data thread only. Hands what the program has written to the engine without receiving it, at most
 * `room` octets. False: nothing was handed over, receive as usual (all that was sealed before is
 * open then). */
bool sealed_take(struct server *server, struct conduit *conduit, struct berth_host *host,
                 size_t room, uint64_t now);
/* True if the first of these parts is sealed. */
bool sealed_first(const struct berth_part *parts, int count);
/* Moves the sealed parts at the start of parts[0..count) from the writer's socket to `to`'s.
 * Octets moved, a negative errno of the sending, or 0: they are open now, send them as usual. */
ssize_t sealed_move(struct server *server, struct conduit *to, const struct berth_part *parts,
                    int count);
/* Receives what of this writer's octets is sealed. */
void sealed_open(struct server *server, struct conduit *source);
/* Before anything looks into the network. */
void sealed_open_all(struct server *server);

#endif
