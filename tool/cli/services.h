/* Names of ports, from /etc/services where there is one, else from a short list of our own. */
#ifndef TOOL_CLI_SERVICES_H
#define TOOL_CLI_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

struct services;
/* NULL: memory is out; the functions below take that for an empty list. */
struct services *services_read(const char *path);
/* The service's name, or NULL. */
const char *services_name(const struct services *services, bool tcp, uint16_t port);
void services_free(struct services *services);

#endif
