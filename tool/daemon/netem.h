/* What links do to frames, as requests say it: an object with the fields of struct
 * berth_impairment. */
#ifndef TOOL_DAEMON_NETEM_H
#define TOOL_DAEMON_NETEM_H

#include "tool/daemon/daemon.h"

/* Merges the fields of `set` into *impairment. False with a sentence when one is unknown or out of
 * bounds. */
bool impairment_read(json_t *set, struct berth_impairment *impairment, char *error);

/* A switch port whose other end is a device of the machine. */
struct outside {
    struct outside *next;
    int number;
    char name[NAME_TEXT];
};

void outsides_free(struct daemon *daemon);

#endif
