#define _GNU_SOURCE
#include "tool/cli/cli.h"
#include "tool/control/ask.h"
#include "tool/control/client.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The connection ends with the daemon's process, or a moment before: then its process is waited
 * for. */
static void end_await(int fd, int pidfd) {
    char line[CONTROL_LINE_MAX];
    while (control_next(fd, line, sizeof line, NULL) > 0)
        continue;
    if (pidfd >= 0)
        poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, -1);
}

int command_down(int argc, char **argv) {
    const struct cli_options options = {
        .usage = "down [--net NET]",
        .help = "Ends all programs of a network (SIGTERM, after five seconds SIGKILL) and then the "
                "network.\nReturns when all its programs have ended and its name is free again.\n",
        .letters = ""};
    const char *net;
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    char error[CLI_TEXT];
    pid_t pid;
    int fd = control_connect_pid(net, &pid, error, sizeof error);
    if (fd < 0)
        return cli_fail("%s", error);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    json_t *reply =
        control_ask(fd, json_pack("{s:s}", "do", "down"), NULL, 0, NULL, NULL, error, sizeof error);
    if (reply != NULL)
        end_await(fd, pidfd);
    else
        status = cli_fail("%s", error);
    json_decref(reply);
    if (pidfd >= 0)
        close(pidfd);
    close(fd);
    return status > 0 ? status : 0;
}
