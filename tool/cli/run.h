/* What `berth run` and `berth exec` share. */
#ifndef TOOL_CLI_RUN_H
#define TOOL_CLI_RUN_H

#include <stdbool.h>

struct outside;

struct run_options {
    const char *command; /* "run" or "exec", for messages */
    const char *net, *host, *ip;
    const char *user;              /* NULL: ours */
    const struct outside *outside; /* NULL: nothing */
    long stop_signal;              /* 0: SIGTERM */
    long grace_ms;                 /* before SIGKILL */
    bool existing;                 /* network and host must be there already */
    bool detached;
    char *const *argv;
};

/* Joins the network and runs the program. Returns the exit status, or ends as the program did. */
int run_on_network(const struct run_options *options);

/* One of the two commands: argv[0] is its name. */
int command_run(int argc, char **argv);
int command_exec(int argc, char **argv);

#endif
