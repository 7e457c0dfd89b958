#define _GNU_SOURCE
#include "tool/cli/cli.h"
#include "tool/cli/spec.h"
#include "tool/cli/supervise.h"
#include "tool/control/ask.h"
#include "tool/control/client.h"

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

static json_t *host_request(const struct spec_host *host) {
    char command[SPEC_NAME];
    json_t *request = json_pack("{s:s,s:s}", "do", "host", "host", host->name);
    if (host->address != NULL)
        json_object_set_new(request, "ip", json_string(host->address));
    if (host->address6 != NULL)
        json_object_set_new(request, "ip6", json_string(host->address6));
    if (host->port_first != 0)
        json_object_set_new(request, "ports",
                            json_pack("[i,i]", (int)host->port_first, (int)host->port_last));
    if (host->sysctls != NULL)
        json_object_set(request, "sysctls", host->sysctls);
    if (host->link != NULL)
        json_object_set(request, "link", host->link);
    if (host->argv != NULL) {
        snprintf(command, sizeof command, "%s", host->argv[0]);
        json_object_set_new(request, "command", json_string(command));
    }
    return request;
}

/* Makes one computer; a refusal is said with its place in the file. */
static bool host_make(int control, const char *path, const struct spec_host *host, bool print) {
    char error[CLI_TEXT];
    json_t *reply =
        control_ask(control, host_request(host), NULL, 0, NULL, NULL, error, sizeof error);
    if (reply == NULL) {
        bool address = host->address != NULL && strstr(error, host->address) != NULL;
        bool address6 = !address && host->address6 != NULL && strstr(error, host->address6) != NULL;
        cli_fail("%s:%d: hosts.%s%s: %s", path,
                 address    ? host->address_line
                 : address6 ? host->address6_line
                            : host->line,
                 host->base,
                 address    ? ".ipv4_address"
                 : address6 ? ".ipv6_address"
                            : "",
                 error);
        return false;
    }
    if (print)
        printf("%s %s\n", host->name, json_string_value(json_object_get(reply, "ip")));
    json_decref(reply);
    return true;
}

/* Those with an address of their own first, so that no other one is given it. */
static bool hosts_make(int control, const char *path, const struct spec *spec, bool print) {
    for (int round = 0; round < 2; round++)
        for (const struct spec_host *host = spec->hosts; host != NULL; host = host->next)
            if ((host->address != NULL || host->address6 != NULL) == (round == 0) &&
                !host_make(control, path, host, print))
                return false;
    return true;
}

/* A connection on which the network is up; -1 when that failed and has been said. */
static int network_make(const char *net, const char *path, const struct spec *spec, bool print) {
    char error[CLI_TEXT];
    int control = control_connect(net, true, error, sizeof error);
    if (control < 0) {
        cli_fail("%s", error);
        return -1;
    }
    json_t *reply = control_ask(control,
                                json_pack("{s:s,s:s,s:s,s:s*}", "do", "up", "switch", spec->network,
                                          "subnet", spec->subnet, "subnet6", spec->subnet6),
                                NULL, 0, NULL, NULL, error, sizeof error);
    if (reply == NULL)
        cli_fail("%s", error);
    if (reply == NULL || !hosts_make(control, path, spec, print)) {
        json_decref(reply);
        close(control);
        return -1;
    }
    json_decref(reply);
    return control;
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
    supervisor.control = network_make(net, choice.file, &spec, choice.detach);
    if (supervisor.control < 0)
        status = STATUS_FAILED;
    else
        status = choice.detach ? detach(&supervisor) : supervise(&supervisor);
    spec_clear(&spec);
    return status;
}
