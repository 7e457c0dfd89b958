/* hosts.NAME.ports and .extra_hosts: what a host has to do with the world outside of its network.
 */
#define _GNU_SOURCE
#include "tool/cli/spec_read.h"

#include <berth/addr.h>
#include <stdlib.h>
#include <string.h>

/* Compose's long form as the short one, "HOST_IP:PUBLISHED:TARGET/PROTOCOL". */
static bool long_form(const struct spec_reader *reader, const struct tree_node *map,
                      const char *path, char *text, size_t size) {
    const char *target = NULL, *published = "", *protocol = "tcp", *address = NULL;
    if (!spec_map_check(reader, map, path, SPEC_MAP_PORT) ||
        !spec_text(reader, map, path, "target", &target) ||
        !spec_text(reader, map, path, "published", &published) ||
        !spec_text(reader, map, path, "protocol", &protocol) ||
        !spec_text(reader, map, path, "host_ip", &address))
        return false;
    if (target == NULL)
        return spec_wrong(reader, map->line, path, "a port needs a target");
    bool brackets = address != NULL && strchr(address, ':') != NULL;
    snprintf(text, size, "%s%s%s%s%s:%s/%s", brackets ? "[" : "", address != NULL ? address : "",
             brackets ? "]" : "", address != NULL ? ":" : "", published, target, protocol);
    return true;
}

static bool port_read(const struct spec_reader *reader, const struct tree_node *node,
                      const char *path, struct spec_port *port) {
    char text[256], why[TREE_ERROR / 4];
    port->line = node->line;
    if (node->kind == TREE_LIST)
        return spec_wrong(reader, node->line, path, "must be a list such as [\"8080:80\"]");
    if (node->kind == TREE_TEXT)
        snprintf(text, sizeof text, "%s", node->text);
    else if (!long_form(reader, node, path, text, sizeof text))
        return false;
    return port_mapping_read(text, &port->mapping, why, sizeof why) ||
           spec_wrong(reader, node->line, path, "%s", why);
}

static bool ports_read(const struct spec_reader *reader, const struct tree_node *node,
                       const char *path, struct spec_service *service) {
    char inner[SPEC_PATH];
    const struct tree_node *list = spec_member(node, path, "ports", inner);
    struct spec_port **link = &service->ports;
    if (list == NULL)
        return true;
    if (list->kind != TREE_LIST)
        return spec_wrong(reader, list->line, inner, "must be a list such as [\"8080:80\"]");
    for (const struct tree_node *one = list->first; one != NULL; one = one->next) {
        struct spec_port *port = *link = calloc(1, sizeof *port);
        if (port == NULL)
            return spec_memory(reader, one->line, inner);
        link = &port->next;
        if (!port_read(reader, one, inner, port))
            return false;
        if (service->count > 1 && port->mapping.outside != 0)
            return spec_wrong(reader, one->line, inner,
                              "%u hosts cannot share one port of this machine", service->count);
    }
    return true;
}

/* "NAME:ADDRESS", "NAME=ADDRESS", or a member of a map. */
static bool extra_read(const struct spec_reader *reader, const struct tree_node *node,
                       const char *path, struct spec_extra_host *extra) {
    struct berth_ip ip;
    bool map = node->key != NULL;
    extra->line = node->line;
    if (node->kind == TREE_TEXT && map) {
        extra->name = strdup(node->key);
        extra->address = node->text;
    } else if (node->kind == TREE_TEXT) {
        size_t length = strcspn(node->text, "=:");
        extra->name = strndup(node->text, length);
        extra->address = node->text + length + (node->text[length] != '\0');
    }
    if (node->kind == TREE_TEXT && extra->name == NULL)
        return spec_memory(reader, node->line, path);
    return (node->kind == TREE_TEXT && extra->name[0] != '\0' &&
            berth_ip_parse(extra->address, &ip) == 0) ||
           spec_wrong(reader, node->line, path, "each must be NAME: ADDRESS or NAME=ADDRESS");
}

static bool extra_hosts_read(const struct spec_reader *reader, const struct tree_node *node,
                             const char *path, struct spec_service *service) {
    char inner[SPEC_PATH];
    const struct tree_node *list = spec_member(node, path, "extra_hosts", inner);
    struct spec_extra_host **link = &service->extra_hosts;
    if (list == NULL)
        return true;
    if (list->kind == TREE_TEXT)
        return spec_wrong(reader, list->line, inner, "must be a map, or a list of NAME=ADDRESS");
    for (const struct tree_node *one = list->first; one != NULL; one = one->next) {
        struct spec_extra_host *extra = *link = calloc(1, sizeof *extra);
        if (extra == NULL)
            return spec_memory(reader, one->line, inner);
        link = &extra->next;
        if (!extra_read(reader, one, inner, extra))
            return false;
    }
    return true;
}

bool spec_outside_read(const struct spec_reader *reader, const struct tree_node *node,
                       const char *path, struct spec_service *service) {
    return ports_read(reader, node, path, service) && extra_hosts_read(reader, node, path, service);
}
