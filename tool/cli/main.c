/* berth: the command. */
#define _GNU_SOURCE
#include "tool/cli/cli.h"
#include "tool/cli/run.h"
#include "tool/control/nearest.h"
#include "tool/control/place.h"
#include "tool/daemon/daemon.h"
#include "tool/daemon/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* NULL: not for people */
} commands[] = {
    {"run", command_run, "run a program on a virtual computer"},
    {"exec", command_exec, "run a program on a computer that is there already"},
    {"up", command_up, "make the network that berth.yaml describes and start its commands"},
    {"down", command_down, "end all programs of a network, and the network"},
    {"ps", command_ps, "list computers and the programs on them"},
    {"hosts", command_hosts, "list computers and their addresses"},
    {"ss", command_ss, "list sockets: computer, state, addresses, ports, processes"},
    {"logs", command_logs, "show what the commands of `up` said"},
    {"dump", command_dump, "write frames into a file that Wireshark opens, or to tcpdump"},
    {"capture", command_capture, NULL}, /* dump --detach, by its old name */
    {"port", command_port, "list published ports: where they are on this machine"},
    {"netem", command_netem, "delay, lose or reorder what passes a computer's link"},
    {"link", command_link, "pull a computer's cable out, or put it in again"},
    {"partition", command_partition, "keep groups of computers apart"},
    {"heal", command_heal, "end partitions, and put all links up"},
    {"kill", command_kill, "switch computers off"},
    {"restart", command_restart, "switch computers off and on again"},
    {"pause", command_pause, "let computers stand still, their programs and their time"},
    {"unpause", command_unpause, "let paused computers go on"},
    {"tap", command_tap, "join a TAP device of this machine to the network"},
    {"doctor", command_doctor, "check what this machine lacks, and say what to do"},
    {"version", command_version, "say which berth this is"},
    {"daemon", command_daemon, NULL},
    {"keeper", command_keeper, NULL},
};
enum { COMMANDS = sizeof commands / sizeof commands[0], LISTENER = 3 };

static int usage(FILE *file) {
    fprintf(file, "Usage: berth COMMAND [OPTION]...\n\n"
                  "Unmodified programs on virtual computers, each with its own addresses and all "
                  "65,535 ports.\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].summary != NULL)
            fprintf(file, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fprintf(file, "\nberth COMMAND --help says more. Two terminals to begin with:\n\n"
                  "  berth run --host server -- python3 -m http.server 80\n"
                  "  berth run -- curl http://server/\n");
    return file == stdout ? 0 : STATUS_USAGE;
}

int command_version(int argc, char **argv) {
    const struct cli_options options = {
        .usage = "version", .help = "Says which berth this is.\n", .letters = ""};
    const char *net;
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    printf("berth %s\n", BERTH_VERSION);
    return 0;
}

int command_daemon(int argc, char **argv) {
    if (argc != 2 || !place_name_valid(argv[1]))
        return cli_fail("daemon: not for people; berth run and berth up start it");
    return daemon_run(argv[1], LISTENER);
}

int command_keeper(int argc, char **argv) {
    if (argc != 3 || !place_name_valid(argv[1]))
        return cli_fail("keeper: not for people; the daemon starts it");
    return keeper_run(argv[1], (pid_t)strtol(argv[2], NULL, 10));
}

static int command_unknown(const char *word) {
    const char *words[COMMANDS];
    size_t count = 0;
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].summary != NULL)
            words[count++] = commands[i].name;
    const char *nearest = word_nearest(word, words, count);
    if (nearest != NULL)
        cli_fail("no command \"%.80s\" (did you mean \"berth %s\"?)", word, nearest);
    else
        cli_fail("no command \"%.80s\"; berth --help lists them", word);
    return STATUS_USAGE;
}

/* Our own descriptors must not take the numbers of standard streams that the caller closed: who
 * writes messages, or puts /dev/null there, would hit them. The programs that we start find them
 * closed, as they were. The wrong way round, so that what is written to a closed one still fails.
 */
static void streams_keep(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC) < 0)
            return;
}

/* A table that did not arrive is no success. */
static int output_finish(int status) {
    bool lost = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) == 0 && !lost)
        return status;
    cli_fail("standard output: %s", errno != 0 ? strerror(errno) : "it could not be written");
    return status != 0 ? status : STATUS_FAILED;
}

static int command_of(int argc, char **argv) {
    static char help[] = "--help";
    bool asked = strcmp(argv[0], "help") == 0;
    if (asked && argc > 1) /* help run: run --help */
        return command_of(2, (char *[]){argv[1], help, NULL});
    if (asked || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return usage(stdout);
    if (strcmp(argv[0], "--version") == 0)
        argv[0] += 2;
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].run(argc, argv);
    return command_unknown(argv[0]);
}

int main(int argc, char **argv) {
    prctl(PR_SET_NAME, "berth"); /* who was started through /proc/self/exe would be called "exe" */
    streams_keep();
    return output_finish(argc < 2 ? usage(stderr) : command_of(argc - 1, argv + 1));
}
