#define _GNU_SOURCE
#include "tool/control/place.h"
#include "tool/daemon/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEEPERS_MAX = 100, DISMISSED = 'q' };

static void keeper_ready(struct poll_source *source, uint32_t events) {
    (void)events;
    struct daemon *daemon =
        (struct daemon *)(void *)((char *)source - offsetof(struct daemon, keeper_end));
    poller_remove(daemon->poller, source);
    close(source->fd);
    close(daemon->keeper_pipe);
    source->fd = daemon->keeper_pipe = -1;
    waitpid(daemon->keeper, NULL, 0);
    daemon->keeper = 0;
    keeper_start(daemon);
}

/* Its standard input is the pipe's end; nothing else of ours is open in it but the standard
 * outputs. */
static int keeper_spawn(struct daemon *daemon, int pipe_end) {
    char parent[16];
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    char *argv[] = {"berth", "keeper", daemon->net, parent, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_end, 0);
    int result = posix_spawn(&daemon->keeper, "/proc/self/exe", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -result;
}

int keeper_start(struct daemon *daemon) {
    int pipe_ends[2];
    daemon->keeper_pipe = daemon->keeper_end.fd = -1;
    daemon->keeper = 0;
    /* Somebody who kills keeper after keeper is not to be fought for ever. */
    if (daemon->keeper_starts++ >= KEEPERS_MAX)
        return -EAGAIN;
    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return -errno;
    int result = keeper_spawn(daemon, pipe_ends[0]);
    close(pipe_ends[0]);
    if (result < 0) {
        close(pipe_ends[1]);
        daemon->keeper = 0;
        return result;
    }
    daemon->keeper_pipe = pipe_ends[1];
    int pidfd = (int)syscall(SYS_pidfd_open, daemon->keeper, 0);
    daemon->keeper_end = (struct poll_source){pidfd, EPOLLIN, keeper_ready};
    return pidfd < 0 ? -errno : poller_add(daemon->poller, &daemon->keeper_end);
}

void keeper_dismiss(struct daemon *daemon) {
    if (daemon->keeper == 0)
        return;
    char word = DISMISSED;
    ssize_t written = write(daemon->keeper_pipe, &word, 1);
    close(daemon->keeper_pipe);
    if (daemon->keeper_end.fd >= 0) {
        poller_remove(daemon->poller, &daemon->keeper_end);
        close(daemon->keeper_end.fd);
    }
    if (written < 0)
        kill(daemon->keeper, SIGKILL);
    waitpid(daemon->keeper, NULL, 0);
    daemon->keeper = 0;
}

/* A process that is killed closes its end of the pipe while its listener may still be open: one who
 * looks then takes the socket for another daemon's. All is closed when it is nobody's parent any
 * more, and that is a matter of microseconds. */
static void await_end(pid_t parent) {
    while (getppid() == parent)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

int keeper_run(const char *net, pid_t parent) {
    char word, error[SENTENCE];
    ssize_t got;
    /* It goes when the daemon goes, not when a session or a terminal does. */
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    do
        got = read(0, &word, 1);
    while (got < 0 && errno == EINTR);
    if (got == 1 && word == DISMISSED)
        return 0;
    await_end(parent);
    struct place place;
    if (place_locate(&place, net, error, sizeof error) < 0 ||
        place_lock(&place, false, true, error, sizeof error) < 0)
        return 0;
    /* Another daemon may have come meanwhile; then the socket is its. */
    int fd = place_connect(&place);
    if (fd == -ECONNREFUSED || fd == -ENOENT)
        place_remove(&place);
    else if (fd >= 0)
        close(fd);
    place_unlock(&place);
    return 0;
}
