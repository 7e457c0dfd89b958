#define _GNU_SOURCE
#include "tool/cli/cli.h"
#include "tool/control/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct capture_choice {
    const char *file;
    bool stop;
};

enum { OPTION_STOP = 1 };

static void capture_take(void *context, int letter, const char *argument) {
    struct capture_choice *choice = context;
    if (letter == 'w')
        choice->file = argument;
    else
        choice->stop = true;
}

/* The file is made only when there is a network to fill it. */
static int capture_start(const char *net, const char *path) {
    char error[CLI_TEXT];
    int status = STATUS_FAILED, control = cli_connect(net);
    if (control < 0)
        return status;
    int file = strcmp(path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                                      : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    json_t *reply = NULL;
    if (file < 0)
        cli_fail("%s: %s", path, strerror(errno));
    else if ((reply = control_ask(control, json_pack("{s:s}", "do", "capture"), &file, 1, NULL,
                                  NULL, error, sizeof error)) == NULL)
        cli_fail("%s", error);
    else
        status = 0;
    json_decref(reply);
    if (file >= 0)
        close(file);
    close(control);
    return status;
}

int command_capture(int argc, char **argv) {
    static const struct option words[] = {{"write", required_argument, NULL, 'w'},
                                          {"stop", no_argument, NULL, OPTION_STOP},
                                          {NULL, 0, NULL, 0}};
    struct capture_choice choice = {.file = NULL};
    const char *net;
    const struct cli_options options = {
        .usage = "capture [--net NET] -w FILE | --stop",
        .help = "Writes every frame that passes the network's switch into FILE (pcapng, with host "
                "names),\nfrom now until --stop or the network's end. Returns at once; --stop when "
                "all is written.\n\n"
                "  -w, --write FILE   the file; - is standard output\n"
                "  --stop             end the capture",
        .letters = "w:",
        .words = words,
        .take = capture_take,
        .context = &choice};
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    if (choice.stop == (choice.file != NULL))
        return cli_misuse(argv[0], "capture: say -w FILE, or --stop");
    if (choice.file != NULL)
        return capture_start(net, choice.file);
    json_t *reply = cli_ask(net, json_pack("{s:s,s:b}", "do", "capture", "stop", 1), NULL, 0, NULL);
    json_decref(reply);
    return reply != NULL ? 0 : STATUS_FAILED;
}
