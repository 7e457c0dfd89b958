#define _GNU_SOURCE
#include "tool/cli/spec_read.h"
#include "tool/control/place.h"

#include <berth/host.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_MAX = 10000, SYSCTLS_MAX = 64 };

static size_t members(const struct tree_node *node) {
    size_t count = 0;
    for (const struct tree_node *m = node->first; m != NULL; m = m->next)
        count++;
    return count;
}

/* A whole number without a sign, at most six digits; -1: it is none. */
static long number_of(const char *text) {
    size_t length = strlen(text);
    if (length == 0 || length > 6 || strspn(text, "0123456789") != length)
        return -1;
    return strtol(text, NULL, 10);
}

/* An address of one family, which the key says. */
static bool one_address_read(const struct spec_reader *reader, const struct tree_node *node,
                             const char *path, bool v4, const char **address, int *line) {
    struct berth_ip ip;
    char inner[SPEC_PATH];
    const char *key = v4 ? "ipv4_address" : "ipv6_address";
    if (!spec_text(reader, node, path, key, address))
        return false;
    if (*address == NULL)
        return true;
    *line = tree_member(node, key)->line;
    spec_path(inner, path, key);
    if (berth_ip_parse(*address, &ip) < 0 || berth_ip_is_v4(&ip) != v4)
        return spec_wrong(reader, *line, inner, "\"%.40s\" is no IPv%d address", *address,
                          v4 ? 4 : 6);
    return true;
}

static bool address_read(const struct spec_reader *reader, const struct tree_node *node,
                         const char *path, struct spec_host *host) {
    return one_address_read(reader, node, path, true, &host->address, &host->address_line) &&
           one_address_read(reader, node, path, false, &host->address6, &host->address6_line);
}

/* A text is the shell's, a list is a program and its arguments. The words stay the tree's. */
static bool command_read(const struct spec_reader *reader, const struct tree_node *node,
                         const char *path, struct spec_host *host) {
    static char shell[] = "sh", option[] = "-c";
    const struct tree_node *value = tree_member(node, "command");
    char inner[SPEC_PATH];
    if (value == NULL || tree_is_null(value))
        return true;
    spec_path(inner, path, "command");
    size_t count = members(value), at = 0;
    if (value->kind == TREE_MAP || (value->kind == TREE_LIST && count == 0))
        return spec_wrong(reader, value->line, inner, "must be a line or a list of words");
    host->argv = calloc(count + 4, sizeof *host->argv);
    if (host->argv == NULL)
        return spec_wrong(reader, value->line, inner, "out of memory");
    if (value->kind == TREE_TEXT) {
        host->argv[0] = shell;
        host->argv[1] = option;
        host->argv[2] = value->text;
        return true;
    }
    for (const struct tree_node *word = value->first; word != NULL; word = word->next) {
        if (word->kind != TREE_TEXT)
            return spec_wrong(reader, word->line, inner, "must be a line or a list of words");
        host->argv[at++] = word->text;
    }
    return true;
}

static char *variable_of(const struct tree_node *entry, bool map) {
    char *variable = NULL;
    if (entry->kind != TREE_TEXT)
        return NULL;
    if (map)
        return entry->key[0] != '\0' && strchr(entry->key, '=') == NULL &&
                       asprintf(&variable, "%s=%s", entry->key, entry->text) >= 0
                   ? variable
                   : NULL;
    const char *equals = strchr(entry->text, '=');
    return equals != NULL && equals != entry->text ? strdup(entry->text) : NULL;
}

static bool environment_read(const struct spec_reader *reader, const struct tree_node *node,
                             const char *path, struct spec_host *host) {
    const struct tree_node *value = tree_member(node, "environment");
    char inner[SPEC_PATH];
    if (value == NULL || tree_is_null(value))
        return true;
    spec_path(inner, path, "environment");
    if (value->kind == TREE_TEXT)
        return spec_wrong(reader, value->line, inner, "must be a map, or a list of NAME=VALUE");
    size_t at = 0;
    host->environment = calloc(members(value) + 1, sizeof *host->environment);
    if (host->environment == NULL)
        return spec_wrong(reader, value->line, inner, "out of memory");
    for (const struct tree_node *entry = value->first; entry != NULL; entry = entry->next) {
        char *variable = variable_of(entry, value->kind == TREE_MAP);
        if (variable == NULL)
            return spec_wrong(reader, entry->line, inner, "each must be NAME: VALUE or NAME=VALUE");
        host->environment[at++] = variable;
    }
    return true;
}

/* net.ipv4.ip_local_port_range */
static bool ports_read(const struct spec_reader *reader, const struct tree_node *value,
                       const char *path, const char *range, struct spec_host *host) {
    char first[16], last[16], rest;
    if (sscanf(range, "%15s %15s %c", first, last, &rest) == 2) {
        long from = number_of(first), to = number_of(last);
        host->port_first = from > 0 ? (unsigned)from : 0;
        host->port_last = to > 0 ? (unsigned)to : 0;
    }
    if (host->port_first == 0 || host->port_last > 65535 || host->port_first > host->port_last)
        return spec_wrong(
            reader, value->line, path,
            "\"%.40s\" should be two ports, the lower one first, such as \"1024 65535\"", range);
    return true;
}

static bool sysctl_read(const struct spec_reader *reader, const struct tree_node *map,
                        const char *path, const char *key, struct spec_host *host) {
    struct berth_host_config scratch;
    char leaf[SPEC_PATH];
    const char *text;
    if (!spec_text(reader, map, path, key, &text))
        return false;
    if (text == NULL)
        return true;
    spec_path(leaf, path, key);
    const struct tree_node *value = tree_member(map, key);
    if (strcmp(key, "net.ipv4.ip_local_port_range") == 0)
        return ports_read(reader, value, leaf, text, host);
    berth_host_config_init(&scratch);
    if (berth_sysctl_set(&scratch, key, text) < 0)
        return spec_wrong(reader, value->line, leaf, "cannot be \"%.40s\"", text);
    if (host->sysctls == NULL)
        host->sysctls = json_object();
    if (json_object_set_new(host->sysctls, key, json_string(text)) < 0)
        return spec_wrong(reader, value->line, leaf, "out of memory");
    return true;
}

static bool sysctls_read(const struct spec_reader *reader, const struct tree_node *node,
                         const char *path, struct spec_host *host) {
    const char *keys[SYSCTLS_MAX] = {"net.ipv4.ip_local_port_range"};
    const struct tree_node *value = tree_member(node, "sysctls");
    char inner[SPEC_PATH];
    size_t count = 1;
    if (value == NULL)
        return true;
    for (const char *name; count < SYSCTLS_MAX && (name = berth_sysctl_name(count - 1)) != NULL;)
        keys[count++] = name;
    spec_path(inner, path, "sysctls");
    if (!spec_keys(reader, value, inner, keys, count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!sysctl_read(reader, value, inner, keys[i], host))
            return false;
    return true;
}

static bool count_read(const struct spec_reader *reader, const struct tree_node *node,
                       const char *path, long *count) {
    const char *text;
    char inner[SPEC_PATH];
    *count = 0; /* one computer with the key's own name */
    if (!spec_text(reader, node, path, "count", &text))
        return false;
    if (text == NULL)
        return true;
    *count = number_of(text);
    spec_path(inner, path, "count");
    int line = tree_member(node, "count")->line;
    if (*count < 1 || *count > COUNT_MAX)
        return spec_wrong(reader, line, inner, "\"%.40s\" should be a number from 1 to %d", text,
                          COUNT_MAX);
    if (*count > 1 && tree_member(node, "ipv4_address") != NULL)
        return spec_wrong(reader, line, inner, "%ld hosts cannot share one ipv4_address", *count);
    if (*count > 1 && tree_member(node, "ipv6_address") != NULL)
        return spec_wrong(reader, line, inner, "%ld hosts cannot share one ipv6_address", *count);
    return true;
}

static bool name_check(const struct spec_reader *reader, const struct tree_node *node,
                       const char *path, const char *name) {
    struct berth_ip ip;
    if (!place_name_valid(name) || berth_ip_parse(name, &ip) == 0)
        return spec_wrong(reader, node->key_line, path,
                          "a name has letters, digits, - _ and ., at most %d", PLACE_NAME);
    for (const struct spec_host *other = reader->spec->hosts; other != NULL; other = other->next)
        if (strcmp(other->name, name) == 0)
            return spec_wrong(reader, node->key_line, path, "host %s is there already (line %d)",
                              name, other->line);
    return true;
}

/* One computer. It is the spec's before it is complete, so that a failure leaves nothing behind. */
static bool one_read(const struct spec_reader *reader, const struct tree_node *node,
                     const char *path, long number) {
    char name[SPEC_NAME * 2];
    if (number > 0)
        snprintf(name, sizeof name, "%.70s%ld", node->key, number);
    else
        snprintf(name, sizeof name, "%.70s", node->key);
    if (!name_check(reader, node, path, name))
        return false;
    struct spec_host *host = calloc(1, sizeof *host);
    if (host == NULL)
        return spec_wrong(reader, node->key_line, path, "out of memory");
    memcpy(host->name, name, strlen(name) + 1); /* place_name_valid: it fits */
    host->base = node->key;
    host->line = node->key_line;
    if (reader->spec->last != NULL)
        reader->spec->last->next = host;
    else
        reader->spec->hosts = host;
    reader->spec->last = host;
    return address_read(reader, node, path, host) && command_read(reader, node, path, host) &&
           environment_read(reader, node, path, host) && sysctls_read(reader, node, path, host);
}

bool spec_host_read(const struct spec_reader *reader, const struct tree_node *node) {
    static const char *const keys[] = {"ipv4_address", "ipv6_address", "command",
                                       "environment",  "count",        "sysctls"};
    char path[SPEC_PATH];
    long count;
    spec_path(path, "hosts", node->key);
    if (!spec_keys(reader, node, path, keys, 6) || !count_read(reader, node, path, &count))
        return false;
    if (count == 0)
        return one_read(reader, node, path, 0);
    for (long number = 1; number <= count; number++)
        if (!one_read(reader, node, path, number))
            return false;
    return true;
}
