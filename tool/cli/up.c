#define _GNU_SOURCE
#include "tool/cli/cli.h"
#include "tool/cli/spec.h"
#include "tool/cli/supervise.h"
#include "tool/cli/topology.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct up_choice {
    const char *file;
    bool detach;
};

static void up_take(void *context, int letter, const char *argument) {
    struct up_choice *choice = context;
    if (letter == 'f')
        choice->file = argument;
    else
        choice->detach = true;
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

/* Where the file lies: there its commands start. */
static void directory_of(const char *path, char directory[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        snprintf(directory, PATH_MAX, ".");
    else
        snprintf(directory, PATH_MAX, "%.*s/", (int)(slash - path), path);
}

int command_up(int argc, char **argv) {
    static const struct option words[] = {{"file", required_argument, NULL, 'f'},
                                          {"detach", no_argument, NULL, 'd'},
                                          {NULL, 0, NULL, 0}};
    struct up_choice choice = {.file = "berth.yaml"};
    char directory[PATH_MAX];
    const char *net;
    const struct cli_options options = {
        .usage = "up [--net NET] [-f FILE] [-d]",
        .help =
            "Makes the computers and links that a file describes and starts their commands. In "
            "the foreground\nit prints what they say, and Ctrl-C ends the network; with -d the "
            "network stays until berth down.\n\n"
            "  -f, --file FILE   the description (default: berth.yaml)\n"
            "  -d, --detach      return when all commands are started\n\n"
            "  networks: {lan: {subnet: 10.0.0.0/24}}\n"
            "  hosts:\n"
            "    server: {ipv4_address: 10.0.0.1, command: [python3, -m, http.server, \"80\"]}\n"
            "    pc: {count: 3, sysctls: {net.ipv4.ip_local_port_range: \"40000 40999\"}}\n"
            "  links:\n"
            "    - {endpoints: [server, lan], delay: 20ms 5ms, loss: 1%, reorder: 5%}\n\n"
            "A host may also have environment and ipv6_address, a network an IPv6 subnet (subnet: "
            "[10.0.0.0/24,\nfd00:5::/64]) or none (enable_ipv6: false). Delays count each way.\n",
        .letters = "f:d",
        .words = words,
        .take = up_take,
        .context = &choice};
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    struct spec spec;
    if (!spec_load(choice.file, &spec))
        return STATUS_FAILED;
    directory_of(choice.file, directory);
    struct supervisor supervisor = {
        .spec = &spec, .net = net, .directory = directory, .detached = choice.detach, .ready = -1};
    supervisor.control = topology_make(net, choice.file, &spec, choice.detach);
    if (supervisor.control < 0)
        status = STATUS_FAILED;
    else
        status = choice.detach ? detach(&supervisor) : supervise(&supervisor);
    spec_clear(&spec);
    return status;
}
