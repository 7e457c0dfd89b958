/* What keys there are, and how a value is asked for. */
#define _GNU_SOURCE
#include "tool/cli/spec_read.h"
#include "tool/cli/units.h"
#include "tool/control/nearest.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINK_KEYS                                                                                  \
    "delay", "distribution", "loss", "duplicate", "corrupt", "reorder", "gap", "rate", "limit",    \
        "netem"
#define PROCESS_KEYS                                                                               \
    "command", "environment", "env_file", "working_dir", "user", "restart", "stop_signal",         \
        "stop_grace_period", "expect"

static const char *const file_keys[] = {"networks", "hosts", "links", "gateway", "faults"};
static const char *const gateway_keys[] = {"allow"};
static const char *const network_keys[] = {"subnet", "enable_ipv6", "ipam", LINK_KEYS};
static const char *const ipam_keys[] = {"config"};
static const char *const ipam_config_keys[] = {"subnet"};
static const char *const host_keys[] = {PROCESS_KEYS,  "networks",   "ipv4_address", "ipv6_address",
                                        "aliases",     "count",      "processes",    "router",
                                        "forward",     "depends_on", "ports",        "healthcheck",
                                        "extra_hosts", "sysctls"};
static const char *const plug_keys[] = {"ipv4_address", "ipv6_address", "aliases"};
static const char *const process_keys[] = {PROCESS_KEYS};
static const char *const healthcheck_keys[] = {
    "test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"};
static const char *const dependency_keys[] = {"condition", "required"};
static const char *const port_keys[] = {"target", "published", "protocol", "host_ip"};
static const char *const expect_keys[] = {"exited", "running", "output"};
static const char *const link_keys[] = {"endpoints", LINK_KEYS};
static const char *const fault_keys[] = {"at",   "netem", "link",    "partition", "heal",
                                         "kill", "pause", "unpause", "restart"};

#define TABLE(name, keys)                                                                          \
    { name, keys, sizeof(keys) / sizeof(keys)[0] }
static const struct spec_table tables[SPEC_MAPS] = {
    [SPEC_MAP_FILE] = TABLE("file", file_keys),
    [SPEC_MAP_NETWORK] = TABLE("network", network_keys),
    [SPEC_MAP_IPAM] = TABLE("ipam", ipam_keys),
    [SPEC_MAP_IPAM_CONFIG] = TABLE("ipam_config", ipam_config_keys),
    [SPEC_MAP_HOST] = TABLE("host", host_keys),
    [SPEC_MAP_PLUG] = TABLE("plug", plug_keys),
    [SPEC_MAP_PROCESS] = TABLE("process", process_keys),
    [SPEC_MAP_HEALTHCHECK] = TABLE("healthcheck", healthcheck_keys),
    [SPEC_MAP_DEPENDENCY] = TABLE("dependency", dependency_keys),
    [SPEC_MAP_PORT] = TABLE("port", port_keys),
    [SPEC_MAP_EXPECT] = TABLE("expect", expect_keys),
    [SPEC_MAP_GATEWAY] = TABLE("gateway", gateway_keys),
    [SPEC_MAP_LINK] = TABLE("link", link_keys),
    [SPEC_MAP_FAULT] = TABLE("fault", fault_keys),
};

const struct spec_table *spec_table(enum spec_map map) {
    return &tables[map];
}

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

bool spec_memory(const struct spec_reader *reader, int line, const char *path) {
    return spec_wrong(reader, line, path, "out of memory");
}

void spec_path(char path[SPEC_PATH], const char *parent, const char *key) {
    snprintf(path, SPEC_PATH, "%.90s%s%.64s", parent, parent[0] != '\0' ? "." : "", key);
}

static bool key_unknown(const struct spec_reader *reader, const struct tree_node *node,
                        const char *path, const char *const *keys, size_t count) {
    char inner[SPEC_PATH], list[TREE_ERROR / 2] = "";
    spec_path(inner, path, node->key);
    const char *nearest = word_nearest(node->key, keys, count);
    if (nearest != NULL)
        return spec_wrong(reader, node->key_line, inner, "unknown key (did you mean \"%s\"?)",
                          nearest);
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", keys[i]);
    return spec_wrong(reader, node->key_line, inner, "unknown key (there are: %s)", list);
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
        if (i == count && strncmp(node->key, "x-", 2) != 0)
            return key_unknown(reader, node, path, keys, count);
    }
    return true;
}

bool spec_map_check(const struct spec_reader *reader, const struct tree_node *node,
                    const char *path, enum spec_map map) {
    return spec_keys(reader, node, path, tables[map].keys, tables[map].count);
}

const struct tree_node *spec_member(const struct tree_node *map, const char *path, const char *key,
                                    char inner[SPEC_PATH]) {
    const struct tree_node *node = tree_member(map, key);
    spec_path(inner, path, key);
    return node != NULL && !tree_is_null(node) ? node : NULL;
}

size_t spec_count(const struct tree_node *node) {
    size_t count = 0;
    for (const struct tree_node *m = node->first; m != NULL; m = m->next)
        count++;
    return count;
}

long spec_number(const char *text) {
    size_t length = strlen(text);
    if (length == 0 || length > 9 || strspn(text, "0123456789") != length)
        return -1;
    return strtol(text, NULL, 10);
}

bool spec_text(const struct spec_reader *reader, const struct tree_node *map, const char *path,
               const char *key, const char **text) {
    const struct tree_node *node = tree_member(map, key);
    char inner[SPEC_PATH];
    if (node == NULL)
        return true;
    spec_path(inner, path, key);
    if (node->kind != TREE_TEXT || node->text[0] == '\0')
        return spec_wrong(reader, node->line, inner, "must be a word");
    *text = node->text;
    return true;
}

bool spec_bool(const struct spec_reader *reader, const struct tree_node *map, const char *path,
               const char *key, bool *value) {
    char inner[SPEC_PATH];
    const struct tree_node *node = spec_member(map, path, key, inner);
    if (node == NULL)
        return true;
    bool yes = node->kind == TREE_TEXT && strcmp(node->text, "true") == 0;
    if (!yes && (node->kind != TREE_TEXT || strcmp(node->text, "false") != 0))
        return spec_wrong(reader, node->line, inner, "must be true or false");
    *value = yes;
    return true;
}

bool spec_duration(const struct spec_reader *reader, const struct tree_node *map, const char *path,
                   const char *key, uint64_t *nanoseconds) {
    char inner[SPEC_PATH];
    const struct tree_node *node = spec_member(map, path, key, inner);
    double value;
    if (node == NULL)
        return true;
    if (node->kind != TREE_TEXT || !unit_duration(node->text, &value))
        return spec_wrong(reader, node->line, inner, "\"%.40s\" should be such as 1m30s or 500ms",
                          node->kind == TREE_TEXT ? node->text : "");
    *nanoseconds = (uint64_t)value;
    return true;
}

bool spec_argv(const struct spec_reader *reader, const struct tree_node *node, const char *path,
               char ***argv) {
    size_t at = 0;
    *argv = calloc(spec_count(node) + 2, sizeof **argv);
    if (*argv == NULL)
        return spec_memory(reader, node->line, path);
    if (node->kind == TREE_TEXT)
        (*argv)[at++] = node->text;
    for (const struct tree_node *word = node->first; word != NULL; word = word->next) {
        if (node->kind != TREE_LIST || word->kind != TREE_TEXT) {
            free(*argv);
            *argv = NULL;
            return spec_wrong(reader, word->line, path, "must be a line or a list of words");
        }
        (*argv)[at++] = word->text;
    }
    return true;
}

/* How much room the words need: a pointer each, and their octets. */
static size_t words_room(const struct tree_node *node) {
    size_t room = sizeof(char *);
    if (node->kind == TREE_TEXT)
        return room + (strlen(node->text) + 1) * (1 + sizeof(char *));
    for (const struct tree_node *member = node->first; member != NULL; member = member->next)
        room += words_room(member);
    return room;
}

/* One word, or a list of them in one. False: it is neither. */
static bool word_put(char **octets, const struct tree_node *node) {
    if (node->kind == TREE_TEXT)
        *octets = stpcpy(*octets, node->text) + 1;
    for (const struct tree_node *member = node->first; member != NULL; member = member->next) {
        if (node->kind != TREE_LIST || member->kind != TREE_TEXT)
            return false;
        *octets = stpcpy(*octets, member->text);
        *(*octets)++ = member->next != NULL ? ',' : '\0';
    }
    return node->kind == TREE_TEXT || (node->kind == TREE_LIST && node->first != NULL);
}

bool spec_words(const struct spec_reader *reader, const struct tree_node *node, const char *path,
                char ***words, int *count) {
    size_t most = node->kind == TREE_TEXT ? strlen(node->text) / 2 + 2 : spec_count(node) + 1;
    char **list = malloc(most * sizeof *list + words_room(node)), *rest = NULL;
    bool fine = node->kind != TREE_MAP;
    *words = NULL;
    *count = 0;
    if (list == NULL)
        return spec_memory(reader, node->line, path);
    char *octets = (char *)(list + most);
    if (node->kind == TREE_TEXT) {
        memcpy(octets, node->text, strlen(node->text) + 1);
        for (char *word = strtok_r(octets, " \t\n", &rest); word != NULL;
             word = strtok_r(NULL, " \t\n", &rest))
            list[(*count)++] = word;
    }
    for (const struct tree_node *member = node->first; fine && member; member = member->next) {
        list[(*count)++] = octets;
        fine = word_put(&octets, member);
    }
    list[*count] = NULL;
    if (!fine) {
        free(list);
        return spec_wrong(reader, node->line, path, "must be a line or a list of words");
    }
    *words = list;
    return true;
}

struct spec_service *spec_service_find(const struct spec *spec, const char *name) {
    struct spec_service *service = spec->services;
    while (service != NULL && strcmp(service->name, name) != 0)
        service = service->next;
    return service;
}

struct spec_network *spec_network_find(const struct spec *spec, const char *name) {
    struct spec_network *network = spec->networks;
    while (network != NULL && strcmp(network->name, name) != 0)
        network = network->next;
    return network;
}

const char *spec_nearest_service(const struct spec *spec, const char *name, char text[SPEC_PATH]) {
    const char *nearest = NULL;
    for (const struct spec_service *service = spec->services; service; service = service->next) {
        const char *pair[2] = {service->name, nearest};
        const char *better = word_nearest(name, pair, nearest != NULL ? 2 : 1);
        nearest = better != NULL ? better : nearest;
    }
    text[0] = '\0';
    if (nearest != NULL)
        snprintf(text, SPEC_PATH, " (did you mean \"%s\"?)", nearest);
    return text;
}
