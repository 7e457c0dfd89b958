/* All processes that come from this one, daemonised ones too: this process is their subreaper. */
#ifndef TOOL_RUNNER_DESCENDANTS_H
#define TOOL_RUNNER_DESCENDANTS_H

/* Sends `signal` to every descendant there is at this moment; after any but SIGSTOP those that
 * stand still go on, so that they hear it. Returns how many there were, or a negative errno. */
int descendants_signal(int signal);

/* Kills until there is none, and takes their statuses. Nothing can escape: what a killed process
 * leaves becomes our child, and a process that is being killed cannot fork any more. */
void descendants_end(void);

#endif
