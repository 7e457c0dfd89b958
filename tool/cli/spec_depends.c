/* hosts.NAME.healthcheck and .depends_on: what is asked of a host before others start. */
#define _GNU_SOURCE
#include "tool/cli/spec_read.h"
#include "tool/control/nearest.h"

#include <stdlib.h>
#include <string.h>

/* Compose's defaults. */
static const uint64_t HEALTH_SECONDS = 30;
enum { RETRIES = 3, RETRIES_MAX = 1000000 };
static const uint64_t SECOND = 1000000000;

/* CMD and the words of a program, CMD-SHELL and a line for the shell, or such a line alone. */
static bool test_read(const struct spec_reader *reader, const struct tree_node *test,
                      const char *path, struct spec_health *health) {
    static char shell[] = "sh", option[] = "-c";
    const struct tree_node *first = test->first;
    const char *kind =
        test->kind == TREE_LIST && first != NULL && first->kind == TREE_TEXT ? first->text : "";
    bool none = strcmp(kind, "NONE") == 0, line = strcmp(kind, "CMD-SHELL") == 0;
    if (none && first->next == NULL)
        return true;
    if (strcmp(kind, "CMD") == 0 && first->next != NULL) {
        if (!spec_argv(reader, test, path, &health->argv))
            return false;
        for (char **word = health->argv; *word != NULL; word++)
            word[0] = word[1]; /* without the CMD */
        return true;
    }
    const struct tree_node *text = line ? first->next : test;
    if (text == NULL || text->kind != TREE_TEXT || text->text[0] == '\0' ||
        (line && text->next != NULL))
        return spec_wrong(reader, test->line, path,
                          "should be a line for the shell, [CMD, PROGRAM, ARGUMENT...] or "
                          "[CMD-SHELL, LINE]");
    health->argv = calloc(4, sizeof *health->argv);
    if (health->argv == NULL)
        return spec_memory(reader, test->line, path);
    health->argv[0] = shell;
    health->argv[1] = option;
    health->argv[2] = text->text;
    return true;
}

static bool retries_read(const struct spec_reader *reader, const struct tree_node *map,
                         const char *path, struct spec_health *health) {
    char inner[SPEC_PATH];
    const char *text = NULL;
    health->retries = RETRIES;
    if (!spec_text(reader, map, path, "retries", &text))
        return false;
    if (text == NULL)
        return true;
    long number = spec_number(text);
    spec_path(inner, path, "retries");
    if (number < 1 || number > RETRIES_MAX)
        return spec_wrong(reader, tree_member(map, "retries")->line, inner,
                          "\"%.40s\" should be a number from 1 to %d", text, RETRIES_MAX);
    health->retries = (unsigned)number;
    return true;
}

static bool times_read(const struct spec_reader *reader, const struct tree_node *map,
                       const char *path, struct spec_health *health) {
    char inner[SPEC_PATH];
    health->interval = health->timeout = HEALTH_SECONDS * SECOND;
    if (!spec_duration(reader, map, path, "interval", &health->interval) ||
        !spec_duration(reader, map, path, "timeout", &health->timeout) ||
        !spec_duration(reader, map, path, "start_period", &health->start_period) ||
        !spec_duration(reader, map, path, "start_interval", &health->start_interval))
        return false;
    const char *zero = health->interval == 0 ? "interval" : health->timeout == 0 ? "timeout" : NULL;
    spec_path(inner, path, zero != NULL ? zero : "");
    return zero == NULL ||
           spec_wrong(reader, tree_member(map, zero)->line, inner, "cannot be nothing");
}

bool spec_health_read(const struct spec_reader *reader, const struct tree_node *node,
                      const char *path, struct spec_service *service) {
    char inner[SPEC_PATH], leaf[SPEC_PATH];
    struct spec_health *health = &service->health;
    const struct tree_node *map = spec_member(node, path, "healthcheck", inner);
    bool disabled = false;
    if (map == NULL)
        return true;
    if (!spec_map_check(reader, map, inner, SPEC_MAP_HEALTHCHECK) ||
        !times_read(reader, map, inner, health) || !retries_read(reader, map, inner, health) ||
        !spec_bool(reader, map, inner, "disable", &disabled))
        return false;
    const struct tree_node *test = spec_member(map, inner, "test", leaf);
    if (disabled)
        return true;
    if (test == NULL)
        return spec_wrong(reader, map->line, inner, "needs a test (or disable: true)");
    return test_read(reader, test, leaf, health);
}

/* ---- depends_on ---- */

static bool condition_read(const struct spec_reader *reader, const struct tree_node *map,
                           const char *path, struct spec_depend *depend) {
    static const char *const conditions[] = {"service_started", "service_healthy",
                                             "service_completed_successfully"};
    char inner[SPEC_PATH];
    const char *text = conditions[SPEC_STARTED];
    if (!spec_map_check(reader, map, path, SPEC_MAP_DEPENDENCY) ||
        !spec_text(reader, map, path, "condition", &text) ||
        !spec_bool(reader, map, path, "required", &depend->required))
        return false;
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, conditions[i]) == 0) {
            depend->condition = (enum spec_condition)i;
            return true;
        }
    }
    spec_path(inner, path, "condition");
    const char *nearest = word_nearest(text, conditions, 3);
    return spec_wrong(reader, tree_member(map, "condition")->line, inner, "\"%.40s\" should be %s",
                      text,
                      nearest != NULL ? nearest
                                      : "service_started, service_healthy or "
                                        "service_completed_successfully");
}

/* A condition that can never come true is a fault of the file. */
static bool condition_check(const struct spec_reader *reader, int line, const char *path,
                            const struct spec_depend *depend) {
    if (depend->condition == SPEC_HEALTHY && depend->on->health.argv == NULL)
        return spec_wrong(reader, line, path, "%s has no healthcheck", depend->on->name);
    if (depend->condition == SPEC_COMPLETED && depend->on->processes == NULL)
        return spec_wrong(reader, line, path, "%s has no command", depend->on->name);
    return true;
}

static bool depend_read(const struct spec_reader *reader, const struct tree_node *one, bool map,
                        const char *parent, struct spec_service *service,
                        struct spec_depend ***link) {
    char path[SPEC_PATH], near[SPEC_PATH];
    const char *name = map ? one->key : one->text;
    if (!map && one->kind != TREE_TEXT)
        return spec_wrong(reader, one->line, parent, "must be a list of hosts, or a map");
    struct spec_service *on = spec_service_find(reader->spec, name);
    if (on == NULL)
        return spec_wrong(reader, one->key_line, parent, "no host \"%.60s\"%s", name,
                          spec_nearest_service(reader->spec, name, near));
    for (const struct spec_depend *other = service->depends; other != NULL; other = other->next)
        if (other->on == on)
            return spec_wrong(reader, one->key_line, parent, "%s is there twice", name);
    struct spec_depend *depend = **link = calloc(1, sizeof *depend);
    if (depend == NULL)
        return spec_memory(reader, one->line, parent);
    *link = &depend->next;
    *depend = (struct spec_depend){.on = on, .required = true};
    spec_path(path, parent, name);
    return (!map || condition_read(reader, one, path, depend)) &&
           condition_check(reader, one->key_line, path, depend);
}

static bool depends_read(const struct spec_reader *reader, struct spec_service *service) {
    char path[SPEC_PATH], inner[SPEC_PATH];
    spec_path(path, "hosts", service->name);
    const struct tree_node *value = spec_member(service->node, path, "depends_on", inner);
    struct spec_depend **link = &service->depends;
    if (value == NULL)
        return true;
    if (value->kind == TREE_TEXT)
        return spec_wrong(reader, value->line, inner, "must be a list of hosts, or a map");
    for (const struct tree_node *one = value->first; one != NULL; one = one->next)
        if (!depend_read(reader, one, value->kind == TREE_MAP, inner, service, &link))
            return false;
    return true;
}

/* Takes away who waits for nobody that is left, again and again; who then is left waits for himself
 * in the end. */
static bool circle_find(const struct spec_reader *reader) {
    struct spec *spec = reader->spec;
    bool *settled = calloc(spec->service_count, sizeof *settled), progress = true;
    const struct spec_service *left = NULL;
    if (settled == NULL)
        return spec_memory(reader, 1, "hosts");
    while (progress) {
        progress = false;
        left = NULL;
        for (const struct spec_service *s = spec->services; s != NULL; s = s->next) {
            const struct spec_depend *depend = s->depends;
            while (depend != NULL && settled[depend->on->number])
                depend = depend->next;
            if (settled[s->number])
                continue;
            if (depend == NULL)
                settled[s->number] = progress = true;
            else
                left = left != NULL ? left : s;
        }
    }
    /* From one that is left, the way to others that are left ends in the circle. */
    for (unsigned steps = 0; left != NULL && steps < spec->service_count; steps++) {
        const struct spec_depend *depend = left->depends;
        while (settled[depend->on->number])
            depend = depend->next;
        left = depend->on;
    }
    free(settled);
    if (left == NULL)
        return true;
    char path[SPEC_PATH], inner[SPEC_PATH];
    spec_path(path, "hosts", left->name);
    int line = spec_member(left->node, path, "depends_on", inner)->line;
    return spec_wrong(reader, line, inner, "it waits for itself in the end");
}

bool spec_depends_read(const struct spec_reader *reader) {
    for (struct spec_service *service = reader->spec->services; service; service = service->next)
        if (!depends_read(reader, service))
            return false;
    return circle_find(reader);
}
