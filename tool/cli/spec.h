/* What berth.yaml says: one network, its computers with their commands, and its links. */
#ifndef TOOL_CLI_SPEC_H
#define TOOL_CLI_SPEC_H

#include "tool/cli/tree.h"

#include <jansson.h>

enum { SPEC_NAME = 64, SPEC_PATH = 160 };

struct spec_host {
    struct spec_host *next;
    char name[SPEC_NAME]; /* "pc2" */
    const char *base;     /* "pc": the key in the file */
    int line;
    const char *address;  /* or NULL */
    const char *address6; /* or NULL */
    int address_line, address6_line;
    char **argv;                    /* NULL-terminated; NULL: no command */
    char **environment;             /* "NAME=value", NULL-terminated, or NULL */
    unsigned port_first, port_last; /* 0: the default range */
    json_t *sysctls;                /* name: value, or NULL */
    json_t *link;                   /* fields of struct berth_impairment, or NULL */
};

struct spec {
    struct tree_node *root;
    const char *network, *subnet;
    const char *subnet6; /* NULL: the one that goes with the IPv4 one; SUBNET_NONE: none */
    struct spec_host *hosts, *last;
};

/* Reads it; the spec is empty on failure, with "FILE:LINE: KEY: what is wrong" in
 * error[TREE_ERROR]. */
bool spec_read(struct spec *spec, FILE *file, const char *name, char *error);
void spec_clear(struct spec *spec);

#endif
