/* Which processes come from this one, daemonised ones too: it is their subreaper.
 *
 * Each thread of a process names its children in /proc/PID/task/TID/children, so that the cost is
 * that of the family and not of the machine: a network that goes down has a guard for each of its
 * programs, and a thousand guards that each read all of /proc take a minute. Not every kernel is
 * built with that file; where it is missing, one walk over /proc reads (process, parent) pairs, and
 * the family is found among the pairs. */
#ifndef TOOL_RUNNER_FAMILY_H
#define TOOL_RUNNER_FAMILY_H

#include <stddef.h>
#include <sys/types.h>

struct family {
    pid_t *list;
    size_t count, room;
};

/* Adds all descendants of this process. 0 or a negative errno: -ENOENT where the kernel does not
 * name children. A process that lost its parent while we looked may be missing, unless it is a
 * child of ours; whoever must have all looks again when one has died. */
int family_by_children(struct family *family);
int family_by_parents(struct family *family);
/* The first of the two that there is. */
int family_find(struct family *family);
void family_clear(struct family *family);

#endif
