/* The process behind `berth up`: starts the commands, hands what they say to the daemon as logs,
 * says how they ended, and goes when the network does. If it is killed its commands die with it,
 * and the network ends. */
#ifndef TOOL_CLI_SUPERVISE_H
#define TOOL_CLI_SUPERVISE_H

#include "tool/cli/spec.h"

#include <sys/types.h>

struct supervisor {
    const struct spec *spec;
    const char *net, *directory; /* directory: where the commands start */
    int control;                 /* the connection that said `up` */
    bool detached;
    int ready; /* detached: gets an octet when all is started; closed then. -1: none */
};

/* Until the network ends; returns the exit status. */
int supervise(struct supervisor *supervisor);

#endif
