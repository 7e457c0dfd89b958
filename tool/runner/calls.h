/* Which system calls of a program are answered by Berth: the table that the filter is made of. */
#ifndef TOOL_RUNNER_CALLS_H
#define TOOL_RUNNER_CALLS_H

#include "tool/runner/range.h"

#include <seccomp.h>
#include <stddef.h>

enum { CALLS_MAX_CONDITIONS = 2 };
struct call_rule {
    int number;      /* of the call, as in <sys/syscall.h> */
    unsigned action; /* SCMP_ACT_NOTIFY, or SCMP_ACT_ERRNO(n): answered n by the filter itself */
    unsigned conditions;
    struct scmp_arg_cmp
        when[CALLS_MAX_CONDITIONS]; /* all must hold; a call may stand in several rules */
};

const struct call_rule *calls_rules(size_t *count);

#endif
