#include "tool/cli/run.h"
#include "tool/cli/cli.h"
#include "tool/cli/outside.h"
#include "tool/runner/run.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
    "Usage: berth run [--net NET] [--host HOST] [--ip ADDRESS] [-p PORTS] [--gateway[=LIST]]\n"
    "                 [--] PROGRAM [ARGUMENT...]\n"
    "\n"
    "Runs an unmodified program on a virtual computer with its own addresses and all 65,535\n"
    "ports.\n"
    "\n"
    "  --net NET      the network (\"default\" when not given); it is started when it does not\n"
    "                 run, and ends when its last user leaves\n"
    "  --host HOST    the computer's name; a fresh computer when not given\n"
    "  --ip ADDRESS   the computer's address, IPv4 or IPv6; free ones when not given\n"
    "  --existing     only on a computer that is there already\n"
    "  --user USER    whose rights the program has, NAME[:GROUP]; root's choice only\n"
    "  --stop-signal NUMBER, --stop-grace-ms NUMBER\n"
    "                 what the network's end begins with (15, SIGTERM), and how long before\n"
    "                 SIGKILL (5000)\n"
    "  -p, --publish [[ADDRESS:][PORT]:]PORT[/udp]\n"
    "                 this machine's port (any free one when not given) is the computer's: -p\n"
    "                 8080:80. Servers see who comes. On all addresses, as Compose has it;\n"
    "                 127.0.0.1:8080:80 is for this machine only. `berth port` lists them\n"
    "  --gateway[=LIST]\n"
    "                 the network's computers reach what this machine reaches, by TCP, UDP and\n"
    "                 ping, and its names; host.berth is this machine's own loopback. LIST says\n"
    "                 what alone they reach: --gateway=192.0.2.0/24,[2001:db8::/32]:443,host:5432\n"
    "  -h, --help     this text\n"
    "\n"
    "The exit status is the program's; 127 if there is no such program, 126 if it cannot be\n"
    "executed, 125 if Berth itself failed. The computer stays while a descendant of the program\n"
    "lives. BERTH_NET and BERTH_HOST in the program's environment say where it is.\n"
    "\n"
    "  berth run --host server -- python3 -m http.server 80\n"
    "  berth run -- curl http://server/\n"
    "  berth run --host pc1 -- bash\n";

enum { ERROR_TEXT = 512, SIGNAL_LAST = 64, GRACE_MOST_MS = 1000000000 };

static int wrong_use(void) {
    fputs("berth: see `berth run --help`\n", stderr);
    return RUN_FAILED;
}

static bool number_take(const char *text, long least, long most, long *number,
                        char error[ERROR_TEXT]) {
    bool fine = cli_number(text, least, most, number);
    if (!fine)
        snprintf(error, ERROR_TEXT, "\"%.80s\" should be a number from %ld to %ld", text, least,
                 most);
    return fine;
}

int command_run(int argc, char **argv) {
    static const struct option known[] = {{"net", required_argument, NULL, 'n'},
                                          {"host", required_argument, NULL, 'H'},
                                          {"ip", required_argument, NULL, 'i'},
                                          {"existing", no_argument, NULL, 'e'},
                                          {"user", required_argument, NULL, 'u'},
                                          {"stop-signal", required_argument, NULL, 's'},
                                          {"stop-grace-ms", required_argument, NULL, 'g'},
                                          {"publish", required_argument, NULL, 'p'},
                                          {"gateway", optional_argument, NULL, 'w'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct outside outside = {.port_count = 0};
    struct run_options options = {
        .command = "run", .net = "default", .outside = &outside, .grace_ms = RUN_GRACE_MS};
    char error[ERROR_TEXT];
    bool fine = true;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:hp:", known, NULL)) != -1) {
        switch (option) {
        case 'n':
            options.net = optarg;
            break;
        case 'H':
            options.host = optarg;
            break;
        case 'i':
            options.ip = optarg;
            break;
        case 'e':
            options.existing = true;
            break;
        case 'u':
            options.user = optarg;
            break;
        case 's':
            fine = number_take(optarg, 1, SIGNAL_LAST, &options.stop_signal, error);
            break;
        case 'g':
            fine = number_take(optarg, 0, GRACE_MOST_MS, &options.grace_ms, error);
            break;
        case 'p':
            fine = outside_publish(&outside, optarg, error, sizeof error);
            break;
        case 'w':
            fine = outside_gateway(&outside, optarg, error, sizeof error);
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            cli_option_wrong("run", argv, option, known);
            return RUN_FAILED;
        }
        if (!fine) {
            fprintf(stderr, "berth: run: %s\n", error);
            return wrong_use();
        }
    }
    if (optind >= argc) {
        fputs("berth: run: which program?\n", stderr);
        return wrong_use();
    }
    options.argv = argv + optind;
    return run_on_network(&options);
}
