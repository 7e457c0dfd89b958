/* The process behind `berth up`: starts the commands in the order that they depend on each other,
 * asks for their health, starts anew what is to be, hands what they say to the daemon as logs, says
 * how they ended and whether that was expected, and goes when the network does. If it is killed its
 * commands die with it, and the network ends. */
#ifndef TOOL_CLI_SUPERVISE_H
#define TOOL_CLI_SUPERVISE_H

#include "tool/cli/spec.h"

#include <sys/types.h>

struct supervisor {
    const struct spec *spec;
    const char *path;            /* the file's, for messages */
    const char *net, *directory; /* directory: where the commands start */
    int control;                 /* the connection that said `up` */
    bool detached;
    bool wait;        /* until all is healthy, or as expected; the exit status says it */
    uint64_t timeout; /* of the waiting, ns; 0: none */
    int ready;        /* detached: gets an octet when all is started; closed then. -1: none */
};

/* Until the network ends; returns the exit status. */
int supervise(struct supervisor *supervisor);

/* True if the file says of some process what is to come of it. */
bool spec_expects(const struct spec *spec);

#endif
