/* What the readers of berth.yaml's parts share. */
#ifndef TOOL_CLI_SPEC_READ_H
#define TOOL_CLI_SPEC_READ_H

#include "tool/cli/spec.h"

struct spec_reader {
    struct spec *spec;
    const char *name; /* the file's */
    char *error;
};

/* The maps that a file has, each with a table of its keys. docs/berth.schema.json has the same. */
enum spec_map {
    SPEC_MAP_FILE,
    SPEC_MAP_NETWORK,
    SPEC_MAP_IPAM,
    SPEC_MAP_IPAM_CONFIG,
    SPEC_MAP_HOST,
    SPEC_MAP_PLUG,
    SPEC_MAP_PROCESS,
    SPEC_MAP_HEALTHCHECK,
    SPEC_MAP_DEPENDENCY,
    SPEC_MAP_PORT,
    SPEC_MAP_EXPECT,
    SPEC_MAP_GATEWAY,
    SPEC_MAP_LINK,
    SPEC_MAP_FAULT,
    SPEC_MAPS
};
struct spec_table {
    const char *name; /* in the schema: "host" */
    const char *const *keys;
    size_t count;
};
const struct spec_table *spec_table(enum spec_map map);

/* "FILE:LINE: PATH: what"; always false. */
bool spec_wrong(const struct spec_reader *reader, int line, const char *path, const char *format,
                ...) __attribute__((format(printf, 4, 5)));
bool spec_memory(const struct spec_reader *reader, int line, const char *path);
/* True when the node is a map with none but these keys (and x-...); else says the nearest valid
 * one. An empty value is an empty map. */
bool spec_keys(const struct spec_reader *reader, const struct tree_node *map, const char *path,
               const char *const *keys, size_t count);
bool spec_map_check(const struct spec_reader *reader, const struct tree_node *node,
                    const char *path, enum spec_map map);
/* "hosts" + "server" -> "hosts.server" */
void spec_path(char path[SPEC_PATH], const char *parent, const char *key);
/* A member that is there and not empty; else NULL. Its path comes along. */
const struct tree_node *spec_member(const struct tree_node *map, const char *path, const char *key,
                                    char inner[SPEC_PATH]);
size_t spec_count(const struct tree_node *node);
/* A whole number without a sign, at most nine digits; -1: it is none. */
long spec_number(const char *text);

/* Members that must be of a kind: true with what they say, or with *what as it was when they are
 * not there. */
bool spec_text(const struct spec_reader *reader, const struct tree_node *map, const char *path,
               const char *key, const char **text);
bool spec_bool(const struct spec_reader *reader, const struct tree_node *map, const char *path,
               const char *key, bool *value);
bool spec_duration(const struct spec_reader *reader, const struct tree_node *map, const char *path,
                   const char *key, uint64_t *nanoseconds);
/* A text as one word, a list as its words; NULL-terminated, the words stay the tree's. */
bool spec_argv(const struct spec_reader *reader, const struct tree_node *node, const char *path,
               char ***argv);

/* A text's words, or a list's: those of lists in it are one word each, with commas. NULL-terminated
 * and in one piece, for free(). *words stays NULL on failure. */
bool spec_words(const struct spec_reader *reader, const struct tree_node *node, const char *path,
                char ***words, int *count);

/* "(did you mean ...?)", or nothing, for a name that no service has. */
const char *spec_nearest_service(const struct spec *spec, const char *name, char text[SPEC_PATH]);
struct spec_service *spec_service_find(const struct spec *spec, const char *name);
struct spec_network *spec_network_find(const struct spec *spec, const char *name);

/* ---- the parts ---- */

bool spec_gateway_read(const struct spec_reader *reader, const struct tree_node *root);
bool spec_networks_read(const struct spec_reader *reader, const struct tree_node *networks);
/* Once the hosts are known: subnets that the file left open. */
bool spec_networks_settle(const struct spec_reader *reader);
/* hosts.NAME: as many computers as its count says. */
bool spec_host_read(const struct spec_reader *reader, const struct tree_node *node);
/* What a map (a host, a network, a link) says about frames, into a new `set`; NULL: nothing. */
bool spec_link_properties(const struct spec_reader *reader, const struct tree_node *map,
                          const char *path, json_t **set);
/* Whether they make sense together. */
bool spec_link_sense(const struct spec_reader *reader, const struct tree_node *map,
                     const char *path, const json_t *set);
/* links: properties for computers that are there already; `list` may be NULL. */
bool spec_links_read(const struct spec_reader *reader, const struct tree_node *list);
bool spec_faults_read(const struct spec_reader *reader, const struct tree_node *list);
/* Whether there are the hosts and networks that a fault's request names. */
bool spec_fault_check(const struct spec_reader *reader, int line, const char *path,
                      const json_t *request);
/* "FILE:LINE: PATH", as a fault that fails says it. */
json_t *spec_place(const struct spec_reader *reader, int line, const char *path);

/* Of hosts.NAME: */
bool spec_plugs_read(const struct spec_reader *reader, const struct tree_node *node,
                     const char *path, struct spec_service *service);
bool spec_processes_read(const struct spec_reader *reader, const struct tree_node *node,
                         const char *path, struct spec_service *service);
void spec_processes_clear(struct spec_service *service);
bool spec_environment_read(const struct spec_reader *reader, const struct tree_node *const *maps,
                           const char *const *paths, size_t count, char ***environment);
bool spec_health_read(const struct spec_reader *reader, const struct tree_node *node,
                      const char *path, struct spec_service *service);
bool spec_outside_read(const struct spec_reader *reader, const struct tree_node *node,
                       const char *path, struct spec_service *service);
bool spec_sysctls_read(const struct spec_reader *reader, const struct tree_node *node,
                       const char *path, struct spec_service *service);
/* Of all hosts, once all are known: what they depend on. */
bool spec_depends_read(const struct spec_reader *reader);

#endif
