/* hosts.NAME.networks: where a host is plugged in, and under which addresses. */
#define _GNU_SOURCE
#include "tool/cli/spec_read.h"
#include "tool/control/nearest.h"

#include <berth/addr.h>
#include <stdlib.h>
#include <string.h>

enum { PLUGS_MAX = 16 };

/* An address of one family, which the key says. */
static bool address_read(const struct spec_reader *reader, const struct tree_node *map,
                         const char *path, bool v4, const char **address, int *line) {
    struct berth_ip ip;
    char inner[SPEC_PATH];
    const char *key = v4 ? "ipv4_address" : "ipv6_address";
    if (tree_member(map, key) == NULL) /* what another map said of it stays */
        return true;
    if (!spec_text(reader, map, path, key, address))
        return false;
    *line = tree_member(map, key)->line;
    spec_path(inner, path, key);
    if (berth_ip_parse(*address, &ip) < 0 || berth_ip_is_v4(&ip) != v4)
        return spec_wrong(reader, *line, inner, "\"%.40s\" is no IPv%d address", *address,
                          v4 ? 4 : 6);
    return true;
}

static bool aliases_read(const struct spec_reader *reader, const struct tree_node *map,
                         const char *path, struct spec_plug *plug) {
    char inner[SPEC_PATH];
    const struct tree_node *aliases = spec_member(map, path, "aliases", inner);
    if (aliases == NULL)
        return true;
    if (aliases->kind != TREE_LIST)
        return spec_wrong(reader, aliases->line, inner, "must be a list of names");
    for (const struct tree_node *name = aliases->first; name != NULL; name = name->next)
        if (name->kind != TREE_TEXT || name->text[0] == '\0')
            return spec_wrong(reader, name->line, inner, "must be a list of names");
    plug->aliases = aliases;
    return true;
}

/* What a map says of one plug: a host with its only one, or a member of `networks`. */
static bool plug_read(const struct spec_reader *reader, const struct tree_node *map,
                      const char *path, unsigned count, struct spec_plug *plug) {
    if (!address_read(reader, map, path, true, &plug->address, &plug->address_line) ||
        !address_read(reader, map, path, false, &plug->address6, &plug->address6_line) ||
        !aliases_read(reader, map, path, plug))
        return false;
    static const char *const keys[] = {"ipv4_address", "ipv6_address", "aliases"};
    for (size_t i = 0; count > 1 && i < sizeof keys / sizeof keys[0]; i++)
        if (tree_member(map, keys[i]) != NULL)
            return spec_wrong(reader, tree_member(map, keys[i])->line, path,
                              "%u hosts cannot share one %s", count, keys[i]);
    return true;
}

static struct spec_plug *plug_add(const struct spec_reader *reader, struct spec_service *service,
                                  const char *path, const char *name, int line) {
    struct spec_network *network = spec_network_find(reader->spec, name);
    struct spec_plug **link = &service->plugs;
    unsigned number = 0;
    if (network == NULL) {
        const char *nearest = NULL;
        for (const struct spec_network *n = reader->spec->networks; n != NULL; n = n->next) {
            const char *pair[2] = {n->name, nearest}, *better;
            better = word_nearest(name, pair, nearest != NULL ? 2 : 1);
            nearest = better != NULL ? better : nearest;
        }
        spec_wrong(reader, line, path, "no network \"%.60s\"%s%s%s", name,
                   nearest != NULL ? " (did you mean \"" : "", nearest != NULL ? nearest : "",
                   nearest != NULL ? "\"?)" : "");
        return NULL;
    }
    for (; *link != NULL; link = &(*link)->next, number++) {
        if ((*link)->network == network) {
            spec_wrong(reader, line, path, "%s is there twice", name);
            return NULL;
        }
    }
    if (number == PLUGS_MAX) {
        spec_wrong(reader, line, path, "more than %d networks", PLUGS_MAX);
        return NULL;
    }
    *link = calloc(1, sizeof **link);
    if (*link == NULL)
        spec_memory(reader, line, path);
    else
        **link = (struct spec_plug){.network = network, .line = line, .number = number};
    return *link;
}

/* The addresses of a host itself are those of its only plug. */
static bool only_read(const struct spec_reader *reader, const struct tree_node *node,
                      const char *path, bool map, struct spec_service *service) {
    static const char *const keys[] = {"ipv4_address", "ipv6_address", "aliases"};
    if (service->plugs->next == NULL && !map)
        return plug_read(reader, node, path, service->count, service->plugs);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (tree_member(node, keys[i]) != NULL)
            return spec_wrong(reader, tree_member(node, keys[i])->key_line, path,
                              "which network is %s for? It belongs below networks", keys[i]);
    return true;
}

bool spec_plugs_read(const struct spec_reader *reader, const struct tree_node *node,
                     const char *path, struct spec_service *service) {
    char inner[SPEC_PATH], leaf[SPEC_PATH];
    const struct tree_node *networks = spec_member(node, path, "networks", inner);
    if (networks != NULL && (networks->kind == TREE_TEXT || networks->first == NULL))
        return spec_wrong(reader, networks->line, inner, "must be a list of networks, or a map");
    if (networks == NULL &&
        plug_add(reader, service, inner, reader->spec->networks->name, service->line) == NULL)
        return false;
    for (const struct tree_node *one = networks ? networks->first : NULL; one; one = one->next) {
        bool map = networks->kind == TREE_MAP;
        if (!map && one->kind != TREE_TEXT)
            return spec_wrong(reader, one->line, inner, "must be a list of networks, or a map");
        struct spec_plug *plug =
            plug_add(reader, service, inner, map ? one->key : one->text, one->key_line);
        spec_path(leaf, inner, map ? one->key : "");
        if (plug == NULL || (map && (!spec_map_check(reader, one, leaf, SPEC_MAP_PLUG) ||
                                     !plug_read(reader, one, leaf, service->count, plug))))
            return false;
    }
    return only_read(reader, node, path, networks != NULL && networks->kind == TREE_MAP, service);
}
