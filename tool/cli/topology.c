#include "tool/cli/topology.h"
#include "tool/cli/cli.h"
#include "tool/cli/routes.h"
#include "tool/control/ask.h"
#include "tool/control/client.h"

#include <string.h>
#include <unistd.h>

struct making {
    int control;
    const char *path; /* the file's, for messages */
    const struct spec *spec;
    struct routes *routes;
    bool print;
};

/* Takes the request; the reply, or NULL with a sentence. */
static json_t *ask(const struct making *making, json_t *request, char error[CLI_TEXT]) {
    return control_ask(making->control, request, NULL, 0, NULL, NULL, error, CLI_TEXT);
}

static json_t *networks_pack(const struct spec *spec) {
    json_t *list = json_array();
    for (const struct spec_network *n = spec->networks; n != NULL; n = n->next)
        json_array_append_new(list, json_pack("{s:s,s:s,s:s*}", "name", n->name, "subnet",
                                              n->subnet, "subnet6", n->subnet6));
    return list;
}

static json_t *plugs_pack(const struct spec_host *host) {
    json_t *list = json_array();
    for (const struct spec_plug *p = host->service->plugs; p != NULL; p = p->next) {
        json_t *plug = json_pack("{s:s,s:s*,s:s*,s:O*}", "network", p->network->name, "ip",
                                 p->address, "ip6", p->address6, "link", host->links[p->number]);
        json_t *aliases = p->aliases != NULL ? json_array() : NULL;
        for (const struct tree_node *a = aliases ? p->aliases->first : NULL; a; a = a->next)
            json_array_append_new(aliases, json_string(a->text));
        if (aliases != NULL)
            json_object_set_new(plug, "aliases", aliases);
        json_array_append_new(list, plug);
    }
    return list;
}

static json_t *sysctls_pack(const struct spec_service *service) {
    json_t *sysctls = service->sysctls != NULL ? json_copy(service->sysctls) : json_object();
    if (service->forward) {
        json_object_set_new(sysctls, "net.ipv4.ip_forward", json_string("1"));
        json_object_set_new(sysctls, "net.ipv6.conf.all.forwarding", json_string("1"));
    }
    return sysctls;
}

static json_t *host_request(const struct spec_host *host) {
    const struct spec_service *service = host->service;
    char command[SPEC_NAME];
    json_t *request = json_pack("{s:s,s:s,s:o,s:o}", "do", "host", "host", host->name, "plugs",
                                plugs_pack(host), "sysctls", sysctls_pack(service));
    json_t *names = service->extra_hosts != NULL ? json_array() : NULL;
    for (const struct spec_extra_host *e = service->extra_hosts; e != NULL; e = e->next)
        json_array_append_new(names, json_pack("[s,s]", e->name, e->address));
    if (names != NULL)
        json_object_set_new(request, "names", names);
    if (service->port_first != 0)
        json_object_set_new(request, "ports",
                            json_pack("[i,i]", (int)service->port_first, (int)service->port_last));
    if (service->processes != NULL) {
        snprintf(command, sizeof command, "%s", service->processes->argv[0]);
        json_object_set_new(request, "command", json_string(command));
    }
    return request;
}

/* What the daemon refused may be about an address: then that has a line of its own. */
static void refusal_say(const struct making *making, const struct spec_host *host,
                        const char *error) {
    const struct spec_service *service = host->service;
    for (const struct spec_plug *p = service->plugs; p != NULL; p = p->next) {
        bool v4 = p->address != NULL && strstr(error, p->address) != NULL;
        bool v6 = !v4 && p->address6 != NULL && strstr(error, p->address6) != NULL;
        if (v4 || v6) {
            cli_fail("%s:%d: hosts.%s.%s: %s", making->path,
                     v4 ? p->address_line : p->address6_line, service->name,
                     v4 ? "ipv4_address" : "ipv6_address", error);
            return;
        }
    }
    cli_fail("%s:%d: hosts.%s: %s", making->path, service->line, service->name, error);
}

/* Makes one computer; a refusal is said with its place in the file. */
static bool host_make(struct making *making, const struct spec_host *host) {
    char error[CLI_TEXT] = "out of memory";
    json_t *reply = ask(making, host_request(host), error);
    bool fine =
        reply != NULL && (!host->service->router ||
                          routes_add_router(making->routes, host, json_object_get(reply, "links")));
    if (!fine)
        refusal_say(making, host, error);
    else if (making->print)
        printf("%s %s\n", host->name, json_string_value(json_object_get(reply, "ip")));
    json_decref(reply);
    return fine;
}

static bool has_address(const struct spec_host *host) {
    for (const struct spec_plug *plug = host->service->plugs; plug != NULL; plug = plug->next)
        if (plug->address != NULL || plug->address6 != NULL)
            return true;
    return false;
}

/* Those with an address of their own first, so that no other one is given it. */
static bool hosts_make(struct making *making) {
    for (int round = 0; round < 2; round++)
        for (const struct spec_host *host = making->spec->hosts; host != NULL; host = host->next)
            if (has_address(host) == (round == 0) && !host_make(making, host))
                return false;
    return true;
}

static bool routes_make(struct making *making) {
    char error[CLI_TEXT];
    routes_settle(making->routes);
    for (const struct spec_host *host = making->spec->hosts; host != NULL; host = host->next) {
        json_t *routes = routes_of(making->routes, host);
        if (routes == NULL)
            continue;
        json_t *reply = ask(
            making, json_pack("{s:s,s:s,s:o}", "do", "route", "host", host->name, "routes", routes),
            error);
        if (reply == NULL) {
            refusal_say(making, host, error);
            return false;
        }
        json_decref(reply);
    }
    return true;
}

/* netem's lines in the file. */
static bool links_make(struct making *making) {
    char error[CLI_TEXT];
    json_t *entry;
    size_t i;
    json_array_foreach(making->spec->setup, i, entry) {
        json_t *reply = ask(making, json_incref(json_object_get(entry, "fault")), error);
        if (reply == NULL) {
            cli_fail("%s: %s", json_string_value(json_object_get(entry, "place")), error);
            return false;
        }
        json_decref(reply);
    }
    return true;
}

static bool all_make(struct making *making) {
    char error[CLI_TEXT];
    json_t *reply = ask(
        making, json_pack("{s:s,s:o}", "do", "up", "networks", networks_pack(making->spec)), error);
    if (reply == NULL)
        cli_fail("%s", error);
    bool fine = reply != NULL && hosts_make(making) && links_make(making) && routes_make(making);
    json_decref(reply);
    return fine;
}

int topology_make(const char *net, const char *path, const struct spec *spec, bool print) {
    char error[CLI_TEXT];
    struct making making = {.path = path, .spec = spec, .print = print};
    making.control = control_connect(net, true, error, sizeof error);
    making.routes = routes_new(spec);
    if (making.control < 0)
        cli_fail("%s", error);
    else if (making.routes == NULL)
        cli_fail("out of memory");
    bool fine = making.control >= 0 && making.routes != NULL && all_make(&making);
    routes_free(making.routes);
    if (!fine && making.control >= 0)
        close(making.control);
    return fine ? making.control : -1;
}
