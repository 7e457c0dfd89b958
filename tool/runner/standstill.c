#define _GNU_SOURCE
#include "tool/runner/standstill.h"
#include "tool/runner/pidfd.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

void standstill_init(struct standstill *standstill, pid_t program, int job, pid_t job_group) {
    *standstill = (struct standstill){.program = program, .job = job, .job_group = job_group};
}

/* The controlling terminal, if any: the guard is in the job's session. */
static int terminal_open(void) {
    return open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* The program's group if it is not the job's, else 0. */
static pid_t own_group(const struct standstill *standstill) {
    pid_t group = getpgid(standstill->program);
    return group > 0 && group != standstill->job_group ? group : 0;
}

void standstill_stopped(struct standstill *standstill) {
    standstill->stopped = true;
    standstill->stops++;
    pid_t group = own_group(standstill);
    int terminal = group ? terminal_open() : -1;
    if (terminal >= 0) {
        if (tcgetpgrp(terminal) == group)
            standstill->program_has_terminal = true;
        close(terminal);
    }
    pidfd_kill(standstill->job, SIGSTOP);
}

void standstill_continued(struct standstill *standstill) {
    standstill->stopped = false;
    pidfd_kill(standstill->job, SIGCONT);
}

void standstill_ended(const struct standstill *standstill) {
    if (standstill->stopped)
        pidfd_kill(standstill->job, SIGCONT);
}

/* SIGTTOU is blocked in the guard, so that it may do this from the background. */
static void terminal_give(const struct standstill *standstill, pid_t group) {
    int terminal = terminal_open();
    if (terminal < 0)
        return;
    if (tcgetpgrp(terminal) == standstill->job_group)
        tcsetpgrp(terminal, group);
    close(terminal);
}

void standstill_job_continued(struct standstill *standstill, uint32_t stop) {
    if (!standstill->stopped || stop != standstill->stops)
        return;
    pid_t group = own_group(standstill);
    if (!group) {
        kill(standstill->program, SIGCONT);
        return;
    }
    if (standstill->program_has_terminal)
        terminal_give(standstill, group);
    killpg(group, SIGCONT);
}
