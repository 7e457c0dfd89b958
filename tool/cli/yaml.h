/* A YAML file as a tree in which every node knows its line, for messages that point at what is
 * wrong.
 *
 * What a description of a network never needs is refused: anchors and aliases (a few hundred octets
 * of them can stand for gigabytes), tags, a second document, more than YAML_DEPTH levels, more than
 * YAML_NODES nodes, more than YAML_OCTETS octets. */
#ifndef TOOL_CLI_YAML_H
#define TOOL_CLI_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { YAML_DEPTH = 16, YAML_NODES = 8192, YAML_OCTETS = 1 << 20, YAML_ERROR = 512 };

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    char *text;                     /* YAML_TEXT */
    bool plain;                     /* without quotes */
    char *key;                      /* of a map's member */
    int line, key_line;             /* from 1 */
    struct yaml_node *first, *last; /* members, in order */
    struct yaml_node *next;
};

/* Reads the whole tree; an empty file is an empty map. NULL with "FILE:LINE: what is wrong" in
 * error[YAML_ERROR]. */
struct yaml_node *yaml_read(FILE *file, const char *name, char *error);
void yaml_free(struct yaml_node *node);
struct yaml_node *yaml_member(const struct yaml_node *map, const char *key);
/* A plain empty or null value, as in "pc:". */
bool yaml_is_null(const struct yaml_node *node);

#endif
