/* Who sends through which router, so that every computer reaches every network. */
#ifndef TOOL_CLI_ROUTES_H
#define TOOL_CLI_ROUTES_H

#include "tool/cli/spec.h"

#include <jansson.h>

/* NULL: memory is out. The spec is kept. */
struct routes *routes_new(const struct spec *spec);
void routes_free(struct routes *routes);
/* Routers come first, with the addresses that they got: `links`, an array in the order of their
 * plugs, is kept. False: memory is out. */
bool routes_add_router(struct routes *routes, const struct spec_host *host, json_t *links);
/* Then, once: finds the shortest ways. */
void routes_settle(struct routes *routes);
/* The routes of a computer: an array of {"to": SUBNET, "via": ADDRESS}, to be given back; NULL:
 * none. */
json_t *routes_of(const struct routes *routes, const struct spec_host *host);

#endif
