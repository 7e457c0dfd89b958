#include "tool/cli/cli.h"
#include "tool/cli/run.h"
#include "tool/runner/run.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
    "Usage: berth exec [--net NET] [-d] HOST [--] PROGRAM [ARGUMENT...]\n"
    "\n"
    "Runs a program on a virtual computer that is there already.\n"
    "\n"
    "  --net NET      the network (\"default\" when not given)\n"
    "  -d, --detach   do not wait for the program; it has no terminal, and its standard\n"
    "                 streams are /dev/null\n"
    "  -h, --help     this text\n"
    "\n"
    "The exit status is the program's (with -d: 0 once it runs); 127 if there is no such\n"
    "program, 126 if it cannot be executed, 125 if Berth itself failed.\n";

static const struct option known[] = {{"net", required_argument, NULL, 'n'},
                                      {"detach", no_argument, NULL, 'd'},
                                      {"help", no_argument, NULL, 'h'},
                                      {0}};

static int wrong_use(void) {
    fputs("berth: see `berth exec --help`\n", stderr);
    return RUN_FAILED;
}

/* Takes the options that stand at optind. false: the command is over, with *status. */
static bool options_take(int argc, char **argv, struct run_options *options, int *status) {
    int option;
    while ((option = getopt_long(argc, argv, "+:dh", known, NULL)) != -1) {
        switch (option) {
        case 'n':
            options->net = optarg;
            break;
        case 'd':
            options->detached = true;
            break;
        case 'h':
            fputs(help, stdout);
            *status = 0;
            return false;
        default:
            cli_option_wrong("exec", argv, option, known);
            *status = RUN_FAILED;
            return false;
        }
    }
    return true;
}

int command_exec(int argc, char **argv) {
    struct run_options options = {
        .command = "exec", .net = "default", .existing = true, .grace_ms = RUN_GRACE_MS};
    int status;
    opterr = 0;
    if (!options_take(argc, argv, &options, &status))
        return status;
    if (optind >= argc) {
        fputs("berth: exec: on which computer?\n", stderr);
        return wrong_use();
    }
    options.host = argv[optind++];
    if (!options_take(argc, argv, &options, &status)) /* they may follow the computer's name */
        return status;
    if (optind >= argc) {
        fputs("berth: exec: which program?\n", stderr);
        return wrong_use();
    }
    options.argv = argv + optind;
    return run_on_network(&options);
}
