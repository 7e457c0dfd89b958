/* faults: what goes wrong when, in the commands' words.
 *
 * Each is read by the command's own parser, so that the file and the command line cannot differ.
 * The hosts and networks that it names must be there; what depends on the moment (an unpause of
 * what is not paused) is found out then. */
#define _GNU_SOURCE
#include "tool/cli/faults.h"
#include "tool/cli/spec_read.h"
#include "tool/cli/units.h"

#include <berth/addr.h>
#include <stdlib.h>
#include <string.h>

/* One member of the list. */
struct reading {
    const struct spec_reader *reader;
    const struct tree_node *node; /* NAME: words */
    const char *path;
    double at;
    const char *at_text;
};

json_t *spec_place(const struct spec_reader *reader, int line, const char *path) {
    char place[SPEC_PATH];
    snprintf(place, sizeof place, "%.90s:%d: %.50s", reader->name, line, path);
    return json_string(place);
}

/* ---- who is meant ---- */

static const struct spec_host *host_require(const struct spec_reader *reader, int line,
                                            const char *path, const char *name) {
    char near[SPEC_PATH];
    const struct spec_host *host = spec_find(reader->spec, name);
    const struct spec_service *service = spec_service_find(reader->spec, name);
    if (host == NULL && service != NULL)
        spec_wrong(reader, line, path, "%.60s is %u hosts: say which, such as %.60s1", name,
                   service->count, name);
    else if (host == NULL)
        spec_wrong(reader, line, path, "no host \"%.60s\"%s", name,
                   spec_nearest_service(reader->spec, name, near));
    return host;
}

static bool is_on(const struct spec_host *host, const char *network) {
    const struct spec_plug *plug = host->service->plugs;
    while (plug != NULL && strcmp(plug->network->name, network) != 0)
        plug = plug->next;
    return plug != NULL;
}

bool spec_fault_check(const struct spec_reader *reader, int line, const char *path,
                      const json_t *request) {
    const char *name = json_string_value(json_object_get(request, "host"));
    const char *network = json_string_value(json_object_get(request, "network"));
    const char *other = json_string_value(json_object_get(request, "to"));
    const char *peer = json_string_value(json_object_get(json_object_get(request, "only"), "to"));
    struct berth_ip ip;
    if (other != NULL && spec_network_find(reader->spec, other) != NULL) {
        network = other;
        other = NULL;
    }
    const struct spec_host *host = name != NULL ? host_require(reader, line, path, name) : NULL;
    if (name != NULL && host == NULL)
        return false;
    if (host != NULL && network != NULL && !is_on(host, network))
        return spec_wrong(reader, line, path, "%s is not on %s%.60s", host->name,
                          spec_network_find(reader->spec, network) ? "" : "a network ", network);
    if (other != NULL && host_require(reader, line, path, other) == NULL)
        return false;
    if (other != NULL && name != NULL && strcmp(other, name) == 0)
        return spec_wrong(reader, line, path, "a link has two ends, and %s is but one", name);
    return peer == NULL || berth_ip_parse(peer, &ip) == 0 ||
           host_require(reader, line, path, peer) != NULL;
}

/* The computers of that name, which may be one with a count; NULL: there are none. */
static json_t *hosts_called(const struct reading *r, const char *name) {
    json_t *names = json_array();
    const struct spec_service *service = spec_service_find(r->reader->spec, name);
    if (spec_find(r->reader->spec, name) != NULL) {
        json_array_append_new(names, json_string(name));
    } else if (service != NULL) {
        for (const struct spec_host *host = r->reader->spec->hosts; host; host = host->next)
            if (host->service == service)
                json_array_append_new(names, json_string(host->name));
    } else {
        host_require(r->reader, r->node->line, r->path, name);
    }
    if (json_array_size(names) > 0)
        return names;
    json_decref(names);
    return NULL;
}

static bool names_expand(const struct reading *r, json_t *list) {
    json_t *all = json_array(), *name;
    size_t i;
    json_array_foreach(list, i, name) {
        json_t *some = hosts_called(r, json_string_value(name));
        if (some == NULL) {
            json_decref(all);
            return false;
        }
        json_array_extend(all, some);
        json_decref(some);
    }
    json_array_clear(list);
    json_array_extend(list, all);
    json_decref(all);
    return true;
}

static bool groups_expand(const struct reading *r, json_t *groups) {
    json_t *seen = json_object(), *group, *name;
    size_t i, k;
    bool fine = true;
    json_array_foreach(groups, i, group) {
        fine = fine && names_expand(r, group);
        json_array_foreach(group, k, name) {
            const char *text = json_string_value(name);
            const json_t *other = fine ? json_object_get(seen, text) : NULL;
            if (other != NULL && (size_t)json_integer_value(other) != i)
                fine = spec_wrong(r->reader, r->node->line, r->path, "host %.63s is in two groups",
                                  text);
            else if (fine)
                json_object_set_new(seen, text, json_integer((json_int_t)i));
        }
    }
    json_decref(seen);
    return fine;
}

/* ---- one fault ---- */

/* Its request; the words as they will be told when it is due. */
static bool fault_add(const struct reading *r, int count, char **words) {
    char error[TREE_ERROR / 2], text[SPEC_PATH];
    json_t *request = fault_request(r->node->key, count, words, error, sizeof error);
    if (request == NULL)
        return spec_wrong(r->reader, r->node->line, r->path, "%s", error);
    json_t *hosts = json_object_get(request, "hosts"), *groups = json_object_get(request, "groups");
    json_t *set = json_object_get(request, "set");
    bool fine = (hosts == NULL || names_expand(r, hosts)) &&
                (groups == NULL || groups_expand(r, groups)) &&
                spec_fault_check(r->reader, r->node->line, r->path, request);
    if (fine && set != NULL && json_object_size(set) == 0 &&
        !json_is_true(json_object_get(request, "del")) &&
        !json_is_true(json_object_get(request, "replace")))
        fine = spec_wrong(r->reader, r->node->line, r->path, "what is the link to do?");
    int used = snprintf(text, sizeof text, "%.20s %s", r->at_text, r->node->key);
    for (int i = 0; i < count && used < (int)sizeof text; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, " %s", words[i]);
    if (fine && json_array_append_new(
                    r->reader->spec->faults,
                    json_pack("{s:f,s:O,s:o,s:s}", "at", r->at, "fault", request, "place",
                              spec_place(r->reader, r->node->line, r->path), "text", text)) < 0)
        fine = spec_wrong(r->reader, r->node->line, r->path, "these are no names");
    json_decref(request);
    return fine;
}

/* netem and link have one host; a name with a count stands for as many faults. */
static bool faults_add(const struct reading *r, int count, char **words) {
    bool one = strcmp(r->node->key, "netem") == 0 || strcmp(r->node->key, "link") == 0;
    if (!one || count == 0)
        return fault_add(r, count, words);
    const char *rest = strchrnul(words[0], ':');
    char name[SPEC_PATH], *whole = words[0];
    json_t *each;
    size_t i;
    snprintf(name, sizeof name, "%.*s", (int)(rest - words[0] < 80 ? rest - words[0] : 80),
             words[0]);
    json_t *names = hosts_called(r, name);
    bool fine = names != NULL;
    json_array_foreach(names, i, each) {
        snprintf(name, sizeof name, "%s%.70s", json_string_value(each), rest);
        words[0] = name;
        fine = fine && fault_add(r, count, words);
    }
    words[0] = whole;
    json_decref(names);
    return fine;
}

static bool fault_read(const struct spec_reader *reader, const struct tree_node *map,
                       const char *path) {
    char inner[SPEC_PATH], **words;
    int count;
    struct reading r = {.reader = reader, .path = inner};
    const struct tree_node *at = tree_member(map, "at");
    if (!spec_map_check(reader, map, path, SPEC_MAP_FAULT))
        return false;
    for (const struct tree_node *member = map->first; member != NULL; member = member->next) {
        if (member == at || strncmp(member->key, "x-", 2) == 0)
            continue;
        if (r.node != NULL)
            return spec_wrong(reader, member->key_line, path,
                              "%s and %s are two faults: each has a member of the list",
                              r.node->key, member->key);
        r.node = member;
    }
    if (at == NULL)
        return spec_wrong(reader, map->line, path, "when? It needs at, such as at: 2s");
    spec_path(inner, path, "at");
    if (at->kind != TREE_TEXT || !unit_duration(at->text, &r.at))
        return spec_wrong(reader, at->line, inner, "\"%.40s\" should be such as 2s or 1m30s",
                          at->kind == TREE_TEXT ? at->text : "");
    if (r.node == NULL)
        return spec_wrong(reader, map->line, path,
                          "what is to happen? There are: netem, link, partition, heal, kill, "
                          "pause, unpause, restart");
    r.at_text = at->text;
    spec_path(inner, path, r.node->key);
    if (!spec_words(reader, r.node, inner, &words, &count))
        return false;
    if (tree_is_null(r.node))
        count = 0;
    bool fine = faults_add(&r, count, words);
    free(words);
    return fine;
}

/* ---- all of them ---- */

struct due {
    double at;
    size_t number;
};

static int due_compare(const void *a, const void *b) {
    const struct due *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* In the order of their times, those of one time as the file has them. */
static bool faults_sort(struct spec *spec) {
    size_t count = json_array_size(spec->faults);
    struct due *due = calloc(count + 1, sizeof *due);
    json_t *sorted = json_array();
    for (size_t i = 0; due != NULL && i < count; i++)
        due[i] = (struct due){
            json_number_value(json_object_get(json_array_get(spec->faults, i), "at")), i};
    if (due != NULL)
        qsort(due, count, sizeof *due, due_compare);
    for (size_t i = 0; due != NULL && i < count; i++)
        json_array_append(sorted, json_array_get(spec->faults, due[i].number));
    free(due);
    json_decref(spec->faults);
    spec->faults = sorted;
    return json_array_size(sorted) == count;
}

/* What is to come of a computer's commands depends on whether it loses its power. */
static void power_note(struct spec *spec) {
    size_t i, k;
    json_t *entry, *name;
    json_array_foreach(spec->faults, i, entry) {
        const json_t *fault = json_object_get(entry, "fault");
        const char *word = json_string_value(json_object_get(fault, "do"));
        bool off = strcmp(word, "kill") == 0, again = strcmp(word, "restart") == 0;
        json_array_foreach(json_object_get(fault, "hosts"), k, name) {
            struct spec_host *host =
                (struct spec_host *)(uintptr_t)spec_find(spec, json_string_value(name));
            host->killed = host->killed || off || again;
            host->is_off = off || (host->is_off && !again);
            host->restarts += again;
        }
    }
}

bool spec_faults_read(const struct spec_reader *reader, const struct tree_node *list) {
    unsigned number = 0;
    reader->spec->faults = json_array();
    if (list == NULL || tree_is_null(list))
        return true;
    if (list->kind != TREE_LIST)
        return spec_wrong(reader, list->line, "faults", "must be a list");
    for (const struct tree_node *one = list->first; one != NULL; one = one->next) {
        char path[SPEC_PATH];
        snprintf(path, sizeof path, "faults[%u]", number++);
        if (!fault_read(reader, one, path))
            return false;
    }
    if (!faults_sort(reader->spec))
        return spec_memory(reader, list->line, "faults");
    power_note(reader->spec);
    return true;
}
