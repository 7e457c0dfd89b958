/* What links do to frames, as requests and replies say it: objects with the fields of struct
 * berth_impairment, times in ns, parts of 1, names for what is one of several. */
#ifndef TOOL_DAEMON_IMPAIRMENTS_H
#define TOOL_DAEMON_IMPAIRMENTS_H

#include "tool/daemon/daemon.h"

/* Merges the fields of `set` into *impairment. False with a sentence when one is unknown or out of
 * bounds. */
bool impairment_read(json_t *set, struct berth_impairment *impairment, char *error);
/* What it does; nothing: an empty object. NULL: memory. */
json_t *impairment_pack(const struct berth_impairment *impairment);

#endif
