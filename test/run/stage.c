/* Plays programs on virtual computers in one process, without the daemon's control half and the
 * guards: for tests of the serving half, also under the sanitizers.
 *
 *   stage [-d DELAY_MS] [-n HOSTS] NAME:COMMAND...
 *
 * Hosts are called a, b, c... with the addresses 10.0.0.1, .2, ... Each COMMAND is run by /bin/sh
 * on the computer NAME, one after another; the next is started when its computer has one more
 * socket that is bound or listening than before, or after two seconds. The last one's exit status
 * is ours; the others are killed then. */
#define _GNU_SOURCE
#include "tool/daemon/server.h"
#include "tool/loop/clock.h"
#include "tool/runner/filter.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ACTS = 32, HOSTS = 8 };

struct act {
    pid_t process;
    int run;
    int host;
};

static struct server *server;
static int hosts[HOSTS];

static void note(void *context, const char *text) {
    (void)context;
    fprintf(stderr, "note: %s\n", text);
}

static struct berth_network *network_make(int host_count, unsigned delay_ms) {
    struct berth_network_config config;
    berth_network_config_init(&config);
    struct berth_network *network = berth_network_new(&config);
    struct berth_ip subnet;
    berth_ip_parse("10.0.0.0", &subnet);
    int lan = berth_network_add_switch(network, "lan", &subnet, 24, 1500);
    for (int i = 0; i < host_count; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        hosts[i] = berth_network_add_host(network, name, lan, NULL, NULL);
        if (delay_ms) {
            struct berth_impairment delay = {.delay = delay_ms * BERTH_MS};
            berth_network_impair(network, hosts[i], BERTH_EGRESS, &delay);
        }
    }
    return network;
}

/* In the child: under the filter from here on. The listener's number goes to the parent, which
 * answers before anything else is called. */
static void child_run(const struct sock_fprog *filter, int to_parent, int from_parent,
                      const char *command) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    int listener = filter_install(filter);
    char go;
    if (write(to_parent, &listener, sizeof listener) < 0 || read(from_parent, &go, 1) < 0)
        _exit(126);
    close(listener);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static int listener_take(pid_t process, int from_child) {
    int number = -1;
    if (read(from_child, &number, sizeof number) != sizeof number || number < 0)
        return -1;
    int pidfd = (int)syscall(SYS_pidfd_open, process, 0);
    int listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
    close(pidfd);
    return listener;
}

static void act_start(struct act *act, const struct sock_fprog *filter, int host,
                      const char *command) {
    int up[2], down[2];
    if (pipe2(up, 02000000) < 0 || pipe2(down, 02000000) < 0)
        exit(125);
    act->host = host;
    act->process = fork();
    if (act->process == 0)
        child_run(filter, up[1], down[0], command);
    setpgid(act->process, act->process);
    close(up[1]);
    int listener = listener_take(act->process, up[0]);
    struct server_run_ops ops = {note, NULL};
    act->run = listener < 0 ? -errno
                            : server_attach(server, hosts[host], listener, -1, act->process, &ops);
    if (act->run < 0) {
        fprintf(stderr, "stage: cannot attach: %s\n", strerror(-act->run));
        exit(125);
    }
    if (write(down[1], "", 1) < 0)
        exit(125);
    close(up[0]);
    close(down[0]);
    close(down[1]);
}

static unsigned sockets_count(int host) {
    struct berth_socket_row rows[64];
    uint64_t now, cursor = 0;
    unsigned found = 0;
    size_t count;
    struct berth_network *network = server_lock(server, &now);
    while ((count = berth_host_sockets(berth_network_host(network, hosts[host]), &cursor, rows,
                                       64)) > 0)
        for (size_t i = 0; i < count; i++)
            found += rows[i].local.port &&
                     (rows[i].protocol == BERTH_UDP || rows[i].state == BERTH_LISTEN);
    server_unlock(server);
    return found;
}

static void act_settle(const struct act *act, unsigned before) {
    for (int i = 0; i < 200 && sockets_count(act->host) == before; i++)
        usleep(10000);
}

static int acts_play(int count, char **words) {
    struct sock_fprog filter;
    static struct act acts[ACTS];
    if (filter_init(&filter) < 0)
        return 125;
    for (int i = 0; i < count; i++) {
        int host = words[i][0] - 'a';
        unsigned before = sockets_count(host);
        act_start(&acts[i], &filter, host, words[i] + 2);
        if (i + 1 < count)
            act_settle(&acts[i], before);
    }
    int status = 0;
    waitpid(acts[count - 1].process, &status, 0);
    for (int i = 0; i < count; i++)
        kill(-acts[i].process, SIGKILL);
    for (int i = 0; i < count; i++)
        server_detach(server, acts[i].run);
    filter_clear(&filter);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void counters_print(void) {
    struct server_counters c;
    server_counters(server, &c);
    fprintf(stderr, "stage: %lu calls, %lu wakeups, %lu receives, %lu sends\n",
            (unsigned long)c.notified_calls, (unsigned long)c.wakeups, (unsigned long)c.receives,
            (unsigned long)c.sends);
}

int main(int argc, char **argv) {
    unsigned delay = 0;
    int option, host_count = 3, verbose = 0;
    while ((option = getopt(argc, argv, "d:n:v")) != -1) {
        if (option == 'd')
            delay = (unsigned)atoi(optarg);
        else if (option == 'n')
            host_count = atoi(optarg);
        else if (option == 'v')
            verbose = 1;
        else
            return 2;
    }
    int count = argc - optind;
    if (count < 1 || count > ACTS || host_count < 1 || host_count > HOSTS)
        return 2;
    server = server_new(network_make(host_count, delay));
    if (!server)
        return 125;
    int status = acts_play(count, argv + optind);
    if (verbose)
        counters_print();
    server_free(server);
    return status;
}
