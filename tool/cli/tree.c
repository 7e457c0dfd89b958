#define _GNU_SOURCE
#include "tool/cli/tree.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    FILE *file;
    const char *name;
    char *error;
    size_t octets;
    unsigned nodes;
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

bool tree_is_null(const struct tree_node *node) {
    return node->kind == TREE_TEXT && node->plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcasecmp(node->text, "null") == 0);
}

/* What an event may not bring along. */
static bool event_allowed(struct reader *reader, const yaml_event_t *event) {
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
            return wrong(reader, event->start_mark.line, "a value with a NUL in it") != NULL;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (event->type == YAML_ALIAS_EVENT || anchor != NULL)
        return wrong(reader, event->start_mark.line, "anchors and aliases are not used here") !=
               NULL;
    if (tag != NULL)
        return wrong(reader, event->start_mark.line, "tags are not used here") != NULL;
    return true;
}

static struct tree_node *node_new(struct reader *reader, const yaml_event_t *event) {
    size_t line = event->start_mark.line;
    if (++reader->nodes > TREE_NODES)
        return wrong(reader, line, "more than %d values", TREE_NODES);
    struct tree_node *node = calloc(1, sizeof *node);
    if (node == NULL)
        return wrong(reader, line, "out of memory");
    node->line = node->key_line = (int)line + 1;
    node->kind = event->type == YAML_SCALAR_EVENT           ? TREE_TEXT
                 : event->type == YAML_SEQUENCE_START_EVENT ? TREE_LIST
                                                            : TREE_MAP;
    if (node->kind != TREE_TEXT)
        return node;
    node->text = strdup((const char *)event->data.scalar.value);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (node->text != NULL)
        return node;
    free(node);
    return wrong(reader, line, "out of memory");
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
    char *copy = strdup(key);
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
            return end;
        if (parent->last != NULL)
            parent->last->next = node;
        else
            parent->first = node;
        parent->last = node;
    }
}

static struct tree_node *node_read(struct reader *reader, yaml_event_t *event, int depth) {
    if (!event_allowed(reader, event))
        return NULL;
    if (depth > TREE_DEPTH)
        return wrong(reader, event->start_mark.line, "more than %d levels", TREE_DEPTH);
    struct tree_node *node = node_new(reader, event);
    if (node != NULL && node->kind != TREE_TEXT && !members_read(reader, node, depth + 1)) {
        tree_free(node);
        return NULL;
    }
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
    return root;
}
