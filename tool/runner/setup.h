/* What the four processes of a run (run.h) inherit from the first. */
#ifndef TOOL_RUNNER_SETUP_H
#define TOOL_RUNNER_SETUP_H

#include "tool/runner/run.h"
#include <linux/filter.h>
#include <signal.h>
#include <stdnoreturn.h>
#include <sys/types.h>

struct run_setup {
    const struct run_request *request;
    struct sock_fprog filter;
    int link_job, link_guard; /* the two ends of the link (link.h) */
    int job;                  /* the job's pidfd */
    pid_t job_group;
    /* How signals were before the run: the program gets them so. */
    sigset_t mask;
    struct sigaction child_action;
};

/* What a program on its way to exec tells the guard. */
struct start_report {
    int error;    /* 0 or a negative errno of filter_install */
    int listener; /* its number there */
};

noreturn void outer_main(const struct run_setup *setup);
/* outer: read end of a pipe that hangs up when the outer process dies. */
noreturn void guard_main(const struct run_setup *setup, int outer);
/* start: a SOCK_SEQPACKET end to the guard. Writes a start_report, waits for an octet, and executes
 * the program; the end's closing by exec, without a second report, tells the guard that it runs. */
noreturn void program_main(const struct run_setup *setup, int start);

/* The standard streams up to `last` become /dev/null. */
void setup_streams(int last);

/* Whoever is not the program must not keep its files open: a reader waits for the end of what it
 * writes. Standard input and output to /dev/null, and every other descriptor closed but standard
 * error and the `count` in `keep` (sorted here). */
void setup_release(int *keep, size_t count);

/* The same, standard error too, and away from the working directory. */
void setup_detach(int *keep, size_t count);

#endif
