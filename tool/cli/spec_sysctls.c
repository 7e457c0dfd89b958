/* hosts.NAME.sysctls */
#define _GNU_SOURCE
#include "tool/cli/spec_read.h"

#include <berth/host.h>
#include <string.h>

enum { SYSCTLS_MAX = 128 };

/* net.ipv4.ip_local_port_range */
static bool ports_read(const struct spec_reader *reader, const struct tree_node *value,
                       const char *path, const char *range, struct spec_service *service) {
    char first[16], last[16], rest;
    if (sscanf(range, "%15s %15s %c", first, last, &rest) == 2) {
        long from = spec_number(first), to = spec_number(last);
        service->port_first = from > 0 ? (unsigned)from : 0;
        service->port_last = to > 0 ? (unsigned)to : 0;
    }
    if (service->port_first == 0 || service->port_last > 65535 ||
        service->port_first > service->port_last)
        return spec_wrong(
            reader, value->line, path,
            "\"%.40s\" should be two ports, the lower one first, such as \"1024 65535\"", range);
    return true;
}

static bool sysctl_read(const struct spec_reader *reader, const struct tree_node *map,
                        const char *path, const char *key, struct spec_service *service) {
    struct berth_host_config scratch;
    char leaf[SPEC_PATH];
    const char *text = NULL;
    if (!spec_text(reader, map, path, key, &text))
        return false;
    if (text == NULL)
        return true;
    spec_path(leaf, path, key);
    const struct tree_node *value = tree_member(map, key);
    if (strcmp(key, "net.ipv4.ip_local_port_range") == 0)
        return ports_read(reader, value, leaf, text, service);
    berth_host_config_init(&scratch);
    if (berth_sysctl_set(&scratch, key, text) < 0)
        return spec_wrong(reader, value->line, leaf, "cannot be \"%.40s\"", text);
    if (service->sysctls == NULL)
        service->sysctls = json_object();
    return json_object_set_new(service->sysctls, key, json_string(text)) == 0 ||
           spec_memory(reader, value->line, leaf);
}

bool spec_sysctls_read(const struct spec_reader *reader, const struct tree_node *node,
                       const char *path, struct spec_service *service) {
    const char *keys[SYSCTLS_MAX] = {"net.ipv4.ip_local_port_range"};
    char inner[SPEC_PATH];
    size_t count = 1;
    const struct tree_node *value = spec_member(node, path, "sysctls", inner);
    if (value == NULL)
        return true;
    for (const char *name; count < SYSCTLS_MAX && (name = berth_sysctl_name(count - 1)) != NULL;)
        keys[count++] = name;
    if (!spec_keys(reader, value, inner, keys, count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!sysctl_read(reader, value, inner, keys[i], service))
            return false;
    return true;
}
