/* What computers may reach through a gateway: one entry of its list.
 *
 *   192.0.2.0/24            all ports there, and echo requests
 *   192.0.2.7:443           one port
 *   [2001:db8::/32]:80-90   a range, over IPv6
 *   host                    this machine's own loopback
 *   host:5432 */
#ifndef TOOL_CONTROL_ALLOW_H
#define TOOL_CONTROL_ALLOW_H

#include <berth/addr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct allow_rule {
    struct berth_ip prefix;
    uint8_t length; /* 0..128; IPv4's count from 96 on */
    bool host;      /* this machine's loopback, by either family; prefix and length are void */
    uint16_t first, last; /* ports; 0 to 65535: all, and echo requests */
};

/* False with a sentence in error[size]. */
bool allow_read(const char *text, struct allow_rule *rule, char *error, size_t size);

#endif
