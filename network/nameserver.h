/* The network's names by TCP (RFC 7766): what a host's programs ask at port 53 of whatever
 * nameserver, unless a program of the network listens there. */
#ifndef NETWORK_NAMESERVER_H
#define NETWORK_NAMESERVER_H

#include <berth/host.h>

struct network_host;
struct nameserver;

/* Lets openings pass or answers them, and answers what was asked by the connections that are there.
 * True when the host has output of it. */
bool nameserver_serve(struct network_host *host);
/* When it wants to be called at the latest. */
uint64_t nameserver_deadline(const struct network_host *host);
/* The answer of somebody else to a query that came by that connection. */
void nameserver_answer(struct network_host *host, berth_handle stream, const uint8_t *data,
                       size_t length);
void nameserver_free(struct network_host *host);

#endif
