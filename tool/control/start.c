#define _GNU_SOURCE
#include "tool/control/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LISTENER = 3 };

/* Nothing of the caller's may be kept open by the daemon: a pipe's reader would wait for it for
 * ever. */
static void descriptors_settle(int listener) {
    const char *log = getenv("BERTH_DAEMON_LOG");
    int null = open("/dev/null", O_RDWR);
    int out = log != NULL ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : null;
    if (null < 0 || out < 0)
        _exit(127);
    /* Out of the way first: `listener` may be one of 0..2 in a caller that closed them. */
    int kept = fcntl(listener, F_DUPFD, 10);
    if (kept < 0)
        _exit(127);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    dup2(kept, LISTENER);
    if (close_range(LISTENER + 1, ~0U, 0) < 0)
        for (int fd = LISTENER + 1; fd < 65536; fd++)
            close(fd);
}

static void signals_settle(void) {
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void grandchild(const char *net, int listener) {
    descriptors_settle(listener);
    signals_settle();
    prctl(PR_SET_PDEATHSIG, 0);
    umask(077);
    if (chdir("/") < 0)
        _exit(127);
    execl("/proc/self/exe", "berth", "daemon", net, (char *)NULL);
    _exit(127);
}

int daemon_start(const char *net, int listener) {
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        setsid();
        pid_t second = fork();
        if (second == 0)
            grandchild(net, listener);
        _exit(second < 0 ? 1 : 0);
    }
    int status;
    pid_t waited;
    do
        waited = waitpid(child, &status, 0);
    while (waited < 0 && errno == EINTR);
    /* A caller that ignores SIGCHLD has no status to read; then the connection tells. */
    return waited == child && (!WIFEXITED(status) || WEXITSTATUS(status) != 0) ? -EAGAIN : 0;
}
