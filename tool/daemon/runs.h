/* Runs: connections that joined the network to run a program on one of its computers. */
#ifndef TOOL_DAEMON_RUNS_H
#define TOOL_DAEMON_RUNS_H

#include "tool/daemon/computers.h"
#include "tool/daemon/connection.h"

struct run {
    struct notes *notes;
    uint64_t connection; /* its id: what notes are addressed to */
    struct computer *computer;
    int number; /* of the serving half; -1: not attached yet */
    pid_t pid;
    char program[NAME_TEXT];
    time_t since;
    json_int_t grace_ms; /* that its guard gives its programs when all ends */
};

/* The run ends: its calls are served no more, and a computer that was only there for it goes. */
void run_leave(struct connection *connection);

#endif
