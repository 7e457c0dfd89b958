/* Starts a program on a virtual computer and stays with it to its end.
 *
 *   job ----> outer ----> guard ----> program ----> whatever it starts
 *
 * job      the process that the shell started. It waits, stops and goes on when the program does,
 * and ends as it ended. guard    the program's parent, and the subreaper of all its descendants. It
 * hands the seccomp listener to the daemon, reads and writes the programs' memory for it, and stays
 * until the last descendant is gone. outer    a second subreaper around the guard: what a killed
 * guard leaves behind becomes its own child, and is ended.
 *
 * outer and guard live in a process group of their own, so that neither Ctrl-C nor Ctrl-Z reaches
 * them: a stopped job's background programs are still served. The program is in the job's process
 * group, with the job's terminal.
 *
 * Whoever is killed (-9), nothing stays:
 *   job     before the program's end: the guard sees its link hang up, and ends all descendants;
 *   outer   the guard sees the pipe to it hang up, and does the same;
 *   guard   outer inherits the descendants and ends them; the job sees its link hang up;
 *   daemon  the guard sees the control connection hang up, ends all descendants, and the job says
 * so. */
#ifndef TOOL_RUNNER_RUN_H
#define TOOL_RUNNER_RUN_H

#include <stdbool.h>
#include <stddef.h>

enum { /* exit statuses, the shell's and docker's */
       RUN_FAILED = 125,
       RUN_NOT_EXECUTABLE = 126,
       RUN_NOT_FOUND = 127,
};

enum { RUN_GRACE_MS = 5000 };

struct run_user {
    unsigned uid, gid;
    char name[64]; /* empty: a number that has none */
    char home[256];
};

/* "NAME", "NAME:GROUP", or numbers. False writes why not: there is no such user, or we may not
 * become him. */
bool run_user_find(const char *text, struct run_user *user, char *why, size_t size);

struct run_request {
    const char *net, *host;      /* names, for the program's environment and for messages */
    char *const *argv;           /* the program and its arguments, NULL-terminated */
    int control;                 /* connection to the daemon on which `join` was answered; given */
    const struct run_user *user; /* whose rights the program has; NULL: ours */
    int stop_signal;             /* when the network goes down; 0: SIGTERM */
    unsigned grace_ms;           /* from that to SIGKILL */
    bool detached; /* run_program returns once the program runs; it has no terminal and no standard
                      streams */
};

/* Whether programs can be run from this process: false writes why not. To be asked before the
 * daemon is. */
bool run_possible(char *text, size_t size);

/* Runs it. Returns the exit status for the calling process, or ends the calling process by the
 * signal that ended the program. Says on standard error what the person must know. The process must
 * have one thread. */
int run_program(const struct run_request *request);

#endif
