#define _GNU_SOURCE
#include "tool/cli/netem.h"
#include "tool/cli/spec_read.h"

#include <stdlib.h>
#include <string.h>

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
    char inner[SPEC_PATH], error[TREE_ERROR / 2], **words;
    int count;
    spec_path(inner, path, node->key);
    if (!spec_words(reader, node, inner, &words, &count))
        return false;
    char **all = calloc((size_t)count + 1, sizeof *all);
    if (all == NULL) {
        free(words);
        return spec_memory(reader, node->line, inner);
    }
    all[0] = node->key;
    memcpy(all + 1, words, (size_t)count * sizeof *all);
    json_t *values = netem_property(count + 1, all, error, sizeof error);
    free(all);
    free(words);
    if (values == NULL) {
        /* netem's sentence begins with the word, which the path says already. */
        size_t length = strlen(node->key);
        bool same = strncmp(error, node->key, length) == 0 && error[length] == ':';
        return spec_wrong(reader, node->line, inner, "%s", same ? error + length + 2 : error);
    }
    json_object_update(set, values);
    json_decref(values);
    return true;
}

/* ---- netem: lines as the command has them ---- */

/* "egress loss 5%", for one link. */
static bool line_read(const struct spec_reader *reader, const struct tree_node *node,
                      const char *path, const struct spec_host *host,
                      const struct spec_network *network) {
    char link[SPEC_NAME * 2], error[TREE_ERROR / 2], **words, **all;
    int count;
    if (node->kind != TREE_TEXT)
        return spec_wrong(reader, node->line, path, "must be a line such as \"egress loss 5%%\"");
    if (!spec_words(reader, node, path, &words, &count))
        return false;
    all = calloc((size_t)count + 1, sizeof *all);
    snprintf(link, sizeof link, "%s:%.63s", host->name, network->name);
    if (all != NULL && count > 0)
        memcpy(all + 1, words, (size_t)count * sizeof *all);
    if (all != NULL)
        all[0] = link;
    snprintf(error, sizeof error, "out of memory");
    json_t *request = all != NULL ? netem_request(count + 1, all, error, sizeof error) : NULL;
    free(all);
    free(words);
    bool fine = request != NULL || spec_wrong(reader, node->line, path, "%s", error);
    if (fine && json_object_size(json_object_get(request, "set")) == 0 &&
        !json_is_true(json_object_get(request, "del")))
        fine = spec_wrong(reader, node->line, path, "what is the link to do?");
    fine = fine && spec_fault_check(reader, node->line, path, request);
    if (!fine)
        json_decref(request);
    else if (json_array_append_new(reader->spec->setup,
                                   json_pack("{s:o,s:o}", "fault", request, "place",
                                             spec_place(reader, node->line, path))) < 0)
        return spec_memory(reader, node->line, path);
    return fine;
}

static bool lines_read(const struct spec_reader *reader, const struct tree_node *node,
                       const char *parent, const struct spec_host *host,
                       const struct spec_network *network) {
    char path[SPEC_PATH];
    spec_path(path, parent, "netem");
    if (node->kind == TREE_TEXT)
        return line_read(reader, node, path, host, network);
    if (node->kind != TREE_LIST || node->first == NULL)
        return spec_wrong(reader, node->line, path, "must be a line or a list of lines");
    for (const struct tree_node *line = node->first; line != NULL; line = line->next)
        if (!line_read(reader, line, path, host, network))
            return false;
    return true;
}

static const struct spec_plug *plug_on(const struct spec_host *host,
                                       const struct spec_network *network) {
    const struct spec_plug *plug = host->service->plugs;
    while (plug != NULL && plug->network != network)
        plug = plug->next;
    return plug;
}

static bool networks_lines(const struct spec_reader *reader) {
    for (const struct spec_network *n = reader->spec->networks; n != NULL; n = n->next) {
        char path[SPEC_PATH];
        spec_path(path, "networks", n->name);
        for (const struct spec_host *host = reader->spec->hosts; n->netem && host;
             host = host->next)
            if (plug_on(host, n) != NULL && !lines_read(reader, n->netem, path, host, n))
                return false;
    }
    return true;
}

/* ---- all of it ---- */

/* Some pass while the others wait: without a delay there is nothing to overtake. */
bool spec_link_sense(const struct spec_reader *reader, const struct tree_node *map,
                     const char *path, const json_t *set) {
    const char *key = "reorder";
    const char *wrong = NULL;
    if (json_number_value(json_object_get(set, "reorder")) > 0 &&
        json_number_value(json_object_get(set, "delay")) <= 0)
        wrong = "reorder needs a delay: some frames pass while the others wait";
    else if (json_number_value(json_object_get(set, "gap")) > 1 &&
             json_number_value(json_object_get(set, "reorder")) <= 0)
        wrong = "gap needs reorder: it says how many wait before one passes", key = "gap";
    const struct tree_node *node = tree_member(map, key);
    return wrong == NULL ||
           spec_wrong(reader, node != NULL ? node->line : map->line, path, "%s", wrong);
}

/* What the link says, over what the network says of all its links. */
static bool link_apply(const struct spec_reader *reader, const struct tree_node *link,
                       const char *path, const char *name, const struct spec_network *network,
                       json_t *set) {
    const struct tree_node *netem = tree_member(link, "netem");
    bool any = false;
    for (struct spec_host *host = reader->spec->hosts; host != NULL; host = host->next) {
        const struct spec_plug *plug = plug_on(host, network);
        if (!host_called(host, name))
            continue;
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
        if (!spec_link_sense(reader, link, path, merged) ||
            (netem != NULL && !lines_read(reader, netem, path, host, network)))
            return false;
    }
    return any;
}

bool spec_link_properties(const struct spec_reader *reader, const struct tree_node *map,
                          const char *path, json_t **set) {
    const struct spec_table *table = spec_table(SPEC_MAP_LINK);
    for (size_t i = 0; i < table->count; i++) {
        const struct tree_node *node = tree_member(map, table->keys[i]);
        if (node == NULL || strcmp(node->key, "endpoints") == 0 || strcmp(node->key, "netem") == 0)
            continue;
        if (*set == NULL)
            *set = json_object();
        if (!property_read(reader, node, path, *set))
            return false;
    }
    return true;
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
    reader->spec->setup = json_array();
    if (!networks_lines(reader))
        return false;
    if (list == NULL || tree_is_null(list))
        return true;
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
