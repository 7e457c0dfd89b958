/* What the readers of berth.yaml's parts share. */
#ifndef TOOL_CLI_SPEC_READ_H
#define TOOL_CLI_SPEC_READ_H

#include "tool/cli/spec.h"

struct spec_reader {
    struct spec *spec;
    const char *name; /* the file's */
    char *error;
};

/* "FILE:LINE: PATH: what"; always false. */
bool spec_wrong(const struct spec_reader *reader, int line, const char *path, const char *format,
                ...) __attribute__((format(printf, 4, 5)));
/* True when the node is a map with none but these keys; else says the nearest valid one. */
bool spec_keys(const struct spec_reader *reader, const struct tree_node *map, const char *path,
               const char *const *keys, size_t count);
/* "hosts" + "server" -> "hosts.server" */
void spec_path(char path[SPEC_PATH], const char *parent, const char *key);
/* A member that must be text: true with *text (NULL: it is not there). */
bool spec_text(const struct spec_reader *reader, const struct tree_node *map, const char *path,
               const char *key, const char **text);

/* hosts.NAME: as many computers as its count says. */
bool spec_host_read(const struct spec_reader *reader, const struct tree_node *node);
/* links: properties for computers that are there already. */
bool spec_links_read(const struct spec_reader *reader, const struct tree_node *list);

#endif
