#define _GNU_SOURCE
#include "tool/runner/descendants.h"
#include "tool/runner/family.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

int descendants_signal(int signal) {
    struct family family = {0};
    int r = family_find(&family);
    int signalled = 0;
    /* Also where memory or descriptors ran out: who was found hears it. */
    for (size_t i = 0; i < family.count; i++)
        if (kill(family.list[i], signal) == 0) {
            if (signal != SIGSTOP)
                kill(family.list[i], SIGCONT); /* one that is stopped would not hear it */
            signalled++;
        }
    family_clear(&family);
    return r < 0 ? r : signalled;
}

/* The statuses of those that have died. False when there is no child any more. */
static bool children_take(void) {
    pid_t pid;
    do
        pid = waitpid(-1, NULL, WNOHANG);
    while (pid > 0);
    return pid == 0;
}

void descendants_end(void) {
    while (children_take()) {
        descendants_signal(SIGKILL);
        waitpid(-1, NULL, 0);
    }
}
