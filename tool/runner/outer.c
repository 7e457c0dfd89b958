#define _GNU_SOURCE
#include "tool/runner/descendants.h"
#include "tool/runner/link.h"
#include "tool/runner/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static noreturn void outer_fail(const struct run_setup *setup) {
    char text[80];
    snprintf(text, sizeof text, "cannot start a process: %s", strerror(errno));
    link_send(setup->link_guard, LINK_FAILED, 0, 0, text);
    _exit(RUN_FAILED);
}

noreturn void outer_main(const struct run_setup *setup) {
    int alive[2];
    if (setup->request->detached)
        setsid();
    else
        setpgid(0, 0);
    prctl(PR_SET_NAME, "berth-outer");
    signal(SIGCHLD, SIG_DFL);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || pipe2(alive, O_CLOEXEC) < 0)
        outer_fail(setup);
    pid_t guard = fork();
    if (guard < 0)
        outer_fail(setup);
    if (guard == 0) {
        close(alive[1]);
        guard_main(setup, alive[0]);
    }
    setup_detach(&alive[1], 1);
    /* Asked to end, it ends, and the guard ends everything. All other signals stay blocked. */
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &end, NULL);
    while (waitpid(guard, NULL, 0) < 0 && errno == EINTR)
        ;
    descendants_end();
    _exit(0);
}
