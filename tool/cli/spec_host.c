/* hosts.NAME: a service, and the computers that it stands for. */
#define _GNU_SOURCE
#include "tool/cli/spec_read.h"
#include "tool/control/place.h"

#include <berth/addr.h>
#include <search.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTS_MAX = 10000 };

static int name_compare(const void *a, const void *b) {
    return strcmp(a, b);
}

/* The tree has the hosts' names, which lie in the hosts. */
static const struct spec_host *host_of_name(void *const *found) {
    return found == NULL
               ? NULL
               : (const struct spec_host *)(const void *)((const char *)*found -
                                                          offsetof(struct spec_host, name));
}

const struct spec_host *spec_find(const struct spec *spec, const char *name) {
    return host_of_name(tfind(name, &spec->names, name_compare));
}

static bool count_read(const struct spec_reader *reader, const struct tree_node *node,
                       const char *path, struct spec_service *service, bool *numbered) {
    const char *text = NULL;
    char inner[SPEC_PATH];
    service->count = 1; /* one computer with the key's own name */
    if (!spec_text(reader, node, path, "count", &text))
        return false;
    *numbered = text != NULL;
    unsigned left = HOSTS_MAX - reader->spec->host_count;
    long count = text != NULL ? spec_number(text) : 1;
    spec_path(inner, path, "count");
    int line = text != NULL ? tree_member(node, "count")->line : node->key_line;
    if (count < 1 || count > HOSTS_MAX)
        return spec_wrong(reader, line, inner, "\"%.40s\" should be a number from 1 to %d", text,
                          HOSTS_MAX);
    if (count > (long)left)
        return spec_wrong(reader, line, inner, "more than %d hosts in all", HOSTS_MAX);
    service->count = (unsigned)count;
    return true;
}

/* Takes the host's name into the tree. */
static bool name_enter(const struct spec_reader *reader, const struct spec_service *service,
                       const char *path, struct spec_host *host) {
    struct berth_ip ip;
    if (!place_name_valid(host->name) || berth_ip_parse(host->name, &ip) == 0)
        return spec_wrong(reader, service->line, path,
                          "a name has letters, digits, - _ and ., at most %d", PLACE_NAME);
    void *const *place = tsearch(host->name, &reader->spec->names, name_compare);
    if (place == NULL)
        return spec_memory(reader, service->line, path);
    const struct spec_host *other = host_of_name(place);
    return other == host ||
           spec_wrong(reader, service->line, path, "host %s is there already (line %d)", host->name,
                      other->service->line);
}

static bool links_inherit(const struct spec_service *service, struct spec_host *host) {
    size_t plugs = 0;
    for (const struct spec_plug *plug = service->plugs; plug != NULL; plug = plug->next)
        plugs++;
    host->links = calloc(plugs + 1, sizeof(json_t *)); /* one has none */
    ;
    for (const struct spec_plug *plug = service->plugs; host->links && plug; plug = plug->next)
        host->links[plug->number] = json_incref(plug->network->link);
    return host->links != NULL;
}

/* One computer. It is the spec's before it is complete, so that a failure leaves nothing behind. */
static bool host_add(const struct spec_reader *reader, const struct spec_service *service,
                     const char *path, unsigned number) {
    struct spec *spec = reader->spec;
    char name[SPEC_NAME * 2];
    struct spec_host *host = calloc(1, sizeof *host);
    if (host == NULL)
        return spec_memory(reader, service->line, path);
    host->service = service;
    if (spec->last != NULL)
        spec->last->next = host;
    else
        spec->hosts = host;
    spec->last = host;
    spec->host_count++;
    if (number > 0)
        snprintf(name, sizeof name, "%.70s%u", service->name, number);
    else
        snprintf(name, sizeof name, "%.70s", service->name);
    if (strlen(name) < sizeof host->name) /* else it stays empty, which is no name */
        memcpy(host->name, name, strlen(name) + 1);
    return name_enter(reader, service, path, host) &&
           (links_inherit(service, host) || spec_memory(reader, service->line, path));
}

static struct spec_service *service_add(struct spec *spec, const struct tree_node *node) {
    struct spec_service *service = calloc(1, sizeof *service);
    if (service == NULL)
        return NULL;
    service->name = node->key;
    service->node = node;
    service->line = node->key_line;
    service->number = spec->service_count++;
    if (spec->last_service != NULL)
        spec->last_service->next = service;
    else
        spec->services = service;
    spec->last_service = service;
    return service;
}

/* `router: true` forwards, and others send through it; `forward: true` alone only forwards. */
static bool forward_read(const struct spec_reader *reader, const struct tree_node *node,
                         const char *path, struct spec_service *service) {
    char inner[SPEC_PATH];
    if (!spec_bool(reader, node, path, "router", &service->router))
        return false;
    service->forward = service->router;
    if (!spec_bool(reader, node, path, "forward", &service->forward))
        return false;
    spec_path(inner, path, "forward");
    return !service->router || service->forward ||
           spec_wrong(reader, tree_member(node, "forward")->line, inner,
                      "a router forwards: leave one of the two keys out");
}

bool spec_host_read(const struct spec_reader *reader, const struct tree_node *node) {
    char path[SPEC_PATH];
    bool numbered;
    spec_path(path, "hosts", node->key);
    struct spec_service *service = service_add(reader->spec, node);
    if (service == NULL)
        return spec_memory(reader, node->key_line, path);
    if (!spec_map_check(reader, node, path, SPEC_MAP_HOST) ||
        !count_read(reader, node, path, service, &numbered) ||
        !spec_plugs_read(reader, node, path, service) ||
        !forward_read(reader, node, path, service) ||
        !spec_processes_read(reader, node, path, service) ||
        !spec_health_read(reader, node, path, service) ||
        !spec_outside_read(reader, node, path, service) ||
        !spec_sysctls_read(reader, node, path, service))
        return false;
    if (!numbered)
        return host_add(reader, service, path, 0);
    for (unsigned number = 1; number <= service->count; number++)
        if (!host_add(reader, service, path, number))
            return false;
    return true;
}
