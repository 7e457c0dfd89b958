/* Devices of the machine on the network, and what links do to frames. */
#ifndef TOOL_DAEMON_NETEM_H
#define TOOL_DAEMON_NETEM_H

#include "tool/daemon/daemon.h"

/* A switch port whose other end is a device of the machine. */
struct outside {
    struct outside *next;
    int number;
    char name[NAME_TEXT];
};

void outsides_free(struct daemon *daemon);

#endif
