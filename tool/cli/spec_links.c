#define _GNU_SOURCE
#include "tool/cli/netem.h"
#include "tool/cli/spec_read.h"
#include "tool/control/nearest.h"

#include <stdlib.h>
#include <string.h>

enum { TOKENS = 2 };

static bool host_called(const struct spec_host *host, const char *name) {
    return strcmp(host->name, name) == 0 || strcmp(host->base, name) == 0;
}

/* The endpoint that is a host; the other one must be the network. */
static bool endpoints_read(const struct spec_reader *reader, const struct tree_node *link,
                           const char *path, const char **host) {
    char inner[SPEC_PATH];
    const struct tree_node *list = tree_member(link, "endpoints");
    spec_path(inner, path, "endpoints");
    if (list == NULL)
        return spec_wrong(reader, link->line, path, "a link needs endpoints: [HOST, %s]",
                          reader->spec->network);
    const struct tree_node *a = list->first, *b = a != NULL ? a->next : NULL;
    if (list->kind != TREE_LIST || b == NULL || b->next != NULL || a->kind != TREE_TEXT ||
        b->kind != TREE_TEXT)
        return spec_wrong(reader, list->line, inner, "should be [HOST, %s]", reader->spec->network);
    bool first = strcmp(a->text, reader->spec->network) == 0;
    if (!first && strcmp(b->text, reader->spec->network) != 0)
        return spec_wrong(reader, list->line, inner, "one of them must be the network, %s",
                          reader->spec->network);
    *host = first ? b->text : a->text;
    const char *nearest = NULL;
    for (const struct spec_host *h = reader->spec->hosts; h != NULL; h = h->next) {
        if (host_called(h, *host))
            return true;
        const char *pair[2] = {h->name, nearest};
        const char *better = word_nearest(*host, pair, nearest != NULL ? 2 : 1);
        nearest = better != NULL ? better : nearest;
    }
    return spec_wrong(reader, list->line, inner, "no host \"%.60s\"%s%s%s", *host,
                      nearest != NULL ? " (did you mean \"" : "", nearest != NULL ? nearest : "",
                      nearest != NULL ? "\"?)" : "");
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

static bool link_apply(const struct spec_reader *reader, const struct tree_node *link,
                       const char *path, const char *name, json_t *set) {
    for (struct spec_host *host = reader->spec->hosts; host != NULL; host = host->next) {
        if (!host_called(host, name))
            continue;
        if (host->link != NULL)
            return spec_wrong(reader, link->line, path, "host %s has a link already", host->name);
        host->link = json_incref(set);
    }
    return true;
}

static bool link_read(const struct spec_reader *reader, const struct tree_node *link,
                      const char *path) {
    static const char *const keys[] = {"endpoints", "delay", "loss", "reorder"};
    const char *host = "";
    if (!spec_keys(reader, link, path, keys, 4) || !endpoints_read(reader, link, path, &host))
        return false;
    json_t *set = json_object();
    bool fine = true;
    for (const struct tree_node *node = link->first; fine && node != NULL; node = node->next)
        if (strcmp(node->key, "endpoints") != 0)
            fine = property_read(reader, node, path, set);
    const struct tree_node *reorder = tree_member(link, "reorder");
    if (fine && reorder != NULL && tree_member(link, "delay") == NULL)
        fine = spec_wrong(reader, reorder->line, path,
                          "reorder needs a delay: some frames pass while the others wait");
    fine = fine && link_apply(reader, link, path, host, set);
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
