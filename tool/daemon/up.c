/* `up` and `down`. The process behind `up` makes the computers one by one, starts their commands as
 * runs like any other, and stays connected: it is the network's user until `down`. */
#include "tool/daemon/impairments.h"
#include "tool/daemon/lans.h"
#include "tool/daemon/lifecycle.h"
#include "tool/daemon/logs.h"
#include "tool/daemon/requests.h"
#include "tool/daemon/runs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PLUGS_MAX = 16 };

/* All switches that the request names. False with a sentence. */
static bool lans_make(struct daemon *daemon, json_t *networks, char *error) {
    size_t i;
    json_t *network;
    snprintf(error, SENTENCE, "up needs networks, each with a name and a subnet");
    json_array_foreach(networks, i, network) {
        const char *name = json_string_value(json_object_get(network, "name"));
        const char *subnet = json_string_value(json_object_get(network, "subnet"));
        const char *subnet6 = json_string_value(json_object_get(network, "subnet6"));
        if (name == NULL || subnet == NULL || lan_prepare(daemon, name, subnet, subnet6, error) < 0)
            return false;
    }
    return json_array_size(networks) > 0;
}

void request_up(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    char error[SENTENCE], since[16];
    if (daemon->ending) {
        connection_refuse(c, "network %s is going down", daemon->net);
    } else if (daemon->up != NULL) {
        connection_refuse(c,
                          "network %s is up already, since %s: end it with berth down, or choose "
                          "another network (--net)",
                          daemon->net, clock_text(daemon->up_since, since));
    } else if (c->run != NULL) {
        connection_refuse(c, "up needs a connection of its own");
    } else if (!lans_make(daemon, json_object_get(request, "networks"), error)) {
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

static bool link_set(struct daemon *daemon, const struct computer *computer, int lan, json_t *link,
                     char *error) {
    struct berth_impairment impairment = {.delay = 0};
    if (!impairment_read(link, &impairment, error))
        return false;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    int result = berth_network_impair_link(network, computer->number, lan, BERTH_BOTH, &impairment);
    server_unlock(daemon->server);
    if (result < 0)
        snprintf(error, SENTENCE, "link: %s", strerror(-result));
    return result == 0;
}

static bool aliases_add(struct daemon *daemon, const struct computer *computer, json_t *aliases,
                        char *error) {
    size_t i;
    json_t *alias;
    json_array_foreach(aliases, i, alias) {
        const char *name = json_string_value(alias);
        uint64_t now;
        struct berth_network *network = server_lock(daemon->server, &now);
        int other = name != NULL ? berth_network_find_host(network, name) : -1;
        int result = other == computer->number ? 0
                     : name != NULL ? berth_network_add_name(network, name, computer->number)
                                    : -EINVAL;
        server_unlock(daemon->server);
        if (result < 0) {
            snprintf(error, SENTENCE, "alias \"%.64s\": %s", name != NULL ? name : "",
                     result == -EEXIST ? "that name is taken" : strerror(-result));
            return false;
        }
    }
    return true;
}

/* Names of its own: pairs of a name and an address. */
static bool records_add(struct daemon *daemon, const struct computer *computer, json_t *records,
                        char *error) {
    json_t *pair;
    size_t i;
    json_array_foreach(records, i, pair) {
        const char *name = json_string_value(json_array_get(pair, 0));
        const char *text = json_string_value(json_array_get(pair, 1));
        struct berth_ip ip;
        uint64_t now;
        bool read = name != NULL && text != NULL && berth_ip_parse(text, &ip) == 0;
        struct berth_network *network = server_lock(daemon->server, &now);
        int result =
            read ? berth_network_add_record(network, computer->number, name, &ip) : -EINVAL;
        server_unlock(daemon->server);
        if (result < 0) {
            snprintf(error, SENTENCE, "extra host \"%.64s\": %s", name != NULL ? name : "",
                     strerror(-result));
            return false;
        }
    }
    return true;
}

/* What the plugs say beyond addresses: links and names. */
static bool plugs_finish(struct daemon *daemon, const struct computer *computer, json_t *plugs,
                         const struct wish *wishes, char *error) {
    size_t i;
    json_t *plug;
    json_array_foreach(plugs, i, plug) {
        json_t *link = json_object_get(plug, "link");
        if ((link != NULL && wishes[i].lan != NULL &&
             !link_set(daemon, computer, wishes[i].lan->number, link, error)) ||
            !aliases_add(daemon, computer, json_object_get(plug, "aliases"), error))
            return false;
    }
    return true;
}

static bool wishes_read(struct daemon *daemon, json_t *plugs, struct wish wishes[PLUGS_MAX],
                        char *error) {
    size_t i;
    json_t *plug;
    if (json_array_size(plugs) < 1 || json_array_size(plugs) > PLUGS_MAX) {
        snprintf(error, SENTENCE, "a host has 1 to %d plugs", PLUGS_MAX);
        return false;
    }
    json_array_foreach(plugs, i, plug) {
        const char *name = json_string_value(json_object_get(plug, "network"));
        wishes[i] = (struct wish){.lan = lan_find(daemon, name != NULL ? name : ""),
                                  .ip = json_string_value(json_object_get(plug, "ip")),
                                  .ip6 = json_string_value(json_object_get(plug, "ip6"))};
        if (wishes[i].lan == NULL) {
            snprintf(error, SENTENCE, "no network \"%.64s\"", name != NULL ? name : "");
            return false;
        }
    }
    return true;
}

/* The computer of a `host` request: a new one, or one that a run has made and that has the
 * addresses asked for. NULL with a sentence. */
static struct computer *host_computer(struct daemon *daemon, const char *name,
                                      const struct wish *wishes, size_t count, char *error) {
    struct computer *computer = computer_find(daemon, name);
    if (computer == NULL)
        return computer_add(daemon, name, wishes, count, error);
    if (!computer->kept && count == 1 && computer_answers_to(daemon, computer, wishes[0].ip) &&
        computer_answers_to(daemon, computer, wishes[0].ip6))
        return computer;
    snprintf(error, SENTENCE, "host %s is there already, with the address %s", computer->name,
             computer->address);
    return NULL;
}

/* Its addresses, link by link. */
static json_t *links_pack(struct daemon *daemon, const struct computer *computer) {
    struct berth_link links[PLUGS_MAX];
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    size_t count = berth_network_links(network, computer->number, links, PLUGS_MAX);
    server_unlock(daemon->server);
    json_t *list = json_array();
    for (size_t i = 0; i < count && i < PLUGS_MAX; i++) {
        char ip[BERTH_IP_TEXT], ip6[BERTH_IP_TEXT];
        json_t *link = json_pack("{s:s}", "ip", berth_ip_format(&links[i].address, ip));
        if (!berth_ip_is_any(&links[i].ipv6))
            json_object_set_new(link, "ip6", json_string(berth_ip_format(&links[i].ipv6, ip6)));
        json_array_append_new(list, link);
    }
    return list;
}

/* A computer of the network that is up. One that a run made before is taken over. */
void request_host(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    const char *name = json_string_value(json_object_get(request, "host"));
    const char *command = json_string_value(json_object_get(request, "command"));
    json_t *ports = json_object_get(request, "ports"), *plugs = json_object_get(request, "plugs");
    json_t *sysctls = json_object_get(request, "sysctls");
    struct wish wishes[PLUGS_MAX] = {0};
    char error[SENTENCE];
    if (daemon->up != c || name == NULL) {
        connection_refuse(c, "host comes after up, with a name");
        return;
    }
    struct computer *computer =
        wishes_read(daemon, plugs, wishes, error)
            ? host_computer(daemon, name, wishes, json_array_size(plugs), error)
            : NULL;
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
    else if (!plugs_finish(daemon, computer, plugs, wishes, error) ||
             !records_add(daemon, computer, json_object_get(request, "names"), error))
        connection_refuse(c, "%s", error);
    else
        connection_reply(c, json_pack("{s:b,s:s,s:s,s:o}", "ok", 1, "host", computer->name, "ip",
                                      computer->address, "links", links_pack(daemon, computer)));
}

static int route_add(struct berth_network *network, int host, json_t *route) {
    const char *to = json_string_value(json_object_get(route, "to"));
    const char *via = json_string_value(json_object_get(route, "via"));
    struct berth_ip prefix, gateway;
    unsigned length;
    if (to == NULL || via == NULL || !subnet_parse(to, &prefix, &length) ||
        berth_ip_parse(via, &gateway) < 0)
        return -EINVAL;
    return berth_network_add_route(network, host, &prefix, length, &gateway);
}

void request_route(struct connection *c, json_t *request) {
    const char *name = json_string_value(json_object_get(request, "host"));
    struct computer *computer = name != NULL ? computer_find(c->daemon, name) : NULL;
    size_t i;
    json_t *route;
    if (c->daemon->up != c || computer == NULL) {
        connection_refuse(c, "route comes after host");
        return;
    }
    int result = 0;
    uint64_t now;
    struct berth_network *network = server_lock(c->daemon->server, &now);
    json_array_foreach(json_object_get(request, "routes"), i, route) if (result == 0) result =
        route_add(network, computer->number, route);
    server_unlock(c->daemon->server);
    if (result < 0)
        connection_refuse(c, "route: %s", strerror(-result));
    else
        connection_ok(c);
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
    const char *process = json_string_value(json_object_get(request, "process"));
    int result = log_add(c->daemon, computer->name, process, fd);
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
