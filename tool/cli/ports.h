/* Published ports in Compose's words: what stands in `ports:` and after -p.
 *
 *   80                 port 80, at any free port of this machine
 *   8080:80            at its port 8080
 *   127.0.0.1::53/udp  at any free UDP port of this one address
 *   [::1]:8000-8003:80-83 */
#ifndef TOOL_CLI_PORTS_H
#define TOOL_CLI_PORTS_H

#include <berth/addr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_mapping {
    char address[BERTH_IP_TEXT]; /* of this machine; empty: any */
    uint16_t outside;            /* there; 0: any free one */
    uint16_t inside;             /* on the virtual computer */
    uint16_t count;              /* that many ports from these two on; 1 without a range */
    bool udp;
};

/* False with a sentence in error[size]. */
bool port_mapping_read(const char *text, struct port_mapping *mapping, char *error, size_t size);

#endif
