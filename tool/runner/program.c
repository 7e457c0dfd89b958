/* The program's process, from its fork to exec. */
#define _GNU_SOURCE
#include "tool/runner/filter.h"
#include "tool/runner/rights.h"
#include "tool/runner/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where messages go: a detached program's own standard error is /dev/null. */
static int messages = STDERR_FILENO;

static void program_detach(void) {
    setsid();
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (kept >= 0)
        messages = kept;
    setup_streams(STDERR_FILENO);
}

static void say(const char *name, const char *text) {
    if (name)
        dprintf(messages, "berth: %s: %s\n", name, text);
    else
        dprintf(messages, "berth: %s\n", text);
}

/* Ends before exec; the second report tells the guard that the program never ran. */
static noreturn void program_leave(int start, int status) {
    struct start_report report = {0};
    if (write(start, &report, sizeof(report)) < 0)
        _exit(status); /* the guard is gone, which is worse news than ours */
    _exit(status);
}

static void file_check(const char *name, int start) {
    char path[PATH_MAX], text[512];
    if (!program_find(name, path, sizeof(path)))
        return; /* exec says it best */
    if (program_is_foreign(path)) {
        say(name,
            "a 32-bit program cannot run on a virtual computer: its system calls are not answered");
        program_leave(start, RUN_NOT_EXECUTABLE);
    }
    if (rights_explain(name, path, text, sizeof(text)))
        say(NULL, text);
}

/* Who had rights gives them up; the environment says who he is now. */
static bool user_become(const struct run_user *user) {
    bool named = user->name[0] != '\0';
    if ((geteuid() == 0 && (named ? initgroups(user->name, user->gid) : setgroups(0, NULL)) < 0) ||
        setgid(user->gid) < 0 || setuid(user->uid) < 0)
        return false;
    return user->home[0] == '\0' || setenv("HOME", user->home, 1) == 0;
}

noreturn void program_main(const struct run_setup *setup, int start) {
    const struct run_request *request = setup->request;
    if (request->detached)
        program_detach();
    else
        setpgid(0, setup->job_group);
    if (setenv("BERTH_NET", request->net, 1) < 0 || setenv("BERTH_HOST", request->host, 1) < 0)
        _exit(RUN_FAILED);
    sigaction(SIGCHLD, &setup->child_action, NULL);

    int listener = filter_install(&setup->filter);
    struct start_report report = {listener < 0 ? listener : 0, listener};
    char go;
    if (write(start, &report, sizeof(report)) < 0 || read(start, &go, 1) != 1)
        _exit(RUN_FAILED);
    if (request->user != NULL && !user_become(request->user)) {
        say("user", strerror(errno));
        program_leave(start, RUN_FAILED);
    }
    file_check(request->argv[0], start);
    sigprocmask(SIG_SETMASK, &setup->mask, NULL);
    execvp(request->argv[0], request->argv);
    int error = errno;
    if (error == EACCES && !strchr(request->argv[0], '/') && !program_exists(request->argv[0]))
        error = ENOENT;
    say(request->argv[0], strerror(error));
    program_leave(start, error == ENOENT ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE);
}
