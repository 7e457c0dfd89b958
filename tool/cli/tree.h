/* A YAML file as a tree in which every node knows its line, for messages that point at what is
 * wrong.
 *
 * Aliases stand for copies of what their anchors name, `<<` for a map's missing members, and
 * variables in values are replaced (interpolate.h). What a description of a network never needs is
 * refused: tags, a second document, more than TREE_DEPTH levels, more than TREE_NODES values or
 * TREE_TEXTS octets in them, copies included, more than TREE_OCTETS octets read. */
#ifndef TOOL_CLI_TREE_H
#define TOOL_CLI_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
    TREE_DEPTH = 16,
    TREE_NODES = 32768,
    TREE_OCTETS = 1 << 20,
    TREE_TEXTS = 1 << 22,
    TREE_ERROR = 1024
};

enum tree_kind { TREE_TEXT, TREE_LIST, TREE_MAP };

struct tree_node {
    enum tree_kind kind;
    char *text;                     /* TREE_TEXT */
    bool plain;                     /* without quotes */
    char *key;                      /* of a map's member */
    int line, key_line;             /* from 1 */
    struct tree_node *first, *last; /* members, in order */
    struct tree_node *next;
};

/* Reads the whole tree; an empty file is an empty map. NULL with "FILE:LINE: what is wrong" in
 * error[TREE_ERROR]. */
struct tree_node *tree_read(FILE *file, const char *name, char *error);
void tree_free(struct tree_node *node);
struct tree_node *tree_member(const struct tree_node *map, const char *key);
/* A plain empty or null value, as in "pc:". */
bool tree_is_null(const struct tree_node *node);

#endif
