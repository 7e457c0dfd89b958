/* Carries a dump from the daemon's pipe into a file. */
#ifndef TOOL_CLI_DUMP_COPY_H
#define TOOL_CLI_DUMP_COPY_H

#include "tool/cli/cli.h"

struct dump_copy {
    const char *path;
    int control, pipe, file;
};

/* Until the dump ends, by itself, by a signal or by the file. The exit status; what went wrong has
 * been said. */
int dump_copy_run(struct dump_copy *copy);

#endif
