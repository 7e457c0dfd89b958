/* Makes what a description says: networks, computers, links, routes. */
#ifndef TOOL_CLI_TOPOLOGY_H
#define TOOL_CLI_TOPOLOGY_H

#include "tool/cli/spec.h"

/* On a connection to a daemon, which is started if need be: the connection, on which the network is
 * up, or -1 when that failed and has been said. `print`: names and addresses on standard output. */
int topology_make(const char *net, const char *path, const struct spec *spec, bool print);

#endif
