#define _GNU_SOURCE
#include "tool/cli/spec.h"
#include "tool/cli/spec_read.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static bool hosts_read(const struct spec_reader *reader, const struct tree_node *hosts) {
    if (hosts == NULL || tree_is_null(hosts))
        return spec_wrong(reader, hosts != NULL ? hosts->line : 1, "hosts",
                          "a network needs at least one host");
    if (hosts->kind != TREE_MAP)
        return spec_wrong(reader, hosts->line, "hosts", "must be a map of names");
    for (const struct tree_node *node = hosts->first; node != NULL; node = node->next)
        if (strncmp(node->key, "x-", 2) != 0 && !spec_host_read(reader, node))
            return false;
    return reader->spec->hosts != NULL ||
           spec_wrong(reader, hosts->line, "hosts", "a network needs at least one host");
}

bool spec_read(struct spec *spec, FILE *file, const char *name, char *error) {
    struct spec_reader reader = {spec, name, error};
    *spec = (struct spec){.root = tree_read(file, name, error)};
    const struct tree_node *root = spec->root;
    if (root == NULL)
        return false;
    const struct tree_node *links = tree_member(root, "links");
    if (spec_map_check(&reader, root, "", SPEC_MAP_FILE) && spec_gateway_read(&reader, root) &&
        spec_networks_read(&reader, tree_member(root, "networks")) &&
        hosts_read(&reader, tree_member(root, "hosts")) && spec_networks_settle(&reader) &&
        spec_depends_read(&reader) && spec_links_read(&reader, links) &&
        spec_faults_read(&reader, tree_member(root, "faults")))
        return true;
    spec_clear(spec);
    return false;
}

static void service_free(struct spec_service *service) {
    spec_processes_clear(service);
    free(service->health.argv);
    json_decref(service->sysctls);
    for (struct spec_plug *plug = service->plugs, *next; plug != NULL; plug = next) {
        next = plug->next;
        free(plug);
    }
    for (struct spec_depend *depend = service->depends, *next; depend != NULL; depend = next) {
        next = depend->next;
        free(depend);
    }
    for (struct spec_port *port = service->ports, *next; port != NULL; port = next) {
        next = port->next;
        free(port);
    }
    for (struct spec_extra_host *extra = service->extra_hosts, *next; extra != NULL; extra = next) {
        next = extra->next;
        free(extra->name);
        free(extra);
    }
    free(service);
}

static void host_free(struct spec_host *host) {
    for (const struct spec_plug *plug = host->service->plugs; plug && host->links;
         plug = plug->next)
        json_decref(host->links[plug->number]);
    free(host->links);
    free(host);
}

static void name_keep(void *name) {
    (void)name; /* it is the host's */
}

void spec_clear(struct spec *spec) {
    json_decref(spec->gateway);
    json_decref(spec->setup);
    json_decref(spec->faults);
    tdestroy(spec->names, name_keep);
    while (spec->hosts != NULL) {
        struct spec_host *host = spec->hosts;
        spec->hosts = host->next;
        host_free(host);
    }
    while (spec->services != NULL) {
        struct spec_service *service = spec->services;
        spec->services = service->next;
        service_free(service);
    }
    while (spec->networks != NULL) {
        struct spec_network *network = spec->networks;
        spec->networks = network->next;
        json_decref(network->link);
        free(network);
    }
    tree_free(spec->root);
    *spec = (struct spec){.root = NULL};
}
