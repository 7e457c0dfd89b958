/* The computers of the network as the control half knows them: names, addresses, and who uses them.
 */
#ifndef TOOL_DAEMON_COMPUTERS_H
#define TOOL_DAEMON_COMPUTERS_H

#include "tool/daemon/daemon.h"

struct computer {
    struct computer *next;
    int number; /* in the network */
    char name[NAME_TEXT];
    char address[BERTH_IP_TEXT];
    char address6[BERTH_IP_TEXT]; /* empty: none */
    bool kept;                    /* by `up`: stays without users */
    unsigned users;               /* connections that joined it */
    char command[NAME_TEXT];      /* of `up`, or empty */
    bool ended;                   /* it has ended, with this status: */
    int status;
    time_t since;
    uint64_t leaves; /* CLOCK_MONOTONIC ns: when it goes at the latest; departures.c */
};

/* Makes the switch with these subnets unless one is there with the same. subnet6 NULL: the one that
 * goes with the IPv4 one; SUBNET_NONE: none. 0, or a negative errno with a sentence in
 * error[SENTENCE]. */
int network_prepare(struct daemon *daemon, const char *switch_name, const char *subnet,
                    const char *subnet6, char *error);

struct computer *computer_find(struct daemon *daemon, const char *name);
/* The one of that name; otherwise NULL with a sentence that proposes the nearest name. */
struct computer *computer_require(struct daemon *daemon, const char *name, char *error);
/* A new one. name NULL: the first free of pc1, pc2...; ip, ip6: addresses of either family that it
 * is to have, or NULL: the network chooses. NULL with a sentence. */
struct computer *computer_add(struct daemon *daemon, const char *name, const char *ip,
                              const char *ip6, char *error);
/* True if that is its address; NULL is anybody's. */
bool computer_answers_to(const struct computer *computer, const char *ip);
/* What nobody uses or keeps is to go: departures.c. */
void computers_tidy(struct daemon *daemon);
void computers_free(struct daemon *daemon);

#endif
