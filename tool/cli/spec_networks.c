/* networks: their subnets, and what their links are like. */
#define _GNU_SOURCE
#include "tool/cli/spec_read.h"
#include "tool/control/place.h"

#include <berth/addr.h>
#include <stdlib.h>
#include <string.h>

enum { NETWORKS_MAX = 256, SMALL_HOSTS = 250 /* that fit into a /24, with room */ };

/* One subnet, of either family. */
static bool subnet_read(const struct spec_reader *reader, const struct tree_node *node,
                        const char *path, struct spec_network *network) {
    struct berth_ip ip;
    unsigned prefix;
    bool right = node->kind == TREE_TEXT && subnet_parse(node->text, &ip, &prefix);
    if (right && berth_ip_is_v4(&ip))
        right = prefix >= 8 && prefix <= 30;
    else if (right)
        right = prefix == 64;
    if (!right)
        return spec_wrong(reader, node->line, path,
                          "\"%.40s\" should be an IPv4 subnet such as 10.0.0.0/24, or an IPv6 one "
                          "such as fd00:5::/64",
                          node->kind == TREE_TEXT ? node->text : "");
    if (!subnet_has_hosts(&ip))
        return spec_wrong(reader, node->line, path, "no host can have an address in %s",
                          node->text);
    if (subnet_has_more(&ip, prefix))
        return spec_wrong(reader, node->line, path, "%s has bits beyond its prefix set",
                          node->text);
    const char **place = berth_ip_is_v4(&ip) ? &network->subnet : &network->subnet6;
    if (*place != NULL)
        return spec_wrong(reader, node->line, path,
                          "one subnet of each family is all there can be");
    *place = node->text;
    return true;
}

/* subnet: one, or one of each family. */
static bool subnets_read(const struct spec_reader *reader, const struct tree_node *map,
                         const char *parent, struct spec_network *network) {
    char path[SPEC_PATH];
    const struct tree_node *value = tree_member(map, "subnet");
    if (value == NULL)
        return true;
    spec_path(path, parent, "subnet");
    if (value->kind != TREE_LIST)
        return subnet_read(reader, value, path, network);
    if (value->first == NULL || spec_count(value) > 2)
        return spec_wrong(reader, value->line, path, "must be one subnet, or two");
    for (const struct tree_node *one = value->first; one != NULL; one = one->next)
        if (!subnet_read(reader, one, path, network))
            return false;
    return true;
}

/* Compose's long form, ipam: {config: [{subnet: ...}]}. */
static bool ipam_read(const struct spec_reader *reader, const struct tree_node *map,
                      const char *parent, struct spec_network *network) {
    char path[SPEC_PATH], inner[SPEC_PATH];
    const struct tree_node *ipam = spec_member(map, parent, "ipam", path);
    if (ipam == NULL)
        return true;
    if (!spec_map_check(reader, ipam, path, SPEC_MAP_IPAM))
        return false;
    const struct tree_node *config = spec_member(ipam, path, "config", inner);
    if (config == NULL)
        return true;
    if (config->kind != TREE_LIST)
        return spec_wrong(reader, config->line, inner, "must be a list of maps with a subnet");
    for (const struct tree_node *one = config->first; one != NULL; one = one->next)
        if (!spec_map_check(reader, one, inner, SPEC_MAP_IPAM_CONFIG) ||
            !subnets_read(reader, one, inner, network))
            return false;
    return true;
}

static bool ipv6_read(const struct spec_reader *reader, const struct tree_node *map,
                      const char *parent, struct spec_network *network) {
    char path[SPEC_PATH];
    bool enabled = true;
    if (!spec_bool(reader, map, parent, "enable_ipv6", &enabled))
        return false;
    spec_path(path, parent, "enable_ipv6");
    if (!enabled && network->subnet6 != NULL)
        return spec_wrong(reader, tree_member(map, "enable_ipv6")->line, path,
                          "is false, but there is an IPv6 subnet");
    if (!enabled)
        network->subnet6 = SUBNET_NONE;
    return true;
}

static struct spec_network *network_add(struct spec *spec, const char *name, int line) {
    struct spec_network *network = calloc(1, sizeof *network), **link = &spec->networks;
    if (network == NULL)
        return NULL;
    while (*link != NULL)
        link = &(*link)->next;
    *link = network;
    network->name = name;
    network->line = line;
    network->number = spec->network_count++;
    return network;
}

static bool network_read(const struct spec_reader *reader, const struct tree_node *node) {
    char path[SPEC_PATH];
    spec_path(path, "networks", node->key);
    if (!place_name_valid(node->key))
        return spec_wrong(reader, node->key_line, path,
                          "a name has letters, digits, - _ and ., at most %d", PLACE_NAME);
    if (reader->spec->network_count == NETWORKS_MAX)
        return spec_wrong(reader, node->key_line, path, "more than %d networks", NETWORKS_MAX);
    struct spec_network *network = network_add(reader->spec, node->key, node->key_line);
    if (network == NULL)
        return spec_memory(reader, node->key_line, path);
    network->netem = tree_member(node, "netem");
    return spec_map_check(reader, node, path, SPEC_MAP_NETWORK) &&
           subnets_read(reader, node, path, network) && ipam_read(reader, node, path, network) &&
           ipv6_read(reader, node, path, network) &&
           spec_link_properties(reader, node, path, &network->link) &&
           spec_link_sense(reader, node, path, network->link);
}

bool spec_networks_read(const struct spec_reader *reader, const struct tree_node *networks) {
    if (networks != NULL && !tree_is_null(networks)) {
        if (networks->kind != TREE_MAP)
            return spec_wrong(reader, networks->line, "networks", "must be a map of names");
        for (const struct tree_node *node = networks->first; node != NULL; node = node->next)
            if (strncmp(node->key, "x-", 2) != 0 && !network_read(reader, node))
                return false;
    }
    return reader->spec->networks != NULL || network_add(reader->spec, "lan", 0) != NULL ||
           spec_memory(reader, 1, "networks");
}

/* ---- once the hosts are known ---- */

static void subnet_range(const char *text, uint32_t *first, uint32_t *last) {
    struct berth_ip ip;
    unsigned prefix;
    subnet_parse(text, &ip, &prefix);
    *first = berth_ip_to_v4(&ip);
    *last = *first | (prefix < 32 ? UINT32_MAX >> prefix : 0);
}

/* A network whose subnet has a number in common with it. */
static const struct spec_network *taken_by(const struct spec *spec, const struct spec_network *self,
                                           uint32_t first, uint32_t last) {
    for (const struct spec_network *other = spec->networks; other; other = other->next) {
        uint32_t from, to;
        if (other == self || other->subnet == NULL)
            continue;
        subnet_range(other->subnet, &from, &to);
        if (first <= to && from <= last)
            return other;
    }
    return NULL;
}

const char *spec_subnet6(const struct spec_network *network, char made[SUBNET_TEXT]) {
    struct berth_ip v4;
    unsigned prefix;
    if (network->subnet6 != NULL)
        return network->subnet6;
    if (network->subnet == NULL || !subnet_parse(network->subnet, &v4, &prefix))
        return SUBNET_NONE;
    subnet_derive(&v4, made);
    return made;
}

/* A network that has that IPv6 subnet, too; from `other` on. */
static const struct spec_network *taken6_by(const struct spec_network *other,
                                            const struct spec_network *self, const char *subnet6) {
    char made[SUBNET_TEXT];
    while (other != NULL && (other == self || !subnet_overlaps(spec_subnet6(other, made), subnet6)))
        other = other->next;
    return other;
}

static size_t hosts_on(const struct spec *spec, const struct spec_network *network) {
    size_t count = 0;
    for (const struct spec_service *service = spec->services; service; service = service->next)
        for (const struct spec_plug *plug = service->plugs; plug != NULL; plug = plug->next)
            count += plug->network == network ? service->count : 0;
    return count;
}

/* The first of 10.0.0.0/24, 10.0.1.0/24... that is free; a /16 when the hosts need it. */
static bool subnet_choose(const struct spec_reader *reader, struct spec_network *network) {
    bool large = hosts_on(reader->spec, network) > SMALL_HOSTS;
    uint32_t step = large ? 1u << 16 : 1u << 8;
    for (uint32_t at = 10u << 24; at >> 24 == 10; at += step) {
        if (taken_by(reader->spec, network, at, at + step - 1) != NULL)
            continue;
        char made[SUBNET_TEXT];
        snprintf(network->made, sizeof network->made, "10.%u.%u.0/%d", at >> 16 & 255,
                 at >> 8 & 255, large ? 16 : 24);
        network->subnet = network->made;
        if (network->subnet6 != NULL ||
            taken6_by(reader->spec->networks, network, spec_subnet6(network, made)) == NULL)
            return true;
        network->subnet = NULL;
    }
    return spec_wrong(reader, network->line, "networks", "no subnet is left for %s", network->name);
}

static bool overlaps_find(const struct spec_reader *reader) {
    for (const struct spec_network *n = reader->spec->networks; n != NULL; n = n->next) {
        uint32_t first, last;
        char path[SPEC_PATH];
        spec_path(path, "networks", n->name);
        if (n->subnet != NULL) {
            subnet_range(n->subnet, &first, &last);
            const struct spec_network *other = taken_by(reader->spec, n, first, last);
            if (other != NULL)
                return spec_wrong(reader, other->line > n->line ? other->line : n->line, path,
                                  "its subnet %s overlaps with that of %s, %s", n->subnet,
                                  other->name, other->subnet);
        }
    }
    return true;
}

static bool overlaps6_find(const struct spec_reader *reader) {
    for (const struct spec_network *n = reader->spec->networks; n != NULL; n = n->next) {
        char path[SPEC_PATH], made[SUBNET_TEXT];
        const char *subnet6 = spec_subnet6(n, made);
        const struct spec_network *other = taken6_by(n->next, n, subnet6);
        spec_path(path, "networks", n->name);
        if (other != NULL)
            return spec_wrong(reader, other->line, path, "its subnet %s is that of %s, too",
                              subnet6, other->name);
    }
    return true;
}

bool spec_networks_settle(const struct spec_reader *reader) {
    if (!overlaps_find(reader))
        return false;
    for (struct spec_network *n = reader->spec->networks; n != NULL; n = n->next)
        if (n->subnet == NULL && !subnet_choose(reader, n))
            return false;
    return overlaps6_find(reader);
}
