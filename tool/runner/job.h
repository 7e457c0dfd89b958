/* The job: what the shell sees of a run. It is not the program, but does as if it were: it is
 * stopped when the program is; it passes on what is sent to it; and it ends as the program ended.
 */
#ifndef TOOL_RUNNER_JOB_H
#define TOOL_RUNNER_JOB_H

#include "tool/runner/run.h"
#include <signal.h>
#include <stdnoreturn.h>

struct job_end {
    int status; /* exit status */
    int signal; /* by which to die instead, or 0 */
    bool alone; /* no process of the run is left but its guards, which are leaving */
};

/* Plays the job until the program ended, or, detached, until it runs. All signals must be blocked;
 * mask: how they were. */
struct job_end job_wait(int link, const sigset_t *mask, const struct run_request *request);

/* Ends this process by `signal`, without a core file. */
noreturn void job_die(int signal);

#endif
