/* `dump`: captures for people, each with a filter and a reader of its own.
 *
 * A dump belongs to the connection that asked for it. Its pcapng octets wait in chunks of memory
 * until the pipe takes them; frames that come when too much waits are counted, not kept: nobody's
 * disk and no terminal slows the network down. */
#ifndef TOOL_DAEMON_DUMP_H
#define TOOL_DAEMON_DUMP_H

#include "tool/daemon/connection.h"

/* The connection closes: its dump ends with it. */
void dump_leave(struct connection *connection);
/* The network ends: what waits is written, to who takes it. */
void dumps_end(struct daemon *daemon);

#endif
