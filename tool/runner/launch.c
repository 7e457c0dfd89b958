/* run_program: makes what the processes of a run share, starts the first of them, and becomes the
 * job. */
#define _GNU_SOURCE
#include "tool/runner/filter.h"
#include "tool/runner/job.h"
#include "tool/runner/pidfd.h"
#include "tool/runner/run.h"
#include "tool/runner/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

bool run_possible(char *text, size_t size) {
    /* Only under a filter can another listener stand in the way; trying costs a process. */
    bool filtered = false;
    char line[128];
    FILE *status = fopen("/proc/self/status", "re");
    while (status && !filtered && fgets(line, sizeof(line), status))
        filtered = strncmp(line, "Seccomp:\t2", 10) == 0;
    if (status)
        fclose(status);
    int r = filtered ? filter_try() : 0;
    if (r < 0)
        filter_explain(r, text, size);
    return r == 0;
}

static int run_failed(const char *what, int error) {
    fprintf(stderr, "berth: %s: %s\n", what, strerror(-error));
    return RUN_FAILED;
}

static int setup_init(struct run_setup *setup, const struct run_request *request) {
    int link[2];
    *setup = (struct run_setup){.request = request, .job_group = getpgrp()};
    int r = filter_init(&setup->filter);
    if (r < 0)
        return r;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0) {
        r = -errno;
        filter_clear(&setup->filter);
        return r;
    }
    fcntl(request->control, F_SETFD, FD_CLOEXEC);
    setup->link_job = link[0];
    setup->link_guard = link[1];
    setup->job = pidfd_of(getpid());
    return setup->job < 0 ? setup->job : 0;
}

int run_program(const struct run_request *request) {
    struct run_setup setup;
    int r = setup_init(&setup, request);
    if (r < 0)
        return run_failed("cannot prepare the run", r);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &setup.mask);
    sigaction(SIGCHLD, NULL, &setup.child_action);
    fflush(NULL);
    pid_t outer = fork();
    if (outer < 0)
        return run_failed("cannot start a process", -errno);
    if (outer == 0)
        outer_main(&setup);
    /* With the rest goes the control connection, which is the guard's alone: its end is the end of
     * the run. */
    setup_release(&setup.link_job, 1);
    filter_clear(&setup.filter);
    struct job_end end = job_wait(setup.link_job, &setup.mask, request);
    if (end.alone)
        while (waitpid(outer, NULL, 0) < 0 && errno == EINTR)
            ; /* so that nothing of the run is left when the shell goes on */
    if (end.signal)
        job_die(end.signal);
    return end.status;
}
