#define _GNU_SOURCE
#include "tool/cli/cli.h"
#include "tool/cli/outside.h"
#include "tool/cli/spec.h"
#include "tool/cli/supervise.h"
#include "tool/cli/topology.h"
#include "tool/cli/units.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct up_choice {
    const char *file, *timeout;
    bool detach, wait, files; /* files: more than one */
    struct outside outside;
    char error[CLI_TEXT]; /* empty: nothing is wrong */
};

enum { OPTION_WAIT = 0x200, OPTION_TIMEOUT, OPTION_GATEWAY };

static void up_take(void *context, int letter, const char *argument) {
    struct up_choice *choice = context;
    if (letter == 'f') {
        choice->files = choice->file != NULL;
        choice->file = argument;
    } else if (letter == 'd')
        choice->detach = true;
    else if (letter == OPTION_GATEWAY)
        outside_gateway(&choice->outside, argument, choice->error, sizeof choice->error);
    else if (letter == OPTION_TIMEOUT)
        choice->timeout = argument;
    else
        choice->wait = true;
}

static bool spec_load(const char *path, struct spec *spec) {
    char error[TREE_ERROR];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        cli_fail("%s: %s (-f says which file describes the network)", path, strerror(errno));
        return false;
    }
    bool fine = spec_read(spec, file, path, error);
    fclose(file);
    if (!fine)
        cli_fail("%s", error);
    return fine;
}

/* The background process; its parent waits until all is started. Returns in the parent only. */
static int detach(struct supervisor *supervisor) {
    int ends[2];
    char octet;
    fflush(stdout);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return cli_fail("%s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        return cli_fail("%s", strerror(errno));
    if (child == 0) {
        close(ends[0]);
        setsid();
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 0);
        close(null);
        supervisor->ready = ends[1];
        _exit(supervise(supervisor));
    }
    close(ends[1]);
    ssize_t got;
    do
        got = read(ends[0], &octet, 1);
    while (got < 0 && errno == EINTR);
    close(ends[0]);
    return got == 1 ? 0 : STATUS_FAILED;
}

/* Published ports and the gateway; what is refused has its place in the file. */
static bool outside_make(int control, const struct spec *spec, const struct up_choice *choice) {
    char error[CLI_TEXT];
    for (const struct spec_host *host = spec->hosts; host != NULL; host = host->next)
        for (const struct spec_port *port = host->service->ports; port != NULL; port = port->next)
            if (!outside_ask_port(control, host->name, &port->mapping, error, sizeof error)) {
                cli_fail("%s:%d: hosts.%s.ports: %s", choice->file, port->line, host->service->name,
                         error);
                return false;
            }
    const struct outside file = {.allow = spec->gateway};
    if (outside_ask(control, "", &file, error, sizeof error) &&
        outside_ask(control, "", &choice->outside, error, sizeof error))
        return true;
    cli_fail("%s", error);
    return false;
}

/* Where the file lies: there its commands start. */
static void directory_of(const char *path, char directory[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        snprintf(directory, PATH_MAX, ".");
    else
        snprintf(directory, PATH_MAX, "%.*s/", (int)(slash - path), path);
}

/* A duration, or Compose's bare number of seconds. */
static bool timeout_read(const char *text, uint64_t *timeout) {
    double value;
    if (unit_count(text, 1e6, &value))
        value *= 1e9;
    else if (!unit_duration(text, &value))
        return false;
    *timeout = (uint64_t)value;
    return *timeout > 0;
}

/* 0, or the status of a command whose words do not go together. */
static int choice_check(const char *program, struct up_choice *choice, uint64_t *timeout) {
    if (choice->files) /* which Compose would merge */
        return cli_misuse(program, "up: one file only: -f is there twice");
    if (choice->file == NULL)
        choice->file = "berth.yaml";
    if (choice->timeout != NULL && !choice->wait)
        return cli_misuse(program, "up: --timeout says how long --wait waits: there is no --wait");
    if (choice->timeout != NULL && !timeout_read(choice->timeout, timeout))
        return cli_misuse(program, "up: --timeout: \"%.40s\" should be such as 30s",
                          choice->timeout);
    if (choice->error[0] != '\0')
        return cli_misuse(program, "up: --gateway: %s", choice->error);
    return 0;
}

int command_up(int argc, char **argv) {
    static const struct option words[] = {{"file", required_argument, NULL, 'f'},
                                          {"detach", no_argument, NULL, 'd'},
                                          {"wait", no_argument, NULL, OPTION_WAIT},
                                          {"timeout", required_argument, NULL, OPTION_TIMEOUT},
                                          {"wait-timeout", required_argument, NULL, OPTION_TIMEOUT},
                                          {"gateway", optional_argument, NULL, OPTION_GATEWAY},
                                          {NULL, 0, NULL, 0}};
    struct up_choice choice = {.file = NULL};
    char directory[PATH_MAX];
    const char *net;
    const struct cli_options options = {
        .usage = "up [--net NET] [-f FILE] [-d] [--wait [--timeout TIME]] [--gateway[=LIST]]",
        .help =
            "Makes the computers and links that a file describes and starts their commands. In "
            "the foreground\nit prints what they say, and Ctrl-C ends the network; with -d the "
            "network stays until berth down.\n\n"
            "  -f, --file FILE   the description (default: berth.yaml)\n"
            "  -d, --detach      return when all commands are started\n"
            "  --wait            return when all is started and healthy (as -d); where the file\n"
            "                    says what is to come of commands (expect), run until that is\n"
            "                    known: status 0 if all was as expected, else 1, with a line for\n"
            "                    each that was not\n"
            "  --gateway[=LIST]  let the computers reach the world outside, or what LIST says\n"
            "                    (berth run --help)\n"
            "  --timeout TIME    wait so long at most (30s, 2m; a number is seconds)\n\n"
            "  networks: {lan: {subnet: 10.0.0.0/24, delay: 1ms}}\n"
            "  hosts:\n"
            "    server: {ipv4_address: 10.0.0.1, command: [python3, -m, http.server, \"80\"]}\n"
            "    client:\n"
            "      command: curl -sS --retry 9 --retry-connrefused http://server/\n"
            "      depends_on: [server]\n"
            "      expect: {exited: 0}\n"
            "  links:\n"
            "    - {endpoints: [server, lan], delay: 20ms 5ms, loss: 1%}\n\n"
            "docs/berth.yaml.md has all keys.\n",
        .letters = "f:d",
        .words = words,
        .take = up_take,
        .context = &choice};
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    struct spec spec;
    uint64_t timeout = 0;
    status = choice_check(argv[0], &choice, &timeout);
    if (status != 0)
        return status;
    if (!spec_load(choice.file, &spec))
        return STATUS_FAILED;
    /* Where nothing is expected to end, what is started stays. */
    choice.detach = choice.detach || (choice.wait && !spec_expects(&spec));
    directory_of(choice.file, directory);
    struct supervisor supervisor = {.spec = &spec,
                                    .path = choice.file,
                                    .net = net,
                                    .directory = directory,
                                    .detached = choice.detach,
                                    .wait = choice.wait,
                                    .timeout = timeout,
                                    .ready = -1};
    supervisor.control = topology_make(net, choice.file, &spec, choice.detach);
    if (supervisor.control >= 0 && !outside_make(supervisor.control, &spec, &choice)) {
        close(supervisor.control);
        supervisor.control = -1;
    }
    outside_clear(&choice.outside);
    if (supervisor.control < 0)
        status = STATUS_FAILED;
    else
        status = choice.detach ? detach(&supervisor) : supervise(&supervisor);
    spec_clear(&spec);
    return status;
}
