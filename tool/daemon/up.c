/* `up` and `down`. The process behind `up` makes the computers one by one, starts their commands as
 * runs like any other, and stays connected: it is the network's user until `down`. */
#include "tool/daemon/lifecycle.h"
#include "tool/daemon/logs.h"
#include "tool/daemon/netem.h"
#include "tool/daemon/requests.h"
#include "tool/daemon/runs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void request_up(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    const char *switch_name = json_string_value(json_object_get(request, "switch"));
    const char *subnet = json_string_value(json_object_get(request, "subnet"));
    const char *subnet6 = json_string_value(json_object_get(request, "subnet6"));
    char error[SENTENCE], since[16];
    if (daemon->ending) {
        connection_refuse(c, "network %s is going down", daemon->net);
    } else if (daemon->up != NULL) {
        connection_refuse(c,
                          "network %s is up already, since %s: end it with berth down, or choose "
                          "another network (--net)",
                          daemon->net, clock_text(daemon->up_since, since));
    } else if (c->run != NULL || switch_name == NULL || subnet == NULL) {
        connection_refuse(c, "up needs a switch and a subnet, and a connection of its own");
    } else if (network_prepare(daemon, switch_name, subnet, subnet6, error) < 0) {
        connection_refuse(c, "%s", error);
    } else {
        daemon->up = c;
        daemon->up_since = time(NULL);
        connection_ok(c);
    }
}

/* The range of ports that the computer gives to clients. 0 or a negative errno. */
static int ports_set(struct daemon *daemon, const struct computer *computer, json_t *ports) {
    json_int_t first = json_integer_value(json_array_get(ports, 0));
    json_int_t last = json_integer_value(json_array_get(ports, 1));
    if (first < 1 || last > 65535 || first > last)
        return -1;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    int result = berth_host_set_port_range(berth_network_host(network, computer->number),
                                           (uint16_t)first, (uint16_t)last);
    server_unlock(daemon->server);
    return result;
}

/* The settings that Linux has as sysctls. 0 or a negative errno. */
static int sysctls_set(struct daemon *daemon, const struct computer *computer, json_t *sysctls) {
    const char *name;
    json_t *value;
    int result = 0;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    struct berth_host *host = berth_network_host(network, computer->number);
    json_object_foreach(sysctls, name, value) {
        const char *text = json_string_value(value);
        int r = text != NULL ? berth_host_set_sysctl(host, name, text) : -EINVAL;
        result = r < 0 ? r : result;
    }
    server_unlock(daemon->server);
    return result;
}

static bool link_set(struct daemon *daemon, const struct computer *computer, json_t *link,
                     char *error) {
    struct berth_impairment impairment = {.delay = 0};
    if (!impairment_read(link, &impairment, error))
        return false;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    int result = berth_network_impair(network, computer->number, BERTH_BOTH, &impairment);
    server_unlock(daemon->server);
    if (result < 0)
        snprintf(error, SENTENCE, "link: %s", strerror(-result));
    return result == 0;
}

/* A computer of the network that is up. One that a run made before is taken over. */
void request_host(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    const char *name = json_string_value(json_object_get(request, "host"));
    const char *ip = json_string_value(json_object_get(request, "ip"));
    const char *ip6 = json_string_value(json_object_get(request, "ip6"));
    const char *command = json_string_value(json_object_get(request, "command"));
    json_t *ports = json_object_get(request, "ports"), *link = json_object_get(request, "link");
    json_t *sysctls = json_object_get(request, "sysctls");
    char error[SENTENCE];
    if (daemon->up != c || name == NULL) {
        connection_refuse(c, "host comes after up, with a name");
        return;
    }
    struct computer *computer = computer_find(daemon, name);
    if (computer != NULL && (computer->kept || !computer_answers_to(computer, ip) ||
                             !computer_answers_to(computer, ip6))) {
        connection_refuse(c, "host %s is there already, with the address %s", computer->name,
                          computer->address);
        return;
    }
    if (computer == NULL)
        computer = computer_add(daemon, name, ip, ip6, error);
    if (computer == NULL) {
        connection_refuse(c, "%s", error);
        return;
    }
    computer->kept = true;
    snprintf(computer->command, sizeof computer->command, "%s", command != NULL ? command : "");
    if (ports != NULL && ports_set(daemon, computer, ports) < 0)
        connection_refuse(c, "ports: no range");
    else if (sysctls != NULL && sysctls_set(daemon, computer, sysctls) < 0)
        connection_refuse(c, "sysctls: no such name or value");
    else if (link != NULL && !link_set(daemon, computer, link, error))
        connection_refuse(c, "%s", error);
    else
        connection_reply(c, json_pack("{s:b,s:s,s:s}", "ok", 1, "host", computer->name, "ip",
                                      computer->address));
}

/* What the command of a computer of ours came to. */
void request_ended(struct connection *c, json_t *request) {
    const char *name = json_string_value(json_object_get(request, "host"));
    struct computer *computer = name != NULL ? computer_find(c->daemon, name) : NULL;
    if (c->daemon->up != c || computer == NULL) {
        connection_refuse(c, "ended comes after host");
        return;
    }
    computer->ended = true;
    computer->status = (int)json_integer_value(json_object_get(request, "status"));
    computer->since = time(NULL);
    connection_ok(c);
}

void request_log(struct connection *c, json_t *request) {
    const char *name = json_string_value(json_object_get(request, "host"));
    struct computer *computer = name != NULL ? computer_find(c->daemon, name) : NULL;
    int fd = control_reader_take_fd(&c->reader);
    if (c->daemon->up != c || computer == NULL || fd < 0) {
        if (fd >= 0)
            close(fd);
        connection_refuse(c, "log comes after host, with a descriptor");
        return;
    }
    int result = log_add(c->daemon, computer->name, fd);
    if (result < 0)
        connection_refuse(c, "cannot keep the log: %s", strerror(-result));
    else
        connection_ok(c);
}

void request_down(struct connection *c, json_t *request) {
    (void)request;
    connection_ok(c);
    c->stays = true;
    c->watcher = true;
    lifecycle_down(c->daemon, "the network goes down");
}
