#include "tool/cli/spec.h"
#include "tool/cli/spec_read.h"
#include "tool/control/nearest.h"
#include "tool/control/place.h"
#include "tool/daemon/subnets.h"

#include <berth/addr.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool spec_wrong(const struct spec_reader *reader, int line, const char *path, const char *format,
                ...) {
    char text[TREE_ERROR / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(reader->error, TREE_ERROR, "%.120s:%d: %s%s%s", reader->name, line, path,
             path[0] != '\0' ? ": " : "", text);
    return false;
}

void spec_path(char path[SPEC_PATH], const char *parent, const char *key) {
    snprintf(path, SPEC_PATH, "%.90s%s%.64s", parent, parent[0] != '\0' ? "." : "", key);
}

bool spec_keys(const struct spec_reader *reader, const struct tree_node *map, const char *path,
               const char *const *keys, size_t count) {
    if (tree_is_null(map))
        return true;
    if (map->kind != TREE_MAP)
        return spec_wrong(reader, map->line, path, "must be a map of keys and values");
    for (const struct tree_node *node = map->first; node != NULL; node = node->next) {
        size_t i = 0;
        while (i < count && strcmp(keys[i], node->key) != 0)
            i++;
        if (i < count)
            continue;
        char inner[SPEC_PATH], list[TREE_ERROR / 2] = "";
        spec_path(inner, path, node->key);
        const char *nearest = word_nearest(node->key, keys, count);
        if (nearest != NULL)
            return spec_wrong(reader, node->key_line, inner, "unknown key (did you mean \"%s\"?)",
                              nearest);
        for (i = 0; i < count; i++)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > 0 ? ", " : "",
                     keys[i]);
        return spec_wrong(reader, node->key_line, inner, "unknown key (there are: %s)", list);
    }
    return true;
}

bool spec_text(const struct spec_reader *reader, const struct tree_node *map, const char *path,
               const char *key, const char **text) {
    const struct tree_node *node = tree_member(map, key);
    char inner[SPEC_PATH];
    *text = NULL;
    if (node == NULL)
        return true;
    spec_path(inner, path, key);
    if (node->kind != TREE_TEXT || node->text[0] == '\0')
        return spec_wrong(reader, node->line, inner, "must be a word");
    *text = node->text;
    return true;
}

/* One subnet, of either family. */
static bool subnet_read(const struct spec_reader *reader, const struct tree_node *node,
                        const char *path) {
    struct spec *spec = reader->spec;
    struct berth_ip ip;
    unsigned prefix;
    bool right = node->kind == TREE_TEXT && subnet_parse(node->text, &ip, &prefix);
    if (right && berth_ip_is_v4(&ip))
        right = prefix >= 8 && prefix <= 30;
    else if (right)
        right = prefix == 64 && !berth_ip_is_multicast(&ip);
    if (!right)
        return spec_wrong(reader, node->line, path,
                          "\"%.40s\" should be an IPv4 subnet such as 10.0.0.0/24, or an IPv6 one "
                          "such as fd00:5::/64",
                          node->kind == TREE_TEXT ? node->text : "");
    if (subnet_has_more(&ip, prefix))
        return spec_wrong(reader, node->line, path, "%s has bits beyond its prefix set",
                          node->text);
    if (berth_ip_is_v4(&ip))
        spec->subnet = node->text;
    else
        spec->subnet6 = node->text;
    return true;
}

/* networks.NAME.subnet: one, or one of each family. */
static bool subnets_read(const struct spec_reader *reader, const struct tree_node *network,
                         const char *parent) {
    char path[SPEC_PATH];
    const struct tree_node *value = tree_member(network, "subnet");
    if (value == NULL)
        return true;
    spec_path(path, parent, "subnet");
    if (value->kind != TREE_LIST)
        return subnet_read(reader, value, path);
    const struct tree_node *first = value->first, *second = first != NULL ? first->next : NULL;
    if (first == NULL || (second != NULL && second->next != NULL))
        return spec_wrong(reader, value->line, path, "must be one subnet, or two");
    if (!subnet_read(reader, first, path) || (second != NULL && !subnet_read(reader, second, path)))
        return false;
    return second == NULL ||
           (strchr(first->text, ':') == NULL) != (strchr(second->text, ':') == NULL) ||
           spec_wrong(reader, second->line, path, "one subnet of each family is all there can be");
}

static bool ipv6_read(const struct spec_reader *reader, const struct tree_node *network,
                      const char *parent) {
    char path[SPEC_PATH];
    const char *text;
    if (!spec_text(reader, network, parent, "enable_ipv6", &text))
        return false;
    if (text == NULL || strcmp(text, "true") == 0)
        return true;
    int line = tree_member(network, "enable_ipv6")->line;
    spec_path(path, parent, "enable_ipv6");
    if (strcmp(text, "false") != 0)
        return spec_wrong(reader, line, path, "must be true or false");
    if (reader->spec->subnet6 != NULL)
        return spec_wrong(reader, line, path, "is false, but there is an IPv6 subnet");
    reader->spec->subnet6 = SUBNET_NONE;
    return true;
}

static bool networks_read(const struct spec_reader *reader, const struct tree_node *networks) {
    static const char *const keys[] = {"subnet", "enable_ipv6"};
    char path[SPEC_PATH];
    struct spec *spec = reader->spec;
    spec->network = "lan";
    spec->subnet = "10.0.0.0/24";
    if (networks == NULL || tree_is_null(networks))
        return true;
    if (networks->kind != TREE_MAP)
        return spec_wrong(reader, networks->line, "networks", "must be a map of names");
    const struct tree_node *node = networks->first;
    if (node == NULL)
        return true;
    spec_path(path, "networks", node->key);
    if (node->next != NULL) {
        spec_path(path, "networks", node->next->key);
        return spec_wrong(reader, node->next->key_line, path, "a file describes one network");
    }
    if (!place_name_valid(node->key))
        return spec_wrong(reader, node->key_line, path,
                          "a name has letters, digits, - _ and ., at most %d", PLACE_NAME);
    spec->network = node->key;
    return spec_keys(reader, node, path, keys, 2) && subnets_read(reader, node, path) &&
           ipv6_read(reader, node, path);
}

static bool hosts_read(const struct spec_reader *reader, const struct tree_node *hosts) {
    if (hosts == NULL || tree_is_null(hosts))
        return spec_wrong(reader, hosts != NULL ? hosts->line : 1, "hosts",
                          "a network needs at least one host");
    if (hosts->kind != TREE_MAP)
        return spec_wrong(reader, hosts->line, "hosts", "must be a map of names");
    for (const struct tree_node *node = hosts->first; node != NULL; node = node->next)
        if (!spec_host_read(reader, node))
            return false;
    return hosts->first != NULL ||
           spec_wrong(reader, hosts->line, "hosts", "a network needs at least one host");
}

bool spec_read(struct spec *spec, FILE *file, const char *name, char *error) {
    static const char *const keys[] = {"networks", "hosts", "links"};
    struct spec_reader reader = {spec, name, error};
    *spec = (struct spec){.root = tree_read(file, name, error)};
    const struct tree_node *root = spec->root;
    if (root == NULL)
        return false;
    const struct tree_node *links = tree_member(root, "links");
    if (spec_keys(&reader, root, "", keys, 3) &&
        networks_read(&reader, tree_member(root, "networks")) &&
        hosts_read(&reader, tree_member(root, "hosts")) &&
        (links == NULL || tree_is_null(links) || spec_links_read(&reader, links)))
        return true;
    spec_clear(spec);
    return false;
}

void spec_clear(struct spec *spec) {
    while (spec->hosts != NULL) {
        struct spec_host *host = spec->hosts;
        spec->hosts = host->next;
        for (char **entry = host->environment; entry != NULL && *entry != NULL; entry++)
            free(*entry);
        free(host->environment);
        free(host->argv);
        json_decref(host->link);
        json_decref(host->sysctls);
        free(host);
    }
    tree_free(spec->root);
    *spec = (struct spec){.root = NULL};
}
