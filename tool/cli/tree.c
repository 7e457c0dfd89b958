#define _GNU_SOURCE
#include "tool/cli/tree.h"
#include "tool/cli/interpolate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* What an anchor names; NULL while that is still being read. */
struct anchor {
    struct anchor *next;
    char *name;
    const struct tree_node *node;
};

struct reader {
    yaml_parser_t parser;
    FILE *file;
    const char *name;
    char *error;
    size_t octets, text; /* read; kept in values */
    unsigned nodes;
    struct anchor *anchors;  /* the latest first */
    struct tree_node *spent; /* merge keys that have been put in */
};

static void *wrong(struct reader *reader, size_t line, const char *format, ...) {
    char text[TREE_ERROR / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(reader->error, TREE_ERROR, "%.200s:%zu: %s", reader->name, line + 1, text);
    return NULL;
}

static int octets_read(void *context, unsigned char *buffer, size_t size, size_t *got) {
    struct reader *reader = context;
    *got = fread(buffer, 1, size, reader->file);
    reader->octets += *got;
    return !ferror(reader->file) && reader->octets <= TREE_OCTETS;
}

static bool event_next(struct reader *reader, yaml_event_t *event) {
    if (yaml_parser_parse(&reader->parser, event))
        return true;
    const yaml_parser_t *p = &reader->parser;
    if (reader->octets > TREE_OCTETS)
        wrong(reader, p->mark.line, "the file is larger than %d octets", TREE_OCTETS);
    else if (ferror(reader->file))
        wrong(reader, p->mark.line, "%s", strerror(errno));
    else
        wrong(reader, p->problem_mark.line, "%s%s%s", p->problem != NULL ? p->problem : "not YAML",
              p->context != NULL ? " " : "", p->context != NULL ? p->context : "");
    return false;
}

void tree_free(struct tree_node *node) {
    while (node != NULL) {
        struct tree_node *next = node->next;
        tree_free(node->first);
        free(node->text);
        free(node->key);
        free(node);
        node = next;
    }
}

struct tree_node *tree_member(const struct tree_node *map, const char *key) {
    if (map == NULL || map->kind != TREE_MAP)
        return NULL;
    struct tree_node *node = map->first;
    while (node != NULL && strcmp(node->key, key) != 0)
        node = node->next;
    return node;
}

static void member_append(struct tree_node *parent, struct tree_node *member) {
    if (parent->last != NULL)
        parent->last->next = member;
    else
        parent->first = member;
    parent->last = member;
}

bool tree_is_null(const struct tree_node *node) {
    return node->kind == TREE_TEXT && node->plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcasecmp(node->text, "null") == 0);
}

/* ---- what is kept is counted ---- */

static const char *variable_find(void *context, const char *name) {
    (void)context;
    return getenv(name);
}

static struct tree_node *node_new(struct reader *reader, size_t line, enum tree_kind kind) {
    if (++reader->nodes > TREE_NODES)
        return wrong(reader, line, "more than %d values", TREE_NODES);
    struct tree_node *node = calloc(1, sizeof *node);
    if (node == NULL)
        return wrong(reader, line, "out of memory");
    node->line = node->key_line = (int)line + 1;
    node->kind = kind;
    return node;
}

/* A copy of the text, which counts. NULL with a message. */
static char *text_keep(struct reader *reader, size_t line, const char *text) {
    size_t length = strlen(text);
    if (length > TREE_TEXTS - reader->text)
        return wrong(reader, line, "more than %d octets of text", TREE_TEXTS);
    reader->text += length;
    char *copy = strdup(text);
    if (copy == NULL)
        wrong(reader, line, "out of memory");
    return copy;
}

/* ---- anchors, aliases, merge keys ----
 *
 * An alias is a copy of what its anchor names, and counts like what it copies: a few aliases of
 * aliases, which can stand for gigabytes, soon are more values than there may be. */

static struct tree_node *node_copy(struct reader *reader, size_t line, const struct tree_node *from,
                                   int depth) {
    if (depth > TREE_DEPTH)
        return wrong(reader, line, "more than %d levels", TREE_DEPTH);
    struct tree_node *node = node_new(reader, line, from->kind);
    if (node == NULL)
        return NULL;
    node->plain = from->plain;
    node->line = from->line;
    node->key_line = from->key_line;
    bool fine = (from->text == NULL || (node->text = text_keep(reader, line, from->text))) &&
                (from->key == NULL || (node->key = text_keep(reader, line, from->key)));
    for (const struct tree_node *m = from->first; fine && m != NULL; m = m->next) {
        struct tree_node *copy = node_copy(reader, line, m, depth + 1);
        fine = copy != NULL;
        if (fine)
            member_append(node, copy);
    }
    if (fine)
        return node;
    tree_free(node);
    return NULL;
}

/* Notes that an anchor begins here; true without one. */
static bool anchor_open(struct reader *reader, const yaml_event_t *event, struct anchor **anchor) {
    const yaml_char_t *name = event->type == YAML_SCALAR_EVENT ? event->data.scalar.anchor
                              : event->type == YAML_SEQUENCE_START_EVENT
                                  ? event->data.sequence_start.anchor
                                  : event->data.mapping_start.anchor;
    *anchor = NULL;
    if (name == NULL)
        return true;
    struct anchor *new = calloc(1, sizeof *new);
    if (new == NULL || (new->name = strdup((const char *)name)) == NULL) {
        free(new);
        return wrong(reader, event->start_mark.line, "out of memory") != NULL;
    }
    new->next = reader->anchors;
    reader->anchors = *anchor = new;
    return true;
}

static struct tree_node *alias_read(struct reader *reader, const yaml_event_t *event, int depth) {
    const char *name = (const char *)event->data.alias.anchor;
    size_t line = event->start_mark.line;
    const struct anchor *anchor = reader->anchors;
    while (anchor != NULL && strcmp(anchor->name, name) != 0)
        anchor = anchor->next;
    if (anchor == NULL)
        return wrong(reader, line, "*%.60s: there is no &%.60s above", name, name);
    if (anchor->node == NULL)
        return wrong(reader, line, "*%.60s stands inside of what it names", name);
    struct tree_node *copy = node_copy(reader, line, anchor->node, depth);
    if (copy != NULL) {
        free(copy->key); /* it gets one of its own, if any */
        copy->key = NULL;
    }
    return copy;
}

/* `<<`: members that the map has not. */
static bool map_merge(struct reader *reader, struct tree_node *map, const struct tree_node *from,
                      int depth) {
    size_t line = (size_t)from->line - 1;
    if (from->kind == TREE_LIST) {
        for (const struct tree_node *m = from->first; m != NULL; m = m->next)
            if (m->kind != TREE_MAP || !map_merge(reader, map, m, depth))
                return m->kind == TREE_MAP ||
                       wrong(reader, (size_t)m->line - 1, "<< takes maps only") != NULL;
        return true;
    }
    if (from->kind != TREE_MAP)
        return wrong(reader, line, "<< takes a map, or a list of maps") != NULL;
    for (const struct tree_node *m = from->first; m != NULL; m = m->next) {
        if (tree_member(map, m->key) != NULL)
            continue;
        struct tree_node *copy = node_copy(reader, line, m, depth);
        if (copy == NULL)
            return false;
        member_append(map, copy);
    }
    return true;
}

/* Takes the merge keys out, and puts in what they stand for. */
static bool merges_apply(struct reader *reader, struct tree_node *map, int depth) {
    struct tree_node *merge = tree_member(map, "<<");
    if (merge == NULL)
        return true;
    struct tree_node **link = &map->first;
    while (*link != NULL && *link != merge)
        link = &(*link)->next;
    *link = merge->next;
    merge->next = NULL;
    map->last = NULL;
    for (struct tree_node *m = map->first; m != NULL; m = m->next)
        map->last = m;
    bool fine = map_merge(reader, map, merge, depth);
    merge->next = reader->spent; /* it may have anchors in it, whose aliases are still to come */
    reader->spent = merge;
    return fine;
}

/* ---- nodes from events ---- */

/* What an event may not bring along. */
static bool event_allowed(struct reader *reader, const yaml_event_t *event) {
    const yaml_char_t *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        tag = event->data.scalar.tag;
        if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
            return wrong(reader, event->start_mark.line, "a value with a NUL in it") != NULL;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        tag = event->data.mapping_start.tag;
    }
    if (tag != NULL)
        return wrong(reader, event->start_mark.line, "tags are not used here") != NULL;
    return true;
}

static struct tree_node *text_read(struct reader *reader, const yaml_event_t *event) {
    char why[TREE_ERROR / 4];
    size_t line = event->start_mark.line;
    struct tree_node *node = node_new(reader, line, TREE_TEXT);
    char *text =
        interpolate((const char *)event->data.scalar.value, variable_find, NULL, why, sizeof why);
    if (text == NULL && node != NULL)
        wrong(reader, line, "%s", why);
    if (node != NULL && text != NULL)
        node->text = text_keep(reader, line, text);
    free(text);
    if (node == NULL || node->text == NULL) {
        free(node);
        return NULL;
    }
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return node;
}

static struct tree_node *node_read(struct reader *reader, yaml_event_t *event, int depth);

/* The key that `event` is, as text; its value follows. */
static struct tree_node *member_read(struct reader *reader, struct tree_node *map,
                                     const yaml_event_t *event, int depth) {
    size_t line = event->start_mark.line;
    if (event->type != YAML_SCALAR_EVENT || !event_allowed(reader, event))
        return event->type != YAML_SCALAR_EVENT ? wrong(reader, line, "a key must be a word")
                                                : NULL;
    const char *key = (const char *)event->data.scalar.value;
    if (tree_member(map, key) != NULL)
        return wrong(reader, line, "%.80s: is there twice", key);
    char *copy = text_keep(reader, line, key);
    yaml_event_t value;
    if (copy == NULL || !event_next(reader, &value)) {
        free(copy);
        return NULL;
    }
    struct tree_node *node = node_read(reader, &value, depth);
    yaml_event_delete(&value);
    if (node == NULL) {
        free(copy);
        return NULL;
    }
    node->key = copy;
    node->key_line = (int)line + 1;
    return node;
}

static bool members_read(struct reader *reader, struct tree_node *parent, int depth) {
    for (;;) {
        yaml_event_t event;
        if (!event_next(reader, &event))
            return false;
        bool end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        struct tree_node *node = NULL;
        if (!end)
            node = parent->kind == TREE_MAP ? member_read(reader, parent, &event, depth)
                                            : node_read(reader, &event, depth);
        yaml_event_delete(&event);
        if (node == NULL)
            return end && merges_apply(reader, parent, depth);
        member_append(parent, node);
    }
}

static struct tree_node *node_read(struct reader *reader, yaml_event_t *event, int depth) {
    struct anchor *anchor;
    size_t line = event->start_mark.line;
    if (event->type == YAML_ALIAS_EVENT)
        return alias_read(reader, event, depth);
    if (!event_allowed(reader, event) || !anchor_open(reader, event, &anchor))
        return NULL;
    if (depth > TREE_DEPTH)
        return wrong(reader, line, "more than %d levels", TREE_DEPTH);
    bool text = event->type == YAML_SCALAR_EVENT;
    struct tree_node *node =
        text ? text_read(reader, event)
             : node_new(reader, line,
                        event->type == YAML_SEQUENCE_START_EVENT ? TREE_LIST : TREE_MAP);
    if (node != NULL && !text && !members_read(reader, node, depth + 1)) {
        tree_free(node);
        return NULL;
    }
    if (anchor != NULL)
        anchor->node = node;
    return node;
}

/* After a document: nothing but the end may follow. */
static bool end_follows(struct reader *reader) {
    yaml_event_t event;
    bool end = false;
    while (!end && event_next(reader, &event)) {
        bool more = event.type != YAML_DOCUMENT_END_EVENT && event.type != YAML_STREAM_END_EVENT;
        end = event.type == YAML_STREAM_END_EVENT;
        size_t line = event.start_mark.line;
        yaml_event_delete(&event);
        if (more)
            return wrong(reader, line, "a second document") != NULL;
    }
    return end;
}

static struct tree_node *root_read(struct reader *reader) {
    yaml_event_t event;
    for (;;) {
        if (!event_next(reader, &event))
            return NULL;
        if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT)
            break;
        yaml_event_delete(&event);
    }
    struct tree_node *root;
    if (event.type == YAML_STREAM_END_EVENT) {
        root = calloc(1, sizeof *root);
        if (root != NULL)
            *root = (struct tree_node){.kind = TREE_MAP, .line = 1, .key_line = 1};
    } else {
        root = node_read(reader, &event, 1);
        if (root != NULL && !end_follows(reader)) {
            tree_free(root);
            root = NULL;
        }
    }
    yaml_event_delete(&event);
    return root;
}

struct tree_node *tree_read(FILE *file, const char *name, char *error) {
    struct reader reader = {.file = file, .name = name, .error = error};
    snprintf(error, TREE_ERROR, "%.200s: out of memory", name);
    if (!yaml_parser_initialize(&reader.parser))
        return NULL;
    yaml_parser_set_input(&reader.parser, octets_read, &reader);
    struct tree_node *root = root_read(&reader);
    yaml_parser_delete(&reader.parser);
    tree_free(reader.spent);
    while (reader.anchors != NULL) {
        struct anchor *anchor = reader.anchors;
        reader.anchors = anchor->next;
        free(anchor->name);
        free(anchor);
    }
    return root;
}
