/* What `run` and `up` open to the world outside: published ports and the gateway. */
#ifndef TOOL_CLI_OUTSIDE_H
#define TOOL_CLI_OUTSIDE_H

#include "tool/cli/ports.h"

#include <jansson.h>

enum { OUTSIDE_PORTS = 64 };

struct outside {
    struct port_mapping ports[OUTSIDE_PORTS];
    size_t port_count;
    json_t *allow; /* what the gateway lets through; json_null(): everything; NULL: no gateway */
};

/* One -p. False with a sentence in error[size]. */
bool outside_publish(struct outside *outside, const char *text, char *error, size_t size);
/* One --gateway[=LIST]: entries with commas between them, or NULL. False with a sentence. */
bool outside_gateway(struct outside *outside, const char *list, char *error, size_t size);
void outside_clear(struct outside *outside);

/* Asks for it on a connection to the daemon. False with a sentence. */
bool outside_ask_port(int control, const char *host, const struct port_mapping *port, char *error,
                      size_t size);
bool outside_ask(int control, const char *host, const struct outside *outside, char *error,
                 size_t size);

#endif
