/* Job control: the job stops when its program is stopped, and goes on when it goes on, and the
 * other way round.
 *
 * Only the guard, the program's parent, decides: it sends the job SIGSTOP or SIGCONT, whichever
 * follows from what it last saw of the program, so that the two cannot drift apart. (A job that
 * stopped itself, told by a message, could be told too late.) The job ignores the terminal's stop
 * signals: the program alone says whether Ctrl-Z stops it.
 *
 * When the job goes on (fg, bg: SIGCONT to its group) a program of the same group has heard it too.
 * One in a group of its own (a shell after `suspend`) has not, and is continued by the guard; and
 * as it had taken the terminal for its group, which the shell outside does not know, the guard
 * gives it the terminal again. */
#ifndef TOOL_RUNNER_STANDSTILL_H
#define TOOL_RUNNER_STANDSTILL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct standstill {
    pid_t program;
    int job; /* its pidfd */
    pid_t job_group;
    bool stopped;
    uint32_t stops;            /* how often */
    bool program_has_terminal; /* or had it, for a group of its own */
};

void standstill_init(struct standstill *standstill, pid_t program, int job, pid_t job_group);

/* The program stopped, or went on: the job follows. The job must have been told of the stop's
 * number, which is stops + 1. */
void standstill_stopped(struct standstill *standstill);
void standstill_continued(struct standstill *standstill);
/* The program ended: a stopped job must wake up to hear of it. */
void standstill_ended(const struct standstill *standstill);

/* The job went on, having heard of `stop` last: the program follows, unless it has stopped once
 * more since. */
void standstill_job_continued(struct standstill *standstill, uint32_t stop);

#endif
