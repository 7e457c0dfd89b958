#define _GNU_SOURCE
#include "tool/cli/netem.h"
#include "tool/cli/spec_read.h"

#include <stdlib.h>
#include <string.h>

enum { TOKENS = 2 };

static bool host_called(const struct spec_host *host, const char *name) {
    return strcmp(host->name, name) == 0 || strcmp(host->service->name, name) == 0;
}

/* Which of the two is a network, and which the host on it? */
static bool endpoints_read(const struct spec_reader *reader, const struct tree_node *link,
                           const char *path, const char **host,
                           const struct spec_network **network) {
    char inner[SPEC_PATH], near[SPEC_PATH];
    const char *first = reader->spec->networks->name;
    const struct tree_node *list = tree_member(link, "endpoints");
    spec_path(inner, path, "endpoints");
    if (list == NULL)
        return spec_wrong(reader, link->line, path, "a link needs endpoints: [HOST, %s]", first);
    const struct tree_node *a = list->first, *b = a != NULL ? a->next : NULL;
    if (list->kind != TREE_LIST || b == NULL || b->next != NULL || a->kind != TREE_TEXT ||
        b->kind != TREE_TEXT)
        return spec_wrong(reader, list->line, inner, "should be [HOST, %s]", first);
    *network = spec_network_find(reader->spec, b->text);
    *host = a->text;
    if (*network == NULL) {
        *network = spec_network_find(reader->spec, a->text);
        *host = b->text;
    }
    if (*network == NULL)
        return spec_wrong(reader, list->line, inner, "one of them must be a network, such as %s",
                          first);
    if (spec_service_find(reader->spec, *host) != NULL || spec_find(reader->spec, *host) != NULL)
        return true;
    return spec_wrong(reader, list->line, inner, "no host \"%.60s\"%s", *host,
                      spec_nearest_service(reader->spec, *host, near));
}

/* One property, "delay: 20ms 5ms", into `set`. */
static bool property_read(const struct spec_reader *reader, const struct tree_node *node,
                          const char *path, json_t *set) {
    char inner[SPEC_PATH], error[TREE_ERROR / 2], *words[1 + TOKENS + 1], *rest = NULL;
    int count = 0;
    spec_path(inner, path, node->key);
    if (node->kind != TREE_TEXT)
        return spec_wrong(reader, node->line, inner, "must be a value such as \"20ms\" or \"1%%\"");
    /* "delay: 20ms 5ms" is a delay and its jitter; the others have one value. */
    int most = strcmp(node->key, "delay") == 0 ? 2 : 1;
    char *copy = strdup(node->text);
    if (copy == NULL)
        return spec_wrong(reader, node->line, inner, "out of memory");
    words[count++] = node->key;
    for (char *word = strtok_r(copy, " \t", &rest); word != NULL && count <= TOKENS + 1;
         word = strtok_r(NULL, " \t", &rest))
        words[count++] = word;
    json_t *values = netem_read(count, words, error, sizeof error);
    if (count > most + 1) {
        json_decref(values);
        values = NULL;
        snprintf(error, sizeof error, "\"%.60s\" has a value too many", node->text);
    }
    free(copy);
    if (values == NULL) {
        /* netem's sentence begins with the word, which the path says already. */
        size_t skip = strlen(node->key) + 2;
        bool same = strncmp(error, node->key, skip - 2) == 0 && strlen(error) > skip;
        return spec_wrong(reader, node->line, inner, "%s", same ? error + skip : error);
    }
    json_object_update(set, values);
    json_decref(values);
    return true;
}

/* What the link says, over what the network says of all its links. */
static bool link_apply(const struct spec_reader *reader, const struct tree_node *link,
                       const char *path, const char *name, const struct spec_network *network,
                       json_t *set) {
    bool any = false;
    for (struct spec_host *host = reader->spec->hosts; host != NULL; host = host->next) {
        const struct spec_plug *plug = host->service->plugs;
        if (!host_called(host, name))
            continue;
        while (plug != NULL && plug->network != network)
            plug = plug->next;
        if (plug == NULL)
            return spec_wrong(reader, link->line, path, "%s is not on %s", host->name,
                              network->name);
        if (host->links[plug->number] != network->link)
            return spec_wrong(reader, link->line, path, "host %s has a link already", host->name);
        json_t *merged = network->link != NULL ? json_copy(network->link) : json_object();
        if (json_object_update(merged, set) < 0) {
            json_decref(merged);
            return spec_memory(reader, link->line, path);
        }
        json_decref(host->links[plug->number]);
        host->links[plug->number] = merged;
        any = true;
    }
    return any;
}

bool spec_link_properties(const struct spec_reader *reader, const struct tree_node *map,
                          const char *path, json_t **set) {
    const struct spec_table *table = spec_table(SPEC_MAP_LINK);
    for (size_t i = 0; i < table->count; i++) {
        const struct tree_node *node = tree_member(map, table->keys[i]);
        if (node == NULL || strcmp(node->key, "endpoints") == 0)
            continue;
        if (*set == NULL)
            *set = json_object();
        if (!property_read(reader, node, path, *set))
            return false;
    }
    const struct tree_node *reorder = tree_member(map, "reorder");
    return reorder == NULL || tree_member(map, "delay") != NULL ||
           spec_wrong(reader, reorder->line, path,
                      "reorder needs a delay: some frames pass while the others wait");
}

static bool link_read(const struct spec_reader *reader, const struct tree_node *link,
                      const char *path) {
    const char *host = "";
    const struct spec_network *network = NULL;
    json_t *set = NULL;
    if (!spec_map_check(reader, link, path, SPEC_MAP_LINK) ||
        !endpoints_read(reader, link, path, &host, &network))
        return false;
    bool fine = spec_link_properties(reader, link, path, &set);
    if (set == NULL)
        set = json_object();
    fine = fine && network != NULL && link_apply(reader, link, path, host, network, set);
    json_decref(set);
    return fine;
}

bool spec_links_read(const struct spec_reader *reader, const struct tree_node *list) {
    unsigned number = 0;
    if (list->kind != TREE_LIST)
        return spec_wrong(reader, list->line, "links", "must be a list");
    for (const struct tree_node *link = list->first; link != NULL; link = link->next) {
        char path[SPEC_PATH];
        snprintf(path, sizeof path, "links[%u]", number++);
        if (!link_read(reader, link, path))
            return false;
    }
    return true;
}
