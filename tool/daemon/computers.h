/* The computers of the network as the control half knows them: names, addresses, and who uses them.
 */
#ifndef TOOL_DAEMON_COMPUTERS_H
#define TOOL_DAEMON_COMPUTERS_H

#include "tool/daemon/daemon.h"

/* PAUSED and OFF: it stands still; OFF: and nothing runs on it. */
enum power { POWER_ON, POWER_PAUSED, POWER_OFF };

struct computer {
    struct computer *next, **link;
    int number; /* in the network */
    char name[NAME_TEXT];
    char address[BERTH_IP_TEXT];  /* of its first link */
    char address6[BERTH_IP_TEXT]; /* empty: none */
    bool kept;                    /* by `up`: stays without users */
    unsigned users;               /* connections that joined it */
    char command[NAME_TEXT];      /* of `up`, or empty */
    bool ended;                   /* it has ended, with this status: */
    int status;
    time_t since;
    enum power power;
    bool dying;      /* its programs are being killed */
    bool restarts;   /* and then it is switched on again */
    bool begins;     /* `up` has yet to hear of that */
    uint32_t group;  /* while a partition is made */
    uint64_t leaves; /* CLOCK_MONOTONIC ns: when it goes at the latest; departures.c */
};

struct computer *computer_find(struct daemon *daemon, const char *name);
/* The one of that name; otherwise NULL with a sentence that proposes the nearest name. */
struct computer *computer_require(struct daemon *daemon, const char *name, char *error);
/* A link that a new computer is to have. */
struct wish {
    const struct daemon_lan *lan; /* NULL: where its address belongs, else the first */
    const char *ip, *ip6;         /* of either family; NULL: the network's choice */
};
/* A new one, with one link at least. name NULL: the first free of pc1, pc2... NULL with a sentence.
 */
struct computer *computer_add(struct daemon *daemon, const char *name, const struct wish *wishes,
                              size_t count, char *error);
/* True if that is one of its addresses; NULL is anybody's. */
bool computer_answers_to(struct daemon *daemon, const struct computer *computer, const char *ip);
/* What nobody uses or keeps is to go: departures.c. */
void computer_tidy(struct daemon *daemon, struct computer *computer);
void computers_tidy(struct daemon *daemon);
void computers_free(struct daemon *daemon);

/* plugs.c */
/* Adds it to the network with those links. Its number, or a negative errno with a sentence. */
int computer_plug(struct daemon *daemon, struct computer *computer, const struct wish *wishes,
                  size_t count, char *error);
void computer_unplug(struct daemon *daemon, struct computer *computer);

#endif
