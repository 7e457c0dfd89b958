#define _GNU_SOURCE
#include "tool/cli/cli.h"
#include "tool/control/ask.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void logs_take(void *context, int letter, const char *argument) {
    (void)argument;
    bool *follow = context;
    *follow = *follow || letter == 'f';
}

/* Copies until the end; 0, or a status when standard output takes nothing more. */
static int copy_out(int fd) {
    char data[65536];
    ssize_t got;
    while ((got = read(fd, data, sizeof data)) > 0 || (got < 0 && errno == EINTR)) {
        if (got > 0 && (fwrite(data, 1, (size_t)got, stdout) != (size_t)got || fflush(stdout) != 0))
            return STATUS_FAILED;
    }
    return 0;
}

int command_logs(int argc, char **argv) {
    static const struct option words[] = {{"follow", no_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
    bool follow = false;
    const char *net;
    const struct cli_options options = {.usage = "logs [--net NET] [-f] [HOST]",
                                        .help =
                                            "Shows what the commands of berth up wrote to their "
                                            "standard output and error, and\nwhen "
                                            "which of the file's faults came (HOST: faults).\n\n"
                                            "  -f, --follow   go on until they end",
                                        .letters = "f",
                                        .words = words,
                                        .take = logs_take,
                                        .context = &follow,
                                        .most = 1};
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    char error[CLI_TEXT];
    int got = -1, fd = cli_connect(net);
    if (fd < 0)
        return STATUS_FAILED;
    json_t *request = json_pack("{s:s,s:b}", "do", "logs", "follow", (int)follow);
    if (optind < argc)
        json_object_set_new(request, "host", json_string(argv[optind]));
    json_t *reply = control_ask(fd, request, NULL, 0, &got, NULL, error, sizeof error);
    if (reply == NULL)
        status = cli_fail("%s", error);
    else
        status = copy_out(follow ? fd : got);
    json_decref(reply);
    if (got >= 0)
        close(got);
    close(fd);
    return status;
}
