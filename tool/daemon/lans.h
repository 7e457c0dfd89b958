/* The network's switches with their subnets, as the control half knows them. */
#ifndef TOOL_DAEMON_LANS_H
#define TOOL_DAEMON_LANS_H

#include "tool/daemon/daemon.h"

struct daemon_lan {
    struct daemon_lan *next;
    int number; /* in the network */
    char name[NAME_TEXT];
    char subnet[SUBNET_TEXT], subnet6[SUBNET_TEXT]; /* subnet6 may be SUBNET_NONE */
};

/* Makes the switch with these subnets unless it is there already. subnet6 NULL: the one that goes
 * with the IPv4 one; SUBNET_NONE: none. 0, or a negative errno with a sentence in error[SENTENCE].
 */
int lan_prepare(struct daemon *daemon, const char *name, const char *subnet, const char *subnet6,
                char *error);
/* The first one, made if there is none yet; NULL with a sentence. */
struct daemon_lan *lan_first(struct daemon *daemon, char *error);
/* NULL: there is none of that name. */
struct daemon_lan *lan_find(struct daemon *daemon, const char *name);
/* The one in whose subnet the address is; else the first. */
const struct daemon_lan *lan_of_address(const struct daemon *daemon, const struct berth_ip *ip);
void lans_free(struct daemon *daemon);

#endif
